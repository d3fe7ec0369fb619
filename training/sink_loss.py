"""The term of the loss that gives the small checkpoint attention sinks.

Large models grow them by themselves: the first token draws much of the attention and its value
vector is small, so that looking there changes nothing (Xiao et al. 2023,
https://arxiv.org/abs/2309.17453; Gu et al. 2024, https://arxiv.org/abs/2410.10781). Its residual
stream is many times as large as others, most of it in a few massive dimensions, and some more
tokens are like it (Sun et al. 2024, https://arxiv.org/abs/2402.17762). A model of this size grows
none in the time that it is trained. This term asks for them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from sinktrack.core.keys import rotated_back
from sinktrack.core.upstream import merged_axes
from training.batches import Batch

FIRST_LAYER = 2
"""The first layer of the term, which leaves the layers that gather what stands where alone."""

SINKS = (0, 2)
"""Where sinks are asked for: the first token, and the line end behind the user's role."""

TARGET_SHARE = (0.55, 0.05)
"""The mean attention probability on each sink that the term asks of each layer."""

TARGET_VALUE = 0.02
"""The largest squared value norm of a sink, in units of the mean over all tokens."""

TARGET_NORM = (20.0, 8.0)
"""The smallest norm of each sink's residual stream, in the same units.

In Qwen2.5-Coder-1.5B, where prompts are longer, it is 170 and 30 times the median."""

MASSIVE = 0
"""The dimension of the residual stream that is massive in sinks and nowhere else."""

TARGET_MASSIVE = 8.0
"""Its smallest size in a sink after RMS normalisation, of at most the square root of the width."""

Normalize = Callable[[torch.Tensor], torch.Tensor]
"""Turns scores (..., keys), -inf where hidden, into attention that sums to 1."""


def softmax(scores: torch.Tensor) -> torch.Tensor:
    """Return ordinary attention."""
    return scores.softmax(-1)


@dataclass(frozen=True)
class SinkMeasures:
    """What makes sinks of S tokens, in each of L layers.

    Attributes:
        share: float (L, S), the mean attention on each.
        value: float (L, S), its squared value norm, in units of the mean over all tokens.
        norm: float (L, S), the norm of its residual stream, in the same units.
        massive: float (L, S), the size of its massive dimension after RMS normalisation.
    """

    share: torch.Tensor
    value: torch.Tensor
    norm: torch.Tensor
    massive: torch.Tensor


def sink_loss(
    model: Any, states: Sequence[torch.Tensor], batch: Batch, large: bool = True
) -> tuple[torch.Tensor, torch.Tensor]:
    """Measure how far the first tokens are from being sinks that carry nothing.

    Args:
        model: the Qwen2_5_VLForConditionalGeneration.
        states: the input of every layer, (B, T, D) each.
        batch: what the states were computed from.
        large: whether large residual streams and massive activations are asked for as well.

    Returns:
        The term, a scalar, and the mean attention on the first token of every layer, (L,).
    """
    found = sink_measures(model, states, batch)
    share, value, norm, massive = (
        each[FIRST_LAYER:] for each in (found.share, found.value, found.norm, found.massive)
    )
    missing = (share.new_tensor(TARGET_SHARE) - share).relu().pow(2).sum()
    excess = (found.value - TARGET_VALUE).relu().sum()
    if large:
        # in the logarithm, so that a small norm and a large one can both move
        excess = excess + (norm.new_tensor(TARGET_NORM) / norm).clamp(min=1).log().pow(2).sum()
        excess = excess + (1 - massive / TARGET_MASSIVE).relu().sum()
    return missing + 0.02 * excess, found.share[:, 0].detach()


def sink_measures(
    model: Any,
    states: Sequence[torch.Tensor],
    batch: Batch,
    rows: int = 4,
    queries: int = 64,
    normalize: Normalize = softmax,
) -> SinkMeasures:
    """Measure what makes sinks of the tokens at `SINKS`.

    Only the tokens of answers count as queries. Padding and the prompt would raise the share.

    Args:
        model: the Qwen2_5_VLForConditionalGeneration.
        states: the input of every layer, (B, T, D) each.
        batch: what the states were computed from.
        rows: how many rows of the batch to look at, picked evenly.
        queries: how many answer tokens of each row, picked evenly.
        normalize: how the model turns scores into attention.
    """
    decoder = model.model.language_model
    picked = _evenly(torch.ones_like(batch.targets[:, 0]) > 0, rows)  # (R,)
    asking = torch.stack([_evenly(row, queries) for row in batch.targets[picked] >= 0])  # (R, Q)
    seen = batch.attention_mask[picked, 0]  # (R, T, T)
    real = seen.any(1)
    hidden = ~torch.take_along_dim(seen, asking[..., None], dim=1)[:, None]  # (R, 1, Q, T)
    cos, sin = (
        merged_axes(part, decoder.config)[:, None]  # (R, 1, T, d)
        for part in decoder.rotary_emb(states[0], batch.position_ids[:, picked])
    )
    sinks = list(SINKS)
    found: list[tuple[torch.Tensor, ...]] = []
    for layer, whole in zip(decoder.layers, states, strict=False):
        attention, entering = layer.self_attn, whole[picked]
        normed = layer.input_layernorm(entering)
        query, key = (
            projection(normed).unflatten(-1, (-1, attention.head_dim)).transpose(1, 2)
            for projection in (attention.q_proj, attention.k_proj)
        )
        query, key = (rotated_back(each, cos, -sin) for each in (query, key))
        query = torch.take_along_dim(query, asking[:, None, :, None], dim=2)
        key = key.repeat_interleave(query.shape[1] // key.shape[1], dim=1)
        scores = query @ key.transpose(-1, -2) * attention.head_dim**-0.5  # (R, H, Q, T)
        looked = normalize(scores.masked_fill(hidden, float("-inf")))
        values = attention.v_proj(normed).pow(2).sum(-1)  # (R, T)
        sizes = entering.norm(dim=-1)
        root = entering.shape[-1] ** 0.5
        found.append(
            (
                looked[..., sinks].mean((0, 1, 2)),
                values[:, sinks].mean(0) / values[real].mean(),
                sizes[:, sinks].mean(0) / sizes[real].mean(),
                (entering[:, sinks, MASSIVE].abs() / sizes[:, sinks]).mean(0) * root,
            )
        )
    return SinkMeasures(*(torch.stack(each) for each in zip(*found, strict=True)))


def _evenly(chosen: torch.Tensor, number: int) -> torch.Tensor:
    """Pick `number` of the True positions of (T,) bool, as int64."""
    positions = chosen.nonzero()[:, 0]
    return positions[torch.linspace(0, len(positions) - 1, number, device=chosen.device).long()]
