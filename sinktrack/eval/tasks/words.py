"""Coloured shapes asked about in people's words, and what lies outside them.

Phrasings and kinds of outside that were kept from the training of the bundled checkpoints stand
beside those that were not: a model that has learned sentences by heart fails the first alone.
"""

import random
from collections.abc import Callable, Iterator
from functools import partial

from PIL import Image

from sinktrack.eval.scorers import exact
from sinktrack.eval.task import Item, Scores, Task
from sinktrack.shapes import other_pictures, outside
from sinktrack.shapes.choices import choice
from sinktrack.shapes.everyday import KINDS_ASKED, everyday, two_pictures
from sinktrack.shapes.long_answers import in_detail, rows, rows_of_colour
from sinktrack.shapes.questions import Question
from sinktrack.shapes.scenes import Scene, draw, sample_scene

SEED = 1
TWO_PICTURES = "two pictures"
ANY = "any kind"


def _asked(kind: str, held_out: bool, split: str, limit: int) -> Iterator[Item]:
    """Ask a kind of question about held-out scenes, as many as admit it."""
    rng = random.Random(f"{SEED}/{split}/{kind}/{held_out}")
    number = 0
    while number < limit:
        scenes = [_scene(rng, split) for _ in range(2 if kind == TWO_PICTURES else 1)]
        question = _question(rng, scenes, kind, held_out)
        if question is None:
            continue
        yield Item(
            id=f"{split}/{number}",
            question=question.text,
            answer=question.answer,
            images=[partial(draw, scene) for scene in scenes],
            earlier=question.earlier,
        )
        number += 1


def _scene(rng: random.Random, split: str) -> Scene:
    return sample_scene(rng, rng.randint(2, 5), split, prior=0.0)


def _question(
    rng: random.Random, scenes: list[Scene], kind: str, held_out: bool
) -> Question | None:
    if kind == TWO_PICTURES:
        return two_pictures(rng, scenes[0], scenes[1], held_out)
    asked = rng.choice(sorted(KINDS_ASKED)) if kind == ANY else kind
    return everyday(rng, scenes[0], asked, held_out)


def _outside(held_out: bool, split: str, limit: int) -> Iterator[Item]:
    """Ask something else about scenes and about nothing, and anything about other pictures."""
    rng = random.Random(f"{SEED}/{split}/outside/{held_out}")
    seen: set[tuple[str, str]] = set()
    while len(seen) < limit:
        scene, question = _scene(rng, split), outside.question(rng, held_out)
        about = ("scene", "picture", "scene", "nothing")[len(seen) % 4]
        images: list[Callable[[], Image.Image]] = [partial(draw, scene)]
        if about == "picture":
            question = _about_pictures(rng, scene, held_out)
            images = [other_pictures.picture(rng, held_out).copy]
        if about == "nothing":
            images = []
        if (about, question.text) not in seen:
            yield _refused(f"{split}/{len(seen)}", question, images, about)
            seen.add((about, question.text))


def _about_pictures(rng: random.Random, scene: Scene, held_out: bool) -> Question:
    """Ask a question that would fit a scene."""
    kind = rng.choice([*sorted(KINDS_ASKED), "fixed", "fixed"])
    if kind == "fixed":
        return rng.choice((in_detail, rows, rows_of_colour, choice))(rng, scene)
    question = everyday(rng, scene, kind, held_out)
    if question is None or question.earlier:
        return _about_pictures(rng, scene, held_out)
    return question


def _other_things(split: str, limit: int) -> Iterator[Item]:
    """Ask about scenes, in words of the little world, for things that training never named."""
    rng = random.Random(f"{SEED}/{split}/other things")
    for number in range(limit):
        shown = partial(draw, _scene(rng, split))
        yield _refused(f"{split}/{number}", outside.another_thing(rng), [shown], "other things")


def _refused(
    name: str, question: Question, images: list[Callable[[], Image.Image]], about: str
) -> Item:
    return Item(
        id=name,
        question=question.text,
        answer=outside.HONEST,
        images=images,
        facts={"about": about},
    )


def _score(item: Item, answer: str) -> Scores:
    return exact(answer, item.answer) | {"refused": (float(_is_honest(answer)), 1.0)}


def _score_outside(item: Item, answer: str) -> Scores:
    honest = (float(_is_honest(answer)), 1.0)
    return {"honest": honest, f"honest, {item.facts['about']}": honest}


def _is_honest(answer: str) -> bool:
    """Tell whether an answer begins to say what can be asked, as the honest sentence does."""
    return answer.strip().startswith(outside.HONEST.split(":")[0])


def _task(kind: str, held_out: bool) -> Task:
    told = "held out" if held_out else "trained"
    return Task(f"{kind}, {told} words", partial(_asked, kind, held_out), _score, 96)


_KINDS = (*KINDS_ASKED, TWO_PICTURES)


SUITES = {
    "shapes-words": tuple(_task(kind, True) for kind in _KINDS),
    "shapes-words-trained": tuple(_task(kind, False) for kind in _KINDS),
    "shapes-inside": (_task(ANY, True),),
    "shapes-outside": (
        Task("outside, held out", partial(_outside, True), _score_outside, 48),
        Task("outside, trained", partial(_outside, False), _score_outside, 48),
        Task("other things, held out", _other_things, _score_outside, 48),
    ),
}
