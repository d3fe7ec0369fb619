"""Comparisons that are kept for a while, within a stated memory."""

import pytest
from PIL import Image

import sinktrack
from app.shared import kept as module
from app.shared.kept import Kept

PICTURE = Image.new("RGB", (56, 56), "white")


@pytest.fixture(scope="module")
def comparison(checkpoint):
    return sinktrack.compare(*checkpoint, image=PICTURE, question="What is this?", max_new_tokens=3)


def test_what_is_kept_is_found_under_its_name_alone(comparison):
    kept = Kept()
    key, other = kept.keep(comparison), kept.keep(comparison)
    assert key != other and len(key) > 20
    assert kept.get(key) is comparison and kept.get(key[:-1]) is None


def test_the_oldest_goes_when_there_is_no_room(comparison):
    size = module._size(comparison)
    trace = comparison["baseline"].trace
    assert size > 2 * (trace.sink.nbytes + trace.share.nbytes + trace.image_maps[0].nbytes)
    kept = Kept(most=2 * size)
    first, second = kept.keep(comparison), kept.keep(comparison)
    assert kept.get(first) is comparison  # asked about, so that the second is older now
    third = kept.keep(comparison)
    assert kept.get(second) is None and kept.get(first) is kept.get(third) is comparison
    assert Kept(most=size - 1).keep(comparison) is None


def test_it_is_forgotten_after_a_while(comparison, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    kept = Kept(seconds=10)
    key = kept.keep(comparison)
    now[0] = 9
    assert kept.get(key) is comparison
    now[0] = 18
    assert kept.get(key) is comparison
    now[0] = 29
    assert kept.get(key) is None
