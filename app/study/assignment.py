"""Who judges which item next, which two lanes they compare, and on which sides these stand.

Beside the items that are judged there are those that tell of annotators: training before all
others, and checks and repeated items, mixed in blind. Every function is given a transaction that
nothing else of the study runs beside.
"""

import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations
from typing import Any

import sqlalchemy as sa

from app.study.beside_votes import freed, passed_items, passed_over
from app.study.database import STANDING, has_vote, places, votes
from sinktrack.study.fields import TIES

HELD_SECONDS = 3600
"""How long an item waits for whoever has it open, before somebody else gets it."""
MIXED_IN = 0.1
"""The share of pairs that are checks or repeated, as long as there are any and much else is left.

Who judges a few items of many meets some of them too."""
APART = 5
"""How many other votes lie between two on the same pair, unless nothing else is left."""


@dataclass(frozen=True)
class Assignment:
    """The rules of one study.

    Args:
        study: Its name.
        lanes: The names of the lanes, two or more.
        items: The names of the items that are judged; others, judged earlier, are left alone.
        votes_per_item: How many places each has.
        rng: Draws items, pairs and sides.
        training: Items that everybody judges before all others, in order, each with the answer that
            is known to be better: a lane, which is one of the two shown, "tie" or "both bad".
        checks: The same of items that everybody judges among the others.
        repeat: How many of their items everybody judges once more, with the sides turned round.
    """

    study: str
    lanes: Sequence[str]
    items: Sequence[str]
    votes_per_item: int
    rng: random.Random
    training: Mapping[str, str] = field(default_factory=dict)
    checks: Mapping[str, str] = field(default_factory=dict)
    repeat: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all items, training and checks included."""
        return (*self.items, *self.training, *self.checks)

    def next(self, connection: sa.Connection, annotator: int) -> Any:
        """Return the row of the place that an annotator judges next; None for none.

        The one that they have open; else the next of the training; else now and then a check, or an
        item again; else on an item that others have begun, so that it gets all of its votes; else
        on a new one; else one that somebody left open long ago.
        """
        newest = self.open(annotator).order_by(places.c.given.desc())
        row = connection.execute(newest).first()
        if row is not None:
            return row
        met = self._met(connection, annotator)
        others = len(self._untaken(connection, met))
        if others:
            for item, better in self.training.items():
                if item not in met:
                    return self._give_known(connection, annotator, item, better)
        asides = self._asides(connection, annotator, met, others)
        share = max(MIXED_IN, len(asides) / max(1, len(asides) + others))
        if asides and self.rng.random() < share:
            return self.rng.choice(asides)()
        free = self._free(connection, annotator, met)
        return free or self._left_open(connection, annotator, met)

    def left(self, connection: sa.Connection, annotator: int) -> int:
        """Return how many pairs an annotator could still judge, as far as others leave them."""
        open_ = connection.execute(self.open(annotator)).all()
        met = self._met(connection, annotator)
        judged, others = self._judged(connection, annotator), self._untaken(connection, met)
        if not judged and not others:
            return len(open_)
        known = {*self.checks, *(self.training if others else ())} - met
        repeated = self._repeated(connection, annotator)
        may_come = (judged - self._seen(connection, annotator)) | repeated
        again = min(self.repeat, len(may_come) + len(others)) - len(repeated)
        return len(open_) + len(others) + len(known) + max(0, again)

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
        was = connection.execute(self._all_places(places.c.id == place)).first()
        if was is not None and was.item in passed_items(connection, self.study, annotator):
            return None
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
        return self._give_beside(connection, annotator, there, was.item, (was.left, was.right))

    def _give_beside(
        self,
        connection: sa.Connection,
        annotator: int,
        there: Sequence[Any],
        item: str,
        sides: tuple[str, str],
    ) -> Any:
        """Make a place that counts beside those that an item has; return its row."""
        taken = {row.number for row in there}
        number = next(n for n in range(self.votes_per_item) if n not in taken)
        return self._give(connection, annotator, item, number, sides)

    def _give(
        self,
        connection: sa.Connection,
        annotator: int,
        item: str,
        number: int,
        sides: tuple[str, str],
        again: bool = False,
    ) -> Any:
        """Make a place and return its row."""
        values = {"study": self.study, "item": item, "number": number, "annotator": annotator}
        values |= {"left": sides[0], "right": sides[1], "given": time.time(), "again": again}
        return connection.execute(places.insert().values(values).returning(places)).one()

    def open(self, annotator: int) -> Any:
        """Select the places that an annotator has, without a vote and not passed over."""
        return self._all_places(places.c.annotator == annotator, ~has_vote(), ~passed_over())

    def _met(self, connection: sa.Connection, annotator: int) -> set[str]:
        """Return the items that an annotator has judged, has open, or passed over."""
        rows = connection.execute(self._all_places(places.c.annotator == annotator))
        return {row.item for row in rows} | passed_items(connection, self.study, annotator)

    def _judged(self, connection: sa.Connection, annotator: int) -> set[str]:
        """Return the items that count and that an annotator has judged or has open."""
        own = sa.or_(has_vote(), ~passed_over())
        rows = connection.execute(self._places(places.c.annotator == annotator, own))
        return {row.item for row in rows}

    def _places(self, *where: Any) -> Any:
        """Select the places that count for their items."""
        here = (places.c.study == self.study, places.c.item.in_(self.items), ~places.c.again)
        return sa.select(places).where(*here, *where)

    def _all_places(self, *where: Any) -> Any:
        """Select places that count, and those of training, checks and repeated items."""
        here = (places.c.study == self.study, places.c.item.in_(self.names))
        return sa.select(places).where(*here, *where)

    def _untaken(self, connection: sa.Connection, met: set[str]) -> dict[str, int]:
        """Return the items with a place left that were not met, and how many places are taken."""
        counted = sa.select(places.c.item, sa.func.count())
        counted = counted.where(places.c.study == self.study, ~places.c.again, ~freed())
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
        passed = connection.execute(self._places(places.c.item == item, freed())).first()
        if passed is not None:
            return self._give_over(connection, passed.id, annotator)
        rows = connection.execute(self._places(places.c.item == item)).all()
        here = Counter((row.left, row.right) for row in rows)
        sides = self._sides(connection, annotator, here)
        return self._give_beside(connection, annotator, rows, item, sides)

    def _asides(
        self, connection: sa.Connection, annotator: int, met: set[str], others: int
    ) -> list[Callable[[], Any]]:
        """Return what gives an annotator a check that they have not met, or an item again.

        Args:
            connection: To the votes.
            annotator: Who judges.
            met: The items that they have met.
            others: How many other items they could judge now.
        """
        if not others and not self._judged(connection, annotator):
            return []  # nobody comes for checks alone
        asides: list[Callable[[], Any]] = [
            partial(self._give_known, connection, annotator, item, better)
            for item, better in self.checks.items()
            if item not in met
        ]
        for row in self._repeatable(connection, annotator, others):
            asides.append(partial(self._give_again, connection, annotator, row))
        return asides

    def _give_known(self, connection: sa.Connection, annotator: int, item: str, better: str) -> Any:
        """Make a place on training or a check, where the better lane is one of the two."""
        pairs = [pair for pair in combinations(self.lanes, 2) if better in (*pair, *TIES)]
        left, right = self.rng.sample(self.rng.choice(pairs), 2)
        highest = sa.select(sa.func.max(places.c.number))
        own = highest.where(places.c.study == self.study, places.c.item == item)
        last = connection.execute(own).scalar()
        number = 0 if last is None else last + 1
        return self._give(connection, annotator, item, number, (left, right))

    def _repeated(self, connection: sa.Connection, annotator: int) -> set[str]:
        """Return the items that an annotator has been given again."""
        own = self._all_places(places.c.annotator == annotator, places.c.again)
        return {row.item for row in connection.execute(own)}

    def _seen(self, connection: sa.Connection, annotator: int) -> set[str]:
        """Return the items of which an annotator has seen the methods' names."""
        own = self._all_places(places.c.annotator == annotator).join(
            votes, sa.and_(votes.c.place == places.c.id, STANDING, votes.c.revealed.is_not(None))
        )
        return {row.item for row in connection.execute(own)}

    def _repeatable(self, connection: sa.Connection, annotator: int, others: int) -> list[Any]:
        """Draw the places of an annotator that are still to be repeated, as far as they may now."""
        if not self.repeat:
            return []
        repeated = self._repeated(connection, annotator)
        own = self._places(places.c.annotator == annotator).join(
            votes, sa.and_(votes.c.place == places.c.id, STANDING, votes.c.revealed.is_(None))
        )
        rows = connection.execute(own.order_by(votes.c.sequence.desc())).all()
        earlier = [row for row in rows[APART:] if row.item not in repeated]
        if not earlier and not others:
            earlier = [row for row in rows if row.item not in repeated][::-1]
            earlier = earlier[:1]  # the oldest
        return self.rng.sample(earlier, min(len(earlier), max(0, self.repeat - len(repeated))))

    def _give_again(self, connection: sa.Connection, annotator: int, row: Any) -> Any:
        """Make a place that repeats one with its sides turned round; return its row."""
        lowest = sa.select(sa.func.min(places.c.number))
        own = lowest.where(places.c.study == self.study, places.c.item == row.item)
        number = min(0, connection.execute(own).scalar_one()) - 1  # those that count go up from 0
        sides = (row.right, row.left)
        return self._give(connection, annotator, row.item, number, sides, again=True)

    def _sides(
        self, connection: sa.Connection, annotator: int, here: Mapping[tuple[str, str], int]
    ) -> tuple[str, str]:
        """Draw which lanes stand on the left and on the right.

        The pair is the one that was given least so far: on the whole, so that no two pairs are ever
        more than one apart; among those to this annotator; among those on this item. Its sides are
        those given less often on this item, and else drawn. They follow from nothing else: not from
        what the annotator has seen, who could tell them beforehand, and not from what others have,
        because of two people who take turns each would always see one lane on one side.

        Args:
            connection: To the votes.
            annotator: Who judges.
            here: How often this item was given with a left and a right lane.
        """
        everyone: Counter[tuple[str, str]] = Counter()
        own: Counter[tuple[str, str]] = Counter()
        counted = sa.select(places.c.left, places.c.right, places.c.annotator, sa.func.count())
        counted = counted.where(
            places.c.study == self.study,
            ~places.c.again,
            places.c.item.not_in((*self.training, *self.checks)),
        )
        groups = counted.group_by(places.c.left, places.c.right, places.c.annotator)
        for left, right, who, count in connection.execute(groups):
            everyone[left, right] += count
            own[left, right] += count if who == annotator else 0
        pairs = list(combinations(self.lanes, 2))

        def given(pair: tuple[str, str]) -> list[int]:
            return [each[pair] + each[pair[::-1]] for each in (everyone, own, Counter(here))]

        pair = min(self.rng.sample(pairs, len(pairs)), key=given)
        sides = self.rng.sample([pair, pair[::-1]], 2)
        return min(sides, key=lambda side: here.get(side, 0))

    def _left_open(self, connection: sa.Connection, annotator: int, met: set[str]) -> Any:
        waiting = self._left_unvoted(places.c.item.not_in(met))
        row = connection.execute(waiting.order_by(places.c.given)).first()
        return None if row is None else self._give_over(connection, row.id, annotator)

    def _left_unvoted(self, *where: Any) -> Any:
        """Select the places that were left open for long, or passed over."""
        now = time.time()
        held = places.c.given.between(now - HELD_SECONDS, now + HELD_SECONDS)  # or a clock set back
        left = sa.or_(~held, freed())
        return self._places(*where, left, ~has_vote())

    def _give_over(self, connection: sa.Connection, place: int, annotator: int) -> Any:
        over = places.update().where(places.c.id == place)
        over = over.values(annotator=annotator, given=time.time())
        return connection.execute(over.returning(places)).one()
