"""How much each word of an answer relies on what the question is about.

The plain model reads the answers' words twice, once as they are and once with the pictures, videos
and passages covered. How far a word's probability falls is how much it relied on them; one that
falls by nothing follows from the question and the words before it.
"""

from dataclasses import dataclass
from typing import Any

import torch

from sinktrack.core.architecture import unwrapped
from sinktrack.core.cache import cache_of_json
from sinktrack.core.comparison import Comparison
from sinktrack.core.decoding import Decoding
from sinktrack.core.errors import PromptError
from sinktrack.core.generate import Generator
from sinktrack.core.parts import is_of
from sinktrack.core.prompt import Prompt
from sinktrack.core.text_tokens import tokenizer_of
from sinktrack.methods.probes import Cover
from sinktrack.why.again import prompt_of

KINDS = ("image", "passage")
"""The parts of a prompt that a question is about; videos are images too."""


@dataclass(frozen=True, kw_only=True)
class Reliance:
    """Of T words of one answer.

    Args:
        plain: float32 (T,), the probability of each in the plain model, after the words before it.
        covered: The same where nobody sees what the question is about.
    """

    plain: torch.Tensor
    covered: torch.Tensor


def reliance(model: Any, processor: Any, comparison: Comparison) -> dict[str, Reliance]:
    """Return how much each word of every answer relies on pictures, videos and passages.

    Args:
        model: That which answered.
        processor: As for `sinktrack.compare`.
        comparison: The answers.

    Returns:
        By the answer's name; an answer without words is left out.

    Raises:
        PromptError: If the question is about none of these, or as for `explain`.
    """
    prompt = prompt_of(model, processor, comparison)
    probe = Cover(positions=frozenset(_asked_about(prompt)))
    words = {name: each.token_ids for name, each in comparison.items() if each.token_ids}
    told = {f"{how} {name}": own for how in ("plain", "covered") for name, own in words.items()}
    longest = max(map(len, words.values()), default=0)
    if not longest:
        return {}
    generator = Generator(
        unwrapped(model),
        tokenizer_of(processor),
        [prompt],
        {each: probe if each.startswith("covered ") else None for each in told},
        decoding=Decoding(max_new_tokens=longest),
        cache=cache_of_json(comparison.settings["cache"]),
        beginnings=[told],
    )
    generator.run()
    (again,) = generator.comparisons()
    likely = {name: torch.tensor(again[name].probabilities[: len(told[name])]) for name in told}
    return {
        name: Reliance(plain=likely[f"plain {name}"], covered=likely[f"covered {name}"])
        for name in words
    }


def _asked_about(prompt: Prompt) -> list[int]:
    """Return the places of what the question is about."""
    of_kind = [any(is_of(name, kind) for kind in KINDS) for name in prompt.names]
    places = [at for at, part in enumerate(prompt.parts.tolist()) if of_kind[part]]
    if not places:
        raise PromptError(
            "The question is about no picture, video or passage that could be covered."
        )
    return places
