"""A study's results: figures, a table of every vote to take away, and a summary in words.

Knows nothing about databases and pages: it is given the votes as `app.store` keeps them.
"""

import importlib.metadata
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from app import stats
from app.stats import Agreement, Share, Vote
from sinktrack.study.folder import Study
from sinktrack.version import VERSION

Format = Literal["csv", "jsonl", "parquet"]
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""


_METHOD = """
Sides were drawn at random by the server and turned round for every second vote on an item. Wins
are shares of the votes that preferred one answer, with Wilson's 95 % interval; "by item" is the
95 % percentile interval of 10,000 bootstrap draws of items. p is the exact two-sided sign test over
items: which lane most of an item's votes prefer, and which lane was judged to hallucinate worse on
the whole. Agreement is Krippendorff's alpha, nominal for the better answer, ordinal for severity;
items with a single vote are left out of it.
""".strip()
_LIMITS = """
The intervals speak of items like these and of annotators like these. Wilson's takes votes for
independent, which several votes on one item are not: trust the interval by item. Tags are looked at
one by one, without a correction for how many there are.
""".strip()


@dataclass(frozen=True)
class Group:
    """The figures of all votes, or of those on items with one tag.

    Args:
        name: The tag; "all".
        items: How many items have a vote.
        votes: How many votes there are.
        wins: How often the second lane was the better one, of the votes that preferred one.
        wins_by_item: Its 95 % interval with items drawn again; None of nothing.
        items_won: On how many items most votes preferred the second lane, and the first.
        sign_p: Of no preference, by item.
        ties: Votes for neither.
        both_bad: Votes against both.
        hallucinating: By lane, the votes that found at least a minor hallucination.
        severe: By lane, those that found a severe one.
        hallucination_p: Of no difference between the lanes, by item; None if it was not asked.
    """

    name: str
    items: int
    votes: int
    wins: Share
    wins_by_item: tuple[float, float] | None
    items_won: tuple[int, int]
    sign_p: float
    ties: int
    both_bad: int
    hallucinating: Mapping[str, Share]
    severe: Mapping[str, Share]
    hallucination_p: float | None


@dataclass(frozen=True)
class Results:
    """All figures of a study.

    Args:
        groups: All votes first, then each tag.
        choice: Agreement on which answer is better.
        severity: Agreement on how badly answers hallucinate.
        left: How often the left side won.
        seconds: Quartiles of the time per vote.
        by_annotator: Votes of each.
        single: Items with one vote, which agreement leaves out.
    """

    groups: tuple[Group, ...]
    choice: Agreement
    severity: Agreement
    left: Share
    seconds: tuple[float, float, float] | None
    by_annotator: Mapping[str, int]
    single: int


def as_votes(study: Study, kept: Sequence[Mapping[str, Any]]) -> list[Vote]:
    """Turn votes from `Store.standing` into those that statistics are made of."""
    tags = {item.name: item.tags for item in study.items}
    return [
        Vote(
            item=row["item"],
            annotator=row["name"],
            left=row["left"],
            better=row["better"],
            severity={
                lane: judged["severity"]
                for lane, judged in row["judged"].items()
                if "severity" in judged
            },
            seconds=row["seconds"],
            tags=tags.get(row["item"], ()),
        )
        for row in kept
    ]


def results(study: Study, votes: Sequence[Vote]) -> Results:
    """Work everything out."""
    lanes = tuple(study.lanes)
    tags = dict.fromkeys(tag for item in study.items for tag in item.tags)
    per_item = Counter(vote.item for vote in votes)
    return Results(
        groups=(
            _group("all", votes, lanes),
            *(_group(tag, [vote for vote in votes if tag in vote.tags], lanes) for tag in tags),
        ),
        choice=stats.choice_agreement(votes, lanes),
        severity=stats.severity_agreement(votes, lanes),
        left=stats.left_wins(votes),
        seconds=stats.seconds(votes),
        by_annotator=Counter(vote.annotator for vote in votes),
        single=sum(count == 1 for count in per_item.values()),
    )


def _group(name: str, votes: Sequence[Vote], lanes: tuple[str, ...]) -> Group:
    first, second = lanes
    won = stats.items_won(votes, second)
    return Group(
        name=name,
        items=len({vote.item for vote in votes}),
        votes=len(votes),
        wins=stats.win_rate(votes, second),
        wins_by_item=stats.bootstrap(votes, stats.won(second)),
        items_won=won,
        sign_p=stats.sign_test(*won),
        ties=sum(vote.better == "tie" for vote in votes),
        both_bad=sum(vote.better == "both bad" for vote in votes),
        hallucinating={lane: stats.hallucinated(votes, lane) for lane in lanes},
        severe={lane: stats.hallucinated(votes, lane, "severe") for lane in lanes},
        hallucination_p=stats.hallucination_p(votes, first, second),
    )


def vote_rows(study: Study, kept: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return one row a vote, with everything needed to redo the statistics."""
    items = {item.name: item for item in study.items}
    first, second = study.lanes
    rows = []
    for vote in kept:
        item = items.get(vote["item"])
        row = {
            "study": study.name,
            "key": vote["key"],
            "item": vote["item"],
            "question": item.question if item else "",
            "tags": " ".join(item.tags) if item else "",
            "annotator": vote["name"],
            "left": vote["left"],
            "right": second if vote["left"] == first else first,
            "better": vote["better"],
        }
        for lane in study.lanes:
            judged = vote["judged"].get(lane, {})
            row[f"severity of {lane}"] = judged.get("severity", "")
            row[f"spans of {lane}"] = " ".join(f"{a}-{b}" for a, b in judged.get("spans", []))
        rows.append(
            row
            | {
                "comment": vote["comment"],
                "seconds": vote["seconds"],
                "cast": _iso(vote["cast"]),
                "revealed": _iso(vote["revealed"]) if vote["revealed"] else "",
            }
        )
    return pd.DataFrame(rows)


def export(rows: pd.DataFrame, path: Path, format: Format) -> Path:
    """Write votes to a file.

    In a CSV file a text that a spreadsheet would run as a formula begins with an apostrophe.
    """
    if format == "parquet":
        rows.to_parquet(path, index=False)
    elif format == "jsonl":
        rows.to_json(path, orient="records", lines=True, force_ascii=False)
    else:
        rows.map(_no_formula).to_csv(path, index=False)
    return path


def _no_formula(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="seconds")


def summary(study: Study, found: Results) -> str:
    """Return the results as Markdown: figures, how they were got, versions and limits."""
    first, second = study.lanes
    everything = found.groups[0]
    asked = "hallucination" in study.ask
    parts = [
        f"# {study.title}",
        f"{everything.votes} votes by {len(found.by_annotator)} annotators on {everything.items} "
        f"of {len(study.items)} items, {study.votes_per_item} votes an item asked for. Each vote "
        f"compared an answer of `{first}` with one of `{second}`, blind.",
        "## Which answer is better",
        _table(
            ["", "items", "votes", f"{second} wins", "by item", f"items {second} : {first}", "p",
             "ties", "both bad"],
            [
                [g.name, g.items, g.votes, share(g.wins), _interval(g.wins_by_item),
                 f"{g.items_won[0]} : {g.items_won[1]}", p_value(g.sign_p), g.ties, g.both_bad]
                for g in found.groups
            ],
        ),
    ]  # fmt: skip
    if asked:
        parts += [
            "## How often they hallucinate",
            _table(
                ["", *(f"{lane}, {how}" for lane in study.lanes for how in ("any", "severe")), "p"],
                [
                    [g.name,
                     *(share(f[lane]) for lane in study.lanes for f in (g.hallucinating, g.severe)),
                     p_value(g.hallucination_p)]
                    for g in found.groups
                ],
            ),
        ]  # fmt: skip
    parts += ["## How far annotators agree", agreement_table(found)]
    parts += [
        "## Checks",
        f"- The left answer won {share(found.left)} of the decided votes: without a bias of "
        "position, half.",
        f"- Time for a vote: {times(found.seconds)}.",
        "- Votes by annotator: "
        + ", ".join(f"{name} {count}" for name, count in sorted(found.by_annotator.items()))
        + ".",
        "## Method",
        _METHOD,
        f"{found.single} items have a single vote.",
        "## Versions",
        f"sinktrack {VERSION}, krippendorff {importlib.metadata.version('krippendorff')}, "
        f"numpy {importlib.metadata.version('numpy')}, Python {platform.python_version()}; "
        f"model {study.model}.",
        "## Limits",
        _LIMITS,
    ]
    return "\n\n".join(parts) + "\n"


def agreement_table(found: Results) -> str:
    """Return both agreements as a Markdown table."""
    rows = []
    for what, each in (("better answer", found.choice), ("severity", found.severity)):
        alpha = "-" if each.alpha is None else f"{each.alpha:.3f}"
        rows.append([what, each.items, share(each.pairs), alpha])
    return _table(["", "items", "pairs that agree", "Krippendorff's alpha"], rows)


def share(found: Share) -> str:
    """Write a share with its interval and its counts."""
    if found.value is None or found.interval is None:
        return "-"
    low, high = found.interval
    return f"{found.value:.3f} ({low:.3f} to {high:.3f}; {found.count} of {found.total})"


def p_value(p: float | None) -> str:
    """Write a p-value."""
    return "-" if p is None else f"{p:.4f}" if p >= 0.0001 else "< 0.0001"


def times(quartiles: tuple[float, float, float] | None) -> str:
    """Write the quartiles of the time per vote."""
    if quartiles is None:
        return "not measured"
    low, middle, high = quartiles
    return f"median {middle:.0f} s, half of them between {low:.0f} and {high:.0f} s"


def _interval(interval: tuple[float, float] | None) -> str:
    return "-" if interval is None else f"{interval[0]:.3f} to {interval[1]:.3f}"


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _cell(value: Any) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")
