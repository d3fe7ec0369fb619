"""What a visitor asks for. Knows nothing about models."""

from dataclasses import dataclass
from typing import Any

from sinktrack.core.cache import Cache, SinkWindow

DEFAULT_METHODS = ("baseline", "sinktrack")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One question, and what it is about.

    Args:
        question: The visitor's text.
        pictures: Files, in the order in which the model sees them.
        video: A file; None without one.
        passage: The text that the question is about; None without one.
    """

    question: str
    pictures: tuple[str, ...] = ()
    video: str | None = None
    passage: str | None = None


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """A question of earlier in the conversation, with the answer that it goes on from.

    Args:
        asked: The question.
        answer: The answer.
        by: What wrote it, for people to read.
    """

    asked: Asked
    answer: str
    by: str

    def messages(self) -> list[dict[str, Any]]:
        """Return both turns in transformers' chat format."""
        asked = self.asked
        content: list[dict[str, Any]] = [
            {"type": "image", "image": each} for each in asked.pictures
        ]
        content += [{"type": "video", "video": asked.video}] if asked.video else []
        if asked.passage:
            content.append({"type": "text", "text": asked.passage, "part": "passage"})
        content.append({"type": "text", "text": asked.question})
        return [
            {"role": "user", "content": content},
            {"role": "assistant", "content": self.answer},
        ]


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a visitor asked, checked by the engine. It can be pickled.

    Args:
        asked: The question, and what it is about.
        history: The conversation before it.
        system: The system prompt; None for the chat template's own.
        methods: Texts that `sinktrack.methods.parse` reads, one an answer.
        notices: What is to be said about pictures and videos.
        max_new_tokens: The longest answer, from 1 to the page's limit.
        do_sample: Sample; else each token is the most likely one.
        temperature: Above 0, used when sampling.
        seed: Of the sampling noise.
        cache: What stays in view while the answers grow.
        beginnings: Lanes, and the first token ids that each is told.
    """

    asked: Asked
    history: tuple[Exchange, ...] = ()
    system: str | None = None
    methods: tuple[str, ...] = DEFAULT_METHODS
    notices: tuple[str, ...] = ()
    max_new_tokens: int = 128
    do_sample: bool = False
    temperature: float = 1.0
    seed: int = 0
    cache: Cache = "full"
    beginnings: tuple[tuple[str, tuple[int, ...]], ...] = ()

    @property
    def visuals(self) -> list[str]:
        """The files of all pictures and videos of the conversation."""
        turns = (*(each.asked for each in self.history), self.asked)
        return [
            file for asked in turns for file in (*asked.pictures, asked.video) if file is not None
        ]

    def has(self) -> dict[str, bool]:
        """Tell whether there are visuals and passages anywhere in the conversation."""
        asked = (*(each.asked for each in self.history), self.asked)
        return {"visuals": bool(self.visuals), "passage": any(each.passage for each in asked)}

    def in_words(self) -> str:
        """Return how much is asked for."""
        return (
            f"{len(self.methods)} methods, answers of up to {self.max_new_tokens} tokens and "
            f"{len(self.visuals)} pictures and videos"
        )

    def other_arguments(self) -> dict[str, Any]:
        """Return what is asked beside the question and its pictures, as the library takes it."""
        messages = [message for each in self.history for message in each.messages()]
        return {
            "video": self.asked.video,
            "passage": self.asked.passage,
            "messages": messages or None,
            "system": self.system,
        }


def given(text: str | None) -> str | None:
    """Return a text that may be left out; None if it is blank."""
    return text if text and text.strip() else None


def cache_for(window: int, sinks: int) -> Cache:
    """Return the cache that keeps the last `window` tokens (0: all) and the first `sinks`.

    Raises:
        MethodError: If a number is out of range.
    """
    return SinkWindow(window=window, sinks=sinks) if window else "full"
