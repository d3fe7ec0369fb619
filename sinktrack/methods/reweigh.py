"""Methods that change attention scores before the softmax, so that the picture gets more of it."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from sinktrack.core.attention_call import AttentionCall
from sinktrack.core.intervention import AtDepth, Hooks, Lens, parameter, plausible
from sinktrack.core.parts import PromptParts
from sinktrack.core.prompt import Prompt


@dataclass(frozen=True, kw_only=True)
class PAI(AtDepth):
    """Raises the last query's attention scores on the picture by a share of their size.

    Liu et al. 2024, section 3, and their public code LALBJ/PAI: alpha 0.2, layers 2 to 31 of 32.
    Its second half is guidance by a row without the picture, whose attention is not changed: on
    with gamma 1.1 where the code samples, and off where it is greedy. There the first token of a
    guided answer goes without the raised scores, by a mistake that is not repeated here.
    """

    kind: ClassVar[str] = "pai"
    source: ClassVar[str] = "https://arxiv.org/abs/2407.21771"
    needs: ClassVar[str] = "image"
    depth: ClassVar[tuple[int, int, int]] = (2, 31, 32)
    alpha: float = parameter(
        0.2, "By what share of its size each score is raised; 0 raises none.", low=0.0, high=10.0
    )
    gamma: float = parameter(
        1.0, "Weight of the guidance by a row without the picture; 1 is off.", low=1.0, high=10.0
    )

    @property
    def rows(self) -> int:
        """Two with guidance."""
        return 1 + (self.gamma > 1)

    def prompts(self, prompt: Prompt) -> list[Prompt]:
        """Return the prompt, and with guidance the same without its picture."""
        return [prompt, prompt.without("image")] if self.gamma > 1 else [prompt]

    def start(self, prompts: PromptParts, rows: torch.Tensor, model: Any) -> Hooks:
        """Return what raises the scores, and guides."""
        return (_Guided if self.gamma > 1 else _Raising)(self)


class _Raising(Hooks):
    def __init__(self, method: PAI) -> None:
        super().__init__()
        self._method, self.act_at = method, (method.layers or ()) if method.alpha else ()

    def scores(self, call: AttentionCall, prefill: bool) -> torch.Tensor:
        """Return alpha * |s| on the picture's keys, float32 (R, H, 1, K)."""
        return on_keys(call.of_kind("image"), self._method.alpha * call.scores().abs())


class _Guided(_Raising):
    def logits(self, logits: torch.Tensor, lens: Lens) -> torch.Tensor:
        """Return gamma * (main - other) + other (P, V), with the mask that the code has."""
        main, other = logits.unbind(1)
        return plausible(main + (self._method.gamma - 1) * (main - other), main, 0.1)


def on_keys(keys: torch.Tensor, added: torch.Tensor | float) -> torch.Tensor:
    """Return what is added to scores, (R, H, q, K), on some keys (R, K)."""
    return torch.where(keys[:, None, None], added, 0.0)


@dataclass(frozen=True, kw_only=True)
class HGAI(AtDepth):
    """Raises the last query's attention scores on the picture by the heads' mean size.

    Jiang et al. 2025, "Devils in Middle Layers", and ZhangqiJiang07's public code
    middle_layers_indicating_hallucinations: alpha 0.5, layers 5 to 17 of 32, as its README says;
    its script for CHAIR adds layer 18.
    """

    kind: ClassVar[str] = "hgai"
    source: ClassVar[str] = "https://arxiv.org/abs/2411.16724"
    needs: ClassVar[str] = "image"
    depth: ClassVar[tuple[int, int, int]] = (5, 17, 32)
    alpha: float = parameter(
        0.5, "Which share of the mean size is added; 0 is the plain model.", low=0.0, high=10.0
    )

    def start(self, prompts: PromptParts, rows: torch.Tensor, model: Any) -> Hooks:
        """Return what raises the scores."""
        return _RaisingByHeads(self)


class _RaisingByHeads(Hooks):
    def __init__(self, method: HGAI) -> None:
        super().__init__()
        self._by, self.act_at = method.alpha, (method.layers or ()) if method.alpha else ()

    def scores(self, call: AttentionCall, prefill: bool) -> torch.Tensor:
        """Return alpha * mean over heads of |s| on the picture's keys, float32 (R, 1, 1, K)."""
        size = self._by * call.scores().abs().mean(1, keepdim=True)
        return on_keys(call.of_kind("image"), size)


@dataclass(frozen=True, kw_only=True)
class VAF(AtDepth):
    """Raises every later query's attention scores on the picture, and lowers those before it.

    Yin et al. 2025, "ClearSight", and ustc-hyin's public code: layers 9 to 14 of 32. It multiplies
    scores, so that a negative one moves the wrong way; "additive" adds the factor's logarithm
    instead, which multiplies the probabilities. What stands before the picture holds the first
    token, so that the second factor acts mostly on attention sinks.
    """

    kind: ClassVar[str] = "vaf"
    source: ClassVar[str] = "https://arxiv.org/abs/2503.13107"
    needs: ClassVar[str] = "image"
    depth: ClassVar[tuple[int, int, int]] = (9, 14, 32)
    enhance: float = parameter(1.15, "The factor on the picture.", low=0.01, high=10.0)
    suppress: float = parameter(0.95, "The factor on what is before it.", low=0.01, high=10.0)
    form: str = parameter(
        "published",
        "Whether scores are multiplied, or the factor's logarithm is added.",
        choices=("published", "additive"),
    )

    def start(self, prompts: PromptParts, rows: torch.Tensor, model: Any) -> Hooks:
        """Return what changes the scores."""
        return _Fading(self, prompts)


class BehindPicture(Hooks):
    """What changes the scores of every query behind the last picture of its prompt."""

    def __init__(self, prompts: PromptParts) -> None:
        """Find them."""
        super().__init__()
        picture = prompts.of_kind("image")
        later = (picture.flip(1).cumsum(1) == 0).flip(1) & picture.any(1)[:, None]
        self._behind = later & prompts.attended  # (R, T)
        self.queries = max(1, int(self._behind.sum(1).max()))

    def acting(self, call: AttentionCall, prefill: bool) -> torch.Tensor:
        """Return which queries of a call are changed, bool (R, 1, q, 1)."""
        behind = self._behind[:, call.asked] if prefill else torch.ones_like(self._behind[:, :1])
        return behind.to(call.query.device)[:, None, :, None]


class _Fading(BehindPicture):
    def __init__(self, method: VAF, prompts: PromptParts) -> None:
        super().__init__(prompts)
        self._method = method
        neutral = method.enhance == method.suppress == 1
        self.act_at = () if neutral else method.layers or ()

    def scores(self, call: AttentionCall, prefill: bool) -> torch.Tensor:
        """Return what the factors add, float32 (R, H, q, K)."""
        picture = call.of_kind("image")
        seen = picture.any(1, keepdim=True)  # a window may have forgotten it
        before = (picture.cumsum(1) == 0) & seen
        on_picture, on_before = (
            math.log(factor) if self._method.form == "additive" else (factor - 1) * call.scores()
            for factor in (self._method.enhance, self._method.suppress)
        )
        added = on_keys(picture, on_picture) + on_keys(before, on_before)
        return torch.where(self.acting(call, prefill), added, 0.0)
