"""Figures by hand, votes that survive being taken away, and a summary with its limits."""

import csv
import io
import json
from dataclasses import replace

import pandas as pd
import pytest
from studies import LANES, make_study, texts_of

from app.study.methods_section import methods_section
from app.study.results import as_votes, compute_results, export, vote_rows
from app.study.stats import Share
from app.study.summary import progress, summary

JUDGED = {
    "baseline": {"severity": "severe", "spans": [[0, 5], [9, 12]]},
    "sinktrack": {"severity": "none", "spans": []},
}


def kept(item, name, better, left="baseline", **changes):
    row = {
        "key": f"{item}-{name}",
        "item": item,
        "name": name,
        "left": left,
        "right": next(lane for lane in LANES if lane != left),
        "better": better,
        "judged": JUDGED,
        "comment": "",
        "seconds": 4.0,
        "cast": 1_700_000_000.0,
        "revealed": None,
        "again": False,
    }
    return row | changes


@pytest.fixture
def study(tmp_path):
    return make_study(tmp_path / "study", items=4)


@pytest.fixture
def votes():
    return [
        kept("item0", "Ann", "sinktrack"),
        kept("item0", "Bob", "sinktrack", left="sinktrack"),
        kept("item1", "Ann", "sinktrack", comment="=1+1"),
        kept("item1", "Bob", "baseline", revealed=1_700_000_100.0),
        kept("item2", "Ann", "tie", seconds=None),
        kept("item3", "Bob", "both bad", judged={}),
    ]


def test_the_figures_are_those_of_a_hand_count(study, votes):
    found = compute_results(study, as_votes(study, votes))
    everything, even, odd = found.groups
    assert (everything.name, even.name, odd.name) == ("all", "tag0", "tag1")
    assert (everything.items, everything.votes) == (4, 6)
    assert everything.wins == Share(3, 4) and everything.items_won == (1, 0)
    assert everything.said == {"baseline": 1, "sinktrack": 3, "tie": 1, "both bad": 1}
    assert everything.hallucinating == {"baseline": Share(5, 5), "sinktrack": Share(0, 5)}
    assert everything.hallucination_p == pytest.approx(2 / 2**3)  # three items were asked about
    assert (even.votes, even.wins, odd.wins) == (3, Share(2, 2), Share(1, 2))
    assert found.choice.items == 2 and found.choice.pairs == Share(1, 2)
    assert found.left == Share(2, 4) and found.single == 2
    assert found.by_annotator == {"Ann": 3, "Bob": 3}


def test_of_three_lanes_each_pair_has_figures_of_its_own(tmp_path):
    """By hand: a lane's wins over one say nothing of its wins over another."""
    study = make_study(tmp_path / "study", items=4)
    study = replace(study, lanes={"a": None, "b": {}, "c": {"context": "image"}})
    said = {
        ("a", "b"): ["b", "b", "b", "a"],
        ("c", "a"): ["a", "tie", "both bad", "a"],
        ("b", "c"): ["c"],
    }
    votes = [
        kept(f"item{number}", name, better, left=pair[0], right=pair[1], judged={})
        for name, (pair, choices) in zip(("Ann", "Bob", "Eve"), said.items(), strict=True)
        for number, better in enumerate(choices)
    ]
    found = compute_results(study, as_votes(study, votes))
    everything = {pair: groups[0] for pair, groups in found.by_pair().items()}
    assert list(everything) == [("a", "b"), ("a", "c"), ("b", "c")]
    assert [each.wins for each in everything.values()] == [Share(3, 4), Share(0, 2), Share(1, 1)]
    assert everything["a", "c"].said == {"a": 2, "c": 0, "tie": 1, "both bad": 1}
    assert [each.items_won for each in everything.values()] == [(3, 1), (0, 2), (1, 0)]
    assert [each.sign_p for each in everything.values()] == [0.625, 0.5, 1.0]
    assert [each.sign_p_holm for each in everything.values()] == [1.0, 1.0, 1.0]
    assert found.items == 4 and found.single == 9 and found.choice.items == 0
    text = summary(study, found)
    assert "compared answers of two of `a`, `b`, `c`, blind" in text
    assert "## Which answer is better: c beside a" in text and "| p, corrected |" in text
    assert r"| all | 4 | 4 | 0.000 \(0.000 to 0.658; 0 of 2\) |" in text
    answers = {item.name: {lane: f"{lane}!" for lane in study.lanes} for item in study.items}
    rows = vote_rows(study, votes, answers)
    assert list(rows["right"][:5]) == ["b"] * 4 + ["a"]
    assert list(rows.loc[4, ["answer of a", "answer of b", "answer of c"]]) == ["a!", "", "c!"]


def test_several_lanes_are_ranked_and_two_stay_as_they_are(study, tmp_path):
    pairs = [("a", "b"), ("c", "a"), ("b", "c")]
    said = [["a", "a", "b", "a"], ["a", "tie", "both bad", "c"], ["b", "c", "b", "tie"]]
    several = replace(study, lanes={"a": None, "b": {}, "c": {"context": "image"}})
    votes = [
        kept(f"item{number}", name, better, left=left, right=right, judged={})
        for name, (left, right), choices in zip(("Ann", "Bob", "Eve"), pairs, said, strict=True)
        for number, better in enumerate(choices)
    ]
    found = compute_results(several, as_votes(several, votes))
    assert [each.lane for each in found.ranking.strengths] == ["a", "b", "c"]
    assert found.matrix["a", "b"] == Share(3, 4) and found.matrix["c", "a"] == Share(1, 2)
    text = summary(several, found)
    assert "| wins over | a | b | c |" in text and "| rank | method | strength |" in text
    assert "Davidson 1970" in text and "Both bad counts as a tie" in text
    two = compute_results(study, [])
    assert two.ranking is None and "Davidson" not in summary(study, two)


def test_whoever_is_left_out_counts_nowhere_and_the_summary_says_so(study, votes):
    everyone = as_votes(study, votes)
    found = compute_results(study, everyone, {"Bob", "Nobody"})
    alone = compute_results(study, [vote for vote in everyone if vote.annotator == "Ann"])
    assert found.groups == alone.groups and found.left == alone.left
    assert found.left_out == {"Bob": 3} and alone.left_out == {}
    assert [(each.name, each.left_out) for each in found.annotators] == [
        ("Ann", False),
        ("Bob", True),
    ]
    text = summary(study, found)
    assert "Left out of all figures: Bob (3 votes)" in text
    assert "All votes of 1 annotator (3 votes) were left out of all figures." in text
    assert "nobody" in summary(study, alone) and "No vote was left out." in summary(study, alone)


def test_a_vote_on_answers_that_were_judged_before_counts_for_self_agreement_alone(study, votes):
    again = kept("item0", "Ann", "baseline", left="sinktrack", key="again")
    before = compute_results(study, as_votes(study, votes))
    found = compute_results(study, as_votes(study, [*votes, again]))
    assert found.groups == before.groups and found.repeated == 1
    assert found.annotators[0].itself == Share(0, 1)
    assert "1 vote on answers that the same annotator had judged before" in summary(study, found)


def test_known_answers_are_told_by_annotator(study, votes):
    first, second, *others = study.items
    study = replace(study, items=(first, replace(second, better="sinktrack"), *others))
    found = compute_results(study, as_votes(study, votes))
    assert [each.gold for each in found.annotators] == [Share(1, 1), Share(0, 1)]
    assert "| gold |" in summary(study, found)


def test_the_methods_section_tells_what_was_done(study, votes):
    told = methods_section(study, compute_results(study, as_votes(study, votes)))
    for part in (
        "compares 2 methods (baseline and sinktrack) on 4 items",
        "2 annotators gave 6 votes on 4 items: 1 to 2 an item (2 were asked for) and 3 an "
        "annotator (median 3).",
        "turned round",
        "So baseline stood on the left in 83 % of the votes.",
        "(1 tie and 1 vote for both bad count for neither)",
        "exact two-sided sign test over items",
        "1.000 for severity (ordinal, 4 units); what a single annotator judged could not count",
    ):
        assert part in told, told
    assert "Ann" not in told and "Holm" not in told and "pair of methods was the one" not in told


def test_nothing_is_not_an_error(study):
    found = compute_results(study, [])
    assert found.groups[0].wins.value is None and found.seconds is None
    assert "0 votes by 0 annotators" in summary(study, found)


@pytest.mark.parametrize("format_", ["csv", "jsonl", "parquet"])
def test_what_is_taken_away_is_enough_for_the_same_figures(study, votes, format_):
    file = export(vote_rows(study, votes), format_)
    if format_ == "csv":
        rows = list(csv.DictReader(file.decode().splitlines()))
    elif format_ == "jsonl":
        rows = [json.loads(line) for line in file.decode().splitlines()]
    else:
        rows = pd.read_parquet(io.BytesIO(file)).to_dict("records")
    again = [
        kept(
            row["item"],
            row["annotator"],
            row["better"],
            left=row["left"],
            right=row["right"],
            seconds=float(row["seconds"]) if str(row["seconds"]) in ("4.0", "4") else None,
            judged={
                lane: {"severity": row[f"severity of {lane}"]}
                for lane in LANES
                if row[f"severity of {lane}"]
            },
        )
        for row in rows
    ]
    assert compute_results(study, as_votes(study, again)) == compute_results(
        study, as_votes(study, votes)
    )
    assert rows[0]["answer of baseline"] == texts_of(0)[0]
    assert (rows[0]["tags"] if format_ == "csv" else list(rows[0]["tags"])) == (
        "tag0" if format_ == "csv" else ["tag0"]
    )
    assert rows[0]["spans of baseline"] == "0-5 9-12" and rows[0]["right"] == "sinktrack"
    assert rows[0]["cast"] == "2023-11-14T22:13:20.000+00:00"


def test_no_text_becomes_a_formula_in_a_spreadsheet(study, votes):
    file = export(vote_rows(study, votes), "csv")
    rows = list(csv.DictReader(file.decode().splitlines()))
    assert rows[2]["comment"] == "'=1+1"
    whole = json.loads(export(vote_rows(study, votes), "jsonl").decode().splitlines()[2])
    assert whole["comment"] == "=1+1"


def test_a_name_of_digits_stays_text(study, votes):
    """Whoever numbers items 0001 finds them by that name again."""
    study = replace(study, items=[replace(study.items[0], name="0001")])
    rows = vote_rows(study, [kept("0001", "007", "tie")], {"0001": {lane: "" for lane in LANES}})
    told = json.loads(export(rows, "jsonl"))
    assert told["item"] == "0001" and told["annotator"] == "007"
    (read,) = pd.read_parquet(io.BytesIO(export(rows, "parquet"))).to_dict("records")
    assert read["item"] == "0001" and list(read["tags"]) == ["tag0"]


def test_the_summary_says_figures_method_versions_and_limits(study, votes):
    text = summary(study, compute_results(study, as_votes(study, votes)))
    assert "6 votes by 2 annotators on 4 of 4 items" in text
    assert r"| all | 4 | 6 | 0.750 \(0.301 to 0.954; 3 of 4\) |" in text
    for word in ("Krippendorff", "Wilson", "bootstrap", "## Versions", "## Limits", "left answer"):
        assert word in text


def test_a_name_in_the_summary_is_text(study, votes):
    hostile = "![x](http://example.org/x.png) <b> | a"
    votes[0]["name"] = hostile
    text = summary(study, compute_results(study, as_votes(study, votes)))
    assert r"\!\[x\]\(http://example.org/x.png\) \<b\> \| a | 1 |" in text
    assert text.startswith(r"# A \& \<b\>B\</b\>")


def test_progress_is_told_by_tag_and_item(study, votes):
    by_tag, by_item = progress(study, as_votes(study, votes))
    assert by_tag[1] == [["tag0", 2, 3, 4], ["tag1", 2, 3, 4]]
    assert by_item[1][0] == ["item0", "tag0", 2, 2] and by_item[1][2] == ["item2", "tag0", 1, 2]
