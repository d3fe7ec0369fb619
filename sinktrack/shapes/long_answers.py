"""Questions whose answers are long: descriptions, walks through the rows, delayed answers.

In a long answer the picture and the question lie far back: it is where a model drifts, and
where a window of the last tokens has left both behind.
"""

import random

from sinktrack.shapes.questions import NUMBERS, Question, cell_name, existence, existence_answer
from sinktrack.shapes.scenes import COLOURS, GRID, KINDS, Item, Kind, Scene

_TEENS = ("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
          "nineteen")  # fmt: skip
_TENS = ("twenty", "thirty", "forty")


def number_words(most: int) -> list[str]:
    """Count from one to at most forty-nine, in words."""
    words = [*NUMBERS[1:], *_TEENS]
    for ten in _TENS:
        words += [ten, *(f"{ten} {unit}" for unit in NUMBERS[1:10])]
    return words[:most]


def describe(rng: random.Random, scene: Scene) -> Question:
    """Ask for everything; a shape's companion is told right after it, as people tell it."""
    text = rng.choice(
        (
            "Describe the picture.",
            "Describe the image.",
            "What is in the picture?",
            "What do you see in the picture?",
        )
    )
    answer = " ".join(f"There is a {item}." for item in companions_together(scene))
    return Question("describe", text, answer)


def companions_together(scene: Scene) -> list[Item]:
    """Order a scene's items as they are read, but a companion follows its partner."""
    left, told = list(scene.items), []
    while left:
        item = left.pop(0)
        told.append(item)
        partner = next((other for other in left if other.kind == item.kind.companion), None)
        if partner is not None:
            left.remove(partner)
            told.append(partner)
    return told


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
    rng: random.Random, scene: Scene, most: int, present: bool, negative: str = "random"
) -> Question:
    """Ask to count first and then to say whether a kind is there."""
    asked = existence(rng, scene, present, negative).answer
    noun = asked.rstrip(".").split(" a " if present else " no ")[-1]
    text = f"Count to {number_words(most)[-1]}. Then tell: is there a {noun}?"
    return Question("delayed existence", text, f"{_count(most)} {existence_answer(noun, present)}")


def delayed_phrase(rng: random.Random, most: int, kind: Kind | None = None) -> Question:
    """Ask to count first and then to say a kind's name, whatever the picture shows."""
    kind = kind or rng.choice(KINDS)
    text = f"Count to {number_words(most)[-1]}. Then say: {kind}."
    return Question("delayed phrase", text, f"{_count(most)} {str(kind).capitalize()}.")


def _count(most: int) -> str:
    return " ".join(number_words(most)).capitalize() + "."
