"""Events of a piece of work, by the clock. Knows nothing about models or pages."""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

Event = dict[str, Any]
"""What happened, under "kind", and whatever belongs to it."""

UPDATE_SECONDS = 0.125  # between two events; a reader sees no difference above ten a second
STILL: Event = {"kind": "still"}
"""Nothing new."""

_LAST = ("files", "stopped", "refused", "failed")


def with_heartbeat(
    work: Callable[[threading.Event, Callable[[Event], None]], None], give_up: Callable[[], None]
) -> Iterator[Event]:
    """Do some work in a thread, and yield its events at a steady pace.

    A generator notices only at a yield that nobody listens any more. So it yields by the clock,
    however long the work takes between two events; of several within one tick it yields the last.

    Args:
        work: Called with an event that is set when nobody listens any more, and with a function
            that takes what is to be reported. The last one has a kind of _LAST.
        give_up: Makes the work end soon.
    """
    mailbox: queue.SimpleQueue[Event] = queue.SimpleQueue()
    abandoned = threading.Event()
    worker = threading.Thread(
        target=work, args=(abandoned, mailbox.put), name="answer", daemon=True
    )
    worker.start()
    event = STILL
    try:
        while event["kind"] not in _LAST:
            time.sleep(UPDATE_SECONDS)
            event = STILL
            while not mailbox.empty():
                event = mailbox.get()
                if event["kind"] == "done":
                    break  # the next one would hide it
            yield event
    finally:
        abandoned.set()
        give_up()
        worker.join()
