"""What methods that look through layers or push them compute, and the table of all definitions."""

import math
from typing import Any

import torch
from slow_attention import crops, hgai, pai, position_scale, sid, vaf, var
from slow_contrasts import (
    Found,
    Reference,
    cad,
    cut,
    icd,
    lcd,
    m3id,
    plausibility,
    said_twice,
    say_yes,
    strength_0,
    vcd,
)
from slow_model import Reading, SlowModel
from small_prompts import SmallPrompt

from sinktrack.core.prompt import Prompt


def lens(slow: SlowModel, reading: Reading, layer: int, at: int, normed: bool) -> torch.Tensor:
    """Return the logits (V,) of a layer's output; of layer -1 those of the embedding."""
    hidden = reading.entering[0] if layer < 0 else reading.leaving[layer]
    return slow.lens(hidden[at], normed)


def deco(slow: SlowModel, prompt: SmallPrompt, rows: list[Prompt], given: Any) -> Found:
    """Add the layer that is surest of a likely token, as much as it is sure."""
    main = slow.read(prompt.inputs)
    scores = []
    for step, z in enumerate(main.logits):
        likely = z.softmax(-1)
        candidates: list[int] = []
        for token in likely.argsort(descending=True).tolist()[: given.top_k or None]:
            candidates.append(token)
            if sum(float(likely[each]) for each in candidates) >= given.top_p:
                break
        surest, best = -1.0, z
        for layer in sorted(given.layers):
            early = lens(slow, main, layer, main.first + step, normed=True)
            for token in candidates:
                if float(early.softmax(-1)[token]) > surest:
                    surest, best = float(early.softmax(-1)[token]), early
        changed = torch.full_like(z, -math.inf)
        for token in candidates:
            changed[token] = z[token] + given.alpha * surest * best[token]
        scores.append(changed)
    return Found(scores, main)


def apart(p: torch.Tensor, q: torch.Tensor) -> float:
    """Return the divergence by which DoLa's code chooses: from the mean to both, not to it."""
    total = 0.0
    for one, other in zip(p.tolist(), q.tolist(), strict=True):
        mean = (one + other) / 2
        total += mean * (2 * math.log(mean) - math.log(one) - math.log(other)) / 2
    return total / len(p)


def dola(slow: SlowModel, prompt: SmallPrompt, rows: list[Prompt], given: Any) -> Found:
    """Subtract the early state that is furthest from the last one; state 0 is the embedding."""
    main = slow.read(prompt.inputs)
    scores = []
    for step, z in enumerate(main.logits):
        early = [
            lens(slow, main, state - 1, main.first + step, given.normed)
            for state in sorted(given.layers)
        ]
        furthest = max(early, key=lambda each: apart(z.softmax(-1), each.softmax(-1)))
        changed = z.log_softmax(-1) - given.alpha * furthest.log_softmax(-1)
        scores.append(cut(changed, z, given.beta))
    return Found(scores, main)


def vista(slow: SlowModel, prompt: SmallPrompt, rows: list[Prompt], given: Any) -> Found:
    """Turn what every MLP gives towards what the picture changed at the end of the prompt."""
    seen, blind = slow.read(prompt.inputs), slow.read(prompt.without("image").inputs)
    last = {at: seen.leaving[at][seen.first] for at in seen.leaving}
    direction = {at: last[at] - blind.leaving[at][blind.first] for at in last}

    def after_mlp(layer: int, at: int, output: torch.Tensor) -> torch.Tensor:
        if direction[layer].norm() < 2e-6 * last[layer].norm():
            return output  # the layer cannot see the picture, and rotations round
        d = direction[layer] / direction[layer].norm()
        unit = output / output.norm()
        turn = 1 + max(0.0, -float(unit @ d))
        turned = unit + given.strength * turn * d
        return output.norm() * turned / turned.norm()

    main = slow.read(prompt.inputs, after_mlp=after_mlp)
    scores = list(main.logits)
    if given.alpha:
        for step, z in enumerate(main.logits):
            early = [
                lens(slow, main, layer, main.first + step, given.normed)
                for layer in sorted(given.layers)
            ]
            scores[step] = (1 - given.alpha) * z + given.alpha * sum(early) / len(early)
    return Found(scores, main)


REFERENCES: dict[str, Reference] = {
    each.__name__.replace("_", "-"): each
    for each in (
        cad, crops, deco, dola, hgai, icd, lcd, m3id, pai, plausibility, position_scale,
        said_twice, say_yes, sid, strength_0, vaf, var, vcd, vista,
    )
}  # fmt: skip
