"""What goes wrong while the model works, and what a visitor is told when the server ends."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from app.shared.events import Answered, Event, Failed, Refused, Stopped
from app.shared.logs import trace_of
from sinktrack.core.errors import SinkTrackError

RESTARTS = "The server is about to restart: please ask again in a minute."
_CUT_SHORT = "The server is about to restart: what was not written by now is missing."
_MEMORY = "The device ran out of memory: choose a smaller picture or a shorter answer."
_UNEXPECTED = "Something went wrong while answering. The page still works: please try again."


@contextmanager
def in_sentences(report: Callable[[Event], None], out_of_memory: type[Exception]) -> Iterator[None]:
    """Report whatever goes wrong in a block as a sentence, and let the next one have its turn.

    Args:
        report: Takes the last event.
        out_of_memory: What the device raises.
    """
    try:
        yield
    except SinkTrackError as error:
        report(Refused(str(error)))
    except out_of_memory as error:
        report(Failed(_MEMORY, trace_of(error)))
    except Exception as error:
        report(Failed(_UNEXPECTED, trace_of(error)))


def cut_short(event: Event) -> Event:
    """Return an event of an answer that the server's end has cut, with a word on why."""
    match event:
        case Answered():
            return replace(event, notices=(*event.notices, _CUT_SHORT))
        case Stopped():
            return Refused(RESTARTS)
    return event
