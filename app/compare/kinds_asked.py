"""Held-out questions about drawn scenes, of the kind of one that was asked. Knows no pages."""

from collections.abc import Iterable
from dataclasses import replace
from functools import cache

from sinktrack.core.errors import PromptError
from sinktrack.eval.task import Item, Task
from sinktrack.eval.tasks import find
from sinktrack.eval.truth import Truth
from sinktrack.shapes.recognised import kind_of

COUNT = 50
OFFERED = "existence, adversarial"
"""What is asked where nothing else is meant: is it there, or only its usual companion."""

_AS_TASKS = {
    "existence": OFFERED,
    "in detail": "describe in detail",
}
"""Kinds whose task has another name."""


@cache
def kinds() -> dict[str, Task]:
    """Return what can be asked, by name: the shapes' tasks, and every other kind in new words."""
    found = {task.name: task for task in find("shapes")}
    for task in find("shapes-words"):
        found.setdefault(task.name.removesuffix(", held out words"), task)
    for known in ("existence", "follow-up", "two parts"):  # existence has tasks of its own
        found.pop(known, None)
    return found


def kind_like(question: str) -> str | None:
    """Return the name of the kind that a question is of; None if it is none of `kinds`."""
    kind = kind_of(question)
    kind = None if kind is None else _AS_TASKS.get(kind, kind)
    return kind if kind in kinds() else None


def questions_of(kind: str) -> tuple[Item, ...]:
    """Return held-out questions of a kind, each with its `Truth` among its facts, as "truth".

    Args:
        kind: One of `kinds`.

    Raises:
        PromptError: If it is none.
    """
    if kind not in kinds():
        raise PromptError(f"There is no kind of question {kind[:40]!r}: choose one of those shown.")
    task = kinds()[kind]
    return tuple(_with_truth(task.items("test", COUNT), task))


def _with_truth(items: Iterable[Item], task: Task) -> Iterable[Item]:
    for item in items:
        yield replace(item, facts={"truth": Truth.of_task(item.answer, task.name)})
