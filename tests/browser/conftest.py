"""The real page in a process of its own, and a headless Chromium that watches over every visit."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, Error, Page, expect, sync_playwright

ROOT = Path(__file__).parent.parent.parent
CHECKPOINT = ROOT / "assets" / "shapes-vl"
START_SECONDS = 120
WAIT_MILLISECONDS = 45_000
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

expect.set_options(timeout=WAIT_MILLISECONDS)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium: the system's, else Playwright's own."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    found = next((path for path in map(shutil.which, names) if path), None)
    with sync_playwright() as playwright:
        try:
            chromium = playwright.chromium.launch(executable_path=found, args=FLAGS)
        except Error as error:
            pytest.fail(
                "The browser tests need Chromium: run `apt-get install chromium` or `playwright "
                f"install chromium`. ({error.message.splitlines()[0]})",
                pytrace=False,
            )
        yield chromium
        chromium.close()


@contextmanager
def serve(log: Path, **environment: str) -> Iterator[str]:
    """Run `python app.py` on a free port and yield its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "app.py", "--port", str(port)],
            cwd=ROOT,
            env=os.environ
            | {"OMP_NUM_THREADS": "1", "GRADIO_TEMP_DIR": str(log.parent)}
            | environment,
            stdout=output,
            stderr=output,
        )
        try:
            deadline = time.monotonic() + START_SECONDS
            while not answers(url):
                if process.poll() is not None or time.monotonic() > deadline:
                    pytest.fail(f"The page did not start:\n{log.read_text()}", pytrace=False)
                time.sleep(0.2)
            yield url
        finally:
            process.terminate()
            process.wait(timeout=30)


def answers(url: str) -> bool:
    try:
        return bool(urllib.request.urlopen(url, timeout=5).status == 200)
    except OSError:
        return False


@pytest.fixture(scope="session")
def page_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page as it comes, with the bundled model."""
    with serve(tmp_path_factory.mktemp("page") / "log", SINKTRACK_MODEL=str(CHECKPOINT)) as url:
        yield url


@pytest.fixture(scope="session")
def endless_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page with a model that never ends an answer, and room for one in the queue."""
    folder = tmp_path_factory.mktemp("endless")
    model = folder / "model"
    model.mkdir()
    for source in CHECKPOINT.iterdir():
        (model / source.name).symlink_to(source)
    config = json.loads((CHECKPOINT / "generation_config.json").read_text()) | {
        "eos_token_id": None
    }
    (model / "generation_config.json").unlink()
    (model / "generation_config.json").write_text(json.dumps(config))
    with serve(
        folder / "log",
        SINKTRACK_MODEL=str(model),
        SINKTRACK_QUEUE_SIZE="1",
        SINKTRACK_MAX_NEW_TOKENS="4000",
    ) as url:
        yield url


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A picture like those that the bundled model has learned from."""
    image = Image.new("RGB", (112, 112), "white")
    ImageDraw.Draw(image).ellipse((4, 4, 24, 24), fill="red")
    image.save(tmp_path / "picture.png")
    return tmp_path / "picture.png"


class Visitor:
    """Someone with a browser; `troubles` is what it complained about."""

    def __init__(self, page: Page, url: str) -> None:
        self.page, self.troubles = page, list[str]()
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.troubles.append(f"error: {error}"))
        page.on("request", lambda request: self._requested(request.url, url))
        page.goto(url)
        expect(page.locator("#stage .stv-card")).to_have_count(2)

    def _heard(self, message: Any) -> None:
        if message.type == "error":
            self.troubles.append(f"console: {message.text}")

    def _requested(self, address: str, url: str) -> None:
        if not address.startswith((url, "data:", "blob:")):
            self.troubles.append(f"request: {address}")

    def give(self, picture: Path | None, question: str) -> None:
        if picture is not None:
            self.page.set_input_files("#picture input[type=file]", picture)
            expect(self.page.locator("#picture img")).to_be_visible()
        self.page.fill("#question textarea", question)

    def allow(self, tokens: int) -> None:
        """Set how long an answer may be."""
        self.page.locator("#settings button").first.click()
        length = self.page.locator("#settings input[type=number]").first
        length.fill(str(tokens))
        length.blur()

    def ask(self, picture: Path | None, question: str) -> None:
        self.give(picture, question)
        self.page.click("#ask")

    def finish(self) -> None:
        """Wait for the heatmaps, which come with the end of an answer."""
        expect(self.page.locator("#stage canvas")).to_have_count(4)
        expect(self.page.locator("#ask")).to_be_enabled()

    def answer(self, lane: str) -> Any:
        return self.page.locator(f"[data-lane={lane}] .stv-answer")

    def status(self) -> Any:
        return self.page.locator(".st-status-text")

    def toast(self) -> Any:
        return self.page.locator(".toast-wrap")

    def pixels(self, index: int) -> list[int]:
        """Return the colours on one of the canvases: two a lane, tokens first, then heads."""
        script = """canvas => Array.from(new Uint32Array(canvas.getContext("2d")
            .getImageData(0, 0, canvas.width, canvas.height).data.buffer))"""
        colours: list[int] = self.page.locator("#stage canvas").nth(index).evaluate(script)
        return colours

    def overflow(self) -> int:
        """Return by how many pixels the page is wider than its window."""
        width: int = self.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        return width


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Visitor]]:
    """Open a page like someone new; at the end the browser must have had nothing to complain of."""
    visitors: list[Visitor] = []

    def open_page(url: str, width: int = 1280, height: int = 900, **options: Any) -> Visitor:
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        visitors.append(Visitor(context.new_page(), url))
        return visitors[-1]

    yield open_page
    for visitor in visitors:
        visitor.page.context.close()
    assert [trouble for visitor in visitors for trouble in visitor.troubles] == []
