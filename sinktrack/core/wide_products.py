"""What a CPU is fast at, measured once in a process, and products of matrices that follow from it.

A token that is written reads every weight once, which takes half as long in bfloat16. A prompt is
products of large matrices, which many CPUs that have bfloat16 multiply faster in float32. So
weights are bfloat16, and a prompt is multiplied in float32 where that is faster. The sums are
float32 in both; only what is rounded to bfloat16 in between differs in the last bit.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch.nn.functional import linear
from torch.overrides import TorchFunctionMode

_ROWS = 256
"""From how many tokens on a product is worth that its weights are converted."""
_AT_ONCE = 4096
"""How many tokens are multiplied at once, so that few are float32 at a time."""


@contextmanager
def wide_products(model: Any) -> Iterator[None]:
    """Multiply large bfloat16 matrices in float32, where this CPU is faster at that.

    Args:
        model: The model that is called within; on other devices nothing changes.
    """
    if model.device.type != "cpu" or model.dtype != torch.bfloat16 or not faster_wide():
        yield
        return
    with _WideProducts():
        yield


class _WideProducts(TorchFunctionMode):
    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is linear and not kwargs and _is_large(*args[:2]):
            return _wide(*args)
        return func(*args, **kwargs)


def _is_large(states: torch.Tensor, weights: torch.Tensor) -> bool:
    both = states.dtype == weights.dtype == torch.bfloat16 and states.device.type == "cpu"
    return both and states.numel() >= _ROWS * states.shape[-1]


def _wide(
    states: torch.Tensor, weights: torch.Tensor, bias: torch.Tensor | None = None
) -> torch.Tensor:
    """Return the linear map of states (..., m) by weights (n, m), (..., n) in bfloat16."""
    weights, bias = weights.float(), None if bias is None else bias.float()
    rows = states.flatten(0, -2)
    mapped = states.new_empty(len(rows), len(weights))
    for own, at in zip(rows.split(_AT_ONCE), mapped.split(_AT_ONCE), strict=True):
        at.copy_(linear(own.float(), weights, bias))
    return mapped.view(*states.shape[:-1], len(weights))


@cache
def faster_wide() -> bool:
    """Tell whether this CPU multiplies large bfloat16 matrices faster in float32; 0.2 seconds."""
    states = torch.ones(2 * _ROWS, 1024, dtype=torch.bfloat16)
    weights = torch.ones(4096, 1024, dtype=torch.bfloat16)
    wide, plain = _seconds(lambda: _wide(states, weights), lambda: linear(states, weights))
    return wide < 0.9 * plain


@cache
def fast_dtype(place: torch.device) -> torch.dtype:
    """Return the dtype in which a device writes a large model's tokens faster.

    Args:
        place: A CPU is measured, which takes 0.4 seconds; others are fast in bfloat16.
    """
    if place.type != "cpu":
        return torch.bfloat16
    states = torch.ones(2, 3072)
    weights = torch.ones(16_384, 3072)  # more than a cache holds
    half_states, half_weights = states.bfloat16(), weights.bfloat16()
    half, whole = _seconds(
        lambda: linear(half_states, half_weights), lambda: linear(states, weights)
    )
    return torch.bfloat16 if half < 0.9 * whole else torch.float32


@torch.no_grad()
def _seconds(*runs: Callable[[], Any]) -> list[float]:
    """Return the least time of each run, all taking turns."""
    least = [float("inf")] * len(runs)
    for _ in range(6):
        for number, run in enumerate(runs):
            began = time.perf_counter()
            run()
            least[number] = min(least[number], time.perf_counter() - began)
    return least
