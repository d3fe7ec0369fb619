"""Files are counted before they reach the disk, one by one, however they come."""

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from app.shared.limits import Limits
from app.shared.measures import Measures
from app.shared.upload_limit import UploadLimit, _Parts

UPLOAD = "/gradio_api/upload"


@pytest.fixture
def measures():
    return Measures()


@pytest.fixture
def visitor(measures):
    async def take(request):
        async with request.form() as form:
            return PlainTextResponse(str(len(form.getlist("files"))))

    routes = [Route(UPLOAD, take, methods=["POST"]), Route("/else", take, methods=["POST"])]
    around = [Middleware(UploadLimit, Limits(uploads=3), measures)]
    return TestClient(Starlette(routes=routes, middleware=around))


def files(count):
    return [("files", (f"{number}.txt", b"\r\n--some text" * 5000)) for number in range(count)]


def test_files_beyond_the_limit_are_refused_with_a_sentence(visitor, measures):
    for _ in range(3):
        assert visitor.post(UPLOAD, files=files(1)).text == "1"
    refused = visitor.post(UPLOAD, files=files(1))
    assert refused.status_code == 429
    assert "3 files came within a minute" in refused.text and "try again in" in refused.text
    counted = measures.values()["sinktrack_turned_away_total", (("limit", "uploads"),)]
    assert counted == 1
    assert visitor.post("/else", files=files(1)).text == "1"


def test_many_files_in_one_request_are_many(visitor):
    assert visitor.post(UPLOAD, files=files(4)).status_code == 429
    assert visitor.post(UPLOAD, files=files(1)).status_code == 429
    assert visitor.get(UPLOAD).status_code == 405


@pytest.mark.parametrize("size", [1, 2, 7, 40, 1000])
def test_parts_are_counted_however_the_body_is_cut(size):
    body = b"".join(b"--line\r\n\r\nlin--linline--\r\n" for _ in range(5)) + b"--line--\r\n"
    scope = {"headers": [(b"content-type", b'multipart/form-data; boundary="line"')]}
    parts = _Parts(scope)
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    assert sum(parts.begun(piece) for piece in pieces) == 5


def test_what_has_no_parts_is_one_file():
    parts = _Parts({"headers": []})
    assert [parts.begun(b"a"), parts.begun(b"b")] == [1, 0]
