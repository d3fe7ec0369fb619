"""Files of answers as runs: who answered, with which seed, and what file names tell of it.

Knows neither formats nor rules of scoring.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sinktrack.core.errors import AnswersError
from sinktrack.eval.answer_files import AnswerFile, read_answer_file
from sinktrack.eval.prediction_rows import (
    KNOWN_FIELDS,
    NO_SEED,
    Fields,
    Gold,
    Prediction,
    answers_in,
    names_in,
)


@dataclass
class AnsweredRun:
    """All answers of one method with one seed to one set of items.

    Args:
        group: Of the items, such as the benchmark and the model; methods are compared inside it.
        method: The method's name.
        seed: As it was written.
        files: Where it was read.
        answers: In the files' order, duplicates included.
    """

    group: tuple[tuple[str, str], ...]
    method: str
    seed: str
    files: list[AnswerFile] = field(default_factory=list)
    answers: list[Prediction] = field(default_factory=list)

    @property
    def title(self) -> str:
        """Method and seed, for sentences."""
        return self.method if self.seed == NO_SEED else f"{self.method}, seed {self.seed}"

    def first(self) -> dict[str, Prediction]:
        """Return the answers by id; the first row of an id counts."""
        found: dict[str, Prediction] = {}
        for each in self.answers:
            found.setdefault(each.id, each)
        return found


def read_runs(
    paths: Sequence[str],
    fields: Fields = KNOWN_FIELDS,
    pattern: str | None = None,
    references: Mapping[str, Gold] | None = None,
) -> tuple[list[AnsweredRun], list[AnswerFile]]:
    """Read files of answers, and sort them by method and seed.

    Args:
        paths: The files.
        fields: Which names hold what.
        pattern: What a file's name tells, as for `names_told`; None for the method alone.
        references: The right answers by id, where they stand in a file of their own.

    Returns:
        The runs in order of their first row; the files, empty ones included.

    Raises:
        AnswersError: If a file cannot be read, or a row lacks something; says file and line.
    """
    runs: dict[tuple[Any, ...], AnsweredRun] = {}
    files = []
    for path in paths:
        told = names_told(path, pattern) if pattern else {"method": _stem(path, paths)}
        file = read_answer_file(path)
        files.append(file)
        for row in file.rows:
            names = told | names_in(row)
            seed = names.pop("seed", NO_SEED)
            method = names.pop("method", None) or ", ".join(names.values()) or _stem(path, paths)
            key = (tuple(names.items()), method, seed)
            run = runs.setdefault(key, AnsweredRun(*key))
            if not run.files or run.files[-1] is not file:
                run.files.append(file)
            run.answers.extend(answers_in(row, fields, references))
    return list(runs.values()), files


def names_told(path: str, pattern: str) -> dict[str, str]:
    """Return what a path tells, such as method and seed.

    Args:
        path: Of a file.
        pattern: With "{method}", "{seed}" and any other names in braces, each of which stands for
            some characters; "*" stands for any. It is compared with the end of the path, as many
            folders as it has itself.

    Raises:
        AnswersError: If the path is not of that pattern, or the pattern is none.
    """
    parts = re.split(r"(\{[^{}]*\}|\*)", pattern)
    names = [part[1:-1] for part in parts if part.startswith("{")]
    wrong = next((name for name in names if not name.isidentifier()), None)
    if wrong is not None or len(set(names)) < len(names) or not names:
        raise AnswersError(
            f"The pattern {pattern!r} must hold names in braces, each once, such as "
            '"{method}_{seed}.jsonl".'
        )
    expression = "".join(
        f"(?P<{part[1:-1]}>[^/]+?)"
        if part.startswith("{")
        else "[^/]*?"
        if part == "*"
        else re.escape(part)
        for part in parts
    )
    folders = pattern.count("/") + 1
    end = "/".join(Path(path).absolute().parts[-folders:])
    found = re.fullmatch(expression, end)
    if found is None:
        raise AnswersError(f"{path} is not of the pattern {pattern!r}: leave it out, or change it.")
    return found.groupdict()


def categories_split(answers: Sequence[Prediction]) -> list[Prediction]:
    """Return answers with one row for each category that an item counts in.

    POPE's questions occur in several of its three samples, and VLMEvalKit writes them once, with
    all samples' names in one value. The answers that came of one row stay one cluster.
    """
    return [
        each
        if len(each.categories) < 2
        else Prediction(
            id=f"{each.id} ({category})",
            answer=each.answer,
            gold=each.gold,
            question=each.question,
            options=each.options,
            categories=(category,),
            cluster=each.cluster,
            row=each.row,
        )
        for each in answers
        for category in (each.categories or ("",))
    ]


def _stem(path: str, paths: Sequence[str]) -> str:
    """Return a file's name without its endings, with its folder where names are not unique."""

    def bare(name: str) -> str:
        return re.sub(r"\.(jsonl|json|csv|tsv|xlsx)(\.xz|\.gz)?$", "", Path(name).name, flags=re.I)

    same = [each for each in paths if bare(each) == bare(path)]
    folder = Path(path).absolute().parent.name
    return f"{folder}/{bare(path)}" if len(same) > 1 and folder else bare(path)
