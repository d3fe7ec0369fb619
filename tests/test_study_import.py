"""Answers made elsewhere as a study: read like those that are scored, judged like any other."""

import csv
import json
from contextlib import closing
from dataclasses import replace

import pytest
from PIL import Image
from studies import open_store

from app.study.judging import Judging
from sinktrack import cli
from sinktrack.core.errors import StudyError
from sinktrack.study import imported
from sinktrack.study.asked import UNANSWERABLE
from sinktrack.study.digest import digest
from sinktrack.study.folder import MADE_ELSEWHERE, read_study
from sinktrack.study.items import StudyItem

PASSAGE = "Rollo ruled Normandy. It lies in France."


@pytest.fixture(autouse=True)
def no_model(monkeypatch):
    """Fail when a model is loaded."""
    monkeypatch.setattr("sinktrack.core.models.load", lambda *_, **__: pytest.fail("was loaded"))


def rows(method, count=6, **more):
    """Return rows of answers about a passage."""
    return [
        {"id": f"q/{n}", "question": f"Who {n}?", "passage": PASSAGE, "answer": f"Rollo {n}"}
        | {"pred": f"{method} says {n}"}
        | more
        for n in range(count)
    ]


def write(path, lines):
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return str(path)


def answers(study, at=0):
    found = study.read_prepared(study.items[at])
    return {lane["name"]: lane["text"] for lane in found["lanes"]}


@pytest.fixture
def make(tmp_path, capsys):
    """Return what imports files and reads the study; with `fails` what was said instead."""

    def run(*words, fails=False):
        folder = tmp_path / "my study"
        done = cli.main(["study", "import", str(folder), *map(str, words)])
        said = capsys.readouterr()
        assert done == (2 if fails else 0), said.err
        if fails:
            assert said.err.count("\n") == 1 and not (folder / "study.yaml").exists()
            return said.err
        run.said = said.out
        return read_study(folder)

    return run


@pytest.fixture
def two(tmp_path):
    """Two files of answers."""
    return [write(tmp_path / f"{name}.jsonl", rows(name)) for name in ("plain", "new")]


def test_a_file_is_a_lane(make, two):
    study = make(*two, "--title", "Ours & theirs", "--votes", "3")
    assert study.lanes == {"plain": MADE_ELSEWHERE, "new": MADE_ELSEWHERE}
    assert (study.title, study.votes_per_item, study.model) == ("Ours & theirs", 3, "not known")
    assert [item.name for item in study.items] == [f"q/{n}" for n in range(6)]
    assert study.items[2].passage == PASSAGE and study.items[2].reference == "Rollo 2"
    assert answers(study, 2) == {"plain": "plain says 2", "new": "new says 2"}
    assert "study serve '" in make.said and "my study'" in make.said


def test_it_can_be_judged_and_looked_at_without_attention(make, two):
    study = replace(make(*two), reveal="after vote")
    with closing(open_store(study)) as store:
        judging = Judging(study, store, "code")
        shown = judging.answer({"what": "sign in", "name": "Ada", "code": "code"})
        assert {shown["pair"]["left"][:3], shown["pair"]["right"][:3]} == {"pla", "new"}
        assert "elsewhere" not in json.dumps(shown)
        vote = {
            "what": "vote", "token": shown["token"], "place": shown["pair"]["place"],
            "seal": shown["pair"]["seal"], "key": "k" * 12, "better": "left",
            "left": {"severity": "none"}, "right": {"severity": "none"},
        }  # fmt: skip
        assert judging.answer(vote)["kept"]
        told = judging.answer({"what": "reveal", "token": shown["token"]})
        assert set(told["sides"].values()) == {"plain", "new"}
        assert told["payload"]["parts_at"] is None


def test_no_model_answers_what_was_answered_elsewhere(make, two, capsys):
    study = make(*two)
    assert cli.main(["study", "prepare", str(study.folder)]) == 2
    assert "no model answers its items" in capsys.readouterr().err
    study.prepared(study.items[0]).unlink()
    with pytest.raises(StudyError, match="sinktrack study import '.*my study' FILES"):
        study.read_prepared(study.items[0])


def test_file_names_tell_methods_by_a_pattern(make, tmp_path):
    for method in ("plain", "new"):
        for seed in (1, 2):
            write(tmp_path / f"{method}_{seed}.jsonl", rows(f"{method} {seed}"))
    files = sorted(tmp_path.glob("*_1.jsonl"))
    assert set(make(*files, "--pattern", "{method}_{seed}.jsonl").lanes) == {"plain", "new"}


def test_seeds_and_other_names_tell_lanes_apart_too(make, tmp_path):
    files = [write(tmp_path / f"m_{seed}.jsonl", rows(str(seed))) for seed in (1, 2)]
    assert list(make(*files, "--pattern", "{method}_{seed}.jsonl").lanes) == ["1", "2"]


def test_columns_hold_answers_of_several_methods(make, tmp_path):
    with (tmp_path / "all.csv").open("w", newline="") as out:
        table = csv.writer(out)
        table.writerow(["id", "question", "context", "plain", "ours"])
        table.writerow(["1", "Who?", PASSAGE, "Nobody", "Rollo, of course"])
    study = make(tmp_path / "all.csv", "--answers", "plain", "--answers", "ours")
    assert answers(study) == {"plain": "Nobody", "ours": "Rollo, of course"}


def test_a_column_names_the_method(make, tmp_path):
    lines = [line | {"system": name} for name in ("a", "b") for line in rows(name)]
    study = make(write(tmp_path / "all.jsonl", lines), "--method", "system")
    assert answers(study) == {"a": "a says 0", "b": "b says 0"}


def test_pictures_come_by_name_or_by_id(make, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    for name, colour in (("x.png", "red"), ("q2.jpg", "blue")):
        Image.new("RGB", (40, 40), colour).save(photos / name)
    bare = [
        {"id": "q1", "question": "What?", "image": "images/x.png"},
        {"id": "q2", "question": "Where?"},
    ]
    files = [
        write(tmp_path / f"{name}.jsonl", [line | {"pred": name} for line in bare])
        for name in ("a", "b")
    ]
    assert "--pictures" in make(*files, fails=True)
    study = make(*files, "--pictures", photos)
    assert [image.read_bytes() for item in study.items for image in item.images] == [
        (photos / name).read_bytes() for name in ("x.png", "q2.jpg")
    ]
    visuals = study.read_prepared(study.items[0])["visuals"]
    assert visuals[0]["title"] == "Picture" and visuals[0]["frames"][0].startswith("data:image/")


def test_no_picture_is_taken_from_outside(make, tmp_path):
    (tmp_path / "runs").mkdir()
    Image.new("RGB", (40, 40)).save(tmp_path / "secret.png")
    for image in ("../secret.png", str(tmp_path / "secret.png")):
        line = {"id": 1, "question": "What?", "image": image, "pred": "x"}
        files = [write(tmp_path / "runs" / f"{name}.jsonl", [line]) for name in ("a", "b")]
        assert "there is no picture" in make(*files, fails=True)


def test_a_picture_that_cannot_be_read_is_named(make, tmp_path):
    (tmp_path / "x.png").write_text("<html>")
    line = {"id": 7, "question": "What?", "image": "x.png", "pred": "x"}
    files = [write(tmp_path / f"{name}.jsonl", [line]) for name in ("a", "b")]
    assert "a.jsonl, line 1 (id 7): x.png is not a picture" in make(*files, fails=True)


def test_a_file_of_items_says_what_rows_do_not(make, tmp_path):
    bare = [{"id": n, "pred": f"x{n}"} for n in range(3)]
    files = [write(tmp_path / f"{name}.jsonl", bare) for name in ("a", "b")]
    assert "has no question" in make(*files, fails=True)
    asked = [
        {"id": 1, "question": "Who?", "passage": PASSAGE, "reference": ["Rollo", "Rollo", "He"]},
        {"id": 2, "question": "Where?", "passage": PASSAGE, "reference": [], "tags": ["no"]},
    ]
    study = make(*files, "--items", write(tmp_path / "asked.jsonl", asked))
    assert [item.name for item in study.items] == ["1", "2"]
    assert [item.reference for item in study.items] == ["Rollo / He", UNANSWERABLE]
    assert study.items[1].tags == ("no",)
    assert "because the file of items lacks them: 1." in make.said


@pytest.mark.parametrize("same_ids", [True, False])
def test_squads_own_file_has_the_passages(make, tmp_path, same_ids):
    """Copies of a data set may have ids of their own; then the questions tell."""
    qas = [
        {"id": f"q/{n}" if same_ids else f"z{n}", "question": f"Who {n}?", "answers": []}
        for n in range(4)
    ]
    squad = {"data": [{"paragraphs": [{"context": "Other words.", "qas": qas}]}]}
    (tmp_path / "dev.json").write_text(json.dumps(squad))
    files = [write(tmp_path / f"{name}.jsonl", rows(name)) for name in ("a", "b")]
    study = make(*files, "--items", tmp_path / "dev.json")
    assert [item.name for item in study.items] == [f"q/{n}" for n in range(4)]
    assert {item.passage for item in study.items} == {"Other words."}
    assert ("The ids differ" in make.said) != same_ids


def test_items_can_be_chosen_evenly_or_at_random(make, two, tmp_path):
    assert [item.name for item in make(*two, "--limit", "3").items] == ["q/0", "q/2", "q/4"]
    picked = []
    for _ in range(2):
        (tmp_path / "my study").rename(tmp_path / f"done{len(picked)}")
        study = make(*two, "--limit", "3", "--seed", "5")
        picked.append([item.name for item in study.items])
    assert picked[0] == picked[1] and len(set(picked[0])) == 3


def test_what_not_all_answered_is_left_out_and_said(make, tmp_path):
    one = write(tmp_path / "a.jsonl", [*rows("a"), rows("again")[0]])
    other = write(tmp_path / "b.jsonl", rows("b", 4))
    study = make(one, other)
    assert len(study.items) == 4 and answers(study)["a"] == "a says 0"
    assert "because not all methods answered them: 2." in make.said
    assert "Repeated answers of a, left out: 1." in make.said


def test_options_and_tags_reach_the_annotators(make, tmp_path):
    line = {"index": 1, "question": "Which?", "A": "left", "B": "right", "answer": "B"}
    line |= {"category": "space, order", "context": PASSAGE, "prediction": "A"}
    files = [write(tmp_path / f"{name}.jsonl", [line]) for name in ("a", "b")]
    (item,) = make(*files).items
    assert item.question == "Which?\nA. left\nB. right"
    assert item.reference == "B. right" and item.tags == ("space", "order")


def test_odd_characters_are_cleaned_and_nothing_said_stays_nothing(make, tmp_path):
    odd = write(tmp_path / "a.jsonl", [rows("a", 1)[0] | {"pred": "x\x00\ud800\u202ey"}])
    blank = write(tmp_path / "b.jsonl", [rows("b", 1)[0] | {"pred": " "}])
    assert answers(make(odd, blank)) == {"a": "xy", "b": ""}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["a.jsonl"], "two methods or more"),
        (["a.jsonl", "other.jsonl"], "No item was answered by all"),
        (["a.jsonl", "none.jsonl"], "There is no file"),
        (["a.jsonl", "bare.jsonl"], "has no answer"),
        (["a.jsonl", "b.jsonl", "--pictures", "nowhere"], "There is no folder nowhere"),
        (["a.jsonl", "b.jsonl", "--limit", "0"], "--limit is 0"),
        (["a.jsonl", "b.jsonl", "--votes", "0"], "--votes is 0"),
        (["a.jsonl", "b.jsonl", "--method", "who"], "names no method in 'who'"),
        (["a.jsonl", "b.jsonl", "--items", "other.jsonl"], "none of the answers' ids"),
        (["a.jsonl", "--answers", "pred", "--method", "x"], "leave the other options out"),
        (["a.jsonl", "<b>.jsonl"], "has to be named by"),
    ],
)
def test_what_cannot_be_imported_is_a_sentence(make, tmp_path, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b", "<b>"):
        write(tmp_path / f"{name}.jsonl", rows(name))
    other = [{"id": 99, "question": "When?", "passage": "p", "pred": "y"}]
    write(tmp_path / "other.jsonl", other)
    write(tmp_path / "bare.jsonl", [{"id": 1}])
    found = make(*words, fails=True)
    assert said in found or "no prediction" in found


def test_a_study_that_is_there_is_not_written_over(make, two, capsys):
    study = make(*two)
    before = (study.folder / "items.jsonl").read_bytes()
    assert cli.main(["study", "import", str(study.folder), *two]) == 2
    assert "holds study.yaml already" in capsys.readouterr().err
    assert (study.folder / "items.jsonl").read_bytes() == before


def test_a_digest_changes_with_what_annotators_see_and_with_nothing_else(tmp_path):
    picture, other = tmp_path / "a.png", tmp_path / "b.png"
    picture.write_bytes(b"1")
    other.write_bytes(b"1")
    item = {"name": "x", "question": "What?", "images": (picture,), "passage": "P"}
    said = {"a": "One.", "b": "Two."}
    base = digest(StudyItem(**item), said)
    assert base == "60d0c865f76f332a"  # what is stored with votes must not change
    same = item | {"name": "y", "images": (other,), "reference": "R", "tags": ("t",)}
    assert digest(StudyItem(**same), dict(reversed(said.items()))) == base
    changed = [
        digest(StudyItem(**item | {"question": "Where?"}), said),
        digest(StudyItem(**item | {"passage": "Q"}), said),
        digest(StudyItem(**item | {"images": (picture, picture)}), said),
        digest(StudyItem(**item), said | {"b": "Two"}),
        digest(StudyItem(**item), {"a": "Two.", "b": "One."}),
        digest(StudyItem(**item), {"a": "One."}),
    ]
    other.write_bytes(b"2")
    changed.append(digest(StudyItem(**item | {"images": (other,)}), said))
    assert base not in changed and len(set(changed)) == len(changed)


def test_an_import_that_was_interrupted_is_no_study_and_can_be_made_again(
    make, two, tmp_path, monkeypatch
):
    written, whole = [], imported.payload_of_texts

    def stops(*said):
        written.append(said)
        if len(written) == 3:
            raise KeyboardInterrupt
        return whole(*said)

    monkeypatch.setattr(imported, "payload_of_texts", stops)
    folder = tmp_path / "my study"
    assert cli.main(["study", "import", str(folder), *two]) == 130
    assert len(list((folder / "prepared").iterdir())) == 2
    assert not (folder / "study.yaml").exists() and not (folder / "items.jsonl").exists()
    study = make(*two)
    assert len(study.items) == 6 and answers(study, 5)["new"] == "new says 5"
