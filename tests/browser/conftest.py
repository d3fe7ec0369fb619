"""The real page, and visitors whose browsers must have nothing to complain of."""

import gc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from asked import everything
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, Page, sync_playwright
from real_page import CHECKPOINT, Guest, Server, Visitor, endless_model, launch_chromium

from sinktrack.report.html import render
from sinktrack.report.payload import payload


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = launch_chromium(playwright)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Server]]:
    """Two pages that start at the same time.

    One is as it comes, with the bundled model. The other's model never ends an answer, and its
    queue has room for one.
    """
    model = endless_model(tmp_path_factory.mktemp("models") / "endless")
    limits = {"SINKTRACK_QUEUE_SIZE": "1", "SINKTRACK_MAX_NEW_TOKENS": "4000"}
    logs = [tmp_path_factory.mktemp("page") / "log" for _ in range(2)]
    started = {
        "bundled": Server(logs[0], SINKTRACK_MODEL=str(CHECKPOINT)),
        "endless": Server(logs[1], SINKTRACK_MODEL=str(model), **limits),
    }
    yield started
    said = "\n".join(server.stop() for server in started.values())
    assert "Traceback" not in said, said


@pytest.fixture
def collected() -> Iterator[None]:
    """Let the sockets that Gradio's client leaves to the garbage collector go with their test."""
    yield
    gc.collect()


SLOW_DISK = """
import builtins, os, time
plain_open = open
def slow_open(file, *args, **options):
    while str(file).endswith("generation_config.json") and not os.path.exists({gate!r}):
        time.sleep(0.05)
    return plain_open(file, *args, **options)
builtins.open = slow_open
"""


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[tuple[Server, Callable[[], None]]]:
    """A page without a GPU whose disk holds back the model, and what makes it go on."""
    gate = tmp_path / "gate"
    (tmp_path / "sitecustomize.py").write_text(SLOW_DISK.format(gate=str(gate)))
    (tmp_path / "page").mkdir()
    server = Server(tmp_path / "page" / "log", PYTHONPATH=str(tmp_path), CUDA_VISIBLE_DEVICES="")
    yield server, gate.touch
    gate.touch()
    assert "Traceback" not in server.stop()


@pytest.fixture
def page_url(servers: dict[str, Server]) -> str:
    return servers["bundled"].loaded()


@pytest.fixture
def endless_url(servers: dict[str, Server]) -> str:
    return servers["endless"].loaded()


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A picture like those that the bundled model has learned from."""
    image = Image.new("RGB", (112, 112), "white")
    ImageDraw.Draw(image).ellipse((4, 4, 24, 24), fill="red")
    image.save(tmp_path / "picture.png")
    return tmp_path / "picture.png"


def pytest_itemcollected(item: pytest.Item) -> None:
    """Let pages be opened last, and so closed before the servers that they are from."""
    names: list[str] = getattr(item, "fixturenames", [])
    if "visit" in names:
        names.append(names.pop(names.index("visit")))


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Any]]:
    """Open a page like someone new; at the end the browser must have had nothing to complain of."""
    visitors: list[Guest] = []

    def open_page(
        url: str, kind: type[Guest] = Visitor, width: int = 1280, height: int = 900, **options: Any
    ) -> Guest:
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        visitors.append(kind(context.new_page(), url))
        return visitors[-1]

    yield open_page
    for visitor in visitors:
        visitor.page.context.close()
    assert [trouble for visitor in visitors for trouble in visitor.troubles] == []


@pytest.fixture
def show(browser: Browser) -> Iterator[Callable[..., Page]]:
    troubles: list[str] = []
    pages: list[Page] = []

    def open_report(data: dict[str, Any], width: int = 1000) -> Page:
        page = browser.new_page(viewport={"width": width, "height": 900})
        pages.append(page)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("request", lambda request: troubles.append(request.url))
        page.set_content(render(data))
        return page

    yield open_report
    for page in pages:
        page.close()
    assert troubles == []


@pytest.fixture(scope="module")
def mixed(checkpoint: tuple[Any, Any]) -> dict[str, Any]:
    """Five methods on a conversation with two pictures, a video and a passage."""
    return payload(everything(*checkpoint))
