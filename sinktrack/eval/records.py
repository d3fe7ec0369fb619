"""The records of a run: one line an answer, appended as it comes, in one file a process.

A later start tries again what failed, so the record of an answer counts more than that of a
failure. Knows nothing about models.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sinktrack.core.errors import OutputError
from sinktrack.core.files import finished_lines, whole_file
from sinktrack.core.intervention import Intervention
from sinktrack.core.row import Row
from sinktrack.eval.asking import Failure
from sinktrack.eval.processes import Processes
from sinktrack.eval.results import Answered
from sinktrack.eval.run_files import RECORDS
from sinktrack.eval.scorers import without_what_is_said
from sinktrack.eval.task import Item, Scores, Task

_PARTS = "records-*.jsonl"

Key = tuple[str, str, str, int | None]
"""Task, method's name, item's id and seed: what one answer is found by."""


def record_of(task: Task, item: Item, seed: int | None, row: Row) -> dict[str, Any]:
    """Return what is kept of an answer, as JSON values; of one that was told, no text."""
    if task.foretold is None:
        answer, scores = row.whole_text, task.score(item, row.whole_text)
    else:
        answer, scores = "", task.foretold(item, row.probabilities)
    return _about(task, item, seed, row.name, row.method) | {
        "answer": answer,
        **({"told": True} if task.foretold else {}),
        "moved": row.moved or {},
        "scores": scores,
    }


def record_of_failure(task: Task, failure: Failure, method: Intervention | None) -> dict[str, Any]:
    """Return what is kept of an item that could not be answered: an empty answer, and why.

    Args:
        task: The task.
        failure: What failed.
        method: The method, None for the plain model.
    """
    item = failure.item
    return _about(task, item, failure.seed, failure.name, method) | {
        "answer": "",
        "error": failure.error,
        "moved": {},
        "scores": without_what_is_said(task.score(item, "")),
    }


def _about(
    task: Task, item: Item, seed: int | None, name: str, method: Intervention | None
) -> dict[str, Any]:
    """Return what a record says of what was asked, and by which method it was answered."""
    return {
        "task": task.name,
        "name": name,
        "method": None if method is None else method.as_dict(),
        "item": item.id,
        "seed": seed,
        "question": item.question,
        "reference": item.answer if item.references is None else list(item.references),
    } | ({"cluster": item.cluster} if item.cluster else {})


def _key_of(record: Mapping[str, Any]) -> Key:
    """Return what a record is found by."""
    return record["task"], record["name"], record["item"], record["seed"]


def _answered(record: Mapping[str, Any]) -> Answered:
    """Return what results need of a record."""
    scores: Scores = {
        measure: (float(numerator), float(denominator))
        for measure, (numerator, denominator) in record["scores"].items()
    }
    if "error" in record:
        return Answered(scores, None, str(record["error"]))
    return Answered(scores, None if record["method"] is None else dict(record["moved"]))


def gathered(folder: Path) -> dict[Key, Answered]:
    """Put the records of all processes into one file, and return what they hold.

    For one process alone, while no other one writes.

    Raises:
        OutputError: If a line is no record, or the file cannot be written.
    """
    whole, parts = folder / RECORDS, sorted(folder.glob(_PARTS))
    found: dict[Key, tuple[str, Answered]] = {}
    lines, new = 0, []
    for path in (whole, *parts):
        for line, key, each in _read(path):
            lines += 1
            new += [line] if path != whole else []
            if key not in found or found[key][1].error is not None:
                found[key] = line, each
    try:
        if new:
            with whole.open("a", encoding="utf-8") as file:
                file.writelines(f"{line}\n" for line in new)
                file.flush()
                os.fsync(file.fileno())
        for path in parts:
            path.unlink()
    except OSError as error:
        raise OutputError(f"{whole} cannot be written: {error}.") from error
    if lines > len(found):  # what failed was answered later
        with whole_file(whole, "The records") as part:
            part.write_text("".join(f"{line}\n" for line, _ in found.values()), encoding="utf-8")
    return {key: each for key, (_, each) in found.items()}


def read_records(folder: Path) -> dict[Key, Answered]:
    """Return the answers and failures that `gathered` has put together."""
    return {key: each for _, key, each in _read(folder / RECORDS)}


def _read(path: Path) -> list[tuple[str, Key, Answered]]:
    """Return each record of a file: its line, its key and what results need of it."""
    found = []
    for number, line in enumerate(finished_lines(path), start=1):
        try:
            if line.strip():
                record = json.loads(line)
                found.append((line, _key_of(record), _answered(record)))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise OutputError(
                f"{path}, line {number} is not a record of this program: take it out, or choose "
                "another folder."
            ) from error
    return found


class RecordFile:
    """The file that a process appends to, for the length of a block.

    Args:
        folder: Of the run.
        processes: Those that answer it.
    """

    def __init__(self, folder: Path, processes: Processes) -> None:
        self._folder = folder
        self._path = folder / (
            RECORDS if processes.count == 1 else f"records-{processes.index}.jsonl"
        )
        self._own = 0

    def __enter__(self) -> "RecordFile":
        """Open it."""
        self._file = self._path.open("a", encoding="utf-8")
        return self

    def __exit__(self, *raised: object) -> None:
        """Close it; what was added is kept."""
        self._file.close()

    def add(self, record: Mapping[str, Any]) -> None:
        """Add a record."""
        self._file.write(json.dumps(record) + "\n")
        self._own += 1

    def flush(self) -> None:
        """Let what was added outlive this process."""
        self._file.flush()

    def written(self) -> int:
        """Return how many records all processes have added since they started."""
        others = (path for path in self._folder.glob(_PARTS) if path != self._path)
        return self._own + sum(path.read_bytes().count(b"\n") for path in others)
