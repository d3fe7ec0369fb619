"""Asks a task's items in batches, and finds the item that a failing batch fails for.

Knows nothing about scores and files.
"""

import hashlib
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from sinktrack.core.answer_batch import answer_batch
from sinktrack.core.batch import Methods, filled, method_groups
from sinktrack.core.comparison import Comparison
from sinktrack.core.decoding import Decoding
from sinktrack.core.errors import (
    DataError,
    DeviceMemoryError,
    MethodError,
    ModelError,
    PictureError,
    PromptError,
    SinkTrackError,
    reason,
)
from sinktrack.core.messages import Text
from sinktrack.core.processor import rendered
from sinktrack.core.prompt import Prompt, build_prompt
from sinktrack.core.row import Row
from sinktrack.core.text_tokens import control_tokens, tokenizer_of, without_control_tokens
from sinktrack.eval.processes import ALONE, Processes
from sinktrack.eval.run import Run
from sinktrack.eval.task import Item, Task

MOST_IN_A_ROW = 10
"""How often one method may fail, item after item, for a reason that is not an item's own: then it
would fail for every other item, too."""

_OF_AN_ITEM = (PromptError, PictureError, DataError, DeviceMemoryError, ModelError)
"""What one item can bring about: it is too long or broken, or its logits are no numbers."""


@dataclass(frozen=True)
class Failure:
    """What could not be answered, even alone.

    Args:
        item: The item.
        seed: Of the answer; None for a greedy one.
        name: The method's name.
        error: A sentence that says why.
    """

    item: Item
    seed: int | None
    name: str
    error: str


Failed = Callable[[Failure], None]
"""Takes what could not be answered."""

Looked = Callable[[Item, int | None, Comparison], None]
"""Takes the answers to an item of a seed, with what attention did."""

Asked = tuple[Item, int | None]
"""An item, and the seed that its answer is sampled with."""


def example_prompts(
    model: Any, processor: Any, tasks: Sequence[Task], split: str, limit: int | None
) -> Iterator[Prompt]:
    """Yield one prompt of each make-up, with a picture or without, with a passage or without.

    Args:
        model: As for `sinktrack.eval.runner.evaluate`.
        processor: As for `evaluate`.
        tasks: What is asked.
        split: As for `Run`.
        limit: As for `Run`.

    Raises:
        SinkTrackError: If none of the items of a make-up can be asked.
    """
    run = Run(tasks=tasks, methods={}, split=split, limit=limit)
    yield from _examples(model, processor, [item for task in tasks for item in run.items(task)])


def check_needs(model: Any, processor: Any, run: Run, items: Mapping[str, Sequence[Item]]) -> None:
    """Refuse a method that a task's prompts have nothing for, before anything is asked.

    Args:
        model: As for `evaluate`.
        processor: As for `evaluate`.
        run: What is asked.
        items: By task.

    Raises:
        PromptError: With the task and what is missing.
        SinkTrackError: If none of the items of a make-up can be asked.
    """
    for task, asked in items.items():
        for prompt in _examples(model, processor, asked):
            for name, method in run.methods.items():
                if method is None or method.needs is None:
                    continue
                try:
                    prompt.check_has(method.needs, name)
                except PromptError as error:
                    raise PromptError(
                        f"The task {task!r} cannot be asked: {error} Or leave this task out."
                    ) from error


def example_texts(model: Any, processor: Any, items: Sequence[Item]) -> list[str]:
    """Return the text of one prompt of each make-up, as the chat format writes it."""
    texts = []
    for prompt in _examples(model, processor, items):
        parts = [each for turn in prompt.turns for each in turn.content if isinstance(each, Text)]
        said = [part.text for part in parts]
        texts.append(rendered(model.config, processor, prompt.turns, said))
    return texts


def _examples(model: Any, processor: Any, items: Iterable[Item]) -> Iterator[Prompt]:
    """Yield the prompt of one item of each make-up; a single item that is broken is no example."""
    make_ups: dict[tuple[int, bool], list[Item]] = {}
    for item in items:
        make_ups.setdefault((len(item.images), not item.passage), []).append(item)
    for alike in make_ups.values():
        for number, item in enumerate(alike):
            try:
                prompt = _prompt(model, processor, item)
            except Exception:
                if number + 1 == len(alike) and (number or len(make_ups) == 1):
                    raise  # it is no single item's
            else:
                yield prompt
                break


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


def noise_seed(task: str, item: str, seed: int) -> int:
    """Return the seed of the noise that an item's answers are sampled with, by a run's seed."""
    digest = hashlib.sha256(f"{seed}/{task}/{item}".encode()).digest()
    return int.from_bytes(digest[:7], "big")


def answered_batches(
    model: Any,
    processor: Any,
    run: Run,
    task: Task,
    items: Sequence[Item],
    done: Iterable[tuple[str, str, str, int | None]],
    *,
    processes: Processes = ALONE,
    failed: Failed | None = None,
    wrote: Callable[[int], None] = lambda tokens: None,
    looked: Looked | None = None,
) -> Iterator[list[tuple[Item, int | None, Row]]]:
    """Answer a task's items, as many rows at once as may be, but for those that are answered.

    Long ones come first and stand beside each other, so that little of a batch is padding.

    Args:
        model: As for `evaluate`.
        processor: As for `evaluate`.
        run: Its methods, with whatever depends on the model settled.
        task: What is asked.
        items: Its items.
        done: The answers that were there at the start, by task, method, item's id and seed.
        processes: Those that answer the run; this one takes its share.
        failed: Called with what could not be answered. A batch that fails is asked again in
            halves, and an item's methods one by one. Without it the first error is raised.
        wrote: Told after each step how many tokens the longest answer of the batch has.
        looked: Told what attention did; by default it is not recorded. Methods that do not fit
            into one batch come one after the other.

    Yields:
        Of each batch the item, the seed and what was written.

    Raises:
        Exception: Whatever a method fails with for `MOST_IN_A_ROW` items in a row.
    """
    asking = _Asking(model, processor, run, task, failed, wrote, looked)
    done = frozenset(done)
    for methods in method_groups(run.methods, run.batch):
        left = [
            (item, seed)
            for item in items
            for seed in run.draws
            if not all((task.name, name, item.id, seed) in done for name in methods)
        ]
        left.sort(key=lambda each: _length(each[0]), reverse=True)
        built: deque[Asked] = deque()
        prompts = asking.prompts(processes.share(left), methods, built)
        for together in filled(prompts, methods, run.batch):
            batch = [(built.popleft(), prompt) for prompt in together]
            yield asking.rows(batch, methods)


class _Asking:
    """Asks one task of one model.

    Args:
        model: As for `evaluate`.
        processor: As for `evaluate`.
        run: What is asked.
        task: The task.
        failed: As for `answered_batches`.
        wrote: As for `answered_batches`.
        looked: As for `answered_batches`.
    """

    def __init__(
        self,
        model: Any,
        processor: Any,
        run: Run,
        task: Task,
        failed: Failed | None,
        wrote: Callable[[int], None],
        looked: Looked | None,
    ) -> None:
        self._model, self._processor = model, processor
        self._run, self._task, self._failed, self._wrote = run, task, failed, wrote
        self._looked = looked
        self._decoding: Decoding = replace(run.decoding, max_new_tokens=task.max_new_tokens)
        self._in_a_row: Counter[str] = Counter()

    def prompts(
        self, asked: Iterable[Asked], methods: Methods, built: deque[Asked]
    ) -> Iterator[Prompt]:
        """Yield the prompts that can be built, and put down whose they are."""
        for item, seed in asked:
            try:
                prompt = _prompt(self._model, self._processor, item)
            except Exception as error:  # whatever a file or a chat template brings about
                if self._failed is None:
                    raise
                for name in methods:
                    self._failed(Failure(item, seed, name, _sentence(error)))
            else:
                built.append((item, seed))
                yield prompt

    def rows(
        self, batch: Sequence[tuple[Asked, Prompt]], methods: Methods
    ) -> list[tuple[Item, int | None, Row]]:
        """Answer a batch; where it fails, its halves, and then the methods one by one."""
        task = self._task.name
        seen: list[Comparison] = []
        try:
            told = [self._told(item) for (item, _), _ in batch] if self._task.foretold else None
            answers = answer_batch(
                self._model,
                self._processor,
                [prompt for _, prompt in batch],
                methods,
                cache=self._run.cache,
                decoding=self._decoding,
                seeds=[noise_seed(task, item.id, seed or 0) for (item, seed), _ in batch],
                told=told,
                wrote=self._wrote,
                looked=None if self._looked is None else seen.extend,
            )
        except Exception as error:  # models and methods fail in their own ways
            if self._failed is None:
                raise
            if len(batch) == len(methods) == 1:
                ((item, seed), _), (name,) = batch[0], methods
                self._in_a_row[name] += not isinstance(error, _OF_AN_ITEM)
                if self._in_a_row[name] >= MOST_IN_A_ROW:
                    raise
                self._failed(Failure(item, seed, name, _sentence(error)))
                return []
        else:
            possible = [
                (item, seed, row)
                for ((item, seed), _), rows in zip(batch, answers, strict=True)
                for row in rows
                if told is None or self._possible(item, seed, row)
            ]
            for name in {row.name for _, _, row in possible}:
                self._in_a_row[name] = 0
            if self._looked is not None:
                for ((item, seed), _), comparison in zip(batch, seen, strict=True):
                    self._looked(item, seed, comparison)
            return possible
        # Out here, because what is being handled holds what filled the memory.
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if len(batch) > 1:
            half = len(batch) // 2
            return self.rows(batch[:half], methods) + self.rows(batch[half:], methods)
        return [row for name, one in methods.items() for row in self.rows(batch, {name: one})]

    def _told(self, item: Item) -> list[int]:
        """Return the ids of an item's answer, which the model is told."""
        tokenizer = tokenizer_of(self._processor)
        controls = control_tokens(self._model.config, tokenizer, template="")
        text = without_control_tokens(item.answer, controls)
        ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids[: self._task.max_new_tokens]

    def _possible(self, item: Item, seed: int | None, row: Row) -> bool:
        """Tell whether a method held all that it was told for possible."""
        ruled_out = row.probabilities.count(0.0)
        if ruled_out:
            error = MethodError(
                f"{row.name} gives {ruled_out} of {len(row.ids)} tokens the probability 0, so what "
                "is told has no likelihood: leave the method out, or, if it has a beta, set beta=0."
            )
            self._in_a_row[row.name] += 1
            if self._failed is None or self._in_a_row[row.name] >= MOST_IN_A_ROW:
                raise error
            self._failed(Failure(item, seed, row.name, str(error)))
        return not ruled_out


def _sentence(error: Exception) -> str:
    """Return what went wrong with an item."""
    if isinstance(error, SinkTrackError):
        return str(error)
    return f"{type(error).__name__}: {reason(error)}"


def _length(item: Item) -> tuple[int, int]:
    """Return what tells roughly how long an item's prompt is, before it is built."""
    earlier = sum(len(text) for turn in item.earlier for text in turn)
    return len(item.images), earlier + len(item.question) + len(item.passage)
