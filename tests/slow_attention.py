"""What methods that change attention compute, written from their definitions."""

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from slow_contrasts import Found, cut, last_of
from slow_model import Query, Reading, SlowModel, softmax
from small_prompts import SmallPrompt, of_kind

from sinktrack.core.prompt import Prompt


def attending(query: Query) -> torch.Tensor:
    """Return the attention (H, N) of a query by its scores and what it sees."""
    return torch.stack([softmax(query.scores[head], query.keys) for head in query.heads])


def pai(slow: SlowModel, prompt: SmallPrompt, rows: list[Prompt], given: Any) -> Found:
    """Raise the last query's scores on the picture; with gamma, contrast with no picture."""
    image, last = of_kind(prompt, "image"), last_of(prompt)

    def rule(query: Query) -> torch.Tensor | None:
        if query.layer not in given.layers or query.at < last:
            return None
        for head in query.heads:
            for key in image:
                score = float(query.scores[head, key])
                query.scores[head, key] = score + given.alpha * abs(score)
        return attending(query)

    main = slow.read(prompt.inputs, rule)
    if given.gamma == 1:
        return Found(list(main.logits), main)
    blind = slow.read(prompt.without("image").inputs)
    scores = []
    for z, z_n in zip(main.logits, blind.logits, strict=True):
        log_p, log_n = z.log_softmax(-1), z_n.log_softmax(-1)
        scores.append(cut(given.gamma * (log_p - log_n) + log_n, z, 0.1))
    return Found(scores, main)


def vaf(slow: SlowModel, prompt: SmallPrompt, rows: list[Prompt], given: Any) -> Found:
    """After the pictures, multiply the scores on them, and on what stands before them."""
    image = of_kind(prompt, "image")
    factors = dict.fromkeys(range(image[0]), given.suppress)
    factors |= dict.fromkeys(image, given.enhance)

    def rule(query: Query) -> torch.Tensor | None:
        if query.layer not in given.layers or query.at <= image[-1]:
            return None
        for head in query.heads:
            for key, factor in factors.items():
                score = float(query.scores[head, key])
                query.scores[head, key] = (
                    factor * score if given.form == "published" else score + math.log(factor)
                )
        return attending(query)

    main = slow.read(prompt.inputs, rule)
    return Found(list(main.logits), main)


def hgai(slow: SlowModel, prompt: SmallPrompt, rows: list[Prompt], given: Any) -> Found:
    """Raise the last query's scores on the picture by their mean size over heads."""
    image, last = of_kind(prompt, "image"), last_of(prompt)

    def rule(query: Query) -> torch.Tensor | None:
        if query.layer not in given.layers or query.at < last:
            return None
        for key in image:
            sizes = [abs(float(query.scores[head, key])) for head in query.heads]
            for head in query.heads:
                query.scores[head, key] += given.alpha * sum(sizes) / len(sizes)
        return attending(query)

    main = slow.read(prompt.inputs, rule)
    return Found(list(main.logits), main)


def sinks_of(hidden: torch.Tensor, dimensions: Any, tau: float) -> list[int]:
    """Return the positions of (N, D) that are large, over their size, in one of some dimensions."""
    limit = tau * math.sqrt(hidden.shape[1] / 4096)
    found = []
    for at, row in enumerate(hidden.tolist()):
        size = math.sqrt(sum(each * each for each in row) / len(row) + 1e-6)
        if max(abs(row[dimension]) for dimension in dimensions) / size > limit:
            found.append(at)
    return found


def var(slow: SlowModel, prompt: SmallPrompt, rows: list[Prompt], given: Any) -> Found:
    """Give what sinks get in heads that look at the picture to the rest of the picture."""
    image, length = of_kind(prompt, "image"), last_of(prompt) + 1
    reading = Reading(length - 1)
    sinks: dict[int, list[int]] = {}

    def rule(query: Query) -> torch.Tensor | None:
        if query.layer not in given.layers or query.at <= image[-1]:
            return None
        if query.layer not in sinks:
            entering = reading.entering[query.layer][:length]
            sinks[query.layer] = sinks_of(entering, given.dimensions, given.tau)
        own = sinks[query.layer]
        visual = [key for key in own if key in image]
        others = [key for key in own if key not in image and key in query.keys]
        looked = attending(query)
        if visual:
            for head in query.heads:
                _redistribute(looked[head], image, visual, others, given)
        return looked

    main = slow.read(prompt.inputs, rule, reading=reading)
    return Found(list(main.logits), main)


def _redistribute(
    looked: torch.Tensor, image: list[int], visual: list[int], others: list[int], given: Any
) -> None:
    """Take from the sinks of one head's row (N,), if it looks at the picture and not at sinks."""
    row = looked.tolist()
    on_image = sum(row[key] for key in image)
    on_visual = sum(row[key] for key in visual)
    if on_visual > given.rho * on_image or on_image < given.theta:
        return
    taken = (1 - given.p) * (on_visual + sum(row[key] for key in others))
    rest = [key for key in image if key not in visual]
    on_rest = sum(row[key] for key in rest)
    for key in visual + others:
        looked[key] = given.p * row[key]
    for key in rest:
        looked[key] = row[key] + taken * row[key] / on_rest


def position_scale(slow: SlowModel, prompt: SmallPrompt, rows: list[Prompt], given: Any) -> Found:
    """From the last query on, attend by queries and keys of a state with one dimension scaled."""
    last = last_of(prompt)

    def entering(layer: int, normed: torch.Tensor) -> torch.Tensor:
        scaled = normed.clone()
        scaled[..., given.dimension] *= given.factor
        return scaled

    def rule(query: Query) -> torch.Tensor | None:
        if query.layer not in given.layers or query.at < last:
            return None
        query.scores = query.others
        return attending(query)

    main = slow.read(prompt.inputs, rule, entering=entering)
    return Found(list(main.logits), main)


# Keys hidden.


def seeing_least(
    slow: SlowModel,
    prompt: Prompt,
    layer: int,
    among: Callable[[int], list[int]],
    count: Callable[[int], int],
) -> Reading:
    """Read a prompt that from a layer on sees only some of some keys: those looked at least.

    Args:
        slow: The model.
        prompt: The prompt.
        layer: The first layer where keys are hidden, by the attention of the one before it.
        among: The keys that may be hidden, by step.
        count: How many of them stay, by step.
    """
    last = last_of(prompt)
    reading = Reading(last)

    @cache
    def hidden(at: int) -> list[int]:
        looked = reading.attention[layer - 1][:, at].mean(0).tolist()
        return sorted(among(at - last), key=lambda key: looked[key])[count(at - last) :]

    def rule(query: Query) -> torch.Tensor | None:
        if query.layer < layer:
            return None
        # While the prompt is read, all queries see what its last query leaves.
        at = max(query.at, last)
        for key in hidden(at):
            query.seen[key] = False
        # The published code lets a query that sees nothing look everywhere, later keys included.
        if not query.keys:
            query.seen[query.at] = True
        return attending(query)

    return slow.read(prompt.inputs, rule, reading=reading)


def fewer_image_tokens(slow: SlowModel, prompt: SmallPrompt, given: Any) -> Reading:
    """Read a prompt that sees the least attended share of its picture."""
    image = of_kind(prompt, "image")
    kept = round(given.keep * len(image))
    return seeing_least(slow, prompt, given.layer, lambda _: image, lambda _: kept)


def sid(slow: SlowModel, prompt: SmallPrompt, rows: list[Prompt], given: Any) -> Found:
    """Contrast with the least attended part of the picture."""
    main, negative = slow.read(prompt.inputs), fewer_image_tokens(slow, prompt, given)
    scores = [
        cut((1 + given.alpha) * z - given.alpha * z_a, z, given.beta)
        for z, z_a in zip(main.logits, negative.logits, strict=True)
    ]
    return Found(scores, main)


def crops(slow: SlowModel, prompt: SmallPrompt, rows: list[Prompt], given: Any) -> Found:
    """Contrast with a part of the picture, and with a part of the text alone."""
    main, few = slow.read(prompt.inputs), fewer_image_tokens(slow, prompt, given)
    blind = prompt.without("image")
    length = last_of(blind) + 1
    text = seeing_least(
        slow,
        blind,
        given.layer,
        lambda step: list(range(length + step)),
        lambda step: math.floor(10 + 30 * (1 - math.exp(-0.001 * (step + 1)))),
    )
    scores = []
    for step, z in enumerate(main.logits):
        z = cut(z, z, given.beta)
        if float(z.softmax(-1).max()) > given.threshold:
            scores.append(z)
            continue
        log_a, log_b = (each.logits[step].log_softmax(-1) for each in (few, text))
        kept = math.exp(-given.decay * (step + 1))
        log_p = z.log_softmax(-1)
        y = (1 + (1 - kept) / kept) * log_p - (1 - kept) / kept * log_b
        scores.append((1 + given.alpha) * y - given.alpha * log_a)
    return Found(scores, main)
