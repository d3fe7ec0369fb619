"""What stands around every answer: headers, and a sentence for a failure."""

import json
import logging

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from app.shared.ending import Ending
from app.shared.guards import NoUploads
from app.shared.headers import Outermost
from app.shared.logs import _Json


def failing(_):
    raise RuntimeError("a secret")


def counting(ending):
    return lambda _: PlainTextResponse(str(ending.left))


def client(*ancestors):
    ending = Ending()
    routes = [
        Route("/", lambda _: PlainTextResponse("page")),
        Route("/fails", failing),
        Route("/events", lambda _: PlainTextResponse("data:", media_type="text/event-stream")),
        Route("/count", counting(ending), methods=["GET", "POST"]),
        Route("/gradio_api/heartbeat/{visitor}", counting(ending)),
        Route("/gradio_api/file={path:path}", lambda _: PlainTextResponse("<script>")),
    ]
    around = [Middleware(Outermost, ending, ancestors), Middleware(NoUploads)]
    return TestClient(Starlette(routes=routes, middleware=around))


def policy(answer):
    said = answer.headers["content-security-policy"]
    return dict(each.partition(" ")[::2] for each in said.split("; "))


@pytest.mark.parametrize("path", ["/", "/nothing", "/fails", "/gradio_api/file=/a.svg"])
def test_every_answer_has_the_headers(path):
    answer = client().get(path)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    own = policy(answer)
    assert own["frame-ancestors"] == "'self' https://huggingface.co https://*.hf.space"
    assert not [name for name, sources in own.items() if "http" in sources][1:]


def test_streams_of_events_are_not_held_back_by_a_proxy():
    assert client().get("/events").headers["x-accel-buffering"] == "no"
    assert "x-accel-buffering" not in client().get("/").headers


def test_others_may_frame_the_page_where_the_owner_says_so():
    own = policy(client("https://lab.example.org").get("/"))
    assert own["frame-ancestors"].endswith(" https://lab.example.org")


def test_what_was_uploaded_runs_nothing():
    own = policy(client().get("/gradio_api/file=/tmp/a.svg"))
    assert own["default-src"] == "'none'" and "sandbox" in own and "script-src" not in own


def test_a_failure_is_a_sentence_with_a_number_that_the_log_has(caplog):
    answer = client().get("/fails")
    assert answer.status_code == 500
    (record,) = [each for each in caplog.records if each.levelno == logging.ERROR]
    logged = json.loads(_Json().format(record))
    assert logged["id"] in answer.json()["error"]
    assert "secret" not in answer.text + json.dumps(logged)


def test_a_refused_upload_is_logged_without_its_name(caplog):
    caplog.set_level(logging.INFO, logger="app")
    files = {"files": ("secret.png", b"x")}
    assert client().post("/gradio_api/upload", files=files).status_code == 403
    said = json.loads(_Json().format(caplog.records[-1]))
    assert (said["event"], said["outcome"], said["status"]) == ("upload", "refused", 403)
    assert "secret" not in json.dumps(said)


def test_every_request_is_under_way_but_the_one_that_never_ends():
    asked = client()
    assert asked.post("/count").text == asked.get("/count").text == "1"
    assert asked.get("/gradio_api/heartbeat/visitor").text == "0"
