"""The conversation so far: what was asked and answered, and what goes on from it.

It is kept on the server, in the visitor's session. Nothing of it comes back from the browser but
which of the last answers goes on.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from app.shared.request import Asked, Exchange, Request
from app.shared.thumbnails import data_url
from app.shared.toasts import toast
from app.shared.ui import component_json
from sinktrack.core.errors import SinkTrackError
from sinktrack.core.images import load_picture

_THUMBNAIL = 96  # pixels, twice what is shown


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A question that was answered.

    Args:
        request: The question, and how it was asked.
        answers: Title and text of each.
        words: By lane, the ids that it wrote.
    """

    request: Request
    answers: tuple[tuple[str, str], ...]
    words: Mapping[str, tuple[int, ...]]

    @classmethod
    def of(cls, request: Request, comparison: dict[str, Any]) -> "Finished":
        """Return a question with its answers, as a comparison's payload has them."""
        lanes = comparison["lanes"]
        return cls(
            request=request,
            answers=tuple((lane["title"], lane["text"]) for lane in lanes),
            words={lane["name"]: tuple(lane["ids"]) for lane in lanes},
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
        request = self.request
        return (*request.history, Exchange(asked=request.asked, answer=text, by=title))

    def forced(self, lane: Any, at: Any) -> Request:
        """Return the same question with the words of one lane up to a token told to all.

        Args:
            lane: Whose words, as the browser sent it.
            at: The last of them, likewise.

        Raises:
            gr.Error: If there is no such word, or no room for another.
        """
        words = self.words.get(lane) if isinstance(lane, str) else None
        whole = isinstance(at, int) and not isinstance(at, bool)
        if words is None or not whole or not 0 <= at < len(words):
            raise toast("There is no such word any more: choose one of those shown.")
        told = words[: at + 1]
        if len(told) >= self.request.max_new_tokens:
            raise toast(
                f"The answer may have {self.request.max_new_tokens} tokens, and all of them would "
                "be told: choose an earlier word, or ask with longer answers."
            )
        return replace(self.request, beginnings=tuple((name, told) for name in self.words))


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
