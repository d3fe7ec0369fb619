"""Streaming perplexity: how well a model foretells a text, token by token, as far as it goes.

Any text file is cut into stretches. The beginning of a stretch is the passage of the prompt, and
the model is told the rest of it a token at a time, as if it had written it, with whatever cache the
run has: so `--sinks 4 --window 252` is StreamingLLM's cache, and a method acts as it does while it
writes. What a token's probability was is asked before it is told. Perplexity is e to the power of
the mean loss; the loss is what methods are compared by, because it adds up.

Source: Xiao et al. 2023, "Efficient Streaming Language Models with Attention Sinks",
https://arxiv.org/abs/2309.17453, section 4.1, which reads one long text without a prompt.
"""

import math
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from sinktrack.core.errors import DataError
from sinktrack.eval.data_sets import spread, text_in
from sinktrack.eval.prompts import TaskPrompt, prompt_of
from sinktrack.eval.task import WHOLE, Benchmark, Chosen, Item, Scores, Task

PASSAGE, REST = 1000, 8000
"""How many characters of a stretch are read as the prompt's passage, and how many are told then."""

LEAST = 200
"""A last stretch with fewer characters to tell is left out."""

PARTS = {"first 256": (0, 256), "next 768": (256, 1024), "later": (1024, None)}
"""The told tokens whose loss is given by itself, because a window forgets only after a while."""

LOSS = "loss (nats a token)"


def stretches(text: str) -> list[tuple[str, str]]:
    """Return passages and what follows each, cut between words where there are any.

    Raises:
        DataError: If the text is too short for one.
    """
    found = []
    begin = 0
    while begin < len(text):
        middle = _cut(text, begin, PASSAGE)
        end = _cut(text, middle, REST)
        passage, rest = text[begin:middle].strip(), text[middle:end].rstrip()
        if passage and len(rest) >= LEAST:
            found.append((passage, rest))
        begin = end
    if not found:
        raise DataError(
            f"The text has {len(text):,} characters, but {PASSAGE + LEAST:,} are the least: give "
            "a longer one."
        )
    return found


def _cut(text: str, begin: int, length: int) -> int:
    """Return where to cut a text: after so many characters, or before the word that stands there.

    What follows begins with the blank, as words do for most tokenizers.
    """
    end = begin + length
    if end >= len(text) or text[end].isspace():
        return min(end, len(text))
    blanks = (at for at in range(end, begin + length // 2, -1) if text[at].isspace())
    return next(blanks, end)


def _items(path: str, prompt: TaskPrompt, split: str, limit: int) -> Iterator[Item]:
    found = list(enumerate(stretches(text_in(path))))
    for number, (passage, rest) in spread(found, limit):
        yield Item(id=str(number), answer=rest, **prompt.put(passage=passage))


def _foretold(item: Item, probabilities: Sequence[float]) -> Scores:
    losses = [-math.log(each) for each in probabilities]
    parts = {LOSS: losses} | {
        f"{LOSS}, {name}": losses[begin:end] for name, (begin, end) in PARTS.items()
    }
    return {name: (math.fsum(own), float(len(own))) for name, own in parts.items() if own}


def _nothing(item: Item, answer: str) -> Scores:
    """Score what failed: it has no loss, so it counts in no measure."""
    return {}


def _tasks(chosen: Chosen) -> tuple[Task, ...]:
    if "text" not in chosen.data:
        raise DataError("streaming reads a text that this program does not bring: add --data FILE.")
    path, prompt = chosen.data["text"], prompt_of(("streaming",), chosen.prompt)
    names = ["", *(f", {part}" for part in PARTS)]

    def about(split: str) -> dict[str, Any]:
        stretches(text_in(path))
        return {"data": path} | prompt.about()

    return (
        Task(
            name="streaming",
            items=partial(_items, path, prompt),
            score=_nothing,
            max_new_tokens=prompt.tokens,
            limit=WHOLE,
            foretold=_foretold,
            powers={f"perplexity{name}": f"{LOSS}{name}" for name in names},
            about=about,
        ),
    )


SUITES = {"streaming": Benchmark(tasks=_tasks, places={"text": "a text file"}, on_hub=False)}
