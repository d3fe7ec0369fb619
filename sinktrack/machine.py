"""What a machine may have in store for a program: odd consoles, busy cores. Imports no torch."""

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

SMALL = 50_000_000
"""Parameters; the matrices of a smaller model are done before several threads have met."""


def nowhere() -> TextIO:
    """Return an output that takes everything and keeps nothing."""
    return open(os.devnull, "w", encoding="utf-8")


def is_first_process() -> bool:
    """Tell whether this process speaks for those that a launcher such as torchrun started."""
    return os.environ.get("RANK", "0") == "0"


def tolerate_any_text() -> None:
    """Print "?" for characters that cannot be encoded, and nothing where there is no console."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed, or under pythonw
            setattr(sys, name, nowhere())
        reconfigure = getattr(getattr(sys, name), "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")


@contextmanager
def importing() -> Iterator[None]:
    """Import large packages in a block, without looking for garbage among what they define.

    None of it is, and looking through ever more of it takes a fifth of the time. For programs
    alone: it is not looked at later either, and that holds for all that there is by then.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if enabled:
            gc.enable()


def free_memory() -> int:
    """Return how many bytes of memory this process may still take, as far as the machine says."""
    import psutil

    free: int = psutil.virtual_memory().available
    try:  # what a container may have is often less than its machine has
        limit, used = (
            int(Path("/sys/fs/cgroup", name).read_text())
            for name in ("memory.max", "memory.current")
        )
    except (OSError, ValueError):  # there is no limit, or it is not said here
        return free
    return min(free, max(0, limit - used))


def settle_threads(model: Any) -> None:
    """Compute a small model on one thread, for the length of the process.

    On a quiet machine that is as fast. Where other processes keep the cores busy, several threads
    wait for each other at every matrix, and are many times slower. OMP_NUM_THREADS wins over this.
    For programs alone: the number of threads belongs to the whole process and not to a library.

    Args:
        model: The model that the process will run.
    """
    import torch

    small = sum(weights.numel() for weights in model.parameters()) < SMALL
    if small and model.device.type == "cpu" and "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(1)


def free_gpu() -> None:
    """Give back what torch keeps of a GPU's memory for later."""
    import torch

    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def gpu_bytes(which: int) -> int | None:
    """Return how much of the current GPU's memory is free (0) or taken (1).

    Returns:
        Bytes; None where this process uses no GPU, as a ZeroGPU Space's parent process never does.
    """
    import torch

    if not torch.cuda.is_initialized():
        return None
    free, total = torch.cuda.mem_get_info()
    return int((free, total - free)[which])
