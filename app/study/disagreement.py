"""Which items annotators see differently, the most disputed first, with all that was said of them.

Knows nothing of databases and pages: it is given the votes as `app.study.vote_store` keeps them.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from app.study.stats import SEVERITIES
from sinktrack.study.folder import Study


@dataclass(frozen=True)
class Said:
    """What one annotator said of two answers.

    Args:
        annotator: Who.
        better: The lane that was preferred, "tie" or "both bad".
        severity: By lane, how badly it hallucinates; empty if that was not asked.
        marked: By lane, the parts of its answer that were marked, in order.
        spans: The same as [start, end], in characters.
        comment: Free words.
    """

    annotator: str
    better: str
    severity: Mapping[str, str]
    marked: Mapping[str, tuple[str, ...]]
    spans: Mapping[str, Sequence[Sequence[int]]]
    comment: str


@dataclass(frozen=True)
class Dispute:
    """Two answers to one item, and the votes on them.

    Args:
        item: The item's name.
        question: The item's.
        answers: The two texts by lane, in the study's order.
        spread: The mean distance of two votes on the better answer, from 0 (all say the same) to
            1 (two votes that prefer different answers). A tie, or both bad, is 1/2 from either.
        severity_spread: The same of the severities, both answers together; two steps are 1.
        votes: What was said, oldest first.
    """

    item: str
    question: str
    answers: Mapping[str, str]
    spread: float
    severity_spread: float
    votes: tuple[Said, ...]


def disputes(
    study: Study,
    kept: Sequence[Mapping[str, Any]],
    answers: Mapping[str, Mapping[str, str]],
    left_out: Collection[str] = (),
) -> list[Dispute]:
    """Rank the pairs of answers that several people judged by how far the votes are apart.

    Args:
        study: The study.
        kept: Votes from `VoteStore.standing`, oldest first.
        answers: By item and lane the answer's text.
        left_out: Whose votes do not count.

    Returns:
        The widest spread of the better answer first, then of severity, then in the study's order.
        Pairs on which all agree stand at the end. Items that the study has no more are left out.
    """
    by_pair: dict[tuple[str, frozenset[str]], list[Mapping[str, Any]]] = defaultdict(list)
    for row in kept:
        if row["name"] not in left_out and not row["again"]:
            by_pair[row["item"], frozenset((row["left"], row["right"]))].append(row)
    found = []
    for item in study.judged:
        for pair in combinations(study.lanes, 2):
            rows = by_pair.get((item.name, frozenset(pair)), [])
            if len({row["name"] for row in rows}) > 1:
                texts = {lane: answers[item.name][lane] for lane in pair}
                found.append(
                    Dispute(
                        item=item.name,
                        question=item.question,
                        answers=texts,
                        spread=_spread([_place(row["better"], pair) for row in rows]),
                        severity_spread=_severity_spread(rows, pair),
                        votes=tuple(_said(row, texts) for row in rows),
                    )
                )
    return sorted(found, key=lambda each: (-each.spread, -each.severity_spread))


def _place(better: str, pair: Sequence[str]) -> float:
    """Return where a vote stands between preferring the first lane, 0, and the second, 1."""
    return float(pair.index(better)) if better in pair else 0.5


def _spread(places: Sequence[float]) -> float:
    """Return the mean distance of two of several places."""
    apart = [abs(one - other) for one, other in combinations(places, 2)]
    return sum(apart) / len(apart) if apart else 0.0


def _severity_spread(rows: Sequence[Mapping[str, Any]], pair: Sequence[str]) -> float:
    spreads = []
    for lane in pair:
        judged = [row["judged"].get(lane, {}) for row in rows]
        told = [SEVERITIES.index(each["severity"]) for each in judged if "severity" in each]
        spreads.append(_spread([each / (len(SEVERITIES) - 1) for each in told]))
    return sum(spreads) / len(spreads)


def _said(row: Mapping[str, Any], texts: Mapping[str, str]) -> Said:
    judged = {lane: row["judged"].get(lane, {}) for lane in texts}
    spans = {lane: each.get("spans", ()) for lane, each in judged.items()}
    return Said(
        annotator=row["name"],
        better=row["better"],
        severity={lane: each["severity"] for lane, each in judged.items() if "severity" in each},
        marked={
            lane: tuple(text[start:end] for start, end in spans[lane])
            for lane, text in texts.items()
        },
        spans=spans,
        comment=row["comment"],
    )
