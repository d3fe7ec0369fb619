"""What stood behind one token of each answer: other words, earlier layers, and where heads looked.

The words before it are written again, each method acting as it did, so that the numbers are those
of the answer. Source of the lens: nostalgebraist 2020, "interpreting GPT: the logit lens".
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from sinktrack.core.architecture import as_said, unwrapped
from sinktrack.core.comparison import Comparison
from sinktrack.core.recorder import CANDIDATES
from sinktrack.core.text import token_texts
from sinktrack.core.text_tokens import tokenizer_of
from sinktrack.core.trace import Token
from sinktrack.why.again import writing_again

LENS = 3
"""How many words of each layer are told."""


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """What stood behind token t of one answer, for L layers and H heads.

    Args:
        token: The token.
        candidates: The likeliest tokens in the distribution that it was chosen from, before
            temperature and the like.
        probabilities: Theirs.
        others: The probability here of the word that each other answer has at the same place.
        lens: For each layer the likeliest words that it would have said, if the output embedding
            had read it in the place of the last one; the last layer's are the row's own.
        lens_probabilities: float32 (L, 3), theirs.
        ranks: int64 (L,), which place the token itself has in each layer, from 1.
        attention: float32 (L, H, N), where the query that wrote it looked: the tokens of the row's
            own prompt, and then those of the answer; NaN where a window has dropped one.
        prompt: The tokens of that prompt; a method may read another than was asked.
        parts: The part of each.
    """

    token: Token
    candidates: tuple[Token, ...]
    probabilities: tuple[float, ...]
    others: dict[str, float]
    lens: tuple[tuple[Token, ...], ...]
    lens_probabilities: torch.Tensor
    ranks: torch.Tensor
    attention: torch.Tensor
    prompt: tuple[Token, ...]
    parts: tuple[str, ...]


def explain(model: Any, processor: Any, comparison: Comparison, at: int) -> dict[str, Explanation]:
    """Explain a token of every answer that has one there.

    Args:
        model: That which answered.
        processor: As for `sinktrack.compare`.
        comparison: The answers.
        at: Which token, from 0.

    Raises:
        TraceError: If no answer has so many tokens.
        PromptError: If the model reads the question otherwise than the one that answered.
    """
    model = unwrapped(model)
    tokenizer = tokenizer_of(processor)
    generator = writing_again(model, processor, comparison, at)
    answers = {row.name: comparison[row.name] for row in generator.rows[0]}
    recorder = generator.recorder
    recorder.keeps_attention = True
    states: dict[int, torch.Tensor] = {}
    generator.after_layer = _last(states)
    generator.run()
    hidden = torch.stack(
        [recorder.of_all_rows(states[layer]) for layer in sorted(states)], dim=1
    )  # (B, L, D)
    found = {}
    words = {name: each.token_ids[at] for name, each in answers.items()}
    for name, place, asked in zip(answers, generator.places, generator.asked, strict=True):
        asked_ids = asked.inputs["input_ids"][0].tolist()
        chosen_from = recorder.distribution(place)
        likely, ids = chosen_from.topk(min(CANDIDATES, len(chosen_from)))
        said = _lens(model, hidden[place]).cpu()
        top, top_ids = said.softmax(-1).topk(LENS)
        own = said[:, words[name], None]
        found[name] = Explanation(
            token=_tokens(tokenizer, [words[name]])[0],
            candidates=_tokens(tokenizer, ids.tolist()),
            probabilities=tuple(likely.exp().tolist()),
            others={
                other: float(chosen_from[word].exp())
                for other, word in words.items()
                if other != name
            },
            lens=tuple(_tokens(tokenizer, layer) for layer in top_ids.tolist()),
            lens_probabilities=top,
            ranks=(said > own).sum(-1) + 1,
            attention=recorder.attention(place),
            prompt=tuple(map(Token, asked_ids, token_texts(tokenizer, asked_ids))),
            parts=tuple(asked.names[part] for part in asked.parts.tolist()),
        )
    return found


def _last(states: dict[int, torch.Tensor]) -> Callable[[int, torch.Tensor], None]:
    """Return what keeps each layer's output at the last position, (rows, D), of the last step."""

    def keep(layer: int, hidden: torch.Tensor) -> None:
        states[layer] = hidden[:, -1].detach().clone()  # and not a view of the whole prompt's

    return keep


@torch.no_grad()
def _lens(model: Any, hidden: torch.Tensor) -> torch.Tensor:
    """Return the logits that layers would have said, float32 (L, V), of states (L, D)."""
    decoder = model.get_decoder()
    head = model.get_output_embeddings()
    return as_said(model, head(decoder.norm(hidden.to(head.weight.device)))).float()


def _tokens(tokenizer: Any, ids: list[int]) -> tuple[Token, ...]:
    """Return tokens, each with the text that it has alone."""
    return tuple(Token(each, token_texts(tokenizer, [each])[0]) for each in ids)
