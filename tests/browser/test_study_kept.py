"""What an annotator has begun outlives restarts and long pauses; messages stand in nobody's way."""

import json
import sqlite3
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from annotators import CODE, Annotator
from playwright.sync_api import expect
from real_page import Server, losing
from studies import make_study

CHIEF = "coordinator's code"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_study(tmp_path / "study", 3, texts=lambda n: (f"A circle {n}.", "")).folder


@pytest.fixture
def serve(folder: Path, tmp_path: Path) -> Iterator[Callable[..., Server]]:
    started: list[Server] = []

    def start(**environment: str) -> Server:
        (tmp_path / f"page{len(started)}").mkdir()
        log = tmp_path / f"page{len(started)}" / "log"
        started.append(Server(log, SINKTRACK_STUDY=str(folder), **environment))
        started[-1].ready()
        return started[-1]

    yield start
    assert all("Traceback" not in server.stop() for server in started)


def code_of(folder: Path, name: str = "invite") -> str:
    return str(json.loads((folder / "codes.json").read_text())[name])


def begin(ann: Annotator, code: str) -> None:
    ann.page.fill(".sj-sign [name=name]", "Ann")
    ann.page.fill(".sj-sign [name=code]", code)
    ann.page.click(".sj-sign button")
    expect(ann.count()).to_have_text("0 judged · 3 to go")


def work(ann: Annotator) -> None:
    """Say everything of a pair, and keep nothing."""
    for key in "AS3":
        ann.page.keyboard.press(key)
    ann.page.keyboard.press("k")
    ann.page.keyboard.press("f" if ann.text_of_left() else "h")
    ann.page.keyboard.press("Space")
    ann.page.keyboard.press("c")
    ann.page.keyboard.type("Long thought about")


class Thinking(Annotator):
    def text_of_left(self) -> bool:
        return self.side("left").locator(".sj-word").count() > 0


def moved(ann: Annotator, url: str) -> None:
    """Let an open page go on with a server that was started anew on another port."""
    ann.page.route(
        f"{ann.page.url.rstrip('/')}/**",
        lambda route: route.fulfill(
            response=ann.page.request.fetch(
                url + "/" + route.request.url.split("/", 3)[-1],
                method=route.request.method,
                data=route.request.post_data_buffer,
                headers={"content-type": "application/json"},
            )
        ),
    )


def test_a_restart_takes_nothing(
    visit: Callable[..., Any], serve: Callable[..., Server], folder: Path
) -> None:
    first = serve()
    ann: Thinking = visit(first.ready(), Thinking)
    begin(ann, code_of(folder))
    expect(ann.page.get_by_text("The answer is empty.")).to_have_count(1)
    work(ann)
    first.stop()
    ann.page.keyboard.press("Control+Enter")
    expect(ann.said()).to_contain_text("The server cannot be reached")
    expect(ann.page.locator(".sj-verdict textarea")).to_have_value("Long thought about")
    ann.troubles.clear()  # the browser complains of the server that had gone
    second = serve()
    assert code_of(folder) in second.said()
    moved(ann, second.ready())
    ann.keep()
    expect(ann.count()).to_have_text("1 judged · 2 to go")
    work(ann)
    third = serve(SINKTRACK_INVITE=CODE)  # another code: who was signed in is so no more
    ann.page.unroute_all()
    moved(ann, third.ready())
    ann.keep()
    expect(ann.page.locator(".sj-notes")).to_contain_text("signed out")
    expect(ann.page.locator(".sj-verdict textarea")).to_have_value("Long thought about")
    ann.page.fill(".sj-sign [name=code]", CODE)
    ann.page.keyboard.press("Enter")
    expect(ann.count()).to_have_text("2 judged · 1 to go")
    drafts = "Object.keys(localStorage).filter((key) => key.includes('-draft-')).length"
    assert ann.page.evaluate(drafts) == 0
    with sqlite3.connect(folder / "votes.sqlite") as database:
        rows = database.execute("SELECT comment, better, judged, seconds FROM votes").fetchall()
    database.close()
    assert [row[:2] for row in rows] == [("Long thought about", "tie")] * 2
    assert all('"spans": [[0, 1]]' in row[2] for row in rows)
    assert any(row[3] % 1 for row in rows)  # no whole seconds


def test_a_reload_brings_what_was_begun_back_and_others_see_none_of_it(
    visit: Callable[..., Any], serve: Callable[..., Server], folder: Path
) -> None:
    url = serve().ready()
    ann: Thinking = visit(url, Thinking)
    begin(ann, code_of(folder))
    code = ann.page.locator(".sj-code").inner_text()
    ann.page.get_by_role("button", name="I have it").click()
    work(ann)
    ann.page.reload()
    expect(ann.page.locator(".sj-verdict textarea")).to_have_value("Long thought about")
    expect(ann.page.locator(".sj-marked")).to_have_count(1)
    expect(ann.page.get_by_label("3 · Tie")).to_be_checked()

    other: Annotator = visit(url, Annotator)  # knows the code of the study and her name
    other.page.fill(".sj-sign [name=name]", "ann")
    other.page.fill(".sj-sign [name=code]", code_of(folder))
    other.page.click(".sj-sign button")
    expect(other.said()).to_contain_text("type your personal code")
    other.page.fill(".sj-sign [name=personal]", code)  # and this is Ann at home
    other.page.keyboard.press("Enter")
    expect(other.count()).to_have_text("0 judged · 3 to go")


def test_what_was_done_stays_done_where_the_answer_is_lost(
    visit: Callable[..., Any], serve: Callable[..., Server], folder: Path
) -> None:
    ann: Thinking = visit(serve().ready(), Thinking)
    gone = "The server cannot be reached"
    with losing(ann.page, "sign in"):
        ann.page.fill(".sj-sign [name=name]", "Ann")
        ann.page.fill(".sj-sign [name=code]", code_of(folder))
        ann.page.click(".sj-sign button")
        expect(ann.said()).to_contain_text(gone)
    ann.page.reload()  # the server knows her, and she has seen no personal code
    begin(ann, code_of(folder))
    ann.page.get_by_role("button", name="I have it").click()
    work(ann)
    with losing(ann.page, "vote"):
        ann.keep()
        expect(ann.said()).to_contain_text(gone)
    ann.page.fill(".sj-verdict textarea", "Better thought about")
    ann.keep()
    expect(ann.count()).to_have_text("1 judged · 2 to go")
    ann.page.keyboard.press("u")
    comment = ann.page.locator(".sj-verdict textarea")
    expect(comment).to_have_value("Better thought about")
    ann.page.reload()
    expect(comment).to_have_value("Better thought about")
    ann.keep()
    expect(ann.count()).to_have_text("1 judged · 2 to go")
    ann.troubles.clear()  # the browser complains of answers that never came
    with sqlite3.connect(folder / "votes.sqlite") as database:
        rows = database.execute("SELECT comment, undone FROM votes ORDER BY sequence").fetchall()
    database.close()
    assert [(comment, undone is None) for comment, undone in rows] == [
        ("Better thought about", False),
        ("Better thought about", True),
    ]


def test_on_a_phone_no_message_lies_over_a_button_and_none_outlives_its_reason(
    visit: Callable[..., Any], serve: Callable[..., Server], folder: Path
) -> None:
    url = serve().ready()
    ann: Annotator = visit(url, Annotator, width=390, height=844, has_touch=True)
    begin(ann, code_of(folder))
    ann.keep()
    expect(ann.said()).to_contain_text("Choose first")
    message, button = ann.said().bounding_box(), ann.page.locator(".sj-main").bounding_box()
    assert message["y"] >= button["y"] + button["height"] and message["y"] + 20 < 844
    ann.choose("3 · Tie")
    expect(ann.said()).to_be_empty()
    ann.keep()
    expect(ann.said()).to_contain_text("first answer hallucinate")
    for side in ("left", "right"):
        ann.choose("No", ann.side(side))
    ann.keep()
    expect(ann.said()).to_have_text("Kept.")
    assert ann.said().evaluate("node => getComputedStyle(node).pointerEvents") == "none"
    expect(ann.said()).to_be_empty()  # by itself
    assert ann.overflow() <= 0


def test_work_is_told_to_the_server_and_idling_is_not(
    visit: Callable[..., Any], serve: Callable[..., Server], folder: Path
) -> None:
    url = serve().ready()
    ann: Annotator = visit(url, Annotator)
    ann.page.clock.install()
    ann.page.reload()
    begin(ann, code_of(folder))
    sent: list[str] = []
    ann.page.on("request", lambda request: sent.append(request.post_data or ""))
    ann.page.keyboard.press("3")
    ann.page.clock.fast_forward(5 * 60_000)
    ann.page.wait_for_timeout(500)
    assert sum('"hold"' in each for each in sent) == 1
    ann.page.clock.fast_forward(50 * 60_000)
    ann.page.wait_for_timeout(500)
    assert sum('"hold"' in each for each in sent) == 1


def post(url: str, path: str, body: Any, **headers: str) -> tuple[int, str]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    given = {"Content-Type": "application/json"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    request = urllib.request.Request(f"{url}/gradio_api/{path}", data, given)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_forged_requests_are_refused_without_a_traceback(
    serve: Callable[..., Server], folder: Path
) -> None:
    """`serve` fails where the log has a traceback."""
    url = serve(SINKTRACK_INVITE=CODE, SINKTRACK_COORDINATOR=CHIEF).ready()
    config = json.load(urllib.request.urlopen(f"{url}/config", timeout=30))
    judge = next(
        one["id"] for one in config["components"] if one["props"].get("elem_id") == "judge"
    )
    call = {"component_id": judge, "fn_name": "answer", "session_hash": "x"}
    call["data"] = {"what": "sign in", "name": "Ann", "code": CODE}

    for forged in (
        {"component_id": 99999},
        {"component_id": -1},
        {"component_id": "0"},
        {"component_id": None},
        {"fn_name": "postprocess"},
        {"fn_name": "__class__"},
        {"fn_name": 3},
        {"session_hash": None},
    ):
        assert post(url, "component_server", call | forged)[0] in (400, 404), forged
    for body in (b"", b"{", b"[]", b"[" * 100_000, b"\xff", b"x" * 2_000_000):
        assert post(url, "component_server", body)[0] == 400, body[:5]
    for path in ("queue/join", "run/nothing", "call/nothing", "call/v2/nothing", "cancel"):
        for body in ({"data": [], "fn_index": 99999, "session_hash": "x"}, [], {}):
            status = post(url, path, body)[0]
            assert 400 <= status < 500, (path, body, status)

    # a foreign page, of whatever kind it says its text is
    for origin in ("https://evil.example", "null", f"{url}.evil.example"):
        for kind in ("application/json", "text/plain"):
            status, said = post(url, "component_server", call, Origin=origin, Content_Type=kind)
            assert status == 403 and "token" not in said
        assert post(url, "queue/join", {}, Origin=origin)[0] == 403
        read = urllib.request.Request(f"{url}/config", headers={"Origin": origin})
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(read, timeout=30)
    assert post(url, "component_server", call, Sec_Fetch_Site="cross-site")[0] == 403
    assert post(url, "component_server", call, Content_Type="text/plain")[0] == 400
    status, said = post(url, "component_server", call, Origin=url)
    assert status == 200 and "token" in said
    assert post(url, "component_server", call | {"data": {"what": "next"}}, Origin=url)[1].count(
        "signed_out"
    )


def test_nothing_is_uploaded_and_no_link_is_opened(
    serve: Callable[..., Server], folder: Path, tmp_path: Path
) -> None:
    url = serve(SINKTRACK_INVITE=CODE, SINKTRACK_COORDINATOR=CHIEF).ready()
    before = set(tmp_path.rglob("*"))
    form = (
        b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\nb\r\n--x--\r\n'
    )
    kind = "multipart/form-data; boundary=x"
    for path in ("upload", "upload?upload_id=1", "upload/", "process_recording"):
        assert post(url, path, form, Content_Type=kind)[0] == 403
    assert set(tmp_path.rglob("*")) == before
    config = json.load(urllib.request.urlopen(f"{url}/config", timeout=30))
    ids = {one["props"].get("elem_id"): one["id"] for one in config["components"]}
    for nth, handler in enumerate(
        one for one in config["dependencies"] if one["inputs"] == [ids["code"]]
    ):
        mark = {"meta": {"_type": "gradio.FileData"}}
        for link in ("http://127.0.0.1:1/x", "file:///etc/passwd", "data:,x"):
            session = f"s{nth}{len(link)}"
            body = {"data": [{"path": link} | mark], "fn_index": handler["id"]}
            post(url, "queue/join", body | {"session_hash": session})
            data = f"{url}/gradio_api/queue/data?session_hash={session}"
            with urllib.request.urlopen(data, timeout=60) as events:
                said = events.read().decode()
            assert "Links are not opened here" in said
    assert set(tmp_path.rglob("*")) == before


def test_a_title_is_shown_as_it_was_written(
    visit: Callable[..., Any], serve: Callable[..., Server]
) -> None:
    ann: Annotator = visit(serve().ready(), Annotator)
    expect(ann.page).to_have_title("A & <b>B</b>")
