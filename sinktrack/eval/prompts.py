"""How a benchmark's questions are put: prompts as data, which stand beside the tasks.

A file in `tasks/prompts/` maps names to prompts. A prompt has a `text` with slots in braces, the
most `tokens` of an answer, and maybe a `system` prompt, a `source`, and where the `answer` stands.
What stands before the slot `{passage}`, and the slot itself, become the passage of the question;
the rest is the question.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypedDict

import yaml

from sinktrack.core.errors import DataError
from sinktrack.core.texts import BETWEEN_TEXTS
from sinktrack.eval.rules import said_at_the_end

FOLDER = Path(__file__).parent / "tasks" / "prompts"

_PASSAGE = "{passage}"


class Put(TypedDict):
    """How one question is put: arguments of `Item`."""

    passage: str
    question: str
    system: str


@dataclass(frozen=True, kw_only=True)
class TaskPrompt:
    """One way to put a benchmark's questions.

    Args:
        name: What it is chosen by.
        text: With slots in braces.
        tokens: The longest answer.
        system: The system prompt; empty for what the chat format writes by itself.
        source: Who publishes it; empty for this project.
        answer: Where the answer to a question about a text stands: "whole", or "end" where it has
            to be taken from the end of a longer one.
    """

    name: str
    text: str
    tokens: int
    system: str = ""
    source: str = ""
    answer: Literal["whole", "end"] = "whole"

    def has(self, slot: str) -> bool:
        """Tell whether the text has a slot."""
        return f"{{{slot}}}" in self.text

    def put(self, **slots: str) -> Put:
        """Return passage, question and system prompt of an item, as `Item` takes them.

        Args:
            slots: What stands in for each slot; those that the text does not have are left out.
        """
        before, passage, after = self.text.rpartition(_PASSAGE)
        said = after.removeprefix(BETWEEN_TEXTS) if passage else self.text
        return {
            "passage": (before + passage).format(**slots),
            "question": said.format(**slots),
            "system": self.system,
        }

    def said(self, answer: str) -> str:
        """Return the part of an answer to a question about a text that is scored."""
        return answer if self.answer == "whole" else said_at_the_end(answer)

    def about(self) -> dict[str, Any]:
        """Return what a run's settings keep of it."""
        told = {"prompt": self.name, "text": self.text, "tokens": self.tokens}
        return told | {
            key: value for key, value in (("system", self.system), ("source", self.source)) if value
        }


def prompt_of(files: tuple[str, ...], name: str | None) -> TaskPrompt:
    """Return a prompt.

    Args:
        files: Where it stands, without the ending; where a name comes again, the later file's
            counts.
        name: None for the first.

    Raises:
        DataError: If there is none of this name; says which there are.
    """
    known: dict[str, TaskPrompt] = {}
    for file in files:
        known |= _prompts(file)
    chosen = next(iter(known)) if name is None else name
    if chosen not in known:
        raise DataError(f"There is no prompt {chosen!r} here: choose one of {', '.join(known)}.")
    return known[chosen]


@cache
def _prompts(file: str) -> Mapping[str, TaskPrompt]:
    read = yaml.safe_load((FOLDER / f"{file}.yaml").read_text("utf-8"))
    return {
        name: TaskPrompt(name=name, **{**values, "text": values["text"].removesuffix("\n")})
        for name, values in read.items()
    }
