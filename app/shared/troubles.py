"""What goes wrong while the model works, as the last event that a visitor is told."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from app.shared.events import Event, Failed, Refused
from sinktrack.core.errors import SinkTrackError

_MEMORY = "The device ran out of memory: choose a smaller picture or a shorter answer."
_UNEXPECTED = "Something went wrong while answering. The page still works: please try again."

log = logging.getLogger(__name__)


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
    except out_of_memory:
        log.warning("out of memory", exc_info=True)
        report(Refused(_MEMORY))
    except Exception:
        log.exception("an answer failed")
        report(Failed(_UNEXPECTED))
