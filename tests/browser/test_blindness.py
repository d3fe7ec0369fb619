"""Nothing that reaches a browser before the vote tells which method stands on which side."""

import random
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from annotators import CODE, Annotator
from playwright.sync_api import Response, expect
from real_page import Server
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from studies import LANES, YAML, make_study

from app.study.stats import sign_test

ITEMS = 200
CHANCE_P = 1e-4
"""A classifier that guesses is called better than chance once in ten thousand runs."""
WORDS = ("there", "is", "a", "red", "blue", "green", "small", "circle", "star", "on", "the", "left")


@dataclass(frozen=True)
class Received:
    """All that came between two votes.

    Args:
        said: Addresses, headers and bodies in their order, without the answers' own texts.
        numbers: How many responses, their bytes, and the milliseconds that each phase took.
    """

    said: str
    numbers: tuple[float, ...]


def received(responses: list[Response], texts: tuple[str, str]) -> Received:
    said, size, first, last = "", 0, 0.0, 0.0
    for response in responses:
        body = response.body().decode("utf-8", "replace")
        for text in texts:
            body = body.replace(text, "")
        headers = "\n".join(f"{one['name']}: {one['value']}" for one in response.headers_array())
        said += f"{response.url.split('/', 3)[-1]}\n{response.status}\n{headers}\n{body}\n"
        size += len(body)
        timing = response.request.timing
        first, last = first + timing["responseStart"], last + timing["responseEnd"]
    return Received(said, (len(responses), len(said), size, first, last))


def correct(everything: list[Received], sides: np.ndarray) -> tuple[int, int]:
    """Return how many sides are told right from what was said, and from the numbers alone.

    A side is told by what was learned from four fifths of the items that it is not among.
    """
    grams = CountVectorizer(analyzer="char", ngram_range=(1, 5), binary=True, max_df=0.99)
    reader = make_pipeline(grams, LogisticRegression(max_iter=1000))
    counter = RandomForestClassifier(100, random_state=0)
    said, numbers = [one.said for one in everything], [one.numbers for one in everything]
    told = cross_val_predict(reader, said, sides), cross_val_predict(counter, numbers, sides)
    return int((told[0] == sides).sum()), int((told[1] == sides).sum())


def better_than_chance(right: int) -> bool:
    return right > ITEMS / 2 and sign_test(right, ITEMS - right) < CHANCE_P


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A study in which chance says which lane wrote which text, so that no text tells it."""
    rng = random.Random(0)

    def sentence() -> str:
        return " ".join(rng.choices(WORDS, k=rng.randint(4, 30)))

    texts = [(sentence(), sentence()) for _ in range(ITEMS)]
    yaml = YAML + "ask: []\nvotes_per_item: 1\n"
    return make_study(tmp_path / "blind", ITEMS, yaml, texts=texts.__getitem__).folder


@pytest.fixture
def study_url(folder: Path, tmp_path: Path) -> Iterator[str]:
    (tmp_path / "page").mkdir()
    server = Server(tmp_path / "page" / "log", SINKTRACK_STUDY=str(folder), SINKTRACK_INVITE=CODE)
    yield server.ready()
    assert "Traceback" not in server.stop()


def test_no_classifier_tells_the_sides(
    visit: Callable[..., Any], study_url: str, folder: Path
) -> None:
    ann: Annotator = visit(study_url, Annotator)
    responses: list[Response] = []
    frames: list[Any] = []
    ann.page.on("response", lambda response: responses.append(response))
    ann.page.on("websocket", lambda socket: frames.append(socket))
    ann.sign_in("Ann")
    everything = []
    for n in range(ITEMS):
        expect(ann.count()).to_contain_text(f"{n} judged")
        everything.append(received(responses, (ann.text("left"), ann.text("right"))))
        responses.clear()
        ann.page.keyboard.press("3")
        ann.page.keyboard.press("Enter")
    expect(ann.page.get_by_text("That was the last one.")).to_be_visible()
    assert frames == []

    with sqlite3.connect(folder / "votes.sqlite") as database:
        lefts = database.execute('SELECT "left" FROM places ORDER BY given').fetchall()
    database.close()
    sides = np.array([left == LANES[1] for (left,) in lefts])
    assert len(sides) == ITEMS and all(one.numbers[0] >= 1 for one in everything)
    assert not any(map(better_than_chance, correct(everything, sides)))

    # and both would have noticed, had there been anything
    byte = [
        replace(one, said=one.said + ("x" if side else ""))
        for one, side in zip(everything, sides, strict=True)
    ]
    assert better_than_chance(correct(byte, sides)[0])
    slower = np.std([one.numbers[4] for one in everything]) * 2 * sides
    late = [
        replace(one, numbers=(*one.numbers[:4], one.numbers[4] + more))
        for one, more in zip(everything, slower, strict=True)
    ]
    assert better_than_chance(correct(late, sides)[1])
