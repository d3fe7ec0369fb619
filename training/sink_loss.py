"""The term of the loss that gives the small checkpoint an attention sink.

Large models grow a sink by themselves: the first token draws much of the attention and its
value vector is small, so that looking there changes nothing (Xiao et al. 2023,
https://arxiv.org/abs/2309.17453; Gu et al. 2024, https://arxiv.org/abs/2410.10781). A model
of this size grows none in the time that it is trained. This term asks for one.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from sinktrack.core.keys import rotated_back
from sinktrack.core.upstream import merged_axes
from training.batches import Batch

FIRST_LAYER = 2
"""The first layer of the term, which leaves the layers that gather what stands where alone."""

TARGET_SHARE = 0.55
"""The mean attention probability on the first token that the term asks of each layer."""

TARGET_VALUE = 0.02
"""The largest squared value norm of the first token, in units of the mean over all tokens."""

TARGET_NORM = 4.0
"""The smallest norm of its residual stream, in the same units."""

Normalize = Callable[[torch.Tensor], torch.Tensor]
"""Turns scores (..., keys), -inf where hidden, into attention that sums to 1."""


def softmax(scores: torch.Tensor) -> torch.Tensor:
    """Return ordinary attention."""
    return scores.softmax(-1)


def sink_loss(
    model: Any, states: Sequence[torch.Tensor], batch: Batch, norm: float = TARGET_NORM
) -> tuple[torch.Tensor, torch.Tensor]:
    """Measure how far the first token is from being a sink that carries nothing.

    Args:
        model: the Qwen2_5_VLForConditionalGeneration.
        states: the input of every layer, (B, T, D) each.
        batch: what the states were computed from.
        norm: the residual norm that each layer is asked for; 0 asks for none.

    Returns:
        The term, a scalar, and the mean attention on the first token of every layer, (L,).
    """
    shares, value_norms, norms = first_token_measures(model, states, batch)
    missing = (TARGET_SHARE - shares[FIRST_LAYER:]).relu().pow(2).sum()
    excess_value = (value_norms - TARGET_VALUE).relu().sum()
    # in the logarithm, so that a small norm and a large one can both move
    small = (norm / norms[FIRST_LAYER:]).clamp(min=1).log().pow(2).sum()
    return missing + 0.02 * (excess_value + small), shares.detach()


def first_token_measures(
    model: Any,
    states: Sequence[torch.Tensor],
    batch: Batch,
    rows: int = 4,
    queries: int = 64,
    normalize: Normalize = softmax,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Measure the attention on the first token, its value norm and its residual norm.

    Only the tokens of answers count as queries. Padding and the prompt would raise the share.

    Args:
        model: the Qwen2_5_VLForConditionalGeneration.
        states: the input of every layer, (B, T, D) each.
        batch: what the states were computed from.
        rows: how many rows of the batch to look at, the last ones.
        queries: how many answer tokens of each row, picked evenly.
        normalize: how the model turns scores into attention.

    Returns:
        For every layer, (L,) each: the mean attention on the first token, its squared value norm,
        and the norm of its input, both in units of the mean over all tokens.
    """
    decoder = model.model.language_model
    asking = torch.stack([_evenly(row, queries) for row in batch.targets[-rows:] >= 0])  # (R, Q)
    seen = batch.attention_mask[-rows:, 0]  # (R, T, T)
    real = seen.any(1)
    hidden = ~torch.take_along_dim(seen, asking[..., None], dim=1)[:, None]  # (R, 1, Q, T)
    cos, sin = (
        merged_axes(part, decoder.config)[:, None]  # (R, 1, T, d)
        for part in decoder.rotary_emb(states[0], batch.position_ids[:, -rows:])
    )
    shares, value_norms, norms = [], [], []
    for layer, entering in zip(decoder.layers, states, strict=False):
        attention = layer.self_attn
        normed = layer.input_layernorm(entering[-rows:])
        query, key = (
            projection(normed).unflatten(-1, (-1, attention.head_dim)).transpose(1, 2)
            for projection in (attention.q_proj, attention.k_proj)
        )
        query, key = (rotated_back(each, cos, -sin) for each in (query, key))
        query = torch.take_along_dim(query, asking[:, None, :, None], dim=2)
        key = key.repeat_interleave(query.shape[1] // key.shape[1], dim=1)
        scores = query @ key.transpose(-1, -2) * attention.head_dim**-0.5  # (R, H, Q, T)
        shares.append(normalize(scores.masked_fill(hidden, float("-inf")))[..., 0].mean())
        values = attention.v_proj(normed).pow(2).sum(-1)  # (R, T)
        value_norms.append(values[:, 0].mean() / values[real].mean())
        sizes = entering[-rows:].norm(dim=-1)
        norms.append(sizes[:, 0].mean() / sizes[real].mean())
    return torch.stack(shares), torch.stack(value_norms), torch.stack(norms)


def _evenly(chosen: torch.Tensor, number: int) -> torch.Tensor:
    """Pick `number` of the True positions of (T,) bool, as int64."""
    positions = chosen.nonzero()[:, 0]
    return positions[torch.linspace(0, len(positions) - 1, number, device=chosen.device).long()]
