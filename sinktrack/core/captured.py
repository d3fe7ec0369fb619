"""Steps on a GPU whose kernels are recorded once and then played again, without Python.

A step starts hundreds of small kernels, which can take Python longer than a GPU takes to run them.
What is played again reads and writes the same memory every time: so keys and values go to the
column that a tensor tells, in room that was made before, and a mask hides the columns to come.
Knows nothing about methods or recording; whoever calls it says when nobody looks into the layers.
"""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch

from sinktrack.core.forwards import has_own_forward, other_forwards
from sinktrack.core.roomy_cache import RoomyLayer
from sinktrack.core.upstream import cache_of

_LOG = logging.getLogger(__name__)
_AFTER = 8
"""After how many steps one is recorded, which takes as long as several."""
_CLOSE = {torch.float32: 1e-4, torch.float16: 1e-2, torch.bfloat16: 3e-2}
"""How far what is played may be from the plain step, as a share of its length."""


@contextmanager
def captured_steps(model: Any, unobserved: Callable[[], bool]) -> Iterator[None]:
    """Record a step of a model's decoder and play it, on a machine's own GPU.

    A recorded step is compared with the plain one when it is made, on this very generation, and is
    not used where they differ.

    Args:
        model: The model that is called within, with a `roomy_cache`. Nobody may call it in another
            thread.
        unobserved: Asked at every step; False where something looks into the layers.
    """
    decoder = model.get_decoder()
    records = _has_own_gpu(model) and not has_own_forward(decoder)
    forwards = [(decoder, _Decoder(decoder.forward, unobserved))] if records else []
    with other_forwards(forwards):
        yield


def _has_own_gpu(model: Any) -> bool:
    """Tell whether a model lies on one GPU that is not lent for the call alone."""
    places = {weights.device for weights in model.parameters()}
    return [each.type for each in places] == ["cuda"] and "SPACES_ZERO_GPU" not in os.environ


def _cuda_graph(run: Callable[[], torch.Tensor]) -> tuple[torch.Tensor, Callable[[], Any]]:
    """Record what `run` does on the current GPU.

    Returns:
        What it made, and what makes it anew in the same place.
    """
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):  # whatever is made at the first call is no part of a step
        for _ in range(3):
            run()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        made = run()
    return made, graph.replay


class _Decoder:
    """The forward of a decoder for the length of a generation."""

    def __init__(self, plain: Callable[..., Any], unobserved: Callable[[], bool]) -> None:
        self._plain, self._unobserved = plain, unobserved
        self._step: _Step | None = None
        self._steps = 0
        self._refused = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if args or self._refused or not (_is_step(kwargs) and self._unobserved()):
            self._step = None
            return self._plain(*args, **kwargs)
        if self._step is not None and self._step.fits(kwargs):
            return self._step.played(kwargs)
        self._step = None
        output = self._plain(**kwargs)
        self._steps += 1
        if self._steps >= _AFTER and _layers(kwargs)[0].has_room:
            self._step = self._recorded(kwargs, output)
            self._refused = self._step is None
        return output

    def _recorded(self, kwargs: dict[str, Any], output: Any) -> "_Step | None":
        """Return the step that was just made, recorded; None where it is not the same."""
        try:
            step = _Step(self._plain, kwargs, output)
            again = step.again(kwargs)
        except RuntimeError as error:  # something in the decoder waits for the GPU, for example
            _LOG.info("Steps are not recorded: %s", error)
            return None
        plain = output.last_hidden_state.float()
        apart = float((again.float() - plain).norm() / plain.norm().clamp(min=1e-12))
        if apart > _CLOSE.get(again.dtype, 0.0):
            _LOG.info("Steps are not recorded: the recorded one is %.2g of its length apart", apart)
            return None
        return step


class _Step:
    """One recorded step.

    Args:
        plain: The decoder's forward.
        kwargs: What it was just called with.
        output: What it returned.
    """

    def __init__(self, plain: Callable[..., Any], kwargs: dict[str, Any], output: Any) -> None:
        self._cache, self._output = cache_of(kwargs), output
        layers = _layers(kwargs)
        self._room = min([layer.empty_room() for layer in layers])
        rows, device = len(_entering(kwargs)), _entering(kwargs).device
        self._at = torch.zeros(1, dtype=torch.long, device=device)
        mask = torch.zeros(rows, 1, 1, self._room, dtype=torch.bool, device=device)
        given = _tensors(kwargs, self._length - 1)
        self._given = {name: each.clone() for name, each in given.items()}
        self._given["attention_mask"] = mask
        self._constant = {name: kwargs[name] for name in kwargs.keys() - self._given.keys()}
        self._fill(kwargs, self._length - 1)

        def run() -> torch.Tensor:
            with ExitStack() as until:
                for layer in layers:
                    until.enter_context(layer.writing_at(self._at, self._room))
                made: torch.Tensor = plain(**self._constant, **self._given).last_hidden_state
            return made

        self._made, self._play = _cuda_graph(run)

    @property
    def _length(self) -> int:
        return int(self._cache.layers[0].keys.shape[2])

    def fits(self, kwargs: dict[str, Any]) -> bool:
        """Tell whether a step is like the one that was recorded."""
        given = _tensors(kwargs, self._length)
        return (
            cache_of(kwargs) is self._cache
            and self._cache.layers[0].has_room
            and self._length < self._room
            and given.keys() | {"attention_mask"} == self._given.keys()
            and all(each.shape == self._given[name].shape for name, each in given.items())
            and all(kwargs.get(name) is each for name, each in self._constant.items())
        )

    def played(self, kwargs: dict[str, Any]) -> Any:
        """Return what the decoder gives for one token more, which the cache then keeps."""
        self._fill(kwargs, self._length)
        self._play()
        for layer in self._cache.layers:
            layer.take(1)
        self._output.last_hidden_state = self._made
        return self._output

    def again(self, kwargs: dict[str, Any]) -> torch.Tensor:
        """Return what it gives for the token that was read last."""
        self._fill(kwargs, self._length - 1)
        self._play()
        return self._made

    def _fill(self, kwargs: dict[str, Any], at: int) -> None:
        """Put what a step is given where the recorded one reads it; its keys go to column `at`."""
        for name, each in _tensors(kwargs, at).items():
            self._given[name].copy_(each)
        self._at.fill_(at)
        mask, seen = self._given["attention_mask"], kwargs.get("attention_mask")
        mask[..., : at + 1] = True if seen is None else seen.bool()[:, None, None]


def _entering(kwargs: dict[str, Any]) -> torch.Tensor:
    """Return the ids (B, Q) or states (B, Q, D) that enter."""
    states = kwargs.get("inputs_embeds")
    found: torch.Tensor = kwargs["input_ids"] if states is None else states
    return found


def _layers(kwargs: dict[str, Any]) -> list[RoomyLayer]:
    found: list[RoomyLayer] = cache_of(kwargs).layers
    return found


def _tensors(kwargs: dict[str, Any], at: int) -> dict[str, torch.Tensor]:
    """Return the tensors that change from step to step, the mask left out.

    Args:
        kwargs: What the decoder is called with. Without positions a token stands where its keys do.
        at: In which column.
    """
    given = {k: v for k, v in kwargs.items() if isinstance(v, torch.Tensor)}
    given.pop("attention_mask", None)
    return {"position_ids": torch.full((1, 1), at, device=_entering(kwargs).device)} | given


def _is_step(kwargs: dict[str, Any]) -> bool:
    """Tell whether a decoder reads one token a row behind a prompt, with a plain cache and mask."""
    cache, mask = cache_of(kwargs), kwargs.get("attention_mask")
    return (
        cache is not None
        and all(type(layer) is RoomyLayer for layer in cache.layers)
        and cache.get_seq_length() > 0
        and _entering(kwargs).shape[1] == 1
        and (mask is None or (isinstance(mask, torch.Tensor) and mask.ndim == 2))
    )
