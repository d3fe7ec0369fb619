"""What goes wrong while the model works, and what a visitor is told when the server ends."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from app.shared.events import Answered, Event, Failed, Refused, Stopped, Surveyed
from app.shared.logs import trace_of
from app.shared.memory import is_out_of_memory, let_go, memory_sentence
from sinktrack.core.errors import SinkTrackError

RESTARTS = "The server is about to restart: please ask again in a minute."
_CUT_SHORT = "The server is about to restart: what was not written by now is missing."
_UNEXPECTED = "Something went wrong while answering. The page still works: please try again."
STOPPED_LANE = '"finish": "stopped"'
"""What the payload of an answer has that was ended before its time."""


@contextmanager
def in_sentences(
    report: Callable[[Event], None], free_device: Callable[[], None], asked: str
) -> Iterator[None]:
    """Report whatever goes wrong in a block as a sentence, and let the next one have its turn.

    Args:
        report: Takes the last event.
        free_device: Gives back what the device keeps for later; called when it ran out of memory.
        asked: What was asked for, as "2 methods and 1 picture".
    """
    try:
        yield
    except Exception as error:
        if is_out_of_memory(error):
            failed = Failed(memory_sentence(error, asked), trace_of(error))
            let_go(error, free_device)  # before the next one begins
            report(failed)
        elif isinstance(error, SinkTrackError):
            report(Refused(str(error)))
        else:
            report(Failed(_UNEXPECTED, trace_of(error)))


def cut_short(event: Event) -> Event:
    """Return an event of work that the server's end has cut, with a word on why."""
    return _ended_early(event, _CUT_SHORT, RESTARTS)


def too_long(event: Event, seconds: float) -> Event:
    """Return an event of work that was ended because it took too long, with a word on why.

    Args:
        event: Of the work.
        seconds: How long it may take.
    """
    return _ended_early(
        event,
        f"It was ended: it had not come to its end {within(seconds)}. What was written by then is "
        "here.",
        f"Nothing was answered {within(seconds)}: choose fewer methods, shorter answers or fewer "
        "questions.",
    )


def within(seconds: float) -> str:
    """Return the words for the longest time of one request."""
    return f"within {seconds:g} seconds, the longest time that is given to one request"


def _ended_early(event: Event, notice: str, without_answer: str) -> Event:
    match event:
        case Answered() if STOPPED_LANE in event.payload:
            return replace(event, notices=(*event.notices, notice))
        case Surveyed():
            return replace(event, notices=(*event.notices, notice))
        case Stopped():
            return Refused(without_answer)
    return event
