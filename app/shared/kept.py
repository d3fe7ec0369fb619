"""Comparisons that are kept for a while, so that a visitor can ask why a word stands there.

Knows nothing about models or pages.
"""

import secrets
import threading
import time
from collections import OrderedDict

from sinktrack.core.comparison import Comparison
from sinktrack.core.images import Picture

SECONDS = 600
"""For how long a comparison is kept after somebody has last asked about it."""
BYTES = 200_000_000
"""What all together may take; the oldest go first."""


class Kept:
    """Comparisons under names that cannot be guessed.

    Args:
        seconds: For how long each is kept after its last use.
        most: Bytes that all may take together.
    """

    def __init__(self, seconds: float = SECONDS, most: int = BYTES) -> None:
        """Keep nothing yet."""
        self._seconds, self._most = seconds, most
        self._kept: OrderedDict[str, tuple[float, int, Comparison]] = OrderedDict()
        self._lock = threading.Lock()

    def keep(self, comparison: Comparison) -> str | None:
        """Keep a comparison; return its name, or None if it is larger than all may be."""
        size = _size(comparison)
        if size > self._most:
            return None
        key = secrets.token_urlsafe(16)
        with self._lock:
            self._kept[key] = time.monotonic(), size, comparison
            self._forget()
        return key

    def get(self, key: str) -> Comparison | None:
        """Return a comparison, which is kept anew from now on; None if it has gone."""
        with self._lock:
            self._forget()
            if key not in self._kept:
                return None
            _, size, comparison = self._kept.pop(key)
            self._kept[key] = time.monotonic(), size, comparison
            return comparison

    def forget(self, key: str | None) -> None:
        """Keep a comparison no longer; nothing happens where there is none of this name."""
        with self._lock:
            self._kept.pop(key or "", None)

    def _forget(self) -> None:
        """Forget what is old, and then what was not asked about for longest, until all fits."""
        oldest = time.monotonic() - self._seconds
        total = sum(size for _, size, _ in self._kept.values())
        for key, (used, size, _) in list(self._kept.items()):
            if used > oldest and total <= self._most:
                break
            del self._kept[key]
            total -= size


def _size(comparison: Comparison) -> int:
    """Return about how many bytes a comparison takes: its arrays and its pictures."""
    size = 0
    for answer in comparison.values():
        for value in vars(answer.trace).values() if answer.trace is not None else ():
            each = value if isinstance(value, tuple) else (value,)
            size += sum(getattr(array, "nbytes", 0) for array in each)  # of other things, little
    for visual in comparison.visuals:
        frames = [visual.image] if isinstance(visual, Picture) else visual.frames
        size += sum(3 * frame.width * frame.height for frame in frames)
    return size
