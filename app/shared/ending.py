"""The end of a page: work under way ends by itself or is cut, new work is refused, then it closes.

Knows nothing about models or pages.
"""

import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

ALONE = 4.0
"""Seconds that work under way has to end by itself."""
CUT = 2.0
"""Seconds more that work has which was told to end."""
_CLOSE = 3.0  # for the last words to browsers, and for the server
_TICK = 0.05


class Ending:
    """Knows what is under way, and brings it to an end.

    Args:
        alone: Seconds that work under way has to end by itself.
        cut: Seconds more that work has which was told to end.
    """

    def __init__(self, alone: float = ALONE, cut: float = CUT) -> None:
        self._alone, self._cut_seconds = alone, cut
        self._asked, self._begun, self._cut = (threading.Event() for _ in range(3))
        self._lock, self._count = threading.Lock(), 0
        self._last: list[Callable[[], None]] = []

    def when_terminated(self) -> None:
        """Let SIGTERM, with which servers are stopped, raise KeyboardInterrupt as Ctrl-C does.

        What the main thread is in may drop it, such as an import that can do without a package; so
        `asked` says it as well. Where Python itself drops it, in what is called as an object goes,
        the signal comes again in place of a traceback.
        """
        own, others = os.getpid(), sys.unraisablehook

        def stop(number: int, _frame: Any) -> None:
            if os.getpid() != own:  # forked, as where a ZeroGPU Space answers
                signal.signal(number, signal.SIG_DFL)
                os.kill(os.getpid(), number)
            self._asked.set()
            raise KeyboardInterrupt

        def again(dropped: Any) -> None:
            if isinstance(dropped.exc_value, KeyboardInterrupt):
                threading.Timer(_TICK, os.kill, (own, signal.SIGTERM)).start()
            else:
                others(dropped)

        signal.signal(signal.SIGTERM, stop)
        sys.unraisablehook = again

    @property
    def asked(self) -> bool:
        """Whether the process was asked to end."""
        return self._asked.is_set()

    @property
    def begun(self) -> bool:
        """Whether nothing new may begin."""
        return self._begun.is_set()

    @property
    def cut(self) -> bool:
        """Whether work under way is to end at once."""
        return self._cut.is_set()

    @property
    def left(self) -> int:
        """How much is under way."""
        return self._count

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Count a piece of work for as long as the block takes."""
        with self._lock:
            self._count += 1
        try:
            yield
        finally:
            with self._lock:
                self._count -= 1

    def last(self, work: Callable[[], None]) -> None:
        """Do some work when the page is closed, such as an upload of what it has kept."""
        self._last.append(work)

    @contextmanager
    def of(self, close: Callable[[], None]) -> Iterator[None]:
        """Bring a page to an end when the block is left, however it is left.

        Args:
            close: Closes the page.
        """
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            self._drain()
            closing = threading.Thread(target=close, daemon=True)
            closing.start()
            closing.join(_CLOSE)
            for work in self._last:
                work()

    def _drain(self) -> None:
        """Wait for what is under way, and cut it after a while."""
        self._begun.set()
        self._wait(self._alone)
        self._cut.set()
        self._wait(self._cut_seconds)

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while self.left and time.monotonic() < until:
            time.sleep(_TICK)


def leave(status: int, ending: Ending) -> None:
    """Leave the process; at once where a thread is still inside a model, which could not end well.

    Args:
        status: The exit status.
        ending: Knows what is under way.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    if ending.left:
        os._exit(status)
    gc.freeze()  # with torch loaded, looking through all objects once more takes seconds
    sys.exit(status)
