"""Questions with known answers about a scene that somebody drew. Knows nothing about pages."""

import random
from collections.abc import Iterator

from sinktrack.shapes.everyday import KINDS_ASKED
from sinktrack.shapes.long_answers import describe, rows
from sinktrack.shapes.questions import (
    Question,
    count,
    existence,
    relation,
    what_is_at,
    where_is,
)
from sinktrack.shapes.scenes import Scene

HABIT = "not there, but its usual companion is"
"""What is said of a question that a model answers wrongly from habit."""


def known_questions(scene: Scene, rng: random.Random) -> list[tuple[Question, str]]:
    """Return questions about a scene, each with its right answer and a note; the note may be empty.

    Args:
        scene: One thing or more.
        rng: The random generator.
    """
    found: dict[str, tuple[Question, str]] = {}
    for question, note in _asked(scene, rng):
        found.setdefault(question.text, (question, note))
    return list(found.values())


def _asked(scene: Scene, rng: random.Random) -> Iterator[tuple[Question, str]]:
    if any(kind.companion not in scene.kinds for kind in scene.kinds):
        yield existence(rng, scene, False, "adversarial"), HABIT
    yield existence(rng, scene, True), ""
    yield describe(rng, scene), ""
    for ask in (count, where_is, relation, what_is_at):
        yield ask(rng, scene), ""
    for kind in rng.sample(("colour", "which", "beside", "larger", "line"), 2):
        question = KINDS_ASKED[kind](rng, scene, False)
        if question is not None:
            yield question, ""
    yield rows(rng, scene), ""
