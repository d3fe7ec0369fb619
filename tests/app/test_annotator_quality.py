"""What an annotator's votes look like beside the others', by hand."""

import krippendorff
import pytest

from app.study.quality import annotators, first_votes, gold_share, order_effect, self_agreement
from app.study.stats import Share, Vote

LANES = ("x", "y", "z")


def vote(item, who, better, left="x", right="y", seconds=None):
    return Vote(item, who, left, right, better, seconds=seconds)


def test_each_annotator_is_measured_beside_the_others():
    votes = [
        vote("1", "ann", "x", seconds=2.0),
        vote("1", "bob", "x", left="y", right="x"),
        vote("1", "eve", "y"),
        vote("2", "ann", "tie", seconds=4.0),
        vote("2", "bob", "tie"),
        vote("3", "ann", "y", seconds=9.0),
        vote("3", "eve", "z", left="z", right="x"),  # another pair, which is no disagreement
    ]
    ann, bob, eve = annotators(votes, LANES)
    assert (ann.name, ann.votes, ann.seconds, bob.seconds) == ("ann", 3, 4.0, None)
    assert ann.choice.pairs == Share(2, 3) and ann.choice.items == 2
    assert bob.choice.pairs == Share(2, 3) and eve.choice.pairs == Share(0, 2)
    assert ann.left == Share(1, 2) and bob.left == Share(0, 1)
    # ann beside bob, eve, bob: x x, x y, tie tie
    expected = krippendorff.alpha(
        reliability_data=[[0, 0, 3], [0, 1, 3]], level_of_measurement="nominal"
    )
    assert ann.choice.alpha == pytest.approx(expected)


def test_severity_is_compared_answer_by_answer_even_where_pairs_differ():
    """By hand: x is none, none to ann and bob, y minor to ann alone, z severe to bob alone."""
    votes = [
        Vote("1", "ann", "x", "y", "x", {"x": "none", "y": "minor"}),
        Vote("1", "bob", "x", "z", "x", {"x": "none", "z": "severe"}),
        Vote("2", "ann", "x", "y", "x", {"x": "none", "y": "severe"}),
        Vote("2", "bob", "y", "x", "x", {"x": "none", "y": "minor"}),
    ]
    for each in annotators(votes, LANES):
        assert each.severity.pairs == Share(2, 3) and each.severity.items == 3
        assert each.choice.pairs == Share(1, 1)


def test_who_is_left_out_is_still_measured_but_is_nobodys_other():
    votes = [vote("1", "ann", "x"), vote("1", "bob", "x"), vote("1", "eve", "y")]
    ann, bob, eve = annotators(votes, LANES, left_out={"eve"})
    assert ann.choice.pairs == bob.choice.pairs == Share(1, 1)
    assert eve.left_out and eve.choice.pairs == Share(0, 2) and not ann.left_out


def test_known_answers_count_where_they_were_among_the_two():
    gold = {"1": "x", "2": "both bad", "3": "z"}
    votes = [
        vote("1", "ann", "x"),
        vote("1", "bob", "tie"),
        vote("2", "ann", "both bad"),
        vote("3", "ann", "x"),  # z was not shown
        vote("4", "ann", "x"),  # not known
    ]
    assert gold_share(votes, gold) == Share(2, 3)
    assert [each.gold for each in annotators(votes, LANES, gold)] == [Share(2, 2), Share(0, 1)]


def test_a_second_vote_on_the_same_answers_tells_of_the_annotator_alone():
    votes = [
        vote("1", "ann", "x"),
        vote("1", "ann", "x", left="y", right="x"),
        vote("2", "ann", "x"),
        vote("2", "ann", "y"),
        vote("2", "bob", "x"),
        vote("2", "ann", "z", left="z"),
    ]
    assert self_agreement(votes) == Share(1, 2)
    assert [each.better for each in first_votes(votes)] == ["x", "x", "x", "z"]
    ann, bob = annotators(votes, LANES)
    assert ann.votes == 5 and ann.itself == Share(1, 2) and bob.itself == Share(0, 0)
    assert ann.choice.pairs == Share(1, 1)  # the second vote on item 2 is no further chance


def test_an_order_effect_is_no_better_method_that_stood_on_the_left():
    always_x = [vote(str(n), "ann", "x") for n in range(6)] + [vote("6", "ann", "x", "y", "x")]
    assert order_effect(always_x) == 0
    always_left = [vote("1", "ann", "x"), vote("2", "ann", "y", "y", "x")]
    assert order_effect(always_left) == 1
    assert order_effect([vote("1", "ann", "y"), vote("2", "ann", "x", "y", "x")]) == -1
    assert order_effect(always_x[:6]) is None and order_effect([vote("1", "a", "tie")]) is None


def test_an_order_effect_of_several_pairs_is_their_weighted_mean():
    """By hand: pair xy, 1/2 - 0/2 with weight 1; pair xz, 1/1 - 1/1 with weight 1/2."""
    votes = [
        vote("1", "ann", "x"),
        vote("2", "ann", "y"),
        vote("3", "ann", "y", "y", "x"),
        vote("4", "ann", "y", "y", "x"),
        vote("5", "ann", "x", "x", "z"),
        vote("6", "ann", "x", "z", "x"),
    ]
    assert order_effect(votes) == pytest.approx((0.5 * 1 + 0 * 0.5) / 1.5)
