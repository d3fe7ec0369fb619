"""What a stranger or a crash does to a real server, without a browser."""

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from real_page import CHECKPOINT, Server
from strange_pages import Compare
from test_forged import call

FORM = (
    b'--b\r\nContent-Disposition: form-data; name="files"; filename="%b"\r\n'
    b"Content-Type: image/png\r\n\r\nsecret\r\n--b--\r\n"
)


def ask(url: str, data: bytes | None = None, **headers: str) -> tuple[int, str, Any]:
    """Return the status, the text and the headers of an answer."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, given), timeout=60) as answer:
            return answer.status, answer.read().decode(errors="replace"), answer.headers
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(errors="replace"), error.headers


def upload(url: str, name: bytes) -> tuple[int, str, Any]:
    kind = "multipart/form-data; boundary=b"
    return ask(f"{url}/gradio_api/upload", FORM.replace(b"%b", name), Content_Type=kind)


def join(url: str, **changes: Any) -> int:
    body = {"data": [], "fn_index": 0, "session_hash": "x"} | changes
    data, kind = json.dumps(body).encode(), "application/json"
    return ask(f"{url}/gradio_api/queue/join", data, Content_Type=kind)[0]


@pytest.mark.parametrize(
    "address",
    [
        "file=http://127.0.0.1:{port}/x.png",
        "file=HTTPS://localtest.me/x.png",
        "file=//http://127.0.0.1:{port}/x",
        "file/http://127.0.0.1:{port}/x.png",
        "file=%20http%3A%2F%2F127.0.0.1%3A{port}/x",
        "file=file:///etc/passwd",
        "proxy=http://127.0.0.1:{port}/",
        "proxy=https://a.hf.space/",
        "process_recording",
        "custom_component/a%0aforged/client/x/y",
        "deep_link?session_hash=x",
    ],
)
def test_what_gradio_offers_besides_is_refused(page_url: str, address: str) -> None:
    port = page_url.rsplit(":", 1)[1].strip("/")
    for data in (None, b"x"):
        status, said, _ = ask(f"{page_url}/gradio_api/{address.format(port=port)}", data)
        assert status in (403, 405) and "passwd" not in said, (address, status)


def test_nothing_that_a_stranger_typed_gets_into_the_log(
    page_url: str, servers: dict[str, Server]
) -> None:
    ask(f"{page_url}/gradio_api/custom_component/a%0aforged-line/client/x/y")
    config = json.loads(ask(f"{page_url}/config")[1])
    sliders = [one["id"] for one in config["components"] if one["type"] == "slider"]
    event = call(f"{page_url}/", by_id=dict.fromkeys(sliders, 987654321), passage="A text.")
    assert "987654321" in event["output"]["error"]
    said = servers["bundled"].said()
    assert "forged" not in said and "987654321" not in said


def test_a_session_by_half_a_surrogate_is_refused_and_others_are_answered(page_url: str) -> None:
    """Gradio's statistics would fail from then on, with every refusal of anybody."""
    for session in ("\ud800", "x" * 200, "a b", "<b>", "", 5, ["x"]):
        assert join(page_url, session_hash=session) == 400, session
    assert call(f"{page_url}/", passage="A text.")["success"]
    assert "Links are not opened" in str(call(f"{page_url}/", passage={"path": "http://a/b"}))


def test_a_call_of_any_size_is_refused(page_url: str) -> None:
    assert join(page_url, data=["x" * 17_000_000]) == 400
    assert join(page_url, data=["x" * 2_000_000]) == 200


def test_a_refusal_is_no_failure(page_url: str) -> None:
    """Gradio answers 500 for both, where an event does not go through its queue."""
    body = {"data": [], "fn_index": 0, "session_hash": "x"}
    for index in range(20):
        data = json.dumps(body | {"fn_index": index}).encode()
        status, said, _ = ask(
            f"{page_url}/gradio_api/run/predict", data, Content_Type="application/json"
        )
        assert status < 500, (index, said)


def test_no_page_names_a_host_that_a_stranger_claims(page_url: str) -> None:
    for name in ("X_Forwarded_Host", "X_Gradio_Server"):
        for path in ("/", "/config", "/gradio_api/info", "/gradio_api/openapi.json"):
            said = ask(page_url + path, **{name: "http://evil.example"})[1]
            assert "evil.example" not in said, (name, path)
    ask(page_url, Host="evil.example")
    for path in ("/", "/config", "/gradio_api/info", "/gradio_api/openapi.json"):
        assert "evil.example" not in ask(page_url + path)[1], path


def test_a_shared_cache_keeps_nothing_but_gradios_own_files(page_url: str) -> None:
    for path in ("/", "/config", "/gradio_api/info", "/theme.css", "/nowhere", "/readyz"):
        assert ask(page_url + path)[2]["Cache-Control"] == "private, no-cache", path
    page = ask(page_url)[1]
    asset = page.split('src="./assets/', 1)[1].split('"', 1)[0]
    assert ask(f"{page_url}/assets/{asset}")[2]["Cache-Control"] is None
    (path,) = json.loads(upload(page_url, b"a.png")[1])
    assert ask(f"{page_url}/gradio_api/file={path}")[2]["Cache-Control"] == "private"


@pytest.mark.parametrize(
    "name",
    [
        b"a\r\nSet-Cookie: x=1.png",
        b"../../../../etc/x.png",
        b"..\\..\\x.png",
        b"/etc/x.png",
        b"\xe2\x80\xae.png",
        b"<img src=x onerror=1>.png",
        b"a\0b.png",
        b"x" * 400 + b".png",
    ],
)
def test_a_file_name_leads_nowhere_and_adds_no_header(
    page_url: str, servers: dict[str, Server], name: bytes
) -> None:
    status, said, _ = upload(page_url, name)
    if status != 200:
        assert 400 <= status < 500
        return
    (path,) = json.loads(said)
    assert ".." not in Path(path).parts and Path(path).is_relative_to(servers["bundled"].folder)
    status, content, headers = ask(f"{page_url}/gradio_api/file={quote(path)}")
    assert (status, content) == (200, "secret")
    assert headers["Set-Cookie"] is None and headers["X-Content-Type-Options"] == "nosniff"


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[], Server]]:
    started: list[Server] = []
    (tmp_path / "page").mkdir()

    def start() -> Server:
        log = tmp_path / "page" / f"log-{len(started)}"
        started.append(Server(log, SINKTRACK_MODEL=str(CHECKPOINT)))
        return started[-1]

    yield start
    for server in started:
        server.kill()


def test_what_a_killed_server_left_goes_when_the_next_starts(
    serve: Callable[[], Server], tmp_path: Path
) -> None:
    first = serve()
    (path,) = json.loads(upload(first.ready(), b"a.png")[1])
    first.kill()
    assert Path(path).read_text() == "secret"
    second = serve()
    (own,) = json.loads(upload(second.ready(), b"b.png")[1])
    assert not Path(path).exists() and Path(own).exists()
    third = serve()  # beside the second, in the same place
    third.ready()
    assert Path(own).exists()
    assert Compare().works(second.ready())
    assert third.stop() and second.stop()
    assert not [each for each in (tmp_path / "page").iterdir() if "log" not in each.name]
