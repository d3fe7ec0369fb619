"""Engines over the bundled checkpoint, one of them without an end, and databases of votes."""

import random
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import databases
import pytest
from hub import Hub
from PIL import Image, ImageDraw
from studies import CODE, open_store

from app.shared.engine import Engine
from app.study.judging import Judging
from app.study.vote_store import VoteStore
from sinktrack.study.folder import Study


class Clock:
    """Seconds that a test sets; a whole number of minutes at first."""

    now = 60_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


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


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    if databases.programs() is None:
        pytest.skip("PostgreSQL is not installed here: apt-get install postgresql")
    with databases.server() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database, of each sort."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'votes.sqlite'}"
    return str(request.getfixturevalue("postgres"))


@pytest.fixture
def make(url: str) -> Iterator[Callable[..., VoteStore]]:
    """Open a study of its own in the database, as often as one likes."""
    opened = []
    name = uuid.uuid4().hex

    def open_store(
        items: Any = ("a", "b", "c"),
        votes_per_item: int = 2,
        seed: int = 0,
        lanes: Any = ("baseline", "sinktrack"),
        **options: Any,
    ) -> VoteStore:
        options |= {"lanes": lanes, "items": items, "votes_per_item": votes_per_item}
        opened.append(VoteStore(url, study=name, rng=random.Random(seed), **options))
        return opened[-1]

    yield open_store
    for store in opened:
        store.close()


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    return Hub(tmp_path / "hub")


@pytest.fixture
def store(study: Study) -> Iterator[VoteStore]:
    store = open_store(study)
    yield store
    store.close()


@pytest.fixture
def judging(study: Study, store: VoteStore) -> Judging:
    return Judging(study, store, CODE)


@pytest.fixture
def ann(judging: Judging) -> dict[str, Any]:
    return judging.answer({"what": "sign in", "name": "Ann", "code": CODE})
