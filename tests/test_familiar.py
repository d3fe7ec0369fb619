"""A picture is told to be unlike those that a model knows by the model's own vision tokens."""

import random

import pytest
from paths import CHECKPOINT
from PIL import Image

import sinktrack
from sinktrack.core.images import load_picture
from sinktrack.core.names import BUNDLED
from sinktrack.eval.familiar import FamiliarPictures
from sinktrack.shapes import other_pictures
from sinktrack.shapes.scenes import draw, sample_scene


@pytest.fixture(scope="module")
def known(checkpoint) -> FamiliarPictures:
    return FamiliarPictures.scenes(*checkpoint)


@pytest.mark.parametrize("scale", [1, 3, 4])
def test_held_out_scenes_are_known_in_any_size(known, scale):
    rng = random.Random(scale)
    for _ in range(20):
        scene = sample_scene(rng, rng.randint(1, 6), "test", prior=0.0)
        assert known.knows(load_picture(draw(scene, scale)))


@pytest.mark.parametrize("kind", sorted(other_pictures.PICTURES))
def test_pictures_of_every_other_kind_are_not(known, kind):
    rng = random.Random(kind)
    for _ in range(6):
        made = other_pictures.PICTURES[kind](rng).convert("RGB")
        assert not known.knows(load_picture(made))


def test_what_is_known_is_what_was_given_and_nothing_fixed(checkpoint):
    rng = random.Random(0)
    noise = [Image.frombytes("RGB", (140, 140), rng.randbytes(3 * 140**2)) for _ in range(4)]
    noisy = FamiliarPictures.read(*checkpoint, noise)
    again = Image.frombytes("RGB", (140, 140), rng.randbytes(3 * 140**2))
    assert noisy.knows(load_picture(again))
    assert not noisy.knows(load_picture(draw(sample_scene(rng, 3), 4)))


@pytest.mark.parametrize("folder", [CHECKPOINT, BUNDLED])
def test_what_a_checkpoint_keeps_is_what_it_sees_now(folder):
    given = sinktrack.load(folder)
    kept, now = FamiliarPictures.load(*given, folder), FamiliarPictures.scenes(*given)
    picture = load_picture(other_pictures.PICTURES["tree"](random.Random(1)).convert("RGB"))
    for seen in (picture, load_picture(draw(sample_scene(random.Random(2), 4, "test"), 4))):
        assert kept.distance(seen) == pytest.approx(now.distance(seen), rel=0.02)
