"""Methods that ask early layers what they would have said."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import torch

from sinktrack.core.architecture import decoder_layers
from sinktrack.core.errors import MethodError
from sinktrack.core.intervention import AtDepth, Hooks, Intervention, Lens, parameter, plausible
from sinktrack.core.parts import PromptParts
from sinktrack.methods.contrast import BETA

if TYPE_CHECKING:
    from typing_extensions import Self


@dataclass(frozen=True, kw_only=True)
class Listening(AtDepth):
    """A method that asks layers before the last one, whose logits are the model's own."""

    def fitted(self, model: Any) -> "Self":
        """Return it with its layers."""
        last = len(decoder_layers(model)) - 1
        if last in (self.layers or ()):
            raise MethodError(
                f"layers names {last}, which is the last layer, whose logits are the model's own: "
                f"use layers up to {last - 1}."
            )
        fitted = super().fitted(model)
        return replace(fitted, layers=frozenset(fitted.layers or ()) - {last})

    def first_layer(self, num_layers: int) -> int:
        """Return that no layer is changed."""
        return num_layers


@dataclass(frozen=True, kw_only=True)
class DeCo(Listening):
    """Adds the logits of the early layer that is surest of one of the likeliest tokens.

    Wang et al. 2025, and zjunlp/Deco: what the 20th to the 28th of 32 layers make, which are layers
    19 to 27 counted from 0. Its users report a bias to yes.
    """

    kind: ClassVar[str] = "deco"
    title: ClassVar[str] = "DeCo"
    source: ClassVar[str] = "https://arxiv.org/abs/2410.11779"
    depth: ClassVar[tuple[int, int, int]] = (19, 27, 32)
    alpha: float = parameter(0.6, "Weight of the early logits; 0 adds none.", low=0.0, high=10.0)
    top_p: float = parameter(
        0.9, "Only the likeliest tokens that reach this probability stay.", low=0.0, high=1.0
    )
    top_k: int = parameter(20, "At most as many of them stay; 0 is no limit.", low=0, high=1000)

    def start(self, prompts: PromptParts, rows: torch.Tensor, model: Any) -> Hooks:
        """Return what adds the early logits."""
        return _Correcting(self)


class _Correcting(Hooks):
    act_at = ()

    def __init__(self, method: DeCo) -> None:
        super().__init__()
        self._method = method
        self.lens = sorted(method.layers or ()) if method.alpha else ()

    def logits(self, logits: torch.Tensor, lens: Lens) -> torch.Tensor:
        """Return z + alpha * m * z_l of the candidates; the others are forbidden."""
        plain = logits[:, 0]
        most = min(self._method.top_k or plain.shape[-1], plain.shape[-1])
        p, ids = plain.softmax(-1).topk(most)  # (P, C)
        stays = p.cumsum(-1) - p < self._method.top_p  # what is likelier does not reach it yet
        stays |= self._method.top_p == 1
        stays[:, 0] = True
        chosen = plain.gather(1, ids)
        if self.lens:
            early = torch.stack([lens(layer)[:, 0] for layer in self.lens])  # (E, P, V)
            own = early.gather(2, ids.expand(len(early), -1, -1))
            sure = (own - early.logsumexp(-1, keepdim=True)).exp()
            sure = sure.masked_fill(~stays, -1.0).amax(-1)  # (E, P)
            surest, layer = sure.max(0)
            best = own[layer, torch.arange(len(plain), device=own.device)]
            chosen = chosen + self._method.alpha * surest[:, None] * best
        chosen = chosen.masked_fill(~stays, float("-inf"))
        return torch.full_like(plain, float("-inf")).scatter(1, ids, chosen)


@dataclass(frozen=True, kw_only=True)
class DoLa(Intervention):
    """Contrasts the answer with what an early layer would have said.

    Chuang et al. 2024, and voidism/DoLa: of the early layers the one that differs most from the
    last, by a divergence; its logits are read without the final norm, which "normed" puts back.
    Every second layer of the lower half, or of the upper half, which is for short answers; in more
    than 40 layers of the first 20 or of the last 20. The code advises a repetition penalty of 1.2,
    which is set beside the method.
    """

    kind: ClassVar[str] = "dola"
    title: ClassVar[str] = "DoLa"
    source: ClassVar[str] = "https://arxiv.org/abs/2309.03883"
    alpha: float = parameter(1.0, "Weight of the early layer; 0 is off.", low=0.0, high=10.0)
    beta: float = parameter(0.1, BETA, low=0.0, high=1.0)
    early: str = parameter("high", "Which half the early layers are of.", choices=("low", "high"))
    layers: Collection[int] | None = parameter(
        None,
        "The early layers, 0 for the embedding and n for what the nth layer makes; by default "
        "every second one of the half.",
        set_of="layers",
    )
    normed: bool = parameter(False, "Whether early layers pass through the final norm.")

    def fitted(self, model: Any) -> "DoLa":
        """Return it with its early layers."""
        if self.layers is not None:
            return self
        count = len(decoder_layers(model))
        # In more than 40 layers a half is the first 20, or the last 20, as in the code.
        half = min(count // 2, 20)
        # A tied embedding would say the last token again.
        tied = model.get_input_embeddings().weight is model.get_output_embeddings().weight
        begin = min(2 if tied else 0, half)
        low = range(begin, max(half, begin + 1), 2)  # a small model has one early layer
        high = range(count // 2 if count <= 40 else count - 20, count, 2)
        return replace(self, layers=low if self.early == "low" else high)

    def start(self, prompts: PromptParts, rows: torch.Tensor, model: Any) -> Hooks:
        """Return what contrasts."""
        return _Contrasting(self)


class _Contrasting(Hooks):
    act_at = ()

    def __init__(self, method: DoLa) -> None:
        super().__init__()
        self._method = method
        self.lens = [layer - 1 for layer in sorted(method.layers or ())] if method.alpha else ()
        self.lens_normed = method.normed

    def logits(self, logits: torch.Tensor, lens: Lens) -> torch.Tensor:
        """Contrast with the early layer that is furthest from the last one."""
        last = logits[:, 0]  # (P, V)
        if not self.lens:
            return plausible(last, last, self._method.beta)
        early = torch.stack([lens(layer)[:, 0] for layer in self.lens])  # (E, P, V)
        p, q = last.log_softmax(-1), early.log_softmax(-1)
        middle = ((p.exp() + q.exp()) / 2).clamp(min=1e-30)
        apart = (middle * (2 * middle.log() - p - q)).sum(-1)  # (E, P), as the code has it
        chosen = early[apart.argmax(0), torch.arange(len(last), device=last.device)]
        return plausible(last - self._method.alpha * chosen, last, self._method.beta)
