"""PAI: look at the picture more while every token is written.

Source: Liu et al. 2024, "Paying More Attention to Image", https://arxiv.org/abs/2407.21771,
section 3.2, and its public code LALBJ/PAI: layers 2 to 31 of 32, the last query alone. The second
half of the published method, guidance by a row without the picture, is not part of it here.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch

from sinktrack.core.architecture import decoder_layers
from sinktrack.core.attention import AttentionCall
from sinktrack.core.intervention import Hooks, Intervention, parameter, share_of_depth
from sinktrack.core.parts import PromptParts


@dataclass(frozen=True, kw_only=True)
class PAI(Intervention):
    """Raises the last query's attention scores on the picture by a share of their size."""

    kind: ClassVar[str] = "pai"
    alpha: float = parameter(
        0.2,
        "By what share of its size each score is raised; 0 is the plain model.",
        low=0.0,
        high=10.0,
    )
    layers: Collection[int] | None = parameter(
        None, "Where it acts; by default at the published share of the depth.", layers=True
    )

    @property
    def needs(self) -> str:
        """A picture."""
        return "image"

    def fitted(self, model: Any) -> "PAI":
        """Return it with its layers: those at the depth of layers 2 to 31 of 32."""
        if self.layers is not None:
            return self
        return replace(self, layers=share_of_depth(2, 31, 32, len(decoder_layers(model))))

    def first_layer(self, num_layers: int) -> int:
        """Return the first layer where it acts."""
        return min(self.layers or (), default=num_layers) if self.alpha else num_layers

    def start(self, prompts: PromptParts, rows: torch.Tensor, model: Any) -> Hooks:
        """Return what raises the scores."""
        return _Raising(self.alpha, self.layers or ())


class _Raising(Hooks):
    def __init__(self, alpha: float, layers: Collection[int]) -> None:
        super().__init__()
        self._alpha, self.act_at = alpha, layers

    def scores(self, call: AttentionCall, prefill: bool) -> torch.Tensor:
        """Return alpha * |s| on the picture's keys, float32 (R, H, 1, K)."""
        size = call.scores().abs()
        outside = ~call.of_kind("image")[:, None, None] | size.isinf()  # or hidden
        return (self._alpha * size).masked_fill(outside, 0.0)
