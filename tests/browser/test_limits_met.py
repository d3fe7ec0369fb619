"""Visitors who meet a limit are told when to try again, and the owner sees that they were."""

import re
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect
from real_page import Guest, Server, Visitor, endless_model

CODE = "correct horse battery"


class Owner(Guest):
    """Someone at the owner's page."""

    ready = "form input"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    (tmp_path / "page").mkdir()
    server = Server(
        tmp_path / "page" / "log",
        SINKTRACK_MODEL=str(endless_model(tmp_path / "endless")),
        SINKTRACK_MAX_NEW_TOKENS="4000",
        SINKTRACK_MODEL_SECONDS_AN_HOUR="1",
        SINKTRACK_UPLOADS_A_MINUTE="1",
        SINKTRACK_OWNER=CODE,
        SINKTRACK_METRICS="1",
    )
    yield server
    said = server.stop()
    assert "Traceback" not in said and "secret" not in said


def metrics(url: str) -> dict[str, float]:
    asked = urllib.request.Request(f"{url}/metrics", headers={"Authorization": f"Bearer {CODE}"})
    with urllib.request.urlopen(asked, timeout=60) as answer:
        lines = answer.read().decode().splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in pairs}


def upload(url: str) -> int:
    """Upload two files in one request, as a program; return the status."""
    body = b"".join(
        b'--cut\r\nContent-Disposition: form-data; name="files"; filename="a.txt"\r\n\r\nx\r\n'
        for _ in range(2)
    )
    asked = urllib.request.Request(f"{url}/gradio_api/upload", body + b"--cut--\r\n")
    asked.add_header("Content-Type", "multipart/form-data; boundary=cut")
    try:
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        assert "1 file came within a minute" in refused.read().decode()
        return refused.code


def test_whoever_has_had_enough_is_told_when_to_come_again(
    visit: Callable[..., Any], server: Server
) -> None:
    url = server.ready()
    visitor: Visitor = visit(url)
    visitor.allow(4000)
    visitor.ask(None, "My secret question?")
    expect(visitor.status()).to_contain_text("Writing token")
    visitor.page.wait_for_timeout(1500)  # the model works for longer than it may
    visitor.page.click("#stop")
    visitor.finish()
    visitor.page.click("#ask")
    expect(visitor.toast()).to_contain_text(
        re.compile("has worked 1 second within an hour.*ask again in 60 minutes")
    )
    expect(visitor.page.locator("#ask")).to_be_enabled()
    assert visitor.answer("baseline").inner_text(), "What was there before is there again."

    other: Visitor = visit(url)  # a new tab of the same address gains nothing
    other.page.click("#ask")
    expect(other.toast()).to_contain_text("ask again in")

    assert upload(url) == 429
    assert not list((Path(server._log).parent).rglob("a.txt")), "Of a refused upload nothing stays."
    found = metrics(url)
    assert found['sinktrack_turned_away_total{limit="model seconds"}'] == 2
    assert found['sinktrack_turned_away_total{limit="uploads"}'] == 1
    assert found['sinktrack_requests_total{event="ask",outcome="stopped"}'] == 1
    assert found['sinktrack_turn_seconds_sum{kind="answer"}'] > 1

    owner: Owner = visit(f"{url}/owner", Owner, width=390)
    owner.page.fill("input", CODE)
    owner.page.click("button")
    expect(owner.page.locator("#now")).to_contain_text("model seconds")
    owner.page.evaluate("document.getElementById('now').textContent = 'old'")
    expect(owner.page.locator("#now")).to_contain_text("Waiting")  # it refreshes itself
    assert owner.overflow() <= 0


def test_a_visitor_who_uploads_too_much_is_told(
    visit: Callable[..., Any], server: Server, picture: Path
) -> None:
    visitor: Visitor = visit(server.ready())
    visitor.give(picture, f"What is {uuid.uuid4().hex}?")
    visitor.page.locator("#picture button[aria-label='Clear']").or_(
        visitor.page.get_by_label("Remove")
    ).click()
    visitor.page.set_input_files("#picture input[type=file]", picture)
    expect(visitor.page.locator("body")).to_contain_text("1 file came within a minute")
    visitor.page.goto("about:blank")  # before the server ends
    visitor.troubles = [each for each in visitor.troubles if "429" not in each]
