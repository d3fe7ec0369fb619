"""What a task is: items to ask and a way to score an answer. Knows nothing about models."""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

Scores = dict[str, tuple[float, float]]
"""Measures of one answer. A measure over many answers is the sum of the first numbers over the sum
of the second, so that rates of unequal denominators (CHAIR, F1) are exact."""

WHOLE = sys.maxsize
"""As many items as there are."""


@dataclass(frozen=True)
class Item:
    """One question.

    Args:
        id: Unique within its task, and the same whenever the set is built anew.
        question: What is asked.
        answer: The reference answer.
        images: The pictures in order, drawn or read when they are needed.
        passage: The text that the question is about; empty for none.
        earlier: Questions and answers of the same conversation; pictures and passage stand before
            the first.
        facts: What the scorer needs besides.
        references: The right answers, where several are right. None of them right means that the
            question has no answer.
        system: The system prompt; empty for what the chat format writes by itself.
        cluster: Names what it shares with items that go right or wrong with it, such as their
            picture; empty where it shares nothing.
    """

    id: str
    question: str
    answer: str
    images: Sequence[Callable[[], Image.Image]] = ()
    passage: str = ""
    earlier: Sequence[tuple[str, str]] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    references: tuple[str, ...] | None = None
    system: str = ""
    cluster: str = ""


@dataclass(frozen=True)
class Together:
    """A measure of items that belong together: such a group is right where all of its items are.

    Args:
        of: The measure of a single item.
        group: Names the group of an item; None where the item counts in none.
    """

    of: str
    group: Callable[[Item], str | None]


@dataclass(frozen=True)
class Task:
    """A named set of questions.

    Args:
        name: As in the tables.
        items: Builds the questions of a split ("validation" or "test"), that many at most.
        score: Scores one answer.
        max_new_tokens: The longest answer.
        limit: How many items are asked where a run does not say.
        foretold: In place of `score`, where the model is told an item's answer and not asked for
            one: scores the probabilities that its tokens had.
        together: Measures of groups of items, by name.
        powers: Measures that are e to the power of another one, by name; perplexity is such.
        about: What a run's settings keep of a split's items and of how they are asked, as JSON
            values; None where the name says it all.
    """

    name: str
    items: Callable[[str, int], Iterable[Item]]
    score: Callable[[Item, str], Scores]
    max_new_tokens: int = 128
    limit: int = 2000
    foretold: Callable[[Item, Sequence[float]], Scores] | None = None
    together: Mapping[str, Together] = field(default_factory=dict)
    powers: Mapping[str, str] = field(default_factory=dict)
    about: Callable[[str], Mapping[str, Any]] | None = None


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """What a person chose about the tasks of a run.

    Args:
        prompt: The name of a prompt; None for the benchmark's first.
        data: Where data lie, by the names that the benchmark gives them: a file, a folder, or the
            name of another data set on the hub.
        revision: Of a data set on the hub: a branch, a tag or a commit; None for the benchmark's
            own.
    """

    prompt: str | None = None
    data: Mapping[str, str] = field(default_factory=dict)
    revision: str | None = None


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """A public data set as tasks, which depend on what a person chose.

    Args:
        tasks: Makes them.
        places: What can be given a place, by name, each with what it is.
        on_hub: Whether the data are a set on the hub, which has revisions.
    """

    tasks: Callable[[Chosen], tuple[Task, ...]]
    places: Mapping[str, str]
    on_hub: bool = True


Suite = tuple[Task, ...] | Benchmark
"""What is asked under one name."""
