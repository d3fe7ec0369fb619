"""Attention in packed rows, at the cost of what their masks leave.

A row of many questions hides most keys from most queries, and scaled dot-product attention with a
mask computes them all the same: half of a training step's time on a CPU. Here queries are taken
some at a time, with the keys that one of them sees in any row.
"""

from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface

QUERIES = 64
"""How many queries are taken at a time."""


def packed_attention(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Attend as transformers' "sdpa" does.

    Args:
        module: the layer's attention.
        query: (B, heads, T, d).
        key: (B, key-value heads, T, d).
        value: likewise.
        attention_mask: (B, 1, T, T) bool, True where a query sees a key; None is causal.
        scaling: of the scores.

    Returns:
        (B, T, heads, d), and no probabilities.
    """
    if attention_mask is None:
        found = scaled_dot_product_attention(
            query, key, value, is_causal=True, scale=scaling, enable_gqa=True
        )
        return found.transpose(1, 2), None
    pieces = []
    for begin in range(0, query.shape[2], QUERIES):
        some = slice(begin, begin + QUERIES)
        seen = attention_mask[:, :, some]
        keys = seen.any(2).any(0)[0].nonzero()[:, 0]
        pieces.append(
            scaled_dot_product_attention(
                query[:, :, some],
                key.index_select(2, keys),
                value.index_select(2, keys),
                attn_mask=seen.index_select(3, keys),
                scale=scaling,
                enable_gqa=True,
            )
        )
    return torch.cat(pieces, dim=2).transpose(1, 2), None


def use_packed_attention(model: Any) -> None:
    """Let a model's decoder attend so from now on; nothing of it is saved."""
    # what is seen decides the shapes, which a compiler cannot know
    AttentionInterface.register("packed", torch.compiler.disable(packed_attention))
    model.model.language_model.config._attn_implementation = "packed"
