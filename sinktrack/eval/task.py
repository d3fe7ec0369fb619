"""What a task is: items to ask and a way to score an answer. Knows nothing about models."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

Scores = dict[str, tuple[float, float]]
"""Measures of one answer. A measure over many answers is the sum of the first numbers over the sum
of the second, so that rates of unequal denominators (CHAIR, F1) are exact."""


@dataclass(frozen=True)
class Item:
    """One question.

    Args:
        id: Unique within its task, and the same whenever the set is built anew.
        question: What is asked.
        answer: The reference answer.
        images: The pictures in order, drawn or read when they are needed.
        passage: The text that the question is about; empty for none.
        earlier: Questions and answers of the same conversation; pictures stand before the first.
        facts: What the scorer needs besides.
    """

    id: str
    question: str
    answer: str
    images: Sequence[Callable[[], Image.Image]] = ()
    passage: str = ""
    earlier: Sequence[tuple[str, str]] = ()
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Task:
    """A named set of questions.

    Args:
        name: As in the tables.
        items: Builds the questions of a split ("validation" or "test"), that many at most.
        score: Scores one answer.
        max_new_tokens: The longest answer.
    """

    name: str
    items: Callable[[str, int], Iterable[Item]]
    score: Callable[[Item, str], Scores]
    max_new_tokens: int = 128
