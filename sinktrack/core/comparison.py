"""The answers of several lanes to one question, as values.

Knows nothing about how they came about; `sinktrack.api` makes them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sinktrack.core.images import Picture
from sinktrack.core.trace import AttentionTrace, Token
from sinktrack.methods.sinktrack import SinkTrack

Finish = Literal["eos", "length", "stopped"]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What one lane answered.

    Args:
        name: The lane's name.
        text: The answer without special tokens.
        token_ids: The generated ids, the one that ended the answer included.
        method: The lane's method; None is the plain model.
        finish: Why it ended: "eos", the model ended it, by a token or a stop string; "length", the
            limit; or "stopped" from outside.
        trace: Its attention; None if recording was off.
        seconds_to_first_token: From the start of the prefill, in seconds.
        tokens_per_second: After the first token; 0.0 for a single one.
        probabilities: The model's own probability of each token, before temperature and the like.
    """

    name: str
    text: str
    token_ids: tuple[int, ...]
    method: SinkTrack | None
    finish: Finish
    trace: AttentionTrace | None
    seconds_to_first_token: float
    tokens_per_second: float
    probabilities: tuple[float, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Comparison(Mapping[str, Answer]):
    """The answers of all lanes to one question; `comparison["sinktrack"]` is one of them.

    Args:
        answers: By lane, in the order in which the methods were given.
        question: As the model read it.
        pictures: As the model saw them.
        settings: How it was decoded, as JSON values.
        model_name: Where the model was loaded from.
        versions: Of the packages that the numbers depend on.
        prompt: The tokens of the prompt; a picture is many that have no text worth showing.
    """

    answers: dict[str, Answer]
    question: str
    pictures: tuple[Picture, ...]
    settings: dict[str, Any]
    model_name: str
    versions: dict[str, str]
    prompt: tuple[Token, ...] = ()

    @property
    def picture(self) -> Picture | None:
        """The first picture, or None for a text-only model."""
        return self.pictures[0] if self.pictures else None

    def __getitem__(self, lane: str) -> Answer:
        """Return the answer of `lane`."""
        return self.answers[lane]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the lanes' names."""
        return iter(self.answers)

    def __len__(self) -> int:
        """Return the number of lanes."""
        return len(self.answers)


@dataclass(frozen=True, kw_only=True)
class Step:
    """One decode step of all lanes.

    Args:
        index: 0 for the first token.
        tokens: What each lane wrote; a lane that has ended is absent.
        texts: The answers so far, without special tokens.
        comparison: The result, with the last step alone.
    """

    index: int
    tokens: dict[str, Token]
    texts: dict[str, str]
    comparison: Comparison | None = None
