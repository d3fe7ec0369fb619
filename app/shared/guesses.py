"""How codes are compared; whoever guesses them waits, longer each time and never for long.

All of it is in memory, and forgotten when the page ends. Knows nothing about pages.
"""

import hmac
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Kind = Literal["study", "personal", "coordinator", "owner"]

FREE = 5
"""So many wrong codes cost nothing: people mistype."""
LONGEST = 30.0
"""Seconds. Behind a proxy everybody may have one address, so that nobody may be kept out by it."""
_FORGOTTEN = 15 * 60.0
"""After so many seconds without a wrong code all is as before."""
_MOST = 10_000
"""Addresses that are remembered, the latest ones."""

log = logging.getLogger(__name__)


@dataclass
class _Wrong:
    count: int = 0
    last: float = 0.0

    def until(self) -> float:
        """Return when the next code is looked at."""
        over = min(self.count - FREE, 10)
        return self.last + min(2.0**over, LONGEST) if over >= 0 else self.last


class Guesses:
    """Counts wrong codes by address and kind.

    Args:
        clock: Seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._wrong: OrderedDict[tuple[str, Kind], _Wrong] = OrderedDict()

    def refusal(self, address: str, kind: Kind, right: bool) -> str | None:
        """Return why a code is not looked at now; None where it is, and count it if it is wrong.

        Args:
            address: Where it comes from; see `app.shared.visitors.address_of`.
            kind: What it is for.
            right: Whether it is right. Who has to wait is not told.
        """
        key, now = (address, kind), self._clock()
        with self._lock:
            wrong = self._wrong.get(key)
            if wrong is not None and now - wrong.last > _FORGOTTEN:
                del self._wrong[key]
                wrong = None
            if wrong is not None and now < wrong.until():
                seconds = max(1, round(wrong.until() - now))
                return (
                    f"Too many wrong codes came from your address: wait {seconds} "
                    f"second{'' if seconds == 1 else 's'}, then try again."
                )
            if not right:
                wrong = self._wrong.setdefault(key, _Wrong())
                wrong.count, wrong.last = wrong.count + 1, now
                self._wrong.move_to_end(key)
                if len(self._wrong) > _MOST:
                    self._wrong.popitem(last=False)
                log.warning(
                    "Wrong code (%s) from %s, number %d: the next is looked at in %.0f s",
                    kind,
                    address or "an unknown address",
                    wrong.count,
                    wrong.until() - now,
                )
        return None


def equal(one: str, other: str) -> bool:
    """Compare two secrets in a time that tells nothing of them."""
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode("utf-8", "replace"))
