"""Attention scores, and attention where SDPA does not know what a family does to them.

Functions of tensors alone. Knows nothing about models, hooks or what a method does.
"""

from collections.abc import Iterator
from typing import Any

import torch

from sinktrack.core.errors import AttachError
from sinktrack.core.parts import HIDDEN

AT_ONCE = 256
"""For how many queries scores are made at once, which takes float32 (R, H, 256, K) several times.

A whole long prompt's would take more memory than its model.
"""


def attend(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor | None,
    scaling: float,
    *,
    softcap: float | None = None,
    upper_left: bool = False,
    **options: Any,
) -> torch.Tensor:
    """Attend as SDPA does, or, where scores have a cap, which it knows nothing of, slowly.

    Args:
        module: The attention module.
        query: (B, H, Q, d).
        key: (B, H_kv, K, d).
        value: (B, H_kv, K, d).
        mask: As for `query_scores`; None is plainly causal where there are several queries.
        scaling: The factor on query-key products.
        softcap: c, where a score s becomes c * tanh(s / c); None for no cap.
        upper_left: Whether without a mask the first query sees the first key alone, as in SDPA,
            and not the last query the last key.
        **options: Passed on to SDPA.

    Returns:
        (B, Q, H, d).
    """
    if softcap is None:
        from transformers.integrations.sdpa_attention import sdpa_attention_forward

        output: torch.Tensor
        output, _ = sdpa_attention_forward(
            module, query, key, value, mask, scaling=scaling, **options
        )
        return output
    received = []
    queries, keys = query.shape[2], key.shape[2]
    for asked in slices(0, queries):
        own = None if mask is None else mask[:, :, asked]
        scores = query_scores(query[:, :, asked], key, own, scaling, softcap)
        if mask is None and queries > 1:
            begin = 0 if upper_left else keys - queries
            last = torch.arange(begin, begin + queries, device=key.device)[asked, None]
            beyond = torch.arange(keys, device=key.device) > last
            scores = scores.masked_fill(beyond, float("-inf"))
        received.append(weighted_values(scores.softmax(-1).nan_to_num(0.0), value))
    return torch.cat(received, dim=1)


def capped(scores: torch.Tensor, softcap: float | None) -> torch.Tensor:
    """Return scores under the cap that some families put on them, c * tanh(s / c)."""
    return scores if softcap is None else (scores / softcap).tanh() * softcap


def slices(begin: int, end: int) -> Iterator[slice]:
    """Yield slices of queries from the first to the last, at most `AT_ONCE` a slice."""
    for first in range(begin, end, AT_ONCE):
        yield slice(first, min(first + AT_ONCE, end))


def weighted_values(probabilities: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """Return the sum of values (B, H_kv, K, d) with weights (B, H, q, K), (B, q, H, d).

    Sums are float32; what is returned has the values' dtype.
    """
    rows, heads, queries, _ = probabilities.shape
    grouped = probabilities.view(rows, value.shape[1], -1, *probabilities.shape[-1:])
    found = grouped @ value.float()  # (B, H_kv, H / H_kv * q, d)
    return found.view(rows, heads, queries, -1).transpose(1, 2).to(value.dtype)


def query_scores(
    query: torch.Tensor,
    key: torch.Tensor,
    mask: torch.Tensor | None,
    scaling: float,
    softcap: float | None = None,
) -> torch.Tensor:
    """Return scores before the softmax, float32 (B, H, q, K); -inf where the mask hides.

    Args:
        query: (B, H, q, d).
        key: (B, H_kv, K, d).
        mask: (B or 1, 1, q, K or more), bool or additive; None hides nothing.
        scaling: The factor on query-key products.
        softcap: As for `attend`.

    Raises:
        AttachError: If the mask differs from head to head.
    """
    batch, heads, queries, head_size = query.shape
    if mask is not None and mask.shape[1] != 1:
        raise AttachError(
            "The model's attention mask differs from head to head, which cannot be recorded: "
            "attach with record=False."
        )
    grouped = (query.float() * scaling).reshape(batch, key.shape[1], -1, head_size)
    scores = (grouped @ key.float().transpose(-1, -2)).view(batch, heads, queries, -1)
    scores = capped(scores, softcap)
    if mask is not None:
        mask = mask[..., : key.shape[2]]
        scores = scores if mask.dtype == torch.bool else scores + mask
        scores = scores.masked_fill(hidden_by(mask), float("-inf"))
    return scores.float()


def hidden_by(mask: torch.Tensor) -> torch.Tensor:
    """Return what a mask hides, bool; the mask is True, or additive, where something is seen."""
    return ~mask if mask.dtype == torch.bool else mask <= HIDDEN
