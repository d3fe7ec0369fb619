"""Work for the model, each piece in its turn, within limits, and with a longest time.

Knows nothing about models or pages.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Literal

from app.shared.ending import Ending
from app.shared.events import Event, Heartbeat, LoadingModel, Refused, Stopped, Waiting
from app.shared.limits import Limits, TooManyError, TurnedAwayError
from app.shared.measures import Measures
from app.shared.memory import is_out_of_memory, let_go
from app.shared.request_queue import NoPlaceError, QueueTicket, RequestQueue
from app.shared.stop_flag import StopFlag
from app.shared.troubles import RESTARTS, cut_short, too_long, within
from app.shared.visitors import current_visitor
from sinktrack.core.errors import SinkTrackError

Kind = Literal["answer", "survey", "why"]
_LOOK_SECONDS = 0.5
"""How often who waits looks whether its visitor has gone; oftener would slow down who is served."""


class RestartingError(SinkTrackError):
    """The server is about to end."""


class TooLongError(SinkTrackError):
    """Work took longer than one request may."""


class Turns:
    """Who is asking is `app.shared.visitors.current_visitor`, when a piece of work begins to wait.

    Args:
        queue: In front of the model.
        ending: Brings work to an end when the page ends.
        limits: Of one address.
        longest: Seconds after which work is ended; 0 for no end.
        measures: Counts turns, and who gets none.
        free_device: Gives back what the device keeps for later; called when memory ran out.
    """

    def __init__(
        self,
        queue: RequestQueue,
        ending: Ending,
        limits: Limits,
        longest: float,
        measures: Measures,
        free_device: Callable[[], None],
    ) -> None:
        self._queue, self._ending, self._limits = queue, ending, limits
        self._longest, self._measures, self._free_device = longest, measures, free_device
        for name, read in {
            "waiting": lambda: queue.waiting,
            "served": lambda: int(queue.served is not None),
            "addresses": lambda: queue.addresses,
            "places": lambda: queue.most_waiting,
        }.items():
            measures.gauge(f"sinktrack_queue_{name}", read)

    def events(
        self,
        kind: Kind,
        stop: StopFlag,
        loading: Callable[[], str | None],
        work: Callable[[], Iterator[Event]],
    ) -> Iterator[Event]:
        """Wait for a turn, then work.

        Args:
            kind: What it is for.
            stop: Ends the work; raised in the end, however it ends.
            loading: Returns how far loading the model is; None once it is there.
            work: Yields events.
        """
        try:
            ticket = self._join(beside_own=False)
        except SinkTrackError as error:
            stop.set()
            yield Refused(str(error))
            return
        try:
            with ticket, self._ending.under_way():
                yield from self._in_turn(kind, ticket, stop, loading, work)
        finally:
            stop.set()

    def _in_turn(
        self,
        kind: Kind,
        ticket: QueueTicket,
        stop: StopFlag,
        loading: Callable[[], str | None],
        work: Callable[[], Iterator[Event]],
    ) -> Iterator[Event]:
        last: Event | None = None
        while (event := self._waits(ticket, loading)) is not None:
            if isinstance(event, Refused):
                yield event
                return
            if stop.is_set() or self._ending.begun:
                yield Refused(RESTARTS) if self._ending.begun else Stopped()
                return
            ticket.wait(_LOOK_SECONDS)
            yield Heartbeat() if event == last else event
            last = event
        with self._had(kind, ticket):
            late = False
            for event in work():
                if self._ending.cut:
                    stop.set()
                    event = cut_short(event)
                elif late:
                    event = too_long(event, self._longest)
                elif 0 < self._longest < ticket.seconds:
                    late = True
                    stop.set()
                yield event

    def call(self, work: Callable[[Callable[[], None]], dict[str, Any]]) -> dict[str, Any]:
        """Wait for a turn, then do something short.

        Args:
            work: Is given what it is to call before every step, which raises when it is to end.

        Raises:
            SinkTrackError: If it gets no turn or takes too long, or from the work.
        """
        with self._join(beside_own=True) as ticket:
            while ticket.ahead:
                self._check_open()
                ticket.wait(_LOOK_SECONDS)
            with self._had("why", ticket):
                return work(partial(self._check_time, ticket))

    def _check_time(self, ticket: QueueTicket) -> None:
        """Raise if what is served is to end."""
        if self._ending.cut:
            raise RestartingError(RESTARTS)
        if 0 < self._longest < ticket.seconds:
            raise TooLongError(
                f"This was not worked out {within(self._longest)}: ask about an earlier word, or a "
                "shorter answer."
            )

    def _join(self, *, beside_own: bool) -> QueueTicket:
        """Return a place in the queue.

        Raises:
            SinkTrackError: If there is none, a limit is met, or the server is about to end.
        """
        self._check_open()
        visitor = current_visitor()
        try:
            self._limits.use_model(visitor)
            ticket = self._queue.join(visitor, beside_own=beside_own)
            if not beside_own:
                self._count(ticket)
        except TurnedAwayError as error:
            self._measures.add("sinktrack_turned_away_total", limit=error.limit)
            raise
        return ticket

    def _count(self, ticket: QueueTicket) -> None:
        """Count a question, now that it has a place."""
        try:
            self._limits.ask(ticket.visitor)
        except TooManyError:
            self._queue.leave(ticket, 0)
            raise

    @contextmanager
    def _had(self, kind: Kind, ticket: QueueTicket) -> Iterator[None]:
        """Count a turn."""
        waited = ticket.begin()
        try:
            yield
        except Exception as error:
            if is_out_of_memory(error):
                let_go(error, self._free_device)  # before the next turn
            raise
        finally:
            self._limits.used(ticket.visitor, ticket.seconds)
            self._measures.turn(kind, waited, ticket.seconds)

    def _waits(self, ticket: QueueTicket, loading: Callable[[], str | None]) -> Event | None:
        """Return what a request waits for; None when it is its turn."""
        try:
            if ahead := ticket.ahead:
                return Waiting(ahead)
        except NoPlaceError as error:
            self._measures.add("sinktrack_turned_away_total", limit=error.limit)
            return Refused(str(error))
        doing = loading()
        return None if doing is None else LoadingModel(doing)

    def _check_open(self) -> None:
        if self._ending.begun:
            raise RestartingError(RESTARTS)
