"""Votes are kept, each once, and every item gets its number; on SQLite and on PostgreSQL."""

import sqlite3
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from itertools import combinations, cycle

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from paths import ROOT

import app.study.assignment
from app.study import database
from app.study.database import MIGRATIONS, metadata, open_database
from app.study.vote_store import VoteStore
from sinktrack.core.errors import StoreError

LANES = ("baseline", "sinktrack")
PEOPLE = 10


def cast(store, annotator, place, better="tie", key=None, **more):
    store.vote(key or uuid.uuid4().hex, place.id, annotator, better=better, judged={}, **more)


def test_the_migrations_make_the_tables_of_the_code(url):
    engine = open_database(url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()
    open_database(url).dispose()  # a second start changes nothing


def test_votes_outlive_the_making_anew_of_a_table_that_they_refer_to(tmp_path):
    """A database of the version before is brought up to date with every vote in its place."""
    url = f"sqlite:///{tmp_path / 'votes.sqlite'}"
    options = {"study": "old", "lanes": ("x", "y"), "items": "ab", "votes_per_item": 1}
    store = VoteStore(url, **options)
    ann = store.join("Ann")
    cast(store, ann, store.next(ann), "x")
    rows = store.standing()
    store.close()
    migrated(url, command.downgrade, "0003")
    store = VoteStore(url, **options)
    assert store.standing() == rows
    with store._engine.connect() as connection:
        assert not connection.execute(sa.text("PRAGMA foreign_key_check")).all()
        assert connection.execute(sa.text("PRAGMA foreign_keys")).scalar() == 1
    store.close()


def migrated(url, step, revision):
    """Bring a database to a revision, up or down."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        step(config, revision)
    engine.dispose()


def test_votes_from_before_there_was_a_right_lane_are_kept(tmp_path):
    """With two lanes the right one is the other; with more nobody could say which it was."""
    url = f"sqlite:///{tmp_path / 'votes.sqlite'}"

    def open_study(*lanes):
        return VoteStore(url, study="old", lanes=lanes, items="ab", votes_per_item=1)

    store = open_study("x", "y")
    ann = store.join("Ann")
    place = store.next(ann)
    cast(store, ann, place, "x")
    (row,) = rows = store.standing()
    with store._engine.begin() as connection:
        connection.execute(sa.text("UPDATE places SET right = NULL"))
    store.close()
    with pytest.raises(StoreError, match="other lanes"):
        open_study("x", "y", "z")
    store = open_study("x", "y")
    assert store.standing() == rows and row["right"] == place.right
    store.close()
    store = open_study("x", "y", "z")  # a third lane may come later
    later = store.next(ann)
    assert {place.left, place.right} == {"x", "y"} and "z" in (later.left, later.right)
    store.close()


def test_a_vote_comes_back_as_it_was_given(make):
    store = make()
    ann = store.join("Ann")
    place = store.next(ann)
    judged = {"baseline": {"severity": "minor", "spans": [[3, 9]]}}
    store.vote("key", place.id, ann, better="sinktrack", judged=judged, comment="Äh", seconds=2.5)
    (kept,) = make().standing()
    assert (kept["item"], kept["left"], kept["name"]) == (place.item, place.left, "Ann")
    assert (kept["better"], kept["judged"], kept["comment"]) == ("sinktrack", judged, "Äh")
    assert kept["seconds"] == 2.5 and abs(kept["cast"] - time.time()) < 60


def test_one_name_is_one_annotator_who_goes_on_where_they_were(make):
    ann = make().join("Ann")
    place = make().next(ann)
    assert make().join("Ann") == ann
    assert make().next(ann) == place


def test_a_vote_sent_twice_is_one_vote(make):
    store = make()
    ann = store.join("Ann")
    place = store.next(ann)
    cast(store, ann, place, "tie", key="same")
    cast(store, ann, place, "tie", key="same")
    cast(store, ann, place, "sinktrack", key="a second click")
    assert [vote["better"] for vote in store.standing()] == ["tie"]


def test_a_vote_that_was_changed_before_it_came_again_counts_as_it_came_last(make):
    """As where its first answer was lost on the way, and whoever judges thought better of it."""
    store = make()
    ann = store.join("Ann")
    place = store.next(ann)
    told = []
    cast(store, ann, place, "tie", key="anew")
    store.subscribe(told.append)
    judged = {"baseline": {"severity": "severe", "spans": []}}
    assert store.vote("anew", place.id, ann, better="sinktrack", judged=judged, comment="No.")
    (vote,) = store.history()
    assert (vote["better"], vote["judged"], vote["comment"]) == ("sinktrack", judged, "No.")
    assert told[-1]["better"] == "sinktrack" and vote["sequence"] == 1
    store.reveal(ann)  # and now they know which was which
    cast(store, ann, place, "both bad", key="anew")
    store.undo(ann)
    assert [vote["better"] for vote in store.history()] == ["sinktrack"]


def test_nobody_votes_in_the_place_of_another(make):
    store = make()
    ann, bob = store.join("Ann"), store.join("Bob")
    place = store.next(ann)
    with pytest.raises(StoreError, match="somebody else"):
        cast(store, bob, place)
    assert store.standing() == []


def test_an_item_is_finished_before_the_next_begins_and_comes_once_to_everybody(make):
    store = make(items="abc", votes_per_item=2)
    people = [store.join(name) for name in ("Ann", "Bob", "Eve")]
    given = {who: [] for who in people}
    for _ in range(2):
        for who in people:
            place = store.next(who)
            given[who].append(place.item)
            cast(store, who, place)
    assert [store.next(who) for who in people] == [None] * 3
    assert Counter(item for items in given.values() for item in items) == dict.fromkeys("abc", 2)
    assert all(len(set(items)) == len(items) for items in given.values())


def test_an_undone_vote_counts_no_more_and_its_item_comes_back(make):
    store = make()
    ann = store.join("Ann")
    assert store.undo(ann) is None
    place = store.next(ann)
    cast(store, ann, place, "tie", key="first")
    assert store.undo(ann)["place"] == place.id
    assert store.standing() == []
    assert store.next(ann) == place
    cast(store, ann, place, "tie", key="first")  # late on its way, and long taken back
    assert store.standing() == []
    cast(store, ann, place, "sinktrack")
    assert [vote["better"] for vote in store.standing()] == ["sinktrack"]


def test_who_has_seen_the_names_cannot_vote_again(make):
    store = make()
    ann = store.join("Ann")
    place = store.next(ann)
    assert store.reveal(ann) is None  # nothing is shown before the vote
    cast(store, ann, place)
    assert store.reveal(ann) == place
    assert store.undo(ann) is None
    assert len(store.standing()) == 1


def test_what_was_left_open_goes_to_somebody_else_in_the_end(make, monkeypatch):
    store = make(items="a", votes_per_item=1)
    ann, bob = store.join("Ann"), store.join("Bob")
    place = store.next(ann)
    assert store.next(bob) is None
    monkeypatch.setattr(app.study.assignment, "HELD_SECONDS", 0)
    assert store.next(bob) == place
    with pytest.raises(StoreError, match="somebody else"):
        cast(store, ann, place)
    cast(store, bob, place)
    assert len(store.standing()) == 1 and store.next(ann) is None


def test_the_last_vote_is_the_last_whatever_the_clock_says(make, monkeypatch):
    store = make()
    ann = store.join("Ann")
    now = time.time()
    given = []
    for seconds in (0, -5000, -100):  # the clock was put back
        monkeypatch.setattr(time, "time", lambda seconds=seconds: now + seconds)
        given.append(store.next(ann).id)
        cast(store, ann, store.next(ann))
    assert [vote["place"] for vote in store.given(ann)] == given[::-1]
    assert store.undo(ann)["place"] == given[-1]


def test_a_place_is_held_by_whoever_has_it(make, monkeypatch):
    store = make(items="a", votes_per_item=1)
    ann, bob = store.join("Ann"), store.join("Bob")
    place = store.next(ann)
    assert store.hold(place.id, ann) and not store.hold(place.id, bob)
    monkeypatch.setattr(app.study.assignment, "HELD_SECONDS", 0)
    assert store.next(bob) == place and not store.hold(place.id, ann)
    monkeypatch.setattr(app.study.assignment, "HELD_SECONDS", 3600)
    assert store.seat(place.id, ann) is None
    more = make(items="a", votes_per_item=2)  # the study was made longer meanwhile
    other = more.seat(place.id, ann)
    assert other.id != place.id and (other.left, other.right) == (place.left, place.right)


@pytest.mark.parametrize("before", [None, "open", "paused", "closed"])
def test_a_study_is_as_it_was_left(make, before):
    store = make()
    if before is not None:
        store.turn(before)
    assert make().state() == (before or "open")


def test_each_method_stands_left_half_of_the_time(make):
    items = [str(number) for number in range(334)]
    store = make(items=items, votes_per_item=3, seed=1)
    left = Counter()
    for name in range(3):
        who = store.join(str(name))
        for _ in items:
            place = store.next(who)
            left[place.left] += 1
            cast(store, who, place)
    assert sum(left.values()) == 1002
    assert all(0.45 <= count / 1002 <= 0.55 for count in left.values())


def test_of_many_lanes_every_pair_is_judged_equally_often(make):
    """At every moment up to one, by each annotator as well, and its sides as often either way."""
    lanes, items = "abcd", [str(number) for number in range(60)]
    store = make(items=items, votes_per_item=3, seed=2, lanes=tuple(lanes))
    people = [store.join(name) for name in ("Ann", "Bob", "Eve", "Zoe")]
    pairs = [frozenset(pair) for pair in combinations(lanes, 2)]
    given, sides, own = Counter(), Counter(), {who: Counter() for who in people}
    on_item = Counter()
    for who in cycle(people):
        place = store.next(who)
        if place is None:
            break
        pair = frozenset((place.left, place.right))
        given[pair] += 1
        own[who][pair] += 1
        sides[place.left, place.right] += 1
        on_item[place.item, pair] += 1
        cast(store, who, place, place.left)
        assert max(given[each] for each in pairs) - min(given[each] for each in pairs) <= 1
    assert [given[pair] for pair in pairs] == [30] * 6
    for counts in own.values():
        assert max(counts[each] for each in pairs) - min(counts[each] for each in pairs) <= 3
    for one, other in combinations(lanes, 2):
        assert abs(sides[one, other] - sides[other, one]) <= 14
    assert sum(count > 1 for count in on_item.values()) < 30
    assert {(row["left"], row["right"]) for row in store.standing()} == set(sides)


def test_ten_people_at_once_lose_and_double_nothing(make):
    items = [str(number) for number in range(100)]
    sent, troubles = [], []

    def annotate(number):
        store = make(items=items, votes_per_item=5, seed=number)  # a server of their own
        try:
            who = store.join(f"annotator {number}")
            while (place := store.next(who)) is not None:
                key = uuid.uuid4().hex
                for _ in range(2):  # everybody double-clicks
                    cast(store, who, place, key=key)
                sent.append(key)
        except Exception as error:
            troubles.append(error)

    threads = [threading.Thread(target=annotate, args=(n,)) for n in range(PEOPLE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert troubles == []
    kept = make(items=items, votes_per_item=5).standing()
    assert sorted(vote["key"] for vote in kept) == sorted(sent) and len(kept) == 500
    assert set(Counter(vote["item"] for vote in kept).values()) == {5}
    assert max(Counter((vote["item"], vote["name"]) for vote in kept).values()) == 1


class Busy:
    """A connection to a file that another server is turning into one with a log."""

    def __init__(self, times):
        self.left = times

    def execute(self, said):
        self.left -= 1
        if self.left >= 0:
            raise sqlite3.OperationalError("database is locked")


def test_a_new_file_that_several_open_is_waited_for(monkeypatch):
    monkeypatch.setattr(database, "_WAIT", 0.2)
    database._keep_a_log(Busy(3))
    with pytest.raises(sqlite3.OperationalError):
        database._keep_a_log(Busy(1000))


KILLED = """
import os, signal, sys, time, uuid
from app.study.vote_store import VoteStore

def vote_for_ever(tells):
    store = VoteStore(sys.argv[1], study="kill", lanes=("a", "b"),
                  items=[str(n) for n in range(5000)], votes_per_item=1)
    who = store.join("Ann")
    while True:
        place = store.next(who)
        key = uuid.uuid4().hex
        store.vote(key, place.id, who, better="tie", judged={"words": "x" * 500})
        os.write(1, (key + chr(10)).encode())
        os.write(tells, b".")

for round_ in range(20):
    told, tells = os.pipe()
    voter = os.fork()
    if not voter:
        vote_for_ever(tells)
    os.read(told, 1)  # a first vote, however slow the machine is
    time.sleep(0.013 * round_)
    os.kill(voter, signal.SIGKILL)
    os.waitpid(voter, 0)
"""


def test_what_was_acknowledged_survives_kill_9(tmp_path):
    url = f"sqlite:///{tmp_path / 'votes.sqlite'}"
    run = [sys.executable, "-c", KILLED, url]
    said = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    acknowledged = said.split()
    assert len(acknowledged) >= 20
    store = VoteStore(url, study="kill", lanes=("a", "b"), items=(), votes_per_item=1)
    kept = store.standing()
    store.close()
    assert set(acknowledged) <= {vote["key"] for vote in kept}
    assert len(kept) <= len(acknowledged) + 20  # at most one a round was kept and not yet said
    assert all(vote["judged"] == {"words": "x" * 500} for vote in kept)


def test_a_database_that_cannot_be_used_is_a_sentence(tmp_path):
    with pytest.raises(StoreError, match="cannot be used"):
        VoteStore(f"sqlite:///{tmp_path}", study="s", lanes=LANES, items=(), votes_per_item=1)


def test_a_full_disk_is_a_sentence_and_leaves_nothing_half_written(tmp_path):
    url = f"sqlite:///{tmp_path / 'votes.sqlite'}"
    store = VoteStore(url, study="s", lanes=LANES, items="ab", votes_per_item=1)
    ann = store.join("Ann")
    place = store.next(ann)

    @sa.event.listens_for(store._engine, "begin")
    def full(connection):
        connection.exec_driver_sql("PRAGMA max_page_count = 1")

    with pytest.raises(StoreError, match="full"):
        cast(store, ann, place, comment="x" * 100_000)
    sa.event.remove(store._engine, "begin", full)
    store.close()
    again = VoteStore(url, study="s", lanes=LANES, items="ab", votes_per_item=1)
    assert again.standing() == [] and again.next(ann) == place
    again.close()


def test_items_that_left_the_study_are_judged_no_more(make):
    store = make(items=("a", "b"))
    ann = store.join("Ann")
    gone = store.next(ann)
    stays = ({"a", "b"} - {gone.item}).pop()
    shorter = make(items=(stays,))
    assert shorter.next(ann).item == stays
    assert shorter.progress(ann).left == 1
    assert shorter.seat(gone.id, ann) is None


def test_votes_on_other_lanes_are_not_mixed_in(make, url):
    store = make()
    store.next(store.join("Ann"))
    with pytest.raises(StoreError, match="other lanes"):
        VoteStore(url, study=store.study, lanes=("x", "y"), items=("a",), votes_per_item=1)


def test_a_key_that_was_used_keeps_nothing_else(make):
    store = make()
    ann = store.join("Ann")
    first, key = store.next(ann), uuid.uuid4().hex
    assert store.vote(key, first.id, ann, better="tie", judged={}) is True
    assert store.vote(key, first.id, ann, better="tie", judged={}) is True
    store.undo(ann)
    assert store.vote(key, first.id, ann, better="tie", judged={}) is False
    assert store.vote(f"{key}-2", first.id, ann, better="tie", judged={}) is True


def test_a_name_is_one_person_however_it_is_spelt(make):
    store = make()
    assert store.join("Zo\u00eb") == store.join("zoe\u0308") != store.join("Zoe")
