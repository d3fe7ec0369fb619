"""The queue in front of the model: first come, first served, and each request knows its place.

Knows nothing about models or pages.
"""

import threading
from types import TracebackType


class RequestQueue:
    """A queue in front of something that serves one request at a time.

    Args:
        most_waiting: How many requests may wait besides the one that is served.
    """

    def __init__(self, most_waiting: int) -> None:
        self._most_waiting = most_waiting
        self._tickets: list[QueueTicket] = []
        self._lock = threading.Lock()

    def join(self) -> "QueueTicket | None":
        """Return a ticket for the end of the queue, or None if it is full."""
        with self._lock:
            if len(self._tickets) > self._most_waiting:
                return None
            ticket = QueueTicket(self)
            self._tickets.append(ticket)
            return ticket

    def ahead(self, ticket: "QueueTicket") -> int:
        """Return how many requests are served before a ticket; 0 for the one that is served."""
        with self._lock:
            return self._tickets.index(ticket)

    def leave(self, ticket: "QueueTicket") -> None:
        """Take a ticket out of the queue, served or not."""
        with self._lock:
            self._tickets.remove(ticket)


class QueueTicket:
    """A request's place in the queue; leaving the `with` block gives it up."""

    def __init__(self, queue: RequestQueue) -> None:
        self._queue = queue

    def __enter__(self) -> "QueueTicket":
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Let the next request pass."""
        self._queue.leave(self)

    @property
    def ahead(self) -> int:
        """How many requests are served before this one."""
        return self._queue.ahead(self)
