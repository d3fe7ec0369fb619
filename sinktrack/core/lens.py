"""Lets the output embedding read early layers beside the last one.

What it costs is reading its weights, which happens in every forward pass anyway. Knows nothing
about what a method makes of the logits.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from sinktrack.core.running import Running


class LensHooks:
    """The hooks on a model's output embedding.

    Args:
        model: The model.

    Attributes:
        asking: The methods at work that want to hear early layers.
    """

    asking: Sequence[Running] = ()

    def __init__(self, model: Any) -> None:
        """Place nothing yet."""
        self._model = model
        self._handles: list[Any] = []

    def placed(self) -> "LensHooks":
        """Put the hooks in their places; return itself, so that they can be removed."""
        head: nn.Module = self._model.get_output_embeddings()
        self._handles = [
            head.register_forward_pre_hook(self._before),
            head.register_forward_hook(self._after),
        ]
        return self

    def remove(self) -> None:
        """Take the hooks away."""
        for handle in self._handles:
            handle.remove()

    def _before(self, _: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """Put the states of early layers below those of the last one, (B, q, D)."""
        hidden: torch.Tensor = args[0]
        self._shape = hidden.shape[:-1]
        early = [each.lens_states(hidden.device) for each in self.asking]  # (n, R, D)
        self._sizes = [each.shape[:2] for each in early]
        rows = [each.flatten(0, -2) for each in (hidden, *early)]
        return (torch.cat(rows), *args[1:])

    def _after(self, _: nn.Module, args: Any, output: torch.Tensor) -> torch.Tensor:
        """Give each method what its layers said, and the model what it asked for."""
        counts = [shape.numel() for shape in (self._shape, *self._sizes)]
        own, *early = output.split(counts)
        for each, size, said in zip(self.asking, self._sizes, early, strict=True):
            each.take_lens(said.unflatten(0, size))
        asked: torch.Tensor = own.unflatten(0, self._shape)
        return asked
