"""What a terminal shows: answers that grow side by side, tables, and that something takes time.

Where a stream is no terminal nothing is redrawn, and the last texts are written once.
"""

import sys
import time
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Literal, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from sinktrack.machine import is_first_process

_NARROWEST = 40
"""Columns that an answer needs beside others; else they stand below each other."""
_SECONDS = 0.08
"""Between two drawings."""


def harmless(text: str) -> str:
    """Return a text without the control characters that a terminal would obey."""
    plain = text.replace("\r\n", "\n").replace("\t", " ")
    return "".join(c for c in plain if c == "\n" or unicodedata.category(c)[0] != "C")


def is_terminal(name: Literal["stdout", "stderr"]) -> bool:
    """Tell whether somebody watches a stream."""
    stream: TextIO = getattr(sys, name)
    return stream.isatty()


@contextmanager
def waiting(for_what: str) -> Iterator[Callable[[str], None]]:
    """Show on the error stream, if it is a terminal, what takes time.

    Yields:
        What shows how far it is, given a sentence.
    """
    if not is_terminal("stderr") or not is_first_process():
        yield lambda doing: None
        return
    with _console(sys.stderr).status(Text(f"{harmless(for_what)} …")) as status:
        yield lambda doing: status.update(Text(harmless(f"{for_what}: {doing} …")))


class Growing:
    """Redraws answers in place while they grow, and takes them away at the end.

    Args:
        out: Where to draw; nothing is drawn where it is no terminal.
        names: The answers' names, in order.
    """

    def __init__(self, out: TextIO, names: Sequence[str]) -> None:
        self._out = out
        self._texts = dict.fromkeys(names, "")
        self._console = _console(out) if out.isatty() else None
        self._live: Live | None = None
        self._drawn = 0.0

    def __enter__(self) -> "Growing":
        """Draw answers that are still empty."""
        if self._console is not None:
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.start()
            self._draw()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Take the drawing away; after an interruption leave what had been written by then."""
        if self._live is not None:
            self._live.stop()
            if kind is not None and any(self._texts.values()):
                write_answers(self._out, self._texts)

    def show(self, texts: Mapping[str, str]) -> None:
        """Show the answers so far, unless they were drawn a moment ago."""
        self._texts.update(texts)
        if time.monotonic() - self._drawn >= _SECONDS:
            self._draw()

    def _draw(self) -> None:
        if self._live is not None and self._console is not None:
            # What has scrolled away cannot be redrawn, so the last lines are shown.
            frame = _frame(self._texts, self._console, self._console.height - 1)
            self._live.update(frame, refresh=True)
            self._drawn = time.monotonic()


def write_answers(out: TextIO, texts: Mapping[str, str]) -> None:
    """Write answers in full: beside or below each other on a terminal, else as plain lines."""
    if out.isatty():
        console = _console(out)
        console.print(_frame(texts, console))
        return
    for name, text in texts.items():
        lines = (f"  {line}".rstrip() for line in harmless(text).split("\n"))
        out.write("\n".join([f"{_one_line(name)}:", *lines, "", ""]))


def print_table(out: TextIO, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write a table whose first column is never broken."""
    table = Table(show_edge=False, pad_edge=False, header_style="bold")
    for number, head in enumerate(heads):
        table.add_column(Text(head), no_wrap=number == 0, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    _console(out).print(table, Text(""))


def _frame(texts: Mapping[str, str], console: Console, rows: int | None = None) -> RenderableType:
    """Return answers in boxes; with `rows` only as many last lines as fit into them."""
    beside = console.width >= _NARROWEST * len(texts)
    width = (console.width // len(texts) if beside else console.width) - 4  # the box
    blocks = {}
    for name, text in texts.items():
        lines = list(Text(harmless(text) or "…").wrap(console, width))
        if rows is not None:
            fitting = (rows if beside else rows // len(texts)) - 2
            lines = lines[-max(1, fitting) :]
        blocks[name] = lines
    highest = max(map(len, blocks.values()))
    boxes = [
        Panel(
            Text("\n").join(lines),
            title=Text(_one_line(name)),
            title_align="left",
            height=highest + 2 if beside else None,
        )
        for name, lines in blocks.items()
    ]
    if not beside:
        return Group(*boxes)
    grid = Table.grid(expand=True)
    for _ in boxes:
        grid.add_column(ratio=1)
    grid.add_row(*boxes)
    return grid


def _one_line(name: str) -> str:
    return " ".join(harmless(name).split())


def _console(out: TextIO) -> Console:
    # The stream itself says whether it is a terminal; an environment variable may say otherwise.
    return Console(
        file=out, force_terminal=out.isatty(), highlight=False, markup=False, emoji=False
    )
