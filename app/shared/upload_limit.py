"""Files of one address are counted before they reach the disk, several in one request as well.

Knows nothing about pages.
"""

from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.shared.guards import UPLOADS, route
from app.shared.limits import Limits, TooManyError
from app.shared.measures import Measures
from app.shared.visitors import Visitor, address_of

_DRAINED = 65 * 1024**2  # bytes, as many as one file may have and what it is sent in


class UploadLimit:
    """An ASGI middleware that refuses files beyond what an address may send.

    Args:
        app: What takes the files.
        limits: How many these are.
        measures: Counts those who are turned away.
    """

    def __init__(self, app: ASGIApp, limits: Limits, measures: Measures) -> None:
        self.app, self._limits, self._measures = app, limits, measures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count what is sent."""
        sends = scope["type"] == "http" and scope["method"] == "POST"
        if not sends or not route(scope).endswith(UPLOADS):
            await self.app(scope, receive, send)
            return
        visitor, parts, refused = Visitor(address_of(Request(scope))), _Parts(scope), False

        async def counted() -> Message:
            nonlocal refused
            message = await receive()
            if message["type"] != "http.request":  # its sender has gone
                raise MultiPartException("The upload was broken off.")
            try:
                for _ in range(parts.begun(message.get("body", b""))):
                    self._limits.upload(visitor)
            except TooManyError as error:
                refused = True
                self._measures.add("sinktrack_turned_away_total", limit=error.limit)
                await drain(message, receive)
                raise MultiPartException(str(error)) from error
            return message

        async def sending(message: Message) -> None:
            if refused and message["type"] == "http.response.start":
                message["status"] = 429
            await send(message)

        # of this error Gradio makes an answer, and it deletes what came before it
        await self.app(scope, counted, sending)


async def drain(message: Message, receive: Receive) -> None:
    """Read what is still sent: a browser that is not done with sending hears no answer.

    Args:
        message: What came last.
        receive: Gives what comes next.
    """
    drained = 0
    while message.get("more_body", False) and drained < _DRAINED:
        message = await receive()
        drained += len(message.get("body", b""))


class _Parts:
    """Counts the parts of a body that is sent bit by bit; what has no parts is one.

    Args:
        scope: Of the request.
    """

    def __init__(self, scope: Scope) -> None:
        _, options = parse_options_header(Headers(scope=scope).get("content-type", ""))
        boundary = options.get(b"boundary")
        self._mark = None if boundary is None else b"--" + boundary
        self._rest, self._begun = b"", False

    def begun(self, body: bytes) -> int:
        """Return how many parts begin in the next piece of the body."""
        if self._mark is None:
            first, self._begun = not self._begun, True
            return int(first)
        data, begun, at = self._rest + body, 0, 0
        size = len(self._mark)
        while (found := data.find(self._mark, at)) >= 0 and found + size + 2 <= len(data):
            begun += data[found + size : found + size + 2] != b"--"  # which ends the body
            at = found + size
        self._rest = data[found:] if found >= 0 else data[max(at, len(data) - size + 1) :]
        return begun
