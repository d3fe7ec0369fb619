"""Position scaling: attend without the one hidden dimension that tells positions apart.

Source of position-scale: Yu et al. 2024, "Mitigate Position Bias in Large Language Models via
Scaling a Single Dimension", https://arxiv.org/abs/2406.02536, and its public code
PositionalHidden/PositionalHidden. What the dimension is differs from checkpoint to checkpoint;
`python -m sinktrack.methods.find_dimension` looks for it. Published are 2393 for Llama-2-7b-chat
with factor -1, and with factor 0 1081 for Qwen1.5-7B, 213 for Mistral-7B v0.2 and 1665 for
Gemma-7B.

The paper's formula is for one pass: the last query and all keys are scaled, and every other query
sees plain keys. What is cached follows the public code: the scaled keys stay, and while the answer
is written each new query and each new key is scaled too. The code has layers 10 to 25 for models of
32 and of 28 layers alike; here they are the same share of the depth.
"""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch

from sinktrack.core.attention_call import AttentionCall
from sinktrack.core.errors import MethodError, shown
from sinktrack.core.intervention import AtDepth, Hooks, parameter
from sinktrack.core.parts import PromptParts


@dataclass(frozen=True, kw_only=True)
class PositionScale(AtDepth):
    """Scales one dimension of what all keys and the last query are made of."""

    kind: ClassVar[str] = "position-scale"
    title: ClassVar[str] = "Position scaling"
    source: ClassVar[str] = "https://arxiv.org/abs/2406.02536"
    depth: ClassVar[tuple[int, int, int]] = (10, 25, 32)
    dimension: int | None = parameter(None, "Which dimension of the hidden state.", low=0)
    factor: float = parameter(
        0.0, "What the dimension is multiplied by; 1 is the plain model.", low=-10.0, high=10.0
    )

    def fitted(self, model: Any) -> "PositionScale":
        """Return it with its dimension and its layers."""
        width = model.config.get_text_config().hidden_size
        dimension = self.dimension
        if dimension is None:
            dimension = getattr(model.config, "sinktrack_position_dimension", None)
        if dimension is None:
            raise MethodError(
                "position-scale does not know which hidden dimension of this model tells "
                "positions: find it by `python -m sinktrack.methods.find_dimension MODEL`, then "
                "give dimension=N or write sinktrack_position_dimension into the model's "
                "config.json."
            )
        if not isinstance(dimension, int) or not 0 <= dimension < width:
            raise MethodError(
                f"dimension is {shown(dimension)}, but the model's hidden states have {width}: "
                f"give a whole number from 0 to {width - 1}."
            )
        return replace(super().fitted(model), dimension=dimension)

    def first_layer(self, num_layers: int) -> int:
        """Return the first layer where it acts."""
        return super().first_layer(num_layers) if self.factor != 1 else num_layers

    def start(self, prompts: PromptParts, rows: torch.Tensor, model: Any) -> Hooks:
        """Return what scales."""
        return _Scaling(self) if self.factor != 1 else Hooks()


class _Scaling(Hooks):
    def __init__(self, method: PositionScale) -> None:
        super().__init__()
        self._method, self.act_at = method, method.layers or ()

    def scores(self, call: AttentionCall, prefill: bool) -> torch.Tensor:
        """Leave scaled keys in the cache; return by how much the scaled query scores more."""
        if prefill:
            call.check_reproduced([], queries=True)
        plain, states = call.scores(), call.entering.clone()
        states[..., self._method.dimension] *= self._method.factor
        call.put_keys(call.turned("k", states))
        scaled = call.scores_of(call.turned("q", states[:, -1:]))
        return scaled - plain
