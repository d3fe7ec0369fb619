"""The right answer to a question about a scene, whoever typed it.

A typed question means what a question of its task asks that names the same things in the same
order. Where questions like that have several answers, or there is none, nothing is claimed.
"""

import random

from sinktrack.shapes.everyday import KINDS_ASKED
from sinktrack.shapes.questions import Question
from sinktrack.shapes.recognised import kind_of, named, task_of
from sinktrack.shapes.scenes import Scene

_ASKED = 1000
"""How many questions of the kind are made up. A kind that is not in the scene is asked for in one
of a hundred; at this number one in twenty thousand is missed."""
_NEEDS_MORE = frozenset({"follow-up", "two parts"})
"""Kinds that mean something with an earlier question alone, or are two."""


def answer_to(scene: Scene, question: str) -> Question | None:
    """Return a question about a scene that means the same as one that was typed, with its answer.

    Args:
        scene: The scene.
        question: As typed.

    Returns:
        The question in the words that were typed; None where its answer is not known.
    """
    kind = kind_of(question)
    if kind not in KINDS_ASKED or kind in _NEEDS_MORE or not scene.items:
        return None
    rng, same = random.Random(0), (task_of(question), named(question))
    found: dict[str, Question] = {}
    for number in range(_ASKED):
        asked = KINDS_ASKED[kind](rng, scene, bool(number % 2))
        if asked is not None and (asked.task, named(asked.text)) == same:
            found.setdefault(asked.answer, Question(asked.task, question, asked.answer))
    return next(iter(found.values())) if len(found) == 1 else None
