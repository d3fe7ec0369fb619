"""The page in a process of its own, and a browser that meets it.

Scripts in benchmarks/ use this as well.
"""

import json
import os
import re
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

from playwright.sync_api import Browser, Error, Locator, Page, Playwright, Route, expect

ROOT = Path(__file__).parent.parent.parent
CHECKPOINT = ROOT / "assets" / "shapes-vl-anchored"
START_SECONDS = 120
# Canvases, one a lane: layers x tokens; layers x heads; the chosen token over the picture.
OVERVIEW = ".stv-attention canvas"
HEADS = ".stv-finder .stv-plot canvas"
OVERLAY = ".stv-one .stv-picture canvas"
WAIT_MILLISECONDS = 45_000
SERVER_CALL = re.compile("/component_server")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--ignore-certificate-errors",  # a page allowed to go on may be refused dozens of times first
]

expect.set_options(timeout=WAIT_MILLISECONDS)


def launch_chromium(playwright: Playwright) -> Browser:
    """Start the system's Chromium, else Playwright's own.

    Raises:
        RuntimeError: If there is neither, with how to get one.
    """
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    found = next((path for path in map(shutil.which, names) if path), None)
    try:
        return playwright.chromium.launch(executable_path=found, args=FLAGS)
    except Error as error:
        raise RuntimeError(
            "Chromium is needed here: run `apt-get install chromium` or `playwright install "
            f"chromium`. ({error.message.splitlines()[0]})"
        ) from error


def endless_model(folder: Path) -> Path:
    """Make a folder with the bundled model, but one that never ends an answer."""
    folder.mkdir()
    for source in CHECKPOINT.iterdir():
        (folder / source.name).symlink_to(source)
    config = json.loads((CHECKPOINT / "generation_config.json").read_text())
    (folder / "generation_config.json").unlink()
    (folder / "generation_config.json").write_text(json.dumps(config | {"eos_token_id": None}))
    return folder


class Server:
    """`python app.py` in a process of its own, on a free port.

    Args:
        log: The file that takes what it says.
        **environment: Variables to add to this process's.

    Attributes:
        folder: Where it keeps what is uploaded.
    """

    def __init__(self, log: Path, **environment: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self._url, self._log = f"http://127.0.0.1:{port}", log
        self.folder = log.parent
        with log.open("w") as output:
            self._process = subprocess.Popen(
                [sys.executable, "app.py", "--port", str(port)],
                cwd=ROOT,
                env=os.environ | self._folders(log.parent) | environment,
                stdout=output,
                stderr=output,
            )

    @staticmethod
    def _folders(own: Path) -> dict[str, str]:
        """Return where the page keeps files, so that no two pages share any."""
        return {"GRADIO_TEMP_DIR": str(own), "SINKTRACK_KEEP": f"{own}-kept"}

    def ready(self) -> str:
        """Wait until the page is there, and return its address.

        Raises:
            RuntimeError: If the page does not start, with what it said.
        """
        return self._wait("")

    def loaded(self) -> str:
        """Wait until the model is there as well, and return the page's address.

        Raises:
            RuntimeError: As `ready`.
        """
        return self._wait("readyz")

    def _wait(self, path: str) -> str:
        deadline = time.monotonic() + START_SECONDS
        while not self._answers(path):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"The page did not start:\n{self.said()}")
            time.sleep(0.2)
        return self._url

    def _answers(self, path: str) -> bool:
        try:
            with urllib.request.urlopen(f"{self._url}/{path}", timeout=5) as response:
                return bool(response.status == 200)
        except OSError:
            return False

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def said(self) -> str:
        """Return what the process has said."""
        return self._log.read_text()

    def terminate(self) -> None:
        """Ask the process to end, as whoever runs servers does."""
        self._process.terminate()

    def kill(self) -> None:
        """End the process at once, as a crash does."""
        self._process.kill()
        self._process.wait(timeout=30)

    def status(self) -> int:
        """Wait for the end of the process, and return its exit status."""
        return self._process.wait(timeout=30)

    def stop(self) -> str:
        """End the process and return what it has said."""
        self.terminate()
        self.status()
        return self.said()


class Guest:
    """Someone with a browser on some page of ours; `troubles` is what it complained about."""

    ready = "body"
    """What stands on the page once it can be used."""
    HEARS_POLICY = """document.addEventListener("securitypolicyviolation", (event) =>
        policyViolated(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`));"""

    def __init__(self, page: Page, url: str) -> None:
        self.page, self.troubles = page, list[str]()
        origin = "/".join(url.split("/")[:3])
        page.expose_function("policyViolated", lambda what: self.troubles.append(f"policy: {what}"))
        page.add_init_script(self.HEARS_POLICY)
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.troubles.append(f"error: {error}"))
        page.on("request", lambda request: self._requested(request.url, origin))
        page.goto(url)
        try:
            expect(page.locator(self.ready)).to_be_visible()
        except AssertionError as error:
            raise AssertionError(f"{error}\nThe browser complained: {self.troubles}") from error

    def _heard(self, message: Any) -> None:
        if message.type == "error":
            self.troubles.append(f"console: {message.text}")

    def _requested(self, address: str, origin: str) -> None:
        if not address.startswith((origin, "data:", "blob:")):
            self.troubles.append(f"request: {address}")

    def overflow(self) -> int:
        """Return by how many pixels the page is wider than its window."""
        width: int = self.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        return width


@contextmanager
def holding(page: Page, what: str) -> Iterator[list[Route]]:
    """Let a page's requests for this wait until the end of a block; give those that wait."""
    held: list[Route] = []
    with meeting(page, what, held.append):
        yield held
        for route in held:
            route.continue_()


@contextmanager
def losing(page: Page, what: str) -> Iterator[None]:
    """Lose the server's answers to a page's requests for this, though it does what they ask."""

    def lose(route: Route) -> None:
        route.fetch()
        route.abort()

    with meeting(page, what, lose):
        yield


@contextmanager
def meeting(page: Page, what: str, met: Callable[[Route], None]) -> Iterator[None]:
    """Give away a page's requests for this, in a block; others go their way."""

    def meet(route: Route) -> None:
        data = (route.request.post_data_json or {}).get("data")
        if isinstance(data, dict) and data.get("what") == what:
            met(route)
        else:
            route.continue_()

    page.route(SERVER_CALL, meet)
    yield
    page.unroute(SERVER_CALL, meet)


class Visitor(Guest):
    """Someone on the page that compares answers."""

    ready = "#stage .stv-card >> nth=1"

    def give(self, picture: Path | None, question: str) -> None:
        if picture is not None:
            self.page.locator("#picture-tab-button").click()
            self.page.set_input_files("#picture input[type=file]", picture)
            expect(self.page.locator(f"#picture img[src$='{picture.name}']")).to_be_visible()
        self.page.fill("#question textarea", question)

    def turn_to(self, tab: str) -> None:
        """Turn to a tab of what is asked about."""
        example = "Stored" in self.status().inner_text()
        self.page.locator("#about").get_by_role("tab", name=tab, exact=True).click()
        if tab == "Passage" and example:  # which makes room
            expect(self.status()).to_contain_text("Ask, and the answers appear here")

    def take_away(self) -> None:
        """Take the picture away that is there."""
        clear = self.page.locator("#picture button[aria-label='Clear']")
        clear.or_(self.page.get_by_label("Remove")).click()
        expect(self.page.locator("#picture img")).to_have_count(0)

    def allow(self, tokens: int) -> None:
        """Set how long an answer may be."""
        self.page.locator("#settings button").first.click()
        length = self.page.locator("#settings input[type=number]").first
        slider = self.page.locator("#settings input[type=range]").first
        expect(slider).to_be_visible()
        deadline = time.monotonic() + WAIT_MILLISECONDS / 1000
        while slider.input_value() != str(tokens):  # the page has taken it, not its field alone
            assert time.monotonic() < deadline, f"The page does not take {tokens} tokens."
            length.fill(str(tokens))  # again, for a page that is still arriving drops it
            length.blur()
            self.page.wait_for_timeout(200)

    def ask(self, picture: Path | None, question: str) -> None:
        self.give(picture, question)
        self.page.click("#ask")

    def finish(self, milliseconds: int = WAIT_MILLISECONDS) -> None:
        """Wait for the heatmaps, which come with the end of an answer, and for the downloads."""
        done = re.compile("^(Done|Stopped) after")
        expect(self.status()).to_have_text(done, timeout=milliseconds)
        expect(self.page.locator("#ask")).to_be_enabled()

    def answer(self, lane: str) -> Locator:
        return self.page.locator(f"[data-lane={lane}] .stv-answer")

    def status(self) -> Locator:
        return self.page.locator(".st-status-text")

    def toast(self) -> Locator:
        return self.page.locator(".toast-wrap")

    def drawn(self, where: str, index: int = 0) -> tuple[int, int]:
        """Return a checksum and the number of colours of a canvas: see OVERVIEW and the others."""
        script = """canvas => {
            const { width, height } = canvas;
            const data = canvas.getContext("2d").getImageData(0, 0, width, height).data;
            const pixels = new Uint32Array(data.buffer);
            const checksum = pixels.reduce((sum, pixel) => (sum * 31 + pixel) >>> 0, 7);
            return [checksum, new Set(pixels).size];
        }"""
        checksum, colours = self.page.locator(f"#stage {where}").nth(index).evaluate(script)
        return checksum, colours
