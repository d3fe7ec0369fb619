"""Votes that are kept apart: what they were about has changed since, or left the study.

A place whose vote is about an earlier version leaves its study for one that holds that version
alone, under a name that no study can have. Nothing that asks for a study's places meets it there,
so its item has its place back, also for whoever had it. When what was judged is there again, so is
the place with its votes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

import sqlalchemy as sa

from app.study.database import STANDING, annotators, insert_once, places, studies, votes


@dataclass(frozen=True)
class Pairs:
    """What annotators see now.

    Args:
        digests: By item and by the names of two lanes, from
            `sinktrack.study.digest.pair_digests`; None where that is not known.
    """

    digests: Mapping[str, Mapping[frozenset[str], str]] | None = None

    def of(self, item: str, left: str, right: str | None) -> str | None:
        """Return the digest of two lanes' answers to an item; None where it is not known."""
        return (self.digests or {}).get(item, {}).get(frozenset((left, right or "")))

    def outdated(self, vote: Mapping[str, Any]) -> bool:
        """Tell whether a row of a vote is about something else than is there now.

        Of votes from before there were digests nobody knows; they count.
        """
        if self.digests is None or vote.get("pair") is None:
            return False
        return bool(vote["pair"] != self.of(vote["item"], vote["left"], vote["right"]))


def version(connection: sa.Connection, study: str, pair: str) -> str:
    """Return the name under which an earlier version is kept; make it if it is new."""
    name = f"{study}\n{pair}"
    connection.execute(insert_once(connection, studies, {"name": name, "secret": ""}))
    return name


def sort_places(connection: sa.Connection, study: str, pairs: Pairs) -> None:
    """Move places whose votes are outdated apart, and those back whose version is there again.

    Args:
        connection: To the votes, in a transaction that nothing else of the study runs beside.
        study: Its name.
        pairs: What annotators see now.
    """
    about = sa.select(places, votes.c.pair).join(votes, votes.c.place == places.c.id)
    about = about.join(annotators, annotators.c.id == votes.c.annotator)
    about = about.where(annotators.c.study == study)
    rows = connection.execute(about.order_by(STANDING, votes.c.cast)).all()
    latest = {row.id: row for row in rows}  # the vote that stands, else the last one
    back = []
    for row in latest.values():
        outdated = pairs.outdated(row._asdict())
        if outdated and row.study == study:
            _move(connection, row, version(connection, study, row.pair))
        elif not outdated and row.study != study:
            back.append(row)
    for row in back:  # when all that is outdated has gone
        # whoever has the item open has seen a version that is no longer there
        begun = places.delete().where(places.c.study == study, places.c.item == row.item)
        connection.execute(begun.where(~sa.exists().where(votes.c.place == places.c.id)))
        _move(connection, row, study)


def _move(connection: sa.Connection, row: Any, to: str) -> None:
    """Move a place, unless whoever has it has one there already.

    That is so only where two servers with different answers ran at once.
    """
    there = sa.select(places).where(places.c.study == to, places.c.item == row.item)
    others = connection.execute(there).all()
    if any((each.annotator, each.again) == (row.annotator, row.again) for each in others):
        return
    taken = {each.number for each in others}
    numbers = count(-1, -1) if row.again else count()  # as they are given
    number = row.number if row.number not in taken else next(n for n in numbers if n not in taken)
    moved = places.update().where(places.c.id == row.id)
    connection.execute(moved.values(study=to, number=number))
