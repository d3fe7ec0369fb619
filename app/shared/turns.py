"""Whose turn it is: first come, first served, and everybody knows how many are before them.

Knows nothing about models or pages.
"""

import threading
from types import TracebackType


class Turns:
    """A line in front of something that serves one at a time.

    Args:
        most_waiting: How many may stand in it besides the one that is served.
    """

    def __init__(self, most_waiting: int) -> None:
        self._most_waiting = most_waiting
        self._line: list[Turn] = []
        self._lock = threading.Lock()

    def join(self) -> "Turn | None":
        """Return a place at the end of the line, or None if it is full."""
        with self._lock:
            if len(self._line) > self._most_waiting:
                return None
            turn = Turn(self)
            self._line.append(turn)
            return turn

    def ahead(self, turn: "Turn") -> int:
        """Return how many are served before a place; 0 when it is its turn."""
        with self._lock:
            return self._line.index(turn)

    def leave(self, turn: "Turn") -> None:
        """Give a place up, or end a turn."""
        with self._lock:
            self._line.remove(turn)


class Turn:
    """A place in the line; leaving the block gives it up."""

    def __init__(self, line: Turns) -> None:
        self._line = line

    def __enter__(self) -> "Turn":
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Let the next one pass."""
        self._line.leave(self)

    @property
    def ahead(self) -> int:
        """How many are served before."""
        return self._line.ahead(self)
