"""What people are told of one parameter of a method, and how its values are checked and typed.

Knows nothing about methods.
"""

import math
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from sinktrack.core.errors import MethodError, shown

_NUMBERS = r"\d+([+-]\d+)*"
"""Positions or dimensions, where a parameter takes no such text."""


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """What people are told of one parameter of a method.

    Args:
        name: As in Python and on the command line.
        default: Its value where none is given; None for the model's own.
        help: One sentence.
        low: The least value of a number; None for none.
        high: The largest.
        choices: The values that a word may have; empty for a number, a switch or a set.
        set_of: What it is a set of, by their numbers: "layers", "dimensions" of the residual
            stream, or "positions" of the prompt; "" if it is none.
        check: Returns a sentence that says what is wrong with a value, or None.
        takes: What values it takes, in words, where the rest does not say it.
    """

    name: str
    default: Any
    help: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    set_of: str = ""
    check: Callable[[Any], str | None] | None = None
    takes: str = ""

    @property
    def range(self) -> str:
        """What values it takes, in words."""
        if self.takes:
            return self.takes
        if self.choices:
            return " or ".join(self.choices)
        if self.set_of:
            return f"{self.set_of}, such as 2+5+7 or 2-9"
        if isinstance(self.default, bool):
            return "yes or no"
        kind = "a whole number" if self.whole else "a number"
        if self.low is None:
            return kind
        low = _written(self.low)
        return (
            f"{kind} of {low} or more"
            if self.high is None
            else (f"{kind} from {low} to {_written(self.high)}")
        )

    @property
    def default_in_words(self) -> str:
        """Its default for people."""
        if self.set_of == "positions" and not self.default:
            return "none"
        if self.default is None or (self.set_of and not self.default):
            return "the model's own"
        if isinstance(self.default, bool):
            return "yes" if self.default else "no"
        return str(self.default)

    @property
    def whole(self) -> bool:
        """Whether it is a whole number; one without a default says so by its least value."""
        return isinstance(self.low if self.default is None else self.default, int)

    def checked(self, value: Any) -> Any:
        """Return a value as it is kept.

        Raises:
            MethodError: If it is out of range.
        """
        if self.set_of:
            return self._checked_set(value)
        if self.check is not None:
            said = self.check(value)
            if said is not None:
                raise MethodError(f"{self.name} is {shown(value)}, but {said}.")
            return value
        if value is None and self.default is None:
            return None
        if self.choices:
            good = value in self.choices
        elif isinstance(self.default, bool):
            good = isinstance(value, bool)
        else:
            good = isinstance(value, int if self.whole else int | float)
            good = good and not isinstance(value, bool)
            good = good and (self.low is None or value >= self.low)
            good = good and (self.high is None or value <= self.high)
            good = good and (isinstance(value, int) or math.isfinite(value))
        if not good:
            raise MethodError(f"{self.name} is {shown(value)}, but must be {self.range}.")
        return value

    def _checked_set(self, value: Any) -> Any:
        if value is None and self.default is None:
            return None
        if not isinstance(value, Collection) or any(
            isinstance(each, bool) or not isinstance(each, int) or each < 0 for each in value
        ):
            raise MethodError(
                f"{self.name} is {shown(value)}, but must be a set of {self.set_of}, counted from "
                "0: give whole numbers of 0 or more."
            )
        return frozenset(value)

    def parsed(self, text: str) -> Any:
        """Return the value that a word on the command line or the page stands for.

        Raises:
            MethodError: If it stands for none.
        """
        words = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}
        try:
            if self.set_of:
                return frozenset(_numbers(text))
            if self.check is not None and self.check(text) and re.fullmatch(_NUMBERS, text):
                numbers = frozenset(_numbers(text))
                return text if self.check(numbers) else numbers
            if self.choices or self.check is not None:
                return text
            if isinstance(self.default, bool):
                return words[text.lower()]
            return int(text) if self.whole else float(text)
        except (KeyError, ValueError) as error:
            raise MethodError(f"{self.name} is {shown(text)}, but must be {self.range}.") from error


def _written(number: float) -> str:
    """Write a number as people do: 1,000 and not 1e+03."""
    return f"{number:,}" if isinstance(number, int) else f"{number:g}"


def _numbers(text: str) -> list[int]:
    """Return the numbers of a text such as "2+5-7"."""
    found: list[int] = []
    for each in text.split("+"):
        first, _, last = each.partition("-")
        if len(last) > 5:  # a range of billions would fill the memory
            raise ValueError(each)
        numbers = range(int(first), int(last or first) + 1)
        if not numbers:
            raise ValueError(each)
        found += numbers
    return found


def parameter(
    default: Any,
    help: str,  # noqa: A002
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    set_of: str = "",
    check: Callable[[Any], str | None] | None = None,
    takes: str = "",
) -> Any:
    """Declare a field of a method; see `Parameter` for the arguments."""
    told: dict[str, Any] = {"help": help, "low": low, "high": high, "choices": choices}
    told |= {"set_of": set_of, "check": check, "takes": takes}
    return field(default=default, metadata=told)
