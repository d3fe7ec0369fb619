"""`sinktrack bench`."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from sinktrack.cli.options import Device, FourBit, Loading, ModelName, Weights, check_count


def bench(
    model: ModelName = None,
    device: Device = None,
    dtype: Weights = None,
    four_bit: FourBit = False,
    prompt_tokens: Annotated[
        int, typer.Option(metavar="N", help="How long the prompt is at least, by a passage.")
    ] = 0,
    new_tokens: Annotated[int, typer.Option(metavar="N", help="How long every answer is.")] = 64,
    rounds: Annotated[int, typer.Option(metavar="N", help="How often each thing is measured.")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Print every time as JSON.")] = False,
) -> None:
    """Measure what methods and recording cost on this machine, as ratios of times."""
    check_count("new-tokens", new_tokens)
    check_count("rounds", rounds)
    loading = Loading(name=model, device=device, dtype=dtype, four_bit=four_bit)
    loaded = loading.model()
    from sinktrack.bench import bench_checkpoint

    times = bench_checkpoint(
        *loaded, prompt_tokens=prompt_tokens, new_tokens=new_tokens, rounds=rounds
    )
    print(json.dumps(asdict(times), indent=1) if as_json else times.table())
