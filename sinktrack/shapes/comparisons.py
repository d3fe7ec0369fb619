"""Questions that weigh the shapes of a scene against each other, with their answers.

Which are alike in colour or size, which is larger, what stands beside what, and whether something
is what somebody takes it for.
"""

import random
from collections import Counter
from collections.abc import Iterable, Sequence

from sinktrack.core.errors import listed
from sinktrack.shapes.questions import (
    NUMBERS,
    RELATIONS,
    Question,
    absent_kind,
    countable,
    matching,
    plural,
)
from sinktrack.shapes.scenes import COLOURS, GRID, SHAPES, SIZES, Item, Scene
from sinktrack.shapes.words import said

_SIZE_WORDS = {"large": ("large", "big"), "small": ("small", "little")}
_EXTREMES = {"large": ("largest", "biggest"), "small": ("smallest",)}


def counted_names(names: Iterable[str]) -> list[str]:
    """Return names with their numbers, each once, such as "a star" and "two circles"."""
    return [
        f"a {name}" if number == 1 else f"{NUMBERS[number]} {plural(name)}"
        for name, number in Counter(names).items()
    ]


def alone(scene: Scene, item: Item) -> list[str]:
    """Return by which names people can mean one thing of a scene and no other."""
    colour, shape = item.kind
    wanted: dict[str, tuple[str | None, str | None]] = {
        str(item.kind): (colour, shape),
        shape: (None, shape),
        f"{colour} one": (colour, None),
        f"{colour} thing": (colour, None),
    }
    return [name for name, each in wanted.items() if len(matching(scene, each)) == 1]


def of_colour(rng: random.Random, scene: Scene, held_out: bool) -> Question | None:
    """Ask whether the one thing of a shape has a colour; now and then there is none."""
    found = _one_of(rng, {shape: matching(scene, (None, shape)) for shape in SHAPES})
    if found is None:
        return None
    shape, item = found
    colour = _guess(rng, item and item.kind.colour, COLOURS)
    text = said(rng, "of colour", held_out, shape=shape, colour=colour)
    if item is None:
        return Question("of colour", text, f"There is no {shape}.")
    yes = "Yes" if item.kind.colour == colour else "No"
    return Question("of colour", text, f"{yes}, the {shape} is {item.kind.colour}.")


def of_shape(rng: random.Random, scene: Scene, held_out: bool) -> Question | None:
    """Ask whether the one thing of a colour has a shape; now and then there is none."""
    found = _one_of(rng, {colour: matching(scene, (colour, None)) for colour in COLOURS})
    if found is None:
        return None
    colour, item = found
    shape = _guess(rng, item and item.kind.shape, SHAPES)
    text = said(rng, "of shape", held_out, shape=shape, colour=colour)
    if item is None:
        return Question("of shape", text, f"There is no {colour} shape.")
    yes = "Yes" if item.kind.shape == shape else "No"
    return Question("of shape", text, f"{yes}, the {colour} shape is a {item.kind.shape}.")


def _one_of(rng: random.Random, found: dict[str, list[Item]]) -> tuple[str, Item | None] | None:
    """Pick a name of one thing alone, or in one case of ten a name of nothing."""
    single = [(name, items[0]) for name, items in found.items() if len(items) == 1]
    absent = [name for name, items in found.items() if not items]
    if single and (not absent or rng.random() < 0.9):
        return rng.choice(single)
    return (rng.choice(absent), None) if absent else None


def _guess(rng: random.Random, right: str | None, names: Iterable[str]) -> str:
    """Return what somebody takes a thing for, rightly in half of the cases."""
    if right is not None and rng.random() < 0.5:
        return right
    return rng.choice([name for name in names if name != right])


def more_than_one(rng: random.Random, scene: Scene, held_out: bool) -> Question:
    """Ask whether there are several of something."""
    noun, number = countable(rng, scene)
    text = said(rng, "more than", held_out, noun=noun, nouns=plural(noun))
    if number == 0:
        return Question("more than", text, f"No, there is no {noun}.")
    if number == 1:
        return Question("more than", text, f"No, there is one {noun}.")
    return Question("more than", text, f"Yes, there are {NUMBERS[number]} {plural(noun)}.")


def colours(rng: random.Random, scene: Scene, held_out: bool) -> Question | None:
    """Ask which colours the things of a shape have, or whether they have the same."""
    several = [each for each in SHAPES if len(matching(scene, (None, each))) > 1]
    if not several and len(scene.items) < 2:
        return None
    shape = rng.choice(several) if several and rng.random() < 0.7 else "shape"
    items = matching(scene, (None, None if shape == "shape" else shape))
    if len(items) < 2:
        return None
    names = list(dict.fromkeys(item.kind.colour for item in items))
    are = f"the {plural(shape)} are {listed(names)}."
    if rng.random() < 0.5:
        nouns = rng.choice(("things", "shapes")) if shape == "shape" else plural(shape)
        text = said(rng, "colours", held_out, nouns=nouns)
        return Question("colours", text, are[0].upper() + are[1:])
    text = said(rng, "same", held_out, nouns=plural(shape))
    if len(names) == 1:
        return Question("same", text, f"All {plural(shape)} are {names[0]}.")
    return Question("same", text, f"They differ: {are}")


def sized(rng: random.Random, scene: Scene, held_out: bool) -> Question:
    """Ask which things are large, or small, or the largest or smallest."""
    size = rng.choice(SIZES)
    extreme = rng.random() < 0.3
    word = rng.choice((_EXTREMES if extreme else _SIZE_WORDS)[size])
    text = said(rng, "extreme" if extreme else "sized", held_out, size=word)
    there = [str(item.kind) for item in scene.items if item.size == size]
    if not there and extreme:
        answer = f"All shapes are {scene.items[0].size}."
        return Question("extreme", text, answer)
    if not there:
        return Question("sized", text, f"There is no {size} shape.")
    are = "shape is" if len(there) == 1 else "shapes are"
    return Question("sized", text, f"The {size} {are} {listed(counted_names(there))}.")


def larger(rng: random.Random, scene: Scene, held_out: bool) -> Question | None:
    """Ask which of two things is larger, or smaller."""
    named = [(item, names) for item in scene.items if (names := alone(scene, item))]
    if len(named) < 2:
        return None
    if rng.random() < 0.1:
        absent = absent_kind(rng, scene, "near")
        names = rng.sample([str(absent), rng.choice(rng.choice(named)[1])], 2)
        words = {"one": names[0], "other": names[1], "more": rng.choice(("larger", "smaller"))}
        return Question("larger", said(rng, "larger", held_out, **words), f"There is no {absent}.")
    pair = rng.sample(named, 2)
    one, other = (item for item, _ in pair)
    words = dict(zip(("one", "other"), (rng.choice(names) for _, names in pair), strict=True))
    more = rng.choice(("larger", "bigger", "smaller"))
    text = said(rng, "larger", held_out, more=more, **words)
    if one.size == other.size:
        return Question("larger", text, f"Both are {one.size}.")
    sizes = f"The {one.kind} is {one.size} and the {other.kind} is {other.size}."
    return Question("larger", text, sizes)


def beside(rng: random.Random, scene: Scene, held_out: bool) -> Question | None:
    """Ask what stands on one side of a thing, at any distance."""
    named = [(item, names) for item in scene.items if (names := alone(scene, item))]
    if not named:
        return None
    way = rng.choice([*RELATIONS, *RELATIONS.values()])
    if rng.random() < 0.1:
        absent = absent_kind(rng, scene, "near")
        text = said(rng, "beside", held_out, asked=way, noun=str(absent))
        return Question("beside", text, f"There is no {absent}.")
    item, names = rng.choice(named)
    axis, before = ("row", "column")[way.endswith("of")], way in ("above", "left of")
    at = getattr(item, axis)
    there = [
        str(each.kind)
        for each in scene.items
        if (getattr(each, axis) < at if before else getattr(each, axis) > at)
    ]
    text = said(rng, "beside", held_out, asked=way, noun=rng.choice(names))
    return Question("beside", text, _stands(there, f"{way} the {item.kind}"))


def line(rng: random.Random, scene: Scene, held_out: bool) -> Question:
    """Ask what is in a row or column."""
    axis = rng.choice(("row", "column"))
    at = rng.choice([getattr(rng.choice(scene.items), axis), rng.randrange(GRID)])
    sides = ("top", "bottom") if axis == "row" else ("left", "right")
    usual = {0: sides[0], GRID // 2: "middle", GRID - 1: sides[1]}
    place = f"{axis} {NUMBERS[at + 1]}"
    if at in usual and rng.random() < 0.7:
        place = f"the {usual[at]} {axis}"
    there = [str(item.kind) for item in scene.items if getattr(item, axis) == at]
    text = said(rng, "line", held_out, place=place)
    return Question("line", text, _stands(there, f"in {place}"))


def _stands(there: Sequence[str], where: str) -> str:
    """Say what stands somewhere."""
    if not there:
        return f"Nothing is {where}."
    names = listed(counted_names(there))
    return f"{names[0].upper()}{names[1:]} {'is' if len(there) == 1 else 'are'} {where}."
