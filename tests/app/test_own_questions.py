"""Answers to a study's own questions: checked, kept by lane, given back by side, and counted."""

import json

import pandas as pd
import pytest
from studies import CODE, LANES, YAML, make_study, open_store

from app.study.judging import Judging
from app.study.results import as_votes, compute_results, export, vote_rows
from app.study.results_page import ResultsPage
from app.study.stats import Share
from app.study.summary import summary

QUESTIONS = """
ask: []
questions:
  - {name: fluent, ask: "Which <i>reads</i> better?", kind: choice, options: [left, right, same]}
  - {name: tone, ask: "What tone?", of: answer, kind: choice, options: [low, loud], required: false}
  - {name: useful, ask: "How useful?", kind: scale, of: answer, points: 7, ends: [not, very]}
  - {name: hard, ask: "How hard is it?", kind: scale, ends: [not, very], required: false}
  - {name: why, ask: "Why?", kind: text, required: false}
"""
SAID = {
    "fluent": "left",
    "tone": {"left": "low", "right": None},
    "useful": {"left": 2, "right": 7},
    "hard": None,
    "why": " =so\x00 ",
}


@pytest.fixture
def study(tmp_path):
    return make_study(tmp_path / "study", items=4, yaml=YAML + QUESTIONS)


def vote(shown, said=SAID, key="0123456789abcdef", **changes):
    pair = shown["pair"]
    return {
        **{"what": "vote", "token": shown["token"], "key": key, "better": "tie", "said": said},
        **{"place": pair["place"], "seal": pair["seal"], **changes},
    }


def lanes_of(pair):
    """Return the lane on each side, which the texts of a made-up study tell."""
    left = LANES[0] if "red" in pair["left"] else LANES[1]
    return left, next(lane for lane in LANES if lane != left)


def test_sides_are_kept_as_lanes_and_come_back_as_sides(judging, store, ann):
    left, right = lanes_of(ann["pair"])
    assert judging.answer(vote(ann))["kept"]
    (kept,) = store.standing()
    assert kept["said"] == {
        "fluent": left,
        "tone": {left: "low"},
        "useful": {left: 2, right: 7},
        "why": "=so",
    }
    before = judging.answer({"what": "undo", "token": ann["token"]})["before"]
    assert before["said"] == {
        "fluent": "left",
        "tone": {"left": "low"},
        "useful": {"left": 2, "right": 7},
        "why": "=so",
    }


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"fluent": None}, "Answer “Which <i>reads</i> better?” first."),
        ({"fluent": "baseline"}, "“Which <i>reads</i> better?” has other answers"),
        ({"fluent": ["left"]}, "has other answers"),
        ({"tone": {"left": "left", "right": "low"}}, "of the left answer has other answers"),
        ({"useful": {"left": 3}}, "Answer “How useful?” of the right answer first."),
        ({"useful": 3}, "of the left answer first"),
        ({"useful": {"left": 3, "right": 8}}, "of the right answer has other answers"),
        ({"useful": {"left": 3, "right": True}}, "has other answers"),
        ({"useful": {"left": 3, "right": 2.0}}, "has other answers"),
        ({"hard": 0}, "has other answers"),
        ({"why": "x" * 5001}, "“Why?” has at most 5000 characters"),
        ({"why": 3}, "“Why?”"),
    ],
)
def test_what_is_no_answer_is_refused(judging, store, ann, change, words):
    answer = judging.answer(vote(ann, SAID | change))
    assert words in answer["error"] and store.standing() == []


@pytest.mark.parametrize("said", [None, [], "all", 3])
def test_answers_that_are_none_are_refused(judging, ann, said):
    assert set(judging.answer(vote(ann, said))) == {"error"}


def test_a_study_without_questions_keeps_none(tmp_path):
    study = make_study(tmp_path / "plain", yaml=YAML + "ask: []\n")
    store = open_store(study)
    judging = Judging(study, store, CODE)
    ann = judging.answer({"what": "sign in", "name": "Ann", "code": CODE})
    assert judging.answer(vote(ann))["kept"]
    assert store.standing()[0]["said"] is None
    store.close()


def kept(item, name, said, left="baseline", **changes):
    right = next(lane for lane in LANES if lane != left)
    row = {"key": f"{item}-{name}", "item": item, "name": name, "left": left, "right": right}
    row |= {"better": "tie", "judged": {}, "comment": "", "seconds": None, "cast": 1.7e9}
    return row | {"revealed": None, "again": False, "said": said} | changes


@pytest.fixture
def votes():
    both = {"baseline": 2, "sinktrack": 6}
    return [
        kept("item0", "Ann", {"fluent": "sinktrack", "useful": both, "why": "=so"}),
        kept("item0", "Bob", {"fluent": "sinktrack", "useful": both}, left="sinktrack"),
        kept("item1", "Ann", {"fluent": "same", "useful": {"baseline": 5}, "hard": 4}),
        kept("item2", "Ann", {"fluent": "gone since", "useful": "high"}),
        kept("item3", "Ann", None),
    ]


def test_figures_are_those_of_a_hand_count(study, votes):
    fluent, tone, useful, hard = compute_results(study, as_votes(study, votes)).own
    assert fluent.shares == {
        "": {"baseline": Share(0, 3), "sinktrack": Share(2, 3), "same": Share(1, 3)}
    }
    assert tone.shares == {lane: {"low": Share(0, 0), "loud": Share(0, 0)} for lane in LANES}
    assert useful.means["baseline"][:2] == (3, 3.0)
    low, high = useful.means["baseline"][2]
    assert (low, high) == (2.0, 5.0)  # item0 alone, item1 alone
    assert useful.means["sinktrack"] == (2, 6.0, (6.0, 6.0))
    assert hard.means == {"": (1, 4.0, (4.0, 4.0))}
    out = compute_results(study, as_votes(study, votes), ["Bob"]).own
    assert out[0].shares[""]["sinktrack"] == Share(1, 2)


def test_of_three_lanes_a_side_counts_of_the_votes_that_saw_it(tmp_path, votes):
    yaml = YAML.replace("lanes: {", "lanes: {third: , ") + QUESTIONS
    study = make_study(tmp_path / "three", yaml=yaml)
    found = compute_results(study, as_votes(study, votes)).own[0]
    assert found.shares[""]["third"] == Share(0, 0)
    assert found.shares[""]["sinktrack"] == Share(2, 3)


def test_tables_and_summary_tell_them_as_text(study, store, votes):
    found = compute_results(study, as_votes(study, votes))
    told = summary(study, found)
    assert r"## Which \<i\>reads\</i\> better?" in told
    assert r"| sinktrack | 0.667 \(2 of 3\) |" in told
    assert r"| baseline | 3 | 3.00 | 2.00 to 5.00 |" in told
    assert "mean, from 1 \\(not\\) to 7 \\(very\\)" in told
    assert "They were also asked: “Which" in told and "“Why?”" in told
    page = ResultsPage(study, store, CODE)._tables(votes, as_votes(study, votes), found)
    assert "Which &lt;i&gt;reads&lt;/i&gt; better?" in page and "<i>" not in page


def test_every_answer_is_exported(study, votes):
    rows = vote_rows(study, votes)
    assert rows["said fluent"].tolist() == ["sinktrack", "sinktrack", "same", "gone since", ""]
    assert rows["said useful of baseline"].dropna().tolist() == [2, 2, 5]
    line = json.loads(export(rows, "jsonl").decode().splitlines()[0])
    assert line["said useful of sinktrack"] == 6 and line["said hard"] is None
    assert line["said why"] == "=so" and line["said tone of baseline"] == ""
    header, first, *_ = export(rows, "csv").decode().splitlines()
    cells = dict(zip(header.split(","), first.split(","), strict=True))
    assert cells["said useful of sinktrack"] == "6" and cells["said why"] == "'=so"
    assert vote_rows(study, []).empty
    assert isinstance(export(rows, "parquet"), bytes)
    assert isinstance(rows["said hard"].dtype, pd.Int64Dtype)
