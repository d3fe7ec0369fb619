"""Who judges which item next, and which lane stands on the left for them.

Every function is given a transaction that nothing else of the study runs beside.
"""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from app.database import places, voted

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
        chance: Draws items and sides.
    """

    study: str
    lanes: Sequence[str]
    items: Sequence[str]
    votes_per_item: int
    chance: random.Random

    def next(self, connection: sa.Connection, annotator: int) -> Any:
        """Return the row of the place that an annotator judges next; None for none.

        The one that they have open; else on an item that others have begun, so that it gets all of
        its votes; else on a new one; else one that somebody left open long ago.
        """
        open_ = self._places(places.c.annotator == annotator, ~voted())
        row = connection.execute(open_.order_by(places.c.given.desc())).first()
        return row or self._free(connection, annotator) or self._left_open(connection, annotator)

    def left(self, connection: sa.Connection, annotator: int) -> int:
        """Return how many items an annotator could still judge, as far as others leave them."""
        mine = connection.execute(self._places(places.c.annotator == annotator)).all()
        open_ = self._places(places.c.annotator == annotator, ~voted())
        others = len(self._untaken(connection, {row.item for row in mine}))
        return others + len(connection.execute(open_).all())

    def _places(self, *where: Any) -> Any:
        here = (places.c.study == self.study, places.c.item.in_(self.items))
        return sa.select(places).where(*here, *where)

    def _untaken(self, connection: sa.Connection, mine: set[str]) -> dict[str, int]:
        """Return the items with a place left that are not among these, and how many are taken."""
        counted = sa.select(places.c.item, sa.func.count()).where(places.c.study == self.study)
        rows = connection.execute(counted.group_by(places.c.item))
        taken: dict[str, int] = {item: count for item, count in rows}
        return {
            item: taken.get(item, 0)
            for item in self.items
            if item not in mine and taken.get(item, 0) < self.votes_per_item
        }

    def _free(self, connection: sa.Connection, annotator: int) -> Any:
        mine = connection.execute(self._places(places.c.annotator == annotator)).all()
        free = self._untaken(connection, {row.item for row in mine})
        if not free:
            return None
        most = max(free.values())
        item = self.chance.choice([item for item, taken in free.items() if taken == most])
        rows = connection.execute(self._places(places.c.item == item)).all()
        before = {row.number: row.left for row in rows}
        number = next(n for n in range(self.votes_per_item) if n not in before)
        left = self.chance.choice(self.lanes)
        if number ^ 1 in before:
            # of two places one is the other turned round, so that the sides are balanced
            left = next(lane for lane in self.lanes if lane != before[number ^ 1])
        values = {"study": self.study, "item": item, "number": number, "annotator": annotator}
        values |= {"left": left, "given": time.time()}
        return connection.execute(places.insert().values(values).returning(places)).one()

    def _left_open(self, connection: sa.Connection, annotator: int) -> Any:
        mine = connection.execute(self._places(places.c.annotator == annotator)).all()
        waiting = self._places(
            places.c.item.not_in([row.item for row in mine]),
            places.c.given < time.time() - HELD_SECONDS,
            ~voted(),
        )
        row = connection.execute(waiting.order_by(places.c.given)).first()
        if row is None:
            return None
        over = places.update().where(places.c.id == row.id)
        over = over.values(annotator=annotator, given=time.time())
        return connection.execute(over.returning(places)).one()
