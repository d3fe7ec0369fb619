"""A foreign page in the browser of somebody who is signed in reads nothing and does nothing."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from annotators import CODE, Annotator
from foreign_page import HOSTS, ForeignPage, elsewhere
from played_hub import space
from playwright.sync_api import expect
from real_page import CHECKPOINT, Guest, Server, Visitor
from studies import make_study

CALL = "/gradio_api/component_server"
UPLOAD = "/gradio_api/upload"
REFUSED = "A foreign page cannot do this"
OWNER = "correct horse battery"
SECRET = "Is there a red circle, Rumpelstilzchen?"


@pytest.fixture
def foreign() -> Iterator[Callable[[Guest, str], Iterator[ForeignPage]]]:
    """Open foreign pages beside somebody's own, one after the other."""
    with elsewhere() as port:

        def pages(victim: Guest, url: str) -> Iterator[ForeignPage]:
            for host in HOSTS:
                page = victim.page.context.new_page()
                page.goto(f"http://{host}:{port}")
                yield ForeignPage(page, url)
                page.close()

        yield pages


@pytest.fixture(params=["code", "hub"])
def study_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A study whose annotators sign in with its code, or with Hugging Face and its cookie."""
    folder = make_study(tmp_path / "study").folder
    if request.param == "hub":
        with space(folder, tmp_path / "page") as url:
            yield url.replace("127.0.0.1", "localhost")
        return
    (tmp_path / "page").mkdir()
    codes = {"SINKTRACK_INVITE": CODE, "SINKTRACK_COORDINATOR": "coordinator's code"}
    server = Server(tmp_path / "page" / "log", SINKTRACK_STUDY=str(folder), **codes)
    yield server.ready().replace("127.0.0.1", "localhost")
    assert "Traceback" not in server.stop()


def comments(tmp_path: Path) -> list[str]:
    """Return what votes that were kept say."""
    with sqlite3.connect(tmp_path / "study" / "votes.sqlite") as database:
        rows = database.execute("SELECT comment FROM votes").fetchall()
    database.close()
    return sorted(comment for (comment,) in rows)


def files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


def sign_in(ann: Annotator) -> None:
    """Sign in, whichever way the study wants it."""
    button = ann.page.locator("#sign-in")
    expect(button.or_(ann.page.locator(".sj-sign [name=name]"))).to_be_visible()
    if button.count():
        button.click()
    else:
        ann.sign_in("Ann")
    expect(ann.count()).to_have_text("0 judged · 3 to go")


def from_her_own_page(ann: Annotator, url: str, body: str) -> Any:
    """Send a call as her page does, and return the answer."""
    return ann.page.evaluate(
        "async ([url, body]) => (await fetch(url, { method: 'POST', body,"
        " headers: { 'Content-Type': 'application/json' } })).json()",
        [url + CALL, body],
    )


def calls_of(ann: Annotator, url: str) -> tuple[str, str]:
    """Return the bodies of calls that work from her own page: for her next pair, and a vote on it.

    They have her token, which no foreign page knows: where it signs in by a cookie it needs none.
    """
    config = json.loads(ForeignPage(ann.page, url).get("/config")[0][1])
    (judge,) = [one["id"] for one in config["components"] if one["props"].get("elem_id") == "judge"]
    call = {"component_id": judge, "fn_name": "answer", "session_hash": "x"}
    kept = ann.page.evaluate("JSON.parse(Object.values(localStorage)[0] ?? '{}').token")
    asked = {"what": "next", "token": kept} if kept else {"what": "sign in"}
    ask = json.dumps(call | {"data": asked})
    said = from_her_own_page(ann, url, ask)
    vote = {"what": "vote", "token": kept or said["token"], "key": "a-key-of-its-own"}
    vote |= {name: said["pair"][name] for name in ("place", "seal")}
    vote |= {side: {"severity": "none", "spans": []} for side in ("left", "right")}
    vote |= {"better": "left", "comment": "Sent", "seconds": 1.0}
    return ask, json.dumps(call | {"data": vote})


def test_no_foreign_page_votes_or_reads_for_who_is_signed_in(
    study_url: str,
    visit: Callable[..., Any],
    foreign: Callable[..., Iterator[ForeignPage]],
    tmp_path: Path,
) -> None:
    ann: Annotator = visit(study_url, Annotator)
    sign_in(ann)
    ask, vote = calls_of(ann, study_url)
    join = json.dumps({"data": [], "fn_index": 0, "session_hash": "x"})
    before = files(tmp_path / "page")
    assert ForeignPage(ann.page, study_url).include("/favicon.ico") == "loaded"
    for page in foreign(ann, study_url):
        read = page.get("/", "/config", "/gradio_api/info", "/login/huggingface", "/logout")
        read += page.post(CALL, ask, vote) + page.post("/gradio_api/queue/join", join)
        assert all(status == 403 and REFUSED in text for status, text in read), read
        for body in (ask, vote):
            assert REFUSED in page.submit(CALL, body)
        assert REFUSED in page.submit("/gradio_api/queue/join", join)
        assert REFUSED in page.submit(UPLOAD)
        for address in ("/logout", "/favicon.ico"):
            assert page.include(address) == "refused", address
        assert page.open("/logout") == []
        assert page.open(messages=[json.loads(vote), json.loads(vote)["data"]]) == []
        assert not page.frame().startswith("http")
    assert comments(tmp_path) == []
    assert files(tmp_path / "page") == before
    assert from_her_own_page(ann, study_url, vote)["kept"]  # what was refused was a whole vote
    ann.page.reload()
    expect(ann.count()).to_have_text("1 judged · 2 to go")  # she is still signed in
    for side in ("left", "right"):
        ann.choose("No", ann.side(side))
    ann.choose("3 · Tie")
    ann.page.fill(".sj-verdict textarea", "Typed")
    ann.keep()
    expect(ann.count()).to_have_text("2 judged · 1 to go")
    assert comments(tmp_path) == ["Sent", "Typed"]
    if ann.page.locator("#sign-in").count():
        # on a Space the page asks the hub for fonts, and here for the signing in
        ann.troubles[:] = [trouble for trouble in ann.troubles if trouble.startswith("error:")]


@pytest.fixture
def compare(tmp_path: Path) -> Iterator[Server]:
    """A private page that compares, with all that its owner can switch on."""
    (tmp_path / "page").mkdir()
    switched_on = {f"SINKTRACK_{name}": "1" for name in ("PRIVATE", "METRICS", "MCP")}
    server = Server(
        tmp_path / "page" / "log",
        SINKTRACK_MODEL=str(CHECKPOINT),
        SINKTRACK_OWNER=OWNER,
        **switched_on,
    )
    yield server
    assert "Traceback" not in server.stop()


def sign_in_as_owner(visitor: Visitor, url: str) -> Any:
    page = visitor.page.context.new_page()
    page.goto(f"{url}/owner")
    page.fill("input", OWNER)
    page.click("button")
    expect(page.locator("#now")).to_contain_text("Waiting")
    return page


def test_a_foreign_page_sees_nothing_of_visitors_and_nothing_of_the_owners(
    compare: Server,
    visit: Callable[..., Any],
    foreign: Callable[..., Iterator[ForeignPage]],
    picture: Path,
) -> None:
    """One of the same machine may ask, as programs do: nobody is signed in there."""
    url = compare.ready().replace("127.0.0.1", "localhost")
    visitor: Visitor = visit(url)
    picture = picture.rename(picture.with_stem("rumpelstilzchen"))
    visitor.ask(picture, SECRET)
    visitor.finish()
    answer = visitor.answer("baseline").inner_text()
    owner = sign_in_as_owner(visitor, url)
    assert ForeignPage(owner, url).get("/owner/now")[0][0] == 200
    question = json.dumps({"data": ["What?", [], "A red circle.", "", None, 2, False, 1, 0]})
    hello = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ping"})
    for page in foreign(visitor, url):
        read = page.get("/owner", "/owner/now", "/metrics") + page.post("/owner", "code=guess")
        read += page.post("/gradio_api/mcp/", hello)
        assert all(status == 403 and "foreign page cannot" in text for status, text in read), read
        for _ in range(3):
            assert REFUSED in page.submit("/owner", '{"code": "guess"}')
        seen = page.get("/", "/config", "/gradio_api/info", "/gradio_api/queue/status")
        seen += page.post("/gradio_api/call/compare", question)
        assert not any("rumpelstilzchen" in text.lower() for _, text in seen)
        if "evil" in page.page.url:  # no page of this machine, which alone reaches the server
            assert seen == [] and "its own machine" in page.submit(UPLOAD)
            assert "foreign.png" not in {path.name for path in files(compare.folder)}
        else:
            assert any("event_id" in text for _, text in seen)
        assert page.open("", [{"question": SECRET}]) == []
        assert not page.frame().startswith("http")
    assert "Wrong code" not in compare.said()  # and so the owner never waits for a stranger
    expect(owner.locator("#now")).to_contain_text("Waiting")
    assert visitor.answer("baseline").inner_text() == answer
    visitor.ask(picture, SECRET)
    visitor.finish()
    assert visitor.answer("baseline").inner_text() == answer
