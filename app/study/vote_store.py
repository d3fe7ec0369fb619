"""Where votes are kept: SQLite in a file, or any PostgreSQL that several servers share.

Knows nothing about models and pages. A vote that was acknowledged is on the disk: SQLite runs with
a write-ahead log and synchronous=FULL. Writers wait for each other, so two annotators never get the
same place, and no vote is kept twice.
"""

import random
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, get_args

import sqlalchemy as sa

from app.study.apart import Pairs, sort_places, version
from app.study.assignment import Assignment
from app.study.beside_votes import BesideVotes, passed_items
from app.study.database import (
    STANDING,
    annotators,
    database_errors,
    fill_right,
    find_annotator,
    find_or_add_annotator,
    has_vote,
    insert_once,
    keep_vote,
    next_sequence,
    open_database,
    places,
    restore_vote,
    reveal_item,
    select_votes,
    studies,
    votes,
)
from app.study.withdrawal import deleted, left_after, withdraw
from sinktrack.core.errors import StoreError

State = Literal["open", "paused", "closed"]
"""Paused: nobody gets a new item. Closed: no vote is kept either."""


@dataclass(frozen=True)
class Place:
    """One item, given to one annotator, with two of its answers and their sides drawn.

    Args:
        id: Of the place.
        item: The item's name.
        left: The lane on the left.
        right: The lane on the right.
        again: Whether this annotator has judged these two answers before.
    """

    id: int
    item: str
    left: str
    right: str
    again: bool = False


@dataclass(frozen=True)
class Progress:
    """How far one annotator is.

    Args:
        voted: Votes of theirs that stand.
        left: Items that they could still judge, as far as others leave them.
        undoable: Whether their last vote can be taken back.
        state: Of the study.
        ended: Whether the study is closed, or every item has all of its votes.
        passed: Items that they passed over.
    """

    voted: int
    left: int
    undoable: bool
    state: State
    ended: bool
    passed: int


class VoteStore:
    """The votes of one study; its `secret` is random, made with the study, and never shown.

    `pairs` knows what annotators see now. Votes about something else count nowhere and take no
    place; they come back when what they are about does.

    Args:
        url: As SQLAlchemy reads it, such as "sqlite:///votes.sqlite" or "postgresql://...".
        study: The study's name; a database may hold several.
        lanes: The names of the lanes, two or more.
        items: The names of the items.
        votes_per_item: How many votes each item gets.
        training: As of `Assignment`; so are checks and repeat.
        pairs: The digests of what annotators see, by item and two lanes; None for not known.
        rng: Draws pairs and sides.
        until: When the study is closed by itself, in seconds since 1970; None for never.

    Raises:
        StoreError: If the database cannot be opened, or holds votes on other lanes.
    """

    def __init__(
        self,
        url: str | sa.URL,
        *,
        study: str,
        lanes: Sequence[str],
        items: Sequence[str],
        votes_per_item: int,
        training: Mapping[str, str] | None = None,
        checks: Mapping[str, str] | None = None,
        repeat: int = 0,
        pairs: Mapping[str, Mapping[frozenset[str], str]] | None = None,
        rng: random.Random | None = None,
        until: float | None = None,
    ) -> None:
        self.study, self.pairs, self._until = study, Pairs(pairs), until
        self._assignment = Assignment(
            study,
            tuple(lanes),
            tuple(items),
            votes_per_item,
            rng or random.SystemRandom(),
            training or {},
            checks or {},
            repeat,
        )
        self._listener: Callable[[dict[str, Any]], None] | None = None
        self.beside = BesideVotes(study, self.pairs, self._writing, self._told)
        with database_errors():
            self._engine = open_database(url)
            with self._engine.begin() as connection:
                row = {"name": study, "secret": secrets.token_hex()}
                connection.execute(insert_once(connection, studies, row))
                own = sa.select(studies.c.secret).where(studies.c.name == study)
                self.secret: str = connection.execute(own).scalar_one()
                known: set[str] = set()
                for side in (places.c.left, places.c.right):
                    said = sa.select(side).where(places.c.study == study, side.is_not(None))
                    known.update(connection.execute(said.distinct()).scalars())
                self._lanes = tuple(lanes)
                whole = known <= set(lanes) and fill_right(connection, study, self._lanes)
            if whole:
                with self._writing() as connection:
                    sort_places(connection, study, self.pairs)
        if not whole:
            self.close()
            raise StoreError(
                f"The votes of the study {study} are on other lanes ({', '.join(sorted(known))}): "
                "give study.yaml another name, and begin anew."
            )

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        """Give a transaction that no other one of this study runs beside."""
        with database_errors(), self._engine.begin() as connection:
            # On PostgreSQL this waits for the one before; SQLite has waited at its BEGIN.
            row = sa.select(studies).where(studies.c.name == self.study).with_for_update()
            connection.execute(row)
            yield connection

    def join(self, name: str) -> int:
        """Return the annotator of that name, who is made if new."""
        with self._writing() as connection:
            return find_or_add_annotator(connection, self.study, name, time.time())

    def find(self, name: str) -> tuple[int, str] | None:
        """Return the annotator of that name, and how they wrote it; None if nobody joined by it."""
        with database_errors(), self._engine.begin() as connection:
            found = find_annotator(connection, self.study, " ".join(name.split()))
            own = sa.select(annotators.c.name).where(annotators.c.id == found)
            return None if found is None else (found, connection.execute(own).scalar_one())

    def personal(self, annotator: int) -> str | None:
        """Return the digest of an annotator's personal code; None if the name is nobody's yet."""
        own = sa.select(annotators.c.secret).where(annotators.c.id == annotator)
        with database_errors(), self._engine.begin() as connection:
            found: str | None = connection.execute(own).scalar()
        return found

    def bind(self, annotator: int, digest: str, *, anew: bool = False) -> bool:
        """Make a name that of whoever has a personal code.

        Args:
            annotator: From `join`.
            digest: Of the code.
            anew: Whether an earlier code is replaced.

        Returns:
            Whether it is; not so if the name is somebody's already.
        """
        own = annotators.update().where(annotators.c.id == annotator)
        own = own if anew else own.where(annotators.c.secret.is_(None))
        with self._writing() as connection:
            return bool(connection.execute(own.values(secret=digest)).rowcount)

    def state(self) -> State:
        """Return whether the study is open, paused or closed."""
        with database_errors(), self._engine.begin() as connection:
            return self._state(connection)

    @property
    def over(self) -> bool:
        """Whether the time is past at which the study is closed by itself."""
        return self._until is not None and time.time() >= self._until

    def _state(self, connection: sa.Connection) -> State:
        if self.over:
            return "closed"
        own = sa.select(studies.c.state).where(studies.c.name == self.study)
        said = connection.execute(own).scalar()
        return next((state for state in get_args(State) if state == said), "open")

    def turn(self, state: State) -> None:
        """Open, pause or close the study."""
        own = studies.update().where(studies.c.name == self.study)
        with self._writing() as connection:
            connection.execute(own.values(state=state))

    def next(self, annotator: int) -> Place | None:
        """Return the item that an annotator judges next; None when there is none for them now."""
        with self._writing() as connection:
            return _place(self._assignment.next(connection, annotator))

    def place(self, number: int) -> Place | None:
        """Return a place by its id; None if there is none, or it is apart."""
        own = sa.select(places).where(places.c.id == number, places.c.study == self.study)
        with database_errors(), self._engine.begin() as connection:
            return _place(connection.execute(own).first())

    def seat(self, place: int, annotator: int) -> Place | None:
        """Return the place that a vote goes to of somebody who was given a place once.

        It may have been given to somebody else meanwhile. It comes back if they have left it open
        as well; or the item has another, which gets the same sides.
        """
        with self._writing() as connection:
            return _place(self._assignment.seat(connection, place, annotator))

    def hold(self, place: int, annotator: int) -> bool:
        """Note that an annotator is at work on a place; return whether it is still theirs."""
        own = places.update().where(places.c.id == place, places.c.annotator == annotator)
        own = own.where(places.c.study == self.study).values(given=time.time())
        with self._writing() as connection:
            return bool(connection.execute(own).rowcount)

    def vote(
        self,
        key: str,
        place: int,
        annotator: int,
        *,
        better: str,
        judged: Mapping[str, Any],
        comment: str = "",
        seconds: float | None = None,
        said: Mapping[str, Any] | None = None,
    ) -> bool:
        """Keep a vote, or what it says now under the same key; a place has one vote.

        Args:
            key: Made by who sends it, once a vote.
            place: From `next`.
            annotator: From `join`.
            better: A lane, "tie" or "both bad".
            judged: What was said of each lane, as JSON values.
            comment: Free words.
            seconds: From the showing of the pair to the vote.
            said: The answers to the study's own questions, as JSON values; None where it has none.

        Returns:
            Whether this place has the vote with this key now.

        Raises:
            StoreError: If the place is not this annotator's, or the vote cannot be written.
        """
        values = {
            "key": key,
            "place": place,
            "annotator": annotator,
            "better": better,
            "judged": dict(judged),
            "comment": comment,
            "seconds": seconds,
            "cast": time.time(),
            "said": None if said is None else dict(said),
        }
        with self._writing() as connection:
            there = sa.select(places).where(places.c.id == place, places.c.study == self.study)
            own_place = connection.execute(there).first()
            if own_place is None or own_place.annotator != annotator:
                raise StoreError("This item was given to somebody else meanwhile: take the next.")
            values["sequence"] = next_sequence(connection, annotator)
            values["pair"] = self.pairs.of(own_place.item, own_place.left, own_place.right)
            stands = keep_vote(connection, values)
        if stands:
            self._changed(key)
        return stands

    def given(self, annotator: int) -> list[dict[str, Any]]:
        """Return an annotator's standing votes, latest first, with item and lanes."""
        with database_errors(), self._engine.begin() as connection:
            return [dict(row._mapping) for row in connection.execute(self._given(annotator))]

    def _given(self, annotator: int, place: int | None = None) -> Any:
        mine = [votes.c.annotator == annotator, places.c.item.in_(self._assignment.names)]
        mine += [places.c.study == self.study]
        mine += [places.c.id == place] if place is not None else []
        own = select_votes(self.study, STANDING, *mine).order_by(None)
        return own.order_by(votes.c.sequence.desc(), votes.c.cast.desc())

    def undo(self, annotator: int, place: int | None = None) -> dict[str, Any] | None:
        """Take one of an annotator's votes back; its item is open again, and others stay.

        Args:
            annotator: From `join`.
            place: That of the vote; None for the last one.

        Returns:
            The vote as it was; None if there is none, if they have seen the names, or if they
            passed its item over when it came again.
        """
        with self._writing() as connection:
            row = connection.execute(self._given(annotator, place)).first()
            passed = passed_items(connection, self.study, annotator)
            if row is None or row.revealed is not None or row.item in passed:
                return None
            now = time.time()
            connection.execute(votes.update().where(votes.c.key == row.key).values(undone=now))
            connection.execute(places.update().where(places.c.id == row.place).values(given=now))
        self._changed(row.key)
        return dict(row._mapping)

    def reveal(self, annotator: int, place: int | None = None) -> Place | None:
        """Note that an annotator is shown the methods' names of their votes on an item.

        Args:
            annotator: From `join`.
            place: That of the vote; None for the last one.

        Returns:
            The place of that vote; None if there is none, or if they judge its item again now.
        """
        with self._writing() as connection:
            row = connection.execute(self._given(annotator, place)).first()
            own = self._assignment.open(annotator)
            if row is None or connection.execute(own.where(places.c.item == row.item)).first():
                return None
            keys = reveal_item(connection, self.study, annotator, row.item, time.time())
        self._changed(*keys)
        return Place(row.place, row.item, row.left, row.right, row.again)

    def progress(self, annotator: int) -> Progress:
        """Return how far an annotator is."""
        own = sa.select(sa.func.count()).select_from(places)
        own = own.where(places.c.study == self.study, places.c.annotator == annotator, has_vote())
        with database_errors(), self._engine.begin() as connection:
            count = connection.execute(own).scalar_one()
            left = self._assignment.left(connection, annotator)
            passed = passed_items(connection, self.study, annotator)
            last = connection.execute(self._given(annotator)).first()
            state = self._state(connection)
            ended = state == "closed" or self._assignment.complete(connection)
        undoable = last is not None and last.revealed is None
        return Progress(count, left, undoable, state, ended, len(passed))

    def standing(self) -> list[dict[str, Any]]:
        """Return every vote that counts, oldest first, with item, lanes and annotator."""
        return counting(self.history())

    def history(self) -> list[dict[str, Any]]:
        """Return every vote there was, as `standing` does; "apart" tells which are kept apart."""
        return [{**row, "apart": self.pairs.outdated(row)} for row in self._rows()]

    def withdraw(self, annotator: int) -> None:
        """Delete an annotator's votes, name and personal code, and let others have their places.

        Raises:
            StoreError: If nothing was deleted, or if a copy of the votes was not told of it.
        """
        with self._writing() as connection:
            told = withdraw(connection, self.study, annotator, time.time())
        self._told(told)

    def deleted(self) -> list[int]:
        """Return of everybody who withdrew how many votes were deleted."""
        with database_errors(), self._engine.begin() as connection:
            return deleted(connection, self.study)

    def subscribe(self, listener: Callable[[dict[str, Any]], None]) -> None:
        """Call a listener with every vote there is, and from now on with each that changes.

        What is kept beside the votes comes as well, in rows with a "kind".
        """
        self._listener = listener
        for row in (*self._rows(), *self.beside.rows()):
            listener(row)

    def restore(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Put votes back that a listener was called with and that are not here, and the rest.

        Those that somebody wanted deleted stay so.
        """
        with self._writing() as connection:
            known = set(connection.execute(sa.select(votes.c.key)).scalars())
            # votes taken back come last: their place may have been given to another annotator
            left = left_after(connection, self.study, rows)
            left.sort(key=lambda row: (row["undone"] is not None, row["cast"]))
            for row in left:
                if "kind" not in row and row["key"] not in known:
                    apart = self.pairs.outdated(row)
                    home = version(connection, self.study, row["pair"]) if apart else self.study
                    restore_vote(connection, self.study, row, home)
            self.beside.restore(connection, (row for row in left if "kind" in row))
            fill_right(connection, self.study, self._lanes)

    def _rows(self, *where: Any) -> list[dict[str, Any]]:
        with database_errors(), self._engine.begin() as connection:
            return [
                dict(row._mapping) for row in connection.execute(select_votes(self.study, *where))
            ]

    def _changed(self, *keys: str) -> None:
        if self._listener is not None:
            for row in self._rows(votes.c.key.in_(keys)):
                self._told(row)

    def _told(self, row: dict[str, Any]) -> None:
        if self._listener is not None:
            self._listener(row)

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()


def counting(history: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the votes of a history that count: neither taken back nor kept apart."""
    return [dict(row) for row in history if row["undone"] is None and not row["apart"]]


def _place(row: Any) -> Place | None:
    return None if row is None else Place(row.id, row.item, row.left, row.right, row.again)
