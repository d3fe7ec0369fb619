"""Training, checks and repeated items: everybody meets them, and they tell of annotators alone."""

import json
import random
from collections import Counter

import pytest
from studies import LANES, YAML, make_study, open_store

from app.study.assignment import APART
from app.study.judging import Judging
from app.study.results import as_votes, compute_results, vote_rows
from app.study.stats import Share
from app.study.vote_store import VoteStore
from sinktrack.core.errors import StudyError
from sinktrack.study.folder import read_study

CODE = "open sesame"
NO = {"severity": "none", "spans": []}
SIDES = ("left", "right")


def make(url, *, items=20, votes_per_item=2, lanes=LANES, seed=0, **more):
    return VoteStore(
        url,
        study="known",
        lanes=lanes,
        items=[str(number) for number in range(items)],
        votes_per_item=votes_per_item,
        rng=random.Random(seed),
        **more,
    )


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path / 'votes.sqlite'}"


def judge_all(store, who):
    """Let somebody judge all that there is for them; return the places in order."""
    given = []
    while (place := store.next(who)) is not None:
        assert store.progress(who).left > 0
        assert store.next(who) == place  # it is theirs, however often the page is loaded
        store.vote(f"vote-{who}-{len(given)}", place.id, who, better=place.left, judged={})
        given.append(place)
    assert store.progress(who).left == 0
    return given


def test_everybody_trains_first_and_meets_every_check_once_among_the_others(url):
    known = {
        "training": {"t1": "baseline", "t2": "tie"},
        "checks": {"c1": "sinktrack", "c2": "tie"},
    }
    store = make(url, **known)
    at = []
    for name in ("Ann", "Bob"):
        given = [place.item for place in judge_all(store, store.join(name))]
        assert given[:2] == ["t1", "t2"] and len(given) == len(set(given)) == 24
        at += [given.index(check) for check in ("c1", "c2")]
    assert len(set(at)) > 1 and min(at) >= 2 and max(at) < 24
    assert judge_all(store, store.join("Eve")) == []  # nobody comes for training alone
    store.close()


def test_a_known_answer_stands_beside_another_on_either_side(url):
    lanes = ("x", "y", "z")
    store = make(
        url, items=2, votes_per_item=40, lanes=lanes, checks={"c": "z"}, training={"t": "x"}
    )
    sides = Counter()
    for number in range(40):
        for place in judge_all(store, store.join(str(number))):
            if place.item in "ct":
                sides[place.item, place.left, place.right] += 1
    assert {frozenset(pair) for item, *pair in sides if item == "c"} == {
        frozenset("xz"),
        frozenset("yz"),
    }
    assert {frozenset(pair) for item, *pair in sides if item == "t"} == {
        frozenset("xy"),
        frozenset("xz"),
    }
    left = sum(count for (item, side, _), count in sides.items() if item == "c" and side == "z")
    assert 8 <= left <= 32
    store.close()


def test_somebody_who_judges_a_few_of_many_meets_checks_as_well(url):
    store = make(url, items=1000, votes_per_item=1, checks={str(-n): "tie" for n in range(1, 31)})
    who, met = store.join("Ann"), 0
    for number in range(100):
        place = store.next(who)
        met += place.item.startswith("-")
        store.vote(f"{number}", place.id, who, better="tie", judged={})
    assert 4 <= met <= 20
    store.close()


def test_items_come_again_turned_round_apart_and_beside_their_votes(url):
    store = make(url, votes_per_item=1, repeat=4)
    given = judge_all(store, store.join("Ann"))
    again = [place for place in given if place.again]
    assert len(given) == 24 and len({place.item for place in again}) == 4
    for place in again:
        (first,) = (one for one in given if one.item == place.item and not one.again)
        assert (place.left, place.right) == (first.right, first.left)
        between = given[given.index(first) + 1 : given.index(place)]
        assert sum(not one.again for one in between) >= APART or given.index(place) >= 20
    store.close()
    more = make(url, votes_per_item=3, repeat=4)  # repeated votes have taken no item's place
    bob, eve = more.join("Bob"), more.join("Eve")
    for who in (bob, eve):
        assert Counter(place.again for place in judge_all(more, who)) == {False: 20, True: 4}
    more.close()


def test_a_repeated_vote_comes_back_from_a_copy(url, tmp_path):
    store = make(url, items=8, votes_per_item=1, repeat=2)
    judge_all(store, store.join("Ann"))
    rows = store.standing()
    store.close()
    other = make(f"sqlite:///{tmp_path / 'other.sqlite'}", items=8, votes_per_item=1, repeat=2)
    other.restore(rows)
    back = other.standing()
    assert [(row["key"], row["item"], row["again"]) for row in back] == [
        (row["key"], row["item"], row["again"]) for row in rows
    ]
    assert sum(row["again"] for row in back) == 2 and other.next(other.join("Ann")) is None
    other.close()


@pytest.fixture
def twice(url):
    """A study whose Ann has judged an item and has it open again, and what votes there."""
    store = make(url, items=1, votes_per_item=1, repeat=1)
    ann = store.join("Ann")

    def vote(place, better="tie"):
        key = f"{place.id} {len(store.history())}"
        return store.vote(key, place.id, ann, better=better, judged={})

    first = store.next(ann)
    vote(first)
    again = store.next(ann)
    assert again.again
    yield store, ann, first, again, vote
    store.close()


def test_names_wait_for_the_repeated_vote_and_then_hold_both(twice):
    store, ann, first, again, vote = twice
    assert store.reveal(ann, first.id) is None  # it would tell the sides of what is open
    vote(again)
    assert store.reveal(ann, again.id) == again
    assert store.undo(ann, first.id) is None and store.undo(ann, again.id) is None


def test_an_item_whose_names_were_seen_does_not_come_again(url):
    store = make(url, items=2, votes_per_item=1, repeat=2)
    ann = store.join("Ann")
    place = store.next(ann)
    store.vote("first", place.id, ann, better="tie", judged={})
    assert store.reveal(ann, place.id) == place
    given = judge_all(store, ann)
    assert [(each.item != place.item, each.again) for each in given] == [
        (True, False),
        (True, True),
    ]
    store.close()


def test_what_was_passed_over_the_second_time_is_judged_the_first(twice):
    store, ann, first, again, vote = twice
    assert store.beside.pass_over(again.id, ann)
    assert store.undo(ann, first.id) is None
    assert [row["place"] for row in store.standing()] == [first.id]


def test_a_repeated_vote_counts_nowhere_without_the_one_before(twice, study):
    store, ann, first, again, vote = twice
    vote(again)
    assert store.undo(ann, first.id)["place"] == first.id
    assert [row["again"] for row in store.standing()] == [True]
    assert as_votes(study, store.standing()) == []


@pytest.fixture
def study(tmp_path):
    """A study of three items, the first of which is for training and the second a check."""
    made = make_study(tmp_path / "study", yaml=YAML + "repeat: 1\n")
    lines = (made.folder / "items.jsonl").read_text().splitlines()
    said = [json.loads(line) for line in lines]
    said[0] |= {"use": "training", "better": "sinktrack", "why": "It is a star."}
    said[1] |= {"use": "check", "better": "baseline"}
    (made.folder / "items.jsonl").write_text("\n".join(map(json.dumps, said)))
    return read_study(made.folder)


def test_training_tells_what_was_right_and_nothing_else_does(study):
    store = open_store(study)
    judging = Judging(study, store, CODE)
    shown = judging.answer({"what": "sign in", "name": "Ann", "code": CODE})
    token, told = shown["token"], []
    while shown["pair"]:
        pair = shown["pair"]
        star = next(side for side in SIDES if "star" in pair[side])
        request = {"what": "vote", "token": token, "key": f"key-of-{pair['place']}"}
        request |= {"place": pair["place"], "seal": pair["seal"], "better": star}
        shown = judging.answer({**request, "left": NO, "right": NO})
        told.append((pair["training"], shown.get("feedback")))
        if pair["training"]:
            assert shown["feedback"] == {"right": True, "better": star, "why": "It is a star."}
    assert [training for training, _ in told] == [True, False, False, False]
    assert [feedback for _, feedback in told[1:]] == [None] * 3
    kept = store.standing()
    found = compute_results(study, as_votes(study, kept))
    assert found.by_item == {"item2": 1} and found.repeated == 1
    (ann,) = found.annotators
    assert ann.gold == Share(0, 1) and ann.itself == Share(1, 1)
    rows = vote_rows(study, kept)
    assert sorted(zip(rows["use"], rows["again"], strict=True)) == [
        ("check", False),
        ("judged", False),
        ("judged", True),
        ("training", False),
    ]
    store.close()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"use": "practise"}, "'judged' or 'training' or 'check'"),
        ({"use": "check"}, "needs better"),
        ({"better": "sinktrak"}, "'baseline' or 'sinktrack' or 'tie' or 'both bad'"),
        ({"use": "training", "better": 3}, "must be a text"),
    ],
)
def test_what_is_wrong_with_a_known_answer_is_said(tmp_path, changes, words):
    made = make_study(tmp_path / "study", items=2)
    file = made.folder / "items.jsonl"
    first, second = map(json.loads, file.read_text().splitlines())
    file.write_text(f"{json.dumps(first)}\n{json.dumps(second | changes)}\n")
    with pytest.raises(StudyError, match=f"line 2.*{words}"):
        read_study(made.folder)


def test_a_study_of_checks_alone_is_none(tmp_path):
    made = make_study(tmp_path / "study", items=1)
    file = made.folder / "items.jsonl"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"use": "check", "better": "tie"}))
    with pytest.raises(StudyError, match="no item that is judged"):
        read_study(made.folder)
