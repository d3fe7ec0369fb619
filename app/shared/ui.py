"""What all pages need of Gradio: messages, components' values, the page's head, the server."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import gradio as gr
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import Receive, Scope, Send

from app.shared.ending import Ending
from app.shared.event_calls import whole_calls
from app.shared.guards import NoUploads, OwnOrigin, Unused, WholeCalls
from app.shared.headers import Outermost
from app.shared.health import Checks, Health
from app.shared.logs import take_over
from app.shared.machine import without_proxies
from app.shared.settings import Settings
from app.shared.theme import theme
from app.shared.toasts import toast as toast  # which all pages take from here
from sinktrack.report.viewer_code import viewer_script, viewer_style

FILE_AGE = 2 * 60 * 60
"""Seconds until an upload or a download is deleted."""

QUICK: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
"""How events are wired that take no time and refuse nothing."""
QUEUED: dict[str, Any] = {
    "concurrency_limit": None,
    "show_progress": "hidden",
    "api_visibility": "private",
}
"""How the others are: in the queue, where a refusal reaches the visitor as a message."""

_STATIC = Path(__file__).parent / "static"
ASK = _STATIC / "ask.js"
"""The script that asks the server and says what went wrong, for pages with such a line."""
COPY = _STATIC / "copy.js"
"""The script that copies an address, for pages that have some."""
_LARGEST_UPLOAD = "64mb"
_SPARE_THREADS = 24  # beside one for each visitor who waits


def component_json(state: Any) -> str:
    """Return JSON text for a component's value; no "<" in it can be taken for a tag."""
    return json.dumps(state, allow_nan=False).replace("<", "\\u003c")


def launch(
    page: gr.Blocks,
    settings: Settings,
    ending: Ending,
    *,
    checks: Checks,
    styles: Iterable[Path],
    scripts: Iterable[Path],
    takes_files: bool = True,
    signs_in: bool = False,
) -> None:
    """Serve a page, and return at once; `page.block_thread()` waits for its end.

    Args:
        page: The page.
        settings: Where it listens, and how many requests may wait.
        ending: Counts what is under way.
        checks: What must be there before it can do its work.
        styles: Its own CSS files.
        scripts: Its own JavaScript files; each may use those before it, and the viewer's.
        takes_files: Whether visitors upload anything; else the server keeps nothing of theirs.
        signs_in: Whether visitors are somebody there, for whom no foreign page may speak.
    """
    whole_calls(page)
    guards: list[Any] = [Unused] if takes_files else [Unused, NoUploads]
    guards += [OwnOrigin] if signs_in else []
    with without_proxies():
        page.launch(
            server_name=settings.host,
            server_port=settings.port,
            theme=theme(),
            head=_head(styles, scripts),
            favicon_path=_STATIC / "favicon.svg",
            footer_links=[],
            max_file_size=_LARGEST_UPLOAD if takes_files else "1b",
            enable_monitoring=False,
            max_threads=settings.queue_size + _SPARE_THREADS,
            app_kwargs={
                "middleware": [
                    Middleware(Outermost, ending, settings.frame_ancestors),
                    Middleware(Health, checks, ending),
                    *map(Middleware, guards),
                    Middleware(_CompressedPages, compresslevel=5),
                    Middleware(WholeCalls),
                ]
            },
            run_history=False,  # what a visitor asked is shown to nobody else
            ssr_mode=False,  # a page that Node has drawn would come without our headers
            prevent_thread_lock=True,
        )
    take_over("uvicorn")
    # no banner: the first of these replaces the second every second
    page.server.config.encoded_headers = []
    page.server.server_state.default_headers = []


def close(page: gr.Blocks) -> None:
    """End a page's server, which deletes what it keeps of its visitors."""
    # which browsers listen to without end; Gradio tells another app than the one that it serves
    page.server_app.stop_event.set()
    page.close(verbose=False)


class _CompressedPages(GZipMiddleware):
    """Compresses what has no ending in its address, the page itself most of all.

    Gradio compresses the rest, by ending.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if "." in scope.get("path", ""):
            await self.app(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def _head(styles: Iterable[Path], scripts: Iterable[Path]) -> str:
    """Return what a page's head needs: the viewer, and the page's own style and script.

    They go here and not into `launch(css=, js=)`, because Gradio rewrites CSS given there.
    """
    style = viewer_style() + _joined([_STATIC / "page.css", *styles])
    script = viewer_script() + _joined(scripts)
    return f"<style>{style}</style>\n<script>{script}</script>"


def _joined(files: Iterable[Path]) -> str:
    return "\n".join(file.read_text("utf-8") for file in files)
