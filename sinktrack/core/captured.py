"""Steps on a GPU whose kernels are recorded once and then played again, without Python.

A step starts hundreds of small kernels, which can take Python longer than a GPU takes to run them.
What is played again reads and writes the same memory every time: so keys and values go to the
column that a tensor tells, in room that was made before, and a mask hides the columns to come.
Knows nothing about methods or recording; whoever calls it says when nobody looks into the layers.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch

from sinktrack.core.roomy_cache import RoomyLayer
from sinktrack.core.upstream import cache_of

Capture = Callable[[Callable[[], torch.Tensor]], tuple[torch.Tensor, Callable[[], Any]]]
"""Takes what makes a tensor; returns a tensor, and what makes it anew in the same place."""

_AFTER = 8
"""After how many steps one is recorded, which takes as long as several."""
_CLOSE = {torch.float32: 1e-4, torch.float16: 1e-2, torch.bfloat16: 3e-2}
"""How far what is played may be from the plain step, as a share of its length."""
_MADE_HERE = ("attention_mask", "position_ids")
"""What the decoder is given in another form than it came."""


@contextmanager
def captured_steps(
    model: Any, unobserved: Callable[[], bool], capture: Capture | None = None
) -> Iterator[None]:
    """Record a step of a model's decoder and play it, where that is possible.

    A recorded step is compared with the plain one when it is made, on this very generation, and is
    not used where they differ.

    Args:
        model: The model that is called within, with a `roomy_cache`. Nobody may call it in another
            thread.
        unobserved: Asked at every step; False where something looks into the layers.
        capture: How steps are recorded; by default as a CUDA graph on a machine's own GPU, and not
            at all elsewhere.
    """
    if capture is None and _has_own_gpu(model):
        capture = _cuda_graph
    decoder = model.get_decoder()
    if capture is None or "forward" in vars(decoder):
        yield
        return
    decoder.forward = _Decoder(decoder.forward, unobserved, capture)
    try:
        yield
    finally:
        del decoder.forward


def _has_own_gpu(model: Any) -> bool:
    """Tell whether a model lies on one GPU that is not lent for the call alone."""
    places = {weights.device for weights in model.parameters()}
    return [each.type for each in places] == ["cuda"] and "SPACES_ZERO_GPU" not in os.environ


def _cuda_graph(run: Callable[[], torch.Tensor]) -> tuple[torch.Tensor, Callable[[], Any]]:
    """Record what `run` does on the current GPU."""
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

    def __init__(
        self, plain: Callable[..., Any], unobserved: Callable[[], bool], capture: Capture
    ) -> None:
        self._plain, self._unobserved, self._capture = plain, unobserved, capture
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
            step = _Step(self._plain, kwargs, output, self._capture)
            again = step.again(kwargs)
        except RuntimeError:  # something in the decoder waits for the GPU, for example
            return None
        plain = output.last_hidden_state.float()
        apart = (again.float() - plain).norm() / plain.norm().clamp(min=1e-12)
        return step if apart <= _CLOSE.get(again.dtype, 0.0) else None


class _Step:
    """One recorded step.

    Args:
        plain: The decoder's forward.
        kwargs: What it was just called with.
        output: What it returned.
        capture: Records.
    """

    def __init__(
        self, plain: Callable[..., Any], kwargs: dict[str, Any], output: Any, capture: Capture
    ) -> None:
        self._cache, self._output = cache_of(kwargs), output
        layers = _layers(kwargs)
        self._room = min([layer.empty_room() for layer in layers])
        rows, device = len(_entering(kwargs)), _entering(kwargs).device
        self._at = torch.zeros(1, dtype=torch.long, device=device)
        mask = torch.zeros(rows, 1, 1, self._room, dtype=torch.bool, device=device)
        given = {name: each for name, each in kwargs.items() if name not in _MADE_HERE}
        self._constant = {k: v for k, v in given.items() if not isinstance(v, torch.Tensor)}
        self._given = {k: v.clone() for k, v in given.items() if isinstance(v, torch.Tensor)}
        self._given |= {"attention_mask": mask, "position_ids": _positions(kwargs, -1).clone()}
        self._fill(kwargs, self._length - 1)

        def run() -> torch.Tensor:
            with ExitStack() as until:
                for layer in layers:
                    until.enter_context(layer.writing_at(self._at, self._room))
                made: torch.Tensor = plain(**self._constant, **self._given).last_hidden_state
            return made

        self._made, self._play = capture(run)

    @property
    def _length(self) -> int:
        return int(self._cache.layers[0].keys.shape[2])

    def fits(self, kwargs: dict[str, Any]) -> bool:
        """Tell whether a step is like the one that was recorded."""
        given = self._tensors(kwargs, 0)
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
        for name, each in self._tensors(kwargs, at - self._length).items():
            self._given[name].copy_(each)
        self._at.fill_(at)
        mask, seen = self._given["attention_mask"], kwargs.get("attention_mask")
        mask[..., : at + 1] = True if seen is None else seen.bool()[:, None, None]

    def _tensors(self, kwargs: dict[str, Any], before: int) -> dict[str, torch.Tensor]:
        """Return the tensors that change from step to step, the mask left out."""
        given = {k: v for k, v in kwargs.items() if isinstance(v, torch.Tensor)}
        given.pop("attention_mask", None)
        return given | {"position_ids": _positions(kwargs, before)}


def _entering(kwargs: dict[str, Any]) -> torch.Tensor:
    """Return the ids (B, Q) or states (B, Q, D) that enter."""
    states = kwargs.get("inputs_embeds")
    found: torch.Tensor = kwargs["input_ids"] if states is None else states
    return found


def _layers(kwargs: dict[str, Any]) -> list[RoomyLayer]:
    found: list[RoomyLayer] = cache_of(kwargs).layers
    return found


def _positions(kwargs: dict[str, Any], before: int) -> torch.Tensor:
    """Return the positions of a step; by default how many tokens were kept when it began.

    Args:
        kwargs: What the decoder is called with.
        before: Minus how many of those that are kept now came with the step.
    """
    given = kwargs.get("position_ids")
    if given is not None:
        found: torch.Tensor = given
        return found
    kept = cache_of(kwargs).get_seq_length() + before
    return torch.full((1, 1), kept, device=_entering(kwargs).device)


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
