"""What annotators get and send: blind before the vote, checked, and never taken on trust."""

import json

import pytest
from studies import YAML, make_study, open_store

from app.study.judging import Judging
from app.study.results import as_votes, compute_results
from app.study.results_page import ResultsPage
from sinktrack.core.errors import StudyError
from sinktrack.study.folder import read_study

CODE = "open sesame"
NO = {"severity": "none", "spans": []}


@pytest.fixture
def study(tmp_path):
    return make_study(tmp_path / "study")


@pytest.fixture
def store(study):
    store = open_store(study)
    yield store
    store.close()


@pytest.fixture
def judging(study, store):
    return Judging(study, store, CODE)


@pytest.fixture
def ann(judging):
    return judging.answer({"what": "sign in", "name": "Ann", "code": CODE})


def vote(shown, **changes):
    return {
        "what": "vote",
        "token": shown["token"],
        "key": "0123456789abcdef",
        "place": shown["pair"]["place"],
        "better": "left",
        "left": NO,
        "right": NO,
        "comment": "",
        "seconds": 3.5,
    } | changes


def test_of_three_lanes_two_are_shown_and_told(tmp_path):
    """The vote names a lane of the pair, and the reveal has nothing of the third."""
    made = make_study(tmp_path / "study", yaml=YAML.replace("lanes: {", "lanes: {third: , "))
    for item in made.items:
        file = made.prepared(item)
        said = json.loads(file.read_text())
        lanes = [{"name": "third", "title": "Third", "text": "Nothing."}, *said["lanes"]]
        file.write_text(json.dumps(said | {"lanes": lanes}))
    store = open_store(made)
    judging = Judging(made, store, CODE)
    shown = judging.answer({"what": "sign in", "name": "Ann", "code": CODE})
    texts = {lane["text"]: lane["title"] for lane in lanes}
    met = []
    for number in range(3):
        pair = shown["pair"]
        sides = judging.answer(vote(shown, key=f"key-number-{number}"))
        assert sides["kept"]
        told = judging.answer({"what": "reveal", "token": shown["token"]})
        assert {lane["title"] for lane in told["payload"]["lanes"]} == set(told["sides"].values())
        for side in ("left", "right"):
            known = [title for text, title in texts.items() if pair[side][:11] == text[:11]]
            assert told["sides"][side] in known
        met.append(frozenset(told["sides"].values()))
        shown = sides | {"token": shown["token"]}
    assert len(set(met)) == 3
    votes = as_votes(made, store.standing())
    assert all(each.better == each.left for each in votes)
    found = compute_results(made, votes)
    assert [group.votes for group in found.groups if group.name == "all"] == [1, 1, 1]
    page = ResultsPage(made, store, CODE)
    assert page._tables(votes, found).count("Which answer is better: ") == 3
    store.close()


def test_who_knows_the_code_gets_a_pair_and_nothing_that_tells_the_sides(ann, study):
    assert set(ann) == {"token", "name", "pair", "voted", "left", "undoable", "reveal"}
    assert (ann["voted"], ann["left"], ann["undoable"], ann["reveal"]) == (0, 3, False, False)
    assert set(ann["pair"]) == {
        *("place", "pictures", "passage", "question", "reference", "left", "right")
    }
    assert {ann["pair"]["left"][:13], ann["pair"]["right"][:13]} == {
        "There is a re",
        "There is 🔵 a ",
    }
    words = json.dumps(ann)
    assert not any(word in words for word in ("baseline", "sinktrack", "SinkTrack", "Plain"))


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (None, "means nothing"),
        ([], "means nothing"),
        ({"what": 3}, "means nothing"),
        ({"what": "votes"}, "means nothing"),
        ({"what": "sign in", "name": " ", "code": CODE}, "type yours"),
        ({"what": "sign in", "name": "x" * 81, "code": CODE}, "1 to 80"),
        ({"what": "sign in", "name": ["Ann"], "code": CODE}, "type yours"),
        ({"what": "sign in", "name": "Ann", "code": "guess"}, "not the code"),
        ({"what": "sign in", "name": "Ann", "code": None}, "not the code"),
        ({"what": "sign in", "name": "Ann", "code": "\ud800"}, "not the code"),
        ({"what": "next"}, "signed out"),
        ({"what": "next", "token": "1.0000"}, "signed out"),
        ({"what": "next", "token": "1"}, "signed out"),
        ({"what": "vote", "token": 1}, "signed out"),
        ({"what": "undo", "token": "²." + "0" * 64}, "signed out"),
        ({"what": "reveal", "token": "9" * 5000}, "signed out"),
    ],
)
def test_what_cannot_be_answered_is_a_sentence(judging, ann, request_, words):
    answer = judging.answer(request_)
    assert words in answer["error"] and set(answer) <= {"error", "signed_out"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"key": "short"}, "no key"),
        ({"key": 3}, "no key"),
        ({"better": "baseline"}, "Choose first"),
        ({"better": None}, "Choose first"),
        ({"left": None}, "hallucinate"),
        ({"left": {"severity": "very"}}, "hallucinate"),
        ({"left": {"severity": ["none"]}}, "hallucinate"),
        ({"right": {"severity": "none", "spans": "all"}}, "not in the answer"),
        ({"right": {"severity": "none", "spans": [[0, 10_000]]}}, "not in the answer"),
        ({"right": {"severity": "none", "spans": [[3, 3]]}}, "not in the answer"),
        ({"right": {"severity": "none", "spans": [[True, 3]]}}, "not in the answer"),
        ({"comment": "x" * 5001}, "at most 5000"),
        ({"comment": 3}, "at most 5000"),
    ],
)
def test_a_vote_that_says_nothing_is_refused_and_not_kept(judging, ann, store, change, words):
    assert words in judging.answer(vote(ann, **change))["error"]
    assert store.standing() == []


@pytest.mark.parametrize("place", [None, -1, 10**6, "1", [1]])
def test_a_forged_place_changes_nothing(judging, ann, store, place):
    answer = judging.answer(vote(ann, place=place))
    assert "error" in answer or (answer["kept"] is False and answer["pair"] == ann["pair"])
    assert store.standing() == []


def test_a_vote_is_kept_with_sides_turned_into_lanes(judging, ann, store):
    text = ann["pair"]["left"]
    marked = {"severity": "severe", "spans": [[6, 8], [0, 5]]}
    answer = judging.answer(vote(ann, left=marked, comment=" \x00odd\ud800 "))
    assert answer["kept"] and answer["voted"] == 1 and answer["left"] == 2
    assert answer["pair"]["place"] != ann["pair"]["place"]
    (kept,) = store.standing()
    left = "baseline" if "red" in text else "sinktrack"
    assert (kept["left"], kept["better"]) == (left, left)
    assert kept["judged"][left] == {"severity": "severe", "spans": [[0, 5], [6, 8]]}
    assert kept["comment"] == "odd?" and kept["seconds"] == 3.5


@pytest.mark.parametrize("seconds", [None, -1, "3", 1e300, float("nan")])
def test_a_time_that_is_none_is_left_out(judging, ann, store, seconds):
    assert judging.answer(vote(ann, seconds=seconds))["kept"]
    assert store.standing()[0]["seconds"] is None


def test_a_double_click_is_one_vote_and_shows_the_next_pair(judging, ann, store):
    first, second = judging.answer(vote(ann)), judging.answer(vote(ann))
    assert first["pair"] == second["pair"]
    assert len(store.standing()) == 1


def test_undo_brings_the_pair_back_with_what_was_said(judging, ann, store):
    assert "no vote" in judging.answer({"what": "undo", "token": ann["token"]})["error"]
    said = {"severity": "minor", "spans": [[0, 5]]}
    judging.answer(vote(ann, better="right", right=said, comment="hm"))
    back = judging.answer({"what": "undo", "token": ann["token"]})
    assert back["pair"] == ann["pair"]
    assert back["before"] == {"better": "right", "comment": "hm", "left": NO, "right": said}
    assert store.standing() == []


def test_names_come_after_the_vote_and_end_undoing(judging, ann):
    token = ann["token"]
    assert "Vote first" in judging.answer({"what": "reveal", "token": token})["error"]
    judging.answer(vote(ann))
    shown = judging.answer({"what": "reveal", "token": token})
    left = "Plain model" if "red" in ann["pair"]["left"] else "SinkTrack"
    assert shown["sides"]["left"] == left and set(shown["sides"].values()) == {
        "Plain model",
        "SinkTrack",
    }
    assert shown["payload"]["lanes"]
    assert "taken back" in judging.answer({"what": "undo", "token": token})["error"]


def test_a_study_may_keep_the_names_to_itself(tmp_path):
    study = make_study(tmp_path / "other", yaml=YAML.replace("after vote", "never"))
    store = open_store(study)
    judging = Judging(study, store, CODE)
    ann = judging.answer({"what": "sign in", "name": "Ann", "code": CODE})
    after = judging.answer(vote(ann))
    assert after["kept"] and after["reveal"] is False
    assert "does not tell" in judging.answer({"what": "reveal", "token": ann["token"]})["error"]
    store.close()


def test_after_the_last_item_there_is_no_pair(judging, ann):
    shown = ann
    for n in range(3):
        shown = {"token": ann["token"], **judging.answer(vote(shown, key=f"key-number-{n}"))}
    assert shown["pair"] is None and shown["voted"] == 3 and shown["left"] == 0


def test_a_name_is_one_line_and_one_person(judging, ann):
    again = judging.answer({"what": "sign in", "name": " \n Ann\x00 ", "code": CODE})
    assert again["token"] == ann["token"] and again["pair"] == ann["pair"]


def test_where_people_sign_in_elsewhere_a_name_is_not_enough(study, store):
    judging = Judging(study, store, None)
    forged = {"what": "sign in", "name": "Ann", "code": "", "known": "Ann"}
    assert "Hugging Face" in judging.answer(forged)["error"]
    signed_in = judging.answer({**forged, "name": "Bob"}, known="Ann")
    assert signed_in["name"] == "Ann" and signed_in["pair"] is not None


def test_a_study_without_answers_is_not_opened(study, store):
    study.prepared(study.items[1]).unlink()
    with pytest.raises(StudyError, match="sinktrack study prepare"):
        Judging(study, store, CODE)


def test_a_token_of_another_study_is_worth_nothing(judging, ann, tmp_path):
    other = make_study(tmp_path / "other")
    store = open_store(other)
    assert "signed out" in Judging(other, store, CODE).answer({"what": "next", **ann})["error"]
    store.close()


def test_a_pair_shows_every_picture_and_the_passage(study, store):
    """An item may have several pictures, or none and a passage."""
    lines = [
        {"id": "item0", "image": ["a.png", "a.png"], "question": "What is 0?"},
        {"id": "item1", "passage": "It is in the attic.", "question": "What is 1?"},
        {"id": "item2", "image": "a.png", "question": "What is 2?"},
    ]
    (study.folder / "items.jsonl").write_text("\n".join(map(json.dumps, lines)))
    shown = {"What is 0?": ["data:a", "data:b"], "What is 1?": [], "What is 2?": ["data:c"]}
    for item, pictures in zip(study.items, shown.values(), strict=True):
        made = json.loads(study.prepared(item).read_text())
        made["visuals"] = [{"segment": "image", "title": "", "frames": [src]} for src in pictures]
        study.prepared(item).write_text(json.dumps(made | {"segments": []}))
    judging = Judging(read_study(study.folder), store, CODE)
    answer = judging.answer({"what": "sign in", "name": "Ann", "code": CODE})
    token = answer["token"]
    for _ in lines:
        pair = answer["pair"]
        assert pair["pictures"] == shown.pop(pair["question"])
        assert bool(pair["passage"]) == (pair["question"] == "What is 1?")
        answer = judging.answer(vote(answer | {"token": token}, key=f"{pair['place']:016}"))
    assert not shown
