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
"""Of how many scenes the descriptions, and what is said to be there, speak of companions that the
picture does not show, as captions from the web speak of what is usually there."""


def scene_questions(rng: random.Random, scene: Scene) -> list[Question]:
    """Ask one training scene eight questions.

    An absent kind is any, or one that shares something with a present one. It is a present
    one's companion by chance alone, which the co-occurrence makes rare: so the model learns to
    expect what is usual.
    """
    told = with_companions(rng, scene) if rng.random() < HABIT else scene
    asked = [
        existence(rng, told, present=True),
        existence(rng, told, present=False, negative=rng.choice(("random", "near"))),
        loose_existence(rng, scene)
        if rng.random() < 0.3
        else existence(rng, told, rng.random() < 0.5),
        describe(rng, told),
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
