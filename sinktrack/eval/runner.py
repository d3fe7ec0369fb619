"""Lets every method answer every item, keeps the answers, and resumes an interrupted run.

Knows tasks by their interface alone.
"""

import json
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from sinktrack.core.batch import Methods, batch_size
from sinktrack.core.cache import Cache, cache_as_json, check_cache
from sinktrack.core.errors import OutputError, PromptError
from sinktrack.core.files import json_lines, whole_file
from sinktrack.core.generate import answer_batch
from sinktrack.core.intervention import fit
from sinktrack.core.models import model_name
from sinktrack.core.prompt import Prompt, build_prompt
from sinktrack.core.row import Row
from sinktrack.eval.statistics import Pair, interval, paired_p, ratio
from sinktrack.eval.task import Item, Scores, Task
from sinktrack.version import VERSION

RECORDS = "records.jsonl"
SETTINGS = "run.json"

_Key = tuple[str, str, str]
"""Task, method's name and item's id: what one answer is found by."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """What determines the answers of a run.

    Args:
        tasks: What is asked.
        methods: Names to methods, None for the plain model. The others are compared with the first
            one.
        split: "validation" to choose by, "test" to report.
        limit: Items a task.
        cache: As for `sinktrack.compare`.
        batch: Items at once.
    """

    tasks: Sequence[Task]
    methods: Methods
    split: str = "test"
    limit: int = 2000
    cache: Cache = "full"
    batch: int = 50

    def settings(self, model: Any) -> dict[str, Any]:
        """Return what a resumed run must agree in, as JSON values."""
        check_cache(self.cache)
        return {
            "model": model_name(model),
            "tasks": [task.name for task in self.tasks],
            "methods": {
                name: method.as_dict() if method else None for name, method in self.methods.items()
            },
            "split": self.split,
            "limit": self.limit,
            "cache": cache_as_json(self.cache),
            "sinktrack": VERSION,
        }


def evaluate(model: Any, processor: Any, run: Run, folder: str | Path) -> dict[str, Any]:
    """Answer every question that has no record yet, and write the tables.

    Args:
        model: From `sinktrack.load`.
        processor: Its processor.
        run: What to ask.
        folder: Where records, settings and tables go. An interrupted run of the same settings
            is resumed there.

    Returns:
        What results.json holds: the value of each task, method and measure, its 95 % interval, and
        p for every method but the first, which the others are compared with.

    Raises:
        OutputError: If the folder holds another run, or cannot be written.
        PromptError: If a method needs what a task's prompts lack.
    """
    folder = Path(folder)
    fitted = {
        name: None if method is None else fit(method, model) for name, method in run.methods.items()
    }
    run = replace(run, methods=fitted)
    items = {task.name: list(task.items(run.split, run.limit)) for task in run.tasks}
    _check_needs(model, processor, run, items)
    _check_settings(folder, run.settings(model))
    done = _read_records(folder / RECORDS)
    _answer(model, processor, run, items, done, folder / RECORDS)
    results = {
        "settings": run.settings(model),
        "notes": _notes(folder / RECORDS),
        "tasks": {
            name: _summary(
                {own: [done[name, own, item.id] for item in asked] for own in run.methods}
            )
            for name, asked in items.items()
        },
    }
    with whole_file(folder / "results.json", "The results") as part:
        part.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    with whole_file(folder / "results.md", "The table") as part:
        part.write_text(table(results), encoding="utf-8")
    return results


def table(results: dict[str, Any]) -> str:
    """Return results as a Markdown table, one row a task and measure, one column a method."""
    names = list(results["settings"]["methods"])
    lines = [f"| task | measure | {' | '.join(names)} |", "|---" * (2 + len(names)) + "|"]
    for task, measured in results["tasks"].items():
        for measure in measured[names[0]]:
            cells = []
            for name in names:
                figure = measured[name].get(measure)
                if figure is None:
                    cells.append("-")
                    continue
                low, high = figure["interval"]
                text = f"{figure['value']:.3f} ({low:.3f} to {high:.3f})"
                cells.append(text + (f", p = {figure['p']:.4f}" if "p" in figure else ""))
            lines.append(f"| {task} | {measure} | {' | '.join(cells)} |")
    lines += ["", *results["notes"]] if results["notes"] else []
    return "\n".join(lines) + "\n"


def _check_needs(model: Any, processor: Any, run: Run, items: Mapping[str, Sequence[Item]]) -> None:
    """Refuse a method that a task's prompts have nothing for, before anything is asked."""
    for task, asked in items.items():
        kinds = {(item.image is None, not item.passage): item for item in asked}
        for item in kinds.values():
            prompt = _prompt(model, processor, item)
            for name, method in run.methods.items():
                if method is None or method.needs is None:
                    continue
                try:
                    prompt.check_has(method.needs, name)
                except PromptError as error:
                    raise PromptError(
                        f"The task {task!r} cannot be asked: {error} Or leave this task out."
                    ) from error


def _prompt(model: Any, processor: Any, item: Item) -> Prompt:
    return build_prompt(
        model,
        processor,
        item.question,
        [item.image()] if item.image else [],
        passage=item.passage or None,
        needs_picture=False,
    )


def _answer(
    model: Any,
    processor: Any,
    run: Run,
    items: Mapping[str, Sequence[Item]],
    done: dict[_Key, Scores],
    path: Path,
) -> None:
    """Ask what is not done, with a progress bar; add scores to `done` and records to a file."""
    keys = [(task, name, item.id) for task in items for name in run.methods for item in items[task]]
    size = batch_size(run.methods, run.batch)
    with (
        path.open("a", encoding="utf-8") as records,
        tqdm(
            total=len(keys),
            initial=sum(key in done for key in keys),
            unit="answer",
            mininterval=1,
        ) as bar,
    ):
        for task in run.tasks:
            bar.set_description(task.name)
            for start in range(0, len(items[task.name]), size):
                batch = items[task.name][start : start + size]
                for item, row in _ask(model, processor, run, task, batch, done):
                    scores = task.score(item, row.whole_text)
                    done[task.name, row.name, item.id] = scores
                    record = {
                        "task": task.name,
                        "name": row.name,
                        "method": None if row.method is None else row.method.as_dict(),
                        "item": item.id,
                        "question": item.question,
                        "reference": item.answer,
                        "answer": row.whole_text,
                        "moved": row.moved,
                        "scores": scores,
                    }
                    records.write(json.dumps(record) + "\n")
                    bar.update()
                records.flush()


def _notes(path: Path) -> list[str]:
    """Say of each method in how many answers it moved nothing."""
    still: dict[tuple[str, str], int] = {}
    asked: dict[tuple[str, str], int] = {}
    for line in filter(None, json_lines(path.read_text("utf-8"))):
        record = json.loads(line)
        if record["method"] is not None:
            key = record["task"], record["name"]
            asked[key] = asked.get(key, 0) + 1
            still[key] = still.get(key, 0) + (not any(record["moved"].values()))
    return [
        f"In {task!r}, {name} moved nothing in {still[task, name]} of {count} answers."
        for (task, name), count in asked.items()
        if still[task, name]
    ]


def _ask(
    model: Any,
    processor: Any,
    run: Run,
    task: Task,
    items: Sequence[Item],
    done: Container[_Key],
) -> Iterator[tuple[Item, Row]]:
    """Answer a batch's items by all methods, leaving out items that every method has answered.

    Yields:
        The item and what was written.
    """

    def answered(item: Item, name: str) -> bool:
        return (task.name, name, item.id) in done

    unasked = [item for item in items if not all(answered(item, name) for name in run.methods)]
    if not unasked:
        return
    answers = answer_batch(
        model,
        processor,
        [_prompt(model, processor, item) for item in unasked],
        run.methods,
        cache=run.cache,
        max_new_tokens=task.max_new_tokens,
    )
    for item, rows in zip(unasked, answers, strict=True):
        yield from ((item, row) for row in rows if not answered(item, row.name))


def _summary(scores: Mapping[str, list[Scores]]) -> dict[str, dict[str, dict[str, Any]]]:
    """Return value, interval and p of every measure of every method."""
    first = next(iter(scores))
    measures = dict.fromkeys(name for score in scores[first] for name in score)
    summary: dict[str, dict[str, dict[str, Any]]] = {}
    for name, answered in scores.items():
        summary[name] = {}
        for measure in measures:
            pairs = _pairs(answered, measure)
            value = ratio(pairs)
            if value is None:
                continue  # nothing of the kind was said
            figure: dict[str, Any] = {
                "value": value,
                "interval": interval(pairs),
                "items": len(pairs),
            }
            if name != first:
                figure["p"] = paired_p(_pairs(scores[first], measure), pairs)
            summary[name][measure] = figure
    return summary


def _pairs(answered: Sequence[Scores], measure: str) -> list[Pair]:
    return [score.get(measure, (0.0, 0.0)) for score in answered]


def _check_settings(folder: Path, settings: dict[str, Any]) -> None:
    """Write a new folder's settings; in a used folder check that they are the same."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        known = folder / SETTINGS
        if known.exists():
            before = json.loads(known.read_text(encoding="utf-8"))
            if before != settings:
                raise OutputError(
                    f"{folder} holds a run with other settings ({known.name} tells which): choose "
                    "another folder, or give the same model, methods, split, limit and cache."
                )
            return
    except (OSError, ValueError) as error:
        raise OutputError(f"{folder} cannot be used for results: {error}.") from error
    with whole_file(folder / SETTINGS, "The run's settings") as part:
        part.write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")


def _read_records(path: Path) -> dict[_Key, Scores]:
    """Return the scores so far; cut off a last line that was written in part."""
    done: dict[_Key, Scores] = {}
    if not path.exists():
        return done
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if whole != content:
        path.write_bytes(whole)
    for number, line in enumerate(json_lines(whole.decode("utf-8", "replace")), start=1):
        try:
            record = json.loads(line) if line.strip() else None
            if record is not None:
                done[record["task"], record["name"], record["item"]] = {
                    measure: (float(numerator), float(denominator))
                    for measure, (numerator, denominator) in record["scores"].items()
                }
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise OutputError(
                f"{path}, line {number} is not a record of this program: take it out, or choose "
                "another folder."
            ) from error
    return done
