"""What each method computes, written from its definition and as slowly as it reads.

Every function takes a slow model, a prompt and the method's parameters, and returns the scores that
choose each token of the answer, with what the main row computed. Nothing of `sinktrack.methods` is
used: a difference between the two finds a mistake in one of them.
"""

import math
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import torch
from slow_model import Query, Reading, SlowModel, softmax
from small_prompts import SmallPrompt, ids_of, of_kind

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
"""Takes the prompts of the method's rows too, for what is drawn at random, and its parameters."""


def allowed(plain: torch.Tensor, beta: float) -> list[bool]:
    """Tell which tokens have at least the share `beta` of the likeliest one's probability."""
    likely = plain.softmax(-1)
    return [bool(each >= beta * likely.max()) for each in likely]


def cut(scores: torch.Tensor, plain: torch.Tensor, beta: float) -> torch.Tensor:
    """Forbid the tokens that are not plausible by the plain logits."""
    kept = torch.tensor(allowed(plain, beta))
    return scores.masked_fill(~kept, -math.inf)


def attending(query: Query) -> torch.Tensor:
    """Return the attention (H, N) of a query by its scores and what it sees."""
    return torch.stack([softmax(query.scores[head], query.keys) for head in query.heads])


def last_of(prompt: Prompt) -> int:
    """Return the position of a prompt's last token."""
    return int(prompt.inputs["input_ids"].shape[1]) - 1


# Contrasts of two prompts.


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
        else prompt.asking(f"{given.disturbance} {prompt.question}")
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
        entropy = -sum(float(q) * math.log(float(q)) for q in z_n.softmax(-1))
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


# Attention changed before or after the softmax.


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
    if on_visual / on_image > given.rho or on_image < given.theta:
        return
    taken = (1 - given.p) * (on_visual + sum(row[key] for key in others))
    rest = [key for key in image if key not in visual]
    on_rest = sum(row[key] for key in rest)
    for key in visual + others:
        looked[key] = given.p * row[key]
    for key in rest:
        looked[key] = row[key] + taken * row[key] / on_rest


# Layers looked through.


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
        for token in likely.argsort(descending=True).tolist()[: given.top_k]:
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
    """Subtract the early layer that is furthest from the last one."""
    main, half = slow.read(prompt.inputs), len(slow.layers) // 2
    # In the published code state 0 is the embedding, and state l the output of layer l - 1. An
    # embedding that is the head as well would only give the last token back.
    head, embedding = slow.model.get_output_embeddings(), slow.model.get_input_embeddings()
    tied = 2 if head.weight is embedding.weight else 0
    begin, end = (tied, half) if given.early == "low" else (half, len(slow.layers))
    assert sorted(given.layers) == list(range(begin, end, 2))
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


# Layers pushed.


def vista(slow: SlowModel, prompt: SmallPrompt, rows: list[Prompt], given: Any) -> Found:
    """Turn what every MLP gives towards what the picture changed at the end of the prompt."""
    seen, blind = slow.read(prompt.inputs), slow.read(prompt.without("image").inputs)
    direction = {
        at: seen.leaving[at][seen.first] - blind.leaving[at][blind.first] for at in seen.leaving
    }

    def after_mlp(layer: int, at: int, output: torch.Tensor) -> torch.Tensor:
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


# Controls.


def said_twice(slow: SlowModel, prompt: SmallPrompt, rows: list[Prompt], given: Any) -> Found:
    """Say the question several times."""
    again = prompt.asking(" ".join([prompt.question] * given.times))
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


REFERENCES: dict[str, Reference] = {
    each.__name__.replace("_", "-"): each
    for each in (
        cad, crops, deco, dola, hgai, icd, lcd, m3id, pai, plausibility, said_twice, say_yes,
        sid, strength_0, vaf, var, vcd, vista,
    )
}  # fmt: skip
