"""Runs something in a process of its own, whose peak of memory is then its own as well."""

import multiprocessing
import resource
from collections.abc import Callable
from typing import Any


def in_own_process(run: Callable[..., Any], *arguments: Any) -> tuple[Any, int]:
    """Return what a function returned, and the peak resident bytes of its process."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_told, args=(theirs, run, arguments))
    process.start()
    theirs.close()  # so that a run that fails ends the wait
    found: tuple[Any, int] = ours.recv()
    process.join()
    return found


def _told(answer: Any, run: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    returned = run(*arguments)
    answer.send((returned, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024))
