"""SinkTrack as data: which layers write into the attention sink, what they write, and how.

Knows nothing about tensors. `sinktrack.core.attention` does the writing, `sinktrack.core.attach`
decides when.
"""

from collections.abc import Collection
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from sinktrack.core.errors import MethodError

Context = Literal["image", "instruction", "image+instruction", "prompt"]
Causal = Literal["corrected", "official"]


@dataclass(frozen=True, kw_only=True)
class SinkTrack:
    """Write context features into the attention sink while the prompt is read.

    Source: SinkTrack (ICLR 2026, https://arxiv.org/abs/2604.10027), public code 67L1/SinkTrack.

    Args:
        inject_at: Indices of the decoder layers whose attention output at the sink is replaced.
        refresh_after: Indices of the decoder layers after which the context features are read anew
            from the residual stream. Before the first of them they are the input embeddings.
        context: Whose features are written: the image tokens, the instruction (the user's text),
            both, or every token of the prompt.
        causal: "corrected" keeps ordinary causal attention at every other position. "official"
            reproduces the public code run with its defaults, where at injected layers a token sees
            the keys before it but not its own. That happens only where transformers hands over no
            attention mask, so with left padding both mean the same, there as here.
        strength: From 0.0 (the plain model, bit for bit) to 1.0 (as published).
        normalize_context: Pass the features through the layer's input norm before the key and value
            projections, as the layer does with its own input. The published method does not.

    Raises:
        MethodError: If an argument is outside its range.
    """

    inject_at: Collection[int]
    refresh_after: Collection[int] = frozenset()
    context: Context = "image"
    causal: Causal = "corrected"
    strength: float = 1.0
    normalize_context: bool = False

    def __post_init__(self) -> None:
        """Check every argument."""
        for name in ("inject_at", "refresh_after"):
            layers = getattr(self, name)
            if not isinstance(layers, Collection) or any(
                isinstance(layer, bool) or not isinstance(layer, int) or layer < 0
                for layer in layers
            ):
                raise MethodError(
                    f"{name} is {layers!r}, but must be a set of layers, counted from 0: give "
                    "whole numbers of 0 or more."
                )
            object.__setattr__(self, name, frozenset(layers))
        for name, choices in (("context", get_args(Context)), ("causal", get_args(Causal))):
            if getattr(self, name) not in choices:
                raise MethodError(
                    f"{name} is {getattr(self, name)!r}, but must be one of {', '.join(choices)}."
                )
        if not isinstance(self.normalize_context, bool):
            raise MethodError(
                f"normalize_context is {self.normalize_context!r}, but must be True or False."
            )
        if not isinstance(self.strength, int | float) or not 0.0 <= self.strength <= 1.0:
            raise MethodError(
                f"strength is {self.strength!r}, but must lie between 0.0 (the plain "
                "model) and 1.0."
            )

    @property
    def layers(self) -> tuple[int, ...]:
        """The layers that inject, in order; none at strength 0."""
        return tuple(sorted(self.inject_at)) if self.strength > 0 else ()

    @property
    def reads_image(self) -> bool:
        """Whether the context holds the image tokens."""
        return self.context in ("image", "image+instruction")

    @property
    def reads_instruction(self) -> bool:
        """Whether the context holds the instruction, which only a mask can point out."""
        return self.context in ("instruction", "image+instruction")

    @classmethod
    def for_model(cls, model: Any, **changes: Any) -> "SinkTrack":
        """Return the schedule published for the model's family, or the one it was trained with.

        A checkpoint that has learned to read its sink says so in its config: `config.sinktrack`
        holds the arguments, as `as_dict` gives them.

        Args:
            model: A transformers model, or its config.
            **changes: Arguments of `SinkTrack` that replace the published ones.

        Returns:
            The family's schedule cut to the model's layers, with causal="corrected", unless the
            config has its own.

        Raises:
            MethodError: If the family has no published schedule; build `SinkTrack(...)` directly.
                Or if the config's own is none.
        """
        config = getattr(model, "config", model)
        own = getattr(config, "sinktrack", None)
        if own is not None:
            if not isinstance(own, dict) or not own.keys() <= {each.name for each in fields(cls)}:
                raise MethodError(
                    f"The model's config has sinktrack={own!r}, but it must hold arguments of "
                    "SinkTrack: mend it, or take it out of config.json."
                )
            return cls(**own | changes)
        family = FAMILIES.get(config.model_type)
        if family is None:
            raise MethodError(
                f"There is no schedule for the model type {config.model_type!r}; known are "
                f"{', '.join(FAMILIES)}. Give one: SinkTrack(inject_at=..., refresh_after=...)."
            )
        return cls(**family.schedule(config.get_text_config().num_hidden_layers) | changes)

    def check_fits(self, num_layers: int) -> None:
        """Raise MethodError unless every layer index is below `num_layers`."""
        for name in ("inject_at", "refresh_after"):
            beyond = sorted(layer for layer in getattr(self, name) if layer >= num_layers)
            if beyond:
                raise MethodError(
                    f"{name} names layers {beyond}, but the model has {num_layers} layers: "
                    f"use indices up to {num_layers - 1}."
                )

    def as_dict(self) -> dict[str, Any]:
        """Return the arguments as JSON values; `SinkTrack(**as_dict())` is the same method."""
        return {
            "inject_at": sorted(self.inject_at),
            "refresh_after": sorted(self.refresh_after),
            "context": self.context,
            "causal": self.causal,
            "strength": self.strength,
            "normalize_context": self.normalize_context,
        }


@dataclass(frozen=True, kw_only=True)
class Family:
    """How the public code schedules one family of models.

    Args:
        interval: Every how many layers the method injects.
        context: What it writes.
        last: The last layer that may inject; None for no cap.
        early_refresh: Whether features are read anew one layer before an injecting one (text
            models) instead of after it.
    """

    interval: int
    context: Context
    last: int | None = 25
    early_refresh: bool = False

    def schedule(self, num_layers: int) -> dict[str, Any]:
        """Return inject_at, refresh_after and context for a model of `num_layers` layers."""
        every = range(self.interval, num_layers, self.interval)
        refresh = (
            (layer - 1 for layer in range(self.interval, num_layers, self.interval))
            if self.early_refresh
            else every
        )
        return {
            "inject_at": frozenset(i for i in every if self.last is None or i <= self.last),
            "refresh_after": frozenset(refresh),
            "context": self.context,
        }


# By config.model_type. The first four equal the public code; Qwen2-VL and Qwen3-VL take
# the schedule of Qwen2.5-VL, whose decoders they share; Gemma 3's text models take the interval of
# Gemma 3 with the context of text models.
FAMILIES = {
    "qwen2_5_vl": Family(interval=5, context="image"),
    "gemma3": Family(interval=4, context="image"),
    "qwen2": Family(interval=5, context="prompt", early_refresh=True),
    "llama": Family(interval=4, context="prompt", last=None, early_refresh=True),
    "qwen2_vl": Family(interval=5, context="image"),
    "qwen3_vl": Family(interval=5, context="image"),
    "gemma3_text": Family(interval=4, context="prompt", early_refresh=True),
}
