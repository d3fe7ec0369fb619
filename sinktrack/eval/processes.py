"""Several processes that answer one run, as `accelerate launch` and `torchrun` start them.

Knows nothing about models, tasks and files.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from sinktrack.core.errors import ModelError, OutputError

_T = TypeVar("_T")

_LONGEST = timedelta(days=30)
"""How long one process may wait for another, which may have slower items."""


@dataclass(frozen=True)
class Processes:
    """The processes of a run.

    Args:
        index: Which one this is, from 0 on.
        count: How many there are.
    """

    index: int = 0
    count: int = 1

    @classmethod
    def joined(cls) -> "Processes":
        """Return this process among those that a launcher started; without one it is alone.

        They meet over gloo, because only to wait for each other takes no GPU.
        """
        if _started() == 1:
            return ALONE
        from accelerate import PartialState

        state = PartialState(cpu=True, backend="gloo", timeout=_LONGEST)
        return cls(state.process_index, state.num_processes)

    @property
    def first(self) -> bool:
        """Whether this one writes what all have found."""
        return self.index == 0

    def share(self, all_of_them: Sequence[_T]) -> Sequence[_T]:
        """Return what this process does of a list that is the same in all processes.

        Neighbours go to different processes, so that long items are spread evenly.
        """
        return all_of_them[self.index :: self.count]

    def wait(self) -> None:
        """Wait until every process has come here.

        Raises:
            OutputError: If one has ended before.
        """
        if self.count == 1:
            return
        from accelerate import PartialState

        try:
            PartialState().wait_for_everyone()
        except RuntimeError as error:
            raise OutputError(
                "Another process of this run has ended early: run the same command again, with as "
                "many processes as you like. What was answered is kept."
            ) from error


ALONE = Processes()
"""No other process takes part."""


def own_device(asked: str | None) -> str | None:
    """Return where this process puts its model: of several, each on a GPU of its own.

    Args:
        asked: As for `sinktrack.load`; None and "cuda" leave the GPU open.

    Raises:
        ModelError: If there is no GPU left for it, or every process would take all of them.
    """
    count = _started()
    if count == 1:
        return asked
    if asked == "auto":
        raise ModelError(
            f"The device is auto, which spreads one model over all GPUs, but {count} processes "
            "load one each: start one process, or choose another device."
        )
    import torch

    if asked not in (None, "cuda") or not torch.cuda.is_available():
        return asked
    local, gpus = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
    if local >= gpus:
        raise ModelError(
            f"Process {local + 1} of this machine finds {gpus} GPUs, but each takes one of its "
            f"own: start {gpus} processes, or choose a device such as cuda:0 for all."
        )
    torch.cuda.set_device(local)
    return f"cuda:{local}"


def _started() -> int:
    """Return how many processes a launcher has started."""
    return int(os.environ.get("WORLD_SIZE") or 1)
