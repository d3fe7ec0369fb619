"""Tasks about coloured shapes: POPE, CHAIR, lettered choices, passages, and memory.

All scenes are held out. Shapes appear without the companions that they usually have in the training
scenes, so a model that relies on what is usual hallucinates.
"""

import random
import re
from collections.abc import Callable, Iterator
from functools import partial

from sinktrack.core.texts import BETWEEN_TEXTS
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
from sinktrack.shapes.passages import UNANSWERABLE, delayed_fact, passage
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
"""Makes a question from a random generator, a scene, and whether the kind asked for is present.

Items alternate between present and absent."""


def _items(name: str, ask: Ask, split: str, limit: int) -> Iterator[Item]:
    """Build items; every task asks about the same scenes."""
    scene_rng = random.Random(f"{SEED}/{split}")
    question_rng = random.Random(f"{SEED}/{split}/{name}")
    for number in range(limit):
        scene = sample_scene(scene_rng, scene_rng.randint(2, 5), split, prior=0.0)
        present = number % 2 == 0
        question = ask(question_rng, scene, present)
        yield Item(
            id=f"{split}/{number}",
            question=question.text,
            answer=question.answer,
            images=[partial(draw, scene)],
            facts={"scene": scene, "kinds": sorted(map(str, scene.kinds)), "present": present},
        )


def _passages(parted: bool, split: str, limit: int) -> Iterator[Item]:
    rng = random.Random(f"{SEED}/{split}/passage")
    for number in range(limit):
        question = passage(rng, split, answerable=number % 2 == 0, prior=0.0)
        text, asked = question.text.split("\n") if parted else ("", question.text)
        yield Item(f"{split}/{number}", question=asked, answer=question.answer, passage=text)


def _delayed_facts(split: str, limit: int) -> Iterator[Item]:
    rng = random.Random(f"{SEED}/{split}/delayed fact")
    for number in range(limit):
        question = delayed_fact(rng, len(COUNTED), split, prior=0.0)
        passage, asked = question.text.split(BETWEEN_TEXTS)
        yield Item(f"{split}/{number}", question=asked, answer=question.answer, passage=passage)


def _of_scene(ask: Callable[[random.Random, Scene], Question]) -> Ask:
    """Make an `Ask` of a question for which it does not matter what is present."""
    return lambda rng, scene, present: ask(rng, scene)


def _score_existence(item: Item, answer: str) -> Scores:
    return yes_no(answer, item.facts["present"])


def _score_description(item: Item, answer: str) -> Scores:
    mentions = list(dict.fromkeys(" ".join(found) for found in _KIND.findall(answer)))
    return chair(mentions, item.facts["kinds"]) | exact(answer, item.answer)


def _score_exact(item: Item, answer: str) -> Scores:
    return exact(answer, item.answer)


def _score_letter(item: Item, answer: str) -> Scores:
    return letter(answer, item.answer.split("Answer: ")[1][0])


def _score_passage(item: Item, answer: str) -> Scores:
    return span(answer, item.answer, UNANSWERABLE)


def _task(name: str, ask: Ask, score: Callable[[Item, str], Scores], tokens: int = 128) -> Task:
    return Task(name, partial(_items, name, ask), score, tokens)


def _pope(negative: str) -> Task:
    def ask(rng: random.Random, scene: Scene, present: bool) -> Question:
        return existence(rng, scene, present, negative)

    return _task(f"existence, {negative}", ask, _score_existence, 24)


POPE = tuple(map(_pope, ("random", "popular", "adversarial")))
"""Is there such a kind: half of the answers are yes. Source: Li et al. 2023, POPE."""

DESCRIPTIONS = (
    _task("describe", _of_scene(describe), _score_description),
    _task("describe in detail", _of_scene(in_detail), _score_description),
)
CHOICES = (_task("choice", _of_scene(choice), _score_letter),)
PASSAGES = (Task("passages", partial(_passages, False), _score_passage, 16),)
"""One text holds passage and question, as the bundled checkpoints were trained."""
PASSAGE_PARTS = (Task("passages as parts", partial(_passages, True), _score_passage, 16),)
"""The passage is a part of the prompt, which methods that work on passages look for."""
WORD_FOR_WORD = (
    _task("count", _of_scene(count), _score_exact, 24),
    _task("what is at", _of_scene(what_is_at), _score_exact, 24),
    _task("where is", _of_scene(where_is), _score_exact, 24),
    _task("relation", _of_scene(relation), _score_exact, 32),
    _task("size", _of_scene(size_of), _score_exact, 24),
    _task("rows", _of_scene(rows), _score_exact),
    _task("rows of a colour", _of_scene(rows_of_colour), _score_exact),
)
MEMORY = (
    _task(
        "delayed phrase",
        lambda rng, scene, present: delayed_phrase(rng, len(COUNTED)),
        _score_exact,
    ),
    _task(
        "delayed existence",
        lambda rng, scene, present: delayed_existence(rng, scene, len(COUNTED), present),
        _score_existence,
    ),
)
"""Answers that come after counting to forty: what a window of the last tokens has forgotten."""
MEMORY_OF_PASSAGES = (Task("delayed fact", _delayed_facts, _score_exact),)
"""The same of a passage, without a picture."""

SUITES = {
    "shapes": (*POPE, *DESCRIPTIONS, *CHOICES, *WORD_FOR_WORD, *MEMORY),
    "shapes-pope": POPE,
    "shapes-chair": DESCRIPTIONS,
    "shapes-choice": CHOICES,
    "shapes-passages": PASSAGES,
    "shapes-passage-parts": PASSAGE_PARTS,
    "shapes-memory": MEMORY,
    "shapes-passage-memory": MEMORY_OF_PASSAGES,
}
"""What can be asked for by name. The passages have no picture, so they stand by themselves."""
