"""`sinktrack eval`."""

from enum import Enum
from typing import Annotated

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
)
from sinktrack.core.files import check_usable
from sinktrack.eval.tasks import available, find


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
    limit: Annotated[int, typer.Option(metavar="N", help="Items a task.")] = 2000,
    split: Annotated[
        Split, typer.Option(help="validation to choose by, test to report.")
    ] = Split.test,
    batch: Annotated[int, typer.Option(metavar="N", help="Rows at once.")] = 100,
) -> None:
    """Measure methods over a set of questions, and compare each with the first."""
    check_usable(out, "Results")
    tasks = find(task)
    check_count("limit", limit)
    check_count("batch", batch)
    loading = Loading(name=model, device=device, dtype=dtype, four_bit=four_bit)
    cache, choice = cache_of(window, sinks), Choice.of(method, context, causal)
    from sinktrack.eval.results import table
    from sinktrack.eval.runner import Run
    from sinktrack.eval.runner import evaluate as measured

    loaded, processor = loading.model()
    run = Run(
        tasks=tasks,
        methods=choice.for_model(loaded),
        split=split.value,
        limit=limit,
        cache=cache,
        batch=batch,
    )
    print(table(measured(loaded, processor, run, out)), end="")
