"""Votes on what has changed since count nowhere and take no place, and come back with it."""

import uuid
from collections import Counter

import pytest
from studies import make_study, open_store, texts_of

from app.study.judging import Judging
from app.study.results import as_votes, compute_results, vote_rows
from app.study.summary import summary
from app.study.uncounted import uncounted
from app.study.vote_store import VoteStore, counting
from sinktrack.study.digest import digest, pair_digests

LANES = frozenset(("baseline", "sinktrack"))
NO = {"severity": "none", "spans": []}


def seen(**versions):
    """Return digests of what annotators see of each item."""
    return {item: {LANES: version} for item, version in versions.items()}


def judge(store, *people):
    """Let people judge all that there is for them, in turns; return the items that each got."""
    got = {name: [] for name in people}
    going = True
    while going:
        going = False
        for name in people:
            who = store.join(name)
            place = store.next(who)
            if place is not None:
                going = True
                key = uuid.uuid4().hex
                assert store.vote(key, place.id, who, better="tie", judged={}, comment=name)
                got[name].append(place.item)
    return got


def items_of(rows):
    return Counter(row["item"] for row in rows)


def apart(store):
    return items_of(row for row in store.history() if row["apart"] and row["undone"] is None)


def test_a_changed_item_gets_all_of_its_votes_anew_from_the_same_people_too(make):
    judge(make(pairs=seen(a="a1", b="b1", c="c1")), "Ann", "Bob")
    store = make(pairs=seen(a="a1", b="b2", c="c1"))
    assert items_of(store.standing()) == {"a": 2, "c": 2} and apart(store) == {"b": 2}
    assert not store.progress(store.join("Ann")).ended
    assert judge(store, "Ann", "Bob", "Eve") == {"Ann": ["b"], "Bob": ["b"], "Eve": []}
    assert items_of(store.standing()) == {"a": 2, "b": 2, "c": 2} and apart(store) == {"b": 2}
    assert store.progress(store.join("Ann")).voted == 3 and store.progress(store.join("Ann")).ended
    again = make(pairs=seen(a="a1", b="b3", c="c1"))  # and once more
    assert judge(again, "Ann", "Bob") == {"Ann": ["b"], "Bob": ["b"]}
    assert apart(again) == {"b": 4} and {row["pair"] for row in again.standing()} == {
        *("a1", "b3", "c1")
    }


def test_votes_come_back_with_their_answers(make):
    old, new = seen(a="a1", b="b1"), seen(a="a2", b="b1")
    items = ("a", "b")
    first = make(items=items, pairs=old)
    judge(first, "Ann", "Bob")
    before = {row["key"]: row["better"] for row in first.standing()}
    changed = make(items=items, pairs=new)
    assert judge(changed, "Ann") == {"Ann": ["a"]}
    assert changed.next(changed.join("Eve")).item == "a"  # and leaves it open
    back = make(items=items, pairs=old)
    assert {row["key"]: row["better"] for row in back.standing()} == before
    assert apart(back) == {"a": 1}
    assert judge(back, "Ann", "Bob", "Eve") == {"Ann": [], "Bob": [], "Eve": []}
    forth = make(items=items, pairs=new)
    assert items_of(forth.standing()) == {"a": 1, "b": 2} and apart(forth) == {"a": 2}
    assert judge(forth, "Ann", "Eve") == {"Ann": [], "Eve": ["a"]}


def test_an_item_that_left_takes_its_votes_along_and_brings_them_back(make):
    whole = seen(a="a1", b="b1")
    judge(make(items="ab", pairs=whole), "Ann", "Bob")
    shorter = make(items="a", pairs=seen(a="a1"))
    assert items_of(shorter.standing()) == {"a": 2} and apart(shorter) == {"b": 2}
    assert items_of(make(items="ab", pairs=whole).standing()) == {"a": 2, "b": 2}


def test_a_vote_taken_back_before_its_item_changed_is_given_anew(make):
    store = make(items="a", pairs=seen(a="a1"))
    judge(store, "Ann")
    ann = store.join("Ann")
    store.undo(ann)
    store = make(items="a", pairs=seen(a="a2"))
    assert judge(store, "Ann", "Bob") == {"Ann": ["a"], "Bob": ["a"]}
    assert items_of(store.standing()) == {"a": 2} and apart(store) == {}
    undone = [row["pair"] for row in store.history() if row["undone"]]
    assert undone == ["a1"]


def test_votes_from_before_there_were_digests_count_as_before(make):
    judge(make(), "Ann", "Bob")
    store = make(pairs=seen(a="a2", b="b2", c="c2"))
    assert items_of(store.standing()) == {"a": 2, "b": 2, "c": 2} and apart(store) == {}
    assert judge(store, "Ann", "Bob", "Eve") == {"Ann": [], "Bob": [], "Eve": []}


def test_a_version_that_another_server_still_serves_counts_nowhere(make):
    """As when a Space is built anew: the old one keeps votes until it is stopped."""
    old, new = make(items="a", pairs=seen(a="a1")), make(items="a", pairs=seen(a="a2"))
    judge(old, "Ann")
    assert new.standing() == [] and apart(new) == {"a": 1}
    assert judge(make(items="a", pairs=seen(a="a2")), "Ann", "Bob") == {"Ann": ["a"], "Bob": ["a"]}


def test_a_copy_of_the_votes_brings_every_version_back_to_where_it_belongs(make, tmp_path):
    judge(make(items="a", pairs=seen(a="a1")), "Ann", "Bob")
    store = make(items="a", pairs=seen(a="a2"))
    judge(store, "Ann", "Eve")
    rows = store.history()
    other = VoteStore(
        f"sqlite:///{tmp_path / 'other.sqlite'}",
        study="other",
        lanes=tuple(LANES),
        items="a",
        votes_per_item=2,
        pairs=seen(a="a2"),
    )
    for _ in range(2):  # the second time changes nothing
        other.restore(rows)
        names = sorted((row["name"], row["pair"]) for row in other.standing())
        assert names == [("Ann", "a2"), ("Eve", "a2")] and apart(other) == {"a": 2}
        assert other.next(other.join("Zoe")) is None
    other.close()


@pytest.fixture
def changed(tmp_path):
    """A study, and what makes its first answers anew."""
    study = make_study(tmp_path / "study", items=2)

    def change():
        return make_study(
            study.folder,
            items=2,
            texts=lambda n: ("Nothing.", "Nothing!") if n == 0 else texts_of(n),
        )

    return study, change


def sign_in(judging):
    return judging.answer({"what": "sign in", "name": "Ann", "code": "c"})


def vote(shown, key="0123456789abcdef"):
    said = {name: shown["pair"][name] for name in ("place", "seal")}
    said |= {"what": "vote", "token": shown["token"], "key": key, "better": "left"}
    return said | {"left": NO, "right": NO}


def test_a_vote_carries_the_digest_of_what_was_seen(changed):
    study, _ = changed
    store = open_store(study)
    Judging(study, store, "c").answer(vote(sign_in(Judging(study, store, "c"))))
    (row,) = store.standing()
    item = next(item for item in study.items if item.name == row["item"])
    lanes = dict(zip(("baseline", "sinktrack"), texts_of(int(item.name[-1])), strict=True))
    assert row["pair"] == digest(item, lanes) == pair_digests(study)[item.name][LANES]
    store.close()


def test_a_page_that_shows_earlier_answers_keeps_no_vote(tmp_path):
    study = make_study(tmp_path / "study", items=1)
    store = open_store(study)
    shown = sign_in(Judging(study, store, "c"))
    store.close()
    study = make_study(study.folder, items=1, texts=lambda n: ("Nothing.", "Nothing!"))
    store = open_store(study)
    judging = Judging(study, store, "c")
    assert "has changed since" in judging.answer(vote(shown))["error"] and not store.standing()
    now = judging.answer({"what": "next", "token": shown["token"]})
    assert now["pair"]["place"] == shown["pair"]["place"] and "Nothing" in now["pair"]["left"]
    assert judging.answer(vote({**now, "token": shown["token"]}))["kept"]
    store.close()


def test_nothing_that_reaches_the_browser_is_made_of_a_digest_that_others_can_make(changed):
    """Whoever has the files could try both sides, and see which of them gives the digest."""
    study, _ = changed
    store = open_store(study)
    told = str(sign_in(Judging(study, store, "c")))
    digests = [each for pairs in pair_digests(study).values() for each in pairs.values()]
    assert digests and not any(each in told for each in digests)
    store.close()


def test_results_say_what_is_apart_and_the_files_mark_it(changed):
    study, change = changed
    store = open_store(study)
    shown = sign_in(Judging(study, store, "c"))
    judging = Judging(study, store, "c")
    for n in range(2):
        shown |= judging.answer(vote(shown, f"key-number-{n}"))
    store.close()
    study = change()
    store = open_store(study)
    history = store.history()
    found = compute_results(
        study,
        as_votes(study, counting(history)),
        uncounted=uncounted(history, store.deleted()),
    )
    text = summary(study, found)
    assert "1 vote by 1 annotator on 1 of 2 items" in text
    said = "1 vote on 1 item is kept apart and counted nowhere, because the item or its answers"
    assert said in text and "are gone: item0" in text
    assert text.count(said) == 2  # the methods section names no item
    rows = vote_rows(study, history).set_index("item")
    assert list(rows.loc[["item0", "item1"], "apart"]) == [True, False]
    assert rows.loc["item0", "answer of baseline"] == "" and rows.loc["item0", "question"] == ""
    assert rows.loc["item1", "answer of baseline"] == texts_of(1)[0]
    store.close()
