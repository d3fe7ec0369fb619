"""Who judges which item next, which two lanes they compare, and on which sides these stand.

Every function is given a transaction that nothing else of the study runs beside.
"""

import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import sqlalchemy as sa

from app.study.database import has_vote, places

HELD_SECONDS = 3600
"""How long an item waits for whoever has it open, before somebody else gets it."""


@dataclass(frozen=True)
class Assignment:
    """The rules of one study.

    Args:
        study: Its name.
        lanes: The names of the lanes, two or more.
        items: The names of the items that are judged; others, judged earlier, are left alone.
        votes_per_item: How many places each has.
        rng: Draws items, pairs and sides.
    """

    study: str
    lanes: Sequence[str]
    items: Sequence[str]
    votes_per_item: int
    rng: random.Random

    def next(self, connection: sa.Connection, annotator: int) -> Any:
        """Return the row of the place that an annotator judges next; None for none.

        The one that they have open; else on an item that others have begun, so that it gets all of
        its votes; else on a new one; else one that somebody left open long ago.
        """
        newest = self.open(annotator).order_by(places.c.given.desc())
        row = connection.execute(newest).first()
        if row is not None:
            return row
        met = self._met(connection, annotator)
        free = self._free(connection, annotator, met)
        return free or self._left_open(connection, annotator, met)

    def left(self, connection: sa.Connection, annotator: int) -> int:
        """Return how many items an annotator could still judge, as far as others leave them."""
        open_ = connection.execute(self.open(annotator)).all()
        return len(open_) + len(self._untaken(connection, self._met(connection, annotator)))

    def complete(self, connection: sa.Connection) -> bool:
        """Return whether every item has all of its votes."""
        voted = self._places(has_vote()).with_only_columns(places.c.item, sa.func.count())
        counts = {item: count for item, count in connection.execute(voted.group_by(places.c.item))}
        return all(counts.get(item, 0) >= self.votes_per_item for item in self.items)

    def seat(self, connection: sa.Connection, place: int, annotator: int) -> Any:
        """Return the row of the place that a late vote goes to; None if none is left.

        Args:
            connection: To the votes.
            place: That the annotator was given once.
            annotator: Who votes.
        """
        was = connection.execute(self._places(places.c.id == place)).first()
        if was is None or was.annotator == annotator:
            return was
        there = connection.execute(self._places(places.c.item == was.item)).all()
        own = next((row for row in there if row.annotator == annotator), None)
        if own is not None:
            return own if (own.left, own.right) == (was.left, was.right) else None
        waits = self._left_unvoted(places.c.id == place)
        if connection.execute(waits).first() is not None:  # whoever got it has left it open too
            return self._give_over(connection, place, annotator)
        if len(there) >= self.votes_per_item:
            return None
        return self._give(connection, annotator, there, was.item, (was.left, was.right))

    def _give(
        self,
        connection: sa.Connection,
        annotator: int,
        there: Sequence[Any],
        item: str,
        sides: tuple[str, str],
    ) -> Any:
        """Make a place beside those that an item has; return its row."""
        taken = {row.number for row in there}
        number = next(n for n in range(self.votes_per_item) if n not in taken)
        values = {"study": self.study, "item": item, "number": number, "annotator": annotator}
        values |= {"left": sides[0], "right": sides[1], "given": time.time()}
        return connection.execute(places.insert().values(values).returning(places)).one()

    def open(self, annotator: int) -> Any:
        """Select the places that an annotator has and that have no vote."""
        return self._places(places.c.annotator == annotator, ~has_vote())

    def _met(self, connection: sa.Connection, annotator: int) -> set[str]:
        """Return the items that an annotator has judged or has open."""
        rows = connection.execute(self._places(places.c.annotator == annotator))
        return {row.item for row in rows}

    def _places(self, *where: Any) -> Any:
        here = (places.c.study == self.study, places.c.item.in_(self.items))
        return sa.select(places).where(*here, *where)

    def _untaken(self, connection: sa.Connection, met: set[str]) -> dict[str, int]:
        """Return the items with a place left that were not met, and how many places are taken."""
        counted = sa.select(places.c.item, sa.func.count()).where(places.c.study == self.study)
        rows = connection.execute(counted.group_by(places.c.item))
        taken: dict[str, int] = {item: count for item, count in rows}
        return {
            item: taken.get(item, 0)
            for item in self.items
            if item not in met and taken.get(item, 0) < self.votes_per_item
        }

    def _free(self, connection: sa.Connection, annotator: int, met: set[str]) -> Any:
        free = self._untaken(connection, met)
        if not free:
            return None
        most = max(free.values())
        item = self.rng.choice([item for item, taken in free.items() if taken == most])
        rows = connection.execute(self._places(places.c.item == item)).all()
        here = Counter((row.left, row.right) for row in rows)
        return self._give(
            connection, annotator, rows, item, self._sides(connection, annotator, here)
        )

    def _sides(
        self, connection: sa.Connection, annotator: int, here: Mapping[tuple[str, str], int]
    ) -> tuple[str, str]:
        """Draw which lanes stand on the left and on the right.

        The pair is the one that was given least so far: on the whole, so that no two pairs are ever
        more than one apart; among those to this annotator; among those on this item. Its sides are
        those given less often on this item, and else those that other annotators were given less
        often. They never follow from what the annotator has seen, who could tell them beforehand.

        Args:
            connection: To the votes.
            annotator: Who judges.
            here: How often this item was given with a left and a right lane.
        """
        everyone: Counter[tuple[str, str]] = Counter()
        own: Counter[tuple[str, str]] = Counter()
        counted = sa.select(places.c.left, places.c.right, places.c.annotator, sa.func.count())
        counted = counted.where(places.c.study == self.study)
        groups = counted.group_by(places.c.left, places.c.right, places.c.annotator)
        for left, right, who, count in connection.execute(groups):
            everyone[left, right] += count
            own[left, right] += count if who == annotator else 0
        pairs = list(combinations(self.lanes, 2))

        def given(pair: tuple[str, str]) -> list[int]:
            return [each[pair] + each[pair[::-1]] for each in (everyone, own, Counter(here))]

        pair = min(self.rng.sample(pairs, len(pairs)), key=given)
        sides = self.rng.sample([pair, pair[::-1]], 2)
        return min(sides, key=lambda side: (here.get(side, 0), everyone[side] - own[side]))

    def _left_open(self, connection: sa.Connection, annotator: int, met: set[str]) -> Any:
        waiting = self._left_unvoted(places.c.item.not_in(met))
        row = connection.execute(waiting.order_by(places.c.given)).first()
        return None if row is None else self._give_over(connection, row.id, annotator)

    def _left_unvoted(self, *where: Any) -> Any:
        """Select the places that were left open for long."""
        return self._places(*where, places.c.given < time.time() - HELD_SECONDS, ~has_vote())

    def _give_over(self, connection: sa.Connection, place: int, annotator: int) -> Any:
        over = places.update().where(places.c.id == place)
        over = over.values(annotator=annotator, given=time.time())
        return connection.execute(over.returning(places)).one()
