"""Right answers to questions about pictures that were made here: drawn scenes and examples.

A picture is known by its bytes, on whichever way it comes back. Whatever is typed about its scene
is answered too, where the scene says what is right. Knows neither models nor pages.
"""

import hashlib
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path

from app.shared.request import Request
from sinktrack.eval.truth import Truth
from sinktrack.shapes.answered import answer_to
from sinktrack.shapes.scenes import Scene

_PICTURES = 1000
"""How many pictures are known at most; what was not remembered for longest goes first."""
_LARGEST = 1_000_000  # bytes; what is made here is far smaller


@dataclass
class _Picture:
    answers: dict[str, Truth] = field(default_factory=dict)
    scene: Scene | None = None


class KnownAnswers:
    """Pictures, with their scenes, questions about them and the right answers."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._known: OrderedDict[bytes, _Picture] = OrderedDict()
        self._lock = threading.Lock()

    def remember(self, picture: bytes, question: str, truth: Truth) -> None:
        """Remember the right answer to a question.

        Args:
            picture: The whole file.
            question: As it is asked.
            truth: The right answer.
        """
        with self._lock:
            self._picture(picture).answers[_said(question)] = truth

    def remember_scene(self, picture: bytes, scene: Scene) -> None:
        """Remember what a picture shows, and with it what is right to say of it.

        Args:
            picture: The whole file.
            scene: What it shows.
        """
        with self._lock:
            self._picture(picture).scene = scene

    def _picture(self, picture: bytes) -> _Picture:
        digest = hashlib.sha256(picture).digest()
        found = self._known.setdefault(digest, _Picture())
        self._known.move_to_end(digest)
        while len(self._known) > _PICTURES:
            self._known.popitem(last=False)
        return found

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
            known = self._known.get(digest, _Picture())
            truth, scene = known.answers.get(_said(asked.question)), known.scene
        if truth is not None or scene is None:
            return truth
        typed = answer_to(scene, asked.question)
        return None if typed is None else Truth.of_task(typed.answer, typed.task)


def _said(question: str) -> str:
    return " ".join(question.split()).casefold()
