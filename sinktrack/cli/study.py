"""`sinktrack study`: a study's answers, made beforehand, and its page."""

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from sinktrack.cli.options import Device, FourBit, Loading, ModelName, Weights, check_count
from sinktrack.cli.study_import import import_answers
from sinktrack.cli.study_new import new
from sinktrack.core.errors import StudyError
from sinktrack.core.files import check_usable
from sinktrack.core.names import BUNDLED, check_study_folder

Folder = Annotated[str, typer.Argument(metavar="DIR", help="A folder with a study.yaml.")]

_PAGE = BUNDLED.parents[1] / "app.py"


class _PrepareByDefault(TyperGroup):
    """Takes `sinktrack study DIR` for `sinktrack study prepare DIR`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the command that is left out before the folder."""
        first = next((word for word in args if not word.startswith("-")), None)
        if first is not None and first not in self.commands:
            args = ["prepare", *args]
        return super().parse_args(ctx, args)


def study(examples: Callable[..., str]) -> typer.Typer:
    """Return the command with its own commands.

    Args:
        examples: Makes the end of a help of lines.
    """
    group = typer.Typer(
        cls=_PrepareByDefault,
        help="Answer a study's items beforehand, and open it for annotators.",
        epilog=examples(
            "sinktrack study new my-study",
            "sinktrack study prepare my-study",
            "sinktrack study serve my-study",
        ),
    )
    group.command(epilog=examples("sinktrack study new my-study", "sinktrack study new x --yes"))(
        new
    )
    group.command(epilog=examples("sinktrack study prepare my-study --batch 4"))(prepare)
    group.command(
        "import",
        epilog=examples(
            "sinktrack study import my-study plain.jsonl new.jsonl --pictures photos --limit 100",
            'sinktrack study import my-study runs/*.xz --pattern "{method}_1.jsonl.xz" --items '
            "dev.json",
            "sinktrack study import my-study table.csv --answers plain --answers new",
        ),
    )(import_answers)
    group.command(epilog=examples("sinktrack study serve my-study"))(serve)
    return group


def prepare(
    folder: Folder,
    model: ModelName = None,
    device: Device = None,
    dtype: Weights = None,
    four_bit: FourBit = False,
    batch: Annotated[int, typer.Option(metavar="N", help="Rows at once.")] = 16,
) -> None:
    """Answer the items that have no answers yet, by default with the study's own model."""
    check_count("batch", batch)
    check_study_folder(folder)
    check_usable(folder, "Answers")
    loading = Loading(name=model, device=device, dtype=dtype, four_bit=four_bit)
    from sinktrack.study.folder import read_study
    from sinktrack.study.prepare import check_prepared_here
    from sinktrack.study.prepare import prepare as prepared

    read = read_study(folder, pictures=True)
    check_prepared_here(read)
    made = prepared(read, *loading.model(read.model), batch=batch)
    print(
        f"sinktrack: {made} of {len(read.items)} items were answered, the others had been. "
        f"Open the study: sinktrack study serve {shlex.quote(folder)}"
    )


def serve(folder: Folder) -> None:
    """Open a study's page, as python app.py --study DIR does, whose help tells its options."""
    check_study_folder(folder)
    if not _PAGE.is_file():
        raise StudyError("The page comes with a checkout alone: serve the study from there.")
    words = [sys.executable, str(_PAGE), "--study", folder]
    if sys.platform == "win32":  # which has no way to become another program
        raise typer.Exit(subprocess.call(words))
    os.execv(sys.executable, words)  # so that whoever ends this command ends the page
