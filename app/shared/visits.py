"""What each visitor has on a server that keeps nothing: it goes when the visitor goes.

A visitor is there as long as a tab, or a program, holds Gradio's heartbeat open. Whatever an event
gives or gets is the visitor's. Knows nothing about models.
"""

import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder
from starlette.types import ASGIApp, Receive, Scope, Send

from app.shared.guards import route
from app.shared.machine import file_at
from app.shared.sessions import is_for_programs

PATIENCE = 60.0
"""Seconds for which something may be nobody's, such as an upload that no event has brought yet."""
_HEARTBEAT = "/heartbeat/"


@dataclass
class _Visit:
    """What a visitor has.

    Args:
        tabs: How many heartbeats are open.
        seen: When the visitor last did something, by the monotonic clock.
        files: Paths, and of an upload which file was there when the visitor last brought it.
        last: What is done when the visitor goes.
    """

    tabs: int = 0
    seen: float = field(default_factory=time.monotonic)
    files: dict[str, tuple[int, int] | None] = field(default_factory=dict)
    last: list[Callable[[], None]] = field(default_factory=list)


_during: ContextVar["tuple[Visits, str] | None"] = ContextVar("visit", default=None)


def when_gone(work: Callable[[], None]) -> None:
    """Do some work when the visitor whose event this is has gone; never where things are kept."""
    during = _during.get()
    if during is not None:
        during[0].remember(during[1], last=work)


def until_gone(file: str) -> None:
    """Delete a file when the visitor whose event this is has gone; never where things are kept."""
    during = _during.get()
    if during is not None:
        during[0].remember(during[1], files=[file])


class Visits:
    """Everybody who is there.

    Args:
        patience: Seconds for which something may be nobody's.
    """

    def __init__(self, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._lock = threading.RLock()
        self._there: dict[str, _Visit] = {}
        self._own: set[Path] = set()
        self._page: gr.Blocks | None = None

    def watch(self, page: gr.Blocks) -> None:
        """Let the files and states of a page's visitors go with them.

        Args:
            page: As it is built, before anybody sees it: the files that are there are its own.
        """
        self._page, self._own = page, set(_files_below(get_upload_folder()))
        process = page.process_api

        async def noting(**asked: Any) -> Any:
            visit, endpoint = asked.get("session_hash"), asked["block_fn"]
            # programs have no tab to close: their endpoints take away what they were given
            if visit is None or is_for_programs(endpoint):
                return await process(**asked)
            self.remember(visit, sent=paths_in(asked["inputs"]))
            token = _during.set((self, visit))
            try:
                result = await process(**asked)
            finally:
                _during.reset(token)
            self.remember(visit, files=paths_in(result.get("data")))
            return result

        page.process_api = noting  # type: ignore[method-assign, assignment]

    def remember(
        self,
        visit: str,
        *,
        files: Collection[str] = (),
        sent: Collection[str] = (),
        last: Callable[[], None] | None = None,
    ) -> None:
        """Remember what a visitor has.

        Args:
            visit: Gradio's name of the session.
            files: Paths that are deleted when the visitor goes.
            sent: The same of uploads, unless somebody has sent another to that path by then.
            last: Work that is done then.
        """
        with self._lock:
            found = self._there.setdefault(visit, _Visit())
            found.seen = time.monotonic()
            found.files.update({file: file_at(file) for file in sent} | dict.fromkeys(files))
            found.last += [] if last is None else [last]

    @contextmanager
    def call(self, files: Collection[str]) -> Iterator[None]:
        """Delete files that a program has sent when the block is left, unless a visitor has them.

        Args:
            files: Paths.
        """
        name = f"call {id(files)}"
        self.arrive(name)
        self.remember(name, sent=files)
        try:
            yield
        finally:
            self.leave(name)

    def arrive(self, visit: str) -> None:
        """Count one more tab of a visitor."""
        self.remember(visit)
        with self._lock:
            self._there[visit].tabs += 1

    def part(self, visit: str) -> None:
        """Count one tab less, and take everything away with the last one."""
        with self._lock:
            found = self._there.get(visit)
            if found is not None:
                found.tabs -= 1
                if found.tabs <= 0:
                    self.leave(visit)

    def leave(self, visit: str) -> None:
        """Take away what a visitor has, but files that somebody else has as well."""
        with self._lock:
            gone = self._there.pop(visit, None)
            if gone is None:
                return
            for work in gone.last:
                work()
            kept = set[str]().union(*(each.files for each in self._there.values()))
            for file, brought in gone.files.items():
                # another by that name was sent by somebody whose event has not come yet
                if file not in kept and brought in (None, file_at(file)):
                    self._delete(Path(file))
        holder = getattr(self._page, "state_holder", None)
        if holder is not None:
            holder.session_data.pop(visit, None)

    def sweep(self) -> None:
        """Take away what is nobody's: of those who have left, and uploads that nobody brought."""
        now = time.monotonic()
        with self._lock:
            for visit, found in list(self._there.items()):
                if found.tabs <= 0 and now - found.seen > self._patience:
                    self.leave(visit)
            owned = {Path(file) for each in self._there.values() for file in each.files}
            for file in _files_below(get_upload_folder()):
                with suppress(OSError):
                    old = time.time() - file.stat().st_ctime > self._patience
                    if old and file not in owned:
                        self._delete(file)

    def sweep_now_and_then(self) -> None:
        """Sweep from now on, beside everything else."""

        def sweeping() -> None:
            while True:
                time.sleep(self._patience / 2)
                self.sweep()

        threading.Thread(target=sweeping, name="visits", daemon=True).start()

    def _delete(self, file: Path) -> None:
        """Delete a file of a visitor, and the folder that was made for it."""
        with suppress(OSError, ValueError):  # gone, or no possible path; or a folder with more
            folder, path = Path(get_upload_folder()).resolve(), file.resolve()
            if file in self._own or folder not in path.parents:
                return
            path.unlink()
            if path.parent != folder:
                path.parent.rmdir()


class Heartbeats:
    """An ASGI middleware that tells who is there by Gradio's heartbeats.

    Args:
        app: What answers.
        visits: Told of everybody who comes and goes.
    """

    def __init__(self, app: ASGIApp, visits: Visits) -> None:
        self.app, self._visits = app, visits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, and mark a visitor as there while it is a heartbeat."""
        _, heartbeat, visit = route(scope).rpartition(_HEARTBEAT) if "path" in scope else ("",) * 3
        if not heartbeat or scope["method"] != "GET":
            await self.app(scope, receive, send)
            return
        self._visits.arrive(visit)
        try:
            await self.app(scope, receive, send)
        finally:
            self._visits.part(visit)


def _files_below(folder: str) -> list[Path]:
    return [path for path in Path(folder).rglob("*") if path.is_file()]


def files_in(value: Any) -> Iterator[dict[str, Any]]:
    """Yield what in a payload stands for a file."""
    if isinstance(value, dict):
        if isinstance(value.get("path"), str) or isinstance(value.get("url"), str):
            yield value
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from files_in(each)


def paths_in(value: Any) -> list[str]:
    """Return the paths of all files in a payload."""
    return [str(file["path"]) for file in files_in(value) if isinstance(file.get("path"), str)]
