"""Probes: what a part of the prompt or a head is for, found by asking again without it.

Attention says where a model looked, and not what it would have said otherwise. These do.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch

from sinktrack.core.architecture import decoder_layers
from sinktrack.core.attention_call import AttentionCall
from sinktrack.core.errors import MethodError, shown
from sinktrack.core.intervention import Hooks, Intervention, parameter
from sinktrack.core.parts import PromptParts

if TYPE_CHECKING:
    from typing_extensions import Self


@dataclass(frozen=True, kw_only=True)
class Cover(Intervention):
    """Hides some tokens of the prompt from all others, in every layer."""

    kind: ClassVar[str] = "cover"
    title: ClassVar[str] = "Cover"
    positions: Collection[int] = parameter(
        frozenset(), "Which tokens of the prompt nobody sees, counted from 0.", set_of="positions"
    )

    def fitted(self, model: Any) -> "Self":
        """Return it, if it says what to cover."""
        if not self.positions:
            raise MethodError(
                "cover does not say which tokens of the prompt to hide: give positions, such as "
                "positions=4-8."
            )
        return self

    def first_layer(self, num_layers: int) -> int:
        """Return the first layer, if anything is hidden."""
        return 0 if self.positions else num_layers

    def start(self, prompts: PromptParts, rows: torch.Tensor, model: Any) -> Hooks:
        """Return what hides."""
        length = int(prompts.attended.sum(1).min())
        beyond = sorted(at for at in self.positions if at >= length)
        if beyond:
            raise MethodError(
                f"positions names {shown(beyond)}, but the prompt has {length} tokens: use indices "
                f"up to {length - 1}."
            )
        hidden = torch.zeros_like(prompts.attended)
        for row, first in enumerate(prompts.sinks.tolist()):
            hidden[row, [first + at for at in self.positions]] = True
        return _Covering(hidden)


class _Covering(Hooks):
    def __init__(self, hidden: torch.Tensor) -> None:
        super().__init__()
        self._hidden = hidden
        self.act_at = None if hidden.any() else ()

    def attention(
        self, call: AttentionCall, output: torch.Tensor, prefill: bool
    ) -> torch.Tensor | None:
        """Attend again without the hidden keys."""
        return call.attend_without(output, call.at_keys(self._hidden))


def _check_heads(value: Any) -> str | None:
    good = isinstance(value, str) and all(
        len(pair) == 2 and all(each.isascii() and each.isdigit() for each in pair)
        for pair in (each.split(".") for each in value.split("+"))
    )
    if good or value == "":
        return None
    return "must name heads by layer and number, such as 3.1+5.0"


@dataclass(frozen=True, kw_only=True)
class Silence(Intervention):
    """Takes away what some attention heads give, in the prompt and in the answer."""

    kind: ClassVar[str] = "silence"
    title: ClassVar[str] = "Silence heads"
    heads: str = parameter(
        "",
        "Which heads give nothing, each as its layer and number.",
        check=_check_heads,
        takes="heads as layer.number, such as 3.1+5.0",
    )

    @property
    def by_layer(self) -> dict[int, list[int]]:
        """The heads of each layer."""
        found: dict[int, list[int]] = {}
        for pair in filter(None, self.heads.split("+")):
            layer, head = map(int, pair.split("."))
            found.setdefault(layer, []).append(head)
        return found

    def fitted(self, model: Any) -> "Self":
        """Return it, if it names heads and the model has them."""
        if not self.heads:
            raise MethodError(
                "silence does not say which heads to take away: give heads, such as heads=3.1+5.0."
            )
        layers = len(decoder_layers(model))
        heads = model.config.get_text_config().num_attention_heads
        for layer, own in self.by_layer.items():
            if layer >= layers or max(own) >= heads:
                raise MethodError(
                    f"heads names {layer}.{max(own)}, but the model has {layers} layers of {heads} "
                    f"heads: use layers up to {layers - 1} and heads up to {heads - 1}."
                )
        return self

    def first_layer(self, num_layers: int) -> int:
        """Return the first layer with such a head."""
        return min(self.by_layer, default=num_layers)

    def start(self, prompts: PromptParts, rows: torch.Tensor, model: Any) -> Hooks:
        """Return what takes away."""
        return _Silencing(self.by_layer)


class _Silencing(Hooks):
    def __init__(self, heads: dict[int, list[int]]) -> None:
        super().__init__()
        self._heads = heads
        self.act_at = tuple(heads)

    def attention(
        self, call: AttentionCall, output: torch.Tensor, prefill: bool
    ) -> torch.Tensor | None:
        """Give nothing in the place of the heads' output."""
        output[:, :, self._heads[call.layer]] = 0
        return output
