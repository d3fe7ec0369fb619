"""One answer while it is being written."""

from typing import Any

from sinktrack.core.comparison import Answer, Finish
from sinktrack.core.intervention import Intervention
from sinktrack.core.recorder import Recorder
from sinktrack.core.text import GrowingText
from sinktrack.core.trace import Token


class Row:
    """What one method has written so far.

    Args:
        name: What the method was called.
        method: The method, None for the plain model.
        tokenizer: Turns ids into text.

    Attributes:
        length: How many tokens it ends after, whatever they are; None where they tell.
    """

    def __init__(self, name: str, method: Intervention | None, tokenizer: Any) -> None:
        """Start with nothing written."""
        self.name = name
        self.method = method
        self.tokenizer = tokenizer
        self._growing = GrowingText(tokenizer, skip_special_tokens=True)
        self.ids: list[int] = []
        self.probabilities: list[float] = []
        self.text = ""
        self.finish: Finish | None = None
        self.length: int | None = None
        self.first_at = self.last_at = 0.0
        self.moved: dict[str, float] | None = None

    def take(
        self, token_id: int, probability: float, finish: Finish | None, seconds: float
    ) -> Token:
        """Add a token that was chosen `seconds` after the start; return it with its text.

        Args:
            token_id: The token.
            probability: In the distribution that the method chose from.
            finish: Why the answer ends with it; None if it goes on.
            seconds: Since the start of the prefill.
        """
        self.ids.append(token_id)
        if self.length is not None:
            finish = "length" if len(self.ids) >= self.length else None
        self.probabilities.append(probability)
        self.first_at, self.last_at = self.first_at or seconds, seconds
        self.finish = finish
        added = self._growing.take(token_id, last=finish is not None)
        self.text += added
        return Token(token_id, added)

    def end(self, finish: Finish) -> None:
        """End the answer here, unless it has ended."""
        self.finish = self.finish or finish

    @property
    def whole_text(self) -> str:
        """The answer without special tokens, as the tokenizer decodes it at once."""
        text: str = self.tokenizer.decode(self.ids, skip_special_tokens=True)
        if self.finish != "eos":
            text = text.rstrip("\ufffd")  # a character whose other bytes did not come
        return text.strip()

    def answer(self, recorder: Recorder, row: int) -> Answer:
        """Return the finished answer with its trace; it is this row of the batch."""
        assert self.finish is not None
        later = self.last_at - self.first_at
        return Answer(
            name=self.name,
            text=self.whole_text,
            token_ids=tuple(self.ids),
            method=self.method,
            finish=self.finish,
            trace=recorder.trace(row, token_ids=self.ids, tokenizer=self.tokenizer)
            if recorder.enabled
            else None,
            seconds_to_first_token=self.first_at,
            tokens_per_second=(len(self.ids) - 1) / later if later > 0 else 0.0,
            probabilities=tuple(self.probabilities),
            moved=self.moved or {},
        )
