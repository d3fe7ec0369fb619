"""What all pages need of Gradio: messages, components' values, the page's head, the server."""

import base64
import json
import logging
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import gradio as gr
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import Receive, Scope, Send

from app.shared.ending import Ending
from app.shared.event_calls import whole_calls
from app.shared.forwarded import TRUSTED, Forwarded
from app.shared.guards import NoUploads, OwnMachine, OwnOrigin, Unused, WholeCalls, is_local
from app.shared.headers import Outermost
from app.shared.health import Checks, Health
from app.shared.limits import Limits
from app.shared.logs import REQUESTS, take_over
from app.shared.machine import setting, without_proxies
from app.shared.measures import Measures
from app.shared.metrics import PATH as METRICS
from app.shared.metrics import Metrics
from app.shared.owner import PATH as OWNER
from app.shared.owner import OwnerPage
from app.shared.owner_code import OwnerCode
from app.shared.sessions import MOST_SESSIONS, bound_sessions
from app.shared.settings import Settings
from app.shared.theme import theme
from app.shared.tools import OwnTools, limit_tools
from app.shared.upload_limit import UploadLimit
from app.shared.visits import Heartbeats, Visits
from app.shared.whole_uploads import WholeUploads
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
    measures: Measures | None = None,
    limits: Limits | None = None,
    programs: bool = False,
    tools: Collection[str] = (),
    visits: Visits | None = None,
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
        measures: What is measured; None begins to.
        limits: Of one address; None for those of the settings.
        programs: Whether it has endpoints for programs, to which its foot leads.
        tools: Those that models can call, if the settings say so.
        visits: Told who is there; None where visitors need not be known.
    """
    whole_calls(page)
    measures = measures or Measures()
    logging.getLogger(REQUESTS).addHandler(measures)
    guards = [Middleware(Unused), *_for_the_owner(settings, measures)]
    guards += [Middleware(OwnOrigin)] if signs_in else []
    alone = is_local(settings.host) and not settings.trusted_proxies
    guards += [Middleware(OwnMachine)] if alone else []
    if takes_files:
        guards.append(Middleware(UploadLimit, limits or settings.limits(), measures))
        guards.append(Middleware(WholeUploads))
    else:
        guards.append(Middleware(NoUploads))
    offers_tools = settings.mcp and bool(tools)
    guards += [Middleware(OwnTools, settings.host)] if offers_tools else []
    guards += [] if visits is None else [Middleware(Heartbeats, visits)]
    # uvicorn believes nobody, so that our own middleware still sees who asks
    with without_proxies(), setting(TRUSTED, ""):
        page.launch(
            server_name=settings.host,
            server_port=settings.port,
            root_path=settings.root_path,
            theme=theme(),
            head=_head(styles, scripts),
            favicon_path=_STATIC / "favicon.svg",
            footer_links=["api"] if programs else [],
            max_file_size=_LARGEST_UPLOAD if takes_files else "1b",
            enable_monitoring=False,
            max_threads=settings.queue_size + _SPARE_THREADS,
            state_session_capacity=MOST_SESSIONS,
            app_kwargs={
                "middleware": [
                    Middleware(Forwarded, settings.trusted_proxies, settings.behind_platform),
                    Middleware(Outermost, ending, settings.frame_ancestors),
                    Middleware(Health, checks, ending),
                    *guards,
                    Middleware(_CompressedPages, compresslevel=5),
                    Middleware(WholeCalls),
                ]
            },
            mcp_server=offers_tools,
            run_history=False,  # what a visitor asked is shown to nobody else
            ssr_mode=False,  # a page that Node has drawn would come without our headers
            prevent_thread_lock=True,
        )
    if offers_tools:
        limit_tools(page, tools)
    bound_sessions(page)
    take_over("uvicorn")
    # no banner: the first of these replaces the second every second
    page.server.config.encoded_headers = []
    page.server.server_state.default_headers = []


def close(page: gr.Blocks) -> None:
    """End a page's server, which deletes what it keeps of its visitors."""
    # which browsers listen to without end; Gradio tells another app than the one that it serves
    page.server_app.stop_event.set()
    page.close(verbose=False)


def _for_the_owner(settings: Settings, measures: Measures) -> list[Middleware]:
    """Return what tells how the page does, as far as the settings let it."""
    code = None if settings.owner is None else OwnerCode(settings.owner)
    told = [Middleware(Metrics, measures, code)] if settings.metrics else []
    told += [] if code is None else [Middleware(OwnerPage, measures, code)]
    return [Middleware(OwnOrigin, (OWNER, METRICS)), *told] if told else []


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
    # under a path the icon at the root of the server may be somebody else's
    icon = base64.b64encode((_STATIC / "favicon.svg").read_bytes()).decode()
    link = f'<link rel="icon" href="data:image/svg+xml;base64,{icon}">'
    return f"{link}\n<style>{style}</style>\n<script>{script}</script>"


def _joined(files: Iterable[Path]) -> str:
    return "\n".join(file.read_text("utf-8") for file in files)
