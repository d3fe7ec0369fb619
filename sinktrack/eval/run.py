"""What determines the answers of a run. Knows tasks by their interface alone."""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sinktrack.core.batch import Methods
from sinktrack.core.cache import Cache, cache_as_json, check_cache
from sinktrack.core.decoding import Decoding
from sinktrack.core.errors import DataError, MethodError
from sinktrack.core.models import model_name, quantised, revision_of
from sinktrack.eval.task import Item, Task

MOST_SEEDS = 10_000
"""How often an item may be sampled; far more would fill the memory."""


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
        traces: Whether to keep what attention did, of items whose answers differ. It changes none.

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
    traces: bool = False

    def __post_init__(self) -> None:
        """Check how often items are asked."""
        if self.seeds > MOST_SEEDS:
            raise MethodError(f"seeds is {self.seeds}, but must be at most {MOST_SEEDS:,}.")
        if self.seeds < 1 or (self.seeds > 1 and not self.decoding.do_sample):
            raise MethodError(
                f"seeds is {self.seeds}, but must be 1 or more, and 1 where nothing is sampled: "
                "give a temperature, or leave it out."
            )

        told = next((task.name for task in self.tasks if task.foretold), None)
        if told is not None and self.decoding.do_sample:
            raise MethodError(
                f"The task {told!r} is told its answers, so nothing is sampled: leave the "
                "temperature out."
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
            "revision": revision_of(model) or None,
            "quantised": quantised(model.config),
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
            "max_new_tokens": {task.name: task.max_new_tokens for task in self.tasks},
            "seeds": list(self.draws),
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
