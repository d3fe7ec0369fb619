"""The tables that hold votes, and how a database is opened: brought up to date, and durable.

Knows nothing about what a vote means; app/study/vote_store.py does.
"""

import sqlite3
import time
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.dialects import postgresql, sqlite

from app.shared.machine import file_at
from sinktrack.core.errors import StoreError, reason

MIGRATIONS = Path(__file__).parent / "migrations"

_WAIT = 30.0
"""How many seconds a server waits for another that writes to the same file."""

_GONE = "its file was moved, deleted or replaced"

_NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}
metadata = sa.MetaData(naming_convention=_NAMING)
studies = sa.Table(
    "studies",
    metadata,
    sa.Column("name", sa.String(200), primary_key=True),
    sa.Column("secret", sa.String(64), nullable=False),
    sa.Column("state", sa.String(20)),
)
annotators = sa.Table(
    "annotators",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("study", sa.ForeignKey("studies.name"), nullable=False),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("joined", sa.Double, nullable=False),
    sa.Column("secret", sa.String(64)),
    sa.Column("withdrawn", sa.Double),
    sa.UniqueConstraint("study", "name"),
)
places = sa.Table(
    "places",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("study", sa.ForeignKey("studies.name"), nullable=False),
    sa.Column("item", sa.String(200), nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("annotator", sa.ForeignKey("annotators.id"), nullable=False),
    sa.Column("left", sa.String(200), nullable=False),
    sa.Column("given", sa.Double, nullable=False),
    sa.Column("right", sa.String(200)),
    sa.Column("again", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.UniqueConstraint("study", "item", "number"),
    sa.UniqueConstraint("study", "item", "annotator", "again"),
)
"""Each item has a place for every vote it gets: who has it, and which lanes stand on its sides.

One `again` repeats an item for somebody who has judged it, and counts for nobody else."""
votes = sa.Table(
    "votes",
    metadata,
    sa.Column("key", sa.String(64), primary_key=True),
    sa.Column("place", sa.ForeignKey("places.id"), nullable=False),
    sa.Column("annotator", sa.ForeignKey("annotators.id"), nullable=False),
    sa.Column("better", sa.String(200), nullable=False),
    sa.Column("judged", sa.JSON, nullable=False),
    sa.Column("comment", sa.Text, nullable=False),
    sa.Column("seconds", sa.Double),
    sa.Column("cast", sa.Double, nullable=False),
    sa.Column("revealed", sa.Double),
    sa.Column("undone", sa.Double),
    sa.Column("sequence", sa.Integer),
    sa.Column("pair", sa.String(16)),
    sa.Column("said", sa.JSON),
)
"""Of each annotator `sequence` counts up, whatever the clock says; `pair` is a digest of what they
saw, and `said` holds the answers to a study's own questions by name."""
passes = sa.Table(
    "passes",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("study", sa.ForeignKey("studies.name"), nullable=False),
    sa.Column("item", sa.String(200), nullable=False),
    sa.Column("annotator", sa.ForeignKey("annotators.id"), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("passed", sa.Double, nullable=False),
    sa.UniqueConstraint("study", "item", "annotator"),
)
"""Items that annotators passed over; `reason` says what is wrong with one, if anything is."""
rulings = sa.Table(
    "rulings",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("study", sa.ForeignKey("studies.name"), nullable=False),
    sa.Column("item", sa.String(200), nullable=False),
    sa.Column("first", sa.String(200), nullable=False),
    sa.Column("second", sa.String(200), nullable=False),
    sa.Column("judge", sa.String(200), nullable=False),
    sa.Column("better", sa.String(200), nullable=False),
    sa.Column("comment", sa.Text, nullable=False),
    sa.Column("pair", sa.String(16)),
    sa.Column("ruled", sa.Double, nullable=False),
)
"""What a named judge decided on two answers where annotators differed; the latest one counts."""
STANDING = votes.c.undone.is_(None)
sa.Index(
    "uq_votes_standing",
    votes.c.place,
    unique=True,
    sqlite_where=STANDING,
    postgresql_where=STANDING,
)


def insert_once(connection: sa.Connection, table: sa.Table, values: Mapping[str, Any]) -> Any:
    """An insert that does nothing where such a row is already."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    return dialect.insert(table).values(dict(values)).on_conflict_do_nothing()


def keep_vote(connection: sa.Connection, values: Mapping[str, Any]) -> bool:
    """Keep a vote; where it stands already, it now says what it was sent with last.

    Whoever does not hear that it was kept may change it before it is sent again.

    Returns:
        Whether its place has the vote with this key now.
    """
    connection.execute(insert_once(connection, votes, values))
    same = [votes.c[name] == values[name] for name in ("key", "place", "annotator")]
    earlier = votes.c.cast < values["cast"]  # what waited for long changes nothing
    said = ("better", "judged", "comment", "seconds", "cast", "said")
    anew = votes.update().where(*same, earlier, STANDING, votes.c.revealed.is_(None))
    connection.execute(anew.values({name: values[name] for name in said}))
    return connection.execute(sa.select(votes.c.key).where(*same, STANDING)).first() is not None


def has_vote() -> Any:
    """A condition on `places`: the place has its vote."""
    return sa.exists().where(votes.c.place == places.c.id, STANDING)


def reveal_item(
    connection: sa.Connection, study: str, annotator: int, item: str, when: float
) -> list[str]:
    """Note that an annotator sees the names of their votes on an item; return the votes' keys."""
    own = sa.select(places.c.id).where(places.c.study == study, places.c.item == item)
    own = own.where(places.c.annotator == annotator)
    seen = votes.update().where(votes.c.place.in_(own), STANDING, votes.c.revealed.is_(None))
    marked = connection.execute(seen.values(revealed=when).returning(votes.c.key))
    return list(marked.scalars())


def next_sequence(connection: sa.Connection, annotator: int) -> int:
    """Return the number of an annotator's next vote."""
    highest = sa.select(sa.func.max(votes.c.sequence)).where(votes.c.annotator == annotator)
    return int(connection.execute(highest).scalar() or 0) + 1


def select_votes(study: str, *where: Any) -> Any:
    """Select votes of a study with item, number, lanes and annotator's name, oldest first.

    Those that are kept apart are among them: see `app.study.apart`.
    """
    of_place = (places.c.item, places.c.number, places.c.left, places.c.right, places.c.again)
    return (
        sa.select(votes, *of_place, annotators.c.name)
        .join(places, places.c.id == votes.c.place)
        .join(annotators, annotators.c.id == votes.c.annotator)
        .where(annotators.c.study == study, *where)
        .order_by(votes.c.cast, votes.c.key)
    )


def find_annotator(connection: sa.Connection, study: str, name: str) -> int | None:
    """Return the annotator of that name; case and accents' encoding do not count."""
    known = sa.select(annotators.c.id, annotators.c.name).where(annotators.c.study == study)
    folded = _folded(name)
    rows = connection.execute(known)
    return next((int(number) for number, other in rows if _folded(other) == folded), None)


def find_or_add_annotator(connection: sa.Connection, study: str, name: str, joined: float) -> int:
    """Return the annotator of that name, new or known."""
    found = find_annotator(connection, study, name)
    if found is not None:
        return found
    values = {"study": study, "name": name, "joined": joined}
    made = annotators.insert().values(values).returning(annotators.c.id)
    return int(connection.execute(made).scalar_one())


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()


def fill_right(connection: sa.Connection, study: str, lanes: Sequence[str]) -> bool:
    """Say the right lane of places that were given when a study had two lanes and did not say it.

    Returns:
        Whether every place says it now; not so where these are not the two lanes.
    """
    unsaid = (places.c.study == study, places.c.right.is_(None))
    if len(lanes) == 2:
        for left, right in (lanes, lanes[::-1]):
            own = places.update().where(*unsaid, places.c.left == left)
            connection.execute(own.values(right=right))
    return connection.execute(sa.select(places.c.id).where(*unsaid)).first() is None


def restore_vote(
    connection: sa.Connection, study: str, row: Mapping[str, Any], home: str | None = None
) -> None:
    """Insert one row of `select_votes`, its annotator and its place, unless they are there.

    Two servers that overlapped may have given one place number twice. Then a vote that stands gets
    a place of its own, and a vote that was taken back is left out.

    Args:
        connection: To the votes.
        study: The annotators' study.
        row: The vote.
        home: The study of the place, where it is another one: see `app.study.apart`.
    """
    home = study if home is None else home
    annotator = find_or_add_annotator(connection, study, row["name"], row["cast"])
    again = bool(row.get("again"))
    of_item = sa.select(places).where(places.c.study == home, places.c.item == row["item"])
    there = connection.execute(of_item).all()
    own = (one.id for one in there if one.annotator == annotator and one.again == again)
    place = next(own, None)
    if place is None:
        number, taken = row["number"], {one.number for one in there}
        if number in taken:
            if row["undone"] is not None:
                return
            number = min(taken) - 1 if again else max(taken) + 1
        seat = {"study": home, "item": row["item"], "number": number, "annotator": annotator}
        seat |= {"left": row["left"], "right": row.get("right"), "given": row["cast"]}
        seat["again"] = again
        made = places.insert().values(seat).returning(places.c.id)
        place = connection.execute(made).scalar_one()
    values = {column.name: row.get(column.name) for column in votes.columns}
    values |= {"annotator": annotator, "place": place}
    if values["sequence"] is None:  # kept before votes were numbered
        values["sequence"] = next_sequence(connection, annotator)
    connection.execute(insert_once(connection, votes, values))


def sqlite_file(file: Path) -> sa.URL:
    """Return the address of a database in a file, whatever characters its path has."""
    return sa.URL.create("sqlite", database=str(file))


def _engine(url: str | sa.URL, *, migrating: bool = False) -> sa.Engine:
    """Return an engine; one that migrates may make a table anew that others refer to."""
    if isinstance(url, str) and url.startswith(("postgres://", "postgresql://")):
        url = "postgresql+psycopg://" + url.split("://", 1)[1]
        return sa.create_engine(url, pool_pre_ping=True)
    engine = sa.create_engine(url, connect_args={"timeout": _WAIT, "isolation_level": None})

    @sa.event.listens_for(engine, "connect")
    def _durable(connection: Any, _record: Any) -> None:
        _keep_a_log(connection)
        keys = "OFF" if migrating else "ON"
        # what is deleted leaves nothing behind in the file
        for pragma in ("synchronous=FULL", "secure_delete=ON", f"foreign_keys={keys}"):
            connection.execute(f"PRAGMA {pragma}")

    place = engine.url.database or ""
    own = file_at(place)  # None of a database in memory

    def check(*_: Any) -> None:
        # one without a name takes votes that nobody will ever see, and beside another lies a log
        # that is not its own
        if not migrating and file_at(place) != own:
            raise sa.exc.OperationalError("", None, sqlite3.OperationalError(_GONE))

    sa.event.listen(engine, "do_connect", check)
    sa.event.listen(engine, "checkout", check)

    @sa.event.listens_for(engine, "begin")
    def _immediately(connection: sa.Connection) -> None:
        # a transaction that begins by reading cannot wait for another writer any more
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _keep_a_log(connection: Any) -> None:
    """Let readers and a writer of a file pass each other.

    Where several servers open a new file together, SQLite lets the first of them do so, and refuses
    the others without letting them wait.
    """
    until = time.monotonic() + _WAIT
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)


def open_database(url: str | sa.URL) -> sa.Engine:
    """Return an engine for a database with all tables, which are made or brought up to date."""
    _migrate(url)
    return _engine(url)


def _migrate(url: str | sa.URL) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    engine = _engine(url, migrating=True)
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":  # one server at a time
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(7214903)"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    engine.dispose()


@contextmanager
def database_errors() -> Iterator[None]:
    """Turn an error of the database into a sentence for the annotator."""
    try:
        yield
    except sa.exc.SQLAlchemyError as error:
        refusal = reason(getattr(error, "orig", None) or error)
        raise StoreError(
            f"The database of the votes cannot be used ({refusal}): nothing was kept. Try again, "
            "and tell the people who run this study."
        ) from error
