"""How sure a measure is, and whether two methods differ. Knows numerators and denominators alone.

A measure is a ratio of sums over items: the numerators' over the denominators'. Where every item
counts as 0 or 1 of 1, the measure is a rate, and the binomial distribution gives an interval and an
exact test. For any other ratio items are drawn again, or the answers of an item are exchanged.

| | a rate, such as accuracy | any other ratio, such as CHAIR_i |
|---|---|---|
| 95 % interval | Wilson's score interval | percentile bootstrap over items |
| difference of two methods | paired percentile bootstrap over items | the same |
| two methods | McNemar's exact test | paired permutation test over items |
| many comparisons | Holm's step-down procedure | the same |
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from sinktrack.eval.task import Scores

Pair = tuple[float, float]
"""One item's numerator and denominator."""

_BATCH = 500
"""How many draws are held in memory at once."""

_MANY = 500
"""Items that differ, above which exchanges are drawn as bits: many times as fast."""


def ratio(scores: Sequence[Pair]) -> float | None:
    """Return the sum of numerators over the sum of denominators; None where that is zero."""
    numerator, denominator = _array(scores).sum(axis=0)
    return float(numerator / denominator) if denominator else None


def mean_scores(answers: Sequence[Scores]) -> Scores:
    """Return the mean scores of one item's answers, so that the item stays what is drawn."""
    sums: dict[str, Pair] = {}
    for scores in answers:
        for measure, (above, below) in scores.items():
            before = sums.get(measure, (0.0, 0.0))
            sums[measure] = (before[0] + above, before[1] + below)
    count = len(answers)
    return {measure: (above / count, below / count) for measure, (above, below) in sums.items()}


def pairs_of(items: Sequence[Scores], measure: str) -> list[Pair]:
    """Return one measure of every item; (0, 0) where an item has none of the kind."""
    return [scores.get(measure, (0.0, 0.0)) for scores in items]


def summed(pairs: Sequence[Pair], clusters: Sequence[str]) -> list[Pair]:
    """Return the sums of each cluster's pairs, in order of the clusters' first item.

    Items of a cluster, such as the questions about one picture, are not independent. An interval or
    a test of the sums draws or exchanges whole clusters.

    Args:
        pairs: One an item.
        clusters: One name an item.
    """
    sums: dict[str, Pair] = {}
    for cluster, (above, below) in zip(clusters, pairs, strict=True):
        before = sums.get(cluster, (0.0, 0.0))
        sums[cluster] = (before[0] + above, before[1] + below)
    return list(sums.values())


def interval(scores: Sequence[Pair], draws: int = 2000, seed: int = 0) -> tuple[float, float]:
    """Return the 95 % interval of a ratio.

    A rate gets Wilson's score interval (`scipy.stats.binomtest`, `proportion_ci`), which holds its
    level near 0 and 1 and is never empty there (Newcombe 1998,
    https://pubmed.ncbi.nlm.nih.gov/9595616/). So does a ratio of 0 or 1 to which every item agrees,
    where drawing items again would show no doubt. Any other ratio gets the percentile bootstrap
    (`scipy.stats.bootstrap`; Efron & Tibshirani 1993, chapter 13), which draws whole items, since
    the mentions of one answer are not independent.

    Args:
        scores: One numerator and denominator an item, some denominator above 0. Items of (0, 0)
            add nothing and are left out.
        draws: How often the bootstrap draws the items.
        seed: Of the bootstrap.

    Returns:
        Low and high; both the value itself where a single item counts and the ratio is no rate.
    """
    values = _array(scores)
    values = values[values.any(axis=1)]
    numerators, denominators = values.T
    never, always = not numerators.any(), bool((numerators == denominators).all())
    if never or always or _is_rate(values):
        often = len(values) * always if never or always else int(numerators.sum())
        rate = stats.binomtest(often, len(values))
        low, high = rate.proportion_ci(0.95, method="wilson")
    elif len(values) == 1:
        low = high = numerators[0] / denominators[0]
    else:
        low, high = stats.bootstrap(
            (numerators, denominators),
            lambda numerators, denominators, axis: numerators.sum(axis) / denominators.sum(axis),
            paired=True,
            vectorized=True,
            method="percentile",
            n_resamples=draws,
            batch=_BATCH,
            random_state=np.random.default_rng(seed),
        ).confidence_interval
    return float(low), float(high)


def difference_interval(
    first: Sequence[Pair], second: Sequence[Pair], draws: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """Return the 95 % interval of the second method's ratio minus the first's.

    The percentile bootstrap over items, with the answers of both methods to an item drawn together
    (Efron & Tibshirani 1993, chapter 13). Draws in which either ratio has no denominator are left
    out. Where no item differs, low and high are both 0.

    Args:
        first: One method's scores, their denominators not all 0.
        second: The other method's, of the same items in the same order.
        draws: How often the items are drawn.
        seed: Of the draws.
    """
    times = _times_drawn(len(first), draws, seed)
    one, other = times @ _array(first), times @ _array(second)  # (draws, 2)
    whole = (one[:, 1] > 0) & (other[:, 1] > 0)
    one, other = one[whole], other[whole]
    low, high = np.quantile(other[:, 0] / other[:, 1] - one[:, 0] / one[:, 1], [0.025, 0.975])
    return float(low), float(high)


@lru_cache(maxsize=2)
def _times_drawn(items: int, draws: int, seed: int) -> NDArray[np.float64]:
    """Return how often each draw holds each item, (draws, items): the same for all measures."""
    chance = np.random.default_rng(seed)
    drawn = chance.multinomial(items, np.full(items, 1 / items), size=draws)
    return drawn.astype(np.float64)


def paired_p(
    first: Sequence[Pair], second: Sequence[Pair], draws: int = 5000, seed: int = 0
) -> float:
    """Return the two-sided p-value of no difference between two methods' ratios.

    The methods answered the same items, so the tests compare the two answers of each item. Two
    rates are compared by McNemar's exact test, which is a sign test of the items that one method
    alone got right (`scipy.stats.binomtest`). Two other ratios are compared by a permutation test
    that exchanges the two answers of an item at random (`scipy.stats.permutation_test`;
    Noreen 1989, approximate randomization).

    Args:
        first: One method's scores.
        second: The other method's, of the same items in the same order.
        draws: How often the permutation test exchanges answers. It does so 20 times as often where
            that gives less than 0.01, because its smallest p-value is one over their number, which
            a correction for many tests multiplies. It tries every exchange instead where there are
            no more than that.
        seed: Of the permutation test.
    """
    methods = np.stack([_array(first), _array(second)])  # (2, items, 2)
    methods = methods[:, methods.any(axis=(0, 2))]
    differences = methods[0] - methods[1]
    differences = differences[differences.any(axis=1)]  # (items that differ, 2)
    if len(differences) < 2:  # one exchange only turns the methods round
        return 1.0
    if _is_rate(methods[0]) and _is_rate(methods[1]):
        better = int((differences[:, 0] > 0).sum())
        return float(stats.binomtest(better, len(differences)).pvalue)
    middle = methods.mean(axis=0).sum(axis=0)  # (2,), halfway between the methods' sums

    def distance(signs: NDArray[Any], axis: int) -> NDArray[Any]:
        """Return how far the methods' ratios are apart, -1 marking items that are exchanged."""
        half = signs @ differences / 2  # (..., 2)
        numerators, denominators = np.moveaxis(np.stack([middle + half, middle - half]), -1, 0)
        ratios = numerators / np.maximum(denominators, 1e-12)
        distances: NDArray[Any] = np.abs(ratios[0] - ratios[1])
        return distances

    def exchanged(times: int) -> float:
        if len(differences) > _MANY:
            return _exchanged_often(differences, distance, times, seed)
        # with a single sample scipy turns signs, and a distance has none: "greater" counts both
        found = stats.permutation_test(
            (np.ones(len(differences)),),
            distance,
            permutation_type="samples",
            alternative="greater",
            vectorized=True,
            n_resamples=times,
            batch=_BATCH,
            random_state=np.random.default_rng(seed),
        )
        return float(found.pvalue)

    p = exchanged(draws)
    return p if p >= 0.01 else exchanged(20 * draws)


def _exchanged_often(
    differences: NDArray[np.float64],
    distance: Callable[[NDArray[Any], int], NDArray[Any]],
    times: int,
    seed: int,
) -> float:
    """Return the permutation test's p for many items, the observed order counted as one draw.

    Args:
        differences: Of the items that differ, (items, 2).
        distance: Takes signs, (draws, items), and the axis of the items.
        times: How often to exchange.
        seed: Of the draws.
    """
    chance = np.random.default_rng(seed)
    items = len(differences)
    # draws that exchange the same items add up in another order
    least = distance(np.ones((1, items)), -1)[0] * (1 - 1e-9)
    as_far = 1
    for start in range(0, times, _BATCH):
        draws = min(_BATCH, times - start)
        drawn = chance.integers(0, 256, size=(draws, -(-items // 8)), dtype=np.uint8)
        bits = np.unpackbits(drawn, axis=1, count=items)  # (draws, items)
        as_far += int((distance(2.0 * bits - 1.0, -1) >= least).sum())
    return as_far / (times + 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for how many there are, in the same order.

    A corrected value of at most 0.05 keeps the chance of even one false claim among all of them at
    5 %, however they depend on each other. The smallest is multiplied by their number, the next by
    one less and so on, and none falls below the one before. Source: Holm 1979, "A Simple
    Sequentially Rejective Multiple Test Procedure", https://www.jstor.org/stable/4615733.
    """
    corrected = [0.0] * len(p_values)
    least = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        least = max(least, min(1.0, (len(p_values) - rank) * p_values[place]))
        corrected[place] = least
    return corrected


def _array(scores: Sequence[Pair]) -> NDArray[np.float64]:
    """Return scores as (items, 2)."""
    return np.array(scores, dtype=np.float64).reshape(-1, 2)


def _is_rate(values: NDArray[np.float64]) -> bool:
    """Whether every item of (items, 2) counts as 0 or 1 of 1."""
    return bool(np.isin(values[:, 0], (0, 1)).all() and (values[:, 1] == 1).all())
