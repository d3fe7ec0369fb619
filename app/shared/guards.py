"""What stands before Gradio's own routes: refusals that need no page. Knows nothing about pages.

Each is an ASGI middleware for `app.shared.ui.launch`.
"""

import errno
import ipaddress
import json
import os
import re
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.shared.logs import Entry
from app.shared.visitors import asking, visitor_of

UPLOADS = ("/upload", "/process_recording")
"""How the addresses end that take files."""
FAILED = "sinktrack.failed"
"""Stands in the scope of a request where something of ours has failed."""
MEANINGLESS = "This means nothing: load the page again."
_API = "/gradio_api/"
_SERVER_FUNCTIONS = "/component_server"
_EVENTS = ("/run/", "/api/")
_LARGEST_CALL = 1_000_000  # bytes; a form with both answers marked and a comment has 10,000
_LARGEST_EVENT = 16_000_000  # bytes; the longest passage has up to 12,000,000
_SESSION = re.compile(r"[A-Za-z0-9_.-]{1,100}")
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_OWN = str(Path(__file__).parents[1])


class Guard:
    """An ASGI middleware that lets a request pass, or answers it with a refusal."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request with its refusal, or let it pass."""
        refusal = self.refusal(scope) if scope["type"] == "http" else None
        if refusal is None:
            await self.app(scope, receive, send)
        else:
            await _refused(*refusal)(scope, receive, send)

    def refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Return the status and the sentence of a refusal; None to let a request pass."""
        raise NotImplementedError


class NoUploads(Guard):
    """For pages that take no files: nobody's file reaches the disk."""

    def refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Refuse what would keep a file."""
        if scope["method"] == "POST" and route(scope).endswith(UPLOADS):
            return 403, "This page takes no files."
        return None


class Unused(Guard):
    """For all pages: what Gradio answers besides, and no page of ours asks for.

    By these addresses it fetches others, runs ffmpeg on what was uploaded, keeps what a visitor
    typed among the files that it serves, and writes into the log what is asked for.
    """

    _ADDRESSES = re.compile(
        r"/(proxy=|custom_component/|process_recording$|vibe-edit$|monitoring|deep_link$"
        r"|file[=/]\s*/*[a-z][a-z0-9+.-]+:)",
        re.IGNORECASE,
    )

    def refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Refuse what fetches, runs or keeps something."""
        if self._ADDRESSES.search(route(scope)):
            return 403, "This server opens no addresses, and offers nothing else here."
        return None


class OwnOrigin(Guard):
    """For pages with people who are signed in: no foreign page reads or does anything for them.

    A browser names the page that a request comes from; programs other than browsers name none. With
    Hugging Face's sign-in the cookie comes along from everywhere, that of the owner's page comes
    along from other ports and names of the same site, and Gradio lets every page read.

    Args:
        app: What answers.
        below: How the addresses begin that are guarded.
    """

    def __init__(self, app: ASGIApp, below: tuple[str, ...] = ("",)) -> None:
        super().__init__(app)
        self._below = below

    def refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Refuse what a foreign page sends, but following a link to a page of ours."""
        headers = Headers(scope=scope)
        if not route(scope).startswith(self._below) or not foreign(headers):
            return None
        as_part = headers.get("sec-fetch-mode", "navigate") != "navigate"  # such as a picture
        signs_out = route(scope).endswith("/logout")
        if _sends(scope) or "origin" in headers or as_part or signs_out:
            return 403, "A foreign page cannot do this: open the page itself."
        return None


class OwnMachine(Guard):
    """For servers that only their own machine reaches: no other site's page sends anything there.

    It would reach by somebody's browser what its own programs do not, and could fill the disk.
    """

    def refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Refuse what a page of another site sends, unless it is of this machine as well."""
        headers = Headers(scope=scope)
        elsewhere = headers.get("sec-fetch-site") == "cross-site"
        if _sends(scope) and elsewhere and not is_local(host_of(headers.get("origin", ""))):
            return 403, "This server is for its own machine: open the page itself."
        return None


class WholeCalls:
    """Calls of the page's server functions and events that no page of ours sends are refused.

    Gradio would look a forged component up, fail, and write a traceback for each. It would take a
    call of any size, and a session by whose name every later refusal fails: one with half a
    surrogate.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check a call; whatever else Gradio cannot make sense of is refused as well."""
        began, entry, session = False, Entry("request"), None

        async def sending(message: Message) -> None:
            nonlocal began
            began = True
            if message.get("status") == 500 and _refuses(scope):
                message["status"] = 400
            await send(message)

        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if scope["method"] == "POST" and _API in route(scope) and not _takes_files(scope):
            function = route(scope).endswith(_SERVER_FUNCTIONS)
            body = await _body(receive, _LARGEST_CALL if function else _LARGEST_EVENT)
            session = _session(scope, body) if function else None
            if session is None if function else not _names_a_session(body):
                entry.end("refused", reason="meaningless")
                await _refused(400, MEANINGLESS)(scope, receive, send)
                return
            receive = _again(body or b"", receive)
        try:
            with asking(visitor_of(Request(scope), session)):
                await self.app(scope, receive, sending)
        except Exception as error:
            if _ours(error) or is_full(error):
                raise
            entry.refuse(error)
            if began:  # a stream, which ends here
                await send({"type": "http.response.body", "body": b"", "more_body": False})
            else:
                await _refused(400, MEANINGLESS)(scope, receive, send)


def _refuses(scope: Scope) -> bool:
    """Whether Gradio's 500 stands for a refusal of ours: it knows no other status for an event."""
    return FAILED not in scope and any(each in route(scope) for each in _EVENTS)


def route(scope: Scope) -> str:
    """Return a request's address without what follows it."""
    return str(scope["path"]).rstrip("/")


def foreign(headers: Headers) -> bool:
    """Whether a request comes from a page that is not this server's own."""
    site = headers.get("sec-fetch-site")  # which no page can set
    if site in ("cross-site", "same-site"):
        return True
    return site != "same-origin" and not _own_origin(headers)


def _sends(scope: Scope) -> bool:
    """Whether a request may change something."""
    return scope["method"] not in ("GET", "HEAD", "OPTIONS")


def is_local(host: str) -> bool:
    """Whether only this machine is reached by a name or an address."""
    name = host.strip("[]").lower()  # as IPv6 addresses stand in others
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def host_of(address: str) -> str:
    """Return the name in an address, without its port; "" if it is none."""
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


def is_full(error: BaseException) -> bool:
    """Whether an error says that a disk takes no more."""
    return isinstance(error, OSError) and error.errno in _NO_ROOM


def _refused(status: int, sentence: str) -> JSONResponse:
    return JSONResponse({"error": sentence, "detail": sentence}, status)


def _own_origin(headers: Headers) -> bool:
    """Whether a request comes from this very server's page, or from no page."""
    origin = headers.get("origin")
    # what a proxy says stands here only if it is believed
    said = headers.get("x-forwarded-host", "").partition(",")[0].strip()
    names = (headers.get("host", ""), said, os.environ.get("SPACE_HOST", ""))
    own = {name.lower() for name in names} - {""}
    try:
        return origin is None or urlsplit(origin).netloc.lower() in own
    except ValueError:  # no address at all
        return False


def _takes_files(scope: Scope) -> bool:
    return route(scope).endswith(UPLOADS)


async def _body(receive: Receive, most: int) -> bytes | None:
    """Return a request's body; None if it is too large, or if its sender has gone."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        if len(body) > most:
            return None
        if not message.get("more_body", False):
            return bytes(body)


def _again(body: bytes, receive: Receive) -> Receive:
    """Return what gives a body that was read once more, and then what comes after it."""
    whole: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def first() -> Message:
        return whole.pop() if whole else await receive()

    return first


def _names_a_session(body: bytes | None) -> bool:
    """Whether this may be the call of an event: JSON that names a session, if any, as pages do."""
    if not body:
        return body is not None
    try:
        said: Any = json.loads(body)
    except (ValueError, RecursionError):
        return False
    session = said.get("session_hash") if isinstance(said, dict) else None
    return session is None or (isinstance(session, str) and bool(_SESSION.fullmatch(session)))


def _session(scope: Scope, body: bytes | None) -> str | None:
    """Return the session of a call; None unless it is JSON for a server function that exists."""
    kind = Headers(scope=scope).get("content-type", "").partition(";")[0].strip().lower()
    if body is None or kind != "application/json":
        return None
    try:
        said: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None
    session = said.get("session_hash") if isinstance(said, dict) else None
    if not isinstance(session, str) or not _SESSION.fullmatch(session):
        return None
    number, name = said.get("component_id"), said.get("fn_name")
    whole = isinstance(number, int) and not isinstance(number, bool) and isinstance(name, str)
    component = scope["app"].get_blocks().blocks.get(number) if whole else None
    found = getattr(component, name, None) if isinstance(name, str) else None
    there = "data" in said and getattr(found, "_is_server_fn", False) is True
    return said["session_hash"] if there else None


def _ours(error: Exception) -> bool:
    """Whether code of ours ran when an error was raised, or was about to answer."""
    files: Iterator[str] = (frame.filename for frame in traceback.extract_tb(error.__traceback__))
    return any(file.startswith(_OWN) and file != __file__ for file in files)
