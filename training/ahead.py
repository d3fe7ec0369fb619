"""What steps need, made ahead of them, so that a GPU does not wait for its batches."""

import itertools
import os
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from torch.utils.data import DataLoader, Dataset

Made = TypeVar("Made")


class Ahead(Generic[Made]):
    """Makes what each step needs of the step's number alone.

    Beside a GPU, processes make what the next steps need, two each. They are copies of this one, so
    what they make depends on nothing that changes. A CPU has no time to spare: there it is made
    when it is asked for.
    """

    def __init__(self, make: Callable[[int], Made], device: str) -> None:
        """Take what makes it, and where the model is."""
        self._steps: Dataset[Made] = _Steps(make)
        self._workers = 0 if device == "cpu" else max(1, len(os.sched_getaffinity(0)) - 2)
        self._next = -1
        self._coming: Iterator[Made] = iter(())

    def __getitem__(self, step: int) -> Made:
        """Return what a step needs, fast where it comes right behind the step asked for before."""
        if step != self._next:
            self._coming = iter(
                DataLoader(
                    self._steps,
                    batch_size=None,
                    sampler=itertools.count(step),
                    num_workers=self._workers,
                    multiprocessing_context="fork" if self._workers else None,
                )
            )
        self._next = step + 1
        return next(self._coming)


class _Steps(Dataset[Made]):
    def __init__(self, make: Callable[[int], Made]) -> None:
        self._make = make

    def __getitem__(self, step: int) -> Made:
        return self._make(step)
