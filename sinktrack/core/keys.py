"""Queries, keys and values that an attention module would make of other states than its own input.

The one place that knows how families differ in it: projections that are one matrix or three, norms
a head or over all heads, channels that turn in two halves or in pairs side by side.

Used where context stands in for the sink, where a cache closes a gap, and where a method changes
what queries and keys are made of. What is made here is compared with what the module makes of its
own input, so an unknown family is refused.
"""

import sys
from typing import Any, Literal

import torch

from sinktrack.core.errors import AttachError
from sinktrack.core.upstream import merged_axes

Rotary = tuple[torch.Tensor, torch.Tensor]
"""A layer's cosines and sines, (..., B or 1, T, r)."""


def context_keys(
    module: Any, features: torch.Tensor, head_size: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the keys and values of features (N, D), both (N, H_kv, d), without rotation."""
    values = _projected(module, "v", features).view(len(features), -1, head_size)
    return _normed(module, "k", features, head_size), values


def turned_heads(
    module: Any,
    name: Literal["q", "k"],
    states: torch.Tensor,
    head_size: int,
    rotary: Rotary | None,
) -> torch.Tensor:
    """Return the queries or keys that the module makes of states in the place of its input.

    Args:
        module: The attention module.
        name: "q" for queries, "k" for keys.
        states: (B, Q, D).
        head_size: d.
        rotary: The rotation of the Q positions.

    Returns:
        (B, H or H_kv, Q, d), with norm and rotation.
    """
    made = _normed(module, name, states, head_size).transpose(1, 2)
    if rotary is None:
        return made
    cos, sin = (merged_axes(part, module.config).unsqueeze(1).to(made.device) for part in rotary)
    turned, still = made.tensor_split([cos.shape[-1]], dim=-1)
    beside = turns_pairs(module)
    if beside:
        cos, sin = in_halves(cos, sin)
    return torch.cat([rotated_back(turned, cos, -sin, beside), still], dim=-1)


def _projected(module: Any, name: str, states: torch.Tensor) -> torch.Tensor:
    """Return a projection of states (..., D), (..., heads * d); some families fuse all three."""
    made: torch.Tensor
    if hasattr(module, f"{name}_proj"):
        made = getattr(module, f"{name}_proj")(states)
        return made
    config = module.config
    size = module.head_dim * config.num_key_value_heads
    sizes = {"q": module.head_dim * config.num_attention_heads, "k": size, "v": size}
    parts = module.qkv_proj(states).split(list(sizes.values()), dim=-1)
    made = parts[list(sizes).index(name)]
    return made


def _normed(module: Any, name: str, states: torch.Tensor, head_size: int) -> torch.Tensor:
    """Return a projection of states (..., D) with the family's norm, (..., heads, d)."""
    made = _projected(module, name, states)
    heads = (*states.shape[:-1], -1, head_size)
    norm = getattr(module, f"{name}_norm", None)
    if norm is None:
        return made.view(heads)
    over_all = norm.weight.shape[-1] == made.shape[-1]
    normed: torch.Tensor = norm(made).view(heads) if over_all else norm(made.view(heads))
    return normed


def at_position_zero(
    module: Any, query: torch.Tensor, rotary: Rotary | None, row: int, position: int
) -> torch.Tensor:
    """Undo the rotation of a query (H, d) that does not stand at position 0.

    That happens to left-padded rows when `forward` is called without position ids. Attention among
    rotated keys does not mind, but context keys are not rotated. At position 0 this is exact.
    """
    if rotary is None:
        return query
    cos, sin = (part.to(query.device) for part in _rotation(rotary, row, position))
    stretch = (cos**2 + sin**2).sqrt()
    beside = turns_pairs(module)
    if beside:
        cos, sin = in_halves(cos, sin)
    turned, still = query.float().tensor_split([cos.shape[-1]], dim=-1)
    turned = rotated_back(turned, cos, sin, beside) / stretch
    return torch.cat([turned, still], dim=-1).to(query.dtype)


def rotated_back(
    vectors: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, beside: bool = False
) -> torch.Tensor:
    """Undo a rotary embedding.

    Args:
        vectors: (..., r).
        cos: (..., r), one half like the other.
        sin: (..., r), likewise.
        beside: Whether channels turn in pairs side by side, and not one half with the other.
    """
    if beside:
        halves = torch.cat([vectors[..., 0::2], vectors[..., 1::2]], dim=-1)
        turned = rotated_back(halves, cos, sin).chunk(2, dim=-1)
        return torch.stack(turned, dim=-1).flatten(-2)
    first, second = vectors.chunk(2, dim=-1)
    across = torch.cat([-second, first], dim=-1)
    return vectors * cos - across * sin


def turns_pairs(module: Any) -> bool:
    """Tell whether a family turns channels in pairs side by side; its own code is asked."""
    half = getattr(sys.modules[type(module).__module__], "rotate_half", None)
    if half is None:
        return False
    turned: torch.Tensor = half(torch.arange(1.0, 5.0))
    return turned.tolist() == [-2.0, 1.0, -4.0, 3.0]


def in_halves(cos: torch.Tensor, sin: torch.Tensor) -> Rotary:
    """Return the cosines and sines of pairs side by side, (..., r), one half like the other.

    Some families name each pair's twice in a row, others once in each half.
    """
    if not torch.equal(sin[..., 0::2], sin[..., 1::2]):
        return cos, sin
    first, second = (torch.cat([part[..., 0::2], part[..., 1::2]], dim=-1) for part in (cos, sin))
    return first, second


@torch.no_grad()
def check_reproduced(
    module: Any,
    entering: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    rotary: Rotary | None,
    places: list[tuple[int, int]],
    query: torch.Tensor | None = None,
) -> None:
    """Refuse a family whose own keys and values differ from those that are made here.

    One of the places should be a last query, whose key stands at a later position: so multipliers,
    norms and rotations that are not known here are found out.

    Args:
        module: The attention module.
        entering: (B, Q, D), what enters it.
        key: (B, H_kv, K, d), after the cache update.
        value: (B, H_kv, K, d).
        rotary: The layer's rotation.
        places: Rows and positions where they are compared.
        query: (B, H, Q, d), if the last query is to be compared as well.

    Raises:
        AttachError: If they differ.
    """
    length = entering.shape[1]
    first = length - key.shape[2] if length > 1 else 0  # a static cache holds room for more
    for row, at in places:
        column = at - max(first, 0) if length > 1 else key.shape[2] - 1
        own = (key[row, :, column], value[row, :, column])
        keys, values = context_keys(module, entering[row, at][None], key.shape[-1])
        unturned = at_position_zero(module, own[0], rotary, row, at)
        if rotary is not None:  # some rotations stretch what they turn
            stretch = _stretch(rotary, row, at).to(unturned.device)
            unturned = unturned.clone()
            unturned[..., : len(stretch)] /= stretch.to(unturned.dtype)
        if _apart(keys[0], unturned) or _apart(values[0], own[1]):
            raise AttachError(
                f"{type(module).__name__} of layer {module.layer_idx} makes other keys or "
                "values of its input than are made here, so neither SinkTrack nor a window nor "
                "scaled keys can be used with this family: attach without them to record."
            )
    if query is not None:
        last = None if rotary is None else (rotary[0][..., -1:, :], rotary[1][..., -1:, :])
        made = turned_heads(module, "q", entering[:, -1:], key.shape[-1], last)
        if _apart(made, query[:, :, -1:]):
            raise AttachError(
                f"{type(module).__name__} of layer {module.layer_idx} makes other queries of its "
                "input than are made here, so none can be scaled: choose another method."
            )


def _apart(made: torch.Tensor, seen: torch.Tensor) -> bool:
    """Tell whether two tensors differ by more than rounding."""
    tolerance = 0.01 if seen.dtype == torch.float32 else 0.05  # products may be in TF32
    apart = (made.float() - seen.float()).norm()
    return bool(apart > tolerance * seen.float().norm().clamp(min=1e-6))


def _rotation(rotary: Rotary, row: int, at: int) -> Rotary:
    """Return the cosines and sines of a text position, float32 (r,) each."""
    # Multimodal rotary embeddings have an axis in front, along which text positions agree.
    cos, sin = (part.reshape(-1, *part.shape[-3:])[0] for part in rotary)
    place = (row if len(cos) > 1 else 0, at)
    return cos[place].float(), sin[place].float()


def _stretch(rotary: Rotary, row: int, at: int) -> torch.Tensor:
    """Return by what a rotation lengthens a vector, as YaRN's does, float32 (r,)."""
    cos, sin = _rotation(rotary, row, at)
    return (cos**2 + sin**2).sqrt()
