"""`sinktrack score`."""

import json
import os
import sys
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from sinktrack.cli.options import FIELDS, GoldField, ItemField, PredictionField
from sinktrack.core.errors import AnswersError
from sinktrack.core.files import check_writable, whole_file
from sinktrack.terminal import harmless, waiting

OUTPUT = "Output"
"""The heading that options stand under in the help, beside those of `options`."""


class Kind(str, Enum):
    """Of answers."""

    choice = "choice"
    yes_no = "yes-no"
    word = "word"
    span = "span"


def score(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILES...",
            help="JSON Lines, JSON, CSV, TSV or xlsx, each also .xz or .gz: records of sinktrack "
            "eval, tables of VLMEvalKit, samples of lmms-eval or lm-eval, or your own.",
        ),
    ],
    pattern: Annotated[
        str | None,
        typer.Option(
            metavar="P",
            help='What file names tell: "{method}_{seed}.jsonl". Other names in braces tell sets '
            'of items apart, and "*" is anything. By default a file is a method.',
        ),
    ] = None,
    rule: Annotated[
        str,
        typer.Option(
            metavar="R",
            help="fair, strict, first-answer, recorded (the scores that records of sinktrack eval "
            "hold), or module:function of your own.",
        ),
    ] = "fair",
    kind: Annotated[
        Kind | None,
        typer.Option(help="What answers are; by default what the right answer looks like."),
    ] = None,
    abstain: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PHRASE",
            help="What says that the text does not tell, once or several times; by default a list "
            "that is printed.",
        ),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(metavar="M", help="Compare with this method alone; by default all pairs."),
    ] = None,
    id: ItemField = None,
    prediction: PredictionField = None,
    gold: GoldField = None,
    gold_file: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Where the right answers stand, if elsewhere, such as SQuAD's or QuAC's own file.",
            rich_help_panel=FIELDS,
        ),
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="What items share that are not independent, such as image.",
            rich_help_panel=FIELDS,
        ),
    ] = None,
    as_json: Annotated[
        str | None,
        typer.Option("--json", metavar="FILE", help="Also as JSON.", rich_help_panel=OUTPUT),
    ] = None,
    as_csv: Annotated[
        str | None,
        typer.Option("--csv", metavar="FILE", help="Also as CSV.", rich_help_panel=OUTPUT),
    ] = None,
    figure: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Also as a figure, .png, .svg or .pdf.", rich_help_panel=OUTPUT
        ),
    ] = None,
) -> None:
    """Score answers made elsewhere by one stated rule, and compare methods on common items."""
    for path, what in ((as_json, "The figures"), (as_csv, "The table"), (figure, "The figure")):
        if path is not None:
            check_writable(path, what)
    suffix = _figure_format(figure)
    if ":" in rule:
        sys.path.insert(0, os.getcwd())  # where a person's own rule lies
    with waiting("Starting"):
        from sinktrack.eval.prediction_rows import Fields
        from sinktrack.eval.predictions import read_runs
        from sinktrack.eval.references import read_references
        from sinktrack.eval.rules import ABSTAINING, find_rule
        from sinktrack.eval.score import score as scored
        from sinktrack.eval.score_report import draw, markdown, write_csv

    chosen = find_rule(rule, None if kind is None else kind.value, abstain or ABSTAINING)
    with waiting("Scoring") as say:
        say("reading")
        names = Fields(id, prediction, gold, cluster)
        references = None if gold_file is None else read_references(gold_file, names)
        runs, read = read_runs(files, names, pattern, references)
        found = scored(runs, read, chosen, baseline=baseline, say=say)
    print(harmless(markdown(found)), end="")
    if as_json is not None:
        with whole_file(as_json, "The figures") as part:
            part.write_text(json.dumps(found.as_json(), indent=1) + "\n", encoding="utf-8")
    if as_csv is not None:
        with (
            whole_file(as_csv, "The table") as part,
            part.open("w", encoding="utf-8", newline="") as out,
        ):
            write_csv(found, out)
    if figure is not None:
        with whole_file(figure, "The figure") as part:
            draw(found, part, suffix)


def _figure_format(figure: str | None) -> str:
    """Return the format that a figure's name tells.

    Raises:
        AnswersError: If it tells none that can be drawn.
    """
    suffix = Path(figure or "x.png").suffix.lower().removeprefix(".")
    if suffix not in ("png", "svg", "pdf"):
        raise AnswersError(f"{figure} is no name for a figure: name it .png, .svg or .pdf.")
    return suffix
