"""Several answers that grow side by side in a terminal."""

import shutil
import textwrap
import unicodedata
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TextIO


class Answers:
    """Shows one block of text a lane and redraws it in place while it grows.

    Where the stream is no terminal nothing is redrawn: the last texts are written once.

    Args:
        out: Where to write.
        lanes: The lanes' names, in order.
    """

    def __init__(self, out: TextIO, lanes: Sequence[str]) -> None:
        """Draw nothing yet."""
        self._out = out
        self._lanes = lanes
        self._drawn = 0
        self._live = out.isatty()

    def __enter__(self) -> "Answers":
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave the cursor below what was drawn."""
        self._out.flush()

    def show(self, texts: Mapping[str, str], *, final: bool) -> None:
        """Show the answers so far; `final` ones are written even where nothing can be redrawn."""
        if not self._live and not final:
            return
        columns, rows = shutil.get_terminal_size()
        lines = [line for lane in self._lanes for line in _block(lane, texts[lane], columns - 1)]
        if self._live and not final:
            lines = lines[-(rows - 1) :]  # what has scrolled away cannot be redrawn
        if self._drawn:
            self._out.write(f"\x1b[{self._drawn}F\x1b[J")
        self._out.write("\n".join(lines) + "\n")
        self._out.flush()
        # A line that is too wide for the terminal, as wide scripts make it, takes several rows.
        self._drawn = sum(-(-max(1, _width(line)) // columns) for line in lines) * self._live


def _block(lane: str, text: str, columns: int) -> list[str]:
    """Return a lane's heading and its text in lines of at most `columns` characters."""
    # An answer may hold control characters, which a terminal would obey.
    safe = "".join(c for c in text if c == "\n" or unicodedata.category(c)[0] != "C")
    lines = [
        line
        for paragraph in safe.split("\n")
        for line in textwrap.wrap(paragraph, max(20, columns - 2)) or [""]
    ]
    return [f"{lane}:", *(f"  {line}" for line in lines), ""]


def _width(line: str) -> int:
    """Return how many columns a line takes; the characters of wide scripts take two."""
    return sum(1 + (unicodedata.east_asian_width(char) in "WF") for char in line)
