"""What a CPU is fast at, measured once in a process, and a model's linear maps made accordingly.

A token that is written reads every weight once, which takes half as long in bfloat16, and less
still where weights lie in the order in which the CPU's kernels read them. A prompt is products of
large matrices, which many CPUs that have bfloat16 multiply faster in float32. So weights are
bfloat16, a prompt is multiplied in float32, and later steps with packed copies of the weights, each
where it was measured to be faster. The sums are float32 everywhere. Packing changes no bit;
float32 changes what is rounded to bfloat16 in between.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from typing import Any

import torch
from torch import nn
from torch.nn.functional import linear

from sinktrack.core.forwards import has_own_forward, other_forwards
from sinktrack.machine import free_memory

_ROWS = 128
"""From how many tokens on a product is worth that its weights are converted."""
_AT_ONCE = 4096
"""How many tokens are multiplied at once, so that few are float32 at a time."""
_USES = 4
"""After how many short products weights are packed, which takes as long as several."""
_OF_MEMORY = 5
"""Packed weights take one part in so many of the memory that is free."""


@contextmanager
def fast_products(model: Any) -> Iterator[None]:
    """Make the linear maps of a bfloat16 model on a CPU as this CPU is fastest at them.

    Args:
        model: The model that is called within; on other devices nothing changes. Nobody may call
            it in another thread, nor change its weights.
    """
    if model.device.type != "cpu" or model.dtype != torch.bfloat16:
        yield
        return
    with other_forwards(_linear_maps(model)):
        yield


def _linear_maps(model: Any) -> Iterator[tuple[nn.Linear, "_LinearMap"]]:
    """Yield a model's linear modules, and their forwards; as many pack as there is memory for."""
    room = free_memory() // _OF_MEMORY if faster_packed() else 0
    for module in model.modules():
        plain = type(module) is nn.Linear and not has_own_forward(module)
        if plain and module.weight.dtype == torch.bfloat16:
            size = module.weight.numel() * module.weight.element_size()
            packs = size <= room
            room -= size * packs
            yield module, _LinearMap(module, packs)


class _LinearMap:
    """The forward of one linear module, (..., m) to (..., n), for the length of a generation."""

    def __init__(self, module: nn.Linear, packs: bool) -> None:
        self._module, self._packs = module, packs
        self._uses = 0
        self._packed: torch.Tensor | None = None

    def __call__(self, input: torch.Tensor) -> torch.Tensor:
        weights, bias = self._module.weight, self._module.bias
        if input.dtype != weights.dtype or torch.is_grad_enabled():
            return linear(input, weights, bias)
        if input.numel() >= _ROWS * input.shape[-1]:
            product = _wide if faster_wide() else linear
            return product(input, weights, bias)
        self._uses += 1
        if self._packed is None:
            if not self._packs or self._uses < _USES:
                return linear(input, weights, bias)
            self._packed = _packed(weights)
        return _of_packed(input, self._packed, bias)


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


def _packed(weights: torch.Tensor) -> torch.Tensor:
    """Return weights (n, m) in the order in which oneDNN reads them for a row or two."""
    packed: torch.Tensor = torch.ops.mkldnn._reorder_linear_weight(weights.detach(), 2)
    return packed


def _of_packed(
    states: torch.Tensor, packed: torch.Tensor, bias: torch.Tensor | None = None
) -> torch.Tensor:
    """Return the linear map of states (..., m) by packed weights, (..., n)."""
    mapped: torch.Tensor = torch.ops.mkldnn._linear_pointwise(states, packed, bias, "none", [], "")
    return mapped


@cache
def faster_wide() -> bool:
    """Tell whether this CPU multiplies large bfloat16 matrices faster in float32; 0.2 seconds."""
    states = torch.ones(512, 1024, dtype=torch.bfloat16)
    weights = torch.ones(4096, 1024, dtype=torch.bfloat16)
    with _one_thread():
        wide, plain = _seconds(partial(_wide, states, weights), partial(linear, states, weights))
    return wide < 0.9 * plain


@cache
def faster_packed() -> bool:
    """Tell whether this CPU multiplies a row or two faster by packed weights; 0.1 seconds.

    False as well where PyTorch was built without what packs them.
    """
    states = torch.ones(2, 3072, dtype=torch.bfloat16)
    weights = torch.ones(8192, 3072, dtype=torch.bfloat16)  # more than a core's cache holds
    try:
        with torch.no_grad():
            packed = _packed(weights)
            _of_packed(states, packed)
    except (AttributeError, RuntimeError):
        return False
    fast, plain = _seconds(partial(_of_packed, states, packed), partial(linear, states, weights))
    return fast < 0.9 * plain


@cache
def fast_dtype(place: torch.device) -> torch.dtype:
    """Return the dtype in which a device writes a large model's tokens faster.

    Where both are as fast, bfloat16 takes half the memory.

    Args:
        place: A CPU is measured, which takes 0.4 seconds; others are fast in bfloat16.
    """
    if place.type != "cpu":
        return torch.bfloat16
    states = torch.ones(2, 3072)
    weights = torch.ones(16_384, 3072)  # more than a cache holds
    half_states, half_weights = states.bfloat16(), weights.bfloat16()
    with _one_thread():
        half, whole = _seconds(
            partial(linear, half_states, half_weights), partial(linear, states, weights)
        )
    return torch.bfloat16 if half < whole else torch.float32


@contextmanager
def _one_thread() -> Iterator[None]:
    """Compute on one thread: beside busy processes several measure how long they wait."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


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
