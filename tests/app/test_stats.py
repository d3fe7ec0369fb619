"""The statistics of a study against published figures and hand-made ones."""

import pytest

from app.study.stats import (
    TIES,
    Share,
    Vote,
    agreement,
    bootstrap,
    choice_agreement,
    hallucinated,
    hallucination_p,
    items_won,
    left_wins,
    severity_agreement,
    sign_test,
    vote_time_quartiles,
    win_measure,
    win_rate,
)

LANES = ("baseline", "sinktrack")


def votes(*better, item="{}", annotator="ann", left="baseline"):
    right = next(lane for lane in LANES if lane != left)
    return [
        Vote(item.format(number), annotator, left, right, said)
        for number, said in enumerate(better)
    ]


@pytest.mark.parametrize(
    ("count", "total", "low", "high"),
    # Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I, method 3
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_an_interval_is_wilsons(count, total, low, high):
    assert Share(count, total).interval == pytest.approx((low, high), abs=5e-5)


def test_a_share_of_nothing_has_no_value():
    assert Share(0, 0).value is None and Share(0, 0).interval is None


def test_the_sign_test_is_the_published_one():
    """Zar 1999, example 24.11: of ten deer, eight have the longer left hind leg."""
    assert sign_test(8, 2) == sign_test(2, 8) == pytest.approx(0.109375)
    assert sign_test(0, 0) == sign_test(3, 3) == 1
    assert sign_test(10, 0) == pytest.approx(2 / 1024)


def test_alpha_is_krippendorffs_worked_example():
    """Krippendorff 2011, "Computing Krippendorff's alpha-reliability", sections C and D."""
    rows = {
        "A": "123321412...",
        "B": "1233224125.3",
        "C": ".3332342251.",
        "D": "12332441251.",
    }
    told = [
        (str(unit), who, value)
        for who, row in rows.items()
        for unit, value in enumerate(row)
        if value != "."
    ]
    nominal = agreement(told, "12345")
    assert nominal.alpha == pytest.approx(0.743, abs=5e-4)
    assert agreement(told, "12345", "ordinal").alpha == pytest.approx(0.815, abs=5e-4)
    assert nominal.items == 11  # the last unit was judged by one observer alone


def test_agreement_by_hand_and_single_votes_left_out():
    judged = [
        Vote("a", "ann", "baseline", "sinktrack", "sinktrack"),
        Vote("a", "bob", "baseline", "sinktrack", "sinktrack"),
        Vote("a", "eve", "baseline", "sinktrack", "tie"),
        Vote("b", "ann", "baseline", "sinktrack", "tie"),
    ]
    found = choice_agreement(judged, LANES)
    assert (found.items, found.pairs.count, found.pairs.total) == (1, 1, 3)
    assert choice_agreement(judged[3:], LANES).alpha is None
    same = [Vote("a", who, "baseline", "sinktrack", "tie") for who in ("ann", "bob")]
    assert choice_agreement(same, LANES).alpha is None  # nothing to agree about
    assert choice_agreement(same, LANES).pairs.value == 1


def test_severe_is_farther_from_none_than_minor():
    def judged(one, other):
        pairs = [("none", "none"), ("severe", "severe"), (one, other)]
        return [
            Vote(str(item), who, "baseline", "sinktrack", "tie", {"baseline": said})
            for item, pair in enumerate(pairs)
            for who, said in zip(("ann", "bob"), pair, strict=True)
        ]

    near = severity_agreement(judged("none", "minor"), LANES).alpha
    far = severity_agreement(judged("none", "severe"), LANES).alpha
    assert near > far


def test_a_win_rate_counts_what_was_decided():
    judged = votes("sinktrack", "sinktrack", "baseline", "tie", "both bad")
    assert win_rate(judged, "sinktrack") == Share(2, 3)
    assert items_won(judged, "sinktrack") == (2, 1)


def test_an_item_is_won_by_most_of_its_votes():
    judged = votes("sinktrack", "sinktrack", "baseline", "baseline", item="same")
    assert items_won(judged, "sinktrack") == (0, 0)
    assert items_won(judged[:3], "sinktrack") == (1, 0)


def test_the_bootstrap_draws_items_and_not_votes():
    """Ten votes that repeat each other are worth one."""
    single = votes(*["sinktrack", "baseline"] * 20)
    repeated = [
        Vote(vote.item, f"{who}", vote.left, vote.right, vote.better)
        for vote in single
        for who in range(10)
    ]
    low, high = bootstrap(single, win_measure("sinktrack"))
    assert (low, high) == pytest.approx(Share(20, 40).interval, abs=0.03)
    assert bootstrap(repeated, win_measure("sinktrack")) == pytest.approx((low, high))
    assert bootstrap([], win_measure("sinktrack")) is None
    assert bootstrap(votes(*TIES), win_measure("sinktrack")) is None


def test_hallucinations_are_counted_and_compared_item_by_item():
    judged = [
        Vote(
            str(item), "ann", "baseline", "sinktrack", "tie", {"baseline": one, "sinktrack": other}
        )
        for item, (one, other) in enumerate(
            [("severe", "none")] * 4 + [("minor", "none")] * 2 + [("none", "none")] * 3
        )
    ]
    assert hallucinated(judged, "baseline") == Share(6, 9)
    assert hallucinated(judged, "baseline", "severe") == Share(4, 9)
    assert hallucinated(judged, "sinktrack") == Share(0, 9)
    assert hallucination_p(judged, *LANES) == pytest.approx(sign_test(6, 0))
    assert hallucination_p(votes("tie"), *LANES) is None


def test_annotators_agree_or_not_on_the_same_two_answers_alone():
    """Eve compared another pair of the item, and so did not disagree."""
    judged = [
        Vote("a", "ann", "x", "y", "x"),
        Vote("a", "bob", "y", "x", "x"),
        Vote("a", "eve", "x", "z", "z"),
    ]
    found = choice_agreement(judged, ("x", "y", "z"))
    assert found.items == 1 and found.pairs == Share(1, 1)


def test_a_position_bias_shows():
    judged = votes("baseline", "baseline", "baseline", "sinktrack", "tie")
    assert left_wins(judged) == Share(3, 4)
    turned = votes("baseline", "sinktrack", left="sinktrack")
    assert left_wins(turned) == Share(1, 2)


def test_time_is_told_in_quartiles():
    judged = [
        Vote("a", "ann", "baseline", "sinktrack", "tie", seconds=s) for s in (1, 2, 3, 4, None)
    ]
    assert vote_time_quartiles(judged) == (1.75, 2.5, 3.25)
    assert vote_time_quartiles(votes("tie")) is None
