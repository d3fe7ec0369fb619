"""What loading a model is at, as a sentence: how much is downloaded, which weights are read."""

import io
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tqdm import tqdm

Say = Callable[[str], None]
"""Takes what is going on, such as "downloading, 1.2 of 7.5 GB", a few times a second."""


@contextmanager
def told(say: Say | None) -> Iterator[dict[str, Any]]:
    """Tell of transformers' progress bars in place of drawing them, for the length of a block.

    Args:
        say: Whom to tell; None leaves the bars as they are.

    Yields:
        Arguments of `from_pretrained`, for the bars that the hub draws.
    """
    if say is None:
        yield {}
        return
    told_bar = type("Bar", (_Bar,), {"tell": staticmethod(say)})  # the hub wants a class
    here = threading.get_ident()

    def bar(factory: Callable[..., Any], args: Any, options: Any) -> Any:
        mine = threading.get_ident() == here
        return (told_bar if mine else factory)(*args, **options)

    from transformers.utils import logging

    before = logging.set_tqdm_hook(bar)
    try:
        yield {"tqdm_class": told_bar}
    finally:
        logging.set_tqdm_hook(before)


class _Bar(tqdm):  # type: ignore[misc]  # tqdm has no types
    """A bar that is told and not drawn; the hub and transformers make it as their own."""

    tell: Say

    def __init__(self, *args: Any, **options: Any) -> None:
        options |= {"file": io.StringIO(), "disable": False, "mininterval": 0.2}
        options.pop("name", None)  # of the hub's own kind
        super().__init__(*args, **options)

    def display(self, msg: str | None = None, pos: int | None = None) -> None:
        """Tell how far it is, in place of drawing it."""
        if not self.total:
            return
        if self.unit == "B":
            size, unit = (1e9, "GB") if self.total >= 1e8 else (1e6, "MB")
            self.tell(f"downloading, {self.n / size:.1f} of {self.total / size:.1f} {unit}")
        else:
            what = (self.desc or "loading").rstrip(": ").lower()
            self.tell(f"{what}, {self.n} of {self.total}")
