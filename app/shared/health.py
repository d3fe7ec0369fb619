"""Whether the page answers, and whether it can do its work: /healthz and /readyz.

Knows nothing about pages.
"""

import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import anyio
from anyio import to_thread
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from app.shared.ending import Ending

Checks = Mapping[str, Callable[[], bool]]
"""By name what must be there before the page can do its work; what raises an error is not."""

_FRESH = 1.0  # seconds that an answer is given again
_PATIENCE = 5.0  # seconds that all checks may take together
_PROBE = b"\0" * 65536  # more than a full disk takes


class Health:
    """An ASGI middleware that answers two addresses, and lets everything else pass.

    /healthz says that the process answers. /readyz says whether it can do its work, with status 503
    where it cannot, and what is missing by name.

    Args:
        app: What answers everything else.
        checks: What must be there.
        ending: A page that is about to end is not ready.
    """

    def __init__(self, app: ASGIApp, checks: Checks, ending: Ending) -> None:
        self.app = app
        self._checks, self._ending = dict(checks), ending
        self._lock = threading.Lock()
        self._found: tuple[float, dict[str, bool]] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what is about health."""
        asked = scope["type"] == "http" and scope["method"] in ("GET", "HEAD")
        path = scope.get("path", "").rstrip("/")
        if asked and path == "/healthz":
            await JSONResponse({"alive": True})(scope, receive, send)
        elif asked and path == "/readyz":
            found = await self._checked()
            ready = all(found.values())
            said = {"ready": ready, "checks": found}
            await JSONResponse(said, 200 if ready else 503)(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _checked(self) -> dict[str, bool]:
        """Return what is there; all is missing where the checks take too long."""
        found = dict.fromkeys(self._checks, False)
        with anyio.move_on_after(_PATIENCE):
            found = await to_thread.run_sync(self._check, abandon_on_cancel=True)
        return {"open": not self._ending.begun, **found}

    def _check(self) -> dict[str, bool]:
        """Do the checks, one caller at a time, so that no stranger makes much work of them."""
        with self._lock:
            if self._found is None or time.monotonic() - self._found[0] > _FRESH:
                found = {name: _holds(check) for name, check in self._checks.items()}
                self._found = time.monotonic(), found
            return self._found[1]


def writable(folders: Iterable[str | Path]) -> bool:
    """Whether every folder takes a file; those that are not there yet are made."""
    for folder in folders:
        Path(folder).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(_PROBE)
            file.flush()
    return True


def _holds(check: Callable[[], bool]) -> bool:
    try:
        return check()
    except Exception:  # a database's client has many of its own
        return False
