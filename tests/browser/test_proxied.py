"""The pages under a path of another server, behind real proxies that speak TLS."""

import http.client
import json
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from annotators import CODE, Annotator
from playwright.sync_api import expect
from proxy import PROXIES, Proxy
from real_page import CHECKPOINT, OVERVIEW, Guest, Server, endless_model
from studies import make_study

CHIEF = "coordinator's code"
BEHIND = {"GRADIO_ROOT_PATH": "/sinktrack", "FORWARDED_ALLOW_IPS": "127.0.0.1"}
SILENT = {"GRADIO_HEARTBEAT_INTERVAL": "3600"}  # seconds
FOREIGN = "https://elsewhere.example.org"


@pytest.fixture(params=PROXIES, ids=lambda proxy: proxy.program)
def behind(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., Proxy]]:
    """Start a page and a proxy in front of it."""
    kind: type[Proxy] = request.param
    if kind.found() is None:
        pytest.skip(f"{kind.program} is not installed here: apt-get install {kind.package}")
    servers: list[Server] = []
    proxies: list[Proxy] = []

    def start(**environment: str) -> Proxy:
        (tmp_path / "page").mkdir()
        servers.append(Server(tmp_path / "page" / "log", **BEHIND, **environment))
        proxies.append(kind(tmp_path / "proxy", servers[-1].ready()))
        return proxies[-1]

    yield start
    for proxy in proxies:
        proxy.stop()
    said = "".join(server.stop() for server in servers)
    assert "Traceback" not in said and "is not believed" not in said, said


def test_the_page_asks_draws_and_is_taken_away_under_a_path(behind, visit, picture):
    at = behind(SINKTRACK_MODEL=str(CHECKPOINT))
    visitor = visit(at.root)  # the proxy leads to the path with a slash
    assert visitor.page.url == f"{at.root}/"
    visitor.ask(picture, "Is there a red circle?")
    visitor.finish()
    assert visitor.drawn(OVERVIEW)[1] > 1
    for name in ("report", "traces", "replay"):
        with visitor.page.expect_download() as download:
            visitor.page.click(f"#{name}")
        assert download.value.url.startswith(f"{at.root}/"), download.value.url
        assert download.value.path().stat().st_size > 1000
    name = visitor.page.locator(".st-share").get_attribute("data-name")
    link = visitor.page.evaluate("name => SinkTrackShare.addressOf(name)", name)
    assert link == f"{at.root}/?c={name}"
    other = visit(link)
    expect(other.status()).to_contain_text("Opened from a link")
    expect(other.answer("sinktrack")).to_have_text(visitor.answer("sinktrack").inner_text())
    headers = _get(f"{at.root}/").headers
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_a_class_behind_one_address_opens_the_page(behind):
    at = behind(SINKTRACK_MODEL=str(CHECKPOINT))

    def open_page(_: int) -> set[int]:
        connection = http.client.HTTPSConnection("localhost", at.tls, context=_any_certificate())
        answered = set()
        for _ in range(90):  # as many files as a page has
            connection.request("GET", "/sinktrack/robots.txt")
            answer = connection.getresponse()
            answer.read()
            answered.add(answer.status)
        connection.close()
        return answered

    with ThreadPoolExecutor(20) as people:
        assert set.union(*people.map(open_page, range(20))) == {200}


def test_what_is_written_comes_at_once(behind, visit, picture, tmp_path):
    """Through the proxy, while an answer goes on that has no end."""
    model = endless_model(tmp_path / "endless")
    endless = {"SINKTRACK_MODEL": str(model), "SINKTRACK_MAX_NEW_TOKENS": "4000"}
    at = behind(**endless, **SILENT)
    # Words fill a proxy's buffers sooner or later. This stream has one line, and none follows.
    with _get(f"{at.root}/gradio_api/heartbeat/program") as stream:
        assert stream.readline() == b"data: ALIVE\n"
    first = visit(at.root)
    first.allow(4000)
    first.ask(picture, "What is there?")
    expect(first.status()).to_contain_text("Writing token")
    second = visit(at.root)
    second.ask(picture, "What is there?")
    expect(second.status()).to_contain_text("Waiting: 1 person is before you.")
    second.page.close()
    first.page.click("#stop")
    expect(first.status()).to_contain_text("Stopped after")  # so it was under way until now
    first.finish()


def test_a_tab_that_is_closed_is_noticed(behind, visit, picture, tmp_path):
    """By the end of its connection alone: nothing is sent to it that could fail."""
    at = behind(SINKTRACK_MODEL=str(CHECKPOINT), SINKTRACK_PRIVATE="1", **SILENT)
    visitor = visit(at.root)
    visitor.ask(picture, "What is there?")
    visitor.finish()
    uploaded = list((tmp_path / "page").rglob(picture.name))
    assert uploaded
    visitor.page.close()
    deadline = time.monotonic() + 30
    while any(each.exists() for each in uploaded):
        assert time.monotonic() < deadline, uploaded
        time.sleep(0.1)


def test_what_a_stranger_says_of_itself_is_dropped_and_the_largest_file_comes(behind, tmp_path):
    at = behind(SINKTRACK_MODEL=str(CHECKPOINT), SINKTRACK_OWNER="the owner's code")
    claims = {"X-Forwarded-Host": "elsewhere.example.org", "X-Gradio-Server": FOREIGN}
    claims |= {"X-Forwarded-Proto": "http", "X-Forwarded-For": "203.0.113.9"}
    config = json.load(_get(urllib.request.Request(f"{at.root}/config", headers=claims)))
    assert config["root"] == at.root
    guess = urllib.request.Request(f"{at.root}/owner", b"code=guessed", claims)
    assert _answered(guess) == 401
    said = (tmp_path / "page" / "log").read_text()
    assert "Wrong code (owner) from 127.0.0.1" in said and "203.0.113.9" not in said
    largest = 64 * 1024**2
    assert _answered(_upload(at, largest)) == 200
    with pytest.raises(urllib.error.HTTPError) as refused:
        _get(_upload(at, largest + 1))
    assert b"File size exceeded" in refused.value.read()  # it is the page that says so


def test_a_study_is_judged_and_read_under_a_path(behind, visit, tmp_path):
    study = make_study(tmp_path / "study", 3)
    codes = {"SINKTRACK_INVITE": CODE, "SINKTRACK_COORDINATOR": CHIEF}
    at = behind(SINKTRACK_STUDY=str(study.folder), **codes)
    ann: Annotator = visit(at.root, Annotator)
    ann.sign_in("Ann")
    ann.choose("No", ann.side("left"))
    ann.choose("No", ann.side("right"))
    ann.choose("3 · Tie")
    ann.keep()
    expect(ann.count()).to_contain_text("1 judged")
    chief = visit(f"{at.root}/results", Guest)
    chief.page.fill("#code input", CHIEF)
    chief.page.click("#show")
    expect(chief.page.locator("#results table").first).to_be_visible()
    call = f"{at.root}/gradio_api/component_server"
    assert _status(call, origin=FOREIGN) == 403
    assert _status(call, origin=at.origin) == 400  # it means nothing, and is the page's own
    # nobody becomes a page of ours by saying that this is where the proxy is
    assert _status(call, origin=FOREIGN, forwarded="elsewhere.example.org") == 403


def _status(url: str, origin: str, forwarded: str | None = None) -> int:
    headers = {"Origin": origin, "Content-Type": "application/json"}
    headers |= {"X-Forwarded-Host": forwarded} if forwarded else {}
    return _answered(urllib.request.Request(url, json.dumps({}).encode(), headers))


def _answered(request: urllib.request.Request) -> int:
    try:
        with _get(request) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def _upload(at: Proxy, size: int) -> urllib.request.Request:
    head = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    body = head + bytes(size) + b"\r\n--b--\r\n"
    return urllib.request.Request(f"{at.root}/gradio_api/upload", body, kind)


def _get(request: Any) -> Any:
    return urllib.request.urlopen(request, timeout=60, context=_any_certificate())


def _any_certificate() -> ssl.SSLContext:
    """Accept that the certificate has been issued by itself."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
