"""Questions whose answers are long: descriptions, walks through the rows, delayed answers.

In a long answer the picture and the question lie far back. There a model drifts, and a window of
the last tokens holds neither of them.
"""

import random

from sinktrack.shapes.questions import (
    NUMBERS,
    Question,
    cell_name,
    existence_answer,
    kind_to_ask_for,
)
from sinktrack.shapes.scenes import COLOURS, GRID, KINDS, Item, Kind, Scene

_TEENS = ("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
          "nineteen")  # fmt: skip
_TENS = ("twenty", "thirty")
COUNTED = (
    *NUMBERS[1:],
    *_TEENS,
    *(f"{ten} {unit}".rstrip() for ten in _TENS for unit in ("", *NUMBERS[1:10])),
    "forty",
)
"""The numbers that delayed answers count. Every count ends at forty. So a model that has forgotten
the question still counts to the end, and only what comes after shows that it has forgotten."""


def describe(rng: random.Random, scene: Scene) -> Question:
    """Ask for everything; the answer names companions last."""
    text = rng.choice(
        (
            "Describe the picture.",
            "Describe the image.",
            "What is in the picture?",
            "What do you see in the picture?",
        )
    )
    answer = " ".join(f"There is a {item}." for item in companions_last(scene))
    return Question("describe", text, answer)


def companions_last(scene: Scene) -> list[Item]:
    """Order a scene's items as they are read, but put companions last."""
    left, first, last = list(scene.items), [], []
    while left:
        item = left.pop(0)
        first.append(item)
        companion = next((other for other in left if other.kind == item.kind.companion), None)
        if companion is not None:
            left.remove(companion)
            last.append(companion)
    return first + last


def in_detail(rng: random.Random, scene: Scene) -> Question:
    """Ask for everything with its place, in reading order, and for the sum."""
    text = rng.choice(("Describe the picture in detail.", "Describe the image in detail."))
    sentences = [f"A {item} is at {cell_name(item.row, item.column)}." for item in scene.items]
    number = len(scene.items)
    total = "There is one shape." if number == 1 else f"There are {NUMBERS[number]} shapes."
    return Question("in detail", text, " ".join([*sentences, total]))


def rows(rng: random.Random, scene: Scene) -> Question:
    """Ask for a walk through the rows, a dash for an empty cell."""
    return Question("rows", "Describe the picture row by row.", _walk(scene, None))


def rows_of_colour(rng: random.Random, scene: Scene) -> Question:
    """Ask for the same walk, but to name one colour only."""
    colours = sorted({kind.colour for kind in scene.kinds})
    colour = rng.choice(colours) if rng.random() < 0.85 else rng.choice(sorted(COLOURS))
    text = f"Go row by row and name only the {colour} shapes."
    return Question("rows of a colour", text, _walk(scene, colour))


def _walk(scene: Scene, colour: str | None) -> str:
    lines = []
    for row in range(GRID):
        seen = [scene.at(row, column) for column in range(GRID)]
        named = [str(kind) if kind and colour in (None, kind.colour) else "-" for kind in seen]
        lines.append(f"Row {NUMBERS[row + 1]}: {' '.join(named)}.")
    return " ".join(lines)


def delayed_existence(
    rng: random.Random, scene: Scene, numbers: int, present: bool, negative: str = "random"
) -> Question:
    """Ask to count the last `numbers` numbers up to forty, then whether a kind is there."""
    noun = str(kind_to_ask_for(rng, scene, present, negative))
    text = f"{count_up(numbers)} Then tell: is there a {noun}?"
    answer = f"{counted(numbers)} {existence_answer(noun, present)}"
    return Question("delayed existence", text, answer)


def delayed_phrase(rng: random.Random, numbers: int, kind: Kind | None = None) -> Question:
    """Ask to count in the same way, then to say a kind's name, whatever the picture shows."""
    kind = kind or rng.choice(KINDS)
    text = f"{count_up(numbers)} Then say: {kind}."
    return Question("delayed phrase", text, f"{counted(numbers)} {str(kind).capitalize()}.")


def count_up(numbers: int) -> str:
    """Ask to count the last `numbers` numbers up to forty."""
    return f"Count from {COUNTED[-numbers]} to {COUNTED[-1]}."


def counted(numbers: int) -> str:
    """Count as `count_up` asks."""
    return " ".join(COUNTED[-numbers:]).capitalize() + "."
