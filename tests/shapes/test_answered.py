"""What is right to say to a typed question is what the scene says, or nothing is claimed."""

import random
from collections import Counter

import pytest

from sinktrack.eval.truth import Truth
from sinktrack.shapes.answered import answer_to
from sinktrack.shapes.everyday import KINDS_ASKED
from sinktrack.shapes.scenes import Item, Kind, Scene, sample_scene

SCENE = Scene(
    (
        Item(0, 0, Kind("red", "star"), "small"),
        Item(2, 3, Kind("blue", "circle")),
        Item(2, 4, Kind("red", "circle")),
    )
)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("is there a red star", "Yes, there is a red star."),
        ("Any green crosses?", "No, there is no green cross."),
        ("How many circles are there?", "There are two circles."),
        ("How many things are there?", "There are three shapes."),
        ("What colour is the star?", "The star is red."),
        ("Are the circles of the same colour?", "They differ: the circles are blue and red."),
        ("Which colours do the circles have?", "The circles are blue and red."),
        ("Where is the blue circle?", "The blue circle is at row three column four."),
        ("What is at row 3 column 4?", "A blue circle is at row three column four."),
        ("Is the star above or below the blue circle?", "The red star is above the blue circle."),
        ("Is the star below the blue circle?", "No, the red star is above the blue circle."),
        ("What is in row three?", None),  # its cells, or all of it
        ("Is there a dog?", None),
        ("Who are you?", None),
        ("", None),
    ],
)
def test_a_typed_question_has_the_answer_of_its_scene(question: str, answer: str | None) -> None:
    found = answer_to(SCENE, question)
    assert (found and found.answer) == answer


def test_no_answer_is_wrong_and_most_are_known() -> None:
    rng = random.Random(3)
    known: Counter[bool] = Counter()
    for kind in sorted(KINDS_ASKED.keys() - {"two parts", "follow-up"}):
        for _ in range(6):
            scene = sample_scene(rng, rng.randint(1, 6))
            asked = KINDS_ASKED[kind](rng, scene, rng.random() < 0.5)
            found = answer_to(scene, asked.text) if asked else None
            if asked is not None:
                known[found is not None] += 1
            if asked is not None and found is not None:
                assert Truth.of_task(asked.answer, "").admits(found.answer), asked.text
    assert known[True] > 3 * known[False]
