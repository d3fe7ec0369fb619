"""`sinktrack eval`."""

from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sinktrack.cli.options import (
    Choice,
    Context,
    Device,
    FourBit,
    Loading,
    Mask,
    MethodTexts,
    ModelName,
    Sinks,
    Weights,
    Window,
    cache_of,
    check_count,
    start,
    tell,
)
from sinktrack.core.errors import MethodError
from sinktrack.core.files import check_usable
from sinktrack.eval.processes import own_device
from sinktrack.eval.task import Chosen
from sinktrack.eval.tasks import available, find, placed
from sinktrack.machine import is_first_process

if TYPE_CHECKING:
    from sinktrack.core.decoding import Decoding


BENCHMARKS = "Benchmarks"
"""The heading that options stand under in the help."""


class Split(str, Enum):
    """Of a task's items."""

    validation = "validation"
    test = "test"


def evaluate(
    task: Annotated[str, typer.Argument(metavar="TASK", help=f"One of {', '.join(available())}.")],
    out: Annotated[
        str,
        typer.Option(metavar="DIR", help="Where results go; an interrupted run there is resumed."),
    ],
    model: ModelName = None,
    device: Device = None,
    dtype: Weights = None,
    four_bit: FourBit = False,
    method: MethodTexts = None,
    context: Context = None,
    causal: Mask = None,
    window: Window = None,
    sinks: Sinks = None,
    prompt: Annotated[
        str | None,
        typer.Option(
            metavar="P",
            help="How a benchmark's questions are put: direct, cot (step by step), or as SinkTrack "
            "was published, such as published-cot. By default direct.",
            rich_help_panel=BENCHMARKS,
        ),
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=PLACE",
            help="Where a benchmark's data are: a folder or file, or another data set on the hub, "
            "once or several times. NAME= can be left out where there is one. By default the hub.",
            rich_help_panel=BENCHMARKS,
        ),
    ] = None,
    revision: Annotated[
        str | None,
        typer.Option(
            metavar="R",
            help="Of the data set on the hub: a branch, a tag or a commit.",
            rich_help_panel=BENCHMARKS,
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Items a task, a benchmark's evenly from the first to the last. By default all of "
            "a benchmark, and 2,000 where questions are drawn.",
        ),
    ] = None,
    split: Annotated[
        Split, typer.Option(help="validation to choose by, test to report.")
    ] = Split.test,
    temperature: Annotated[
        float | None,
        typer.Option(metavar="T", help="Sample at this temperature; by default greedy."),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(metavar="N", help="How often each item is sampled; by default once."),
    ] = None,
    batch: Annotated[int, typer.Option(metavar="N", help="Rows at once.")] = 100,
    traces: Annotated[
        bool,
        typer.Option(
            "--traces",
            help="Keep what attention did, of items whose answers differ from now on, for app.py "
            "--results. It takes memory and disk, so ask with a smaller --batch and --limit.",
        ),
    ] = False,
) -> None:
    """Measure methods over a set of questions, and compare each with the first.

    Several processes of `torchrun` or `accelerate launch` share the questions.
    """
    check_usable(out, "Results")
    check_count("limit", 1 if limit is None else limit)
    check_count("batch", batch)
    check_count("seeds", 1 if seeds is None else seeds)
    decoding = _decoding(temperature, seeds)
    tasks = find(
        task,
        Chosen(
            prompt=prompt,
            data=dict(placed(task, each) for each in data or ()),
            revision=revision,
        ),
    )
    loading = Loading(name=model, device=own_device(device), dtype=dtype, four_bit=four_bit)
    cache, choice = cache_of(window, sinks), Choice.of(method, context, causal)
    from sinktrack.eval.asking import example_prompts
    from sinktrack.eval.result_table import table
    from sinktrack.eval.run import Run
    from sinktrack.eval.runner import evaluate as measured

    for each in tasks:
        if each.about is not None:  # reads its data, which may fail, before a model is loaded
            each.about(split.value)
    loaded, processor = loading.model()
    run = Run(
        tasks=tasks,
        methods=choice.for_prompts(
            loaded, example_prompts(loaded, processor, tasks, split.value, limit)
        ),
        split=split.value,
        limit=limit,
        cache=cache,
        decoding=decoding,
        seeds=seeds or 1,
        batch=batch,
        traces=traces,
    )
    found = measured(loaded, processor, run, out)
    if is_first_process():
        print(table(found), end="")
        _tell_failed(found)


def _tell_failed(found: Mapping[str, Any]) -> None:
    """Say how many answers failed, and end with the exit status 1 if some did."""
    failed = sum(count for methods in found["failed"].values() for count in methods.values())
    if failed:
        tell(
            f"{failed} answers failed; the table says why and how they count. The same command "
            "tries them again."
        )
        raise typer.Exit(1)


def _decoding(temperature: float | None, seeds: int | None) -> "Decoding":
    """Return how tokens are chosen.

    Raises:
        MethodError: If a temperature is out of range, or missing.
    """
    if seeds is not None and temperature is None:
        raise MethodError("--seeds is for sampling alone: add --temperature, or leave it out.")
    start()
    from sinktrack.core.decoding import Decoding

    return Decoding(do_sample=temperature is not None, temperature=temperature)
