"""One run in memory: its settings, its figures, and its answers by task, item and method."""

import re
import threading
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from app.results.changes import Change, changes, judges
from sinktrack.core.files import file_inside
from sinktrack.eval.run_files import (
    RECORDS,
    RESULTS,
    SETTINGS,
    Record,
    read_records,
    read_results,
    read_settings,
)

_KEPT = 3  # runs in memory

Key = tuple[str, int | None]
"""An item's id and a seed."""


class OpenedRun:
    """A run as it was when it was read.

    Args:
        folder: Its folder.

    Raises:
        OutputError: If its files cannot be read, or are no run's.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = read_settings(folder)
        self.results = read_results(folder)
        records, self.troubles = read_records(folder)
        tasks: dict[str, dict[Key, dict[str, Record]]] = {}
        for record in records:
            items = tasks.setdefault(record.task, {})
            items.setdefault((record.item, record.seed), {})[record.name] = record
        self.tasks = {
            task: dict(sorted(items.items(), key=lambda each: _natural(each[0])))
            for task, items in tasks.items()
            if any(each.said for own in items.values() for each in own.values())
        }
        self.judges: Mapping[str, Mapping[str, str]] = {
            task: judges(record for answers in items.values() for record in answers.values())
            for task, items in self.tasks.items()
        }
        self._changes: dict[tuple[str, str, str, str | None], list[Change]] = {}

    def changes(self, task: str, first: str, second: str, judge: str | None) -> list[Change]:
        """Return the items of a task that two methods answered differently, worked out once.

        Args:
            task: One of `tasks`.
            first: A method.
            second: Another one.
            judge: One of the task's `judges`; None where it has none.
        """
        asked = task, first, second, judge
        if asked not in self._changes:
            self._changes[asked] = changes(self.tasks[task].values(), first, second, judge)
        return self._changes[asked]


def _natural(key: Key) -> tuple[list[tuple[int, str]], int]:
    """Return what sorts "test/2" before "test/10"."""
    id, seed = key
    parts = re.split(r"(\d+)", id)
    return [(int(part[:50]) if part.isdecimal() else 0, part) for part in parts], seed or 0


_reading = threading.Lock()  # a large run is read once, however many ask for it


def opened(folder: Path) -> OpenedRun:
    """Return a run, read again where its files have changed.

    Raises:
        OutputError: As `OpenedRun`.
    """
    stamps = []
    for name in (SETTINGS, RECORDS, RESULTS):
        path = file_inside(folder, name)
        if path is not None:
            told = path.stat()
            stamps.append((name, told.st_mtime_ns, told.st_size))
    with _reading:
        return _read(folder, tuple(stamps))


@lru_cache(maxsize=_KEPT)
def _read(folder: Path, stamps: tuple[tuple[str, int, int], ...]) -> OpenedRun:
    return OpenedRun(folder)
