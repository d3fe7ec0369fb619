"""Lets every method answer every item, keeps the answers, and resumes an interrupted run.

Knows tasks by their interface alone.
"""

import json
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from sinktrack.core.comparison import Comparison
from sinktrack.core.errors import DataError, OutputError
from sinktrack.core.files import whole_file
from sinktrack.core.intervention import fit
from sinktrack.core.messages import conversation
from sinktrack.core.processor import rendered
from sinktrack.eval.asking import Failure, answered_batches, check_needs, example_texts
from sinktrack.eval.manifest import check_start, differing, keep_start, start_of
from sinktrack.eval.processes import Processes
from sinktrack.eval.records import (
    Key,
    RecordFile,
    gathered,
    read_records,
    record_of,
    record_of_failure,
)
from sinktrack.eval.result_table import table
from sinktrack.eval.results import Answered, Groups, results
from sinktrack.eval.run import Run
from sinktrack.eval.run_files import RESULTS, TABLE
from sinktrack.eval.task import Item, Task
from sinktrack.eval.traces import differs, keep

__all__ = ["Run", "evaluate"]


def evaluate(model: Any, processor: Any, run: Run, folder: str | Path) -> dict[str, Any]:
    """Answer every question that has no record yet, and write the tables.

    Where `accelerate launch` or `torchrun` started several processes, each calls this and answers
    its share of the items. An item that fails gets an empty answer, which is wrong, and is counted
    in the tables; the next run in the folder tries it again.

    Args:
        model: From `sinktrack.load`.
        processor: Its processor.
        run: What to ask.
        folder: Where records, settings and tables go. An interrupted run of the same settings
            is resumed there.

    Returns:
        What results.json holds: the value of each task, method and measure, its 95 % interval, and
        p for every method but the first, which the others are compared with; "p_holm" is p
        corrected for all comparisons of the run. An item that is sampled several times counts once,
        by its mean. "failed" counts answers that failed, by task and method.

    Raises:
        OutputError: If the folder holds another run, or cannot be written; or if another process
            of this run has ended early.
        PromptError: If a method needs what a task's prompts lack.
        DataError: If nothing could be answered.
    """
    folder, processes = Path(folder), Processes.joined()
    fitted = {
        name: None if method is None else fit(method, model) for name, method in run.methods.items()
    }
    run = replace(run, methods=fitted)
    items = {task.name: run.items(task) for task in run.tasks}
    check_needs(model, processor, run, items)
    settings = run.settings(model)
    check_start(folder, settings)  # in every process, so that each says what is wrong
    starts: list[dict[str, Any]] = []
    if processes.first:
        texts = {task: example_texts(model, processor, asked) for task, asked in items.items()}
        start = start_of(model, processes=processes.count, batch=run.batch, prompts=texts)
        starts = keep_start(folder, settings, start)
        gathered(folder)
    processes.wait()
    _answer(model, processor, run, items, processes, folder)
    if processes.first:
        done = gathered(folder)
        _check_any(run, items, done)
        found = _found(settings, run, items, done)
        found["starts"] = starts
        if several := differing(starts):
            found["notes"].append(
                f"This run was answered in several starts, which differ in {', '.join(several)}."
            )
        found["chat format"] = {
            task: _chat_format(model, processor, asked[0]) for task, asked in items.items() if asked
        }
        with whole_file(folder / RESULTS, "The results") as part:
            part.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        with whole_file(folder / TABLE, "The table") as part:
            part.write_text(table(found), encoding="utf-8")
    processes.wait()
    return found if processes.first else dict(json.loads((folder / RESULTS).read_text("utf-8")))


def _keys(run: Run, items: Mapping[str, Sequence[Item]]) -> list[Key]:
    """Return what each answer of a run is found by."""
    return [
        (task, name, item.id, seed)
        for task, asked in items.items()
        for name in run.methods
        for item in asked
        for seed in run.draws
    ]


def _check_any(run: Run, items: Mapping[str, Sequence[Item]], done: Mapping[Key, Answered]) -> None:
    """Refuse to make results where every answer failed, or one is missing."""
    keys = _keys(run, items)
    missing = sum(key not in done for key in keys)
    if missing:
        raise OutputError(
            f"{missing} of {len(keys)} answers have no record, though all were asked: run the same "
            "command again. What was answered is kept."
        )
    errors = [done[key].error for key in keys]
    if errors and None not in errors:
        raise DataError(f"None of the {len(errors)} answers could be given: {errors[-1]}")


def _found(
    settings: Mapping[str, Any],
    run: Run,
    items: Mapping[str, Sequence[Item]],
    done: Mapping[Key, Answered],
) -> dict[str, Any]:
    """Return the figures of a run."""
    return results(
        settings,
        {
            task: {
                name: [[done[task, name, item.id, seed] for seed in run.draws] for item in asked]
                for name in run.methods
            }
            for task, asked in items.items()
        },
        {
            task.name: [
                Groups(measure, of.of, [of.group(item) for item in items[task.name]])
                for measure, of in task.together.items()
            ]
            for task in run.tasks
        },
        {task.name: task.powers for task in run.tasks},
        {
            task: [item.cluster or f"item {item.id}" for item in asked]
            for task, asked in items.items()
        },
    )


def _chat_format(model: Any, processor: Any, item: Item) -> str:
    """Return what the chat format writes around a question, its system prompt included."""
    turns = conversation(question="?", system=item.system or None)
    texts = [each for each in (item.system, "{question}") if each]
    return rendered(model.config, processor, turns, texts)


def _answer(
    model: Any,
    processor: Any,
    run: Run,
    items: Mapping[str, Sequence[Item]],
    processes: Processes,
    folder: Path,
) -> None:
    """Ask this process's share of what has no answer, and wait until all have asked theirs."""
    done = {key for key, each in read_records(folder).items() if each.error is None}
    keys = _keys(run, items)
    with (
        tqdm(
            total=len(keys),
            initial=sum(key in done for key in keys),
            unit="answer",
            mininterval=1 if sys.stderr.isatty() else 10,
            miniters=0,  # an answer may take long: each token counts as a sign of life
            disable=not processes.first,
        ) as bar,
        RecordFile(folder, processes) as records,
    ):

        def wrote(tokens: int) -> None:
            bar.set_postfix_str(f"token {tokens:,}", refresh=False)
            bar.update(0)

        for task in run.tasks:
            bar.set_description(task.name)
            for batch in answered_batches(
                model,
                processor,
                run,
                task,
                items[task.name],
                done,
                processes=processes,
                failed=partial(_keep_failure, records, run, task, done),
                wrote=wrote,
                looked=partial(_keep_traces, folder, run, task)
                if run.traces and task.foretold is None
                else None,
            ):
                for item, seed, row in batch:
                    if (task.name, row.name, item.id, seed) not in done:
                        records.add(record_of(task, item, seed, row))
                records.flush()
                if processes.first:
                    bar.update(bar.initial + records.written() - bar.n)
        records.flush()
        processes.wait()
        if processes.first:
            bar.update(bar.initial + records.written() - bar.n)


def _keep_traces(
    folder: Path, run: Run, task: Task, item: Item, seed: int | None, comparison: Comparison
) -> None:
    """Keep what attention did, where answers differ or others are still to come."""
    if len(comparison) < len(run.methods) or differs(comparison):
        keep(folder, task.name, item.id, seed, comparison)


def _keep_failure(
    records: RecordFile, run: Run, task: Task, done: Collection[Key], failure: Failure
) -> None:
    """Add a record of what failed, unless an earlier start has answered it."""
    if (task.name, failure.name, failure.item.id, failure.seed) not in done:
        records.add(record_of_failure(task, failure, run.methods[failure.name]))
