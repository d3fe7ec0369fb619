"""`sinktrack eval`."""

from enum import Enum
from typing import TYPE_CHECKING, Annotated

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
)
from sinktrack.core.errors import MethodError
from sinktrack.core.files import check_usable
from sinktrack.eval.tasks import available, find

if TYPE_CHECKING:
    from sinktrack.core.decoding import Decoding


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
    temperature: Annotated[
        float | None,
        typer.Option(metavar="T", help="Sample at this temperature; by default greedy."),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(metavar="N", help="How often each item is sampled; by default once."),
    ] = None,
    batch: Annotated[int, typer.Option(metavar="N", help="Rows at once.")] = 100,
) -> None:
    """Measure methods over a set of questions, and compare each with the first."""
    check_usable(out, "Results")
    tasks = find(task)
    check_count("limit", limit)
    check_count("batch", batch)
    check_count("seeds", 1 if seeds is None else seeds)
    decoding = _decoding(temperature, seeds)
    loading = Loading(name=model, device=device, dtype=dtype, four_bit=four_bit)
    cache, choice = cache_of(window, sinks), Choice.of(method, context, causal)
    from sinktrack.eval.results import table
    from sinktrack.eval.runner import Run, example_prompts
    from sinktrack.eval.runner import evaluate as measured

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
    )
    print(table(measured(loaded, processor, run, out)), end="")


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
