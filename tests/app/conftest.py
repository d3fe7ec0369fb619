"""An engine over the bundled checkpoint, and one whose model never ends an answer by itself."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

from app.shared.engine import Engine


@pytest.fixture
def draw(tmp_path: Path) -> Callable[..., str]:
    """Return what writes a picture of one coloured shape and returns its path."""

    def write(name: str, shape: str = "ellipse", colour: str = "red") -> str:
        image = Image.new("RGB", (112, 112), "white")
        getattr(ImageDraw.Draw(image), shape)((8, 8, 48, 48), fill=colour)
        image.save(tmp_path / name)
        return str(tmp_path / name)

    return write


@pytest.fixture
def picture(draw: Callable[..., str]) -> str:
    return draw("picture.png")


@pytest.fixture
def engine(checkpoint: tuple[Any, Any]) -> Engine:
    return Engine(*checkpoint, name="shapes-vl", bundled=True)


@pytest.fixture
def endless(engine: Engine, checkpoint: tuple[Any, Any]) -> Iterator[Engine]:
    config = checkpoint[0].generation_config
    before, config.eos_token_id = config.eos_token_id, None
    yield engine
    config.eos_token_id = before
