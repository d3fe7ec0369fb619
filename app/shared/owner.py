"""/owner: how the page does, for whoever has the owner's code. It holds nothing of visitors.

Knows nothing about models or Gradio's pages.
"""

from html import escape
from pathlib import Path
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.shared.logs import Entry
from app.shared.measures import Measures
from app.shared.owner_code import SECONDS, OwnerCode
from app.shared.owner_view import overview
from app.shared.visitors import address_of

PATH = "/owner"
_NOW = "/owner/now"
_COOKIE = "sinktrack-owner"
_LARGEST = 4096  # bytes of a form
_STATIC = Path(__file__).parent / "static"
_SIGN_IN = """<form method="post"><label>The owner’s code
<input type="password" name="code" autocomplete="current-password" required autofocus></label>
<button>Open</button></form><p class="so-wrong" role="alert">{wrong}</p>"""


class OwnerPage:
    """An ASGI middleware that answers /owner, and lets everything else pass.

    Args:
        app: What answers everything else.
        measures: What is shown.
        code: The owner's.
    """

    def __init__(self, app: ASGIApp, measures: Measures, code: OwnerCode) -> None:
        self.app, self._measures, self._code = app, measures, code

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer who asks for the owner's page."""
        path = scope.get("path", "").rstrip("/")
        if scope["type"] != "http" or path not in (PATH, _NOW):
            await self.app(scope, receive, send)
            return
        request = Request(scope, receive)
        known = self._code.signed(request.cookies.get(_COOKIE, ""))
        if request.method == "POST" and path == PATH:
            response = await self._sign_in(request)
        elif path == _NOW:  # asked for by the page itself
            response = _told(overview(self._measures) if known else "", 200 if known else 401)
        elif known:
            body = f'<main id="now">{overview(self._measures)}</main>'
            response = _page(body, (_STATIC / "owner.js").read_text("utf-8"))
        else:
            response = _page(f"<main>{_SIGN_IN.format(wrong='')}</main>")
        await response(scope, receive, send)

    async def _sign_in(self, request: Request) -> Response:
        """Answer who gives a code."""
        entry, body = Entry("owner"), b""
        async for piece in request.stream():
            body += piece
            if len(body) > _LARGEST:
                break
        said = parse_qs(body[:_LARGEST].decode("utf-8", "replace")).get("code", [""])[0]
        refusal = self._code.refusal(address_of(request), said)
        if refusal is not None:
            entry.end("refused", reason="code")
            return _page(f"<main>{_SIGN_IN.format(wrong=escape(refusal))}</main>", status=401)
        entry.end("done")
        response = RedirectResponse("?", 303)  # this very address, whatever a proxy calls it
        response.set_cookie(
            _COOKIE,
            self._code.sign(),
            max_age=SECONDS,
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
        return response


def _page(body: str, script: str = "", status: int = 200) -> Response:
    style = (_STATIC / "owner.css").read_text("utf-8")
    return _told(
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>SinkTrack: how it does'
        '</title><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{style}</style></head><body><header><h1>SinkTrack</h1>"
        f"<p>How the page does</p></header>{body}<script>{script}</script></body></html>",
        status,
    )


def _told(body: str, status: int = 200) -> Response:
    return HTMLResponse(body, status, {"Cache-Control": "no-store", "X-Robots-Tag": "noindex"})
