"""What methods that contrast two prompts compute, and the controls, written from their definitions.

Every function takes a slow model, a prompt, the prompts of the method's rows for what is drawn at
random, and the method's parameters. It returns the scores that choose each token of the answer.
Nothing of `sinktrack.methods` is used: a difference between the two finds a mistake in one of them.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from slow_model import Reading, SlowModel
from small_prompts import SmallPrompt, ids_of

from sinktrack.core.prompt import Prompt


class Found(NamedTuple):
    """What a method's definition gives.

    Args:
        scores: float64 (V,) for each token of the answer, -inf where a token is forbidden.
        reading: What its main row computed.
        prompt: What its main row read, where that is another prompt.
    """

    scores: list[torch.Tensor]
    reading: Reading
    prompt: SmallPrompt | None = None


Reference = Callable[[SlowModel, SmallPrompt, list[Prompt], Any], Found]


def allowed(plain: torch.Tensor, beta: float) -> list[bool]:
    """Tell which tokens have at least the share `beta` of the likeliest one's probability."""
    likely = plain.softmax(-1).tolist()
    least = beta * max(likely)
    return [each >= least for each in likely]


def cut(scores: torch.Tensor, plain: torch.Tensor, beta: float) -> torch.Tensor:
    """Forbid the tokens that are not plausible by the plain logits."""
    kept = torch.tensor(allowed(plain, beta))
    return scores.masked_fill(~kept, -math.inf)


def last_of(prompt: Prompt) -> int:
    """Return the position of a prompt's last token."""
    return int(prompt.inputs["input_ids"].shape[1]) - 1


def contrast(slow: SlowModel, prompt: Prompt, other: Prompt, alpha: float, beta: float) -> Found:
    """Contrast the logits of two prompts."""
    main, negative = slow.read(prompt.inputs), slow.read(other.inputs)
    scores = [
        cut((1 + alpha) * z - alpha * z_n, z, beta)
        for z, z_n in zip(main.logits, negative.logits, strict=True)
    ]
    return Found(scores, main)


def vcd(slow: SlowModel, prompt: SmallPrompt, rows: list[Prompt], given: Any) -> Found:
    """Contrast with the picture under noise, which is drawn at random and checked elsewhere."""
    return contrast(slow, prompt, rows[1], given.alpha, given.beta)


def noise_of(prompt: Prompt, noised: Prompt, step: int) -> torch.Tensor:
    """Return the noise that was added to a picture, by the schedule of 1,000 steps."""
    kept = 1.0
    for at in range(step + 1):
        x = -6 + 12 * at / 999
        kept *= 1 - ((0.005 - 1e-5) / (1 + math.exp(-x)) + 1e-5)
    pixels, other = (each.inputs["pixel_values"].double() for each in (prompt, noised))
    return (other - math.sqrt(kept) * pixels) / math.sqrt(1 - kept)


def icd(slow: SlowModel, prompt: SmallPrompt, rows: list[Prompt], given: Any) -> Found:
    """Contrast with the same picture and a disturbance before the question, or as the system."""
    disturbed = (
        prompt.told(given.disturbance)
        if given.place == "system"
        else prompt.saying(before=f"{given.disturbance} ")
    )
    return contrast(slow, prompt, disturbed, given.alpha, given.beta)


def cad(slow: SlowModel, prompt: SmallPrompt, rows: list[Prompt], given: Any) -> Found:
    """Contrast with the question without its passage."""
    return contrast(slow, prompt, prompt.without(given.context), given.alpha, given.beta)


def lcd(slow: SlowModel, prompt: SmallPrompt, rows: list[Prompt], given: Any) -> Found:
    """Contrast with no picture, the more the surer the model is without it."""
    main, blind = slow.read(prompt.inputs), slow.read(prompt.without("image").inputs)
    scores = []
    for z, z_n in zip(main.logits, blind.logits, strict=True):
        entropy = -sum(q * math.log(q) for q in z_n.softmax(-1).tolist())
        alpha = given.alpha / entropy if given.entropy else given.alpha
        log_p, log_q = z.log_softmax(-1), z_n.log_softmax(-1)
        scores.append(cut((1 + alpha) * log_p - alpha * log_q, z, given.beta))
    return Found(scores, main)


def m3id(slow: SlowModel, prompt: SmallPrompt, rows: list[Prompt], given: Any) -> Found:
    """Contrast with no picture, more with every token that was written."""
    main, blind = slow.read(prompt.inputs), slow.read(prompt.without("image").inputs)
    scores = []
    for step, (z, z_n) in enumerate(zip(main.logits, blind.logits, strict=True), given.first):
        kept = math.exp(-given.decay * step)
        sure = float(z.softmax(-1).max()) > given.threshold
        changed = z if sure else z + (1 - kept) / kept * (z - z_n)
        scores.append(cut(changed, z, given.beta))
    return Found(scores, main)


def plausibility(slow: SlowModel, prompt: SmallPrompt, rows: list[Prompt], given: Any) -> Found:
    """Cut the plain logits."""
    main = slow.read(prompt.inputs)
    return Found([cut(z, z, given.beta) for z in main.logits], main)


def said_twice(slow: SlowModel, prompt: SmallPrompt, rows: list[Prompt], given: Any) -> Found:
    """Say the question several times."""
    again = prompt.saying(after=f" {prompt.question}" * (given.times - 1))
    main = slow.read(again.inputs)
    return Found(list(main.logits), main, again)


def say_yes(slow: SlowModel, prompt: SmallPrompt, rows: list[Prompt], given: Any) -> Found:
    """Raise the logits of yes, as it may be written, at the first token."""
    main = slow.read(prompt.inputs)
    first = main.logits[0].clone()
    for token in {ids_of(word)[0] for word in ("Yes", "yes")}:
        first[token] += given.bias
    return Found([first, *main.logits[1:]], main)


def strength_0(slow: SlowModel, prompt: SmallPrompt, rows: list[Prompt], given: Any) -> Found:
    """Change nothing."""
    main = slow.read(prompt.inputs)
    return Found(list(main.logits), main)
