"""What a training step asks, and in which proportions."""

import random

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
from sinktrack.shapes.scenes import Scene, with_companions

HABIT = 0.3
"""The share of scenes whose answers also name companions that the picture does not show.

Captions from the web likewise name what is usually there."""


def scene_questions(rng: random.Random, scene: Scene) -> list[Question]:
    """Ask one training scene eight questions.

    An absent kind is any kind, or one that shares its colour or shape with a present one. It is
    rarely the companion of a present one, because companions are usually present. So the model
    learns to expect them.
    """
    described = with_companions(rng, scene) if rng.random() < HABIT else scene
    asked = [
        existence(rng, described, present=True),
        existence(rng, described, present=False, negative=rng.choice(("random", "near"))),
        loose_existence(rng, scene)
        if rng.random() < 0.3
        else existence(rng, described, rng.random() < 0.5),
        describe(rng, described),
        count(rng, scene),
        rng.choice((what_is_at, where_is, relation, size_of))(rng, scene),
        choice(rng, scene) if rng.random() < 0.5 else delayed(rng, scene),
        rng.choice((in_detail, in_detail, rows, rows_of_colour))(rng, scene),
    ]
    rng.shuffle(asked)
    return asked


def delayed(rng: random.Random, scene: Scene) -> Question:
    """Ask for a count and then for something that has to be remembered."""
    numbers = rng.randint(1, len(COUNTED))
    if rng.random() < 0.5:
        return delayed_phrase(rng, numbers)
    return delayed_existence(
        rng, scene, numbers, rng.random() < 0.5, rng.choice(("random", "near"))
    )


def passages(rng: random.Random) -> list[Question]:
    """Ask four questions without a picture."""
    return [passage(rng) for _ in range(4)]
