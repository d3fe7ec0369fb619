"""What stands beside the votes, as tables with what to know of them: rulings, items passed over.

Knows nothing about databases and pages.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from app.study.rulings import ABOUT_RULINGS, Ruled, rulings_table
from app.study.wording import counted

_MOST_NAMED = 20


class Section(NamedTuple):
    """A table with its heading, and sentences about it.

    Args:
        heading: What it is of.
        table: Its head and its rows.
        notes: What to know of it.
    """

    heading: str
    table: tuple[list[str], list[list[Any]]]
    notes: tuple[str, ...]


def beside_votes(
    kept: Sequence[Mapping[str, Any]],
    passed: Sequence[Mapping[str, Any]],
    ruled: Sequence[Ruled],
) -> list[Section]:
    """Return what stands beside the votes; nothing of what there is none of.

    Args:
        kept: From `VoteStore.standing`.
        passed: From `BesideVotes.passed`.
        ruled: From `rulings_by_pair`.
    """
    found = []
    if ruled:
        found.append(Section("Rulings", rulings_table(ruled), (ABOUT_RULINGS,)))
    if passed:
        found.append(_passed(kept, passed))
    return found


def _passed(kept: Sequence[Mapping[str, Any]], passed: Sequence[Mapping[str, Any]]) -> Section:
    votes = Counter(row["item"] for row in kept)
    by_item: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in passed:
        by_item[row["item"]].append(row)
    rows: list[list[Any]] = []
    for item, own in sorted(by_item.items(), key=lambda each: -len(each[1])):
        reasons = [row["reason"] for row in own if row["reason"]]
        told = "\n".join(f"“{reason}”" for reason in reasons)
        rows.append([item, len(own) - len(reasons), len(reasons), votes[item], told])
    without = [item for item in by_item if not votes[item]]
    notes = [
        "Who passes an item over does not meet it again. Figures count the votes of others alone."
    ]
    if without:
        more = f" and {len(without) - _MOST_NAMED} more" if len(without) > _MOST_NAMED else ""
        named = ", ".join(without[:_MOST_NAMED])
        notes.append(
            f"Passed over and without any vote: {counted(len(without), 'item')}: {named}{more}."
        )
    head = ["item", "skipped", "something is wrong", "votes of others", "what is wrong"]
    return Section("Items passed over", (head, rows), tuple(notes))
