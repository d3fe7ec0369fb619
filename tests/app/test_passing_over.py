"""Who passes an item over meets it no more, and others get its place, on both kinds of database."""

import random
import uuid

import pytest
from studies import LANES, YAML, make_study, open_store

from app.study.judging import Judging
from app.study.vote_store import VoteStore

CODE = "open sesame"
NO = {"severity": "none", "spans": []}


@pytest.fixture
def make(url):
    """Open a study of its own in the database, as often as one likes."""
    opened = []
    name = uuid.uuid4().hex

    def open_it(study=name, votes_per_item=1, items=("a", "b", "c"), lanes=LANES):
        options = {"lanes": lanes, "items": items, "votes_per_item": votes_per_item}
        opened.append(VoteStore(url, study=study, rng=random.Random(0), **options))
        return opened[-1]

    yield open_it
    for store in opened:
        store.close()


def cast(store, annotator, place):
    return store.vote(uuid.uuid4().hex, place.id, annotator, better="tie", judged={})


def far(store, annotator):
    found = store.progress(annotator)
    return found.voted, found.left, found.passed


def judge_all(store, annotator):
    """Judge all that there is; return the items."""
    met = []
    while (place := store.next(annotator)) is not None:
        cast(store, annotator, place)
        met.append(place.item)
    return met


def test_an_item_passed_over_goes_to_somebody_else(make):
    store = make()
    ann, bob = store.join("Ann"), store.join("Bob")
    place = store.next(ann)
    assert far(store, ann) == (0, 3, 0) and far(store, bob) == (0, 2, 0)
    assert store.beside.pass_over(place.id, ann, "No picture")
    assert far(store, ann) == (0, 2, 1) and far(store, bob) == (0, 3, 0)
    assert store.beside.pass_over(place.id, ann)  # once more, as after a lost connection
    (row,) = store.beside.passed()
    assert (row["item"], row["name"], row["reason"]) == (place.item, "Ann", "No picture")
    assert place.item not in judge_all(store, ann)
    assert far(store, ann) == (2, 0, 1)
    assert judge_all(store, bob) == [place.item]


def test_nobody_is_given_one_place_twice_after_it_was_passed_over(make):
    """An item of two votes that one of three passes over gets both, of the others."""
    store = make(votes_per_item=2, items=("a",))
    ann, bob, eve = (store.join(name) for name in ("Ann", "Bob", "Eve"))
    places = [store.next(who) for who in (ann, bob)]
    assert store.next(eve) is None
    store.beside.pass_over(places[0].id, ann)
    given = store.next(eve)
    assert given.id == places[0].id and store.next(ann) is None
    assert cast(store, eve, given) and cast(store, bob, places[1])
    assert store.progress(ann).ended and len(store.standing()) == 2


def test_a_place_that_was_voted_on_once_is_given_on_as_well(make):
    store = make(items=("a",))
    ann, bob = store.join("Ann"), store.join("Bob")
    place = store.next(ann)
    cast(store, ann, place)
    assert not store.beside.pass_over(place.id, ann)  # it has this annotator's vote
    assert store.undo(ann) is not None
    assert store.beside.pass_over(place.id, ann)
    assert store.undo(ann) is None and store.seat(place.id, ann) is None
    assert cast(store, bob, store.next(bob))
    assert [row["name"] for row in store.standing()] == ["Bob"]


def test_an_item_that_everybody_passed_over_stays_without_votes(make):
    store = make(items=("a",))
    for name in ("Ann", "Bob"):
        who = store.join(name)
        store.beside.pass_over(store.next(who).id, who)
        assert far(store, who) == (0, 0, 1)
    assert store.standing() == [] and not store.progress(who).ended


def test_the_coordinator_brings_an_item_back(make):
    store = make(items=("a",))
    ann = store.join("Ann")
    place = store.next(ann)
    store.beside.pass_over(place.id, ann)
    assert not store.beside.bring_back(10_000)
    assert store.beside.bring_back(store.beside.passed()[0]["id"])
    assert store.beside.passed() == [] and far(store, ann) == (0, 1, 0)
    assert store.next(ann).item == "a"


def test_a_copy_holds_what_was_passed_over_and_ruled(make):
    told = {}
    store = make(votes_per_item=2)
    store.subscribe(lambda row: told.__setitem__(row["key"], row))
    ann = store.join("Ann")
    for reason in ("", "No picture"):
        store.beside.pass_over(store.next(ann).id, ann, reason)
    store.beside.bring_back(store.beside.passed()[0]["id"])
    ruling = {"item": "a", "first": LANES[1], "second": LANES[0], "judge": "Eve"}
    for better in ("tie", LANES[0]):
        store.beside.rule(**ruling, better=better, comment="so")

    copy = make(study=uuid.uuid4().hex, votes_per_item=2)
    for _ in range(2):  # a second time it changes nothing
        copy.restore(told.values())
    assert [(row["name"], row["reason"]) for row in copy.beside.passed()] == [("Ann", "No picture")]
    own = [{**row, "id": 0, "study": ""} for row in store.beside.rulings()]
    assert [{**row, "id": 0, "study": ""} for row in copy.beside.rulings()] == own
    assert [row["better"] for row in own] == ["tie", LANES[0]]


@pytest.fixture
def judging(tmp_path):
    study = make_study(tmp_path / "study")
    store = open_store(study)
    yield Judging(study, store, CODE)
    store.close()


def asked(shown, what="pass", **more):
    pair = shown["pair"]
    own = {"token": shown["token"], "place": pair["place"], "seal": pair["seal"]}
    return {"what": what, **own, **more}


def test_the_browser_passes_over_and_gets_the_next_pair(judging):
    ann = judging.answer({"what": "sign in", "name": "Ann", "code": CODE})
    answer = judging.answer(asked(ann))
    assert answer["passed_over"] and answer["passed"] == 1 and answer["left"] == 2
    assert answer["pair"]["question"] != ann["pair"]["question"]
    vote = {"key": "0123456789abcdef", "better": "left", "left": NO, "right": NO}
    late = judging.answer(asked(ann, "vote", **vote))  # from another window
    assert late["kept"] is False and late["pair"]["question"] == answer["pair"]["question"]


@pytest.mark.parametrize("reason", ["", " \n", "x" * 2001, None, 3])
def test_what_is_wrong_must_be_said_in_few_words(judging, reason):
    ann = judging.answer({"what": "sign in", "name": "Ann", "code": CODE})
    assert "in 1 to 2,000 characters" in judging.answer(asked(ann, reason=reason))["error"]
    assert judging.answer(asked(ann, reason="x" * 2000))["passed_over"]


def test_nobody_passes_over_what_they_were_not_given_or_in_a_closed_study(judging):
    ann = judging.answer({"what": "sign in", "name": "Ann", "code": CODE})
    bob = judging.answer({"what": "sign in", "name": "Bob", "code": CODE})
    foreign = asked(ann) | {"token": bob["token"]}
    assert "no pair that you were given" in judging.answer(foreign)["error"]
    judging._store.turn("closed")
    assert "closed" in judging.answer(asked(ann))["error"]
    assert judging._store.beside.passed() == []


def test_who_withdraws_leaves_nothing_of_what_they_passed_over(make):
    """Neither here nor in a copy that is put back."""
    told = {}
    store = make()
    store.subscribe(lambda row: told.__setitem__(row["key"], row))
    ann = store.join("Ann")
    place = store.next(ann)
    store.beside.pass_over(place.id, ann, "My cat is in it")
    store.withdraw(ann)
    assert store.beside.passed() == []
    copy = make(study=uuid.uuid4().hex)
    copy.restore(told.values())
    assert copy.beside.passed() == [] and copy.find("Ann") is None


def test_a_repeated_item_is_passed_over_and_its_first_vote_stays(make, tmp_path):
    study = make_study(tmp_path / "study", 1, YAML + "votes_per_item: 1\nrepeat: 1\n")
    store = open_store(study)
    ann = store.join("Ann")
    cast(store, ann, store.next(ann))
    again = store.next(ann)
    assert again.again and store.beside.pass_over(again.id, ann)
    assert store.next(ann) is None and far(store, ann) == (1, 0, 1)
    bob = store.join("Bob")
    assert store.next(bob) is None and len(store.standing()) == 1
    store.close()
