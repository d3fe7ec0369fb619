"""Every reference answer agrees with the scene it is about."""

import random
import re

import pytest

from sinktrack.shapes.choices import choice
from sinktrack.shapes.long_answers import (
    COUNTED,
    delayed_existence,
    delayed_phrase,
    describe,
    in_detail,
    rows,
    rows_of_colour,
)
from sinktrack.shapes.passages import ROOMS, UNANSWERABLE, all_told, passage
from sinktrack.shapes.questions import (
    NEGATIVES,
    NUMBERS,
    PLACES,
    absent_kind,
    count,
    existence,
    loose_existence,
    relation,
    size_of,
    what_is_at,
    where_is,
)
from sinktrack.shapes.scenes import GRID, POPULAR, Item, Kind, Scene, sample_scene
from training.mixture import passages, scene_questions

SCENES = [sample_scene(random.Random(n), 1 + n % 6) for n in range(200)]


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
    assert absent_kind(rng, scene, "adversarial") not in scene.kinds


def test_negatives_are_what_they_are_called() -> None:
    """The companion of something present, something frequent, something alike."""
    scene = Scene((Item(0, 0, Kind("red", "circle")),))
    for seed in range(20):
        rng = random.Random(seed)
        assert absent_kind(rng, scene, "adversarial") == Kind("blue", "star")
        assert absent_kind(rng, scene, "popular") in POPULAR - scene.kinds
        assert set(absent_kind(rng, scene, "near")) & {"red", "circle"}
    with pytest.raises(ValueError, match="'rare' does not exist: choose one of random"):
        absent_kind(random.Random(0), scene, "rare")


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


def _singular(noun: str) -> set[str]:
    return set(re.sub(r"(?<=ss)es$|(?<!s)s$", "", noun).split()) - {"shape"}


def _has(item: Item, words: set[str]) -> bool:
    return words <= {*item.kind, item.size}


def test_count() -> None:
    """The number in the answer is the number in the scene, and the grammar follows it."""
    for number, scene in enumerate(SCENES):
        question = count(random.Random(number), scene)
        said = re.fullmatch(r"There (is|are) (\w+) (.+)\.", question.answer)
        assert said
        verb, word, noun = said.groups()
        expected = sum(_has(item, _singular(noun)) for item in scene.items)
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


def test_sizes_and_relations() -> None:
    """A size is the item's own, and what is above is in a higher row."""
    asked = {"size": 0, "Yes": 0, "No": 0}
    for number, scene in enumerate(SCENES):
        places = {str(item.kind): item for item in scene.items}
        size = size_of(random.Random(number), scene)
        if size.task == "size":
            said = re.fullmatch(r"The (\w+ \w+) is (\w+)\.", size.answer)
            assert said
            assert places[said[1]].size == said[2]
            asked["size"] += 1
        question = relation(random.Random(number), scene)
        if question.task != "relation":
            continue
        said = re.fullmatch(
            r"(Yes|No), the (\w+ \w+) is (above|below|left of|right of) the (\w+ \w+)\.",
            question.answer,
        )
        assert said
        verdict, one, holds, other = said.groups()
        first, second = places[one], places[other]
        assert {
            "above": first.row < second.row,
            "below": first.row > second.row,
            "left of": first.column < second.column,
            "right of": first.column > second.column,
        }[holds]
        assert (f"{one} {holds} the {other}" in question.text) == (verdict == "Yes")
        asked[verdict] += 1
    assert min(asked.values()) > 30


def test_a_description_names_every_object_and_companions_last() -> None:
    """One sentence for each object."""
    scene = Scene(
        (
            Item(0, 0, Kind("red", "circle")),
            Item(1, 0, Kind("blue", "star")),
            Item(2, 2, Kind("green", "cross"), "small"),
        )
    )
    assert describe(random.Random(0), scene).answer == (
        "There is a large red circle. There is a small green cross. There is a large blue star."
    )
    for each in SCENES:
        said = re.findall(r"There is a (\w+ \w+ \w+)\.", describe(random.Random(0), each).answer)
        assert sorted(said) == sorted(map(str, each.items))


def test_a_detailed_description_is_in_reading_order() -> None:
    """Every object with its place, and the sum."""
    for scene in SCENES:
        *sentences, total = in_detail(random.Random(0), scene).answer.split(". ")
        cells = [_cell(sentence) for sentence in sentences]
        assert cells == [(item.row, item.column) for item in scene.items]
        assert all(
            str(item) in sentence for item, sentence in zip(scene.items, sentences, strict=True)
        )
        assert NUMBERS[len(scene.items)] in total


def test_a_walk_through_the_rows_visits_every_cell() -> None:
    """A dash for what is empty or not asked for."""
    for number, scene in enumerate(SCENES):
        only = rows_of_colour(random.Random(number), scene)
        wanted = only.text.split()[-2]
        for question, colour in ((rows(random.Random(0), scene), None), (only, wanted)):
            lines = re.findall(r"Row \w+: ([^.]*)\.", question.answer)
            walked = [re.findall(r"-|\w+ \w+", line) for line in lines]
            expected = [
                [
                    str(kind) if kind and colour in (None, kind.colour) else "-"
                    for kind in (scene.at(row, column) for column in range(GRID))
                ]
                for row in range(GRID)
            ]
            assert walked == expected


def test_delayed_answers_come_after_the_count() -> None:
    """Count to forty first, wherever it begins, then the phrase or the verdict."""
    assert (len(COUNTED), COUNTED[9], COUNTED[23]) == (40, "ten", "twenty four")
    phrase = delayed_phrase(random.Random(0), 3, Kind("red", "circle"))
    assert phrase.text == "Count from thirty eight to forty. Then say: red circle."
    assert phrase.answer == "Thirty eight thirty nine forty. Red circle."
    for number, scene in enumerate(SCENES):
        present = number % 2 == 0
        question = delayed_existence(random.Random(number), scene, 1 + number % 40, present)
        noun = re.search(r"is there a (\w+ \w+)\?", question.text)
        assert noun
        assert (noun[1] in map(str, scene.kinds)) == present
        verdict = f"Yes, there is a {noun[1]}." if present else f"No, there is no {noun[1]}."
        assert question.answer.endswith(f"orty. {verdict}")


def test_choices_have_one_right_letter() -> None:
    """The letter names the option that the reasoning arrives at, and no other option is right."""
    letters = []
    for number, scene in enumerate(SCENES):
        question = choice(random.Random(number), scene)
        options = dict(re.findall(r"\((\w)\) (.+)", question.text))
        assert len(set(options.values())) == 4
        letter = re.search(r"\*\*Answer: (\w)\*\*$", question.answer)
        assert letter
        letters.append(letter[1])
        if question.text.startswith("Which"):
            shown = [one for one, name in options.items() if name in map(str, scene.kinds)]
            assert shown == [letter[1]]
        else:
            noun = re.search(r"How many (.+) are there", question.text)
            assert noun
            right = sum(_has(item, _singular(noun[1])) for item in scene.items)
            assert options[letter[1]] == NUMBERS[right]
    assert all(letters.count(each) > 30 for each in "ABCD")


def test_passages_tell_what_is_asked_or_do_not() -> None:
    """The answer is the room of the thing asked for, or that it was not mentioned."""
    for number in range(100):
        question = passage(random.Random(number), "test", answerable=number % 2 == 0)
        told = dict(re.findall(r"The (\w+ \w+) is in the (\w+)\.", question.text))
        asked = re.search(r"Where is the (\w+ \w+)\?", question.text)
        assert asked
        assert question.answer == told.get(asked[1], UNANSWERABLE)
        assert (question.answer in ROOMS) == (number % 2 == 0)


def test_all_that_a_passage_tells_is_asked_once_and_answered_in_the_order_of_asking() -> None:
    for number in range(100):
        question = all_told(random.Random(number), "test")
        text, asked = question.text.split("\n")
        told = re.findall(r"The (\w+ \w+) is in the (\w+)\.", text)
        answered = re.findall(r"The (\w+ \w+) is in the (\w+)\.", question.answer)
        assert 2 <= len(told) <= 5 and sorted(told) == sorted(answered)
        assert re.findall(r"the (\w+ \w+)", asked) == [kind for kind, _ in answered]


def test_the_training_mix_is_a_function_of_its_seed() -> None:
    """A resumed run meets the same questions."""
    assert scene_questions(random.Random(3), SCENES[9]) == scene_questions(
        random.Random(3), SCENES[9]
    )
    assert passages(random.Random(3)) == passages(random.Random(3))
