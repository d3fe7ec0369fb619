"""Too little memory: how it is told from other errors, what a visitor is told, what is let go.

Knows nothing about models or pages.
"""

import gc
import traceback
from collections.abc import Callable

import psutil

from sinktrack.core.errors import DeviceMemoryError

_OF_A_CPU = ("can't allocate memory", "not enough memory", "failed to allocate")
_LESS = "choose fewer methods, shorter answers, or fewer and smaller pictures."


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that a machine or its GPU has too little memory."""
    if isinstance(error, MemoryError | DeviceMemoryError):
        return True
    if any(kind.__name__ == "OutOfMemoryError" for kind in type(error).__mro__):  # torch's
        return True
    said = str(error).lower() if isinstance(error, RuntimeError) else ""
    return any(words in said for words in _OF_A_CPU)


def memory_sentence(error: BaseException, asked: str = "") -> str:
    """Return what to lower, for whoever asked for too much.

    Args:
        error: Of which `is_out_of_memory` holds.
        asked: What was asked for, as "2 methods and 1 picture"; "" where that is not known.
    """
    if isinstance(error, DeviceMemoryError):  # which names what was there
        return str(error)
    return f"The device ran out of memory{asked and f' on {asked}'}: {_LESS}"


def let_go(error: BaseException, free_device: Callable[[], None] | None = None) -> None:
    """Give back what an error that was met still holds, so that the next request finds room.

    Args:
        error: What was raised. The variables of the code that it came through are gone afterwards.
        free_device: Gives back what the device keeps for later.
    """
    each: BaseException | None = error
    while each is not None:
        traceback.clear_frames(each.__traceback__)
        each = each.__cause__ or each.__context__
    gc.collect()
    if free_device is not None:
        free_device()


def resident_bytes() -> int:
    """Return how much memory this process takes."""
    return int(psutil.Process().memory_info().rss)
