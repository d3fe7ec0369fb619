"""A study's results in words and tables. Knows nothing about how figures are worked out."""

import importlib.metadata
import platform
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from app.study import stats
from app.study.results import Results
from app.study.stats import Share, Vote
from sinktrack.study.folder import Study
from sinktrack.version import VERSION

_METHOD = """
Sides were drawn at random by the server and turned round for every second vote on an item. Wins
are shares of the votes that preferred one answer, with Wilson's 95 % interval; "by item" is the
95 % percentile interval of 10,000 bootstrap draws of items. p is the exact two-sided sign test over
items: which lane most of an item's votes prefer, and which lane was judged to hallucinate worse on
the whole. Agreement is Krippendorff's alpha, nominal for the better answer, ordinal for severity;
pairs of answers with a single vote are left out of it.
""".strip()
_LIMITS = """
The intervals speak of items like these and of annotators like these. Wilson's takes votes for
independent, which several votes on one item are not: trust the interval by item. Tags are looked at
one by one, without a correction for how many there are. Of more than two lanes p is also given as
corrected for the number of pairs, by Holm's procedure; hallucinations are not.
""".strip()


def summary(study: Study, found: Results) -> str:
    """Return the results as Markdown: figures, how they were got, versions and limits."""
    total = sum(found.by_annotator.values())
    by_annotator = ", ".join(
        f"{escape_markdown(name)} {count}" for name, count in sorted(found.by_annotator.items())
    )
    parts = [
        f"# {escape_markdown(study.title)}",
        f"{total} votes by {len(found.by_annotator)} annotators on {found.items} of "
        f"{len(study.items)} items, {study.votes_per_item} votes an item asked for. Each vote "
        f"compared answers of two of {', '.join(f'`{lane}`' for lane in study.lanes)}, blind.",
    ]
    for heading, table in preferences(found):
        parts += [f"## {escape_markdown(heading)}", _table(*table)]
    for heading, table in hallucinations(found) if "hallucination" in study.ask else ():
        parts += [f"## {escape_markdown(heading)}", _table(*table)]
    parts += ["## How far annotators agree", _table(*agreements(found))]
    parts += [
        "## Checks",
        f"- The left answer won {format_share(found.left)} of the decided votes: without a bias of "
        "position, half.",
        f"- Time for a vote: {format_times(found.seconds)}.",
        f"- Votes by annotator: {by_annotator}.",
        "## Method",
        _METHOD,
        f"{found.single} pairs of answers have a single vote.",
        "## Versions",
        f"sinktrack {VERSION}, krippendorff {importlib.metadata.version('krippendorff')}, "
        f"numpy {importlib.metadata.version('numpy')}, Python {platform.python_version()}; "
        f"model {study.model}.",
        "## Limits",
        _LIMITS,
    ]
    return "\n\n".join(parts) + "\n"


Table = tuple[list[str], list[list[Any]]]
"""A table's head and its rows."""


def preferences(found: Results) -> list[tuple[str, Table]]:
    """Return which lane was preferred, a table a pair of lanes: for all votes and for each tag."""
    pairs = found.by_pair()
    tables = []
    for (first, second), groups in pairs.items():
        head = ["", "items", "votes", f"{second} wins", "by item", f"items {second} : {first}", "p"]
        head += ["p, corrected"] if len(pairs) > 1 else []
        rows: list[list[Any]] = [
            [
                group.name,
                group.items,
                group.votes,
                format_share(group.wins),
                _format_interval(group.wins_by_item),
                " : ".join(map(str, group.items_won)),
                format_p_value(group.sign_p),
                *([format_p_value(group.sign_p_holm)] if len(pairs) > 1 else []),
                group.said["tie"],
                group.said["both bad"],
            ]
            for group in groups
        ]
        heading = heading_of("Which answer is better", first, second, len(pairs))
        tables.append((heading, ([*head, "ties", "both bad"], rows)))
    return tables


def hallucinations(found: Results) -> list[tuple[str, Table]]:
    """Return how often lanes hallucinate, a table a pair: for all votes and for each tag."""
    pairs = found.by_pair()
    tables = []
    for lanes, groups in pairs.items():
        head = ["", *(f"{lane}, {how}" for lane in lanes for how in ("any", "severe")), "p"]
        rows: list[list[Any]] = []
        for group in groups:
            both = (group.hallucinating, group.severe)
            shares = [format_share(each[lane]) for lane in lanes for each in both]
            rows.append([group.name, *shares, format_p_value(group.hallucination_p)])
        tables.append((heading_of("How often they hallucinate", *lanes, len(pairs)), (head, rows)))
    return tables


def heading_of(what: str, first: str, second: str, pairs: int) -> str:
    """Return a table's heading, which names the lanes where there are several pairs."""
    return what if pairs == 1 else f"{what}: {second} beside {first}"


def agreements(found: Results) -> Table:
    """Return how far annotators agree."""
    rows: list[list[Any]] = []
    for what, each in (("better answer", found.choice), ("severity", found.severity)):
        alpha = "-" if each.alpha is None else f"{each.alpha:.3f}"
        rows.append([what, each.items, format_share(each.pairs), alpha])
    return ["", "items", "pairs that agree", "Krippendorff's alpha"], rows


def progress(study: Study, votes: Sequence[Vote]) -> tuple[Table, Table, Table]:
    """Return how far the study is: by annotator, by tag, and by item."""
    per_item = Counter(vote.item for vote in votes)
    by_annotator: list[list[Any]] = []
    for name in sorted({vote.annotator for vote in votes}):
        own = [vote for vote in votes if vote.annotator == name]
        time = format_times(stats.vote_time_quartiles(own))
        by_annotator.append([name, len(own), time, format_share(stats.left_wins(own))])
    tags = dict.fromkeys(tag for item in study.items for tag in item.tags)
    by_tag: list[list[Any]] = []
    for tag in tags:
        items = [item.name for item in study.items if tag in item.tags]
        done = sum(min(per_item[name], study.votes_per_item) for name in items)
        by_tag.append([tag, len(items), done, study.votes_per_item * len(items)])
    by_item: list[list[Any]] = [
        [item.name, " ".join(item.tags), per_item[item.name], study.votes_per_item]
        for item in study.items
    ]
    return (
        (["annotator", "votes", "time for a vote", "left side won"], by_annotator),
        (["tag", "items", "votes", "of"], by_tag),
        (["item", "tags", "votes", "of"], by_item),
    )


def format_share(found: Share) -> str:
    """Write a share with its interval and its counts."""
    if found.value is None or found.interval is None:
        return "-"
    low, high = found.interval
    return f"{found.value:.3f} ({low:.3f} to {high:.3f}; {found.count} of {found.total})"


def format_p_value(p: float | None) -> str:
    """Write a p-value."""
    return "-" if p is None else f"{p:.4f}" if p >= 0.0001 else "< 0.0001"


def format_times(quartiles: tuple[float, float, float] | None) -> str:
    """Write the quartiles of the time per vote."""
    if quartiles is None:
        return "not measured"
    low, middle, high = quartiles
    return f"median {middle:.0f} s, half of them between {low:.0f} and {high:.0f} s"


def _format_interval(interval: tuple[float, float] | None) -> str:
    return "-" if interval is None else f"{interval[0]:.3f} to {interval[1]:.3f}"


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = [head, ["---"] * len(head), *([escape_markdown(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def escape_markdown(value: Any) -> str:
    """Return text that Markdown shows as it is: a name may be anything, a picture's address too."""
    return re.sub(r"([\\`*_{}\[\]()<>#!|~&])", r"\\\1", " ".join(str(value).split()))
