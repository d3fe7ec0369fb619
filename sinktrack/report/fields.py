"""Single values of a JSON file that comes from anywhere: each has its type, its size and its range.

A reader takes a value and where it stands, and returns it or raises a sentence that names the
place. `sinktrack.report.checked` is made of these.
"""

import base64
import binascii
import json
import math
from collections.abc import Callable
from typing import Any

from sinktrack.core.errors import ReplayError, shown

_LARGE = 1e9
_WORDS = 2_000_000  # characters of a text
_SHORT = 4_000  # of a title, a notice, a token
_MOST_CELLS = 64_000_000  # numbers in one block
_DEPTH = 4  # lists in lists, in settings
_LONGEST = 200_000  # characters of all settings

Reader = Callable[[Any, str], Any]


def mapping(value: Any, where: str, most: int = 1000) -> dict[str, Any]:
    """Return an object of at most so many entries."""
    if not isinstance(value, dict) or len(value) > most:
        raise ReplayError(f"{where} is {shown(value)}, but must be an object.")
    return value


def items(value: Any, where: str, most: int) -> list[Any]:
    """Return a list of at most so many entries, none of them checked."""
    if not isinstance(value, list):
        raise ReplayError(f"{where} is {shown(value)}, but must be a list.")
    if len(value) > most:
        raise ReplayError(f"{where} has {len(value)} entries; the limit is {most}.")
    return value


def listed(value: Any, where: str, most: int, each: Reader) -> list[Any]:
    """Return a list of at most so many entries, each read."""
    return [each(one, f"{where} {at + 1}") for at, one in enumerate(items(value, where, most))]


def exactly(count: int, each: Reader) -> Reader:
    """Return what reads a list of so many entries."""

    def read(value: Any, where: str) -> list[Any]:
        if len(items(value, where, _MOST_CELLS)) != count:
            raise ReplayError(f"{where} has {len(value)} entries, but must have {count}.")
        return listed(value, where, count, each)

    return read


def maybe(value: Any, where: str, each: Reader) -> Any:
    """Return None for None, and anything else read."""
    return None if value is None else each(value, where)


def text(value: Any, where: str, most: int = _WORDS) -> str:
    """Return a text; halves of characters, which no file can hold, are replaced."""
    if not isinstance(value, str):
        raise ReplayError(f"{where} is {shown(value)}, but must be a text.")
    if len(value) > most:
        raise ReplayError(f"{where} has {len(value)} characters; the limit is {most}.")
    if value.isascii():  # most are, and a file of records has many
        return value
    return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def short(value: Any, where: str) -> str:
    """Return a text of a line or a paragraph."""
    return text(value, where, _SHORT)


def one_of(value: Any, where: str, allowed: tuple[str, ...]) -> str:
    """Return one of the words that are allowed."""
    if not isinstance(value, str) or value not in allowed:
        raise ReplayError(f"{where} is {shown(value)}, but must be {' or '.join(allowed)}.")
    return value


def number(value: Any, where: str) -> float:
    """Return a number that is finite and of a size that can be drawn."""
    good = isinstance(value, int | float) and not isinstance(value, bool)
    if not good or not abs(value) <= _LARGE:  # NaN is not either
        raise ReplayError(f"{where} is {shown(value)}, but must be a number within {_LARGE:g}.")
    return float(value)


def positive(value: Any, where: str) -> float:
    """Return a number of 0 or more."""
    if number(value, where) < 0:
        raise ReplayError(f"{where} is {shown(value)}, but must not be below 0.")
    return float(value)


def share(value: Any, where: str) -> float:
    """Return a number from 0 to 1."""
    if not 0 <= number(value, where) <= 1.000001:
        raise ReplayError(f"{where} is {shown(value)}, but must be from 0 to 1.")
    return float(value)


def whole_below(end: int, start: int = 0) -> Reader:
    """Return what reads a whole number from `start` to `end` - 1."""

    def read(value: Any, where: str) -> int:
        whole = isinstance(value, int) and not isinstance(value, bool)
        if not whole or not start <= value < end:
            raise ReplayError(
                f"{where} is {shown(value)}, but must be a whole number from {start} to {end - 1}."
            )
        return int(value)

    return read


def once(names: list[str], where: str) -> frozenset[str]:
    """Return names of which no two are the same."""
    if len(set(names)) < len(names):
        raise ReplayError(f"Two of the {where} have the same name: choose another file.")
    return frozenset(names)


def plain(value: Any, where: str) -> dict[str, Any]:
    """Return an object of settings, whatever they are, if it is small."""
    settings = mapping(value, where, 200)
    _check_plain(settings, where, _DEPTH)
    written = json.dumps(settings)
    if len(written) > _LONGEST:
        raise ReplayError(f"{where} has {len(written)} characters; the limit is {_LONGEST}.")
    return settings


def _check_plain(value: Any, where: str, depth: int) -> None:
    if isinstance(value, dict | list):
        if depth == 0:
            raise ReplayError(f"{where} holds lists in lists in lists: choose another file.")
        for name in value if isinstance(value, dict) else ():
            if short(name, where) != name:
                raise ReplayError(f"{where} names {shown(name)}, which is no text.")
        for each in value.values() if isinstance(value, dict) else value:
            _check_plain(each, where, depth - 1)
    elif isinstance(value, str):
        if text(value, where) != value:
            raise ReplayError(f"{where} holds {shown(value)}, which is no text.")
    elif isinstance(value, float) and not math.isfinite(value):
        raise ReplayError(f"{where} holds a number that is none.")


def decoded(text: str, where: str) -> bytes:
    """Return the bytes of a text in base 64."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ReplayError(f"{where} is not base 64.") from error


def block(value: Any, where: str, length: int) -> str:
    """Return bytes in base 64, if there are as many as their shape says."""
    if not isinstance(value, str):
        raise ReplayError(f"{where} is {shown(value)}, but must be bytes in base 64.")
    if length > _MOST_CELLS:
        raise ReplayError(f"{where} should have {length} numbers; the limit is {_MOST_CELLS}.")
    if len(value) != 4 * math.ceil(length / 3) or len(decoded(value, where)) != length:
        raise ReplayError(f"{where} has not the {length} numbers that its shape asks for.")
    return value


def packed(length: int) -> Reader:
    """Return what reads so many numbers as `sinktrack.report.payload.packed` packs them."""

    def read(value: Any, where: str) -> dict[str, Any]:
        value = mapping(value, where)
        return {
            "bytes": block(value["bytes"], f"{where}, bytes", length),
            "scale": positive(value["scale"], f"{where}, scale"),
        }

    return read
