"""Makes tasks of a data set: its rows, one prompt, and what a person chose."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sinktrack.eval.data_sets import HubData, Rows
from sinktrack.eval.prompts import TaskPrompt, prompt_of
from sinktrack.eval.task import WHOLE, Benchmark, Chosen, Item, Scores, Task, Together


@dataclass(frozen=True, kw_only=True)
class Part:
    """One task of a benchmark.

    Args:
        name: As in the tables.
        data: Where its rows are.
        prompts: The files of its prompts, as for `prompt_of`.
        items: Makes items of rows, that many at most.
        score: Scores the part of an answer that the prompt asks for.
        together: As for `Task`.
    """

    name: str
    data: HubData
    prompts: tuple[str, ...]
    items: Callable[[Rows, TaskPrompt, int], Iterable[Item]]
    score: Callable[[Item, str], Scores]
    together: Mapping[str, Together] = field(default_factory=dict)


def hub_benchmark(place: str, *parts: Part) -> Benchmark:
    """Return a benchmark whose tasks read rows of a data set on the hub, or of a copy.

    Args:
        place: What the copy's place is given by.
        parts: The tasks.
    """
    name = parts[0].data.name
    file = ", or its authors' own file" if parts[0].data.own_file is not None else ""
    return Benchmark(
        tasks=lambda chosen: tuple(_task(part, place, chosen) for part in parts),
        places={place: f"a folder with a copy of {name}{file}"},
    )


def _task(part: Part, place: str, chosen: Chosen) -> Task:
    prompt = prompt_of(part.prompts, chosen.prompt)
    where = chosen.data.get(place), chosen.revision

    def items(split: str, limit: int) -> Iterator[Item]:
        yield from part.items(part.data.rows(*where, split).rows, prompt, limit)

    def about(split: str) -> dict[str, Any]:
        return part.data.about(*where, split) | prompt.about()

    return Task(
        name=part.name,
        items=items,
        score=partial(_score, part, prompt),
        max_new_tokens=prompt.tokens,
        limit=WHOLE,
        together=part.together,
        about=about,
    )


def _score(part: Part, prompt: TaskPrompt, item: Item, answer: str) -> Scores:
    return part.score(item, prompt.said(answer))
