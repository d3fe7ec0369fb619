"""Every answer to an everyday question is true of its scene, as a reader of answers finds."""

import random
import re
from itertools import pairwise

import pytest

from sinktrack.shapes.comparisons import of_colour, of_shape
from sinktrack.shapes.everyday import KINDS_ASKED, everyday, two_pictures
from sinktrack.shapes.phrasings import PHRASINGS, phrasings
from sinktrack.shapes.questions import NUMBERS, Question
from sinktrack.shapes.scenes import COLOURS, SHAPES, SIZES, Item, Scene, sample_scene
from sinktrack.shapes.words import as_typed, mistyped

SCENES = [sample_scene(random.Random(n), 1 + n % 6) for n in range(300)]
_PLURALS = {f"{shape}es" if shape.endswith("s") else f"{shape}s": shape for shape in SHAPES}


def shown(scene: Scene, noun: str) -> list[Item]:
    """The things that a noun speaks of, such as "large red stars" or "shape"."""
    found = list(scene.items)
    for word in noun.split():
        shape = _PLURALS.get(word, word)
        if word in COLOURS:
            found = [item for item in found if item.kind.colour == word]
        elif word in SIZES:
            found = [item for item in found if item.size == word]
        elif shape in SHAPES:
            found = [item for item in found if item.kind.shape == shape]
        else:
            assert word in ("shape", "shapes"), noun
    return found


def one(scene: Scene, noun: str) -> Item:
    [item] = shown(scene, noun)
    return item


def where(words: str) -> tuple[int, int]:
    named = {"top": 0, "bottom": 4, "left": 0, "right": 4}
    if words == "the centre":
        return 2, 2
    cell = re.fullmatch(r"row (\w+) column (\w+)", words)
    if cell:
        return NUMBERS.index(cell[1]) - 1, NUMBERS.index(cell[2]) - 1
    row, column = re.fullmatch(r"the (top|bottom) (left|right)", words).groups()
    return named[row], named[column]


def number_said(scene, said, noun):
    return len(shown(scene, noun)) == NUMBERS.index(said)


def nothing_at(scene, place):
    return all(item[:2] != where(place) for item in scene.items)


def stands_at(scene, noun, place):
    return where(place) in [item[:2] for item in shown(scene, noun)]


def is_that_way(scene, noun, way, other):
    (row, column), (beyond_row, beyond_column) = (one(scene, each)[:2] for each in (noun, other))
    return {
        "above": row < beyond_row,
        "below": row > beyond_row,
        "left of": column < beyond_column,
        "right of": column > beyond_column,
    }[way]


def told(names):
    """What a list names, such as "a red star and two blue circles", one by one."""
    found = []
    for name in re.split(r", | and ", names) if names != "Nothing" else []:
        number, *words = name.split(" ")
        words[-1] = _PLURALS.get(words[-1], words[-1])
        found += [" ".join(words)] * (1 if number in ("a", "A") else NUMBERS.index(number.lower()))
    return sorted(found)


def listed(scene, name, names):
    items = shown(scene, name)
    if name in SIZES:
        return told(names) == sorted(str(item.kind) for item in items)
    return told(names) == sorted(item.kind.shape for item in items)


def stand_at(scene, nouns, places):
    cells = [where(place.removeprefix("at ")) for place in re.split(r", | and (?=at)", places)]
    return sorted(cells) == sorted(item[:2] for item in shown(scene, nouns))


def have_sizes(scene, nouns, sizes):
    return set(sizes.split(" and ")) == {item.size for item in shown(scene, nouns)}


def many_or_one(scene, there):
    return is_true(scene, there[0].upper() + there[1:])


def has_colour(scene, shape, colour):
    return one(scene, shape).kind.colour == colour


def colours_of(scene, nouns):
    return {item.kind.colour for item in shown(scene, nouns)}


def differ(scene, nouns, names):
    told = re.split(r", | and ", names)
    return len(told) == len(set(told)) and set(told) == colours_of(scene, nouns)


def two_sizes(scene, noun, size, other, other_size):
    return (one(scene, noun).size, one(scene, other).size) == (size, other_size)


def things_beside(scene, names, way, noun):
    (row, column), there = one(scene, noun)[:2], []
    for item in scene.items:
        so = {
            "above": item.row < row,
            "below": item.row > row,
            "left of": item.column < column,
            "right of": item.column > column,
        }
        there += [str(item.kind)] * so[way]
    return told(names) == sorted(there)


def things_in_line(scene, names, place):
    words = {"top": 0, "left": 0, "middle": 2, "bottom": 4, "right": 4}
    first, second = place.removeprefix("the ").split(" ")
    named = first in words
    axis, number = (second, words[first]) if named else (first, NUMBERS.index(second) - 1)
    there = [str(item.kind) for item in scene.items if getattr(item, axis) == number]
    return told(names) == sorted(there)


_MANY = f"(?:[Aa]|{'|'.join(f'{word}|{word.capitalize()}' for word in NUMBERS[2:])})"

SENTENCES = {
    r"No, there is no (.+)": lambda scene, noun: not shown(scene, noun),
    r"There is no (.+)": lambda scene, noun: not shown(scene, noun),
    r"(?:Yes|No), (there (?:is|are) (?!no)\w+ .+)": many_or_one,
    r"(?:Yes, t|T)here is an? (.+)": lambda scene, noun: bool(shown(scene, noun)),
    r"There (?:is|are) (\w+) (.+)": number_said,
    r"Nothing is at (.+)": nothing_at,
    r"(?:A|The) (.+) is at (.+)": stands_at,
    r"(?:Yes, t|No, t|T)he (.+) is (above|below|left of|right of) the (.+)": is_that_way,
    r"The (\w+ \w+) is (large|small)": lambda scene, noun, size: one(scene, noun).size == size,
    r"(?:Yes, t|No, t|T)he (\w+) is (\w+)": has_colour,
    rf"(?:Yes, t|No, t|T)he (\w+) shapes? (?:is|are) ((?:{_MANY}) .+)": listed,
    r"All shapes are (large|small)": lambda scene, size: {i.size for i in scene.items} == {size},
    r"The (\w+) are (at .+)": stand_at,
    r"The (\w+) are ((?:large|small)(?: and (?:large|small))?)": have_sizes,
    r"All (\w+) are (\w+)": lambda scene, nouns, colour: colours_of(scene, nouns) == {colour},
    r"(?:They differ: t|T)he (\w+) are (.+)": differ,
    r"Both are (large|small)": lambda scene, size: [i.size for i in scene.items].count(size) > 1,
    r"The (\w+ \w+) is (\w+) and the (\w+ \w+) is (\w+)": two_sizes,
    rf"(Nothing|{_MANY} .+) (?:is|are) (above|below|left of|right of) the (.+)": things_beside,
    rf"(Nothing|{_MANY} .+) (?:is|are) in (.+)": things_in_line,
}
"""What a sentence says, and whether it is so."""


_WAY = re.compile(r"(Yes|No), the .+ is (above|below|left of|right of) the")


def is_true(scene: Scene, sentence: str) -> bool:
    for pattern, so in SENTENCES.items():
        found = re.fullmatch(pattern, sentence)
        if found:
            return so(scene, *found.groups())
    raise AssertionError(f"not understood: {sentence}")


def sentences(answer: str) -> list[str]:
    assert answer.endswith(".")
    return answer[:-1].split(". ")


@pytest.mark.parametrize("held_out", [False, True])
@pytest.mark.parametrize("kind", sorted(KINDS_ASKED))
def test_what_is_answered_is_so(kind: str, held_out: bool) -> None:
    """Of every kind, in trained words and in others, and what was said before it as well."""
    rng = random.Random(kind)
    asked = 0
    for scene in SCENES:
        question = everyday(rng, scene, kind, held_out)
        if question is None:
            continue
        asked += 1
        answers = [question.answer, *(answer for _, answer in question.earlier)]
        for sentence in (each for answer in answers for each in sentences(answer)):
            assert is_true(scene, sentence), (scene, question)
    assert asked > 150


_NAMES_NOT_ALL = {
    "more than one",
    "of colour",
    "of shape",
    "two parts",
    "relation",
    "beside",
    "larger",
}
"""Kinds whose answers may leave out a word of their question, checked below or part by part."""


@pytest.mark.parametrize("kind", sorted(KINDS_ASKED.keys() - _NAMES_NOT_ALL))
def test_an_answer_speaks_of_what_was_asked(kind: str) -> None:
    """Every colour and shape of the question stands in its answer, one or many of it."""
    rng = random.Random(kind)
    for scene in SCENES:
        question = everyday(rng, scene, kind)
        if question is None:
            continue
        named = {_PLURALS.get(word, word) for word in re.findall(r"\w+", question.text.lower())}
        said = {_PLURALS.get(word, word) for word in re.findall(r"\w+", question.answer.lower())}
        assert named & {*COLOURS, *SHAPES} <= said, question


def test_the_checker_knows_what_is_not_so() -> None:
    """A scene's answers are mostly false of another scene."""
    rng = random.Random(1)
    wrong = []
    for scene, other in pairwise(SCENES):
        question = everyday(rng, scene, "what is at")
        assert question is not None
        wrong.append(not is_true(other, sentences(question.answer)[0]))
    assert sum(wrong) > 0.6 * len(wrong)


@pytest.mark.parametrize("held_out", [False, True])
def test_yes_agrees_with_what_a_relation_was_asked_for(held_out: bool) -> None:
    """The way that was asked stands in the answer after yes and its reverse after no."""
    rng = random.Random(3)
    for scene in SCENES:
        question = everyday(rng, scene, "relation", held_out)
        way = _WAY.match(question.answer) if question else None
        if way and way[2] in question.text:
            assert way[1] == "Yes"


@pytest.mark.parametrize("held_out", [False, True])
def test_yes_agrees_with_what_something_was_taken_for(held_out: bool) -> None:
    """Both words stand in the answer after yes, and not both after no."""
    rng = random.Random(7)
    said = set()
    for scene in SCENES:
        for asked in (of_colour(rng, scene, held_out), of_shape(rng, scene, held_out)):
            if asked is None or asked.answer.startswith("There is no"):
                continue
            answer = set(re.findall(r"\w+", asked.answer))
            named = {*COLOURS, *SHAPES} & set(re.findall(r"\w+", asked.text.lower()))
            assert asked.answer.startswith("Yes" if named <= answer else "No"), asked
            said.add(asked.answer[:2])
    assert said == {"Ye", "No"}


def test_two_pictures_are_told_apart() -> None:
    """Which has more of something, which shows it, and whether it is in one."""
    rng = random.Random(4)
    told = set()
    for first, second in pairwise(SCENES):
        question = two_pictures(rng, first, second)
        scenes = {"first": first, "second": second}
        more = re.fullmatch(r"The (\w+) picture has more (.+)\.", question.answer)
        equally = re.fullmatch(r"Both pictures have equally many (.+)\.", question.answer)
        shows = re.fullmatch(r"The (\w+) picture shows a (.+)\.", question.answer)
        both = re.fullmatch(r"Both pictures show a (.+)\.", question.answer)
        kinds = {"more": more, "equally": equally, "shows": shows, "both": both}
        told.add(next((name for name, found in kinds.items() if found), "in one"))
        if more:
            numbers = {name: len(shown(scene, more[2])) for name, scene in scenes.items()}
            assert numbers[more[1]] == max(numbers.values()) > min(numbers.values())
        elif equally:
            assert len(shown(first, equally[1])) == len(shown(second, equally[1]))
        elif shows:
            assert [bool(shown(scene, shows[2])) for scene in scenes.values()] == [
                shows[1] == name for name in scenes
            ]
        elif both:
            assert shown(first, both[1]) and shown(second, both[1])
        else:
            # typing errors leave the first and the last letter
            which = "second" if re.search(r"\bs\w+nd\b", question.text) else "first"
            assert is_true(scenes[which], question.answer[:-1]), question
    assert told == {"more", "equally", "shows", "both", "in one"}


def test_there_are_as_many_phrasings_as_people_have() -> None:
    """At least thirty for existence, and twenty of every other kind that is asked most."""
    assert len(set(PHRASINGS["existence"])) >= 30
    for kind in ("count", "what is at", "where is", "relation", "size", "colour", "shape"):
        assert len(set(PHRASINGS[kind])) >= 20, kind
    assert len(set(PHRASINGS["describe"])) >= 20
    assert all(len(phrasings(kind, True)) >= 2 for kind in PHRASINGS)


def test_a_typing_error_leaves_a_word_to_be_told() -> None:
    """One letter is swapped, left out or doubled, and the first and last stay."""
    rng = random.Random(5)
    asked = "Is the purple triangle above the square?"
    for _ in range(200):
        typed = mistyped(rng, asked).split(" ")
        pairs = zip(asked.split(), typed, strict=True)
        changed = [(was, now) for was, now in pairs if was != now]
        assert len(changed) <= 1
        for was, now in changed:
            assert was[0] == now[0] and was[-1] == now[-1] and abs(len(was) - len(now)) <= 1
    assert mistyped(rng, "is it red") == "is it red"
    texts = {as_typed(rng, "Is there a star?") for _ in range(300)}
    assert {"Is there a star?", "is there a star?", "Is there a star"} < texts


def test_a_question_is_a_question() -> None:
    """Nothing is left unfilled."""
    rng = random.Random(6)
    for kind in KINDS_ASKED:
        for scene in SCENES[:60]:
            question = everyday(rng, scene, kind)
            assert question is None or (isinstance(question, Question) and "{" not in question.text)
