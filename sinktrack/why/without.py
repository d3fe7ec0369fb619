"""What becomes of one word without a part of the prompt or without some heads.

The plain model reads the same words before it, once as they are and once with a probe.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sinktrack.core.architecture import unwrapped
from sinktrack.core.cache import cache_of_json
from sinktrack.core.comparison import Comparison
from sinktrack.core.decoding import Decoding
from sinktrack.core.errors import MethodError, TraceError, shown
from sinktrack.core.generate import Generator
from sinktrack.core.intervention import Intervention
from sinktrack.core.text import token_texts
from sinktrack.core.text_tokens import tokenizer_of
from sinktrack.core.trace import Token
from sinktrack.methods.probes import Cover, Silence
from sinktrack.why.again import prompt_of

INSTEAD = 3
"""How many of the likeliest words with the probe are told."""


@dataclass(frozen=True, kw_only=True)
class Without:
    """What a probe makes of one token.

    Args:
        token: The token.
        plain: Its probability in the plain model, after the same words.
        without: The same with the probe.
        instead: The likeliest tokens with the probe, and the probability of each.
    """

    token: Token
    plain: float
    without: float
    instead: tuple[tuple[Token, float], ...]


def without(
    model: Any,
    processor: Any,
    comparison: Comparison,
    name: str,
    at: int,
    *,
    positions: Collection[int] = (),
    heads: str = "",
) -> Without:
    """Return what becomes of a token with something covered or silenced.

    Args:
        model: That which answered.
        processor: As for `sinktrack.compare`.
        comparison: The answers.
        name: Whose words the model reads before it.
        at: Which token, from 0.
        positions: Tokens of the prompt that nobody sees, see `Cover`.
        heads: Heads that give nothing, see `Silence`; one of both is asked for.

    Raises:
        TraceError: If there is no such answer or token.
        MethodError: If neither or both are asked for, or the model has no such thing.
        PromptError: As for `explain`.
    """
    if name not in comparison or not 0 <= at < len(comparison[name].token_ids):
        raise TraceError(f"There is no token {at} of {shown(name)}: choose one of the answers.")
    if bool(positions) == bool(heads):
        raise MethodError("Give either positions to cover or heads to silence.")
    probe: Intervention = (
        Cover(positions=frozenset(positions)) if positions else Silence(heads=heads)
    )
    tokenizer = tokenizer_of(processor)
    words = comparison[name].token_ids[: at + 1]
    generator = Generator(
        unwrapped(model),
        tokenizer,
        [prompt_of(model, processor, comparison)],
        {"plain": None, "probe": probe},
        decoding=Decoding(max_new_tokens=at + 1),
        cache=cache_of_json(comparison.settings["cache"]),
        beginnings=[{"plain": words, "probe": words}],
    )
    generator.run()
    plain, probed = (
        generator.recorder.distribution(place).exp().double() for place in generator.places
    )
    likely, ids = probed.topk(min(INSTEAD, len(probed)))
    return Without(
        token=_token(tokenizer, words[at]),
        plain=float(plain[words[at]]),
        without=float(probed[words[at]]),
        instead=tuple(
            (_token(tokenizer, each), share)
            for each, share in zip(ids.tolist(), likely.tolist(), strict=True)
        ),
    )


def _token(tokenizer: Any, token_id: int) -> Token:
    return Token(token_id, token_texts(tokenizer, [token_id])[0])
