"""What goes wrong while the model works, as the last event that a visitor is told."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from app.shared.events import Event, Failed, Refused
from sinktrack.core.errors import SinkTrackError

_MEMORY = "The device ran out of memory: choose a smaller picture or a shorter answer."
_UNEXPECTED = "Something went wrong while answering. The page still works: please try again."

log = logging.getLogger(__name__)


@contextmanager
def in_sentences(report: Callable[[Event], None]) -> Iterator[None]:
    """Report whatever goes wrong in a block as a sentence, and let the next one have its turn."""
    try:
        yield
    except SinkTrackError as error:
        report(Refused(str(error)))
    except torch.OutOfMemoryError:
        log.warning("out of memory", exc_info=True)
        report(Refused(_MEMORY))
    except Exception:
        log.exception("an answer failed")
        report(Failed(_UNEXPECTED))
