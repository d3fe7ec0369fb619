"""Ranks more than two methods by the votes on their pairs. Knows nothing of databases and pages.

The model is Bradley's and Terry's (1952, https://doi.org/10.2307/2334029) with Davidson's ties
(1970, https://doi.org/10.1080/01621459.1970.10481082). A method i has a strength s_i, and of votes
on i and j

    i is better : j is better : a tie  =  exp(s_i) : exp(s_j) : nu exp((s_i + s_j) / 2)

so that of the votes that prefer one the share 1 / (1 + exp(s_j - s_i)) prefers i. "both bad" counts
as a tie: it prefers none. Where a method never lost, the likelihood has no maximum. Every pair that
was compared therefore counts half a win more each way, which keeps all strengths finite.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from app.study.stats import TIES, Share, Vote
from sinktrack.core.errors import listed

PRIOR = 0.5
"""The wins that every compared pair has more, each way."""

DRAWS = 2000
"""How often the bootstrap draws the items."""

_STEPS = 200
_CLOSE = 1e-6
"""Strengths that move less than this have arrived: the next step would be its square."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Strength:
    """How strong a method is beside the others.

    Args:
        lane: The method.
        value: Its strength, a logarithm; the strengths' mean is 0.
        interval: The 95 % percentile interval, items drawn again.
        rank: 1 for the strongest.
        ranks: The 95 % percentile interval of the rank, of the same draws.
    """

    lane: str
    value: float
    interval: tuple[float, float]
    rank: int
    ranks: tuple[int, int]


@dataclass(frozen=True)
class Misfit:
    """The pair whose win rate is farthest from what the strengths say.

    Args:
        lanes: The one that should win, and the other.
        observed: The first one's wins over the other.
        fitted: The share that the strengths say.
    """

    lanes: tuple[str, str]
    observed: Share
    fitted: float


@dataclass(frozen=True)
class Ranking:
    """The methods by strength, and what to know about it.

    Args:
        strengths: The strongest first; empty where the votes cannot rank.
        tie: Davidson's nu. Two methods of one strength tie in nu / (2 + nu) of their votes.
        misfit: How far the worst pair is from the model; None where nothing is ranked.
        notes: Whole sentences: why nothing is ranked, or whose strength rests on the prior.
    """

    strengths: tuple[Strength, ...]
    tie: float
    misfit: Misfit | None
    notes: tuple[str, ...]


def rank_methods(
    votes: Sequence[Vote], lanes: Sequence[str], draws: int = DRAWS, seed: int = 0
) -> Ranking:
    """Rank methods by the votes on their pairs.

    Args:
        votes: All votes that count.
        lanes: The methods, two or more.
        draws: How often the bootstrap draws the items (Efron & Tibshirani 1993, chapter 13).
        seed: Of the draws.

    Returns:
        The ranking; without strengths, and with the reason, where no vote prefers an answer, or
        where the votes do not connect all methods.
    """
    wins, ties = count_by_item(votes, lanes)
    all_wins, all_ties = wins.sum(axis=0), ties.sum(axis=0)
    compared = all_wins + all_wins.T + all_ties > 0
    reason = _cannot(all_wins, compared, lanes)
    if reason:
        return Ranking((), 0.0, None, (reason,))
    prior = PRIOR * compared
    (strengths,), (tie,) = fit((all_wins + prior)[None], all_ties[None])
    chance = np.random.default_rng(seed)
    # how often each item is drawn, (draws, items)
    times = chance.multinomial(len(wins), np.full(len(wins), 1 / len(wins)), size=draws)
    times = times.astype(np.float64)
    drawn_wins, drawn_ties = np.tensordot(times, wins, 1), np.tensordot(times, ties, 1)
    drawn, _ = fit(drawn_wins + prior, drawn_ties, start=(strengths, tie))
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    places = _ranks(drawn)
    first, last = np.quantile(places, [0.025, 0.975], axis=0, method="nearest").astype(int)
    ranks = _ranks(strengths[None])[0]
    found = [
        Strength(
            lane,
            float(strengths[at]),
            (float(low[at]), float(high[at])),
            int(ranks[at]),
            (int(first[at]), int(last[at])),
        )
        for at, lane in enumerate(lanes)
    ]
    return Ranking(
        tuple(sorted(found, key=lambda each: each.rank)),
        float(tie),
        _misfit(votes, lanes, strengths),
        tuple(_resting_on_prior(all_wins, lanes)),
    )


def win_matrix(votes: Iterable[Vote], lanes: Sequence[str]) -> dict[tuple[str, str], Share]:
    """Return how often each method was better than each other, of the votes that preferred one.

    Returns:
        By the method that won and the one that lost; both orders of every pair.
    """
    won, _ = count_by_item(votes, lanes)
    wins = won.sum(axis=0)
    return {
        (lanes[i], lanes[j]): Share(int(wins[i, j]), int(wins[i, j] + wins[j, i]))
        for i in range(len(lanes))
        for j in range(len(lanes))
        if i != j
    }


def count_by_item(votes: Iterable[Vote], lanes: Sequence[str]) -> tuple[Floats, Floats]:
    """Count wins and ties of each item.

    Returns:
        Wins of the second index's method over the third's, (items, methods, methods); and ties,
        alike in both orders, of the same shape.
    """
    place = {lane: at for at, lane in enumerate(lanes)}
    by_item: dict[str, Floats] = {}
    for vote in votes:
        wins, ties = by_item.setdefault(vote.item, np.zeros((2, len(lanes), len(lanes))))
        left, right = place[vote.left], place[vote.right]
        if vote.better in TIES:
            ties[left, right] += 1
            ties[right, left] += 1
        else:
            winner = place[vote.better]
            wins[winner, left + right - winner] += 1
    counts = np.array(list(by_item.values())).reshape(-1, 2, len(lanes), len(lanes))
    return counts[:, 0], counts[:, 1]


def fit(
    wins: Floats, ties: Floats, start: tuple[Floats, float] | None = None
) -> tuple[Floats, Floats]:
    """Fit many tables of counts at once by Newton's method.

    The logarithm of the likelihood is concave in the strengths and in log(nu). Each step d is
    damped by log(1 + r) / r with r = 2 max|d|, with which Newton's method arrives from anywhere
    (Sun & Tran-Dinh 2019, https://arxiv.org/abs/1703.04599, for functions like this one).

    Args:
        wins: Of the second index's method over the third's, (tables, methods, methods).
        ties: Alike in both orders, the same shape.
        start: Strengths, (methods,), and nu to begin with; by default all alike, and 1.

    Returns:
        Strengths with mean 0, (tables, methods); nu, (tables,), 0 where there is no tie.

    Raises:
        ValueError: If there is no maximum, as where a method never lost and no prior is added.
    """
    tables, methods, _ = wins.shape
    votes = wins + wins.transpose(0, 2, 1) + ties
    tied = ties.sum(axis=(1, 2)) / 2  # every pair stands there twice
    begin, nu = start or (np.zeros(methods), 1.0)
    strengths = np.tile(begin, (tables, 1))
    log_tie = np.where(tied > 0, np.log(nu or 1.0), -np.inf)
    for _ in range(_STEPS):
        apart = np.exp((strengths[:, :, None] - strengths[:, None, :]) / 2)
        whole = apart + 1 / apart + np.exp(log_tie)[:, None, None]
        tie = np.exp(log_tie)[:, None, None] / whole  # its probability
        half = apart / whole + tie / 2  # what a vote is expected to give: 1 a win, 1/2 a tie
        slope = np.empty((tables, methods + 1))
        slope[:, :-1] = (wins + ties / 2 - votes * half).sum(axis=2)
        slope[:, -1] = tied - (votes * tie).sum(axis=(1, 2)) / 2
        spread = votes * (half - tie / 4 - half**2)  # the variance of what the votes give
        along = (votes * tie * (0.5 - half)).sum(axis=2)
        curve = np.empty((tables, methods + 1, methods + 1))
        curve[:, :-1, :-1] = 1 - spread  # the 1 keeps the mean at 0
        curve[:, range(methods), range(methods)] += spread.sum(axis=2)
        curve[:, :-1, -1] = curve[:, -1, :-1] = along
        curve[:, -1, -1] = (votes * tie * (1 - tie)).sum(axis=(1, 2)) / 2 + (tied == 0)
        try:
            step = np.linalg.solve(curve, slope[..., None])[..., 0]
        except np.linalg.LinAlgError:
            break
        reach = 2 * np.abs(step).max(axis=1, keepdims=True)
        step *= np.log1p(reach) / np.maximum(reach, 1e-300)
        strengths += step[:, :-1]
        log_tie += step[:, -1]
        if reach.max() < _CLOSE:
            return strengths - strengths.mean(axis=1, keepdims=True), np.exp(log_tie)
    raise ValueError(
        "The likelihood has no maximum: some methods never lost to the others, or were never "
        "compared with them. Add a prior."
    )


def _ranks(strengths: Floats) -> NDArray[np.int64]:
    """Return ranks from 1, (tables, methods)."""
    return np.argsort(np.argsort(-strengths, axis=1, kind="stable"), axis=1) + 1


def _reached(arrows: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which method is reached from which, (methods, methods)."""
    reached = arrows | np.eye(len(arrows), dtype=bool)
    for at in range(len(arrows)):
        reached |= reached[:, at, None] & reached[None, at]
    return reached


def _cannot(wins: Floats, compared: NDArray[np.bool_], lanes: Sequence[str]) -> str:
    """Return why methods cannot be ranked; nothing where they can."""
    if not wins.any():
        return "The methods cannot be ranked, because no vote has preferred an answer yet."
    connected = _reached(compared)
    if connected.all():
        return ""
    there = [lane for lane, yes in zip(lanes, connected[0], strict=True) if yes]
    others = [lane for lane in lanes if lane not in there]
    return (
        f"The methods cannot be ranked, because no vote connects {listed(there)} with "
        f"{listed(others)}, not even through another method."
    )


def _resting_on_prior(wins: Floats, lanes: Sequence[str]) -> Iterable[str]:
    """Yield a sentence for each group whose strength the likelihood alone leaves infinite."""
    beats = wins > 0
    reached = _reached(beats)
    groups = {tuple(np.flatnonzero(row).tolist()) for row in reached & reached.T}
    ordered = sorted(groups, key=lambda group: (len(group), group))
    if len(ordered) < 3:  # what one of two groups did says what the other did
        ordered = ordered[: len(ordered) - 1]
    for group in ordered:
        names = listed([lanes[at] for at in group])
        own = np.isin(np.arange(len(lanes)), group)
        for did, arrows, bound in (("lost", beats.T, "least"), ("won", beats, "most")):
            if not arrows[own][:, ~own].any():
                yield (
                    f"{names} {did} no vote against the other methods. How far apart they are "
                    f"rests on the half win that each pair has more: take it for the {bound} that "
                    f"{names} may have."
                )


def _misfit(votes: Sequence[Vote], lanes: Sequence[str], strengths: Floats) -> Misfit:
    value = dict(zip(lanes, strengths, strict=True))
    observed = win_matrix(votes, lanes)
    found = []
    for pair in combinations(sorted(lanes, key=lambda lane: -value[lane]), 2):
        share = observed[pair]
        if share.value is not None:
            fitted = float(1 / (1 + np.exp(value[pair[1]] - value[pair[0]])))
            found.append((abs(share.value - fitted), Misfit(pair, share, fitted)))
    return max(found, key=lambda each: each[0])[1]
