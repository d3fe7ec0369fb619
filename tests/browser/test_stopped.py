"""A server that is stopped while people use it: real processes, a real browser, a real database."""

import json
import sqlite3
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from annotators import CODE
from playwright.sync_api import expect
from real_page import Server, Visitor, endless_model
from studies import make_study, open_store


def lines(said: str) -> list[dict[str, Any]]:
    """Return what the log has, where it is JSON."""
    return [json.loads(line) for line in said.splitlines() if line.startswith("{")]


def test_an_answer_under_way_is_cut_with_a_sentence(
    visit: Callable[..., Any], tmp_path: Path, picture: Path
) -> None:
    model = endless_model(tmp_path / "endless")
    (tmp_path / "page").mkdir()
    server = Server(
        tmp_path / "page" / "log",
        SINKTRACK_MODEL=str(model),
        SINKTRACK_MAX_NEW_TOKENS="4000",
        SINKTRACK_LOG="json",
    )
    url = server.ready()
    first, second = visit(url), visit(url)
    first.allow(4000)
    first.ask(picture, "My secret question?")
    expect(first.status()).to_contain_text("Writing token")
    second.ask(picture, "My other secret?")
    expect(second.status()).to_contain_text("before")
    server.terminate()
    expect(second.toast()).to_contain_text("about to restart")
    expect(first.status()).to_contain_text("Stopped after")
    expect(first.page.locator("#stage")).to_contain_text("about to restart")
    assert server.status() == 0
    for visitor in (first, second):
        visitor.page.goto("about:blank")
        visitor.troubles.clear()  # the browser complains of the server that has gone
    said = server.said()
    assert "secret" not in said and picture.name not in said
    asked = {each["outcome"]: each for each in lines(said) if each["event"] == "ask"}
    assert set(asked) == {"stopped", "refused"}
    assert asked["stopped"]["tokens"] > 0
    assert not list((tmp_path / "page").rglob(picture.name)), "an upload outlives the server"


def vote(url: str) -> Callable[[], dict[str, Any]]:
    """Sign in, and return what sends a whole vote."""
    config = json.load(urllib.request.urlopen(f"{url}/config", timeout=30))
    judge = next(
        one["id"] for one in config["components"] if one["props"].get("elem_id") == "judge"
    )

    def call(**data: Any) -> dict[str, Any]:
        body = {"component_id": judge, "fn_name": "answer", "session_hash": "x", "data": data}
        request = urllib.request.Request(
            f"{url}/gradio_api/component_server",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        found: dict[str, Any] = json.load(urllib.request.urlopen(request, timeout=30))
        return found

    signed = call(what="sign in", name="Ann", code=CODE)
    pair = {name: signed["pair"][name] for name in ("place", "seal")}
    judged = {side: {"severity": "none", "spans": []} for side in ("left", "right")}
    whole = {"token": signed["token"], "key": "a-key-of-its-own", "better": "tie"}
    return lambda: call(what="vote", **whole, **pair, **judged, comment="my secret")


def test_a_vote_under_way_is_kept(tmp_path: Path) -> None:
    """Another writer holds the database while the server is asked to end."""
    study = make_study(tmp_path / "study", 3)
    (tmp_path / "page").mkdir()
    server = Server(
        tmp_path / "page" / "log",
        SINKTRACK_STUDY=str(study.folder),
        SINKTRACK_INVITE=CODE,
        SINKTRACK_LOG="json",
    )
    url = server.ready()
    assert json.load(urllib.request.urlopen(f"{url}/readyz", timeout=30))["checks"] == {
        "open": True,
        "database": True,
        "disk": True,
    }
    cast, answers = vote(url), list[dict[str, Any]]()
    other = sqlite3.connect(study.folder / "votes.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    voting = threading.Thread(target=lambda: answers.append(cast()))
    voting.start()
    time.sleep(0.5)
    assert not answers
    server.terminate()
    time.sleep(1)
    other.execute("COMMIT")
    other.close()
    voting.join(30)
    assert server.status() == 0
    assert answers[0]["kept"] is True
    assert not (study.folder / "votes.sqlite-wal").exists(), "earlier states outlive the server"
    store = open_store(study)
    (kept,) = store.standing()
    store.close()
    assert (kept["better"], kept["name"]) == ("tie", "Ann")
    said = server.said()
    assert [each["outcome"] for each in lines(said) if each["event"] == "vote"] == ["done"]
    assert "secret" not in said and "Traceback" not in said


def test_a_server_that_is_still_loading_ends_as_well(slow: tuple[Server, Any]) -> None:
    server, _ = slow
    server.ready()
    server.terminate()
    assert server.status() == 0


def test_a_failure_has_a_number_that_the_log_has(
    visit: Callable[..., Any], tmp_path: Path, picture: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(BROKEN)
    (tmp_path / "page").mkdir()
    server = Server(tmp_path / "page" / "log", PYTHONPATH=str(tmp_path), SINKTRACK_LOG="json")
    visitor: Visitor = visit(server.ready())
    visitor.ask(picture, "My secret question?")
    expect(visitor.toast()).to_contain_text("Something went wrong")
    told = visitor.toast().inner_text()
    said = server.stop()
    visitor.page.goto("about:blank")
    visitor.troubles.clear()
    (failed,) = [each for each in lines(said) if each["outcome"] == "failed"]
    assert failed["id"] in told and "ZeroDivisionError" in failed["trace"]
    assert "secret" not in said


BROKEN = """
import sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "app.shared.troubles":
            import sinktrack
            def stream(*given, question, **options):
                raise ZeroDivisionError(question)
                yield
            sinktrack.stream = stream
        return None
sys.meta_path.insert(0, Finder())
"""
