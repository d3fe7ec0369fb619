"""What annotators answer to a study's own questions: checked, kept by lane, and counted.

Beside the answers of a vote, by a question's name, it knows nothing of votes and pages.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.study import stats
from app.study.stats import Share, Vote
from sinktrack.study.questions import SIDES, Question

LONGEST_TEXT = 5000
"""Characters of an answer in free words."""


class Unanswered(ValueError):
    """An answer that cannot be kept, with a sentence for the annotator."""


Mean = tuple[int, float | None, tuple[float, float] | None]
"""How many answers there are, their mean, and its 95 % interval with items drawn again."""


@dataclass(frozen=True)
class OwnFigures:
    """How the answers to one question are distributed.

    Args:
        question: The question, a choice or a scale.
        shares: Of a choice: by lane (of an answer) or "" (of the pair) and by option, how often it
            was chosen. A side that was chosen counts as its lane, of the votes that saw this lane.
        means: Of a scale: by lane or "".
    """

    question: Question
    shares: Mapping[str, Mapping[str, Share]]
    means: Mapping[str, Mean]


def as_kept(
    questions: Sequence[Question], said: Any, sides: Mapping[str, str], clean: Callable[[str], str]
) -> dict[str, Any]:
    """Return the answers of a vote as they are kept: by question, lanes in place of sides.

    Args:
        questions: The study's.
        said: From a browser, by question: an option, a point or a text; of both answers each by its
            side. None, "" and what is missing are no answer.
        sides: The lane on each side.
        clean: Takes out of a text what no database keeps.

    Raises:
        Unanswered: If something is no answer to its question, or a required one is missing.
    """
    if said is not None and not isinstance(said, dict):
        raise Unanswered("The answers to the questions cannot be read: load the page again.")
    found: dict[str, Any] = {}
    for question in questions:
        value = (said or {}).get(question.name)
        if question.of == "pair":
            told = _checked(question, value, clean, "")
            if told is not None:
                found[question.name] = sides.get(told, told) if question.options else told
            continue
        both = value if isinstance(value, dict) else {}
        each = {
            lane: _checked(question, both.get(side), clean, f" of the {side} answer")
            for side, lane in sides.items()
        }
        if any(one is not None for one in each.values()):
            found[question.name] = {k: one for k, one in each.items() if one is not None}
    return found


def _checked(question: Question, value: Any, clean: Callable[[str], str], of: str) -> Any:
    """Return one answer; None if there is none and none is needed."""
    if isinstance(value, str) and question.kind == "text":
        value = clean(value)
    if value is None or value == "":
        if question.required:
            raise Unanswered(f"Answer “{question.ask}”{of} first.")
        return None
    if not is_answer(question, value):
        limit = f"at most {LONGEST_TEXT} characters" if question.kind == "text" else "other answers"
        raise Unanswered(f"“{question.ask}”{of} has {limit}: change yours, or load the page again.")
    return value


def is_answer(question: Question, value: Any) -> bool:
    """Tell whether a value answers a question, of the pair or of one answer."""
    if question.kind == "choice":
        return isinstance(value, str) and value in question.options
    if question.kind == "text":
        return isinstance(value, str) and len(value) <= LONGEST_TEXT
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= question.points


def as_said(
    questions: Sequence[Question], kept: Mapping[str, Any], sides: Mapping[str, str]
) -> dict[str, Any]:
    """Return kept answers as a browser says them: sides in place of lanes.

    Args:
        questions: The study's now. What none of them can be answered with is left out.
        kept: From `as_kept`.
        sides: The lane on each side.
    """
    side_of = {lane: side for side, lane in sides.items()}
    found: dict[str, Any] = {}
    for question in questions:
        value = kept.get(question.name)
        if question.of == "answer":
            both = value if isinstance(value, dict) else {}
            found[question.name] = {
                side_of[lane]: one
                for lane, one in both.items()
                if lane in side_of and is_answer(question, one)
            }
            continue
        if SIDES[0] in question.options and isinstance(value, str):
            value = side_of.get(value, value)
        if is_answer(question, value):
            found[question.name] = value
    return found


def own_figures(
    questions: Sequence[Question], votes: Sequence[Vote], lanes: Sequence[str]
) -> tuple[OwnFigures, ...]:
    """Count the answers to every choice and scale; free words are in the exported files alone."""
    found = []
    for question in questions:
        if question.kind == "text":
            continue
        who = tuple(lanes) if question.of == "answer" else ("",)
        if question.kind == "choice":
            shares = {each: _shares(question, votes, each, lanes) for each in who}
            found.append(OwnFigures(question, shares, {}))
        else:
            means = {each: _mean(question, votes, each) for each in who}
            found.append(OwnFigures(question, {}, means))
    return tuple(found)


def _answer(question: Question, vote: Vote, lane: str) -> Any:
    """Return a vote's answer as an option or a point, of a lane or ("") of the pair; else None."""
    sides = {"left": vote.left, "right": vote.right}
    said = as_said([question], vote.said, sides).get(question.name)
    if question.of == "answer":
        said = {sides[side]: one for side, one in (said or {}).items()}.get(lane)
    return said


def _shares(
    question: Question, votes: Sequence[Vote], lane: str, lanes: Sequence[str]
) -> dict[str, Share]:
    told = [(vote, said) for vote in votes if (said := _answer(question, vote, lane)) is not None]
    plain = [option for option in question.options if option not in SIDES]
    if SIDES[0] not in question.options:
        counts = Counter(said for _, said in told)
        return {option: Share(counts[option], len(told)) for option in plain}
    chosen = Counter({"left": v.left, "right": v.right}.get(said, said) for v, said in told)
    seen = Counter(each for vote, _ in told for each in (vote.left, vote.right))
    shares = {each: Share(chosen[each], seen[each]) for each in lanes}
    return shares | {option: Share(chosen[option], len(told)) for option in plain}


def _mean(question: Question, votes: Sequence[Vote], lane: str) -> Mean:
    def measure(vote: Vote) -> tuple[float, float]:
        point = _answer(question, vote, lane)
        return (0.0, 0.0) if point is None else (float(point), 1.0)

    sums = [measure(vote) for vote in votes]
    count = sum(weight for _, weight in sums)
    mean = sum(point for point, _ in sums) / count if count else None
    return int(count), mean, stats.bootstrap(votes, measure)
