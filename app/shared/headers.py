"""What stands around every answer of a page: headers for browsers, and a sentence for a failure.

Knows nothing about pages.
"""

from collections.abc import Iterable

from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.shared.ending import Ending
from app.shared.guards import UPLOADS, route
from app.shared.logs import Entry

HUGGING_FACE = ("https://huggingface.co", "https://*.hf.space")
"""Who may show a page inside its own, besides the page itself."""

_FILES = "/file="
_FOR_EVERYBODY = ("/assets/", "/static/")
_ENDLESS = "/heartbeat/"  # by which Gradio learns that a visitor has gone

# Gradio compiles a component's template and script in the browser, and its pages bring their
# settings as an inline script. Both need "unsafe" words; no foreign source is named anywhere.
_PAGES = {
    "default-src": "'self'",
    "script-src": "'self' 'unsafe-inline' 'unsafe-eval'",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: blob:",
    "media-src": "'self' data: blob:",
    "font-src": "'self' data:",
    "connect-src": "'self'",
    "worker-src": "'self' blob:",
    "frame-src": "'none'",
    "object-src": "'none'",
    "base-uri": "'self'",
    "form-action": "'self'",
}
# What visitors have uploaded is shown as a picture or a video, and runs nothing.
_UPLOADED = {
    "default-src": "'none'",
    "img-src": "'self' data:",
    "media-src": "'self'",
    "style-src": "'unsafe-inline'",
    "sandbox": "",
}


class Outermost:
    """An ASGI middleware around all others.

    It adds the headers, answers a failure with a sentence, logs refused uploads, and counts every
    request as under way until its last word has gone out.

    Args:
        app: What answers.
        ending: Counts what is under way.
        ancestors: Origins that may show the page inside their own, besides Hugging Face.
    """

    def __init__(self, app: ASGIApp, ending: Ending, ancestors: Iterable[str] = ()) -> None:
        self.app, self._ending = app, ending
        framed = {"frame-ancestors": " ".join(("'self'", *HUGGING_FACE, *ancestors))}
        self._pages, self._uploaded = _policy(_PAGES | framed), _policy(_UPLOADED | framed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        entry = Entry("upload" if route(scope).endswith(UPLOADS) else "request")
        began = False

        async def sending(message: Message) -> None:
            nonlocal began
            if message["type"] == "http.response.start":
                began = True
                self._add(MutableHeaders(scope=message), scope)
                if message["status"] >= 400 and route(scope).endswith(UPLOADS):
                    entry.end("refused", status=message["status"])
            await send(message)

        async def answer() -> None:
            try:
                await self.app(scope, receive, sending)
            except Exception as error:
                sentence = entry.fail(error)
                if not began:
                    failed = JSONResponse({"error": sentence, "detail": sentence}, 500)
                    await failed(scope, receive, sending)

        if _ENDLESS in route(scope):
            await answer()
        else:
            with self._ending.under_way():
                await answer()

    def _add(self, headers: MutableHeaders, scope: Scope) -> None:
        uploaded = _FILES in scope["path"]
        headers["Content-Security-Policy"] = self._uploaded if uploaded else self._pages
        headers["X-Content-Type-Options"] = "nosniff"
        headers["Referrer-Policy"] = "same-origin"
        if not any(each in scope["path"] for each in _FOR_EVERYBODY):
            headers.setdefault("Cache-Control", "private" if uploaded else "private, no-cache")
        if headers.get("content-type", "").startswith("text/event-stream"):
            headers["X-Accel-Buffering"] = "no"  # nginx would hold words back until it has many


def _policy(directives: dict[str, str]) -> str:
    return "; ".join(f"{name} {sources}".strip() for name, sources in directives.items())
