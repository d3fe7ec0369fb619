"""Whether one answer is right where the right one is known. Knows nothing about models or items."""

import re
from collections import Counter
from dataclasses import dataclass
from typing import Literal

from sinktrack.eval.scorers import letter, yes_no

By = Literal["yes or no", "letter", "sentences"]
_YES_OR_NO = ("existence", "delayed existence")  # tasks, and how their names begin
_LETTER = re.compile(r"answer:\s*\(?([a-z])\b", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Truth:
    """A right answer, and what of it decides.

    Args:
        answer: The right answer.
        by: "yes or no", as POPE scores; "letter", the last "Answer: X"; "sentences": the same
            sentences in any order, whatever their case and punctuation.
    """

    answer: str
    by: By = "sentences"

    @classmethod
    def of_task(cls, answer: str, task: str) -> "Truth":
        """Return the right answer to a question of a task, judged as the task scores it.

        Args:
            answer: The reference answer.
            task: Its name, as `sinktrack.shapes.questions.Question` and the tasks have it.
        """
        if task.startswith(_YES_OR_NO):
            return cls(answer=answer, by="yes or no")
        return cls(answer=answer, by="letter" if _LETTER.search(answer) else "sentences")

    @classmethod
    def of_reference(cls, answer: str) -> "Truth":
        """Return the right answer that somebody wrote down; a bare yes or no decides alone."""
        bare = _sentences(answer) in ([("yes",)], [("no",)])
        return cls(answer=answer, by="yes or no" if bare else "sentences")

    def admits(self, said: str) -> bool:
        """Tell whether an answer is right.

        Args:
            said: The whole answer; one that was cut off is wrong in what it had yet to say.
        """
        if self.by == "yes or no":
            words = re.findall(r"\b(yes|no)\b", self.answer.lower())
            return yes_no(said, bool(words) and words[-1] == "yes")["accuracy"][0] == 1
        if self.by == "letter":
            return letter(said, _LETTER.findall(self.answer)[-1])["accuracy"][0] == 1
        return Counter(_sentences(said)) == Counter(_sentences(self.answer))


def _sentences(text: str) -> list[tuple[str, ...]]:
    """Return the words of each sentence, in small letters and without punctuation.

    A dash that stands alone is a word: it is what an empty cell is called.
    """
    parts = re.split(r"[.!?\n]", text.casefold())
    parted = (re.findall(r"[^\W_]+|(?<!\S)-(?!\S)", part) for part in parts)
    return [tuple(words) for words in parted if words]
