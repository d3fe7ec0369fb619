"""Where the last query of a layer looked: measured in float32 beside the fused kernel.

Several layers are measured at once, as if they were more heads of one: on a CPU those whose keys a
core keeps at hand, on a GPU all, where a kernel makes the scores of each. No (Q, K) array is made.
Knows nothing about models, torch hooks, or what a method does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import torch

from sinktrack.core.columns import KeyParts
from sinktrack.core.scores import query_scores

_AT_ONCE = 2**21
"""Of how many numbers the keys are that a CPU measures at once, 8 MB."""
_HAS_KERNELS = ("cuda",)
"""The devices that the kernel is written for."""


@dataclass(frozen=True)
class LastQuery:
    """The last query of one layer, and what it met.

    Args:
        layer: The decoder layer.
        query: (B, H, d), after the rotary embedding.
        key: (B, H_kv, K, d). A sliding-window layer holds the last K positions only; a static cache
            holds room for more.
        value: (B, H_kv, K, d).
        output: (B, H, d), the attention output.
        mask: (B or 1, 1, Q, K), bool or additive; None hides nothing.
        scaling: The factor on query-key products.
        parts: The parts of every position so far.
        softcap: The cap on scores, if the family has one.
        looked: Rows, and where a method made them look: float32 (R, H, K), or None for no change.
    """

    layer: int
    query: torch.Tensor
    key: torch.Tensor
    value: torch.Tensor
    output: torch.Tensor
    mask: torch.Tensor | None
    scaling: float
    parts: KeyParts
    softcap: float | None = None
    looked: Sequence[tuple[torch.Tensor, torch.Tensor | None]] = ()

    def stands_behind(self, other: "LastQuery") -> bool:
        """Tell whether it can be measured with the one of the layer before."""
        return (
            self.layer == other.layer + 1
            and self.key.shape == other.key.shape
            and self.query.shape == other.query.shape
            and self.key.device == other.key.device
            and self.mask is other.mask
            and self.parts is other.parts
            and (self.scaling, self.softcap) == (other.scaling, other.softcap)
        )


@dataclass(frozen=True)
class Looked:
    """Where the last queries of l layers looked.

    Args:
        share: float32 (B, l, H, S), attention probability on each part.
        delivered: float32 (B, l, H), ||p_s v_s|| / ||sum_j p_j v_j||; NaN where the sink is unseen
            or the head gives nothing.
        probabilities: float32 (B, l, H, K'), of the keys that the layers hold.
        gone: How many positions before those keys no longer have one, K - K'.
    """

    share: torch.Tensor
    delivered: torch.Tensor
    probabilities: torch.Tensor
    gone: int

    def keys(self) -> torch.Tensor:
        """Return attention probability on each position, mean over heads, float32 (B, l, K)."""
        return torch.nn.functional.pad(self.probabilities.mean(2), (self.gone, 0))


def look(last: Sequence[LastQuery]) -> Looked:
    """Measure where last queries looked.

    Args:
        last: Of l layers, each behind the one before.
    """
    first, layers = last[0], len(last)
    batch, heads = first.query.shape[:2]
    device = first.query.device
    segments, sinks = first.parts.one_hot(device), first.parts.sinks.to(device)
    positions = segments.shape[1]
    scores = _scores(last, positions)
    gone = positions - scores.shape[2]

    probabilities = scores.softmax(-1)  # (B, l * H, K')
    for number, each in enumerate(last):
        own = probabilities[:, number * heads : (number + 1) * heads]
        for rows, changed in each.looked:
            if changed is not None:
                own[rows] = changed[..., : scores.shape[2]]

    share = probabilities @ segments[:, gone:]  # (B, l * H, S)
    at = first.parts.sink_column
    if at is None:
        rows, columns = torch.arange(batch, device=device), (sinks - gone).clamp(min=0)
        values, reached = [each.value[rows, :, columns] for each in last], scores[rows, :, columns]
    else:  # without an index these are views
        column = max(at - gone, 0)
        values, reached = [each.value[:, :, column] for each in last], scores[:, :, column]
    sink_norm = _as_heads(values).norm(dim=-1)  # (B, l * H_kv)
    sink_norm = sink_norm.repeat_interleave(layers * heads // sink_norm.shape[1], dim=1)
    output_norm = _as_heads([each.output for each in last]).norm(dim=-1)
    delivered = share[..., 0] * sink_norm / output_norm.clamp(min=1e-12)
    # A head that gives nothing has no share of it that came from anywhere.
    unseen = reached.isneginf() | (sinks < gone)[:, None] | (output_norm == 0)
    delivered = delivered.masked_fill(unseen, float("nan"))
    return Looked(
        share=share.unflatten(1, (layers, heads)),
        delivered=delivered.unflatten(1, (layers, heads)),
        probabilities=probabilities.unflatten(1, (layers, heads)),
        gone=gone,
    )


def most_layers(last: LastQuery) -> int:
    """Return how many layers like this one are best measured at once."""
    if has_kernel(last.key.device):
        return 1_000_000
    return max(1, _AT_ONCE // last.key.numel())


def _scores(last: Sequence[LastQuery], positions: int) -> torch.Tensor:
    """Return scores before the softmax, float32 (B, l * H, K'), of the first `positions` keys."""
    first = last[0]
    keys = [each.key[:, :, :positions] for each in last]
    mask = None if first.mask is None else first.mask[:, :, -1:]
    if not has_kernel(first.key.device) or (mask is not None and mask.shape[1] > 1):
        query = _as_heads([each.query for each in last])[:, :, None]
        return query_scores(query, _as_heads(keys), mask, first.scaling, first.softcap)[:, :, 0]
    own = None if mask is None else mask[:, 0, 0]
    return _as_heads(
        [
            _by_kernel(each.query, key, own, first.scaling, first.softcap)
            for each, key in zip(last, keys, strict=True)
        ]
    )


@cache
def has_kernel(place: torch.device) -> bool:
    """Tell whether scores are made by the kernel on a device, where it agrees with the plain way.

    It is compiled for the device, which takes a second; where that fails it is not used.
    """
    if place.type not in _HAS_KERNELS:
        return False
    query, key = torch.ones(1, 2, 24, device=place), torch.ones(1, 1, 70, 24, device=place)
    key *= torch.arange(70, device=place)[:, None] / 70
    plain = query_scores(query[:, :, None], key, None, 0.1)[:, :, 0]
    try:
        found = _by_kernel(query, key, None, 0.1, None)
        return found.shape == plain.shape and bool((found - plain).abs().max() < 1e-2)
    except Exception:  # whatever a compiler says: the plain way remains
        return False


def _by_kernel(
    query: torch.Tensor,
    key: torch.Tensor,
    mask: torch.Tensor | None,
    scaling: float,
    softcap: float | None,
) -> torch.Tensor:
    """Return the scores of queries (B, H, d), float32 (B, H, K)."""
    from sinktrack.core.score_kernel import last_scores  # Triton comes with PyTorch for GPUs alone

    return last_scores(query, key, mask, scaling, softcap)


def _as_heads(states: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return tensors (B, H, ...) of layers as one, float32, with the heads behind each other."""
    if len(states) == 1:
        return states[0].float()
    if states[0].dtype == torch.float32:
        return torch.cat(tuple(states), dim=1)
    heads, (rows, _, *others) = states[0].shape[1], states[0].shape
    whole = states[0].new_empty(rows, len(states) * heads, *others, dtype=torch.float32)
    for own, at in zip(states, whole.split(heads, dim=1), strict=True):
        at.copy_(own)
    return whole
