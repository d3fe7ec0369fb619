"""The queue in front of the model: who has had the least of it is next, and each knows its place.

Addresses share the model fairly, and so do the visitors of one address. Among those who have had
the same it is first come, first served. Knows nothing about models or pages.
"""

import math
import threading
import time
from collections.abc import Callable
from types import TracebackType

from app.shared.fair_shares import FairShares
from app.shared.limits import TurnedAwayError
from app.shared.visitors import Visitor

FULL = "Too many people are waiting here right now: please try again in a minute."
ONE_PLACE = "You have a question in the queue already: wait for its answer, or stop it."
PUT_OUT = (
    "The queue is full, and your address had several places in it: this one went to somebody who "
    "had none. Please try again in a minute."
)
_USUAL = 0.2  # how much the last turn counts in what a turn usually takes


class NoPlaceError(TurnedAwayError):
    """There is no place in the queue for a request."""


class RequestQueue:
    """A queue in front of something that serves one request at a time.

    Args:
        most_waiting: How many requests may wait besides the one that is served.
        clock: Seconds that never go back.
    """

    def __init__(self, most_waiting: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.most_waiting, self.clock = most_waiting, clock
        self._served: QueueTicket | None = None
        self._waiting: list[QueueTicket] = []
        self._order: list[QueueTicket] | None = []
        self._addresses = FairShares()
        self._sessions: dict[str, FairShares] = {}
        self._usual = 1.0  # seconds
        self._lock = threading.Condition()

    def join(self, visitor: Visitor | None = None, *, beside_own: bool = False) -> "QueueTicket":
        """Return a ticket for the queue.

        Where the queue is full, it takes the last place of the address that has the most, if that
        leaves it no fewer than this one has.

        Args:
            visitor: Who asks; None for nobody in particular.
            beside_own: Whether this may wait while the same visitor has another request here, as
                what is asked about an answer whose last files are still being written.

        Raises:
            NoPlaceError: If the visitor has a place, or the queue is full.
        """
        ticket = QueueTicket(self, visitor or Visitor(), beside_own)
        own = ticket.visitor
        with self._lock:
            here = self._present()
            if own.session and any(
                each.visitor == own and each.beside_own == beside_own for each in here
            ):
                raise NoPlaceError(ONE_PLACE, "one place")
            if self._served is not None and len(self._waiting) >= self.most_waiting:
                self._put_out(self._last_of_the_most(own.address))
            if all(each.visitor.address != own.address for each in here):
                self._addresses.arrive(own.address)
            sessions = self._sessions.setdefault(own.address, FairShares())
            if all(each.visitor != own for each in here):
                sessions.arrive(own.session)
            self._waiting.append(ticket)
            self._next()
            return ticket

    def ahead(self, ticket: "QueueTicket") -> int:
        """Return how many requests are served before a ticket; 0 for the one that is served.

        Whoever comes later and has had less of the model still goes before it.

        Raises:
            NoPlaceError: If somebody else has got its place.
        """
        with self._lock:
            if ticket.put_out:
                raise NoPlaceError(PUT_OUT, "put out")
            if ticket is self._served:
                return 0
            return self._in_order().index(ticket) + 1

    def leave(self, ticket: "QueueTicket", seconds: float) -> None:
        """Take a ticket out of the queue, served or not.

        Args:
            ticket: Which.
            seconds: How long it was served.
        """
        with self._lock:
            here, own = self._present(), ticket.visitor
            if ticket is self._served:
                addresses = {each.visitor.address for each in here}
                beside = {e.visitor.session for e in here if e.visitor.address == own.address}
                self._addresses.serve(own.address, seconds, len(addresses))
                self._sessions[own.address].serve(own.session, seconds, len(beside))
                self._usual += _USUAL * (seconds - self._usual)
                self._served = None
            elif ticket in self._waiting:  # and was not put out
                self._waiting.remove(ticket)
            self._next()
            self._forget()

    def wait(self, seconds: float) -> None:
        """Wait until places change, but not for longer than some seconds."""
        with self._lock:
            self._lock.wait(seconds)

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    @property
    def served(self) -> "QueueTicket | None":
        """What is served now."""
        return self._served

    @property
    def addresses(self) -> int:
        """From how many addresses the requests here come."""
        with self._lock:
            return len({each.visitor.address for each in self._present()})

    def _present(self) -> list["QueueTicket"]:
        return [*self._waiting, *([self._served] if self._served else [])]

    def _next(self) -> None:
        """Serve the next one, if none is served, and wake all: their places have changed."""
        self._order = None
        self._lock.notify_all()
        if self._served is None and self._waiting:
            self._served = self._in_order()[0]
            self._waiting.remove(self._served)
            self._order = None

    def _in_order(self) -> list["QueueTicket"]:
        """Return who is served when, if nobody else comes and each takes as long as usual."""
        if self._order is None:
            self._order, left = [], list(self._waiting)
            to_come: dict[Visitor | str, float] = {}  # seconds that those before will have had

            def of_address(ticket: QueueTicket) -> float:
                address = ticket.visitor.address
                return self._addresses.had(address) + to_come.get(address, 0.0)

            def of_session(ticket: QueueTicket) -> float:
                had = self._sessions[ticket.visitor.address].had(ticket.visitor.session)
                return had + to_come.get(ticket.visitor, 0.0)

            last = self._served
            while left:
                if last is not None:
                    for key in (last.visitor.address, last.visitor):
                        to_come[key] = to_come.get(key, 0.0) + self._usual
                address = min(left, key=of_address).visitor.address  # the first of those that tie
                last = min((e for e in left if e.visitor.address == address), key=of_session)
                left.remove(last)
                self._order.append(last)
        return self._order

    def _last_of_the_most(self, address: str) -> "QueueTicket":
        """Return whose place goes to somebody from an address.

        Raises:
            NoPlaceError: If no address has so many more.
        """
        places: dict[str, int] = {}
        for each in self._waiting:
            places[each.visitor.address] = places.get(each.visitor.address, 0) + 1
        most = max(places, key=places.__getitem__, default="")
        if places.get(most, 0) < places.get(address, 0) + 2:
            raise NoPlaceError(FULL, "queue")
        return next(e for e in reversed(self._in_order()) if e.visitor.address == most)

    def _put_out(self, ticket: "QueueTicket") -> None:
        ticket.put_out = True
        self._waiting.remove(ticket)

    def _forget(self) -> None:
        """Forget what has no consequence any more."""
        here = self._present()
        if not here:
            self._addresses, self._sessions = FairShares(), {}
            return
        addresses = {each.visitor.address for each in here}
        self._addresses.forget(addresses)
        self._sessions = {name: s for name, s in self._sessions.items() if name in addresses}
        for address, sessions in self._sessions.items():
            sessions.forget({e.visitor.session for e in here if e.visitor.address == address})


class QueueTicket:
    """A request's place in the queue; leaving the `with` block gives it up.

    Args:
        queue: The queue.
        visitor: Whose it is.
        beside_own: Whether it may be there beside another of the same visitor.

    Attributes:
        put_out: Whether somebody else has got the place.
    """

    def __init__(self, queue: RequestQueue, visitor: Visitor, beside_own: bool) -> None:
        self._queue, self.visitor, self.beside_own = queue, visitor, beside_own
        self.put_out = False
        self._joined, self._began = queue.clock(), math.nan

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
        self._queue.leave(self, self.seconds)

    def wait(self, seconds: float) -> None:
        """Wait until places in the queue change, but not for longer than some seconds."""
        self._queue.wait(seconds)

    def begin(self) -> float:
        """Begin to be served, and return for how many seconds this has waited."""
        self._began = self._queue.clock()
        return self._began - self._joined

    @property
    def seconds(self) -> float:
        """For how long it has been served so far."""
        return 0.0 if math.isnan(self._began) else self._queue.clock() - self._began

    @property
    def ahead(self) -> int:
        """How many requests are served before this one; see `RequestQueue.ahead`."""
        return self._queue.ahead(self)
