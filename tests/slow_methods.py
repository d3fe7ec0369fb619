"""What each method computes, written from its definition and as slowly as it reads.

Every function takes a slow model, a prompt and the method's parameters, and returns the scores that
choose each token of the answer, with what the main row computed. Nothing of `sinktrack.methods` is
used: a difference between the two finds a mistake in one of them.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from slow_model import Query, Reading, SlowModel, softmax
from small_prompts import SmallPrompt, of_kind

from sinktrack.core.prompt import Prompt


class Found(NamedTuple):
    """What a method's definition gives.

    Args:
        scores: float64 (V,) for each token of the answer, -inf where a token is forbidden.
        reading: What its main row computed.
    """

    scores: list[torch.Tensor]
    reading: Reading


Reference = Callable[[SlowModel, SmallPrompt, list[Prompt], Any], Found]
"""Takes the prompts of the method's rows too, for what is drawn at random, and its parameters."""


def allowed(plain: torch.Tensor, beta: float) -> list[bool]:
    """Tell which tokens have at least the share `beta` of the likeliest one's probability."""
    likely = plain.softmax(-1)
    return [bool(each >= beta * likely.max()) for each in likely]


def cut(scores: torch.Tensor, plain: torch.Tensor, beta: float) -> torch.Tensor:
    """Forbid the tokens that are not plausible by the plain logits."""
    kept = torch.tensor(allowed(plain, beta))
    return scores.masked_fill(~kept, -math.inf)


def contrast(
    slow: SlowModel, prompt: Prompt, other: Prompt, alpha: float, beta: float, rule: Any = None
) -> Found:
    """Contrast the logits of two prompts; `rule` changes the attention of the second."""
    main = slow.read(prompt.inputs)
    negative = slow.read(other.inputs, rule)
    scores = [
        cut((1 + alpha) * z - alpha * z_n, z, beta)
        for z, z_n in zip(main.logits, negative.logits, strict=True)
    ]
    return Found(scores, main)


def vcd(slow: SlowModel, prompt: SmallPrompt, rows: list[Prompt], given: Any) -> Found:
    return contrast(slow, prompt, rows[1], given.alpha, given.beta)


def noise_of(prompt: Prompt, noised: Prompt, step: int) -> torch.Tensor:
    """Return the noise that was added to a picture, by the schedule of 1,000 steps."""
    kept = 1.0
    for at in range(step + 1):
        x = -6 + 12 * at / 999
        kept *= 1 - ((0.005 - 1e-5) / (1 + math.exp(-x)) + 1e-5)
    pixels, other = (each.inputs["pixel_values"].double() for each in (prompt, noised))
    return (other - math.sqrt(kept) * pixels) / math.sqrt(1 - kept)


def cad(slow: SlowModel, prompt: SmallPrompt, rows: list[Prompt], given: Any) -> Found:
    return contrast(slow, prompt, prompt.without(given.context), given.alpha, given.beta)


def plausibility(slow: SlowModel, prompt: SmallPrompt, rows: list[Prompt], given: Any) -> Found:
    main = slow.read(prompt.inputs)
    return Found([cut(z, z, given.beta) for z in main.logits], main)


def pai(slow: SlowModel, prompt: SmallPrompt, rows: list[Prompt], given: Any) -> Found:
    image, last = of_kind(prompt, "image"), prompt.parts.numel() - 1

    def rule(query: Query) -> torch.Tensor | None:
        if query.layer not in given.layers or query.at < last:
            return None
        for head in query.heads:
            for key in image:
                score = float(query.scores[head, key])
                query.scores[head, key] = score + given.alpha * abs(score)
        return torch.stack([softmax(query.scores[head], query.keys) for head in query.heads])

    main = slow.read(prompt.inputs, rule)
    return Found(list(main.logits), main)


REFERENCES: dict[str, Reference] = {
    "cad": cad,
    "pai": pai,
    "plausibility": plausibility,
    "vcd": vcd,
}
