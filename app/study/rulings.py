"""What named judges decided on answers where annotators differ, beside the votes.

Rulings are never mixed into the votes: they have figures, a table and a file of their own. Knows
nothing about databases and pages: it is given rulings as `app.study.beside_votes` keeps them.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import pandas as pd

from app.study.results import iso
from app.study.stats import TIES, Share, Vote, sign_test, win_rate
from app.study.wording import format_p_value, format_share
from sinktrack.study.folder import Study


@dataclass(frozen=True)
class Ruled:
    """The figures of the rulings on two lanes; of each item the latest ruling counts.

    Args:
        lanes: The first and the second lane.
        items: How many items were ruled on.
        wins: How often the second lane was the better one, of the rulings that preferred one.
        sign_p: Of no preference.
        said: How many rulings preferred each lane, were a tie, or found both bad.
        majority: How often the ruling said what most votes said, of the items where one choice has
            more votes than any other.
    """

    lanes: tuple[str, str]
    items: int
    wins: Share
    sign_p: float
    said: Mapping[str, int]
    majority: Share


def pair_of(row: Mapping[str, Any]) -> tuple[str, frozenset[str]]:
    """Return what a ruling is about: an item and two lanes."""
    return row["item"], frozenset((row["first"], row["second"]))


def latest(kept: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the rulings that count: the latest on two answers that are there still.

    Args:
        kept: From `BesideVotes.rulings`, oldest first.
    """
    return list({pair_of(row): row for row in kept if not row["apart"]}.values())


def rulings_by_pair(
    study: Study,
    kept: Sequence[Mapping[str, Any]],
    votes: Sequence[Mapping[str, Any]],
    left_out: Collection[str] = (),
) -> list[Ruled]:
    """Compute the figures of the rulings, for each pair of lanes that has any.

    Args:
        study: The study; rulings on items or lanes that it has no more do not count.
        kept: From `BesideVotes.rulings`, oldest first.
        votes: From `VoteStore.standing`.
        left_out: Whose votes make no majority.
    """
    said: dict[tuple[str, frozenset[str]], Counter[str]] = defaultdict(Counter)
    for vote in votes:
        if vote["name"] not in left_out:
            said[vote["item"], frozenset((vote["left"], vote["right"]))][vote["better"]] += 1
    items = {item.name for item in study.items}
    counted = [row for row in latest(kept) if row["item"] in items]
    found = []
    for pair in combinations(study.lanes, 2):
        own = [row for row in counted if {row["first"], row["second"]} == set(pair)]
        if own:
            found.append(_ruled(pair, own, said))
    return found


def _ruled(
    pair: tuple[str, str],
    rows: Sequence[Mapping[str, Any]],
    said: Mapping[tuple[str, frozenset[str]], Counter[str]],
) -> Ruled:
    as_votes = [
        Vote(row["item"], row["judge"], row["first"], row["second"], row["better"]) for row in rows
    ]
    most = [(row["better"], _most(said.get(pair_of(row), Counter()))) for row in rows]
    told = [(ruled, voted) for ruled, voted in most if voted is not None]
    wins = win_rate(as_votes, pair[1])
    return Ruled(
        lanes=pair,
        items=len(rows),
        wins=wins,
        sign_p=sign_test(wins.count, wins.total - wins.count),
        said={each: sum(row["better"] == each for row in rows) for each in (*pair, *TIES)},
        majority=Share(sum(ruled == voted for ruled, voted in told), len(told)),
    )


def _most(said: Counter[str]) -> str | None:
    """Return what more votes say than say anything else; None where nothing is."""
    first, *rest = [*said.most_common(2), ("", 0)]
    return first[0] if first[1] > rest[0][1] else None


ABOUT_RULINGS = (
    "A named judge rules where annotators differ, without knowing which method wrote which answer "
    "and who voted how. Of each item the latest ruling counts. Rulings are no votes: no other "
    "figure counts them. Disputed items are not like all items, so that this win rate is not that "
    "of the study."
)


def rulings_table(found: Sequence[Ruled]) -> tuple[list[str], list[list[Any]]]:
    """Return the head and the rows of a table of rulings, a row a pair of lanes."""
    head = ["pair", "items ruled on", "the second wins", "p", "ties", "both bad"]
    rows: list[list[Any]] = [
        [
            " : ".join(each.lanes),
            each.items,
            format_share(each.wins),
            format_p_value(each.sign_p),
            *(each.said[tie] for tie in TIES),
            format_share(each.majority),
        ]
        for each in found
    ]
    return [*head, "says what most votes say"], rows


def ruling_rows(
    study: Study,
    kept: Sequence[Mapping[str, Any]],
    answers: Mapping[str, Mapping[str, str]],
) -> pd.DataFrame:
    """Return one row a ruling, those that count no more as well.

    Args:
        study: The study.
        kept: From `BesideVotes.rulings`, oldest first.
        answers: By item and lane the answer's text.

    Returns:
        With "counts", whether it is the latest on two answers that are there still; and
        "blind", whether this judge had not ruled on the two answers before, after which they were
        told the names.
    """
    questions = {item.name: item.question for item in study.items}
    counting = {row["id"] for row in latest(kept)}
    met: set[tuple[Any, ...]] = set()
    rows = []
    for row in kept:
        seen = (row["judge"], *pair_of(row))
        texts = answers.get(row["item"], {})
        rows.append(
            {
                "study": study.name,
                "item": row["item"],
                "question": questions.get(row["item"], ""),
                "A": row["first"],
                "B": row["second"],
                "answer A": texts.get(row["first"], ""),
                "answer B": texts.get(row["second"], ""),
                "judge": row["judge"],
                "better": row["better"],
                "comment": row["comment"],
                "pair": row["pair"],
                "ruled": iso(row["ruled"]),
                "counts": row["id"] in counting,
                "blind": seen not in met,
            }
        )
        met.add(seen)
    return pd.DataFrame(rows)
