"""Lets every method answer every item, keeps the answers, and resumes an interrupted run.

Knows tasks by their interface alone.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from sinktrack.core.batch import Methods, filled, method_groups
from sinktrack.core.cache import Cache, cache_as_json, check_cache
from sinktrack.core.decoding import Decoding
from sinktrack.core.errors import DataError, MethodError, OutputError, PromptError
from sinktrack.core.files import finished_lines, whole_file
from sinktrack.core.generate import answer_batch
from sinktrack.core.intervention import fit
from sinktrack.core.messages import conversation
from sinktrack.core.models import model_name
from sinktrack.core.processor import rendered
from sinktrack.core.prompt import Prompt, build_prompt
from sinktrack.core.row import Row
from sinktrack.eval.results import Answered, Groups, results, table
from sinktrack.eval.task import Item, Task
from sinktrack.version import VERSION

RECORDS = "records.jsonl"
SETTINGS = "run.json"
MOST_SEEDS = 10_000
"""How often an item may be sampled; far more would fill the memory."""

_Key = tuple[str, str, str, int | None]
"""Task, method's name, item's id and seed: what one answer is found by."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """What determines the answers of a run.

    Args:
        tasks: What is asked.
        methods: Names to methods, None for the plain model. The others are compared with the first
            one.
        split: "validation" to choose by, "test" to report.
        limit: Items a task; None for what each task asks by itself.
        cache: As for `sinktrack.compare`.
        decoding: Greedy, or how tokens are sampled. How long answers may be is the task's.
        seeds: How often each item is sampled: with the seed of `decoding`, the next one and so on.
            The methods share an item's noise, and other items have noise of their own.
        batch: Rows at once. Where the methods take more, they answer in groups that fit.

    Raises:
        MethodError: If there are no seeds, or several for greedy answers.
    """

    tasks: Sequence[Task]
    methods: Methods
    split: str = "test"
    limit: int | None = None
    cache: Cache = "full"
    decoding: Decoding = Decoding()
    seeds: int = 1
    batch: int = 100

    def __post_init__(self) -> None:
        """Check how often items are asked."""
        if self.seeds > MOST_SEEDS:
            raise MethodError(f"seeds is {self.seeds}, but must be at most {MOST_SEEDS:,}.")
        if self.seeds < 1 or (self.seeds > 1 and not self.decoding.do_sample):
            raise MethodError(
                f"seeds is {self.seeds}, but must be 1 or more, and 1 where nothing is sampled: "
                "give a temperature, or leave it out."
            )

    def items(self, task: Task) -> list[Item]:
        """Return what is asked of a task.

        Raises:
            DataError: If there is nothing, or two items have the same id.
        """
        limit = task.limit if self.limit is None else self.limit
        items = list(task.items(self.split, limit))
        ids = Counter(item.id for item in items)
        twice = next((id for id, count in ids.items() if count > 1), None)
        if twice is not None:
            raise DataError(f"{task.name} has the id {twice!r} twice: an id is one item's.")
        return items

    @property
    def draws(self) -> tuple[int | None, ...]:
        """The seeds; None for greedy answers."""
        first = self.decoding.seed
        return tuple(range(first, first + self.seeds)) if self.decoding.do_sample else (None,)

    def settings(self, model: Any) -> dict[str, Any]:
        """Return what a resumed run must agree in, as JSON values."""
        check_cache(self.cache)
        strings = self.decoding.stop_strings
        return {
            "model": model_name(model),
            "dtype": str(model.dtype).removeprefix("torch."),
            "tasks": [task.name for task in self.tasks],
            "methods": {
                name: method.as_dict() if method else None for name, method in self.methods.items()
            },
            "split": self.split,
            "limit": self.limit,
            "cache": cache_as_json(self.cache),
            "decoding": {"do_sample": bool(self.decoding.do_sample)}
            | self.decoding.asked()
            | ({} if strings is None else {"stop_strings": list(strings)}),
            "seeds": list(self.draws),
            "sinktrack": VERSION,
        } | ({"data": about} if (about := self._about()) else {})

    def _about(self) -> dict[str, Any]:
        """Return where the items of public data sets are from, and which they are."""
        told = {}
        for task in self.tasks:
            if task.about is not None:
                items = self.items(task)
                asked = [
                    [each.id, each.system, each.passage, *each.earlier, each.question, each.answer]
                    for each in items
                ]
                digest = hashlib.sha256(json.dumps(asked).encode()).hexdigest()
                told[task.name] = {**task.about(self.split), "items": len(items), "sha256": digest}
        return told


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
        p for every method but the first, which the others are compared with; "p_holm" is p
        corrected for all comparisons of the run. An item that is sampled several times counts once,
        by its mean.

    Raises:
        OutputError: If the folder holds another run, or cannot be written.
        PromptError: If a method needs what a task's prompts lack.
    """
    folder = Path(folder)
    fitted = {
        name: None if method is None else fit(method, model) for name, method in run.methods.items()
    }
    run = replace(run, methods=fitted)
    items = {task.name: run.items(task) for task in run.tasks}
    check_needs(model, processor, run, items)
    settings = run.settings(model)
    check_settings(folder, settings)
    done = _read_records(folder / RECORDS)
    _answer(model, processor, run, items, done, folder / RECORDS)
    found = results(
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
    )
    found["chat format"] = {
        task: _chat_format(model, processor, asked[0]) for task, asked in items.items() if asked
    }
    with whole_file(folder / "results.json", "The results") as part:
        part.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    with whole_file(folder / "results.md", "The table") as part:
        part.write_text(table(found), encoding="utf-8")
    return found


def example_prompts(
    model: Any, processor: Any, tasks: Sequence[Task], split: str, limit: int | None
) -> Iterator[Prompt]:
    """Yield one prompt of each make-up, with a picture or without, with a passage or without.

    Args:
        model: As for `evaluate`.
        processor: As for `evaluate`.
        tasks: What is asked.
        split: As for `Run`.
        limit: As for `Run`.
    """
    run = Run(tasks=tasks, methods={}, split=split, limit=limit)
    for item in _make_ups(item for task in tasks for item in run.items(task)):
        yield _prompt(model, processor, item)


def _make_ups(items: Iterable[Item]) -> list[Item]:
    """Return one item of each make-up."""
    return list({(len(item.images), not item.passage): item for item in items}.values())


def check_needs(model: Any, processor: Any, run: Run, items: Mapping[str, Sequence[Item]]) -> None:
    """Refuse a method that a task's prompts have nothing for, before anything is asked.

    Args:
        model: As for `evaluate`.
        processor: As for `evaluate`.
        run: What is asked.
        items: By task.

    Raises:
        PromptError: With the task and what is missing.
    """
    for task, asked in items.items():
        for item in _make_ups(asked):
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
    before: list[dict[str, Any]] = [{"type": "image", "image": image()} for image in item.images]
    if item.passage:
        before.append({"type": "text", "text": item.passage, "part": "passage"})
    messages: list[dict[str, Any]] = []
    for question, answer in item.earlier:
        content = [*before, {"type": "text", "text": question}]
        before = []
        messages.append({"role": "user", "content": content})
        messages.append({"role": "assistant", "content": answer})
    messages.append({"role": "user", "content": [*before, {"type": "text", "text": item.question}]})
    return build_prompt(
        model, processor, messages=messages, system=item.system or None, needs_picture=False
    )


def _chat_format(model: Any, processor: Any, item: Item) -> str:
    """Return what the chat format writes around a question, its system prompt included."""
    turns = conversation(question="?", system=item.system or None)
    texts = [each for each in (item.system, "{question}") if each]
    return rendered(model.config, processor, turns, texts)


def noise_seed(task: str, item: str, seed: int) -> int:
    """Return the seed of the noise that an item's answers are sampled with, by a run's seed."""
    digest = hashlib.sha256(f"{seed}/{task}/{item}".encode()).digest()
    return int.from_bytes(digest[:7], "big")


def _answer(
    model: Any,
    processor: Any,
    run: Run,
    items: Mapping[str, Sequence[Item]],
    done: dict[_Key, Answered],
    path: Path,
) -> None:
    """Ask what is not done, with a progress bar; add to `done` and to the file of records."""
    keys = [
        (task, name, item.id, seed)
        for task in items
        for name in run.methods
        for item in items[task]
        for seed in run.draws
    ]
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
            for batch in answered_batches(model, processor, run, task, items[task.name], done):
                for item, seed, row in batch:
                    key = task.name, row.name, item.id, seed
                    if key in done:
                        continue
                    record = _record(task, item, seed, row)
                    done[key] = _answered(record)
                    records.write(json.dumps(record) + "\n")
                    bar.update()
                records.flush()


def answered_batches(
    model: Any,
    processor: Any,
    run: Run,
    task: Task,
    items: Sequence[Item],
    done: Mapping[_Key, Answered],
) -> Iterator[list[tuple[Item, int | None, Row]]]:
    """Answer a task's items, as many rows at once as may be, but for those that are answered.

    Long ones come first and stand beside each other, so that little of a batch is padding.

    Args:
        model: As for `evaluate`.
        processor: As for `evaluate`.
        run: Its methods, with whatever depends on the model settled.
        task: What is asked.
        items: Its items.
        done: The answers that are there already, by task, method, item's id and seed.

    Yields:
        Of each batch the item, the seed and what was written.
    """
    decoding = replace(run.decoding, max_new_tokens=task.max_new_tokens)
    for methods in method_groups(run.methods, run.batch):
        asked = [
            (item, seed)
            for item in items
            for seed in run.draws
            if not all((task.name, name, item.id, seed) in done for name in methods)
        ]
        asked.sort(key=lambda each: _length(each[0]), reverse=True)
        prompts = (_prompt(model, processor, item) for item, _ in asked)
        left = iter(asked)
        for together in filled(prompts, methods, run.batch):
            batch = [next(left) for _ in together]
            answers = answer_batch(
                model,
                processor,
                together,
                methods,
                cache=run.cache,
                decoding=decoding,
                seeds=[noise_seed(task.name, item.id, seed or 0) for item, seed in batch],
            )
            yield [
                (item, seed, row)
                for (item, seed), rows in zip(batch, answers, strict=True)
                for row in rows
            ]


def _length(item: Item) -> tuple[int, int]:
    """Return what tells roughly how long an item's prompt is, before it is built."""
    earlier = sum(len(text) for turn in item.earlier for text in turn)
    return len(item.images), earlier + len(item.question) + len(item.passage)


def _record(task: Task, item: Item, seed: int | None, row: Row) -> dict[str, Any]:
    """Return what is kept of an answer, as JSON values."""
    return {
        "task": task.name,
        "name": row.name,
        "method": None if row.method is None else row.method.as_dict(),
        "item": item.id,
        "seed": seed,
        "question": item.question,
        "reference": item.answer if item.references is None else list(item.references),
        "answer": row.whole_text,
        "moved": row.moved or {},
        "scores": task.score(item, row.whole_text),
    }


def _answered(record: Mapping[str, Any]) -> Answered:
    """Return what results need of a record."""
    scores = {
        measure: (float(numerator), float(denominator))
        for measure, (numerator, denominator) in record["scores"].items()
    }
    return Answered(scores, None if record["method"] is None else dict(record["moved"]))


def check_settings(folder: Path, settings: dict[str, Any]) -> None:
    """Write a new folder's settings; in a used folder check that they are the same.

    Raises:
        OutputError: If they are not, or the folder cannot be used.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        known = folder / SETTINGS
        if known.exists():
            before = json.loads(known.read_text(encoding="utf-8"))
            if before != settings:
                raise OutputError(
                    f"{folder} holds a run with other settings ({known.name} tells which): choose "
                    "another folder, or give the same model and the same options."
                )
            return
    except (OSError, ValueError) as error:
        raise OutputError(f"{folder} cannot be used for results: {error}.") from error
    with whole_file(folder / SETTINGS, "The run's settings") as part:
        part.write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")


def _read_records(path: Path) -> dict[_Key, Answered]:
    """Return the answers so far."""
    done: dict[_Key, Answered] = {}
    for number, line in enumerate(finished_lines(path), start=1):
        try:
            record = json.loads(line) if line.strip() else None
            if record is not None:
                key = record["task"], record["name"], record["item"], record["seed"]
                done[key] = _answered(record)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise OutputError(
                f"{path}, line {number} is not a record of this program: take it out, or choose "
                "another folder."
            ) from error
    return done
