"""On a ZeroGPU Space a GPU is lent for one call at a time, in a forked process.

Must be imported before torch, so that no CUDA is initialised in the parent process.
"""

import os
from collections.abc import Callable, Iterator
from typing import Any

if os.environ.get("SPACE_ID"):
    try:
        import spaces
    except ImportError:
        spaces = None
else:
    spaces = None


def lends_gpu() -> bool:
    """Whether the page runs on such a Space."""
    return spaces is not None


def on_lent_gpu(
    method: Callable[..., Iterator[Any]], seconds: Callable[..., int]
) -> Callable[..., Iterator[Any]]:
    """Return what runs a method while a GPU is lent; elsewhere the method itself.

    Args:
        method: A bound generator method. Its arguments and what it yields are pickled.
        seconds: Called with the same arguments; for how long the GPU is needed.
    """
    if spaces is None:
        return method

    # spaces.GPU tells by the function itself whether it is a generator function
    def events(*arguments: Any) -> Iterator[Any]:
        yield from method(*arguments)

    lent: Callable[..., Iterator[Any]] = spaces.GPU(duration=seconds)(events)
    return lent
