"""A study's results in words and tables. Knows nothing about how figures are worked out."""

import importlib.metadata
import platform
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from typing import Any

from app.study.beside_tables import Section
from app.study.disagreement import Dispute
from app.study.methods_section import methods_section
from app.study.quality import first_votes
from app.study.results import Results
from app.study.stats import Vote
from app.study.wording import (
    counted,
    escape_markdown,
    format_interval,
    format_number,
    format_p_value,
    format_share,
    format_short_share,
    format_times,
    markdown_table,
)
from sinktrack.study.folder import Study
from sinktrack.study.until import in_words
from sinktrack.version import VERSION

_LIMITS = """
The intervals speak of items like these and of annotators like these. Wilson's takes votes for
independent, which several votes on one item are not: trust the interval by item. Tags are looked at
one by one, without a correction for how many there are. Of more than two lanes p is also given as
corrected for the number of pairs, by Holm's procedure; hallucinations are not. A ranking gives each
method one strength, which says nothing where a beats b, b beats c and c beats a: look at the win
rates as well. Alpha of one annotator is told without an interval, and of few votes means little.
""".strip()


def summary(study: Study, found: Results, beside: Sequence[Section] = ()) -> str:
    """Return the results as Markdown: figures, how they were got, versions and limits.

    Args:
        study: The study.
        found: Its figures.
        beside: What stands beside the votes.
    """
    total = sum(found.by_annotator.values())
    left_out = ", ".join(
        f"{escape_markdown(name)} ({counted(count, 'vote')})"
        for name, count in found.left_out.items()
    )
    lanes = ", ".join(f"`{lane}`" for lane in study.lanes)
    parts = [
        f"# {escape_markdown(study.title)}",
        f"{counted(total, 'vote')} by {counted(len(found.by_annotator), 'annotator')} on "
        f"{found.items} of {len(study.judged)} items, {study.votes_per_item} votes an item asked "
        f"for. Each vote compared answers of two of {lanes}, blind.",
        *about_until(study),
    ]
    for heading, table in preferences(found):
        parts += [f"## {escape_markdown(heading)}", markdown_table(*table)]
    for heading, table in hallucinations(found) if "hallucination" in study.ask else ():
        parts += [f"## {escape_markdown(heading)}", markdown_table(*table)]
    for heading, table in own_answers(found):
        parts += [f"## {escape_markdown(heading)}", markdown_table(*table)]
    if found.ranking is not None:
        parts += ["## Ranking", markdown_table(*win_rates(found))]
        parts += [markdown_table(*strengths(found))] if found.ranking.strengths else []
        parts += [escape_markdown(said) for said in about_ranking(found)]
    parts += ["## How far annotators agree", markdown_table(*agreements(found))]
    parts += ["## Annotators", markdown_table(*annotators(found)), ABOUT_ANNOTATORS]
    for section in beside:
        parts += [f"## {section.heading}", markdown_table(*section.table)]
        parts += map(escape_markdown, section.notes)
    parts += [
        "## Checks",
        f"- The left answer won {format_share(found.left)} of the decided votes: without a bias of "
        "position, half.",
        f"- Time for a vote: {format_times(found.seconds)}.",
        f"- Left out of all figures: {left_out or 'nobody'}.",
        *(f"- {escape_markdown(said)}" for said in found.uncounted.sentences()),
        "## Method",
        methods_section(study, found),
        "## Versions",
        f"sinktrack {VERSION}, krippendorff {importlib.metadata.version('krippendorff')}, "
        f"numpy {importlib.metadata.version('numpy')}, Python {platform.python_version()}; "
        f"model {study.model}.",
        "## Limits",
        _LIMITS,
    ]
    return "\n\n".join(parts) + "\n"


def about_until(study: Study) -> Iterator[str]:
    """Yield when the study ends by itself, if it does."""
    if study.until is not None:
        ended = study.until <= datetime.now(timezone.utc)
        more = "" if ended else "; until then figures may change"
        yield f"The study {'ended' if ended else 'ends'} {in_words(study.until)}{more}."


Table = tuple[list[str], list[list[Any]]]
"""A table's head and its rows."""


def preferences(found: Results) -> list[tuple[str, Table]]:
    """Return which lane was preferred, a table a pair of lanes: for all votes and for each tag."""
    pairs = found.by_pair()
    tables = []
    for (first, second), groups in pairs.items():
        head = [
            "group",
            "items",
            "votes",
            f"{second} wins",
            "by item",
            f"items {second} : {first}",
            "p",
        ]
        head += ["p, corrected"] if len(pairs) > 1 else []
        rows: list[list[Any]] = [
            [
                group.name,
                group.items,
                group.votes,
                format_share(group.wins),
                format_interval(group.wins_by_item),
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
        head = ["group", *(f"{lane}, {how}" for lane in lanes for how in ("any", "severe")), "p"]
        rows: list[list[Any]] = []
        for group in groups:
            both = (group.hallucinating, group.severe)
            shares = [format_share(each[lane]) for lane in lanes for each in both]
            rows.append([group.name, *shares, format_p_value(group.hallucination_p)])
        tables.append((heading_of("How often they hallucinate", *lanes, len(pairs)), (head, rows)))
    return tables


def own_answers(found: Results) -> list[tuple[str, Table]]:
    """Return the answers to a study's own questions, a table for each choice and scale."""
    tables: list[tuple[str, Table]] = []
    for own in found.own:
        lanes = list(own.shares or own.means)
        columns = [lane or "chosen" for lane in lanes]
        if own.shares:
            options = list(next(iter(own.shares.values())))
            rows: list[list[Any]] = [
                [option, *(format_short_share(own.shares[lane][option]) for lane in lanes)]
                for option in options
            ]
            head = ["answer", *columns]
        else:
            rows = [
                [lane or "the pair", count, format_number(mean, 2), format_interval(ends, 2)]
                for lane, (count, mean, ends) in own.means.items()
            ]
            low, high = own.question.ends
            scale = f"mean, from 1 ({low}) to {own.question.points} ({high})"
            head = ["method", "answers", scale, "95 % interval, by item"]
        tables.append((own.question.ask, (head, rows)))
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
    return ["about", "items", "pairs that agree", "Krippendorff's alpha"], rows


def win_rates(found: Results) -> Table:
    """Return how often each lane, of the rows, was better than each other, of the columns."""
    lanes = list(dict.fromkeys(lane for pair in found.matrix for lane in pair))
    rows = [
        [row, *(_win_rate(found, row, column) if row != column else "" for column in lanes)]
        for row in lanes
    ]
    return ["wins over", *lanes], rows


def _win_rate(found: Results, winner: str, loser: str) -> str:
    return format_short_share(found.matrix[winner, loser])


def strengths(found: Results) -> Table:
    """Return the lanes by strength; no rows where nothing is ranked."""
    rows: list[list[Any]] = [
        [
            each.rank,
            each.lane,
            f"{each.value:.3f}",
            format_interval(each.interval),
            " to ".join(map(str, each.ranks)),
        ]
        for each in (found.ranking.strengths if found.ranking else ())
    ]
    return ["rank", "method", "strength", "95 % interval", "rank, 95 % interval"], rows


def about_ranking(found: Results) -> Iterator[str]:
    """Yield what to know about the ranking, in sentences."""
    if found.ranking is None:
        return
    yield from found.ranking.notes
    if not found.ranking.strengths:
        return
    tie = found.ranking.tie
    yield (
        "A strength is a logarithm, and the mean is 0: of the votes that prefer one answer, a "
        "method that is stronger by 1 wins 73 %, by 2 88 %. Both bad counts as a tie. By the model "
        f"that was fitted, equal methods tie in {100 * tie / (2 + tie):.0f} % of their votes."
    )
    misfit = found.ranking.misfit
    if misfit is not None:
        yield (
            f"One strength a method fits worst for {misfit.lanes[0]} over {misfit.lanes[1]}: the "
            f"win rate is {format_short_share(misfit.observed)}, and the strengths say "
            f"{misfit.fitted:.3f}."
        )


ABOUT_ANNOTATORS = (
    "Agreement counts each pair of an own vote and another person's: on the same two answers, or "
    "of severity on the same answer. Left side: how often it won. Order: how much more often a "
    "method won on the left than on the right, from -1 to 1; not known of who saw every pair in "
    "one order alone. Without a bias of position they are about a half and about 0."
)


def annotators(found: Results) -> Table:
    """Return how each annotator votes: with those who are left out, and said so."""
    gold = any(each.gold.total for each in found.annotators)
    itself = any(each.itself.total for each in found.annotators)
    head = ["annotator", "votes", "median time, s", "left side won", "order"]
    for what in ("better answer", "severity"):
        head += [f"agrees on {what}", "alpha"]
    head += [*(["gold"] if gold else []), *(["itself"] if itself else [])]
    rows: list[list[Any]] = [
        [
            f"{each.name} (left out)" if each.left_out else each.name,
            each.votes,
            format_number(each.seconds, 1),
            format_short_share(each.left),
            format_number(each.order, 2),
            format_short_share(each.choice.pairs),
            format_number(each.choice.alpha),
            format_short_share(each.severity.pairs),
            format_number(each.severity.alpha),
            *([format_short_share(each.gold)] if gold else []),
            *([format_short_share(each.itself)] if itself else []),
        ]
        for each in found.annotators
    ]
    return head, rows


def disputed(found: Sequence[Dispute], most: int = 50) -> Table:
    """Return the answers that annotators see differently, the most disputed first.

    Args:
        found: From `app.study.disagreement.disputes`.
        most: No more rows than this.
    """
    rows: list[list[Any]] = []
    for each in found:
        if each.spread or each.severity_spread:
            votes = []
            for said in each.votes:
                told = [f"{said.annotator}: {said.better}"]
                for lane in each.answers:
                    marked = " … ".join(f"“{text}”" for text in said.marked[lane])
                    own = " ".join(part for part in (said.severity.get(lane, ""), marked) if part)
                    told += [f"{lane} {own}"] if own else []
                votes.append("; ".join([*told, *([said.comment] if said.comment else [])]))
            answers = "\n".join(f"{lane}: {text}" for lane, text in each.answers.items())
            spreads = [f"{each.spread:.2f}", f"{each.severity_spread:.2f}"]
            rows.append([each.item, *spreads, each.question, answers, "\n".join(votes)])
    head = ["item", "spread, better", "spread, severity", "question", "answers", "votes"]
    return head, rows[:most]


def progress(study: Study, votes: Sequence[Vote]) -> tuple[Table, Table]:
    """Return how far the study is, by tag and by item; every vote counts."""
    per_item = Counter(vote.item for vote in first_votes(votes))
    tags = dict.fromkeys(tag for item in study.judged for tag in item.tags)
    by_tag: list[list[Any]] = []
    for tag in tags:
        items = [item.name for item in study.judged if tag in item.tags]
        done = sum(min(per_item[name], study.votes_per_item) for name in items)
        by_tag.append([tag, len(items), done, study.votes_per_item * len(items)])
    by_item: list[list[Any]] = [
        [item.name, " ".join(item.tags), per_item[item.name], study.votes_per_item]
        for item in study.judged
    ]
    return (
        (["tag", "items", "votes", "of"], by_tag),
        (["item", "tags", "votes", "of"], by_item),
    )
