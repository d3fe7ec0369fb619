"""Of an upload the disk has all or nothing, and where the disk is full, its sender is told.

Knows nothing about pages.
"""

from contextlib import suppress
from contextvars import ContextVar
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from gradio import route_utils
from starlette.formparsers import MultiPartException
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.shared.guards import UPLOADS, is_full, route
from app.shared.upload_limit import drain

FULL = (
    "The server's disk is full, and nothing of this file was kept: try again later, or ask without "
    "a file of your own."
)

_begun: ContextVar[list[Any] | None] = ContextVar("begun", default=None)


class WholeUploads:
    """An ASGI middleware that tells a full disk, and deletes what an upload has only begun.

    Gradio deletes what came before a refusal of its own, but not before an error of the disk.

    Args:
        app: What takes the files.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        route_utils.NamedTemporaryFile = _noted  # type: ignore[attr-defined]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let files come in."""
        if scope["type"] != "http" or not route(scope).endswith(UPLOADS):
            await self.app(scope, receive, send)
            return
        last: Message = {"type": "http.request", "more_body": True}

        async def receiving() -> Message:
            nonlocal last
            last = await receive()
            return last

        began = False

        async def sending(message: Message) -> None:
            nonlocal began
            began = True
            await send(message)

        files: list[Any] = []
        token = _begun.set(files)
        try:
            await self.app(scope, receiving, sending)
        except OSError as error:
            if began or not is_full(error):
                raise
            _delete(files)
            with suppress(MultiPartException):  # its sender has gone, or sends too many
                await drain(last, receive)
            await PlainTextResponse(FULL, 507)(scope, receive, send)
        finally:
            _begun.reset(token)
            _delete(files)


def _noted(*given: Any, **options: Any) -> Any:
    """Return a new file of Gradio's, from which on its upload has begun."""
    file = NamedTemporaryFile(*given, **options)  # noqa: SIM115
    begun = _begun.get()
    if begun is not None:
        begun.append(file)
    return file


def _delete(files: list[Any]) -> None:
    """Delete files, but those that are whole and have another name by now."""
    for file in files:
        with suppress(OSError):  # a full disk does not even take what a buffer still holds
            file.close()
        with suppress(OSError):
            Path(file.name).unlink()
