"""`sinktrack study new`: a few questions, and the folder of a study."""

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from sinktrack.core.errors import MethodError, SinkTrackError, StudyError
from sinktrack.core.files import check_usable
from sinktrack.core.names import BUNDLED
from sinktrack.terminal import harmless

TITLE = "Which answer is better?"
INSTRUCTIONS = "Say which answer is better. Mark the words that are made up."
"""What is proposed for every new study."""

_HUB_MODEL = "Qwen/Qwen2.5-VL-3B-Instruct"

Value = TypeVar("Value")
Lanes = dict[str, dict[str, Any] | None]


def new(
    folder: Annotated[str, typer.Argument(metavar="DIR", help="The study's folder, to be made.")],
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Ask nothing, and take what is proposed.")
    ] = False,
) -> None:
    """Make a study's folder with an example of every kind of item. Asks a few questions."""
    check_usable(folder, "The study")
    from sinktrack.study.folder import check_new

    check_new(Path(folder))
    asking = not yes and sys.stdin is not None and sys.stdin.isatty()

    def ask(question: str, proposed: str, read: Callable[[str], Value]) -> Value:
        """Ask until the answer can be used; an empty line takes what is proposed."""
        while asking:
            try:
                said = input(f"{question} [{proposed}] ").strip()
            except EOFError:
                break
            try:
                return read(said or proposed)
            except SinkTrackError as error:
                print(harmless(str(error)))
        return read(proposed)

    title = ask("Title?", TITLE, str)
    instructions = ask("What are annotators to do?", INSTRUCTIONS, str)
    model = ask("Model, from the hub or a folder?", _model(), str)
    lanes = ask("Methods, with spaces between them?", "baseline sinktrack:context=prompt", _lanes)
    votes = ask("How many people judge each item?", "2", _votes)
    from sinktrack.study.new import write_new

    study = write_new(
        Path(folder),
        title=title,
        instructions=instructions,
        model=model,
        lanes=lanes,
        votes_per_item=votes,
    )
    named = shlex.quote(folder)
    print(
        f"sinktrack: {folder} has a study.yaml and {len(study.items)} example items.\n"
        f"1. Write your own items into {study.folder / 'items.jsonl'}; pictures go beside it.\n"
        f"2. Answer them: sinktrack study prepare {named}\n"
        f"3. Open the study: sinktrack study serve {named}"
    )


def _model() -> str:
    """Return the model that is proposed; the one that comes along is known by its name."""
    return BUNDLED.name if BUNDLED.is_dir() else _HUB_MODEL


def _lanes(text: str) -> Lanes:
    """Return the lanes of a text such as "baseline vcd:alpha=1".

    Raises:
        SinkTrackError: If one is no method, or there are fewer than two.
    """
    from sinktrack.methods import described
    from sinktrack.study.fields import lane_name

    found: Lanes = {}
    for word in text.split():
        name, lane = described(word)
        if lane_name(name, "The study") in found:
            raise MethodError(f"Two methods are called {name!r}: write name=KIND for one of them.")
        found[name] = lane
    if len(found) < 2:
        raise StudyError("A study compares two methods or more: write both, as in baseline vcd.")
    return found


def _votes(text: str) -> int:
    """Return a number of votes.

    Raises:
        StudyError: If it is none.
    """
    from sinktrack.study.fields import count
    from sinktrack.study.folder import MOST_VOTES, Study

    number: Any = int(text) if text.isascii() and text.isdecimal() and len(text) < 9 else text
    said = {"votes_per_item": number}
    return count(said, "votes_per_item", "The study", Study.votes_per_item, MOST_VOTES)
