"""A full disk is told to who sends a file, whatever that sender does meanwhile."""

import errno

import pytest
from awaiting import awaited
from starlette.responses import PlainTextResponse

from app.shared.limits import Limits
from app.shared.measures import Measures
from app.shared.upload_limit import UploadLimit
from app.shared.whole_uploads import FULL, WholeUploads

MORE = {"type": "http.request", "body": b"x", "more_body": True}
LAST = {"type": "http.request", "body": b"x", "more_body": False}
GONE = {"type": "http.disconnect"}


def sent(*messages, code=errno.ENOSPC, answers_first=False):
    """Upload, where the disk fails at the first piece; return what was answered."""
    waiting, answered = list(messages), []

    async def app(scope, receive, send):
        await receive()
        if answers_first:
            await PlainTextResponse("kept")(scope, receive, send)
        raise OSError(code, "secret")

    async def receive():
        return waiting.pop(0)

    async def send(message):
        answered.append(message)

    scope = {"type": "http", "method": "POST", "path": "/gradio_api/upload", "headers": []}
    page = UploadLimit(WholeUploads(app), Limits(), Measures())
    awaited(page(scope | {"query_string": b""}, receive, send))
    return answered, waiting


@pytest.mark.parametrize("rest", [(LAST,), (MORE, LAST), (GONE,)], ids=["sent", "slow", "gone"])
def test_a_full_disk_is_told_once_all_is_sent_or_its_sender_has_gone(rest):
    (head, body), waiting = sent(MORE, *rest)
    assert head["status"] == 507 and body["body"].decode() == FULL
    assert waiting == []


def test_another_fault_of_the_disk_is_not_taken_for_a_full_one():
    with pytest.raises(OSError, match="secret"):
        sent(LAST, code=errno.EIO)


def test_nothing_is_answered_a_second_time():
    with pytest.raises(OSError, match="secret"):
        sent(LAST, answers_first=True)
