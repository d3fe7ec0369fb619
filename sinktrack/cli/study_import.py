"""`sinktrack study import`: a study of answers that were made elsewhere."""

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from sinktrack.cli.options import FIELDS, GoldField, ItemField, PredictionField, check_count
from sinktrack.cli.study_new import INSTRUCTIONS, TITLE
from sinktrack.core.errors import StudyError
from sinktrack.core.files import check_usable
from sinktrack.terminal import harmless, waiting

ABOUT = "What is asked"
"""The heading that options stand under in the help."""


def import_answers(
    folder: Annotated[str, typer.Argument(metavar="DIR", help="The study's folder, to be made.")],
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILES...", help="As for sinktrack score. A file is a method."),
    ],
    pattern: Annotated[
        str | None,
        typer.Option(metavar="P", help='What file names tell, such as "{method}_{seed}.jsonl".'),
    ] = None,
    answers: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A column of answers, which is a method; once for each, where a row has several.",
            rich_help_panel=FIELDS,
        ),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Names each row's method, where a file has several.",
            rich_help_panel=FIELDS,
        ),
    ] = None,
    id: ItemField = None,
    prediction: PredictionField = None,
    gold: GoldField = None,
    items: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Question, passage, image, reference and tags by id, where the answers' rows lack "
            "them; or SQuAD's or QuAC's own file.",
            rich_help_panel=ABOUT,
        ),
    ] = None,
    pictures: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER",
            help="Where the pictures lie, by the names in the rows or by the items' ids; by "
            "default beside the file that names them.",
            rich_help_panel=ABOUT,
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(metavar="N", help="So many items, spread evenly over all."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(metavar="S", help="With --limit: draw them at random.")
    ] = None,
    title: Annotated[str, typer.Option(metavar="T", help="What annotators read first.")] = TITLE,
    model: Annotated[
        str, typer.Option(metavar="M", help="What answered, for the record alone.")
    ] = "",
    votes: Annotated[int, typer.Option(metavar="N", help="How many people judge each item.")] = 2,
) -> None:
    """Make a study of answers made elsewhere, which can be served at once. Loads no model."""
    for name, number in (("limit", limit), ("votes", votes)):
        if number is not None:
            check_count(name, number)
    if pictures is not None and not Path(pictures).is_dir():
        raise StudyError(f"There is no folder {pictures[:200]} for --pictures: check the path.")
    if answers and (method or prediction):
        raise StudyError("--answers says which columns hold answers: leave the other options out.")
    check_usable(folder, "The study")
    with waiting("Starting"):
        from sinktrack.eval.prediction_rows import Fields
        from sinktrack.eval.predictions import read_runs
        from sinktrack.study.asked import read_asked
        from sinktrack.study.folder import check_new
        from sinktrack.study.imported import (
            by_answer_columns,
            by_method_column,
            gather,
            write_study,
        )

    check_new(Path(folder))
    with waiting("Reading"):
        fields = Fields(id, prediction, gold)
        if answers:
            columns = {each: replace(fields, prediction=each) for each in answers}
            runs = by_answer_columns(
                {name: read_runs(files, each, pattern)[0] for name, each in columns.items()}
            )
        else:
            runs, _ = read_runs(files, fields, pattern)
            runs = by_method_column(runs, method) if method else runs
        asked = None if items is None else read_asked(items)
        gathered = gather(runs, asked, limit=limit, seed=seed)
    study = write_study(
        Path(folder),
        gathered,
        title=title,
        instructions=INSTRUCTIONS,
        model=model,
        votes_per_item=votes,
        pictures=None if pictures is None else Path(pictures),
    )
    for note in gathered.notes:
        print(f"sinktrack: {harmless(note)}")
    print(
        f"sinktrack: {len(study.items)} items, each answered by {', '.join(study.lanes)}. Open the "
        f"study: sinktrack study serve {shlex.quote(folder)}"
    )
