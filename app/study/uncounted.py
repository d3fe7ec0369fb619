"""Votes that no figure counts: those kept apart, and those that were deleted at a person's request.

Knows nothing of databases and pages.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.study.wording import counted

_MOST_NAMED = 20


@dataclass(frozen=True)
class Uncounted:
    """How many votes of a study count nowhere.

    Args:
        apart: By item, votes on answers that have changed since, or on an item that is gone.
        deleted: Of everybody who wanted their votes deleted, how many these were.
    """

    apart: Mapping[str, int] = field(default_factory=dict)
    deleted: Sequence[int] = ()

    def sentences(self, named: bool = True) -> Iterator[str]:
        """Yield what to say of them, and of whom nothing is told.

        Args:
            named: Whether the items are named.
        """
        if self.apart:
            items = [f"{item} ({count})" for item, count in self.apart.items()]
            more = len(items) - _MOST_NAMED
            which = ", ".join(items[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
            total = sum(self.apart.values())
            yield (
                f"{counted(total, 'vote')} on {counted(len(items), 'item')} "
                f"{'is' if total == 1 else 'are'} kept apart and counted nowhere, because the item "
                f"or its answers have changed since or are gone{f': {which}' if named else ''}."
            )
        votes = [each for each in self.deleted if each]
        if votes:
            people = "one person" if len(votes) == 1 else f"{len(votes)} people"
            was = "was" if sum(votes) == 1 else "were"
            yield f"{counted(sum(votes), 'vote')} of {people} {was} deleted at their request."


NOTHING_UNCOUNTED = Uncounted()


def uncounted(history: Sequence[Mapping[str, Any]], deleted: Sequence[int]) -> Uncounted:
    """Return the votes that count nowhere.

    Args:
        history: From `VoteStore.history`.
        deleted: From `VoteStore.deleted`.
    """
    apart = Counter(row["item"] for row in history if row["undone"] is None and row["apart"])
    return Uncounted(apart, tuple(deleted))
