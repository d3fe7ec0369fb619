"""The answers of several methods to one question, as values.

Knows nothing about how they came about; `sinktrack.core.generate` makes them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sinktrack.core.images import Picture
from sinktrack.core.intervention import Intervention
from sinktrack.core.messages import Conversation, passage_of, visuals_of
from sinktrack.core.trace import AttentionTrace, Token
from sinktrack.core.video import Video

Finish = Literal["eos", "length", "stopped"]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What one method answered.

    Args:
        name: What the method was called in `methods`.
        text: The answer without special tokens.
        token_ids: The generated ids, the one that ended the answer included.
        method: The method that ran, fitted to the model; None is the plain model.
        finish: Why it ended: "eos", the model ended it, by a token or a stop string; "length", the
            limit; or "stopped" from outside.
        trace: Its attention; None if recording was off.
        seconds_to_first_token: From the start of the prefill, in seconds.
        tokens_per_second: After the first token; 0.0 for a single one.
        probabilities: The probability of each token in the distribution that the method chose
            from, before temperature and the like.
        moved: The most that the method moved anything in the whole answer, by what it moved, see
            `sinktrack.core.running.MOVED`; empty for the plain model.
    """

    name: str
    text: str
    token_ids: tuple[int, ...]
    method: Intervention | None
    finish: Finish
    trace: AttentionTrace | None
    seconds_to_first_token: float
    tokens_per_second: float
    probabilities: tuple[float, ...] = ()
    moved: dict[str, float] = field(default_factory=dict)

    @property
    def notice(self) -> str | None:
        """A sentence that says that the method moved nothing in this answer, if that is so."""
        if self.method is None or any(self.moved.values()):
            return None
        return (
            f"{self.name} moved nothing in this answer, so it is the plain model's: its settings "
            "switch it off, or what it looks for was not in the prompt."
        )


@dataclass(frozen=True, kw_only=True)
class Comparison(Mapping[str, Answer]):
    """The answers of all methods to one question; `comparison["sinktrack"]` is one of them.

    Args:
        answers: By name, in the order in which the methods were given.
        turns: The conversation as the model read it; the last turn is the question's.
        settings: How it was decoded, as JSON values; with "beginnings", the first ids that methods
            were told, where they were.
        model_name: Where the model was loaded from.
        versions: Of Python and the packages that the numbers depend on.
        made: When the answers ended, as 2026-01-31T12:00:00Z; "" where it is not known.
        revision: The commit of the hub that the model was loaded from; "" where it is not known.
        prompt: The tokens of the prompt; a picture is many that have no text worth showing.
    """

    answers: dict[str, Answer]
    turns: Conversation
    settings: dict[str, Any]
    model_name: str
    versions: dict[str, str]
    made: str = ""
    revision: str = ""
    prompt: tuple[Token, ...] = ()

    @property
    def question(self) -> str:
        """The last text of the user, as the model read it."""
        return self.turns[-1].text if self.turns else ""

    @property
    def passage(self) -> str:
        """The passages, as the model read them; "" without one."""
        return passage_of(self.turns)

    @property
    def visuals(self) -> tuple[Picture | Video, ...]:
        """The pictures and videos as the model saw them, in order."""
        return visuals_of(self.turns)

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """The pictures alone."""
        return tuple(each for each in self.visuals if isinstance(each, Picture))

    @property
    def notices(self) -> tuple[str, ...]:
        """Sentences for a person: what became of pictures, and which methods did nothing."""
        said = [notice for each in self.visuals for notice in each.notices]
        return (*said, *(each.notice for each in self.answers.values() if each.notice))

    def __getitem__(self, name: str) -> Answer:
        """Return the answer of a method."""
        return self.answers[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the methods' names."""
        return iter(self.answers)

    def __len__(self) -> int:
        """Return the number of answers."""
        return len(self.answers)


@dataclass(frozen=True, kw_only=True)
class Step:
    """One decode step of all methods.

    Args:
        index: 0 for the first token.
        tokens: What each method wrote; one whose answer has ended is absent.
        texts: The answers so far, without special tokens.
        comparison: The result, with the last step alone.
    """

    index: int
    tokens: dict[str, Token]
    texts: dict[str, str]
    comparison: Comparison | None = None
