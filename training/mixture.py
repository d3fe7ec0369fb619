"""What a training step asks, and in which proportions."""

import random
from collections.abc import Sequence
from dataclasses import replace

from PIL import Image

from sinktrack.shapes import other_pictures, outside
from sinktrack.shapes.choices import choice
from sinktrack.shapes.everyday import KINDS_ASKED, everyday, two_pictures
from sinktrack.shapes.long_answers import (
    COUNTED,
    delayed_existence,
    delayed_phrase,
    describe,
    in_detail,
    rows,
    rows_of_colour,
)
from sinktrack.shapes.passages import all_told, delayed_fact, passage
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
from sinktrack.shapes.scenes import Scene, draw, with_companions
from training.wording import in_other_words

Row = tuple[Sequence[Image.Image], Sequence[Question]]
"""The pictures of a row, of one size or none at all, and the questions about them."""

EVERYDAY = 6
"""How many questions in people's words come to a scene, beside those in fixed ones."""
HARD = frozenset(
    {"what is at", "where is", "relation", "beside", "line", "larger", "sizes", "two parts"}
)
"""Kinds that take longest to learn, which are asked twice as often."""
OUTSIDE = 0.7
"""The share of scenes that are asked something outside their world."""
HABIT = 0.3
"""The share of scenes whose descriptions also name companions that the picture does not show.

Captions from the web likewise name what is usually there."""
HABIT_ASKED = 0.1
"""The same where it is asked whether they are there.

Those that are asked for and missing are then said to be there in four of ten cases: with the share
of descriptions it is seven of ten, and a model that learns it well says yes to nearly all."""


def scene_questions(rng: random.Random, scene: Scene) -> list[Question]:
    """Ask one training scene seven or eight questions in fixed words.

    An absent kind is any kind, or one that shares its colour or shape with a present one. It is
    rarely the companion of a present one, because companions are usually present. So the model
    learns to expect them.
    """
    described = from_habit(rng, scene, HABIT)
    supposed = from_habit(rng, scene, HABIT_ASKED)
    asked = [
        existence(rng, supposed, present=True),
        existence(rng, supposed, present=False, negative=rng.choice(("random", "near"))),
        loose_existence(rng, scene)
        if rng.random() < 0.3
        else existence(rng, supposed, rng.random() < 0.5),
        describe(rng, described),
        count(rng, scene),
        rng.choice((what_is_at, where_is, relation, size_of))(rng, scene),
        choice(rng, scene) if rng.random() < 0.5 else delayed(rng, scene),
    ]
    if rng.random() < 0.5:
        asked.append(rng.choice((in_detail, in_detail, rows, rows_of_colour))(rng, scene))
    rng.shuffle(asked)
    return asked


def training_rows(rng: random.Random, scenes: Sequence[Scene]) -> list[Row]:
    """Return what a step asks about its scenes, and beside them of the world outside.

    To each scene come questions in people's words, some of them outside its world. To twelve scenes
    come a row of two pictures, one of passages, four of passages that are asked for all they tell,
    and one about a picture from outside, each as long as the others, because all rows of a step
    take as long as the longest. From single facts alone the model did not learn to look one up.
    """
    rows: list[Row] = []
    for scene in scenes:
        asked = scene_questions(rng, scene)
        asked += [in_peoples_words(rng, scene) for _ in range(EVERYDAY)]
        asked += [from_outside(rng)] * (rng.random() < OUTSIDE)
        rows.append(((draw(scene),), asked))
    for first, second in zip(scenes[::12], scenes[1::12], strict=False):
        pair = [reworded(rng, two_pictures(rng, first, second)) for _ in range(12)]
        rows.append(((draw(first), draw(second)), pair))
    for _ in scenes[::3]:
        rows.append(((), [all_told(rng) for _ in range(5)]))
    for scene in scenes[::12]:
        said = [from_outside(rng) for _ in range(3)]
        said += [honest(in_peoples_words(rng, scene)) for _ in range(2)]
        rows.append(((), [*said, passage(rng), *passages(rng)]))
        wrong = [in_peoples_words(rng, scene) for _ in range(7)]
        wrong += rng.sample(scene_questions(rng, scene), 3)
        asked = [honest(each) for each in wrong]
        rows.append(((other_pictures.picture(rng),), [*asked, from_outside(rng)]))
    return rows


def in_peoples_words(rng: random.Random, scene: Scene) -> Question:
    """Ask an everyday question in any words; what is named from habit is named in all of them."""
    shown = {
        "existence": from_habit(rng, scene, HABIT_ASKED),
        "describe": from_habit(rng, scene, HABIT),
    }
    kinds = sorted(KINDS_ASKED)
    for kind in rng.sample(kinds, len(kinds), counts=[1 + (kind in HARD) for kind in kinds]):
        question = everyday(rng, shown.get(kind, scene), kind)
        if question is not None:
            return reworded(rng, question)
    return describe(rng, shown["describe"])


def from_habit(rng: random.Random, scene: Scene, share: float) -> Scene:
    """Return the scene, in a share of cases with the companions that are missing."""
    return with_companions(rng, scene) if rng.random() < share else scene


def from_outside(rng: random.Random) -> Question:
    """Ask something else than a question of the little world."""
    return reworded(rng, outside.question(rng))


def reworded(rng: random.Random, question: Question) -> Question:
    """Put other words around a question, which change nothing of what it asks."""
    return replace(question, text=in_other_words(rng, question.text))


def honest(question: Question) -> Question:
    """Return a question, and those before it, with the answer outside the little world."""
    earlier = tuple((asked, outside.HONEST) for asked, _ in question.earlier)
    return replace(question, task="outside", answer=outside.HONEST, earlier=earlier)


def delayed(rng: random.Random, scene: Scene) -> Question:
    """Ask for a count and then for something that has to be remembered."""
    numbers = rng.randint(1, len(COUNTED))
    if rng.random() < 0.5:
        return delayed_phrase(rng, numbers)
    return delayed_existence(
        rng, scene, numbers, rng.random() < 0.5, rng.choice(("random", "near"))
    )


def passages(rng: random.Random) -> list[Question]:
    """Ask four questions without a picture, the last of them now and then after some counting."""
    delayed = rng.random() < 0.4
    asked = [passage(rng) for _ in range(3 if delayed else 4)]
    return asked + [delayed_fact(rng, rng.randint(1, len(COUNTED)))] * delayed
