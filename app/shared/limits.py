"""How much one address may ask for: questions and uploads a minute, seconds of the model an hour.

All of it is in memory, and forgotten when the page ends. A limit counts by address and not by tab,
so that a program which opens a tab for each question gains nothing. Knows nothing about pages.
"""

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable

from app.shared.visitors import Visitor
from sinktrack.core.errors import SinkTrackError

QUESTIONS = 30
"""Questions a minute, unless it is set."""
MODEL_SECONDS = 1800
"""Seconds of the model an hour, unless it is set."""
UPLOADS = 60
"""Files a minute, unless it is set."""
_MINUTE, _HOUR = 60.0, 3600.0
_MOST = 10_000  # addresses that are remembered, the latest ones


class TurnedAwayError(SinkTrackError):
    """A visitor gets no turn now, and the sentence says why.

    Args:
        sentence: For the visitor.
        limit: Which limit was met, for the owner.
    """

    def __init__(self, sentence: str, limit: str) -> None:
        super().__init__(sentence)
        self.limit = limit


class TooManyError(TurnedAwayError):
    """An address has asked for more than one may."""


class Limit:
    """How much an address may have within some seconds.

    Args:
        most: So much; 0 for any amount, None for `usual`.
        usual: What an address of the internet may have where nothing was set. Others are not
            counted then: behind one may be a proxy with everybody behind it.
        within: Seconds.
        clock: Seconds that never go back.
    """

    def __init__(
        self, most: int | None, usual: int, within: float, clock: Callable[[], float]
    ) -> None:
        self.most, self._for_all = usual if most is None else most, most is not None
        self._within, self._clock = within, clock
        self._had: OrderedDict[str, deque[tuple[float, float]]] = OrderedDict()
        self._lock = threading.Lock()

    def counts(self, visitor: Visitor) -> bool:
        """Whether a visitor is counted."""
        return self.most > 0 and (self._for_all or visitor.public)

    def wait(self, visitor: Visitor) -> float:
        """Return in how many seconds a visitor may have more; 0 for now."""
        now = self._clock()
        with self._lock:
            had = self._had.get(visitor.address)
            if had is None or not self.counts(visitor):
                return 0.0
            while had and had[0][0] <= now - self._within:
                had.popleft()
            left, until = sum(amount for _, amount in had), 0.0
            for when, amount in had:
                if left < self.most:
                    break
                left, until = left - amount, when + self._within - now
            return until

    def add(self, visitor: Visitor, amount: float = 1.0) -> None:
        """Count what a visitor got."""
        if not self.counts(visitor):
            return
        with self._lock:
            had = self._had.setdefault(visitor.address, deque())
            had.append((self._clock(), amount))
            self._had.move_to_end(visitor.address)
            if len(self._had) > _MOST:
                self._had.popitem(last=False)


class Limits:
    """The limits of a page. For each: None for the usual one, 0 for none.

    Args:
        questions: How many an address may ask within a minute.
        model_seconds: For how long the model may work for an address within an hour.
        uploads: How many files an address may send within a minute.
        clock: Seconds that never go back.
    """

    def __init__(
        self,
        questions: int | None = None,
        model_seconds: int | None = None,
        uploads: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._questions = Limit(questions, QUESTIONS, _MINUTE, clock)
        self._model = Limit(model_seconds, MODEL_SECONDS, _HOUR, clock)
        self._uploads = Limit(uploads, UPLOADS, _MINUTE, clock)

    def ask(self, visitor: Visitor) -> None:
        """Count a question.

        Raises:
            TooManyError: If the visitor's address may not ask now; it is not counted then.
        """
        self.use_model(visitor)
        if until := self._questions.wait(visitor):
            raise TooManyError(
                f"From your address {counted(self._questions.most, 'question')} came within a "
                f"minute, and more are not taken: ask again in {in_words(until)}.",
                "questions",
            )
        self._questions.add(visitor)

    def use_model(self, visitor: Visitor) -> None:
        """Do nothing, unless the visitor's address has used the model for too long.

        Raises:
            TooManyError: If it has.
        """
        if until := self._model.wait(visitor):
            raise TooManyError(
                f"For your address the model has worked {in_words(self._model.most)} within an "
                f"hour, and does not work longer: ask again in {in_words(until)}.",
                "model seconds",
            )

    def used(self, visitor: Visitor, seconds: float) -> None:
        """Count for how long the model has worked for a visitor."""
        self._model.add(visitor, seconds)

    def upload(self, visitor: Visitor) -> None:
        """Count a file.

        Raises:
            TooManyError: If the visitor's address may not send one now.
        """
        if until := self._uploads.wait(visitor):
            raise TooManyError(
                f"From your address {counted(self._uploads.most, 'file')} came within a minute, "
                f"and more are not taken: try again in {in_words(until)}.",
                "uploads",
            )
        self._uploads.add(visitor)


def in_words(seconds: float) -> str:
    """Return a time as people say it, and never less than it is."""
    whole = max(1, -int(-seconds // 1))
    return counted(whole, "second") if whole <= 120 else counted(-(-whole // 60), "minute")


def counted(number: int, what: str) -> str:
    """Return so many of something, in words."""
    return f"{number} {what}{'' if number == 1 else 's'}"
