"""All pages work under their content security policy, and strangers cannot frame them.

A visitor complains of every violation, in these tests and in all others.
"""

import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from annotators import CODE, Annotator
from playwright.sync_api import Page, expect
from real_page import CHECKPOINT, OVERVIEW, Guest, Server
from studies import make_study

CHIEF = "coordinator's code"


@pytest.fixture
def study_url(tmp_path: Path) -> Iterator[str]:
    study = make_study(tmp_path / "study", 3)
    (tmp_path / "page").mkdir()
    codes = {"SINKTRACK_INVITE": CODE, "SINKTRACK_COORDINATOR": CHIEF}
    server = Server(tmp_path / "page" / "log", SINKTRACK_STUDY=str(study.folder), **codes)
    yield server.ready()
    assert "Traceback" not in server.stop()


def test_a_question_is_asked_under_the_policy(
    visit: Callable[..., Any], page_url: str, picture: Path
) -> None:
    """A picture goes up, answers come, plots are drawn and files are taken away."""
    visitor = visit(page_url)
    visitor.ask(picture, "What is there?")
    visitor.finish()
    assert visitor.drawn(OVERVIEW)[1] > 1
    visitor.page.locator(".stv-answer .stv-token").first.click()
    for name in ("report", "replay"):
        with visitor.page.expect_download() as download:
            visitor.page.click(f"#{name}")
        assert download.value.path().stat().st_size > 1000
    assert visitor.troubles == []


def test_a_study_is_judged_under_the_policy(visit: Callable[..., Any], study_url: str) -> None:
    ann: Annotator = visit(study_url, Annotator)
    ann.sign_in("Ann")
    ann.choose("No", ann.side("left"))
    ann.choose("No", ann.side("right"))
    ann.choose("3 · Tie")
    ann.keep()
    expect(ann.count()).to_contain_text("1 judged")
    chief = visit(f"{study_url}/results", Guest)
    chief.page.fill("#code input", CHIEF)
    chief.page.click("#show")
    expect(chief.page.locator("#results table").first).to_be_visible()
    with chief.page.expect_download() as download:
        chief.page.click("#csv")
    assert "Ann" in download.value.path().read_text()
    assert ann.troubles == chief.troubles == []


def test_a_violation_is_heard_and_nothing_leaves(visit: Callable[..., Any], page_url: str) -> None:
    """Without this the other tests would prove nothing."""
    visitor = visit(page_url)
    reached = visitor.page.evaluate(
        "fetch('http://127.0.0.2:1/').then(() => 'reached', () => 'refused')"
    )
    assert reached == "refused"
    expect(visitor.page.locator("body")).to_be_visible()
    visitor.page.wait_for_timeout(300)
    assert any(each.startswith("policy: connect-src") for each in visitor.troubles)
    visitor.troubles.clear()


@pytest.fixture
def framing() -> Iterator[Callable[[str], str]]:
    """Serve a stranger's page with a frame, and return its address."""
    servers: list[ThreadingHTTPServer] = []

    class Stranger(BaseHTTPRequestHandler):
        framed = ""

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(f"<iframe src='{self.framed}'></iframe>".encode())

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Stranger)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    servers.append(server)

    def frame(url: str = "") -> str:
        Stranger.framed = url
        return f"http://127.0.0.1:{server.server_port}"

    yield frame
    server.shutdown()
    server.server_close()


def test_a_stranger_cannot_frame_the_page_but_where_its_owner_says_so(
    browser: Any, page_url: str, framing: Callable[..., str], tmp_path: Path
) -> None:
    page: Page = browser.new_page()
    with page.expect_console_message(lambda said: "frame-ancestors" in said.text):
        page.goto(framing(page_url))
    assert not page.frames[1].url.startswith("http")
    (tmp_path / "page").mkdir()
    allowed = Server(
        tmp_path / "page" / "log",
        SINKTRACK_MODEL=str(CHECKPOINT),
        SINKTRACK_FRAME_ANCESTORS=framing(),
    )
    try:
        page.goto(framing(allowed.ready()))
        expect(page.frame_locator("iframe").locator("#ask")).to_have_count(1)
        page.close()
    finally:
        said = allowed.stop()
    assert "Traceback" not in said


def test_the_server_does_not_say_what_it_is(page_url: str) -> None:
    for path in ("/", "/healthz", "/nothing", "/gradio_api/file=/etc/passwd"):
        try:
            headers = urllib.request.urlopen(f"{page_url}{path}", timeout=30).headers
        except urllib.error.HTTPError as error:
            headers = error.headers
        assert headers["server"] is None
        assert "frame-ancestors" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
