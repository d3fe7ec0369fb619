"""What the votes of a study say, and how sure that is. Knows nothing of databases and pages.

Several annotators judge one item, so votes on it are not independent: what is tested counts items,
and the bootstrap draws items.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import krippendorff
import numpy as np

from sinktrack.study.fields import TIES as TIES

SEVERITIES = ("none", "minor", "severe")
DRAWS = 10_000
"""How often the bootstrap draws the items."""
_Z95 = 1.959963984540054
"""The normal distribution's 97.5 % point."""


@dataclass(frozen=True)
class Vote:
    """What one annotator said about one item, the sides turned back into lanes.

    Args:
        item: The item's name.
        annotator: Who judged.
        left: The lane that stood on the left.
        right: The lane that stood on the right.
        better: The lane that was preferred, "tie" or "both bad".
        severity: How badly each lane hallucinates, one of SEVERITIES; empty if that was not asked.
        seconds: From the showing of the pair to the vote.
        tags: The item's.
        said: The answers to the study's own questions, as `app.study.own_questions` keeps them.
    """

    item: str
    annotator: str
    left: str
    right: str
    better: str
    severity: dict[str, str] = field(default_factory=dict)
    seconds: float | None = None
    tags: tuple[str, ...] = ()
    said: Mapping[str, Any] = field(default_factory=dict)

    @property
    def pair(self) -> frozenset[str]:
        """The two lanes that were compared."""
        return frozenset((self.left, self.right))

    @property
    def compared(self) -> str:
        """What was judged: votes agree or not where this is the same."""
        return "\n".join((self.item, *sorted(self.pair)))


@dataclass(frozen=True)
class Share:
    """A share with its 95 % interval: `count` of `total`."""

    count: int
    total: int

    @property
    def value(self) -> float | None:
        """The share; None of nothing."""
        return self.count / self.total if self.total else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Wilson's score interval (Wilson 1927; Newcombe 1998, method 3); None of nothing."""
        if not self.total:
            return None
        n, p, z2 = self.total, self.count / self.total, _Z95**2
        middle = (p + z2 / (2 * n)) / (1 + z2 / n)
        half = _Z95 / (1 + z2 / n) * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
        # at the ends the formula gives 0 and 1 but for the last digit
        low = 0.0 if self.count == 0 else middle - half
        return low, 1.0 if self.count == n else middle + half


def sign_test(first: int, second: int) -> float:
    """Return the exact two-sided p-value of as uneven a split of first + second fair coins.

    Of discordant pairs this is McNemar's exact test.
    """
    n = first + second
    tail = sum(math.comb(n, k) for k in range(min(first, second) + 1))
    return min(1.0, float(2 * tail / 2**n))


def win_rate(votes: Iterable[Vote], lane: str) -> Share:
    """Return how often a lane was the better one, of the votes that preferred one."""
    decided = [vote for vote in votes if vote.better not in TIES]
    return Share(sum(vote.better == lane for vote in decided), len(decided))


def items_won(votes: Iterable[Vote], lane: str) -> tuple[int, int]:
    """Return on how many items most of the deciding votes went to a lane, and against it."""
    balance: dict[str, int] = {}
    for vote in votes:
        if vote.better not in TIES:
            balance[vote.item] = balance.get(vote.item, 0) + (1 if vote.better == lane else -1)
    return sum(sign > 0 for sign in balance.values()), sum(sign < 0 for sign in balance.values())


def bootstrap(
    votes: Sequence[Vote],
    measure: Callable[[Vote], tuple[float, float]],
    draws: int = DRAWS,
    seed: int = 0,
) -> tuple[float, float] | None:
    """Return the 95 % percentile interval of a ratio of sums, items drawn with repetition.

    Args:
        votes: All votes.
        measure: A vote's numerator and denominator.
        draws: How often the items are drawn.
        seed: Of the draws.

    Returns:
        Low and high; None where every draw has a denominator of zero.
    """
    sums: dict[str, np.ndarray] = {}
    for vote in votes:
        sums[vote.item] = sums.get(vote.item, np.zeros(2)) + measure(vote)
    if not sums:
        return None
    values = np.stack(list(sums.values()))
    chance = np.random.default_rng(seed)
    # how often each item is drawn, (draws, items)
    times = chance.multinomial(len(values), np.full(len(values), 1 / len(values)), size=draws)
    above, below = (times @ values).T
    ratios = above[below > 0] / below[below > 0]
    if not len(ratios):
        return None
    low, high = np.quantile(ratios, [0.025, 0.975])
    return float(low), float(high)


def win_measure(lane: str) -> Callable[[Vote], tuple[float, float]]:
    """Return the measure for `bootstrap` whose ratio is the win rate of a lane."""
    return lambda vote: (float(vote.better == lane), float(vote.better not in TIES))


def hallucinated(votes: Iterable[Vote], lane: str, least: str = "minor") -> Share:
    """Return in how many votes a lane's answer hallucinates at least that badly."""
    worst = SEVERITIES.index(least)
    told = [SEVERITIES.index(vote.severity[lane]) for vote in votes if lane in vote.severity]
    return Share(sum(severity >= worst for severity in told), len(told))


def hallucination_p(votes: Iterable[Vote], first: str, second: str) -> float | None:
    """Return the p-value of two lanes hallucinating equally; None where nobody was asked.

    The sign test over items, by which lane was judged worse on the whole.
    """
    balance: dict[str, int] = {}
    for vote in votes:
        if first in vote.severity and second in vote.severity:
            one, other = (SEVERITIES.index(vote.severity[lane]) for lane in (first, second))
            balance[vote.item] = balance.get(vote.item, 0) + one - other
    if not balance:
        return None
    signs = list(balance.values())
    return sign_test(sum(sign > 0 for sign in signs), sum(sign < 0 for sign in signs))


@dataclass(frozen=True)
class Agreement:
    """How far annotators agree on the items that more than one of them judged.

    Args:
        alpha: Krippendorff's; 1 is perfect, 0 is chance; None where it is not defined, as when
            all say the same.
        pairs: Pairs of votes on one item that say the same, of all such pairs.
        items: How many items these are.
    """

    alpha: float | None
    pairs: Share
    items: int


def agreement(
    ratings: Iterable[tuple[str, str, Any]],
    values: Sequence[Any],
    level: Literal["nominal", "ordinal"] = "nominal",
) -> Agreement:
    """Measure agreement; items with a single vote are left out.

    Args:
        ratings: Item, annotator and what was said.
        values: All that can be said, in order.
        level: Ordinal where the order of the values means something.
    """
    by_item: dict[str, dict[str, int]] = {}
    for item, annotator, said in ratings:
        by_item.setdefault(item, {})[annotator] = values.index(said)
    several = {item: said for item, said in by_item.items() if len(said) > 1}
    alike = pairs = 0
    for said in several.values():
        for value in set(said.values()):
            count = list(said.values()).count(value)
            alike += count * (count - 1) // 2
        pairs += len(said) * (len(said) - 1) // 2
    alpha = None
    if len({value for said in several.values() for value in said.values()}) > 1:
        people = sorted({annotator for said in several.values() for annotator in said})
        data = [[said.get(who, np.nan) for said in several.values()] for who in people]
        alpha = float(
            krippendorff.alpha(
                reliability_data=np.array(data, dtype=float),
                value_domain=list(range(len(values))),
                level_of_measurement=level,
            )
        )
    return Agreement(alpha, Share(alike, pairs), len(several))


def choice_agreement(votes: Iterable[Vote], lanes: Sequence[str]) -> Agreement:
    """Measure agreement on which answer is better, of the same two to the same item."""
    return agreement(((v.compared, v.annotator, v.better) for v in votes), [*lanes, *TIES])


def severity_agreement(votes: Iterable[Vote], lanes: Sequence[str]) -> Agreement:
    """Measure agreement on how badly answers hallucinate, each answer rated by itself."""
    told = (
        (f"{vote.item}\n{lane}", vote.annotator, vote.severity[lane])
        for vote in votes
        for lane in lanes
        if lane in vote.severity
    )
    return agreement(told, SEVERITIES, "ordinal")


def left_wins(votes: Iterable[Vote]) -> Share:
    """Return how often the left side was the better one: a half, where the side means nothing."""
    decided = [vote for vote in votes if vote.better not in TIES]
    return Share(sum(vote.better == vote.left for vote in decided), len(decided))


def vote_time_quartiles(votes: Iterable[Vote]) -> tuple[float, float, float] | None:
    """Return the quartiles of the time per vote; None where it was never measured."""
    times = [vote.seconds for vote in votes if vote.seconds is not None]
    if not times:
        return None
    low, middle, high = np.quantile(times, [0.25, 0.5, 0.75])
    return float(low), float(middle), float(high)
