"""What is kept beside the votes: items that annotators passed over, and rulings of named judges.

Neither is a vote, and no figure of the votes counts them. Both are told to whoever listens to the
votes, in rows with a "kind", so that a copy of the votes holds them as well.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import sqlalchemy as sa

from app.study.apart import Pairs
from app.study.database import (
    annotators,
    find_annotator,
    find_or_add_annotator,
    has_vote,
    insert_once,
    passes,
    places,
    rulings,
)

_RULING = [column.name for column in rulings.columns if column.name not in ("id", "study")]


def passed_over() -> Any:
    """A condition on `places`: whoever has the place passed its item over."""
    return sa.exists().where(
        passes.c.study == places.c.study,
        passes.c.item == places.c.item,
        passes.c.annotator == places.c.annotator,
    )


def freed() -> Any:
    """A condition on `places`: others may have the place, since who has it passed it over."""
    return sa.and_(passed_over(), ~has_vote(), ~places.c.again)


def key_of_pass(item: str, name: str, passed: float) -> str:
    """Return the key of a row that tells a copy of the votes of an item passed over."""
    return f"pass {item} {name} {passed!r}"


def passed_items(connection: sa.Connection, study: str, annotator: int) -> set[str]:
    """Return the items that an annotator passed over."""
    own = sa.select(passes.c.item)
    own = own.where(passes.c.study == study, passes.c.annotator == annotator)
    return set(connection.execute(own).scalars())


class BesideVotes:
    """Items passed over and rulings of one study.

    Args:
        study: Its name.
        pairs: What annotators see now.
        writing: Gives a transaction that no other one of this study runs beside.
        changed: Is called with every row that changes; see `rows`.
    """

    def __init__(
        self,
        study: str,
        pairs: Pairs,
        writing: Callable[[], AbstractContextManager[sa.Connection]],
        changed: Callable[[dict[str, Any]], None],
    ) -> None:
        self._study, self._pairs = study, pairs
        self._writing, self._changed = writing, changed

    def pass_over(self, place: int, annotator: int, reason: str = "") -> bool:
        """Note that an annotator passes an item over; somebody else may have its place.

        Args:
            place: That the annotator was given once.
            annotator: From `VoteStore.join`.
            reason: What is wrong with the item, if anything is.

        Returns:
            Whether they have passed it over now; not so if they have voted on it.
        """
        own = sa.select(places).where(places.c.id == place, places.c.study == self._study)
        voted = own.where(places.c.annotator == annotator, has_vote())
        with self._writing() as connection:
            row = connection.execute(own).first()
            if row is None or connection.execute(voted).first() is not None:
                return False
            seen = {"study": self._study, "item": row.item, "annotator": annotator}
            values = seen | {"reason": reason, "passed": time.time()}
            connection.execute(insert_once(connection, passes, values))
            mine = (passes.c.item == row.item, passes.c.annotator == annotator)
            kept = self._passes(connection, *mine)
        self._tell(kept)
        return True

    def passed(self) -> list[dict[str, Any]]:
        """Return every item passed over, oldest first, with the annotator's name."""
        with self._writing() as connection:
            return self._passes(connection)

    def _passes(self, connection: sa.Connection, *where: Any) -> list[dict[str, Any]]:
        own = sa.select(passes, annotators.c.name)
        own = own.join(annotators, annotators.c.id == passes.c.annotator)
        own = own.where(passes.c.study == self._study, *where).order_by(passes.c.id)
        return [dict(row._mapping) for row in connection.execute(own)]

    def bring_back(self, number: int) -> bool:
        """Let an annotator meet an item that they passed over; return whether there was one.

        Args:
            number: The "id" of a row of `passed`.
        """
        with self._writing() as connection:
            rows = self._passes(connection, passes.c.id == number)
            connection.execute(passes.delete().where(passes.c.id.in_([row["id"] for row in rows])))
        self._tell(rows, undone=time.time())
        return bool(rows)

    def rule(
        self,
        *,
        item: str,
        first: str,
        second: str,
        judge: str,
        better: str,
        comment: str = "",
    ) -> None:
        """Keep a ruling; earlier ones on the same answers stay, and count no more.

        Args:
            item: The item's name.
            first: The lane that stood as A.
            second: The lane that stood as B.
            judge: Who ruled.
            better: A lane, "tie" or "both bad".
            comment: Free words.
        """
        said: dict[str, Any] = {"item": item, "first": first, "second": second}
        said |= {"judge": judge, "better": better, "comment": comment, "ruled": time.time()}
        said["pair"] = self._pairs.of(item, first, second)
        with self._writing() as connection:
            connection.execute(rulings.insert().values(said | {"study": self._study}))
        self._changed(_row_of_ruling(said))

    def rulings(self) -> list[dict[str, Any]]:
        """Return every ruling, oldest first; "apart" tells which are on answers of before."""
        own = sa.select(rulings).where(rulings.c.study == self._study)
        with self._writing() as connection:
            rows = connection.execute(own.order_by(rulings.c.ruled, rulings.c.id))
            return [dict(row._mapping) | {"apart": self._outdated(row)} for row in rows]

    def _outdated(self, row: Any) -> bool:
        about = {"pair": row.pair, "item": row.item, "left": row.first, "right": row.second}
        return self._pairs.outdated(about)

    def rows(self) -> list[dict[str, Any]]:
        """Return all of it as rows for a copy of the votes, each with its "kind" and "key"."""
        told = [_row_of_pass(row) for row in self.passed()]
        return told + [_row_of_ruling(row) for row in self.rulings()]

    def _tell(self, kept: Iterable[Mapping[str, Any]], undone: float | None = None) -> None:
        for row in kept:
            self._changed(_row_of_pass(row, undone))

    def restore(self, connection: sa.Connection, rows: Iterable[Mapping[str, Any]]) -> None:
        """Put rows of `rows` back that are not here."""
        for row in rows:
            if row["kind"] == "ruling":
                values = {name: row[name] for name in _RULING} | {"study": self._study}
                same = [rulings.c[name] == row[name] for name in ("item", "judge", "ruled")]
                known = sa.select(rulings.c.id).where(rulings.c.study == self._study, *same)
                if connection.execute(known).first() is None:
                    connection.execute(rulings.insert().values(values))
            elif row["undone"] is None:
                who = find_or_add_annotator(connection, self._study, row["name"], row["cast"])
                values = {"study": self._study, "item": row["item"], "annotator": who}
                values |= {"reason": row["reason"], "passed": row["cast"]}
                connection.execute(insert_once(connection, passes, values))
            else:
                who = find_annotator(connection, self._study, row["name"]) or 0
                gone = [passes.c.study == self._study, passes.c.item == row["item"]]
                gone += [passes.c.annotator == who, passes.c.passed == row["cast"]]
                connection.execute(passes.delete().where(*gone))


def _row_of_pass(row: Mapping[str, Any], undone: float | None = None) -> dict[str, Any]:
    told = {name: row[name] for name in ("item", "name", "reason")}
    key = key_of_pass(row["item"], row["name"], row["passed"])
    return {"kind": "pass", "key": key, "cast": row["passed"], "undone": undone} | told


def _row_of_ruling(row: Mapping[str, Any]) -> dict[str, Any]:
    key = f"ruling {row['item']} {row['judge']} {row['ruled']!r}"
    told = {name: row[name] for name in _RULING}
    return {"kind": "ruling", "key": key, "cast": row["ruled"], "undone": None} | told
