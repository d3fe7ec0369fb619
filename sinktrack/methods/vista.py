"""VISTA: steer every layer along what the picture makes of it, and hear layers before the end."""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch.nn.functional import cosine_similarity, normalize

from sinktrack.core.intervention import Hooks, Lens, parameter
from sinktrack.core.parts import PromptParts
from sinktrack.core.prompt import Prompt
from sinktrack.methods.early import Listening


@dataclass(frozen=True, kw_only=True)
class VISTA(Listening):
    """Steers the output of every MLP along the difference that the picture makes.

    Li et al. 2025, and LzVv123456/VISTA. The difference is that of two prompts before the answer,
    with the picture and without; the code adds the first principal component of zeros to it, which
    is one constant, in layer 0 alone, and left out here. Its logits are mixed with those of layers
    25 to 30 of 32, read without the final norm; "normed" puts it back. The code steers by 0.1 to
    0.17 for open answers and by 0.01 for yes and no.
    """

    kind: ClassVar[str] = "vista"
    source: ClassVar[str] = "https://arxiv.org/abs/2502.03628"
    needs: ClassVar[str] = "image"
    needs_prompts: ClassVar[bool] = True
    depth: ClassVar[tuple[int, int, int]] = (25, 30, 32)
    strength: float = parameter(
        0.1, "How far each MLP's output is turned; 0 turns none.", low=0.0, high=10.0
    )
    alpha: float = parameter(
        0.3, "Weight of the logits of layers before the end; 0 is off.", low=0.0, high=1.0
    )
    normed: bool = parameter(False, "Whether these layers pass through the final norm.")

    def readings(self, prompt: Prompt) -> list[Prompt]:
        """Return the prompt, and the same without its picture."""
        return [prompt, prompt.without("image")] if self.strength else []

    def first_layer(self, num_layers: int) -> int:
        """Return that every layer is steered."""
        return 0 if self.strength else num_layers

    def start(self, prompts: PromptParts, rows: torch.Tensor, model: Any) -> Hooks:
        """Return what steers."""
        return _Steering(self)


class _Steering(Hooks):
    def __init__(self, method: VISTA) -> None:
        super().__init__()
        self._method = method
        self.lens = sorted(method.layers or ()) if method.alpha else ()
        self.lens_normed = method.normed
        self.act_at = None if method.strength else ()

    def read(self, states: torch.Tensor) -> None:
        """Keep what the picture makes of each layer, float32 (P, L, D)."""
        towards = (states[:, 0] - states[:, 1]).float()
        size = towards.norm(dim=-1, keepdim=True) / states[:, 0].float().norm(dim=-1, keepdim=True)
        # What a layer makes without seeing the picture differs by rounding alone.
        self._towards = towards.masked_fill(size < 2e-6, 0.0)

    def after_mlp(self, layer: int, output: torch.Tensor, prefill: bool) -> torch.Tensor:
        """Turn each token's vector (R, Q, D) and keep its length."""
        x, along = output.float(), self._towards[:, layer, None].to(output.device)
        away = 1 + cosine_similarity(x, -along, dim=-1).clamp(min=0)[..., None]
        turned = normalize(x, dim=-1) + self._method.strength * away * normalize(along, dim=-1)
        new: torch.Tensor = x.norm(dim=-1, keepdim=True) * normalize(turned, dim=-1)
        return new.to(output.dtype)

    def logits(self, logits: torch.Tensor, lens: Lens) -> torch.Tensor:
        """Mix the logits with the mean of earlier ones."""
        if not self.lens:
            return logits[:, 0]
        early = torch.stack([lens(layer)[:, 0] for layer in self.lens])
        return torch.lerp(logits[:, 0], early.mean(0), self._method.alpha)
