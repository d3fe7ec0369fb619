"""Questions about a scene and the one right answer to each.

Knows nothing about pictures or tokens. Answers are deterministic, so that a
generated one can be scored by comparing strings.
"""

import random
from dataclasses import dataclass

from sinktrack.shapes.scenes import COLOURS, GRID, KINDS, SHAPES, Kind, Scene

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
PLACES: dict[str, tuple[int, int]] = {
    "top left": (0, 0),
    "top right": (0, GRID - 1),
    "bottom left": (GRID - 1, 0),
    "bottom right": (GRID - 1, GRID - 1),
    "centre": (GRID // 2, GRID // 2),
}
NEGATIVES = ("random", "near", "companion")
"""How an absent kind is picked: any, one that shares colour or shape with a present one, or a
present one's companion."""


@dataclass(frozen=True)
class Question:
    """A question, its reference answer, and the task that it belongs to."""

    task: str
    text: str
    answer: str


def _cell(row: int, column: int) -> str:
    return f"row {NUMBERS[row + 1]} column {NUMBERS[column + 1]}"


def _plural(noun: str) -> str:
    return noun + ("es" if noun.endswith("s") else "s")


def absent_kind(rng: random.Random, scene: Scene, negative: str = "random") -> Kind:
    """Pick a kind that the scene does not show.

    Args:
        rng: the source of chance.
        scene: the scene to miss it in.
        negative: one of NEGATIVES; falls back to "random" where the scene offers none of that sort.
    """
    absent = [kind for kind in KINDS if kind not in scene.kinds]
    close = absent
    if negative == "companion":
        close = [kind for kind in absent if kind.companion in scene.kinds]
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
    kind = rng.choice(sorted(scene.kinds)) if present else absent_kind(rng, scene, negative)
    return existence_of(rng, scene, str(kind), present)


def existence_of(rng: random.Random, scene: Scene, noun: str, present: bool) -> Question:
    """Ask whether something named by a noun is there, in one of several phrasings."""
    text = rng.choice(
        (
            f"Is there a {noun}?",
            f"Is there a {noun} in the picture?",
            f"Is there a {noun} in the image?",
            f"Do you see a {noun}?",
        )
    )
    answer = f"Yes, there is a {noun}." if present else f"No, there is no {noun}."
    return Question("existence", text, answer)


def loose_existence(rng: random.Random, scene: Scene) -> Question:
    """Ask for a shape of any colour or a colour of any shape; about half of the answers are yes."""
    shown = {name for kind in scene.kinds for name in kind}
    names = [*SHAPES, *COLOURS]
    present = rng.random() < 0.5
    name = rng.choice([name for name in names if (name in shown) == present] or names)
    noun = name if name in SHAPES else f"{name} shape"
    return existence_of(rng, scene, noun, name in shown)


def count(rng: random.Random, scene: Scene) -> Question:
    """Ask for the number of a shape, a colour, a kind, or of everything."""
    sort = rng.choice(("shape", "shape", "colour", "kind", "all"))
    # asking mostly for what is there keeps "no" from being the answer that is nearly always right
    kind = rng.choice(sorted(scene.kinds)) if rng.random() < 0.75 else rng.choice(KINDS)
    noun = {
        "shape": kind.shape,
        "colour": f"{kind.colour} shape",
        "kind": str(kind),
        "all": "shape",
    }[sort]
    wanted = {
        "shape": (None, kind.shape),
        "colour": (kind.colour, None),
        "kind": kind,
        "all": (None, None),
    }[sort]
    number = sum(
        wanted[0] in (None, item.kind.colour) and wanted[1] in (None, item.kind.shape)
        for item in scene.items
    )
    text = rng.choice(
        (f"How many {_plural(noun)} are there?", f"How many {_plural(noun)} are in the picture?")
    )
    if number == 1:
        return Question("count", text, f"There is one {noun}.")
    return Question("count", text, f"There are {NUMBERS[number]} {_plural(noun)}.")


def what_is_at(rng: random.Random, scene: Scene) -> Question:
    """Ask what stands in a cell, named by its numbers or, where it has one, by its place."""
    if rng.random() < 0.7:
        row, column, _ = rng.choice(scene.items)
    else:
        row, column = rng.randrange(GRID), rng.randrange(GRID)
    place = next((name for name, cell in PLACES.items() if cell == (row, column)), None)
    if place is None and rng.random() < 0.15:
        place, (row, column) = rng.choice(sorted(PLACES.items()))
    asked = answered = _cell(row, column)
    if place is not None and rng.random() < 0.7:
        asked = answered = f"the {place}"
    elif rng.random() < 0.4:
        asked = f"row {row + 1} column {column + 1}"
    kind = scene.at(row, column)
    answer = f"Nothing is at {answered}." if kind is None else f"A {kind} is at {answered}."
    return Question("place", f"What is at {asked}?", answer)


def where_is(rng: random.Random, scene: Scene) -> Question:
    """Ask where a kind is that the scene shows once, or now and then one that it does not show."""
    kinds = [item.kind for item in scene.items]
    single = sorted({kind for kind in kinds if kinds.count(kind) == 1})
    if not single or rng.random() < 0.1:
        kind = absent_kind(rng, scene)
        return Question("where", f"Where is the {kind}?", f"There is no {kind}.")
    kind = rng.choice(single)
    item = scene.items[kinds.index(kind)]
    return Question(
        "where", f"Where is the {kind}?", f"The {kind} is at {_cell(item.row, item.column)}."
    )


def describe(rng: random.Random, scene: Scene) -> Question:
    """Ask for everything; the answer is one sentence for each object in reading order."""
    text = rng.choice(
        (
            "Describe the picture.",
            "Describe the image.",
            "What is in the picture?",
            "What do you see in the picture?",
        )
    )
    answer = " ".join(
        f"A {item.kind} is at {_cell(item.row, item.column)}." for item in scene.items
    )
    return Question("describe", text, answer)


def mixed(rng: random.Random, scene: Scene) -> list[Question]:
    """What one training scene is asked: three questions of existence and one of each other task."""
    negative = rng.choices(NEGATIVES, weights=(5, 3, 2))[0]
    asked = [
        existence(rng, scene, present=True),
        existence(rng, scene, present=False, negative=negative),
        loose_existence(rng, scene)
        if rng.random() < 0.4
        else existence(rng, scene, rng.random() < 0.5),
        count(rng, scene),
        what_is_at(rng, scene),
        where_is(rng, scene),
        describe(rng, scene),
    ]
    rng.shuffle(asked)
    return asked
