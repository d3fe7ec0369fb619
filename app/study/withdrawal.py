"""Somebody wants all of their votes deleted: nothing of theirs is kept but how many these were.

In the table of annotators a row without a name stays, so that the results can tell of it, and so
that no browser that was signed in goes on.
"""

import hashlib
import secrets
from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from app.study.beside_votes import key_of_pass
from app.study.database import annotators, passes, places, votes

KIND = "withdrawal"
"""Of a row that tells a copy of the votes which of its rows are gone."""


def withdraw(connection: sa.Connection, study: str, annotator: int, when: float) -> dict[str, Any]:
    """Delete an annotator's votes and name; their places are free again.

    Args:
        connection: To the votes, in a transaction that nothing else of the study runs beside.
        study: Its name.
        annotator: Whose votes.
        when: Seconds since 1970.

    Returns:
        A row for a copy of the votes: "votes", how many stood, and "gone", digests of the keys of
        all that were deleted.
    """
    mine, own = votes.c.annotator == annotator, places.c.annotator == annotator
    rows = connection.execute(sa.select(votes.c.key, votes.c.undone).where(mine)).all()
    connection.execute(votes.delete().where(mine))
    voted = sa.exists().where(votes.c.place == places.c.id)
    connection.execute(places.delete().where(own, ~voted))
    # somebody else took a vote back there, and the history keeps it: others may have it at once
    connection.execute(places.update().where(own).values(given=0.0))
    passed = sa.select(passes, annotators.c.name).join(
        annotators, annotators.c.id == passes.c.annotator
    )
    passed = passed.where(passes.c.annotator == annotator)
    keys = [key_of_pass(row.item, row.name, row.passed) for row in connection.execute(passed)]
    connection.execute(passes.delete().where(passes.c.annotator == annotator))
    count = sum(row.undone is None for row in rows)
    nameless = annotators.update().where(annotators.c.id == annotator)
    connection.execute(nameless.values(_nameless(count, when)))
    gone = sorted(map(digest_of, [*keys, *(row.key for row in rows)]))
    told = {"kind": KIND, "key": f"{KIND} {when!r}", "cast": when, "undone": None}
    return told | {"votes": count, "gone": gone}


def digest_of(key: str) -> str:
    """Return what tells a deleted row by, and tells nothing of it."""
    return hashlib.sha256(key.encode()).hexdigest()[:32]


def deleted(connection: sa.Connection, study: str) -> list[int]:
    """Return of everybody who withdrew how many votes they had, the first one first."""
    own = sa.select(annotators.c.name).where(annotators.c.study == study)
    rows = own.where(annotators.c.withdrawn.is_not(None)).order_by(annotators.c.withdrawn)
    return [int(name.split()[0]) for name in connection.execute(rows).scalars()]


def left_after(
    connection: sa.Connection, study: str, rows: Iterable[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """Return the rows of a copy of votes without what was deleted; note who withdrew."""
    rows = list(rows)
    told = [row for row in rows if row.get("kind") == KIND]
    gone = {digest for row in told for digest in row["gone"]}
    for row in told:
        own = (annotators.c.study == study, annotators.c.withdrawn == row["cast"])
        if connection.execute(sa.select(annotators.c.id).where(*own)).first() is None:
            values = {"study": study} | _nameless(row["votes"], row["cast"])
            connection.execute(annotators.insert().values(values))
    return [row for row in rows if row.get("kind") != KIND and digest_of(row["key"]) not in gone]


def _nameless(count: int, when: float) -> dict[str, Any]:
    """Return what stands in place of a person; no name begins with an empty line."""
    void = secrets.token_hex(32)  # the digest of no code
    return {"name": f"\n{count} {when!r}", "secret": void, "joined": when, "withdrawn": when}
