"""Events of a piece of work, by the clock. Knows nothing about models or pages."""

import queue
import threading
import time
from collections.abc import Callable, Iterator

from app.shared.events import Answered, Event, Heartbeat, LastEvent

UPDATE_SECONDS = 0.125  # between two events; a reader sees no difference above ten a second


def with_heartbeat(
    work: Callable[[threading.Event, Callable[[Event], None]], None], give_up: Callable[[], None]
) -> Iterator[Event]:
    """Do some work in a thread, and yield its events at a steady pace.

    A generator notices only at a yield that its listener has gone. So it yields by the clock,
    however long the work takes between two events. Of several within one tick it yields the last.

    Args:
        work: Called with an event that is set when the listener has gone, and with a function that
            takes what is to be reported. What it reports last must be a `LastEvent`.
        give_up: Makes the work end soon.
    """
    mailbox: queue.SimpleQueue[Event] = queue.SimpleQueue()
    abandoned = threading.Event()
    worker = threading.Thread(
        target=work, args=(abandoned, mailbox.put), name="answer", daemon=True
    )
    worker.start()
    event: Event = Heartbeat()
    try:
        while not isinstance(event, LastEvent):
            time.sleep(UPDATE_SECONDS)
            event = Heartbeat()
            while not mailbox.empty():
                event = mailbox.get()
                if isinstance(event, Answered):
                    break  # the next one would hide it
            yield event
    finally:
        abandoned.set()
        give_up()
        worker.join()
