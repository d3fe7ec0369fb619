"""What both pages need of Gradio: messages, components' values, the page's head, the server."""

import html
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import gradio as gr

from app.shared.machine import without_proxies
from app.shared.settings import Settings
from app.shared.theme import theme
from sinktrack.report.html import viewer_script, viewer_style

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
_LARGEST_UPLOAD = "64mb"
_SPARE_THREADS = 24  # beside one for each visitor who waits


def toast(sentence: str) -> gr.Error:
    """Return an error that shows a sentence as text; Gradio takes the message for HTML."""
    return gr.Error(html.escape(sentence), duration=12, print_exception=False)


def component_json(state: Any) -> str:
    """Return JSON text for a component's value; no "<" in it can be taken for a tag."""
    return json.dumps(state, allow_nan=False).replace("<", "\\u003c")


def launch(
    page: gr.Blocks, settings: Settings, *, styles: Iterable[Path], scripts: Iterable[Path]
) -> None:
    """Serve a page, and return at once; `page.block_thread()` waits for its end.

    Args:
        page: The page.
        settings: Where it listens, and how many requests may wait.
        styles: Its own CSS files.
        scripts: Its own JavaScript files; each may use those before it, and the viewer's.
    """
    with without_proxies():
        page.launch(
            server_name=settings.host,
            server_port=settings.port,
            theme=theme(),
            head=_head(styles, scripts),
            favicon_path=_STATIC / "favicon.svg",
            footer_links=[],
            max_file_size=_LARGEST_UPLOAD,
            enable_monitoring=False,
            max_threads=settings.queue_size + _SPARE_THREADS,
            run_history=False,  # what a visitor asked is shown to nobody else
            prevent_thread_lock=True,
        )


def _head(styles: Iterable[Path], scripts: Iterable[Path]) -> str:
    """Return what a page's head needs: the viewer, and the page's own style and script.

    They go here and not into `launch(css=, js=)`, because Gradio rewrites CSS given there.
    """
    style = viewer_style() + _joined([_STATIC / "page.css", *styles])
    script = viewer_script() + _joined(scripts)
    return f"<style>{style}</style>\n<script>{script}</script>"


def _joined(files: Iterable[Path]) -> str:
    return "\n".join(file.read_text("utf-8") for file in files)
