"""Asks every lane every item, keeps the answers, and resumes an interrupted run.

Knows tasks by their interface alone.
"""

import json
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from sinktrack.core.cache import Cache, cache_as_json, check_cache
from sinktrack.core.errors import OutputError
from sinktrack.core.files import json_lines, whole_file
from sinktrack.core.generate import Methods, answer_texts, batch_size
from sinktrack.core.images import load_picture
from sinktrack.core.models import model_name
from sinktrack.core.prompt import build_prompt
from sinktrack.eval.statistics import Pair, interval, paired_p, ratio
from sinktrack.eval.task import Item, Scores, Task
from sinktrack.methods.sinktrack import SinkTrack
from sinktrack.version import VERSION

RECORDS = "records.jsonl"
SETTINGS = "run.json"

_Key = tuple[str, str, str]
"""Task, lane and item's id: what one answer is found by."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """What determines the answers of a run.

    Args:
        tasks: What is asked.
        methods: Lane names to methods, None for the plain model. The other lanes are compared with
            the first one.
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
            "lanes": {
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
        What results.json holds: the value of each task, lane and measure, its 95 % interval, and
        p for every lane but the first, which the others are compared with.

    Raises:
        OutputError: If the folder holds another run, or cannot be written.
    """
    folder = Path(folder)
    _check_settings(folder, run.settings(model))
    done = _read_records(folder / RECORDS)
    items = {task.name: list(task.items(run.split, run.limit)) for task in run.tasks}
    _answer(model, processor, run, items, done, folder / RECORDS)
    results = {
        "settings": run.settings(model),
        "notes": _notes(run, items),
        "tasks": {
            name: _summary(
                {lane: [done[name, lane, item.id] for item in asked] for lane in run.methods}
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
    """Return results as a Markdown table, one row a task and measure, one column a lane."""
    lanes = list(results["settings"]["lanes"])
    lines = [f"| task | measure | {' | '.join(lanes)} |", "|---" * (2 + len(lanes)) + "|"]
    for task, measured in results["tasks"].items():
        for measure in measured[lanes[0]]:
            cells = []
            for lane in lanes:
                figure = measured[lane].get(measure)
                if figure is None:
                    cells.append("-")
                    continue
                low, high = figure["interval"]
                text = f"{figure['value']:.3f} ({low:.3f} to {high:.3f})"
                cells.append(text + (f", p = {figure['p']:.4f}" if "p" in figure else ""))
            lines.append(f"| {task} | {measure} | {' | '.join(cells)} |")
    lines += ["", *results["notes"]] if results["notes"] else []
    return "\n".join(lines) + "\n"


def _answer(
    model: Any,
    processor: Any,
    run: Run,
    items: Mapping[str, Sequence[Item]],
    done: dict[_Key, Scores],
    path: Path,
) -> None:
    """Ask what is not done, with a progress bar; add scores to `done` and records to a file."""
    keys = [(name, lane, item.id) for name in items for lane in run.methods for item in items[name]]
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
                for lane, method, item, text in _ask(model, processor, run, task, batch, done):
                    scores = task.score(item, text)
                    done[task.name, lane, item.id] = scores
                    record = {
                        "task": task.name,
                        "lane": lane,
                        "method": None if method is None else method.as_dict(),
                        "item": item.id,
                        "question": item.question,
                        "reference": item.answer,
                        "answer": text,
                        "scores": scores,
                    }
                    records.write(json.dumps(record) + "\n")
                    bar.update()
                records.flush()


def _notes(run: Run, items: Mapping[str, Sequence[Item]]) -> list[str]:
    """Say where a method could not run as it was asked for."""
    return [
        f"In {name!r}, {lane} wrote the context {ran.context!r} and not "
        f"{method.context!r}, because these questions have no picture."
        for name, asked in items.items()
        for lane, method in run.methods.items()
        if method is not None
        and (ran := _without_picture(method)) != method
        and any(item.image is None for item in asked)
    ]


def _ask(
    model: Any,
    processor: Any,
    run: Run,
    task: Task,
    items: Sequence[Item],
    done: Container[_Key],
) -> Iterator[tuple[str, SinkTrack | None, Item, str]]:
    """Answer a batch's items in all lanes, leaving out items that every lane has answered.

    Yields:
        The lane, the method that ran, the item, and the answer.
    """

    def answered(item: Item, lane: str) -> bool:
        return (task.name, lane, item.id) in done

    unasked = [item for item in items if not all(answered(item, lane) for lane in run.methods)]
    if not unasked:
        return
    prompts = [
        build_prompt(
            model,
            processor,
            item.question,
            [load_picture(item.image())] if item.image else [],
            needs_picture=False,
        )
        for item in unasked
    ]
    ran = [
        {
            lane: method if method is None or prompt.image_tokens else _without_picture(method)
            for lane, method in run.methods.items()
        }
        for prompt in prompts
    ]
    answers = answer_texts(
        model, processor, prompts, ran, cache=run.cache, max_new_tokens=task.max_new_tokens
    )
    for item, methods, texts in zip(unasked, ran, answers, strict=True):
        for lane, text in texts.items():
            if not answered(item, lane):
                yield lane, methods[lane], item, text


def _without_picture(method: SinkTrack) -> SinkTrack:
    """Return the method that runs on a prompt without a picture: it writes the instruction."""
    return replace(method, context="instruction") if method.reads_image else method


def _summary(scores: Mapping[str, list[Scores]]) -> dict[str, dict[str, dict[str, Any]]]:
    """Return value, interval and p of every measure of every lane."""
    first = next(iter(scores))
    measures = dict.fromkeys(name for score in scores[first] for name in score)
    summary: dict[str, dict[str, dict[str, Any]]] = {}
    for lane, answered in scores.items():
        summary[lane] = {}
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
            if lane != first:
                figure["p"] = paired_p(_pairs(scores[first], measure), pairs)
            summary[lane][measure] = figure
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
                    "another folder, or give the same model, lanes, split, limit and cache."
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
    for line in filter(None, json_lines(whole.decode("utf-8"))):
        record = json.loads(line)
        done[record["task"], record["lane"], record["item"]] = {
            measure: (numerator, denominator)
            for measure, (numerator, denominator) in record["scores"].items()
        }
    return done
