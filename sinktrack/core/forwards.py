"""Other forwards for some modules of a model, for the length of a block.

Knows nothing about what they do.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn


def has_own_forward(module: nn.Module) -> bool:
    """Tell whether somebody has put a forward here, such as what loads weights when needed."""
    return "forward" in vars(module)


@contextmanager
def other_forwards(forwards: Iterable[tuple[nn.Module, Callable[..., Any]]]) -> Iterator[None]:
    """Let modules compute otherwise.

    Args:
        forwards: Modules without a forward of their own, each with the one that takes its place.
            Nobody may call them in another thread.
    """
    changed = []
    try:
        for module, forward in forwards:
            module.forward = forward
            changed.append(module)
        yield
    finally:
        for module in changed:
            del module.forward
