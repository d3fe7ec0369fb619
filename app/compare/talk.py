"""The conversation so far: what was asked and answered, and what goes on from it.

It is kept on the server, in the visitor's session. Nothing of it comes back from the browser but
which of the last answers goes on.
"""

from dataclasses import dataclass
from typing import Any

from app.shared.request import Asked, Exchange, Request
from app.shared.thumbnails import data_url
from app.shared.ui import component_json, toast
from sinktrack.core.errors import SinkTrackError
from sinktrack.core.images import load_picture

_THUMBNAIL = 96  # pixels, twice what is shown


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A question that was answered.

    Args:
        asked: The question.
        history: The conversation that it went on from.
        answers: Title and text of each.
        methods: Of each answer, as `sinktrack.methods.parse` reads it.
    """

    asked: Asked
    history: tuple[Exchange, ...]
    answers: tuple[tuple[str, str], ...]
    methods: tuple[str, ...]

    @classmethod
    def of(cls, request: Request, comparison: dict[str, Any]) -> "Finished":
        """Return a question with its answers, as a comparison's payload has them."""
        answers = tuple((lane["title"], lane["text"]) for lane in comparison["lanes"])
        return cls(
            asked=request.asked, history=request.history, answers=answers, methods=request.methods
        )

    def gone_on(self, choice: Any) -> tuple[Exchange, ...]:
        """Return the conversation with this question and one of its answers.

        Args:
            choice: Which answer, as the browser sent it.

        Raises:
            gr.Error: If there is no such answer, or nothing in it.
        """
        if isinstance(choice, bool) or not isinstance(choice, int):
            raise toast("Choose the answer that the conversation goes on from.")
        if not 0 <= choice < len(self.answers):
            raise toast("There is no such answer: choose one of those shown.")
        title, text = self.answers[choice]
        if not text.strip():
            raise toast(f"{title} wrote nothing that could be gone on from: choose another answer.")
        return (*self.history, Exchange(asked=self.asked, answer=text, by=title))


def shown(history: tuple[Exchange, ...]) -> str:
    """Return a conversation as the value of the list of earlier turns."""
    return component_json(
        [
            {
                "question": each.asked.question,
                "about": _about(each.asked),
                "pictures": [src for src in map(_thumbnail, each.asked.pictures) if src],
                "answer": each.answer,
                "by": each.by,
            }
            for each in history
        ]
    )


def _about(asked: Asked) -> str:
    """Say what a question is about beside the pictures that are shown."""
    said = ["a video"] if asked.video else []
    if asked.passage:
        words = len(asked.passage.split())
        said.append(f"a passage of {words} word{'' if words == 1 else 's'}")
    return f"With {' and '.join(said)}" if said else ""


def _thumbnail(file: str) -> str | None:
    """Return a picture as a small data URL; None if it is gone."""
    try:
        return data_url(load_picture(file).image, _THUMBNAIL)
    except SinkTrackError:
        return None
