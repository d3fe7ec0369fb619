"""Short questions about a scene and the one right answer to each.

Knows nothing about pictures or tokens. Answers are deterministic, so that a
generated one can be scored by comparing strings.
"""

import random
from dataclasses import dataclass

from sinktrack.shapes.scenes import (
    COLOURS,
    GRID,
    KINDS,
    POPULAR,
    SHAPES,
    SIZES,
    Item,
    Kind,
    Scene,
)

_PLURALS = {
    **{"man": "men", "woman": "women", "child": "children", "person": "people", "foot": "feet"},
    **{"mouse": "mice", "goose": "geese", "sheep": "sheep", "fish": "fish", "dice": "dice"},
    **{"leaf": "leaves", "knife": "knives", "wolf": "wolves"},
}

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
PLACES: dict[str, tuple[int, int]] = {
    "top left": (0, 0),
    "top right": (0, GRID - 1),
    "bottom left": (GRID - 1, 0),
    "bottom right": (GRID - 1, GRID - 1),
    "centre": (GRID // 2, GRID // 2),
}
NEGATIVES = ("random", "near", "popular", "adversarial")
"""How an absent kind is picked: any, one that shares colour or shape with a present one, one that
is frequent in the training scenes, or a present one's companion."""

RELATIONS = {"above": "below", "left of": "right of"}
"""A shape in a higher row is above, one in an earlier column is left of; values are the reverse."""


@dataclass(frozen=True)
class Question:
    """A question, its reference answer, the task that it belongs to, and what was said before it.

    `earlier` holds questions and their answers in the same conversation.
    """

    task: str
    text: str
    answer: str
    earlier: tuple[tuple[str, str], ...] = ()


def cell_name(row: int, column: int) -> str:
    """Name a cell in words, such as "row one column four"."""
    return f"row {NUMBERS[row + 1]} column {NUMBERS[column + 1]}"


def plural(noun: str) -> str:
    """Put a noun into the plural."""
    *before, last = noun.split(" ")
    if last in _PLURALS:
        return " ".join([*before, _PLURALS[last]])
    if last.endswith("y") and last[-2] not in "aeiou":
        return f"{noun[:-1]}ies"
    return noun + ("es" if last.endswith(("s", "x", "ch", "sh")) else "s")


def matching(scene: Scene, kind: tuple[str | None, str | None]) -> list[Item]:
    """Return what has this colour and shape, None standing for any."""
    return [
        item
        for item in scene.items
        if kind[0] in (None, item.kind.colour) and kind[1] in (None, item.kind.shape)
    ]


def single_items(scene: Scene) -> list[Item]:
    """Return what can be told by its kind alone, because nothing else is of that kind."""
    kinds = [item.kind for item in scene.items]
    return [item for item in scene.items if kinds.count(item.kind) == 1]


def absent_kind(rng: random.Random, scene: Scene, negative: str = "random") -> Kind:
    """Pick a kind that the scene does not show.

    Args:
        rng: the random generator.
        scene: the scene to miss it in.
        negative: one of NEGATIVES; falls back to "random" where the scene offers none of that sort.
    """
    absent = [kind for kind in KINDS if kind not in scene.kinds]
    close = absent
    if negative == "adversarial":
        close = [kind for kind in absent if kind.companion in scene.kinds]
    elif negative == "popular":
        close = [kind for kind in absent if kind in POPULAR]
    elif negative == "near":
        close = [
            kind for kind in absent if any(set(kind) & set(present) for present in scene.kinds)
        ]
    elif negative != "random":
        raise ValueError(
            f"The negative {negative!r} does not exist: choose one of {', '.join(NEGATIVES)}."
        )
    return rng.choice(close or absent)


def existence(
    rng: random.Random, scene: Scene, present: bool, negative: str = "random"
) -> Question:
    """Ask whether a kind is in the scene; `negative` says how an absent one is picked."""
    return existence_of(rng, str(kind_to_ask_for(rng, scene, present, negative)), present)


def kind_to_ask_for(
    rng: random.Random, scene: Scene, present: bool, negative: str = "random"
) -> Kind:
    """Pick a kind that is in the scene, or one that is not, as `absent_kind` does."""
    return rng.choice(sorted(scene.kinds)) if present else absent_kind(rng, scene, negative)


def existence_of(rng: random.Random, noun: str, present: bool) -> Question:
    """Ask whether something named by a noun is there, in one of several phrasings."""
    text = rng.choice(
        (
            f"Is there a {noun}?",
            f"Is there a {noun} in the picture?",
            f"Is there a {noun} in the image?",
            f"Do you see a {noun}?",
        )
    )
    return Question("existence", text, existence_answer(noun, present))


def existence_answer(noun: str, present: bool) -> str:
    """Say whether something is there."""
    return f"Yes, there is a {noun}." if present else f"No, there is no {noun}."


def loose_existence(rng: random.Random, scene: Scene) -> Question:
    """Ask for a shape of any colour or a colour of any shape; about half of the answers are yes."""
    shown = {name for kind in scene.kinds for name in kind}
    names = [*SHAPES, *COLOURS]
    present = rng.random() < 0.5
    name = rng.choice([name for name in names if (name in shown) == present] or names)
    noun = name if name in SHAPES else f"{name} shape"
    return existence_of(rng, noun, name in shown)


def countable(rng: random.Random, scene: Scene) -> tuple[str, int]:
    """Pick a shape, a colour, a kind or everything, and count it: its noun and its number."""
    # asking mostly for what is there keeps "no" from being the answer that is nearly always right
    kind = rng.choice(sorted(scene.kinds)) if rng.random() < 0.75 else rng.choice(KINDS)
    noun, wanted = rng.choice(
        (
            (kind.shape, (None, kind.shape)),
            (f"{kind.colour} shape", (kind.colour, None)),
            (str(kind), kind),
            ("shape", (None, None)),
        )
    )
    return noun, len(matching(scene, wanted))


def count(rng: random.Random, scene: Scene) -> Question:
    """Ask for the number of a shape, a colour, a kind, a size, or of everything."""
    noun, number = countable(rng, scene)
    if rng.random() < 0.2:
        size = rng.choice(SIZES)
        noun, number = f"{size} shape", sum(item.size == size for item in scene.items)
    text = rng.choice(
        (f"How many {plural(noun)} are there?", f"How many {plural(noun)} are in the picture?")
    )
    if number == 1:
        return Question("count", text, f"There is one {noun}.")
    return Question("count", text, f"There are {NUMBERS[number]} {plural(noun)}.")


def what_is_at(rng: random.Random, scene: Scene) -> Question:
    """Ask what stands in a cell, named by its numbers or, where it has one, by its place."""
    if rng.random() < 0.7:
        row, column = rng.choice(scene.items)[:2]
    else:
        row, column = rng.randrange(GRID), rng.randrange(GRID)
    place = next((name for name, cell in PLACES.items() if cell == (row, column)), None)
    if place is None and rng.random() < 0.15:
        place, (row, column) = rng.choice(sorted(PLACES.items()))
    asked = answered = cell_name(row, column)
    if place is not None and rng.random() < 0.7:
        asked = answered = f"the {place}"
    elif rng.random() < 0.4:
        asked = f"row {row + 1} column {column + 1}"
    kind = scene.at(row, column)
    answer = f"Nothing is at {answered}." if kind is None else f"A {kind} is at {answered}."
    return Question("what is at", f"What is at {asked}?", answer)


def where_is(rng: random.Random, scene: Scene) -> Question:
    """Ask where a kind is that the scene shows once, or now and then one that it does not show."""
    single = single_items(scene)
    if not single or rng.random() < 0.1:
        kind = absent_kind(rng, scene)
        return Question("where is", f"Where is the {kind}?", f"There is no {kind}.")
    item = rng.choice(single)
    answer = f"The {item.kind} is at {cell_name(item.row, item.column)}."
    return Question("where is", f"Where is the {item.kind}?", answer)


def size_of(rng: random.Random, scene: Scene) -> Question:
    """Ask whether something is large or small, or where it is when nothing stands alone."""
    single = single_items(scene)
    if not single:
        return where_is(rng, scene)
    item = rng.choice(single)
    text = f"Is the {item.kind} large or small?"
    return Question("size", text, f"The {item.kind} is {item.size}.")


def relation(rng: random.Random, scene: Scene) -> Question:
    """Ask how two shapes lie to each other, or for a size where no two stand alone."""
    single = single_items(scene)
    pairs = [(one, other, "above") for one in single for other in single if one.row < other.row]
    pairs += [
        (one, other, "left of") for one in single for other in single if one.column < other.column
    ]
    if not pairs:
        return size_of(rng, scene)
    one, other, holds = rng.choice(pairs)
    if rng.random() < 0.5:
        one, other, holds = other, one, RELATIONS[holds]
    asked = rng.choice((holds, _opposite(holds)))
    text = f"Is the {one.kind} {asked} the {other.kind}?"
    verdict = "Yes" if asked == holds else "No"
    return Question("relation", text, f"{verdict}, the {one.kind} is {holds} the {other.kind}.")


def _opposite(name: str) -> str:
    return (RELATIONS | {other: one for one, other in RELATIONS.items()})[name]
