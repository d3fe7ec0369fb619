"""How each annotator of a study votes, beside the others and beside what is known.

Knows nothing of databases and pages. It measures, and leaves it to people whom to leave out.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np

from app.study import stats
from app.study.stats import TIES, Agreement, Share, Vote


@dataclass(frozen=True)
class Annotator:
    """What one annotator's votes look like.

    Args:
        name: Who.
        left_out: Whether the figures leave their votes out.
        votes: How many they gave, repeated ones included.
        choice: Agreement with the others on the better answer. Each pair of an own vote and
            another's on the same two answers counts once; alpha is Krippendorff's of two raters,
            this annotator and whoever the other is. Those left out are no others.
        severity: The same of how badly an answer hallucinates, each answer by itself.
        gold: Votes that gave the known better answer, of those that could have.
        seconds: The median time for a vote; None where it was never measured.
        left: How often the left answer was the better one, of the votes that preferred one.
        order: How much more often a method won on the left than on the right, from -1 to 1, 0
            without a bias; None where no method stood on both sides. See `order_effect`.
        itself: Pairs of votes on the same two answers that say the same, where they voted again.
    """

    name: str
    left_out: bool
    votes: int
    choice: Agreement
    severity: Agreement
    gold: Share
    seconds: float | None
    left: Share
    order: float | None
    itself: Share


def annotators(
    votes: Sequence[Vote],
    lanes: Sequence[str],
    gold: Mapping[str, str] | None = None,
    left_out: Collection[str] = (),
    checks: Sequence[Vote] = (),
) -> tuple[Annotator, ...]:
    """Measure every annotator of a study.

    Args:
        votes: All votes, oldest first, with those of people who are left out.
        lanes: The methods.
        gold: By item the answer that is known to be better: a lane, "tie" or "both bad".
        left_out: Whose votes the figures leave out. They are measured beside the others all the
            same, so that it can be seen why.
        checks: Votes that count for `gold` alone.

    Returns:
        One for each, by name.
    """
    own: dict[str, list[Vote]] = defaultdict(list)
    for vote in votes:
        own[vote.annotator].append(vote)
    first = first_votes(votes)
    told = [(vote.annotator, vote.compared, vote.better) for vote in first]
    severe = [
        (vote.annotator, f"{vote.item}\n{lane}", severity)
        for vote in first
        for lane, severity in vote.severity.items()
    ]
    found = []
    for name, mine in sorted(own.items()):
        times = stats.vote_time_quartiles(mine)
        found.append(
            Annotator(
                name=name,
                left_out=name in left_out,
                votes=len(mine),
                choice=_with_others(name, told, left_out, [*lanes, *TIES], "nominal"),
                severity=_with_others(name, severe, left_out, stats.SEVERITIES, "ordinal"),
                gold=gold_share([*mine, *(c for c in checks if c.annotator == name)], gold or {}),
                seconds=times[1] if times else None,
                left=stats.left_wins(mine),
                order=order_effect(mine),
                itself=self_agreement(mine),
            )
        )
    return tuple(found)


def first_votes(votes: Iterable[Vote]) -> list[Vote]:
    """Return the votes without those that an annotator gave on the same two answers again.

    Only the first counts for a method; the others tell how far somebody agrees with themselves.

    Args:
        votes: Oldest first.
    """
    met: dict[tuple[str, str], Vote] = {}
    for vote in votes:
        met.setdefault((vote.annotator, vote.compared), vote)
    return list(met.values())


def gold_share(votes: Iterable[Vote], gold: Mapping[str, str]) -> Share:
    """Return how often votes gave the answer that is known to be better.

    Args:
        votes: Any votes.
        gold: By item a lane, "tie" or "both bad". A lane says something of the pairs that it
            stands in, and nothing of the others, which are not counted.
    """
    told = [
        vote.better == gold[vote.item]
        for vote in votes
        if gold.get(vote.item) in (*vote.pair, *TIES)
    ]
    return Share(sum(told), len(told))


def self_agreement(votes: Iterable[Vote]) -> Share:
    """Return how often votes of one annotator on the same two answers say the same."""
    again: dict[tuple[str, str], list[str]] = defaultdict(list)
    for vote in votes:
        again[vote.annotator, vote.compared].append(vote.better)
    pairs = [one == other for said in again.values() for one, other in combinations(said, 2)]
    return Share(sum(pairs), len(pairs))


def order_effect(votes: Iterable[Vote]) -> float | None:
    """Return how much more often a method wins when it stands first, on the left, than second.

    Unlike the share of the left side, this does not take a better method that happened to stand on
    the left more often for a bias. Of each pair of methods it is the difference of one method's two
    win rates, and of several pairs their mean, weighted by n1 n2 / (n1 + n2) as by Mantel and
    Haenszel (Rothman, Greenland & Lash 2008, chapter 15).

    Returns:
        From -1 to 1; None where no pair was decided in both orders.
    """
    # by pair: for each side of its first lane, the votes that this lane won, and all
    won: dict[tuple[str, ...], list[list[bool]]] = defaultdict(lambda: [[], []])
    for vote in votes:
        if vote.better not in TIES:
            pair = tuple(sorted(vote.pair))
            won[pair][int(vote.left != pair[0])].append(vote.better == pair[0])
    sums = [
        (np.mean(first) - np.mean(second), len(first) * len(second) / (len(first) + len(second)))
        for first, second in won.values()
        if first and second
    ]
    if not sums:
        return None
    differences, weights = zip(*sums, strict=True)
    return float(np.average(differences, weights=weights))


def _with_others(
    name: str,
    told: Sequence[tuple[str, str, str]],
    left_out: Collection[str],
    values: Sequence[str],
    level: Literal["nominal", "ordinal"],
) -> Agreement:
    """Measure agreement of one annotator with the others, pair by pair.

    Args:
        name: The annotator.
        told: Annotator, what was judged, and what was said.
        left_out: Who is no other.
        values: All that can be said, in order.
        level: As for `stats.agreement`.
    """
    others: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for who, judged, said in told:
        if who != name and who not in left_out:
            others[judged].append((who, said))
    ratings, items = [], set()
    for who, judged, said in told:
        for other, theirs in others.get(judged, ()) if who == name else ():
            pair = f"{judged}\n{other}"
            ratings += [(pair, "own", said), (pair, "other", theirs)]
            items.add(judged)
    found = stats.agreement(ratings, values, level)
    return Agreement(found.alpha, found.pairs, len(items))
