"""One block at a time uses a model, because models keep state between the steps of a generation."""

import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sinktrack.core.errors import AttachError


class _Holder:
    """The lock of one model, and the thread that took it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.thread: weakref.ref[threading.Thread] | None = None


_HOLDERS: "weakref.WeakKeyDictionary[Any, _Holder]" = weakref.WeakKeyDictionary()
_HOLDERS_LOCK = threading.Lock()


@contextmanager
def model_lock(model: Any) -> Iterator[None]:
    """Let one block at a time use a model; others wait, but the same thread would wait for ever."""
    with _HOLDERS_LOCK:
        holder = _HOLDERS.setdefault(model, _Holder())
    owner = holder.thread
    if owner is not None and owner() is threading.current_thread():
        raise AttachError(
            "The model is attached to already in this thread: leave the other block, or finish or "
            "close the other stream, first."
        )
    with holder.lock:
        holder.thread = weakref.ref(threading.current_thread())
        try:
            yield
        finally:
            holder.thread = None
