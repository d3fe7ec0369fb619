"""Which kind of question about a scene a sentence is, and what it names. Knows no answers.

A question is compared with the phrasings of every kind by what is left when classes stand for the
little world's own words: "How many red stars are there?" is a "How many {nouns} are there?".
"""

import random
import re
from functools import cache

from sinktrack.shapes.choices import choice
from sinktrack.shapes.long_answers import (
    COUNTED,
    delayed_existence,
    delayed_phrase,
    in_detail,
    rows,
    rows_of_colour,
)
from sinktrack.shapes.phrasings import PHRASINGS
from sinktrack.shapes.questions import NUMBERS, plural
from sinktrack.shapes.scenes import COLOURS, SHAPES, sample_scene
from sinktrack.shapes.words import courtesies

_NOUNS = (*SHAPES, "shape", "thing", "object")
_SIZES = "large big little small largest biggest smallest larger bigger smaller"
_PLACES = "row column top bottom centre center middle corner"
_NUMBERS = (*NUMBERS, *" ".join(COUNTED).split())
_CLASSES = {
    word: mark
    for mark, words in (
        ("C", [*COLOURS]),
        ("N", [*_NOUNS, *map(plural, _NOUNS)]),
        ("Z", _SIZES.split()),
        ("W", ["above", "below"]),
        ("L", ["left", "right"]),
        ("P", [*_PLACES.split(), *_NUMBERS]),
        ("D", ["first", "second"]),
    )
    for word in words
}
"""What takes the place of another word in a phrasing: colours, shapes, sizes, ways, sides, places
with numbers, and which of two."""
_MEANT = {plural(noun): noun for noun in _NOUNS}
_MEANT |= dict.fromkeys(("thing", "things", "object", "objects"), "shape")
_MEANT |= {str(number): word for number, word in enumerate(NUMBERS)}
_MEANT |= {"big": "large", "little": "small", "biggest": "largest", "bigger": "larger"}
_MEANT |= {"center": "centre", "middle": "centre"}
"""Words in place of others that mean the same."""
_LINES = frozenset(("row", "column"))
_UNTOLD = frozenset((*_LINES, "corner", "shape"))
"""Words that say nothing by themselves: "the red one" is "the red shape"."""
_JOINED = (
    (re.compile(r"\b([CZ]) (?:one|ones|P1)\b"), r"\1 N"),
    (re.compile(r"\bP1\b"), "P"),
    (re.compile(r"\b(?:[PL] )*P(?: [PL])*\b"), "P"),
    (re.compile(r"\b[WL](?: or [WL])?(?: of)?\b"), "W"),
)
_NAMED = re.compile(r"\bC N\b")
_SIZED = re.compile(r"\bZ N\b")
_FILLING = {
    "colour": "red",
    "size": "large",
    "more": "larger",
    "asked": "above",
    "either": "above or below",
}
_FILLING |= {"place": "row two", "which": "first"}
_ARTICLES = frozenset(("a", "an", "the"))
_CALLED = {
    "more than": "more than one",
    "same": "colours",
    "sized": "sizes",
    "extreme": "sizes",
    **dict.fromkeys(("more", "shows", "in one"), "two pictures"),
}
"""What phrasings are kept under other names than the kinds of `sinktrack.shapes.everyday`."""


def kind_of(question: str) -> str | None:
    """Return the kind of a question; None where it is none of the little world's.

    Args:
        question: As typed.

    Returns:
        A key of `sinktrack.shapes.everyday.KINDS_ASKED`, "two pictures", or what
        `sinktrack.shapes.long_answers` and `choices` call their questions.
    """
    task = task_of(question)
    return None if task is None else _CALLED.get(task, task)


def task_of(question: str) -> str | None:
    """Return the task that questions in these words have, of which a kind may have several.

    Args:
        question: As typed.
    """
    known = _skeletons()
    for text in (question, *_without_courtesies(question)):
        skeleton = _skeleton(text)
        named = _NAMED.sub("N", skeleton)
        for each in (skeleton, named, _SIZED.sub("N", named)):
            if each in known:
                return known[each]
    return None


def named(question: str) -> tuple[str, ...]:
    """Return the little world's own words of a question, in order, one word for each meaning.

    Args:
        question: As typed.

    Returns:
        Such as ("red", "star", "left", "circle"), or ("row three",).
    """
    words = [_MEANT.get(word, word) for word in _split(question)]
    found: list[str] = []
    for before, word, behind in zip(["", *words], words, [*words[1:], ""], strict=False):
        if word in _NUMBERS:
            found += [f"{line} {word}" for line in (before, behind) if line in _LINES][:1]
        elif word == "right" and (not behind or before == "it"):
            found += [word] * (before in ("or", "top", "bottom"))
        elif word in _CLASSES and word not in _UNTOLD:
            found.append(word)
    return tuple(found)


def _skeleton(text: str) -> str:
    """Return a text with classes in place of the little world's words."""
    words = (_class_of(word) for word in _split(text) if word not in _ARTICLES)
    skeleton = " ".join(words)
    for pattern, joined in _JOINED:
        skeleton = pattern.sub(joined, skeleton)
    return skeleton


def _class_of(word: str) -> str:
    if word == "one":  # a number, or a thing where a colour or a size stands before it
        return "P1"
    return "P" if word.isdecimal() else _CLASSES.get(word, word)


def _split(text: str) -> list[str]:
    return re.findall(r"[^\W_]+(?:'[^\W_]+)?", text.casefold())


def _without_courtesies(text: str) -> list[str]:
    """Return a text without each of the courtesies that it begins or ends with."""
    said, found = " ".join(_split(text)), []
    for held_out in (False, True):
        for around in courtesies(held_out):
            before, after = (" ".join(_split(part)) for part in around.split("{}"))
            if said.startswith(before) and said.endswith(after):
                found.append(said.removeprefix(before).removesuffix(after))
    return found


@cache
def _skeletons() -> dict[str, str]:
    """Return names of phrasings by skeleton; what two would share is the first one's."""
    found: dict[str, str] = {}
    rng = random.Random(0)
    for _ in range(40):
        scene, numbers = sample_scene(rng, 3), rng.randint(1, len(COUNTED))
        for question in (
            *(ask(rng, scene) for ask in (in_detail, rows, rows_of_colour, choice)),
            delayed_phrase(rng, numbers),
            delayed_existence(rng, scene, numbers, True),
        ):
            found.setdefault(_skeleton(question.text), question.task)
    for kind, texts in PHRASINGS.items():
        for text in texts:
            filled = re.sub(r"\{(\w+)\}", lambda slot: _FILLING.get(slot[1], SHAPES[0]), text)
            found.setdefault(_skeleton(filled), kind)
    found.pop("", None)
    return found
