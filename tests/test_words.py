"""Questions in people's words and outside the little world, as tasks."""

import random

import pytest
from PIL import Image

from sinktrack.eval.tasks import find
from sinktrack.shapes import other_pictures, outside
from sinktrack.shapes.everyday import KINDS_ASKED
from sinktrack.shapes.phrasings import PHRASINGS, phrasings


@pytest.mark.parametrize("name", ["shapes-words", "shapes-words-trained", "shapes-inside"])
def test_questions_come_with_their_pictures_and_what_was_said(name):
    tasks = find(name)
    for task in tasks:
        items = list(task.items("test", 8))
        again = [item.question for item in task.items("test", 9)]
        assert [item.question for item in items] == again[:8] and len(again) == 9
        for item in items:
            assert len(item.images) == (2 if task.name.startswith("two pictures") else 1)
            assert bool(item.earlier) == task.name.startswith("follow-up") or name.endswith("side")
            assert task.score(item, item.answer) == {"exact": (1.0, 1.0), "refused": (0.0, 1.0)}
            refused = task.score(item, outside.HONEST)
            assert refused == {"exact": (0.0, 1.0), "refused": (1.0, 1.0)}
    assert len(tasks) == (1 if name.endswith("side") else len(KINDS_ASKED) + 1)


def test_what_lies_outside_is_asked_about_scenes_pictures_and_nothing():
    *tasks, things = find("shapes-outside")
    assert len({item.question for item in things.items("test", 30)}) > 25
    for task in tasks:
        items = list(task.items("test", 40))
        about = [item.facts["about"] for item in items]
        assert {each: about.count(each) for each in set(about)} == {
            "scene": 20, "picture": 10, "nothing": 10
        }  # fmt: skip
        for item in items:
            assert len(item.images) == (item.facts["about"] != "nothing")
            assert all(min(image().size) >= other_pictures.SIDE for image in item.images)
            assert task.score(item, f" {outside.HONEST}")["honest"] == (1.0, 1.0)
            assert task.score(item, "There is a red circle.")["honest"] == (0.0, 1.0)


def test_half_of_the_words_and_of_the_world_outside_are_kept_from_training():
    for kind in PHRASINGS:
        trained, held_out = set(phrasings(kind, False)), set(phrasings(kind, True))
        assert not trained & held_out and trained | held_out == set(PHRASINGS[kind])
    rng = random.Random(0)
    asked = [{outside.question(rng, held_out).text for _ in range(2000)} for held_out in (0, 1)]
    assert not asked[0] & asked[1]
    assert other_pictures.PICTURES.keys() > other_pictures.HELD_OUT_PICTURES
    for name, drawn in other_pictures.PICTURES.items():
        picture = drawn(rng)
        assert isinstance(picture, Image.Image), name
