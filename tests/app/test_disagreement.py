"""The items that annotators see differently come first, with all that was said of them."""

import pytest
from studies import LANES, make_study, texts_of

from app.study.disagreement import disputes
from app.study.results import answers_of
from app.study.results_page import _table
from app.study.summary import disputed


def kept(item, name, better, severities=("none", "none"), spans=((), ()), comment=""):
    judged = {
        lane: {"severity": severity, "spans": [list(span) for span in own]}
        for lane, severity, own in zip(LANES, severities, spans, strict=True)
    }
    left, right = LANES
    row = {"item": item, "name": name, "better": better, "left": left, "right": right}
    row["again"] = False
    return row | {"judged": judged, "comment": comment}


@pytest.fixture
def study(tmp_path):
    return make_study(tmp_path / "study", items=5)


def test_the_widest_spread_comes_first(study):
    votes = [
        kept("item0", "Ann", "tie"),
        kept("item0", "Bob", "both bad"),  # neither prefers an answer: no spread
        kept("item1", "Ann", "tie"),
        kept("item1", "Bob", "baseline"),
        kept("item2", "Ann", "sinktrack"),
        kept("item2", "Bob", "baseline"),
        kept("item3", "Ann", "tie"),
        kept("item3", "Bob", "baseline", severities=("none", "severe")),
        kept("item4", "Ann", "tie"),  # one vote alone
        kept("gone", "Ann", "tie"),
        kept("gone", "Bob", "baseline"),
    ]
    found = disputes(study, votes, answers_of(study))
    told = [(each.item, each.spread, each.severity_spread) for each in found]
    assert told == [
        ("item2", 1, 0), ("item3", 0.5, 0.5), ("item1", 0.5, 0), ("item0", 0, 0)
    ]  # fmt: skip
    assert [row[0] for row in disputed(found)[1]] == ["item2", "item3", "item1"]
    assert len(disputed(found, most=1)[1]) == 1
    assert [each.item for each in disputes(study, votes, answers_of(study), {"Bob"})] == []


def test_of_three_votes_the_spread_is_the_mean_of_the_pairs(study):
    votes = [
        kept("item0", name, better)
        for name, better in (("Ann", "baseline"), ("Bob", "sinktrack"), ("Eve", "sinktrack"))
    ]
    (found,) = disputes(study, votes, answers_of(study))
    assert found.spread == pytest.approx(2 / 3)


def test_answers_marks_and_comments_stand_beside_the_votes(study):
    votes = [
        kept("item1", "Ann", "baseline", ("minor", "none"), ([(11, 14), (15, 21)], ()), "no star"),
        kept("item1", "Bob", "sinktrack"),
    ]
    (found,) = disputes(study, votes, answers_of(study))
    assert found.question == "What is 1?"
    assert found.answers == dict(zip(LANES, texts_of(1), strict=True))
    ann, bob = found.votes
    assert ann.marked == {"baseline": ("red", "circle"), "sinktrack": ()}
    assert ann.severity["baseline"] == "minor" and ann.comment == "no star" and bob.comment == ""
    ((*_, cell),) = disputed([found])[1]
    assert cell.splitlines()[0] == (
        "Ann: baseline; baseline minor “red” … “circle”; sinktrack none; no star"
    )


def test_a_line_of_its_own_stays_one_on_the_page():
    told = _table("", (["votes", "items"], [["Ann: tie\nBob: <b>", 3]]))
    assert "Ann: tie\nBob: &lt;b&gt;" in told and "<td>3</td>" in told
