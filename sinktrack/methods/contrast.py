"""Methods that contrast two prompts: what a context adds is what the answer should be made of.

Sources: VCD, Leng et al. 2024, https://arxiv.org/abs/2311.16922; CAD, Shi et al. 2024,
https://arxiv.org/abs/2305.14739. Most of VCD's published gain is its plausibility mask
(https://arxiv.org/abs/2504.10020), so the mask stands here alone as a control.
"""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch

from sinktrack.core.intervention import Hooks, Intervention, Lens, parameter, plausible
from sinktrack.core.parts import PromptParts
from sinktrack.core.prompt import Prompt

_ALPHA = "How much more the answer follows the prompt than its counterpart; 0 contrasts nothing."
_BETA = "Forbids tokens below this share of the likeliest one's probability; 0 forbids none."


class Contrast(Hooks):
    """Chooses from (1 + alpha) times the main row's logits minus alpha times its counterpart's."""

    act_at = ()

    def __init__(self, alpha: float, beta: float) -> None:
        """Take the weights."""
        super().__init__()
        self._alpha, self._beta = alpha, beta

    def logits(self, logits: torch.Tensor, lens: Lens) -> torch.Tensor:
        """Contrast the two rows (P, 2, V), or cut the one (P, 1, V) by itself."""
        main, other = logits[:, 0], logits[:, -1]
        return plausible(main + self._alpha * (main - other), main, self._beta)


@dataclass(frozen=True, kw_only=True)
class VCD(Intervention):
    """Contrasts the answer with one to the same picture under noise."""

    kind: ClassVar[str] = "vcd"
    alpha: float = parameter(1.0, _ALPHA, low=0.0, high=10.0)
    beta: float = parameter(0.1, _BETA, low=0.0, high=1.0)
    noise_step: int = parameter(
        500, "How far the picture is diffused, of 1,000 steps.", low=0, high=999
    )
    seed: int = parameter(0, "Of the noise.", low=0, high=2**31 - 1)

    needs: ClassVar[str] = "image"
    rows: ClassVar[int] = 2

    def prompts(self, prompt: Prompt) -> list[Prompt]:
        """Return the prompt, and the same with noise on every picture."""
        rng = torch.Generator().manual_seed(self.seed)
        noised = {
            name: diffused(values, self.noise_step, rng)
            for name, values in prompt.inputs.items()
            if name.startswith("pixel_values")
        }
        return [prompt, replace(prompt, inputs={**prompt.inputs, **noised})]

    def start(self, prompts: PromptParts, rows: torch.Tensor, model: Any) -> Hooks:
        """Contrast both rows."""
        return Contrast(self.alpha, self.beta)


def diffused(pixels: torch.Tensor, step: int, rng: torch.Generator) -> torch.Tensor:
    """Return normalised pixels after some steps of the forward diffusion that VCD uses.

    Args:
        pixels: Normalised pixels of any shape. Qwen's patches, (patches, 3 * 2 * size * size), hold
            a picture twice in time; both copies get the same noise, which would average away else.
        step: From 0 to 999.
        rng: Draws the noise.
    """
    ramp = torch.linspace(-6, 6, 1000).sigmoid() * (0.5e-2 - 1e-5) + 1e-5
    kept = float((1 - ramp).cumprod(0)[step])
    noise = torch.randn(pixels.shape, generator=rng)
    if pixels.ndim == 2:  # patches: channels, frames, rows and columns of one patch in a line
        frames = noise.view(len(pixels), 3, 2, -1)
        if torch.equal(*pixels.view(len(pixels), 3, 2, -1).unbind(2)):
            noise = frames[:, :, :1].expand_as(frames).reshape(pixels.shape)
    noised: torch.Tensor = kept**0.5 * pixels + (1 - kept) ** 0.5 * noise
    return noised.to(pixels.dtype)


@dataclass(frozen=True, kw_only=True)
class CAD(Intervention):
    """Contrasts the answer with one to the question without its passage."""

    kind: ClassVar[str] = "cad"
    alpha: float = parameter(0.5, _ALPHA, low=0.0, high=10.0)
    beta: float = parameter(0.0, _BETA, low=0.0, high=1.0)
    context: str = parameter(
        "passage",
        "Which part of the prompt its counterpart lacks.",
        choices=("passage", "image", "system", "history"),
    )

    @property
    def needs(self) -> str:
        """The part that is left out."""
        return self.context

    rows: ClassVar[int] = 2

    def prompts(self, prompt: Prompt) -> list[Prompt]:
        """Return the prompt, and the same without its context."""
        return [prompt, prompt.without(self.context)]

    def start(self, prompts: PromptParts, rows: torch.Tensor, model: Any) -> Hooks:
        """Contrast both rows."""
        return Contrast(self.alpha, self.beta)


@dataclass(frozen=True, kw_only=True)
class Plausibility(Intervention):
    """Forbids implausible tokens and contrasts nothing: the control of contrastive methods."""

    kind: ClassVar[str] = "plausibility"
    title: ClassVar[str] = "Plausibility alone"
    beta: float = parameter(0.1, _BETA, low=0.0, high=1.0)

    def start(self, prompts: PromptParts, rows: torch.Tensor, model: Any) -> Hooks:
        """Cut the row's own distribution."""
        return Contrast(0.0, self.beta)
