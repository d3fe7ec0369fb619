"""Controls: what a method has to beat before its gain is its own.

Yin et al. 2025, https://arxiv.org/abs/2504.10020, find that the mask of contrastive methods alone,
and a bias to "yes", gain on POPE what the methods gain.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from sinktrack.core.errors import MethodError
from sinktrack.core.intervention import Hooks, Intervention, Lens, parameter
from sinktrack.core.parts import PromptParts
from sinktrack.core.prompt import Prompt
from sinktrack.methods.contrast import BETA, Contrast


@dataclass(frozen=True, kw_only=True)
class Plausibility(Intervention):
    """Forbids implausible tokens and contrasts nothing: the mask of contrastive methods alone."""

    kind: ClassVar[str] = "plausibility"
    title: ClassVar[str] = "Plausibility alone"
    source: ClassVar[str] = "https://arxiv.org/abs/2504.10020"
    control: ClassVar[bool] = True
    beta: float = parameter(0.1, BETA, low=0.0, high=1.0)

    def start(self, prompts: PromptParts, rows: torch.Tensor, model: Any) -> Hooks:
        """Cut the row's own distribution."""
        return Contrast(0.0, self.beta)


@dataclass(frozen=True, kw_only=True)
class SayYes(Intervention):
    """Makes an answer that begins with yes more likely, whatever is asked."""

    kind: ClassVar[str] = "say-yes"
    title: ClassVar[str] = "Say yes more"
    source: ClassVar[str] = "https://arxiv.org/abs/2504.10020"
    control: ClassVar[bool] = True
    needs_prompts: ClassVar[bool] = True  # for the tokenizer
    bias: float = parameter(
        1.0, "What is added to the logit of yes at the answer's first token.", low=-10.0, high=10.0
    )

    def start(self, prompts: PromptParts, rows: torch.Tensor, model: Any) -> Hooks:
        """Favour the first tokens of yes in its usual spellings."""
        words = ("Yes", "yes", " Yes", " yes")
        ids = [prompts.tokenizer.encode(word, add_special_tokens=False) for word in words]
        found = sorted({each[0] for each in ids if len(each) == 1})
        if not found:
            raise MethodError("The model's tokenizer has no token for yes: choose another method.")
        return _Favouring(self.bias, found)


class _Favouring(Hooks):
    act_at = ()

    def __init__(self, bias: float, ids: list[int]) -> None:
        super().__init__()
        self._bias, self._ids = bias, ids

    def logits(self, logits: torch.Tensor, lens: Lens) -> torch.Tensor:
        """Add the bias once."""
        chosen = logits[:, 0].clone()
        chosen[:, self._ids] += self._bias
        self._bias = 0.0
        return chosen


@dataclass(frozen=True, kw_only=True)
class Strength0(Intervention):
    """Changes nothing in a row of its own: what differs here is chance or a mistake."""

    kind: ClassVar[str] = "strength-0"
    title: ClassVar[str] = "Strength 0"
    control: ClassVar[bool] = True


@dataclass(frozen=True, kw_only=True)
class SaidTwice(Intervention):
    """Repeats the question at the end of the prompt: the simplest way to keep it in mind."""

    kind: ClassVar[str] = "said-twice"
    title: ClassVar[str] = "Said twice"
    control: ClassVar[bool] = True
    needs_prompts: ClassVar[bool] = True
    times: int = parameter(
        2, "How often the question is said; 1 is the plain model.", low=1, high=5
    )

    def prompts(self, prompt: Prompt) -> list[Prompt]:
        """Return the prompt with its question several times, a blank line between them."""
        if self.times == 1:
            return [prompt]
        return [prompt.saying(after=f"\n\n{prompt.question}" * (self.times - 1))]

    def start(self, prompts: PromptParts, rows: torch.Tensor, model: Any) -> Hooks:
        """Change nothing but the prompt."""
        hooks = Hooks()
        if self.times > 1:
            repeated = prompts.of_kind("instruction").sum(1) * (self.times - 1) / self.times
            hooks.rewrote = repeated / prompts.attended.sum(1)
        return hooks
