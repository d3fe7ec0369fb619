"""Right answers to questions about pictures that were made here: drawn scenes and examples.

A picture is known by its bytes, on whichever way it comes back. Knows neither models nor pages.
"""

import hashlib
import threading
from collections import OrderedDict
from pathlib import Path

from app.shared.request import Request
from sinktrack.eval.truth import Truth

_PICTURES = 1000
"""How many pictures are known at most; what was not remembered for longest goes first."""
_LARGEST = 1_000_000  # bytes; what is made here is far smaller


class KnownAnswers:
    """Pictures, with questions about them and the right answers."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._known: OrderedDict[bytes, dict[str, Truth]] = OrderedDict()
        self._lock = threading.Lock()

    def remember(self, picture: bytes, question: str, truth: Truth) -> None:
        """Remember the right answer to a question.

        Args:
            picture: The whole file.
            question: As it is asked.
            truth: The right answer.
        """
        digest = hashlib.sha256(picture).digest()
        with self._lock:
            self._known.setdefault(digest, {})[_said(question)] = truth
            self._known.move_to_end(digest)
            while len(self._known) > _PICTURES:
                self._known.popitem(last=False)

    def truth(self, request: Request) -> Truth | None:
        """Return the right answer to a request; None where it is not known.

        It is not where anything beside the picture could have changed what is right: other
        pictures, a passage, a system prompt, earlier turns.
        """
        asked = request.asked
        more = (*asked.pictures[1:], asked.video, asked.passage, request.system, *request.history)
        if not asked.pictures or any(more):
            return None
        try:
            file = Path(asked.pictures[0])
            if file.stat().st_size > _LARGEST:
                return None
            digest = hashlib.sha256(file.read_bytes()).digest()
        except OSError:  # deleted since
            return None
        with self._lock:
            return self._known.get(digest, {}).get(_said(asked.question))


def _said(question: str) -> str:
    return " ".join(question.split()).casefold()
