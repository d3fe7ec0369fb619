"""The files of a run of `sinktrack eval`, found, read and checked.

A run's folder may come from anywhere: every value has its type and its range. Nothing is written.
Knows nothing about models and tasks.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sinktrack.core.errors import OutputError, SinkTrackError, reason, shown
from sinktrack.core.files import file_inside, parsed_json
from sinktrack.core.names import exists
from sinktrack.report import fields

SETTINGS = "run.json"
STARTS = "starts"
"""Where run.json keeps what the starts of a run ran with, one entry for all that are alike."""
RECORDS = "records.jsonl"
RESULTS = "results.json"
TABLE = "results.md"
TRACES = "traces"
"""The folder of what attention did, if that was kept; see `sinktrack.eval.traces`."""

LARGEST = 1_000_000_000
"""Bytes of a file that is read."""
_MOST = 1_000_000  # tasks, measures, notes, references: what no run has
_LONG = 1000


@dataclass(frozen=True, slots=True)
class Record:
    """One answer.

    Args:
        task: Its task.
        name: The method's name in the run.
        item: The item's id, unique in its task.
        seed: None for a greedy answer.
        question: What was asked.
        references: The right answers.
        answer: All that was said.
        scores: Its measures, each a numerator and a denominator.
        error: Why there is no answer; None where there is one.
    """

    task: str
    name: str
    item: str
    seed: int | None
    question: str
    references: tuple[str, ...]
    answer: str
    scores: Mapping[str, tuple[float, float]]
    error: str | None = None

    @property
    def said(self) -> str:
        """The answer; where it failed, why."""
        return self.answer if self.error is None else f"(Failed: {self.error})"


def find_runs(folder: str | Path) -> dict[str, Path]:
    """Return the runs in a folder by their names: the folder itself, or those right below it.

    A link that leads out of the folder is no run.

    Raises:
        OutputError: If there is none.
    """
    top = Path(folder)
    if not exists(folder) or not top.is_dir():
        raise OutputError(f"There is no folder {str(folder)[:200]}: check the path.")
    top = top.resolve()
    if file_inside(top, SETTINGS):
        return {top.name: top}
    try:
        below = sorted(top.iterdir())
    except OSError as error:
        raise OutputError(f"{folder} cannot be read: {reason(error)}.") from error
    runs = {each.name: each for each in below if file_inside(top, f"{each.name}/{SETTINGS}")}
    if not runs:
        raise OutputError(
            f"{folder} holds no run of sinktrack eval, nor does a folder right below it: name the "
            f"folder that was given with --out; it has {SETTINGS}."
        )
    return runs


def read_settings(run: Path) -> dict[str, Any]:
    """Return what run.json says of a run.

    Raises:
        OutputError: If it cannot be read, or is none.
    """
    return _checked(run, SETTINGS, _settings)


def read_results(run: Path) -> dict[str, Any] | None:
    """Return what results.json holds, as `sinktrack.eval.results` makes it; None before it is made.

    Raises:
        OutputError: If it cannot be read, or is none.
    """
    return None if file_inside(run, RESULTS) is None else _checked(run, RESULTS, _results)


def read_records(run: Path) -> tuple[list[Record], list[str]]:
    """Return the records so far, and a sentence for each line that is none.

    A last line without an end is still being written, and is left alone.

    Raises:
        OutputError: If the file cannot be read.
    """
    path = file_inside(run, RECORDS)
    if path is None:
        return [], []
    records, troubles = [], []
    for number, line in _lines(path):
        try:
            if line.strip():
                records.append(_record(_parsed(line)))
        except (ValueError, KeyError, SinkTrackError) as error:
            said = f"it has no {error}" if isinstance(error, KeyError) else reason(error)
            troubles.append(
                f"{RECORDS}, line {number} is not a record of sinktrack eval, and is left out: "
                f"{said.rstrip('.')}."
            )
    return records, troubles


def trace_name(task: str, item: str, seed: int | None) -> str:
    """Return how the names of the files begin that hold an item's traces; ids may be no names."""
    return hashlib.sha256(json.dumps([task, item, seed]).encode()).hexdigest()[:24]


def trace_files(run: Path, task: str, item: str, seed: int | None) -> list[Path]:
    """Return the files that hold what attention did in the answers to an item."""
    names = sorted(each.name for each in (run / TRACES).glob(f"{trace_name(task, item, seed)}-*"))
    found = (file_inside(run, f"{TRACES}/{name}") for name in names)
    return [path for path in found if path is not None]


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the finished lines, numbered from 1."""
    with _opened(path) as file:
        for number, line in enumerate(file, start=1):
            if line.endswith(b"\n"):
                yield number, line.decode("utf-8", "replace")


def _opened(path: Path) -> Any:
    try:
        size = path.stat().st_size
        if size > LARGEST:
            raise OutputError(
                f"{path.name} has {size:,} bytes, but at most {LARGEST:,} are read: measure in "
                "several runs."
            )
        return path.open("rb")
    except OSError as error:
        raise OutputError(f"{path.name} cannot be read: {reason(error)}.") from error


def _checked(run: Path, name: str, check: Any) -> dict[str, Any]:
    path = file_inside(run, name)
    if path is None:
        raise OutputError(f"{run.name} has no {name}: run sinktrack eval with --out again.")
    try:
        with _opened(path) as file:
            found: dict[str, Any] = check(_parsed(file.read().decode("utf-8")))
        return found
    except KeyError as error:
        said = f"it has no {error}"
    except (ValueError, SinkTrackError) as error:
        said = reason(error).rstrip(".")
    raise OutputError(
        f"{run.name}/{name} is not what sinktrack eval writes: {said}. Run it again in another "
        "folder."
    )


def _parsed(text: str) -> Any:
    try:
        return parsed_json(text)
    except RecursionError as error:
        raise ValueError("its lists are too deep") from error


def _record(value: Any) -> Record:
    value = fields.mapping(value, "it")
    seed, reference = value["seed"], value["reference"]
    if seed is not None:
        seed = fields.whole_below(2**64)(seed, "seed")
    if isinstance(reference, str):
        reference = [reference]
    return Record(
        task=fields.short(value["task"], "task"),
        name=fields.short(value["name"], "name"),
        item=fields.short(value["item"], "item"),
        seed=seed,
        question=fields.text(value["question"], "question"),
        references=tuple(fields.listed(reference, "reference", _LONG, fields.text)),
        answer=fields.text(value["answer"], "answer"),
        scores={
            fields.short(name, "scores"): _pair(pair, f"scores, {name[:_LONG]}")
            for name, pair in fields.mapping(value["scores"], "scores").items()
        },
        error=fields.maybe(value.get("error"), "error", fields.text),
    )


def _pair(value: Any, where: str) -> tuple[float, float]:
    if not isinstance(value, list) or len(value) != 2:
        raise ValueError(f"{where} is {shown(value)}, but must be two numbers")
    return fields.number(value[0], where), fields.number(value[1], where)


def _named(value: Any, where: str, each: fields.Reader) -> dict[str, Any]:
    return {
        fields.short(name, where): each(one, f"{where}, {name[:_LONG]}")
        for name, one in fields.mapping(value, where, _MOST).items()
    }


def _settings(value: Any) -> dict[str, Any]:
    whole = fields.mapping(value, "run")
    checked = fields.plain({name: each for name, each in whole.items() if name != STARTS}, "run")
    checked[STARTS] = fields.listed(whole.get(STARTS, []), STARTS, _MOST, _start)
    for name in ("model", "dtype", "split"):
        fields.short(checked[name], name)
    fields.listed(checked["tasks"], "tasks", _MOST, fields.short)
    fields.maybe(checked["limit"], "limit", fields.whole_below(2**63, 1))
    if not _named(checked["methods"], "methods", _method):
        raise ValueError("it names no method")
    _named(checked.get("data", {}), "data", _data)
    return checked


def _start(value: Any, where: str) -> dict[str, Any]:
    """Return what tells one start from another in few words: all but what the model was given."""
    start = fields.mapping(value, where)
    left_out = ("prompts", "generation_config")
    return fields.plain({name: start[name] for name in start if name not in left_out}, where)


def _method(value: Any, where: str) -> Any:
    return fields.maybe(value, where, fields.mapping)


def _data(value: Any, where: str) -> Any:
    told = fields.mapping(value, where)
    fields.short(told["data"], f"{where}, data")
    for name in ("items", "tokens"):
        fields.whole_below(2**63)(told[name], f"{where}, {name}")
    fields.short(told["prompt"], f"{where}, prompt")
    return told


def _results(value: Any) -> dict[str, Any]:
    found = fields.mapping(value, "it", _MOST)
    settings = _settings(found["settings"])
    tasks = _named(found["tasks"], "tasks", _measured)
    for task, measured in tasks.items():
        unlike = settings["methods"].keys() ^ measured.keys()
        if unlike:
            raise ValueError(f"the task {shown(task)} and the settings differ in {shown(unlike)}")
    return {
        "settings": settings,
        "comparisons": fields.whole_below(2**63)(found["comparisons"], "comparisons"),
        "notes": fields.listed(found["notes"], "notes", _MOST, fields.text),
        "tasks": tasks,
        "moved": {task: {} for task in tasks} | _named(found["moved"], "moved", _moved),
        "chat format": _named(found.get("chat format", {}), "chat format", fields.text),
    }


def _measured(value: Any, where: str) -> dict[str, Any]:
    return _named(value, where, lambda own, at: _named(own, at, _figure))


def _figure(value: Any, where: str) -> dict[str, Any]:
    value = fields.mapping(value, where)
    figure = _estimate(value, where)
    figure["items"] = fields.whole_below(2**63)(value["items"], f"{where}, items")
    if "p" in value:
        figure["difference"] = _estimate(
            fields.mapping(value["difference"], where), f"{where}, difference"
        )
        figure |= {name: fields.share(value[name], f"{where}, {name}") for name in ("p", "p_holm")}
    return figure


def _estimate(value: Mapping[str, Any], where: str) -> dict[str, Any]:
    return {
        "value": fields.number(value["value"], f"{where}, value"),
        "interval": list(_pair(value["interval"], f"{where}, interval")),
    }


def _moved(value: Any, where: str) -> dict[str, Any]:
    return _named(value, where, lambda own, at: _named(own, at, _how))


def _how(value: Any, where: str) -> dict[str, float]:
    value = fields.mapping(value, where)
    return {name: fields.number(value[name], f"{where}, {name}") for name in ("median", "most")}
