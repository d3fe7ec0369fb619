"""The coordinator takes away all votes there ever were, or those of one person."""

import base64
import csv
import io
import json
import uuid

import pytest
from studies import make_study, open_store

from app.study.results import as_votes, compute_results
from app.study.results_page import _asked_of_files
from app.study.running import Running
from app.study.summary import annotators


@pytest.fixture
def study(tmp_path):
    return make_study(tmp_path / "a study? #1")


@pytest.fixture
def store(study):
    """Ann has voted three times, and changed her first vote; "Zoe/=1" has voted once."""
    store = open_store(study)
    ann, zoe = store.join("Ann"), store.join("Zoe/=1")
    for who, most in ((ann, 3), (zoe, 1)):
        for _ in range(most):
            cast(store, who, store.next(who), "tie")
    first = store.given(ann)[-1]["place"]
    store.undo(ann, first)
    cast(store, ann, store.next(ann), "both bad")
    yield store
    store.close()


def cast(store, who, place, better):
    assert store.vote(
        uuid.uuid4().hex, place.id, who, better=better, judged={}, seconds=12.34, comment="ok"
    )


def test_a_folder_may_have_any_name(study, store):
    assert (study.folder / "votes.sqlite").is_file() and len(store.standing()) == 4
    assert not list(study.folder.parent.glob("a study")) and "?" in study.folder.name


def taken(study, store, file, **more):
    answer = Running(study, store, "c").answer({"code": "c", "what": "file", "file": file, **more})
    return answer["name"].removeprefix(f"{study.name}-"), base64.b64decode(answer["content"])


@pytest.mark.parametrize("file", ["csv", "jsonl", "parquet"])
def test_the_history_has_every_vote_and_when_it_was_taken_back(study, store, file):
    name, content = taken(study, store, file, history=True)
    assert name == f"history.{file}" and content
    if file == "parquet":
        return
    text = content.decode()
    rows = list(csv.DictReader(io.StringIO(text))) if file == "csv" else []
    rows = rows or [json.loads(line) for line in text.splitlines()]
    anns = [row for row in rows if row["annotator"] == "Ann"]
    assert [int(row["sequence"]) for row in anns] == [1, 2, 3, 4] and len(rows) == 5
    assert [bool(row["undone"]) for row in anns] == [True, False, False, False]
    assert anns[0]["undone"] > anns[0]["cast"] and anns[0]["item"] == anns[3]["item"]
    assert [row["better"] for row in anns] == ["tie", "tie", "tie", "both bad"]
    assert {len(row["pair"]) for row in rows} == {16}
    assert {str(row["apart"]) for row in rows} == {"False"}


def test_the_votes_that_stand_and_those_of_one_person(study, store):
    name, content = taken(study, store, "jsonl")
    rows = [json.loads(line) for line in content.decode().splitlines()]
    assert name == "votes.jsonl" and len(rows) == 4 and not any(row["undone"] for row in rows)
    name, content = taken(study, store, "jsonl", annotator="Zoe/=1")
    (row,) = [json.loads(line) for line in content.decode().splitlines()]
    assert row["annotator"] == "Zoe/=1" and name == "votes-Zoe%2F%3D1.jsonl"
    name, content = taken(study, store, "jsonl", annotator="Ann", history=True)
    assert name == "history-Ann.jsonl" and content.decode().count("\n") == 4
    for other in ("Nobody", 3, ["Ann"]):
        _, content = taken(study, store, "jsonl", annotator=other)
        assert content.decode().count("Zoe") == (other != "Nobody")


def test_the_page_is_told_who_has_voted(study, store):
    told = json.loads(_asked_of_files(study, {"Ann"}, {row["name"] for row in store.history()}))
    assert (told["ranked"], told["left_out"]) == (False, ["Ann"])
    assert told["people"] == ["Ann", "Zoe/=1"]


def test_a_persons_median_time_has_one_decimal(study, store):
    head, rows = annotators(compute_results(study, as_votes(study, store.standing())))
    assert [row[head.index("median time, s")] for row in rows] == ["12.3", "12.3"]
