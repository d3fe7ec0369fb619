"""What releases and families of transformers name differently, in one place.

transformers 5.24 renamed the argument that carries the key-value cache. Both names are read here,
and the one that a model's `forward` takes is the one that is passed.
"""

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from sinktrack.core.errors import AttachError

_CACHE_NAMES = ("cache", "past_key_values")  # newest first

# Keywords with which families change attention scores, and which SDPA takes without a word.
_LOST_IN_SDPA = {
    "s_aux": "a learned sink logit",
    "sinks": "learned sink logits",
    "position_bias": "a bias on its attention scores",
}


def cache_of(arguments: Mapping[str, Any]) -> Any:
    """Return the key-value cache among the arguments of a forward call, or None."""
    return next((arguments[name] for name in _CACHE_NAMES if arguments.get(name) is not None), None)


def cache_argument(module: nn.Module) -> str:
    """Return the name under which the `forward` of a model takes its key-value cache.

    Raises:
        AttachError: If it takes none.
    """
    accepted = inspect.signature(module.forward).parameters
    for name in _CACHE_NAMES:
        if name in accepted:
            return name
    raise AttachError(
        f"The forward of {type(module).__name__} takes no key-value cache under a name that is "
        f"known here ({' or '.join(_CACHE_NAMES)}): use a version of transformers that "
        "constraints.txt admits."
    )


def merged_axes(part: torch.Tensor, config: Any) -> torch.Tensor:
    """Return the cosines or sines of a multimodal rotary embedding with its axes merged.

    In later releases `rotary_emb` does that itself; in 5.10 each attention module did.

    Args:
        part: (3, B, T, d), or (B, T, d) where they are merged.
        config: The decoder's config, which says how many channels each axis turns.

    Returns:
        (B, T, d).
    """
    if part.ndim == 3:
        return part
    pieces = part.split(config.rope_parameters["mrope_section"] * 2, dim=-1)
    return torch.cat([piece[at % 3] for at, piece in enumerate(pieces)], dim=-1)


def refuse_lost_keywords(module: nn.Module, keywords: Mapping[str, Any]) -> None:
    """Refuse an attention call with a keyword that SDPA would drop.

    Raises:
        AttachError: With the keyword and what it means.
    """
    for name, meaning in _LOST_IN_SDPA.items():
        if keywords.get(name) is not None:
            raise AttachError(
                f"{type(module).__name__} has {meaning} ({name}), which would be lost inside the "
                "block: SinkTrack cannot be attached to this family."
            )
