"""A picture that the bundled model does not know gets a notice beside its answers."""

import random
from typing import Any

import pytest

from app.shared.engine import Engine
from app.shared.events import Answered
from app.shared.stop_flag import StopFlag
from app.shared.unfamiliar import UNLIKE, Unfamiliar
from sinktrack.core.errors import PictureError
from sinktrack.shapes.other_pictures import PICTURES
from sinktrack.shapes.scenes import draw, sample_scene


@pytest.fixture
def files(tmp_path) -> dict[str, str]:
    """A held-out scene and a drawing of a kind that is kept from training."""
    rng = random.Random(1)
    draw(sample_scene(rng, 3, "test"), 4).save(tmp_path / "scene.png")
    PICTURES["tree"](rng).save(tmp_path / "tree.png")
    return {name: str(tmp_path / f"{name}.png") for name in ("scene", "tree")}


def said(engine: Engine, *pictures: str) -> tuple[str, ...]:
    request = engine.request("Is there a red star?", pictures=pictures, max_new_tokens=2)
    found = [each for each in engine.answer(request, StopFlag()) if isinstance(each, Answered)]
    return found[0].notices


def test_a_scene_gets_none_and_another_picture_one(engine, files):
    assert said(engine, files["scene"]) == ()
    assert said(engine, files["tree"]) == (UNLIKE,)
    assert said(engine, files["scene"], files["tree"]) == (UNLIKE,)


def test_other_models_are_not_measured_on_scenes(checkpoint, files):
    assert said(Engine(*checkpoint, name="another"), files["tree"]) == ()


def test_without_a_picture_nothing_is_read(checkpoint: tuple[Any, Any]):
    unfamiliar = Unfamiliar()
    assert unfamiliar.notices(*checkpoint, ()) == () and unfamiliar._familiar is None


def test_a_picture_that_cannot_be_read_is_refused(checkpoint, tmp_path):
    (tmp_path / "x.png").write_bytes(b"x")
    with pytest.raises(PictureError):
        Unfamiliar().notices(*checkpoint, (str(tmp_path / "x.png"),))
