"""What a training step asks, and in which proportions."""

import random

from sinktrack.shapes.choices import choice
from sinktrack.shapes.long_answers import (
    delayed_existence,
    delayed_phrase,
    describe,
    in_detail,
    rows,
    rows_of_colour,
)
from sinktrack.shapes.passages import passage
from sinktrack.shapes.questions import (
    Question,
    count,
    existence,
    loose_existence,
    relation,
    size_of,
    what_is_at,
    where_is,
)
from sinktrack.shapes.scenes import Scene

LONGEST_COUNT = 40


def scene_questions(rng: random.Random, scene: Scene) -> list[Question]:
    """Ask one training scene seven questions: three of existence and four of other tasks.

    An absent kind is any, or one that shares something with a present one. It is a present
    one's companion by chance alone, which the co-occurrence makes rare: so the model learns to
    expect what is usual.
    """
    asked = [
        existence(rng, scene, present=True),
        existence(rng, scene, present=False, negative=rng.choice(("random", "near"))),
        loose_existence(rng, scene)
        if rng.random() < 0.3
        else existence(rng, scene, rng.random() < 0.5),
        count(rng, scene),
        rng.choice((what_is_at, where_is, relation, size_of))(rng, scene),
        choice(rng, scene) if rng.random() < 0.5 else delayed(rng, scene),
        rng.choice((describe, describe, in_detail, rows, rows_of_colour))(rng, scene),
    ]
    rng.shuffle(asked)
    return asked


def delayed(rng: random.Random, scene: Scene) -> Question:
    """Ask for a count and then for something that has to be remembered."""
    most = rng.randint(5, LONGEST_COUNT)
    if rng.random() < 0.5:
        return delayed_phrase(rng, most)
    return delayed_existence(rng, scene, most, rng.random() < 0.5, rng.choice(("random", "near")))


def passages(rng: random.Random) -> list[Question]:
    """Ask four questions without a picture."""
    return [passage(rng) for _ in range(4)]
