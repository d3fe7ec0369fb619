"""One lane of a comparison while it is being answered."""

from typing import Any

from sinktrack.comparison import Answer, Finish
from sinktrack.method import SinkTrack
from sinktrack.recorder import Recorder
from sinktrack.trace import Token


class Lane:
    """What one method has written so far.

    Args:
        name: The lane's name.
        method: Its method, None for the plain model.
        tokenizer: Turns ids into text.
    """

    def __init__(self, name: str, method: SinkTrack | None, tokenizer: Any) -> None:
        """Start with nothing written."""
        self.name = name
        self.method = method
        self.tokenizer = tokenizer
        self.ids: list[int] = []
        self.probabilities: list[float] = []
        self.text = ""
        self.finish: Finish | None = None
        self.first_at = self.last_at = 0.0

    def take(self, token_id: int, probability: float, eos: frozenset[int], seconds: float) -> Token:
        """Add a token that was chosen `seconds` after the start; return it with its text."""
        self.ids.append(token_id)
        self.probabilities.append(probability)
        self.first_at, self.last_at = self.first_at or seconds, seconds
        if token_id in eos:
            self.finish = "eos"
        text = self.tokenizer.decode(self.ids, skip_special_tokens=True)
        if self.finish is None:
            text = text.rstrip("\ufffd")  # a character whose other bytes are still to come
        added, self.text = text[len(self.text) :], text
        return Token(token_id, added)

    def end(self, finish: Finish) -> None:
        """End the answer here, unless it has ended."""
        self.finish = self.finish or finish

    def answer(self, recorder: Recorder, row: int) -> Answer:
        """Return the finished answer with its trace."""
        assert self.finish is not None
        later = self.last_at - self.first_at
        return Answer(
            name=self.name,
            text=self.text.strip(),
            token_ids=tuple(self.ids),
            method=self.method,
            finish=self.finish,
            trace=recorder.trace(row, token_ids=self.ids, tokenizer=self.tokenizer)
            if recorder.enabled
            else None,
            seconds_to_first_token=self.first_at,
            tokens_per_second=(len(self.ids) - 1) / later if later > 0 else 0.0,
            probabilities=tuple(self.probabilities),
        )
