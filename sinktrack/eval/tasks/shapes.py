"""The little world's tasks: shapes-POPE, CHAIR, lettered choices, passages, and memory.

All scenes are held out, and nothing of what is usual in the training scenes holds in them:
that is what makes a model that relies on it hallucinate.
"""

import random
import re
from collections.abc import Callable, Iterator
from functools import partial

from sinktrack.eval.scorers import chair, exact, letter, span, yes_no
from sinktrack.eval.task import Item, Scores, Task
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
from sinktrack.shapes.passages import UNANSWERABLE, passage
from sinktrack.shapes.questions import (
    Question,
    count,
    existence,
    relation,
    size_of,
    what_is_at,
    where_is,
)
from sinktrack.shapes.scenes import COLOURS, SHAPES, Scene, draw, sample_scene

SEED = 1
_KIND = re.compile(rf"\b({'|'.join(COLOURS)}) ({'|'.join(SHAPES)})\b")

Ask = Callable[[random.Random, Scene, bool], Question]
"""From chance, a scene, and whether what is asked for is to be there, which alternates."""


def _items(name: str, ask: Ask, split: str, limit: int) -> Iterator[Item]:
    """Build items whose scenes are the same for every task."""
    scenes, chance = random.Random(f"{SEED}/{split}"), random.Random(f"{SEED}/{split}/{name}")
    for number in range(limit):
        scene = sample_scene(scenes, scenes.randint(2, 5), split, prior=0.0)
        present = number % 2 == 0
        question = ask(chance, scene, present)
        yield Item(
            id=f"{split}/{number}",
            question=question.text,
            answer=question.answer,
            image=partial(draw, scene),
            facts={"scene": scene, "kinds": sorted(map(str, scene.kinds)), "present": present},
        )


def _passages(split: str, limit: int) -> Iterator[Item]:
    chance = random.Random(f"{SEED}/{split}/passage")
    for number in range(limit):
        question = passage(chance, split, answerable=number % 2 == 0, prior=0.0)
        yield Item(id=f"{split}/{number}", question=question.text, answer=question.answer)


def _about_kinds(ask: Callable[[random.Random, Scene], Question]) -> Ask:
    return lambda chance, scene, present: ask(chance, scene)


def _existence(item: Item, answer: str) -> Scores:
    return yes_no(answer, item.facts["present"])


def _described(item: Item, answer: str) -> Scores:
    mentions = list(dict.fromkeys(" ".join(found) for found in _KIND.findall(answer)))
    return chair(mentions, item.facts["kinds"]) | exact(answer, item.answer)


def _word_for_word(item: Item, answer: str) -> Scores:
    return exact(answer, item.answer)


def _lettered(item: Item, answer: str) -> Scores:
    return letter(answer, item.answer.split("Answer: ")[1][0])


def _spanned(item: Item, answer: str) -> Scores:
    return span(answer, item.answer, UNANSWERABLE)


def _task(name: str, ask: Ask, score: Callable[[Item, str], Scores], tokens: int = 128) -> Task:
    return Task(name, partial(_items, name, ask), score, tokens)


def _pope(negative: str) -> Task:
    def ask(chance: random.Random, scene: Scene, present: bool) -> Question:
        return existence(chance, scene, present, negative)

    return _task(f"existence, {negative}", ask, _existence, 24)


POPE = tuple(map(_pope, ("random", "popular", "adversarial")))
"""Is there such a kind: half of the answers are yes. Source: Li et al. 2023, POPE."""

DESCRIPTIONS = (
    _task("describe", _about_kinds(describe), _described),
    _task("describe in detail", _about_kinds(in_detail), _described),
)
CHOICES = (_task("choice", _about_kinds(choice), _lettered),)
PASSAGES = (Task("passages", _passages, _spanned, 16),)
WORD_FOR_WORD = (
    _task("count", _about_kinds(count), _word_for_word, 24),
    _task("what is at", _about_kinds(what_is_at), _word_for_word, 24),
    _task("where is", _about_kinds(where_is), _word_for_word, 24),
    _task("relation", _about_kinds(relation), _word_for_word, 32),
    _task("size", _about_kinds(size_of), _word_for_word, 24),
    _task("rows", _about_kinds(rows), _word_for_word),
    _task("rows of a colour", _about_kinds(rows_of_colour), _word_for_word),
)
MEMORY = (
    _task(
        "delayed phrase",
        lambda chance, scene, present: delayed_phrase(chance, len(COUNTED)),
        _word_for_word,
    ),
    _task(
        "delayed existence",
        lambda chance, scene, present: delayed_existence(chance, scene, len(COUNTED), present),
        _existence,
    ),
)
"""Answers that come after counting to forty: what a window of the last tokens has forgotten."""

SUITES = {
    "shapes": (*POPE, *DESCRIPTIONS, *CHOICES, *PASSAGES, *WORD_FOR_WORD, *MEMORY),
    "shapes-pope": POPE,
    "shapes-chair": DESCRIPTIONS,
    "shapes-choice": CHOICES,
    "shapes-passages": PASSAGES,
    "shapes-memory": MEMORY,
}
"""What can be asked for by name."""
