"""A study's results as figures, and a table of every vote to download.

Knows nothing about databases and pages: it is given the votes as `app.study.vote_store` keeps them.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from itertools import combinations
from typing import Any, Literal

import pandas as pd

from app.study import stats
from app.study.own_questions import OwnFigures, own_figures
from app.study.quality import Annotator, annotators, first_votes
from app.study.ranking import Ranking, rank_methods, win_matrix
from app.study.stats import Agreement, Share, Vote
from app.study.uncounted import NOTHING_UNCOUNTED, Uncounted
from sinktrack.eval.statistics import holm
from sinktrack.study.folder import Study

Format = Literal["csv", "jsonl", "parquet"]
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""


@dataclass(frozen=True)
class Group:
    """The figures of all votes on two lanes, or of those on items with one tag.

    Args:
        name: The tag; "all".
        lanes: The first and the second lane.
        items: How many items have a vote.
        votes: How many votes there are.
        first_left: In how many votes the first lane stood on the left.
        wins: How often the second lane was the better one, of the votes that preferred one.
        wins_by_item: Its 95 % interval with items drawn again; None of nothing.
        items_won: On how many items most votes preferred the second lane, and the first.
        sign_p: Of no preference, by item.
        sign_p_holm: The same, corrected for how many pairs of lanes the study has; for "all" alone.
        said: How many votes preferred each lane, were a tie, or found both bad.
        hallucinating: By lane, the votes that found at least a minor hallucination.
        severe: By lane, those that found a severe one.
        hallucination_p: Of no difference between the lanes, by item; None if it was not asked.
    """

    name: str
    lanes: tuple[str, str]
    items: int
    votes: int
    first_left: Share
    wins: Share
    wins_by_item: tuple[float, float] | None
    items_won: tuple[int, int]
    sign_p: float
    sign_p_holm: float | None
    said: Mapping[str, int]
    hallucinating: Mapping[str, Share]
    severe: Mapping[str, Share]
    hallucination_p: float | None


@dataclass(frozen=True)
class Results:
    """All figures of a study.

    Args:
        groups: For each pair of lanes all votes first, then each tag.
        by_item: Votes of each item that has any.
        choice: Agreement on which answer is better.
        severity: Agreement on how badly answers hallucinate.
        left: How often the left side won.
        seconds: Quartiles of the time per vote.
        by_annotator: Votes of each.
        single: Pairs of answers with one vote, which agreement leaves out.
        annotators: How each annotator votes, with those who are left out.
        left_out: Whose votes do not count, and how many these are.
        repeated: Votes on what their annotator had judged before, which do not count either.
        matrix: How often each lane was better than each other, by the winner and the loser.
        ranking: The lanes by strength; None for two.
        own: The answers to each choice and scale of the study's own.
        uncounted: Votes that are not among those given.
    """

    groups: tuple[Group, ...]
    by_item: Mapping[str, int]
    choice: Agreement
    severity: Agreement
    left: Share
    seconds: tuple[float, float, float] | None
    by_annotator: Mapping[str, int]
    single: int
    annotators: tuple[Annotator, ...]
    left_out: Mapping[str, int]
    repeated: int
    matrix: Mapping[tuple[str, str], Share]
    ranking: Ranking | None
    own: tuple[OwnFigures, ...] = ()
    uncounted: Uncounted = NOTHING_UNCOUNTED

    @property
    def items(self) -> int:
        """How many items have a vote."""
        return len(self.by_item)

    def by_pair(self) -> dict[tuple[str, str], list[Group]]:
        """Return the groups of each pair of lanes."""
        found: dict[tuple[str, str], list[Group]] = {}
        for group in self.groups:
            found.setdefault(group.lanes, []).append(group)
        return found


def as_votes(study: Study, kept: Sequence[Mapping[str, Any]]) -> list[Vote]:
    """Turn votes from `VoteStore.standing` into those that statistics are made of.

    Those on what their annotator had judged before stand at the end, and count as long as the vote
    before does. Training is left out: it shows what people learned and not what they think.
    """
    tags = {item.name: item.tags for item in study.items}
    training = {item.name for item in study.used_for("training")}
    first = {(row["name"], row["item"]) for row in kept if not row["again"]}
    return [
        Vote(
            item=row["item"],
            annotator=row["name"],
            left=row["left"],
            right=row["right"],
            better=row["better"],
            severity={
                lane: judged["severity"]
                for lane, judged in row["judged"].items()
                if "severity" in judged
            },
            seconds=row["seconds"],
            tags=tags.get(row["item"], ()),
            said=row.get("said") or {},
        )
        for row in sorted(kept, key=lambda row: bool(row["again"]))
        if row["item"] not in training and (row["name"], row["item"]) in first
    ]


def compute_results(
    study: Study,
    votes: Sequence[Vote],
    left_out: Collection[str] = (),
    uncounted: Uncounted = NOTHING_UNCOUNTED,
) -> Results:
    """Compute all figures of a study.

    Args:
        study: The study.
        votes: From `as_votes`. Those on checks count for their annotators alone.
        left_out: Annotators whose votes do not count; only `annotators` measures them.
        uncounted: Votes that are not among `votes`, to be told of.
    """
    lanes, aside = tuple(study.lanes), {item.name for item in study.used_for("check")}
    checks = [vote for vote in votes if vote.item in aside]
    everyone = [vote for vote in votes if vote.item not in aside]
    gold = {item.name: item.better for item in study.items if item.better}
    own_votes = Counter(vote.annotator for vote in everyone)
    counted = [vote for vote in everyone if vote.annotator not in left_out]
    votes = first_votes(counted)
    pairs = list(combinations(lanes, 2))
    tags = dict.fromkeys(tag for item in study.judged for tag in item.tags)
    judged = Counter(vote.compared for vote in votes)
    own = {pair: [vote for vote in votes if vote.pair == set(pair)] for pair in pairs}
    corrected = holm([_sign_p(own[pair], pair) for pair in pairs])
    groups: list[Group] = []
    for pair, p in zip(pairs, corrected, strict=True):
        groups.append(_group("all", own[pair], pair, p))
        for tag in tags:
            groups.append(_group(tag, [vote for vote in own[pair] if tag in vote.tags], pair))
    return Results(
        groups=tuple(groups),
        by_item=Counter(vote.item for vote in votes),
        choice=stats.choice_agreement(votes, lanes),
        severity=stats.severity_agreement(votes, lanes),
        left=stats.left_wins(votes),
        seconds=stats.vote_time_quartiles(votes),
        by_annotator=Counter(vote.annotator for vote in votes),
        single=sum(count == 1 for count in judged.values()),
        annotators=annotators(everyone, lanes, gold, left_out, checks),
        left_out={name: count for name, count in own_votes.items() if name in left_out},
        repeated=len(counted) - len(votes),
        matrix=win_matrix(votes, lanes),
        ranking=rank_methods(votes, lanes) if len(lanes) > 2 else None,
        own=own_figures(study.questions, votes, lanes),
        uncounted=uncounted,
    )


def _sign_p(votes: Sequence[Vote], lanes: tuple[str, str]) -> float:
    return stats.sign_test(*stats.items_won(votes, lanes[1]))


def _group(
    name: str, votes: Sequence[Vote], lanes: tuple[str, str], corrected: float | None = None
) -> Group:
    first, second = lanes
    return Group(
        name=name,
        lanes=lanes,
        items=len({vote.item for vote in votes}),
        votes=len(votes),
        first_left=Share(sum(vote.left == first for vote in votes), len(votes)),
        wins=stats.win_rate(votes, second),
        wins_by_item=stats.bootstrap(votes, stats.win_measure(second)),
        items_won=stats.items_won(votes, second),
        sign_p=_sign_p(votes, lanes),
        sign_p_holm=corrected,
        said={said: sum(vote.better == said for vote in votes) for said in (*lanes, *stats.TIES)},
        hallucinating={lane: stats.hallucinated(votes, lane) for lane in lanes},
        severe={lane: stats.hallucinated(votes, lane, "severe") for lane in lanes},
        hallucination_p=stats.hallucination_p(votes, first, second),
    )


def answers_of(study: Study) -> dict[str, dict[str, str]]:
    """Return by item and lane the answer's text.

    Raises:
        StudyError: If an item has no answers.
    """
    return {
        item.name: {lane["name"]: lane["text"] for lane in study.read_prepared(item)["lanes"]}
        for item in study.items
    }


def vote_rows(
    study: Study,
    kept: Sequence[Mapping[str, Any]],
    answers: Mapping[str, Mapping[str, str]] | None = None,
) -> pd.DataFrame:
    """Return one row a vote, with everything needed to redo the statistics.

    Args:
        study: The study.
        kept: Votes from `VoteStore.history`; those of people who are left out as well.
        answers: From `answers_of`; read from the study's folder if not given.

    Returns:
        Tags are lists, names are text, and of each lane the answer is empty where it was not one of
        the two that were compared. Of a vote that is kept apart, question, tags and answers are
        empty, because those of now are others.
    """
    answers = answers_of(study) if answers is None else answers
    items = {item.name: item for item in study.items}
    rows = []
    for vote in kept:
        apart = bool(vote.get("apart"))
        item = None if apart else items.get(vote["item"])
        row = {
            "study": study.name,
            "key": vote["key"],
            "item": vote["item"],
            "question": item.question if item else "",
            "tags": list(item.tags) if item else [],
            "use": item.use if item else "judged",
            "again": bool(vote["again"]),
            "annotator": vote["name"],
            "left": vote["left"],
            "right": vote["right"],
            "better": vote["better"],
        }
        for lane in study.lanes:
            judged = vote["judged"].get(lane, {})
            seen = lane in (vote["left"], vote["right"]) and not apart
            texts = answers.get(vote["item"], {}) if seen else {}
            row[f"answer of {lane}"] = texts.get(lane, "")
            row[f"severity of {lane}"] = judged.get("severity", "")
            row[f"spans of {lane}"] = " ".join(f"{a}-{b}" for a, b in judged.get("spans", []))
        rows.append(
            row
            | _own_columns(study, vote.get("said") or {})
            | {
                "comment": vote["comment"],
                "seconds": vote["seconds"],
                "cast": iso(vote["cast"]),
                "revealed": iso(vote["revealed"]) if vote["revealed"] else "",
                "undone": iso(vote["undone"]) if vote.get("undone") else "",
                "sequence": vote.get("sequence"),
                "pair": vote.get("pair") or "",
                "apart": apart,
            }
        )
    frame = pd.DataFrame(rows)
    whole = {name: "Int64" for name in _scale_columns(study) if name in frame}
    return frame.astype(whole)  # with empty ones, which whole numbers of pandas else have not


def _own_columns(study: Study, said: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a vote says to a study's own questions, a column each; of answers one a lane.

    A point of a scale is a number, and what was not answered is empty.
    """
    found: dict[str, Any] = {}
    for question in study.questions:
        value = said.get(question.name)
        of = {f" of {lane}": lane for lane in study.lanes} if question.of == "answer" else {"": ""}
        each = value if isinstance(value, dict) else {"": value}
        for end, lane in of.items():
            known = isinstance(each.get(lane), int if question.kind == "scale" else str)
            nothing = None if question.kind == "scale" else ""
            found[f"said {question.name}{end}"] = each[lane] if known else nothing
    return found


def _scale_columns(study: Study) -> list[str]:
    scales = tuple(each for each in study.questions if each.kind == "scale")
    return list(_own_columns(replace(study, questions=scales), {}))


def export(rows: pd.DataFrame, format: Format) -> bytes:
    """Return votes as a file.

    Parquet and JSONL keep lists and every text as it is. CSV has no lists: tags are joined by
    spaces. A text that a spreadsheet would run as a formula begins with an apostrophe there.
    """
    if format == "parquet":
        return bytes(rows.to_parquet(index=False))
    if format == "jsonl":
        return str(rows.to_json(orient="records", lines=True, force_ascii=False)).encode()
    cells = rows.astype(object).map(_as_cell)  # or whole numbers become others
    return str(cells.to_csv(index=False)).encode()


def _as_cell(value: Any) -> Any:
    text = " ".join(value) if isinstance(value, list) else value
    return f"'{text}" if isinstance(text, str) and text.startswith(_FORMULA) else text


def iso(seconds: float) -> str:
    """Write a time, in seconds since 1970, as UTC."""
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds")
