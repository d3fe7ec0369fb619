"""Every reference answer agrees with the scene it is about."""

import random
import re

import pytest

from sinktrack.shapes.questions import (
    NEGATIVES,
    NUMBERS,
    PLACES,
    absent_kind,
    count,
    describe,
    existence,
    loose_existence,
    mixed,
    what_is_at,
    where_is,
)
from sinktrack.shapes.scenes import Item, Kind, Scene, sample_scene

SCENES = [sample_scene(random.Random(n), 1 + n % 5) for n in range(200)]


def _cell(text: str) -> tuple[int, int]:
    """The zero-based cell that a text names."""
    for place, cell in PLACES.items():
        if place in text:
            return cell
    match = re.search(r"row (\w+) column (\w+)", text)
    assert match, text
    row, column = (int(word) if word.isdigit() else NUMBERS.index(word) for word in match.groups())
    return row - 1, column - 1


@pytest.mark.parametrize("scene", SCENES[:40], ids=str)
def test_existence(scene: Scene) -> None:
    """Yes means that it is there and no that it is not."""
    rng = random.Random(0)
    names = {str(kind) for kind in scene.kinds}
    for negative in NEGATIVES:
        for present in (True, False):
            question = existence(rng, scene, present, negative)
            asked = re.search(r"a (\w+ \w+)(?: in the \w+)?\?$", question.text)
            assert asked
            assert (asked[1] in names) == present
            assert question.answer == (
                f"Yes, there is a {asked[1]}." if present else f"No, there is no {asked[1]}."
            )
    assert absent_kind(rng, scene, "companion") not in scene.kinds


def test_a_companion_negative_is_the_companion_of_something_present() -> None:
    """The adversarial question asks for what usually stands beside a present shape."""
    scene = Scene((Item(0, 0, Kind("red", "circle")),))
    assert absent_kind(random.Random(0), scene, "companion") == Kind("blue", "star")


def test_loose_existence_agrees_with_the_scene() -> None:
    """Asking for a colour or a shape alone is answered by any shape that has it."""
    answers = []
    for number, scene in enumerate(SCENES):
        question = loose_existence(random.Random(number), scene)
        name = re.search(r"a (\w+)", question.text)
        assert name
        assert question.answer.startswith("Yes") == any(name[1] in kind for kind in scene.kinds)
        answers.append(question.answer.startswith("Yes"))
    assert 0.3 < sum(answers) / len(answers) < 0.7


def test_count() -> None:
    """The number in the answer is the number in the scene, and the grammar follows it."""
    for number, scene in enumerate(SCENES):
        question = count(random.Random(number), scene)
        said = re.fullmatch(r"There (is|are) (\w+) (.+)\.", question.answer)
        assert said
        verb, word, noun = said.groups()
        words = set(re.sub(r"(?<=ss)es$|(?<!s)s$", "", noun).split()) - {"shape"}
        expected = sum(words <= set(item.kind) for item in scene.items)
        assert (NUMBERS.index(word), verb) == (expected, "is" if expected == 1 else "are")


def test_places() -> None:
    """What is at a cell is there, and where a kind is it is."""
    for number, scene in enumerate(SCENES):
        at = what_is_at(random.Random(number), scene)
        assert _cell(at.text) == _cell(at.answer)
        kind = scene.at(*_cell(at.text))
        assert at.answer.startswith("Nothing is at" if kind is None else f"A {kind} is at")
        where = where_is(random.Random(number), scene)
        name = re.search(r"the (\w+ \w+)\?", where.text)
        assert name
        if where.answer.startswith("There is no"):
            assert name[1] not in {str(kind) for kind in scene.kinds}
        else:
            assert str(scene.at(*_cell(where.answer))) == name[1]


def test_description_names_every_object_in_reading_order() -> None:
    """One sentence for each object."""
    for scene in SCENES:
        sentences = describe(random.Random(0), scene).answer.split(". ")
        cells = [_cell(sentence) for sentence in sentences]
        assert cells == [(item.row, item.column) for item in scene.items]
        assert all(
            str(item.kind) in sentence
            for item, sentence in zip(scene.items, sentences, strict=True)
        )


def test_the_training_mix_is_a_function_of_its_seed() -> None:
    """A resumed run meets the same questions."""
    assert mixed(random.Random(3), SCENES[9]) == mixed(random.Random(3), SCENES[9])
