"""Methods that contrast with rows in which most of the context is hidden from deeper layers."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch

from sinktrack.core.architecture import decoder_layers
from sinktrack.core.attention_call import AttentionCall
from sinktrack.core.errors import MethodError
from sinktrack.core.intervention import Hooks, Lens, parameter, plausible
from sinktrack.core.parts import PromptParts
from sinktrack.core.prompt import Prompt
from sinktrack.methods.contrast import Contrast, Contrastive, growing

if TYPE_CHECKING:
    from typing_extensions import Self


@dataclass(frozen=True, kw_only=True)
class Blinding(Contrastive):
    """A method whose counterparts see little of their prompts from a layer on."""

    needs: ClassVar[str] = "image"
    layer: int = parameter(2, "The first layer that hides the rest.", low=1, high=1000)

    def fitted(self, model: Any) -> "Self":
        """Return it, if the model has the layer."""
        count = len(decoder_layers(model))
        if self.layer >= count:  # nothing would be hidden
            raise MethodError(
                f"layer is {self.layer}, but the model has {count} layers: use one from 1 to "
                f"{count - 1}."
            )
        return self

    def first_layer(self, num_layers: int) -> int:
        """Return the layer before, whose attention is measured."""
        return min(self.layer - 1, num_layers)


@dataclass(frozen=True, kw_only=True)
class SID(Blinding):
    """Contrasts the answer with one that sees only what it looked at least of the picture.

    Huo et al. 2025, and huofushuo/SID: 100 of 576 tokens for POPE, 50 for CHAIR. From layer 2 on
    the counterpart sees the picture tokens to which the last query paid the least attention in the
    layer before, chosen anew with every token. Greedy, that code leaves the mask of beta out.
    """

    kind: ClassVar[str] = "sid"
    source: ClassVar[str] = "https://arxiv.org/abs/2408.02032"
    keep: float = parameter(
        0.1736, "Which share of the picture the counterpart sees.", low=0.0, high=1.0
    )

    def prompts(self, prompt: Prompt) -> list[Prompt]:
        """Return the prompt twice."""
        return [prompt, prompt]

    def start(self, prompts: PromptParts, rows: torch.Tensor, model: Any) -> Hooks:
        """Return what hides and contrasts."""
        return _Hiding(self.alpha, self.beta, self.layer, self.keep)


class _Hiding(Contrast):
    act_at = None

    def __init__(self, alpha: float, beta: float, layer: int, keep: float) -> None:
        super().__init__(alpha, beta)
        self._layer, self._keep = layer, keep

    def attention(
        self, call: AttentionCall, output: torch.Tensor, prefill: bool
    ) -> torch.Tensor | None:
        """Measure in the layer before, and hide from then on."""
        if call.layer == self._layer - 1:
            looked = call.scores().softmax(-1)[:, :, 0].mean(1)
            # What has left this layer's sliding window got no attention.
            gone = call.tokens.shape[1] - looked.shape[1]
            self._hidden = self.hidden(call, torch.nn.functional.pad(looked, (gone, 0)))
        if call.layer < self._layer:
            return None
        gone = self._hidden.shape[1] - call.key.shape[2]
        return call.attend_without(output, self._hidden[:, gone:].to(output.device))

    def hidden(self, call: AttentionCall, looked: torch.Tensor) -> torch.Tensor:
        """Return which tokens so far the counterpart does not see, bool (R, N).

        Args:
            call: The attention of the layer before.
            looked: float32 (R, N), how much attention each got.
        """
        hidden = all_but_least(looked, _picture(call, looked), self._keep)
        hidden[0::2] = False  # the rows that write
        return hidden


def _picture(call: AttentionCall, looked: torch.Tensor) -> torch.Tensor:
    """Return which tokens so far are of a picture, bool (R, N)."""
    return call.at_tokens(call.prompts.of_kind("image")).to(looked.device)


def all_but_least(looked: torch.Tensor, keys: torch.Tensor, keep: float) -> torch.Tensor:
    """Return which of some keys (R, K) are not among a share of them that got least attention."""
    return but_least(looked, keys, (keep * keys.sum(1)).round()[:, None])


def but_least(looked: torch.Tensor, keys: torch.Tensor, count: Any) -> torch.Tensor:
    """Return which of some keys (R, K) are not among the `count` that got least attention."""
    order = looked.masked_fill(~keys, float("inf")).argsort(dim=1, stable=True).argsort(dim=1)
    gone: torch.Tensor = keys & (order >= count)
    return gone


@dataclass(frozen=True, kw_only=True)
class CRoPS(Blinding):
    """Contrasts with a row that sees little of the picture, and with one that sees little text.

    Anand et al. 2026, and ubamba98's public code. From layer 2 on the first counterpart sees the
    quarter of the picture that got least attention; the second has no picture and sees the 10 to 40
    text tokens that did. The answer is M3ID's against the second, contrasted with the first; where
    the likeliest token has more than the threshold, it is the plain one. In the public code a token
    of the prompt that sees nothing attends to everything alike, later tokens too, by the way its
    mask is added; here it sees itself.
    """

    kind: ClassVar[str] = "crops"
    title: ClassVar[str] = "CRoPS"
    source: ClassVar[str] = "https://arxiv.org/abs/2601.00659"
    rows: ClassVar[int] = 3
    decay: float = parameter(
        0.01, "How fast the weight of the row without a picture grows; 0 is off.", low=0.0, high=1.0
    )
    threshold: float = parameter(
        0.95, "Above this probability of a token nothing is contrasted.", low=0.0, high=1.0
    )
    keep: float = parameter(
        0.25, "Which share of the picture the first counterpart sees.", low=0.0, high=1.0
    )

    def prompts(self, prompt: Prompt) -> list[Prompt]:
        """Return the prompt twice, and without its picture."""
        return [prompt, prompt, prompt.without("image")]

    def start(self, prompts: PromptParts, rows: torch.Tensor, model: Any) -> Hooks:
        """Return what hides and contrasts."""
        return _HidingBoth(self)


class _HidingBoth(_Hiding):
    def __init__(self, method: CRoPS) -> None:
        super().__init__(method.alpha, method.beta, method.layer, method.keep)
        self._method = method

    def hidden(self, call: AttentionCall, looked: torch.Tensor) -> torch.Tensor:
        """Return which tokens so far the counterparts do not see, bool (R, N)."""
        hidden = all_but_least(looked, _picture(call, looked), self._keep)
        texts = math.floor(10 + 30 * (1 - math.exp(-0.001 * (self.token + 1))))
        hidden[0::3] = False
        hidden[2::3] = but_least(looked, call.tokens.to(looked.device), texts)[2::3]
        return hidden

    def logits(self, logits: torch.Tensor, lens: Lens) -> torch.Tensor:
        """Contrast the rows (P, 3, V)."""
        self.token += 1
        plain, picture, text = logits.unbind(1)
        main = plausible(plain, plain, self._beta)
        weight = growing(self._method.decay, self.token)
        grown = plain + weight * (plain - text)
        chosen = grown + self._alpha * (grown - picture)
        chosen = chosen.masked_fill(main.isneginf(), float("-inf"))
        sure = main.softmax(-1).amax(-1, keepdim=True) > self._method.threshold
        return torch.where(sure, main, chosen)
