"""Figures as text. Knows nothing about what they mean."""

import re
from collections.abc import Sequence
from typing import Any

from app.study.stats import Share


def format_share(found: Share) -> str:
    """Write a share with its interval and its counts."""
    if found.value is None or found.interval is None:
        return "-"
    low, high = found.interval
    return f"{found.value:.3f} ({low:.3f} to {high:.3f}; {found.count} of {found.total})"


def format_short_share(found: Share) -> str:
    """Write a share with its counts alone."""
    return "-" if found.value is None else f"{found.value:.3f} ({found.count} of {found.total})"


def format_number(value: float | None, digits: int = 3) -> str:
    """Write a number that may be missing."""
    return "-" if value is None else f"{value:.{digits}f}"


def format_p_value(p: float | None) -> str:
    """Write a p-value."""
    return "-" if p is None else f"{p:.4f}" if p >= 0.0001 else "< 0.0001"


def format_times(quartiles: tuple[float, float, float] | None) -> str:
    """Write the quartiles of the time per vote."""
    if quartiles is None:
        return "not measured"
    low, middle, high = quartiles
    return f"median {middle:.0f} s, half of them between {low:.0f} and {high:.0f} s"


def format_interval(interval: tuple[float, float] | None, digits: int = 3) -> str:
    """Write an interval."""
    return "-" if interval is None else " to ".join(f"{end:.{digits}f}" for end in interval)


def format_range(numbers: Sequence[int]) -> str:
    """Write the least and the greatest of some numbers, once where they are the same."""
    low, high = min(numbers), max(numbers)
    return f"{low}" if low == high else f"{low} to {high}"


def counted(number: int, what: str) -> str:
    """Write a number of things: 1 vote, 2 votes."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Write a table as Markdown; whatever stands in its rows stays text."""
    told = [[escape_markdown(cell) for cell in row] for row in (head, *rows)]
    return "\n".join(
        f"| {' | '.join(line)} |" for line in (told[0], ["---"] * len(head), *told[1:])
    )


def escape_markdown(value: Any) -> str:
    """Return text that Markdown shows as it is: a name may be anything, a picture's address too."""
    return re.sub(r"([\\`*_{}\[\]()<>#!|~&])", r"\\\1", " ".join(str(value).split()))
