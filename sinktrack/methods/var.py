"""VAR: give the attention that sinks waste back to the rest of the picture."""

import math
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch

from sinktrack.core.architecture import decoder_layers
from sinktrack.core.attention_call import AttentionCall
from sinktrack.core.intervention import Hooks, Intervention, parameter
from sinktrack.core.parts import PromptParts
from sinktrack.core.sinks import massive_dimensions, normed
from sinktrack.methods.reweigh import BehindPicture


@dataclass(frozen=True, kw_only=True)
class VAR(Intervention):
    """Moves attention from sinks to the rest of the picture, in heads that look at it.

    Kang et al. 2025, section 4, and seilk/VisAttnSink. A token is a sink if one of the dimensions
    exceeds tau after RMS normalisation; the dimensions are found where the method meets the model,
    by what its layers make of a first token, and tau is scaled with the width. The code's last
    layer acts too, which the paper leaves out; name the layers to have it.
    """

    kind: ClassVar[str] = "var"
    source: ClassVar[str] = "https://arxiv.org/abs/2503.03321"
    needs: ClassVar[str] = "image"
    p: float = parameter(
        0.6, "Which share of its attention a sink keeps; 1 is the plain model.", low=0.0, high=1.0
    )
    rho: float = parameter(
        0.5, "The most that sinks may have of a head's attention on the picture.", low=0.0, high=1.0
    )
    theta: float = parameter(
        0.2, "The least attention on the picture of a head that is changed.", low=0.0, high=1.0
    )
    tau: float = parameter(20.0, "What marks a sink, in a model 4,096 wide.", low=0.0, high=1000.0)
    layers: Collection[int] | None = parameter(
        None, "Where it acts; by default from layer 2 on, the last one left out.", set_of="layers"
    )
    dimensions: Collection[int] | None = parameter(
        None, "Which ones mark a sink; by default the model's own.", set_of="dimensions"
    )

    def fitted(self, model: Any) -> "VAR":
        """Return it with its layers and dimensions."""
        layers = self.layers
        if layers is None:
            layers = range(2, len(decoder_layers(model)) - 1)
        dimensions = self.dimensions or massive_dimensions(model, self.tau)
        return replace(self, layers=layers, dimensions=dimensions)

    def first_layer(self, num_layers: int) -> int:
        """Return the first layer where it acts."""
        return min(self.layers or (), default=num_layers) if self.p < 1 else num_layers

    def start(self, prompts: PromptParts, rows: torch.Tensor, model: Any) -> Hooks:
        """Return what moves attention."""
        acts = self.p < 1 and self.dimensions  # without one there is no sink
        return _Redistributing(self, prompts) if acts else Hooks()


class _Redistributing(BehindPicture):
    def __init__(self, method: VAR, prompts: PromptParts) -> None:
        super().__init__(prompts)
        self._method, self._prompts, self.act_at = method, prompts, method.layers
        self._sinks: dict[int, torch.Tensor] = {}

    def residual(self, layer: int, hidden: torch.Tensor, prefill: bool) -> None:
        """Find the prompt's sinks before a layer, bool (R, T)."""
        if prefill:
            size = normed(hidden)[..., sorted(self._method.dimensions or ())].amax(-1)
            tau = self._method.tau * math.sqrt(hidden.shape[-1] / 4096)
            self._sinks[layer] = (size > tau) & self._prompts.attended.to(size.device)

    def scores(self, call: AttentionCall, prefill: bool) -> torch.Tensor:
        """Return the logarithm of what each probability is multiplied by, float32 (R, H, q, K)."""
        sinks, picture = call.at_keys(self._sinks[call.layer]), call.of_kind("image")
        left = picture & ~sinks
        keys = torch.stack([picture & sinks, left, sinks], dim=-1).float()  # (R, K, 3)
        looked = call.probabilities()
        shares = (looked.flatten(1, 2) @ keys).unflatten(1, looked.shape[1:3])
        wasted, rest, on_sinks = shares[..., None].unbind(3)  # (R, H, q, 1)
        whole = wasted + rest
        acts = (wasted <= self._method.rho * whole) & (whole >= self._method.theta)
        acts &= (picture & sinks).any(1)[:, None, None, None] & (rest > 0)
        acts &= self.acting(call, prefill)
        given = (1 - self._method.p) * on_sinks / rest.clamp(min=1e-30)
        kept = 1 - (1 - self._method.p) * keys[:, None, None, :, 2]
        return torch.where(acts, (kept + given * keys[:, None, None, :, 1]).log(), 0.0)
