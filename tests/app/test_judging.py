"""What annotators get and send: blind before the vote, checked, and never taken on trust."""

import base64
import json
import time

import pytest
from studies import CODE, LANES, YAML, make_study, open_store, texts_of

import app.study.assignment
from app.study.judging import Judging
from app.study.results import as_votes, compute_results
from app.study.results_page import ResultsPage
from app.study.running import Running
from sinktrack.core.errors import StudyError
from sinktrack.study.folder import read_study

NO = {"severity": "none", "spans": []}


@pytest.fixture
def study(tmp_path):
    return make_study(tmp_path / "study")


def vote(shown, **changes):
    return {
        "what": "vote",
        "token": shown["token"],
        "key": "0123456789abcdef",
        "place": shown["pair"]["place"],
        "seal": shown["pair"]["seal"],
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
    kept = store.standing()
    votes = as_votes(made, kept)
    assert all(each.better == each.left for each in votes)
    found = compute_results(made, votes)
    assert [group.votes for group in found.groups if group.name == "all"] == [1, 1, 1]
    page = ResultsPage(made, store, CODE)
    assert page._figures(votes, found).count("Which answer is better: ") == 3
    store.close()


def test_who_knows_the_code_gets_a_pair_and_nothing_that_tells_the_sides(ann, study):
    told = {"token", "name", "personal", "pair", "voted", "left", "passed", "undoable", "reveal"}
    assert set(ann) == told
    assert (ann["voted"], ann["left"], ann["undoable"], ann["reveal"]) == (0, 3, False, False)
    assert set(ann["pair"]) == {
        *("place", "seal", "pictures", "passage", "question", "reference", "left", "right"),
        *("training", "earlier"),
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
        ({"what": "all"}, "means nothing"),
        ({"what": "votes"}, "signed out"),
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
    assert "no pair that you were given" in judging.answer(vote(ann, place=place))["error"]
    assert store.standing() == []


@pytest.mark.parametrize("seal", [None, 3, "", "0" * 64, "\ud800"])
def test_a_place_counts_with_its_seal_and_for_its_owner_alone(judging, ann, store, seal):
    bob = judging.answer({"what": "sign in", "name": "Bob", "code": CODE})
    theirs = {name: bob["pair"][name] for name in ("place", "seal")}
    for forged in (vote(ann, seal=seal), vote(ann, **theirs)):
        for what in ("vote", "hold", "undo"):
            answer = judging.answer(forged | {"what": what})
            assert "no pair that you were given" in answer["error"]
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
    before = {"better": "right", "comment": "hm", "said": {}, "left": NO, "right": said}
    assert back["before"] == before
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
    again = {"what": "sign in", "name": " \n aNN\x00 ", "code": CODE}
    typed = ann["personal"].upper().replace("-", " ")
    back = judging.answer({**again, "personal": typed})
    assert back["token"] == ann["token"] and back["pair"] == ann["pair"]


@pytest.mark.parametrize("personal", [None, "", "x", "abcd-efgh-jkmn", 3, ["a"], "x" * 9999])
def test_the_shared_code_gives_nobody_the_votes_of_another(judging, ann, store, personal):
    judging.answer(vote(ann, comment="mine"))
    asked = {"what": "sign in", "name": "ann", "code": CODE, "personal": personal}
    answer = judging.answer(asked)
    assert set(answer) == {"error", "taken"} and "personal code" in answer["error"]
    assert judging.answer({"what": "next", "token": ann["token"]})["voted"] == 1


@pytest.mark.parametrize("personal", ["short", "x" * 65, 3])
def test_a_new_name_is_told_what_a_personal_code_is(judging, personal):
    asked = {"what": "sign in", "name": "Zoe", "code": CODE, "personal": personal}
    assert "has 10 to 64 letters and digits" in judging.answer(asked)["error"]
    assert judging.answer({**asked, "personal": None})["personal"]


def test_the_browsers_own_code_binds_a_name_however_often_it_is_sent(judging):
    asked = {"what": "sign in", "name": "Zoe", "code": CODE, "personal": "abcd-efgh-jkmn"}
    first, again = judging.answer(asked), judging.answer(asked)
    assert first == again and first["personal"] == "abcd-efgh-jkmn"


def test_a_name_from_before_there_were_personal_codes_is_whose_comes_first(judging, store):
    old = store.join("Old")
    signed = judging.answer({"what": "sign in", "name": "Old", "code": CODE})
    assert signed["token"].startswith(f"{old}.") and signed["personal"]
    answer = judging.answer({"what": "sign in", "name": "Old", "code": CODE})
    assert answer["taken"]


def test_the_coordinator_helps_who_lost_a_personal_code(judging, ann, study, store):
    running = Running(study, store, "chief")
    asked = {"code": "chief", "what": "personal", "name": " ann"}
    assert "not the coordinator" in running.answer(asked | {"code": CODE})["error"]
    assert "Nobody" in running.answer(asked | {"name": "Nemo"})["error"]
    new = running.answer(asked)["personal"]
    assert judging.answer({"what": "next", "token": ann["token"]})["signed_out"]
    back = judging.answer({"what": "sign in", "name": "Ann", "code": CODE, "personal": new})
    assert back["pair"] == ann["pair"]


def test_a_paused_study_keeps_what_was_begun_and_a_closed_one_nothing(judging, ann, study, store):
    running = Running(study, store, "chief")

    def turn(state):
        return running.answer({"code": "chief", "what": "state", "turn": state})

    assert running.answer({"code": "chief", "what": "state"}) == {"state": "open"}
    assert turn("paused") == {"state": "paused"} and "error" in turn("ajar")
    after = judging.answer(vote(ann))
    assert after["kept"] and after["pair"] is None and "paused" in after["state"]
    assert "paused" in judging.answer({"what": "undo", "token": ann["token"]})["error"]
    assert len(store.standing()) == 1
    turn("open")
    shown = {"token": ann["token"], **judging.answer({"what": "next", "token": ann["token"]})}
    turn("closed")
    assert "closed" in judging.answer(vote(shown, key="another-key"))["error"]
    assert "closed" in judging.answer({"what": "undo", "token": ann["token"]})["error"]
    assert "closed" in judging.answer({"what": "next", "token": ann["token"]})["state"]
    turn("open")
    assert judging.answer(vote(shown, key="another-key"))["kept"] and len(store.standing()) == 2


def test_a_late_vote_is_kept_where_the_item_is_free(tmp_path, monkeypatch):
    study = make_study(tmp_path / "one", items=1, yaml=YAML + "votes_per_item: 1\n")
    store = open_store(study)
    judging = Judging(study, store, CODE)
    people = []
    for name in ("Ann", "Bob"):
        people.append(judging.answer({"what": "sign in", "name": name, "code": CODE}))
        monkeypatch.setattr(app.study.assignment, "HELD_SECONDS", 0)  # Bob gets what she left open
    ann, bob = people
    assert bob["pair"]["place"] == ann["pair"]["place"]
    monkeypatch.setattr(app.study.assignment, "HELD_SECONDS", 3600)
    assert judging.answer(vote(ann))["kept"] is False  # Bob is at work on it
    monkeypatch.setattr(app.study.assignment, "HELD_SECONDS", 0)
    assert judging.answer(vote(ann, comment="long thought"))["kept"]
    again = vote(ann, comment="long thought")  # as when the answer was lost on its way
    assert judging.answer(again)["kept"]
    assert judging.answer(vote(bob, key="key-of-bob"))["kept"] is False
    (kept,) = store.standing()
    lanes = dict(zip(LANES, texts_of(0), strict=True))
    assert kept["comment"] == "long thought" and lanes[kept["left"]] == ann["pair"]["left"]
    store.close()


def test_who_is_at_work_keeps_the_item(judging, ann, store, monkeypatch):
    asked = {"token": ann["token"], **{name: ann["pair"][name] for name in ("place", "seal")}}
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 3000)
    assert judging.answer({"what": "hold", **asked}) == {"held": True}
    monkeypatch.setattr(time, "time", lambda: now + 6000)
    bob = store.join("Bob")
    given = set()
    while (place := store.next(bob)) is not None:
        given.add(place.id)
        store.vote(f"bob-{place.id}", place.id, bob, better="tie", judged={})
    assert len(given) == 3 and ann["pair"]["place"] not in given


def test_names_are_told_at_the_end_where_that_is_asked(tmp_path):
    """An annotator who knew the sides of an item could tell the next one of it."""
    study = make_study(tmp_path / "other", items=1, yaml=YAML.replace("after vote", "at the end"))
    store = open_store(study)
    judging = Judging(study, store, CODE)
    people = [
        judging.answer({"what": "sign in", "name": name, "code": CODE}) for name in ("Ann", "Bob")
    ]
    asked = {"what": "reveal", "token": people[0]["token"]}
    assert judging.answer(vote(people[0]))["reveal"] is False
    assert "when the study has all" in judging.answer(asked)["error"]
    assert judging.answer(vote(people[1], key="another-key"))["reveal"] is True
    assert judging.answer(asked)["sides"]
    store.close()


def test_earlier_votes_are_listed_and_changed_without_the_later_ones(judging, ann, store):
    shown = ann
    for n in range(3):
        shown = {"token": ann["token"], **judging.answer(vote(shown, key=f"key-number-{n}"))}
    asked = {"token": ann["token"]}
    listed = judging.answer({"what": "votes", **asked})["votes"]
    assert [each["better"] for each in listed] == ["left"] * 3
    first = listed[-1]
    assert first["place"] == ann["pair"]["place"]
    back = judging.answer({"what": "undo", **asked, "place": first["place"], "seal": first["seal"]})
    assert back["pair"] == ann["pair"] and back["voted"] == 2
    judging.answer(vote(ann, key="changed-mind", better="tie"))
    assert sorted(row["better"] == "tie" for row in store.standing()) == [False, False, True]


def test_who_was_signed_in_stays_so_over_a_restart(study, store, judging, ann):
    again = open_store(study)
    assert Judging(study, again, CODE).answer(vote(ann))["kept"]
    again.close()


@pytest.mark.parametrize("file", ["csv", "jsonl", "parquet", "summary"])
def test_the_coordinators_files_come_with_the_code_and_stay_nowhere(
    judging, ann, study, store, file, monkeypatch, tmp_path
):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))
    judging.answer(vote(ann, comment="private words"))
    before = set(study.folder.rglob("*"))
    running = Running(study, store, "chief")
    asked = {"code": "chief", "what": "file", "file": file}
    for code in (None, CODE, "", 3, ["chief"]):
        assert set(running.answer(asked | {"code": code})) == {"error"}
    answer = running.answer(asked)
    content = base64.b64decode(answer["content"])
    assert answer["name"].startswith(study.name) and content
    assert file == "summary" or b"private words" in content
    assert set(study.folder.rglob("*")) == before and not (tmp_path / "gradio").exists()
    for other in ("../csv", None, ["csv"]):
        assert "no such file" in running.answer(asked | {"file": other})["error"]


def test_where_people_sign_in_elsewhere_a_name_is_not_enough(study, store):
    judging = Judging(study, store, None)
    forged = {"what": "sign in", "name": "Ann", "code": "", "known": "Ann"}
    assert "Hugging Face" in judging.answer(forged)["error"]
    signed_in = judging.answer({**forged, "name": "Bob"}, known="Ann")
    assert signed_in["name"] == "Ann" and signed_in["pair"] is not None
    votes = {"what": "votes", "token": signed_in["token"]}
    assert judging.answer(votes, known="Ann")["votes"] == []
    assert judging.answer(votes, known="Bob")["signed_out"]  # in the same browser, after a log-out


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
