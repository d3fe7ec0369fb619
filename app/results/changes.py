"""How one method's answer differs from another's to the same item. Knows no files and no page."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from sinktrack.eval.rules import Rule
from sinktrack.eval.run_files import Record

KINDS = {
    "all": "All that differ",
    "worse": "Right to wrong",
    "better": "Wrong to right",
    "abstains": "Abstains now",
    "answers": "Abstains no more",
    "words": "Other words only",
}
"""Titles of the kinds of change, by name."""

_RIGHT_AT_1 = ("accuracy", "exact", "honest", "HEQ-Q")
_RIGHT_AT_0 = ("CHAIR_s", "Hal")
_JUDGES = {
    "accuracy": "accuracy",
    "CHAIR_s": "nothing invented (CHAIR_s)",
    "Hal": "nothing invented (Hal)",
    "exact": "word for word (exact)",
    "honest": "says that it cannot tell (honest)",
    "HEQ-Q": "as good as a person (HEQ-Q)",
}
"""Measures by which one answer is right or wrong, the first of them first."""

_MOST_WORDS = 4000  # of an answer, to be compared word by word
_ABSTAINING = Rule()


def judges(records: Iterable[Record]) -> dict[str, str]:
    """Return the measures by which these answers can be right or wrong, with their titles."""
    there = {measure for record in records for measure in record.scores}
    return {measure: title for measure, title in _JUDGES.items() if measure in there}


def is_right(record: Record, judge: str | None) -> bool | None:
    """Tell whether an answer is right; None where the measure does not say.

    Args:
        record: The answer.
        judge: One of `judges`; None for no measure.
    """
    above, below = record.scores.get(judge or "", (0.0, 0.0))
    if not below:
        return None
    return above == (0.0 if judge in _RIGHT_AT_0 else below)


def abstains(record: Record) -> bool:
    """Tell whether an answer says that it cannot be told.

    Where the task has measured this, its measure does; else one of the phrases that
    `sinktrack score` prints.
    """
    measured = [above for name, (above, _) in record.scores.items() if name.startswith("abstains ")]
    return any(measured) if measured else _ABSTAINING.abstains(record.answer)


@dataclass(frozen=True, slots=True)
class Change:
    """Two answers to one item that are not the same.

    Args:
        first: One method's.
        second: The other's.
        kinds: Of `KINDS`, without "all".
    """

    first: Record
    second: Record
    kinds: tuple[str, ...]


def kinds_of(first: Record, second: Record, judge: str | None) -> tuple[str, ...]:
    """Return how the second answer differs from the first one; nothing if it is the same.

    An answer that abstains now may have become right or wrong by that, and is of both kinds. Words
    differ only where neither rightness nor abstaining does.
    """
    if first.said == second.said:
        return ()
    before, after = is_right(first, judge), is_right(second, judge)
    kinds = []
    if None not in (before, after) and before != after:
        kinds.append("better" if after else "worse")
    silent, silent_now = abstains(first), abstains(second)
    if silent != silent_now:
        kinds.append("abstains" if silent_now else "answers")
    return tuple(kinds) or ("words",)


def changes(
    items: Iterable[Mapping[str, Record]], first: str, second: str, judge: str | None
) -> list[Change]:
    """Return the items whose answers differ.

    Args:
        items: Of each item the answers by method; those that lack one of the two are left out.
        first: A method.
        second: Another one.
        judge: As for `is_right`.
    """
    found = []
    for answers in items:
        if first in answers and second in answers:
            kinds = kinds_of(answers[first], answers[second], judge)
            if kinds:
                found.append(Change(answers[first], answers[second], kinds))
    return found


def of_kind(found: Sequence[Change], kind: str) -> list[Change]:
    """Return the changes of one of `KINDS`."""
    return [each for each in found if kind == "all" or kind in each.kinds]


def counts(found: Sequence[Change]) -> dict[str, int]:
    """Return how many changes there are of each of `KINDS`."""
    return {kind: len(of_kind(found, kind)) for kind in KINDS}


Pieces = list[tuple[str, bool]]
"""A text in pieces, each with whether its words differ."""


def marked(first: str, second: str) -> tuple[Pieces, Pieces]:
    """Return two texts in pieces that differ and pieces that do not.

    Texts of more than 4,000 words are not compared; nothing in them is marked.
    """
    ones, others = _words(first), _words(second)
    if max(len(ones), len(others)) > _MOST_WORDS:
        return [(first, False)], [(second, False)]
    matcher = SequenceMatcher(
        None, [each.strip() for each in ones], [each.strip() for each in others]
    )
    left: Pieces = []
    right: Pieces = []
    for what, from_, to, start, end in matcher.get_opcodes():
        left += _piece("".join(ones[from_:to]), what != "equal")
        right += _piece("".join(others[start:end]), what != "equal")
    return left, right


def _words(text: str) -> list[str]:
    """Return the words of a text, each with the space behind it."""
    return re.findall(r"\S+\s*|\s+", text)


def _piece(text: str, differs: bool) -> Pieces:
    """Return a text as pieces; the space at its end is not marked."""
    words = text.rstrip()
    if not differs or not words:
        return [(text, False)] if text else []
    return [(words, True), *([(text[len(words) :], False)] if words != text else [])]
