"""Who judges which item next, and which lane stands on the left for them.

Every function is given a transaction that nothing else of the study runs beside.
"""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
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
        lanes: The names of the two lanes.
        items: The names of the items that are judged; others, judged earlier, are left alone.
        votes_per_item: How many places each has.
        rng: Draws items and sides.
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
        before = {row.number: row.left for row in rows}
        number = next(n for n in range(self.votes_per_item) if n not in before)
        left = self.rng.choice(self.lanes)
        if number ^ 1 in before:
            # of two places one is the other turned round, so that the sides are balanced
            left = next(lane for lane in self.lanes if lane != before[number ^ 1])
        values = {"study": self.study, "item": item, "number": number, "annotator": annotator}
        values |= {"left": left, "given": time.time()}
        return connection.execute(places.insert().values(values).returning(places)).one()

    def _left_open(self, connection: sa.Connection, annotator: int, met: set[str]) -> Any:
        waiting = self._places(
            places.c.item.not_in(met),
            places.c.given < time.time() - HELD_SECONDS,
            ~has_vote(),
        )
        row = connection.execute(waiting.order_by(places.c.given)).first()
        if row is None:
            return None
        over = places.update().where(places.c.id == row.id)
        over = over.values(annotator=annotator, given=time.time())
        return connection.execute(over.returning(places)).one()
