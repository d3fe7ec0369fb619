"""`sinktrack bench`."""

from typing import Annotated

import typer

from sinktrack.cli.options import Device, FourBit, Loading, ModelName, Weights, check_count


def bench(
    model: ModelName = None,
    device: Device = None,
    dtype: Weights = None,
    four_bit: FourBit = False,
    rounds: Annotated[int, typer.Option(metavar="N", help="How often each thing is measured.")] = 3,
) -> None:
    """Measure what SinkTrack and recording cost on this machine, as ratios of times."""
    check_count("rounds", rounds)
    loading = Loading(name=model, device=device, dtype=dtype, four_bit=four_bit)
    loaded = loading.model()
    from sinktrack.bench import bench_checkpoint

    print(bench_checkpoint(*loaded, rounds=rounds))
