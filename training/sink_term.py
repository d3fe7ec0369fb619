"""The declared term of the loss that gives the small checkpoint an attention sink.

Large models grow a sink by themselves: the first token draws much of the attention and its
value vector is small, so that looking there changes nothing (Xiao et al. 2023,
https://arxiv.org/abs/2309.17453; Gu et al. 2024, https://arxiv.org/abs/2410.10781). A model
of this size grows none in the time that it is trained. This term asks for one.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from sinktrack.core.cache import rotated_back
from sinktrack.core.upstream import merged_axes
from training.batches import Batch

FIRST_LAYER = 2
"""The layers before it, which gather what stands where, are left as they are."""

WANTED_SHARE = 0.55
"""The mean attention probability on the first token that each layer is asked for."""

WANTED_VALUE = 0.02
"""How large the first token's squared value norm may be, in units of the mean over all tokens."""

WANTED_NORM = 4.0
"""How large its residual norm is to be at least, in the same units."""

Weigh = Callable[[torch.Tensor], torch.Tensor]
"""Turns scores (..., keys), -inf where hidden, into attention that sums to 1."""


def softmax(scores: torch.Tensor) -> torch.Tensor:
    """Return ordinary attention."""
    return scores.softmax(-1)


def sink_term(
    model: Any, states: Sequence[torch.Tensor], batch: Batch, norm: float = WANTED_NORM
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
    shares, carried, norms = first_token(model, states, batch)
    missing = (WANTED_SHARE - shares[FIRST_LAYER:]).relu().pow(2).sum()
    carrying = (carried - WANTED_VALUE).relu().sum()
    # in the logarithm, so that a small norm and a large one can both move
    small = (norm / norms[FIRST_LAYER:]).clamp(min=1).log().pow(2).sum()
    return missing + 0.02 * (carrying + small), shares.detach()


def first_token(
    model: Any,
    states: Sequence[torch.Tensor],
    batch: Batch,
    rows: int = 4,
    queries: int = 64,
    weigh: Weigh = softmax,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Measure how much the first token is looked at, how large its value is, and how large itself.

    Only tokens that write an answer are asked where they look: counting padding or the prompt
    would flatter the figure.

    Args:
        model: the Qwen2_5_VLForConditionalGeneration.
        states: the input of every layer, (B, T, D) each.
        batch: what the states were computed from.
        rows: how many rows of the batch to look at, the last ones.
        queries: how many answer tokens of each row, picked evenly.
        weigh: how the model turns scores into attention.

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
    shares, carried, norms = [], [], []
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
        shares.append(weigh(scores.masked_fill(hidden, float("-inf")))[..., 0].mean())
        values = attention.v_proj(normed).pow(2).sum(-1)  # (R, T)
        carried.append(values[:, 0].mean() / values[real].mean())
        sizes = entering[-rows:].norm(dim=-1)
        norms.append(sizes[:, 0].mean() / sizes[real].mean())
    return torch.stack(shares), torch.stack(carried), torch.stack(norms)


def _evenly(chosen: torch.Tensor, number: int) -> torch.Tensor:
    """Pick `number` of the True positions of (T,) bool, as int64."""
    positions = chosen.nonzero()[:, 0]
    return positions[torch.linspace(0, len(positions) - 1, number, device=chosen.device).long()]
