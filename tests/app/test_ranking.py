"""Rankings against counts made by hand, another optimiser, and votes that cannot rank."""

import numpy as np
import pytest
from scipy import optimize

from app.study.ranking import PRIOR, Ranking, count_by_item, fit, rank_methods, win_matrix
from app.study.ranking_figure import ranking_figure
from app.study.stats import Share, Vote

LANES = ("a", "b", "c", "d")


def votes(*told, item="{}"):
    """Return a vote for each text such as "ab a": the left lane, the right one, the better one."""
    return [
        Vote(item.format(number), "ann", each[0], each[1], each[3:])
        for number, each in enumerate(told)
    ]


def simulated(strengths, tie, count, seed, each=6):
    """Return votes as the model has them, and how strong which lane is."""
    chance = np.random.default_rng(seed)
    found = []
    for number in range(count):
        one, other = chance.choice(len(strengths), 2, replace=False)
        odds = np.exp([strengths[one], strengths[other], (strengths[one] + strengths[other]) / 2])
        odds *= [1, 1, tie]
        said = chance.choice([LANES[one], LANES[other], "tie"], p=odds / odds.sum())
        found.append(Vote(str(number // each), "ann", LANES[one], LANES[other], str(said)))
    return found


def penalised(parameters, wins, ties):
    """Return minus the log-likelihood as Davidson writes it, pair by pair, with the prior."""
    worth, tie = np.exp(parameters[:-1]), np.exp(parameters[-1])
    total = 0.0
    for i in range(len(worth)):
        for j in range(i):
            whole = worth[i] + worth[j] + tie * np.sqrt(worth[i] * worth[j])
            total += (wins[i, j] + PRIOR) * np.log(worth[i] / whole)
            total += (wins[j, i] + PRIOR) * np.log(worth[j] / whole)
            total += ties[i, j] * np.log(tie * np.sqrt(worth[i] * worth[j]) / whole)
    return -total


def test_strengths_are_those_that_the_counts_were_made_of():
    """By hand: of worths 4, 1 and 1/4 with nu = 1, wins go 4 : 1, 4 : 1 and 4 : 1/4, ties 2, 2, 1.

    Counts that are exactly what the model expects are most likely under it.
    """
    wins = np.array([[0, 4, 16], [1, 0, 4], [1, 1, 0]], float)
    ties = np.array([[0, 2, 4], [2, 0, 2], [4, 2, 0]], float)
    (strengths,), (tie,) = fit(wins[None], ties[None])
    assert strengths == pytest.approx([np.log(4), 0, -np.log(4)], abs=1e-9)
    assert tie == pytest.approx(1, abs=1e-9)


def test_two_methods_are_apart_by_the_logarithm_of_their_wins():
    """In closed form: exp(s_a - s_b) = 6.5 / 2.5 with the prior, nu = 3 / sqrt(6.5 * 2.5)."""
    told = votes(*["ab a"] * 6, *["ba b"] * 2, "ab tie", "ab tie", "ba both bad")
    found = rank_methods(told, ("a", "b"))
    first, second = found.strengths
    assert first.value - second.value == pytest.approx(np.log(6.5 / 2.5), abs=1e-9)
    assert first.value == -second.value
    assert found.tie == pytest.approx(3 / np.sqrt(6.5 * 2.5), abs=1e-9)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("tie", [0.2, 1.5])
def test_the_fit_is_where_another_optimiser_ends(seed, tie):
    told = simulated([1.2, 0.3, -0.5, -1.0], tie, 90, seed)
    wins, ties = (each.sum(axis=0) for each in count_by_item(told, LANES))
    slow = optimize.minimize(
        penalised,
        np.zeros(5),
        (wins, ties),
        method="Nelder-Mead",
        options={"xatol": 1e-10, "fatol": 1e-13, "maxiter": 20_000, "maxfev": 20_000},
    )
    assert slow.success
    found = rank_methods(told, LANES)
    by_lane = {each.lane: each.value for each in found.strengths}
    expected = slow.x[:-1] - slow.x[:-1].mean()
    assert [by_lane[lane] for lane in LANES] == pytest.approx(list(expected), abs=1e-6)
    assert found.tie == pytest.approx(np.exp(slow.x[-1]), abs=1e-6)


def test_without_ties_it_is_bradleys_and_terrys_model():
    """Against Hunter's algorithm (2004, section 2), the wins with the prior."""
    told = [each for each in simulated([0.8, 0, -0.2, -0.6], 0.5, 80, 4) if each.better != "tie"]
    wins = count_by_item(told, LANES)[0].sum(axis=0) + PRIOR * (1 - np.eye(4))
    worth = np.ones(4)
    for _ in range(5000):
        shared = (wins + wins.T) / (worth[:, None] + worth)
        worth = wins.sum(axis=1) / shared.sum(axis=1)
        worth /= np.exp(np.log(worth).mean())
    found = rank_methods(told, LANES)
    assert found.tie == 0
    by_lane = {each.lane: each.value for each in found.strengths}
    assert [by_lane[lane] for lane in LANES] == pytest.approx(list(np.log(worth)), abs=1e-6)


def test_a_fit_without_a_maximum_is_refused():
    wins = np.array([[[0.0, 3.0], [0.0, 0.0]]])
    with pytest.raises(ValueError, match="Add a prior"):
        fit(wins, np.zeros_like(wins))


def test_intervals_hold_the_strengths_that_votes_were_made_of():
    """Of 80 intervals about 76; fewer than 69 by chance once in 1,000 times."""
    strengths = np.array([0.8, 0.2, -0.3, -0.7])
    held = 0
    for seed in range(20):
        found = rank_methods(simulated(strengths, 0.6, 360, seed), LANES, draws=300)
        for each in found.strengths:
            low, high = each.interval
            held += low <= strengths[LANES.index(each.lane)] <= high
    assert 69 <= held < 80


def test_the_bootstrap_draws_items_and_not_votes():
    """Ten votes that repeat each other are worth one, in all but the prior's weight."""
    single = simulated([0.5, 0, -0.1, -0.4], 0.5, 240, 7, each=1)
    widths = []
    for told in (single, single * 10):
        low, high = rank_methods(told, LANES).strengths[0].interval
        widths.append(high - low)
    assert widths[1] == pytest.approx(widths[0], rel=0.1)  # and not a third of it


def test_a_method_that_never_lost_has_a_finite_strength_and_a_sentence():
    told = votes("ab a", "ac a", "da a", "bc b", "cb c", "bd b", "db d", "cd c", "dc d", "ab tie")
    found = rank_methods(told, LANES)
    assert found.strengths[0].lane == "a" and found.strengths[0].value < 5
    assert all(np.isfinite(each.interval).all() for each in found.strengths)
    (said,) = found.notes
    assert said.startswith("a lost no vote against the other methods.")


def test_groups_that_always_win_and_lose_are_named():
    circle = ["ab a", "ba b", "cd c", "dc d"]
    (said,) = rank_methods(votes(*circle, "ac a", "db b"), LANES).notes
    assert said.startswith("a and b lost no vote against the other methods.")
    first, last = rank_methods(votes("ab a", "bc b", "cb c", "cd c"), LANES).notes
    assert first.startswith("a lost no vote") and last.startswith("d won no vote")
    assert rank_methods(votes("ab a", "bc b", "cd c", "da d"), LANES).notes == ()


def test_groups_that_never_met_cannot_be_ranked():
    found = rank_methods(votes("ab a", "ba b", "cd c", "dc d", "cd tie"), LANES)
    assert found.strengths == () and found.misfit is None
    assert found.notes == (
        "The methods cannot be ranked, because no vote connects a and b with c and d, not even "
        "through another method.",
    )
    unjudged = rank_methods(votes("ab a", "bc c", "ac c"), LANES)
    assert "connects a, b and c with d," in unjudged.notes[0]


@pytest.mark.parametrize("told", [(), ("ab tie", "bc both bad", "cd tie")])
def test_nothing_is_ranked_where_no_vote_prefers_an_answer(told):
    found = rank_methods(votes(*told), LANES)
    assert found.strengths == () and "no vote has preferred an answer" in found.notes[0]


def test_both_bad_counts_as_a_tie():
    decided = ["ab a", "bc c", "ca a", "ab b", "cb b"]
    tie, bad = (rank_methods(votes(*decided, f"ac {said}"), "abc") for said in ("tie", "both bad"))
    assert tie == bad


def test_a_circle_shows_as_a_misfit():
    told = votes(*["ab a"] * 9, *["bc b"] * 9, *["ca c"] * 9)
    found = rank_methods(told, "abc")
    assert [each.value for each in found.strengths] == pytest.approx([0, 0, 0], abs=1e-9)
    assert found.misfit.observed.value in (0, 1) and found.misfit.fitted == pytest.approx(0.5)


def test_the_matrix_counts_what_was_decided():
    told = votes("ab a", "ba a", "ab b", "ab tie", "ac both bad")
    matrix = win_matrix(told, "abc")
    assert matrix["a", "b"] == Share(2, 3) and matrix["b", "a"] == Share(1, 3)
    assert matrix["a", "c"] == matrix["c", "b"] == Share(0, 0) and len(matrix) == 6


def test_the_figure_has_a_dot_and_a_line_a_method_and_takes_names_as_text():
    hostile = "<script>&"
    named = {"a": hostile}
    told = [
        Vote(each.item, "ann", *(named.get(x, x) for x in (each.left, each.right, each.better)))
        for each in simulated([0.5, 0, -0.1, -0.4], 0.5, 60, 1)
    ]
    found = rank_methods(told, (hostile, "b", "c", "d"))
    drawn = ranking_figure(found)
    assert drawn.count("<circle") == 4 and "&lt;script&gt;&amp;" in drawn
    assert "<script" not in drawn
    assert ranking_figure(Ranking((), 0.0, None, ("why",))) == ""
