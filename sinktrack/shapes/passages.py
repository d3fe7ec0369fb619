"""Passages without a picture, with answerable and unanswerable questions, as in SQuAD2.0.

Source: Rajpurkar et al. 2018, "Know What You Don't Know: Unanswerable Questions for
SQuAD", https://arxiv.org/abs/1806.03822.
"""

import random

from sinktrack.core.errors import listed
from sinktrack.core.texts import BETWEEN_TEXTS
from sinktrack.shapes.long_answers import count_up, counted
from sinktrack.shapes.questions import Question
from sinktrack.shapes.scenes import SHAPES, Kind, sample_scene

ROOMS = ("garden", "kitchen", "cellar", "attic", "garage", "hall", "office", "library")
UNANSWERABLE = "unanswerable"


def passage(
    rng: random.Random, split: str = "train", answerable: bool | None = None, prior: float = 0.9
) -> Question:
    """Tell where two to five things are, and ask where one is, or one that was not mentioned.

    Args:
        rng: the random generator.
        split: "train", "validation" or "test", as of the scene with the same kinds.
        answerable: whether the passage tells; by default in two cases of three.
        prior: as of `sample_scene`.
    """
    told, rooms = _told(rng, split, prior)
    kinds = list(rooms)
    if answerable is None:
        answerable = rng.random() < 2 / 3
    if answerable:
        asked = rng.choice(kinds)
    else:
        # what makes it hard: the colour or the shape alone was mentioned
        colour = rng.choice(kinds).colour
        absent = [Kind(colour, shape) for shape in SHAPES if Kind(colour, shape) not in rooms]
        asked = rng.choice(absent)
    text = f"{told}\nWhere is the {asked}? Answer from the text or say {UNANSWERABLE}."
    return Question("passage", text, rooms[asked] if answerable else UNANSWERABLE)


def delayed_fact(
    rng: random.Random, numbers: int, split: str = "train", prior: float = 0.9
) -> Question:
    """Tell where things are, and ask to count the last `numbers` up to forty, then where one is."""
    told, rooms = _told(rng, split, prior)
    asked = rng.choice(list(rooms))
    text = f"{told}{BETWEEN_TEXTS}{count_up(numbers)} Then tell: where is the {asked}?"
    return Question("delayed fact", text, f"{counted(numbers)} In the {rooms[asked]}.")


def all_told(rng: random.Random, split: str = "train", prior: float = 0.9) -> Question:
    """Tell where some things are, and ask where all of them are, in another order.

    One question that needs as many facts as there are things: what a model learns to look up from.
    """
    told, rooms = _told(rng, split, prior, fewest=3)
    asked = rng.sample(list(rooms), len(rooms))
    text = f"{told}\nWhere are {listed([f'the {kind}' for kind in asked])}?"
    answer = " ".join(f"The {kind} is in the {rooms[kind]}." for kind in asked)
    return Question("all told", text, answer)


def _told(
    rng: random.Random, split: str, prior: float, fewest: int = 2
) -> tuple[str, dict[Kind, str]]:
    """Return a text that tells where up to five things are, and the rooms that it tells."""
    scene = sample_scene(rng, rng.randint(fewest, 5), split, prior)
    kinds = sorted(scene.kinds)
    rng.shuffle(kinds)
    rooms = dict(zip(kinds, (rng.choice(ROOMS) for _ in kinds), strict=True))
    return " ".join(f"The {kind} is in the {room}." for kind, room in rooms.items()), rooms
