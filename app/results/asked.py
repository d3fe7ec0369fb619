"""What an item was asked about: its pictures and texts, made again by its task.

Only tasks that draw their own questions are made again. A benchmark's data lie elsewhere, and
nothing but the run's folder is read here.
"""

import threading
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from app.shared.thumbnails import data_url
from sinktrack.eval.run_files import Record
from sinktrack.eval.task import Benchmark, Item, Task
from sinktrack.eval.tasks import available
from sinktrack.version import VERSION

MOST_ITEMS = 10_000
"""Of a task, made again to find one of them."""
_SIDE = 448  # pixels of a picture
_MOST_PICTURES = 16
_SPLITS = ("validation", "test")


def asked_about(settings: dict[str, Any], record: Record) -> dict[str, Any]:
    """Return what stood before a question, or a sentence on why it is not here, as JSON values.

    Args:
        settings: Of the run.
        record: An answer to the item.

    Returns:
        "pictures" as data URLs, "passage", "earlier" questions and answers, and "said", a sentence.
    """
    task = _drawn_task(record.task)
    if record.task in settings.get("data", {}):
        data = settings["data"][record.task]["data"]
        return _nothing(f"What the question is about lies in {data}, which is not read here.")
    if task is None or settings["split"] not in _SPLITS:
        return _nothing("This version has no such task, so that nothing can be drawn again.")
    item = _items_of(task.name, settings["split"]).find(record.item)
    if item is None:
        return _nothing(f"The task has no such item among its first {MOST_ITEMS:,}.")
    right = (item.answer,) if item.references is None else item.references
    if (item.question, tuple(right)) != (record.question, record.references):
        return _nothing(
            "The task draws another question of this name now, so its picture is not shown: "
            f"the conditions say of which version the run is, and this is {VERSION}."
        )
    return {
        "pictures": [data_url(image(), _SIDE) for image in item.images[:_MOST_PICTURES]],
        "passage": item.passage,
        "earlier": [list(turn) for turn in item.earlier],
        "said": "",
    }


def _nothing(said: str) -> dict[str, Any]:
    return {"pictures": [], "passage": "", "earlier": [], "said": said}


def _drawn_task(name: str) -> Task | None:
    """Return the task of a name, if it draws its own questions."""
    suites = (suite for suite in available().values() if not isinstance(suite, Benchmark))
    return next((task for suite in suites for task in suite if task.name == name), None)


class _Items:
    """The items of a task and split, made as far as they are asked for."""

    def __init__(self, task: Task, split: str) -> None:
        self._left: Iterator[Item] = iter(task.items(split, MOST_ITEMS))
        self._made: dict[str, Item] = {}
        self._lock = threading.Lock()  # a generator runs in one thread at a time

    def find(self, id: str) -> Item | None:
        with self._lock:
            while id not in self._made:
                item = next(self._left, None)
                if item is None:
                    return None
                self._made[item.id] = item
            return self._made[id]


@lru_cache(maxsize=8)
def _items_of(name: str, split: str) -> _Items:
    task = _drawn_task(name)
    assert task is not None  # the caller has looked
    return _Items(task, split)
