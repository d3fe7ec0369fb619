"""How an answer is told to end. Knows nothing about models."""

import os
import tempfile
import time
from pathlib import Path

_PREFIX = "sinktrack-answering-"
_DAY = 24 * 60 * 60  # seconds, far longer than any answer takes


class StopFlag:
    """Tells an answer to end.

    It is a file that is removed when the flag is raised, so it also reaches the forked process in
    which a ZeroGPU Space answers.

    Attributes:
        ran_out: Whether an answer has found that its time was over.
    """

    def __init__(self) -> None:
        handle, path = tempfile.mkstemp(prefix=_PREFIX)
        os.close(handle)
        self._path = Path(path)
        self._until: float | None = None
        self.ran_out = False

    def set(self) -> None:
        """Raise the flag, for good."""
        self._path.unlink(missing_ok=True)

    def is_set(self) -> bool:
        """Tell whether it was raised."""
        if self._until is not None and time.monotonic() > self._until:
            self.ran_out = True
        return self.ran_out or not self._path.exists()

    def end_after(self, seconds: float) -> None:
        """Raise the flag by itself after so many seconds, for this process alone."""
        self._until = time.monotonic() + seconds


def remove_stale_flags() -> None:
    """Remove the flags of answers that never began, left by an earlier run."""
    for path in Path(tempfile.gettempdir()).glob(_PREFIX + "*"):
        try:
            if time.time() - path.stat().st_mtime > _DAY:
                path.unlink()
        except OSError:  # gone already, or another user's
            continue
