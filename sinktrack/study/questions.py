"""A study's own questions, which annotators answer beside the built-in ones: read and checked."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from sinktrack.core.errors import StudyError, shown
from sinktrack.study.fields import check_known, count, one_of, text

Kind = Literal["choice", "scale", "text"]
Of = Literal["pair", "answer"]

SIDES = ("left", "right")
"""Options that mean an answer of the pair."""

KNOWN = ("name", "ask", "kind", "of", "required", "options", "points", "ends")
"""What a question may say."""

_BELONGS = {"options": "choice", "points": "scale", "ends": "scale"}
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")
_EXAMPLE = '{name: why, ask: "What decided it?", kind: text}'
_MOST_POINTS = 11  # from 0 to 10, as some scales have it
_MOST_OPTIONS = 20


@dataclass(frozen=True, kw_only=True)
class Question:
    """What annotators are asked about a pair of answers, or about each of both.

    Args:
        name: Names it in the database and in exported files.
        ask: The words.
        kind: One of several options, a point of a scale, or free words.
        of: Whether it is asked of the pair, or of both answers.
        required: Whether a vote needs an answer to it.
        options: Of a choice. "left" and "right" mean the answer on that side.
        points: Of a scale, which goes from 1 to this; 0 of others.
        ends: Of a scale, the words for its lowest and its highest point.
    """

    name: str
    ask: str
    kind: Kind
    of: Of = "pair"
    required: bool = True
    options: tuple[str, ...] = ()
    points: int = 0
    ends: tuple[str, ...] = ()


def read_questions(said: Any, lanes: Collection[str], file: Path) -> tuple[Question, ...]:
    """Return the questions that study.yaml asks.

    Args:
        said: What stands behind `questions`.
        lanes: The names of the lanes, which no option may have.
        file: Named in messages.

    Raises:
        StudyError: If something of it cannot be used; says what to write.
    """
    if not isinstance(said, list):
        raise StudyError(
            f"{file}: questions is {shown(said)}, but must be a list of questions such as "
            f"{_EXAMPLE}."
        )
    found: dict[str, Question] = {}
    for number, each in enumerate(said, start=1):
        where = f"{file}, question {number}"
        if not isinstance(each, dict):
            raise StudyError(f"{where} is {shown(each)}, but must be written such as {_EXAMPLE}.")
        question = _question(each, lanes, where)
        if question.name in found:
            raise StudyError(f"{where} is called {question.name!r} like one before: name it anew.")
        found[question.name] = question
    return tuple(found.values())


def _question(said: Mapping[str, Any], lanes: Collection[str], where: str) -> Question:
    check_known(said, KNOWN, where)
    name = text(said, "name", where)
    if not _NAME.fullmatch(name):
        raise StudyError(
            f"{where}: name is {name!r}, but must be up to 40 letters from a to z, digits, dashes "
            "and underscores, beginning with a letter."
        )
    where = f"{where} ({name})"
    kind = _one(said, "kind", get_args(Kind), None, where)
    stray = next((key for key, owner in _BELONGS.items() if key in said and owner != kind), None)
    if stray is not None:
        raise StudyError(
            f"{where}: {stray} belongs to a {_BELONGS[stray]}, but kind is {kind}: leave it out, "
            f"or write kind: {_BELONGS[stray]}."
        )
    of = _one(said, "of", get_args(Of), "pair", where)
    required = said.get("required", True)
    if not isinstance(required, bool):
        raise StudyError(f"{where}: required is {shown(required)}, but must be true or false.")
    return Question(
        name=name,
        ask=text(said, "ask", where),
        kind=kind,
        of=of,
        required=required,
        options=_options(said, of, lanes, where) if kind == "choice" else (),
        **(_scale(said, where) if kind == "scale" else {}),
    )


def _one(
    said: Mapping[str, Any], key: str, known: Collection[str], default: str | None, where: str
) -> Any:
    value = said.get(key, default)
    if value not in known:
        raise StudyError(f"{where}: {key} is {shown(value)}, but must be {one_of(known)}.")
    return value


def _scale(said: Mapping[str, Any], where: str) -> dict[str, Any]:
    points = count(said, "points", where, 5, _MOST_POINTS)
    ends = _texts(said, "ends", "[not at all, very]", where)
    if points < 2 or len(ends) != 2:
        raise StudyError(
            f"{where}: a scale has 2 to {_MOST_POINTS} points and a word for each of its two ends, "
            "such as points: 5 and ends: [not at all, very]."
        )
    return {"points": points, "ends": ends}


def _options(
    said: Mapping[str, Any], of: str, lanes: Collection[str], where: str
) -> tuple[str, ...]:
    options = _texts(said, "options", "[left, right, same]", where)
    options = tuple(each.lower() if each.lower() in SIDES else each for each in options)
    if not 2 <= len(options) <= _MOST_OPTIONS or len(set(options)) < len(options):
        raise StudyError(
            f"{where}: options must be 2 to {_MOST_OPTIONS} different texts, such as "
            "[left, right, same]."
        )
    sides = [side for side in SIDES if side in options]
    if sides and of == "answer":
        raise StudyError(
            f"{where}: {sides[0]} is no option, because this is asked of each answer by itself: "
            "take it out, or write of: pair."
        )
    if len(sides) == 1:
        other = SIDES[1 - SIDES.index(sides[0])]
        raise StudyError(f"{where}: options has {sides[0]} but not {other}: add it.")
    taken = next((each for each in options if each in lanes), None)
    if taken is not None:
        raise StudyError(
            f"{where}: an option cannot be called {taken!r} like a lane, because votes say that: "
            "name it otherwise."
        )
    return options


def _texts(said: Mapping[str, Any], key: str, example: str, where: str) -> tuple[str, ...]:
    """Return a list of texts; YAML takes some words for something else."""
    value = said.get(key)
    if not isinstance(value, list) or not value:
        raise StudyError(
            f"{where}: {key} is {shown(value)}, but must be a list of texts such as {example}."
        )
    for each in value:
        if not isinstance(each, str) or not each.strip():
            raise StudyError(
                f"{where}: {key} has {shown(each)}, which is no text: put it between quotes, as in "
                '["yes", "no"].'
            )
    return tuple(" ".join(each.split()) for each in value)
