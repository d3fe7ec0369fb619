"""What a visitor has set on the page, as the browser sent it: nothing in it is checked yet."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.shared.request import DEFAULT_METHODS, Asked, Exchange, Request, given
from sinktrack.core.errors import PictureError

_VIDEOS = {".mp4", ".m4v", ".mov", ".webm", ".mkv", ".avi"}


@dataclass(frozen=True, kw_only=True)
class MethodInputs:
    """One answer's method.

    Args:
        kind: Of the method; "" for no answer.
        parameters: As typed: name=value, separated by commas.
    """

    kind: str = ""
    parameters: str = ""

    def text(self) -> str:
        """Return it as the command line takes it."""
        parameters = " ".join((self.parameters or "").split())
        return f"{self.kind}:{parameters}" if parameters else self.kind


DEFAULT = tuple(MethodInputs(kind=kind) for kind in DEFAULT_METHODS)


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """Everything that a question comes with.

    Args:
        picture: The uploaded file; None if there is none.
        question: The text as typed.
        more: More files: pictures, and at most one video.
        passage: The text as typed.
        system: The system prompt as typed.
        history: The conversation before the question; it never comes from the browser.
        methods: The answers' methods, those that are not wanted included.
        max_new_tokens: The longest answer.
        do_sample: Whether to sample.
        temperature: Used when sampling.
        seed: Of the sampling noise.
        window: How many of the last tokens stay in view; 0 or None for all.
        first_tokens: How many of the first tokens stay beside them.
    """

    picture: str | None = None
    question: str | None = None
    more: tuple[str, ...] = ()
    passage: str | None = None
    system: str | None = None
    history: tuple[Exchange, ...] = ()
    methods: tuple[MethodInputs, ...] = DEFAULT
    max_new_tokens: Any = 128
    do_sample: Any = False
    temperature: Any = 1.0
    seed: Any = 0
    window: Any = 0
    first_tokens: Any = 1

    @property
    def pictures(self) -> tuple[str, ...]:
        """The pictures of this question."""
        more = (file for file in self.more if not _is_video(file))
        return (*([self.picture] if self.picture else []), *more)

    def video(self) -> str | None:
        """Return the video of this question, if it has one.

        Raises:
            PictureError: If it has several.
        """
        videos = [file for file in self.more if _is_video(file)]
        if len(videos) > 1:
            raise PictureError(
                f"There are {len(videos)} videos, but a question can be about one: leave out "
                "the others."
            )
        return videos[0] if videos else None

    def method_texts(self) -> tuple[str, ...]:
        """Return the wanted methods as the engine takes them."""
        return tuple(method.text() for method in self.methods if method.kind)

    def has(self) -> dict[str, bool]:
        """Tell whether there are visuals and passages anywhere in the conversation."""
        asked = Asked(
            question="", pictures=(*self.pictures, *self.more), passage=given(self.passage)
        )
        return Request(asked=asked, history=self.history).has()


def _is_video(file: str) -> bool:
    """Tell a video by its name; the library looks into it."""
    return Path(file).suffix.lower() in _VIDEOS
