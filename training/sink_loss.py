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

WRITABLE_NORM = 1.5
"""The largest norm of the first sink's residual stream where it is to be written to, in the same
units. What is written is added to the residual, and a large one drowns it in the next norm: after
1,200 steps from a norm of 25, which had fallen to 5, nothing was read that had been written."""

WRITABLE_MASSIVE = 2.0
"""Its largest massive dimension after RMS normalisation, likewise."""

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

    def figures(self) -> dict[str, torch.Tensor]:
        """Return means over layers for a log, scalars."""
        share, norm, massive = (
            each[FIRST_LAYER:].detach().mean(0) for each in (self.share, self.norm, self.massive)
        )
        return {
            "sink": self.share[:, 0].detach().mean(),
            "second sink": share[1],
            "norm": norm[0],
            "massive": massive.mean(),
        }


def sink_loss(
    model: Any, states: Sequence[torch.Tensor], batch: Batch, writable: bool = False
) -> tuple[torch.Tensor, SinkMeasures]:
    """Measure how far the first tokens are from being sinks that carry nothing.

    Args:
        model: the Qwen2_5_VLForConditionalGeneration.
        states: the input of every layer, (B, T, D) each.
        batch: what the states were computed from.
        writable: whether the first sink is asked for a residual stream like that of other tokens,
            in which what is written is not lost; else sinks are asked for large ones, as those of
            large models are.

    Returns:
        The term, a scalar, and what it was made of.
    """
    found = sink_measures(model, states, batch)
    share, value, norm, massive = (
        each[FIRST_LAYER:] for each in (found.share, found.value, found.norm, found.massive)
    )
    missing = (share.new_tensor(TARGET_SHARE) - share).relu().pow(2).sum()
    excess = (found.value - TARGET_VALUE).relu().sum()
    # norms in the logarithm, so that a small and a large one can both move
    if writable:
        excess = excess + (norm[:, 0] / WRITABLE_NORM).clamp(min=1).log().pow(2).sum()
        excess = excess + (massive[:, 0] / WRITABLE_MASSIVE - 1).relu().sum()
    else:
        excess = excess + (norm.new_tensor(TARGET_NORM) / norm).clamp(min=1).log().pow(2).sum()
        excess = excess + (1 - massive / TARGET_MASSIVE).relu().sum()
    return missing + 0.02 * excess, found


def sink_measures(
    model: Any,
    states: Sequence[torch.Tensor],
    batch: Batch,
    queries: int = 24,
    normalize: Normalize = softmax,
) -> SinkMeasures:
    """Measure what makes sinks of the tokens at `SINKS`.

    Only the tokens of answers count as queries. Padding and the prompt would raise the share.

    Args:
        model: the Qwen2_5_VLForConditionalGeneration.
        states: the input of every layer, (B, T, D) each.
        batch: what the states were computed from.
        queries: how many answer tokens of each row, picked evenly.
        normalize: how the model turns scores into attention.
    """
    decoder = model.model.language_model
    asking = _evenly(batch.targets >= 0, queries)  # (B, Q)
    seen = batch.attention_mask[:, 0]  # (B, T, T)
    real = batch.segments >= 0
    hidden = ~torch.take_along_dim(seen, asking[..., None], dim=1)[:, None]  # (B, 1, Q, T)
    cos, sin = (
        merged_axes(part, decoder.config)[:, None]  # (B, 1, T, d)
        for part in decoder.rotary_emb(states[0], batch.position_ids)
    )
    sinks = list(SINKS)
    found: list[tuple[torch.Tensor, ...]] = []
    for layer, entering in zip(decoder.layers, states, strict=False):
        attention = layer.self_attn
        normed = layer.input_layernorm(entering)
        query, key = (
            projection(normed).unflatten(-1, (-1, attention.head_dim)).transpose(1, 2)
            for projection in (attention.q_proj, attention.k_proj)
        )
        query, key = (rotated_back(each, cos, -sin) for each in (query, key))
        query = torch.take_along_dim(query, asking[:, None, :, None], dim=2)
        key = key.repeat_interleave(query.shape[1] // key.shape[1], dim=1)
        scores = query @ key.transpose(-1, -2) * attention.head_dim**-0.5  # (B, H, Q, T)
        looked = normalize(scores.masked_fill(hidden, float("-inf")))
        values = attention.v_proj(normed).pow(2).sum(-1)  # (B, T)
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
    """Pick `number` of the True positions of each row of (B, T) bool, as int64 (B, number)."""
    positions = chosen.int().argsort(dim=1, descending=True, stable=True)
    last = chosen.sum(1, keepdim=True) - 1
    picked = torch.linspace(0, 1, number, device=chosen.device) * last
    return positions.gather(1, picked.round().long())
