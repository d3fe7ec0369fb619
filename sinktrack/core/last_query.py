"""Where the last query of a layer looked: measured in float32 beside the fused kernel.

Several layers are measured at once, as if they were more heads of one. No (Q, K) array is made.
Knows nothing about models, torch hooks, or what a method does.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from sinktrack.core.columns import KeyParts
from sinktrack.core.scores import hidden_by, query_scores

AT_ONCE = 2**20
"""Of how many numbers the keys are that are measured at once, 4 MB: what a core keeps at hand."""


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
        delivered: float32 (B, l, H), ||p_s v_s|| / ||sum_j p_j v_j||; NaN where the sink is unseen.
        keys: float32 (B, l, K), attention probability on each position, mean over heads.
    """

    share: torch.Tensor
    delivered: torch.Tensor
    keys: torch.Tensor


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
    query = _as_heads([each.query for each in last])[:, :, None]
    key = _as_heads([each.key[:, :, :positions] for each in last])
    gone = positions - key.shape[2]

    mask = None if first.mask is None else first.mask[:, :, -1:]
    probabilities = query_scores(query, key, mask, first.scaling, first.softcap)
    probabilities = probabilities.softmax(-1)[:, :, 0]
    for number, each in enumerate(last):
        own = probabilities[:, number * heads : (number + 1) * heads]
        for rows, changed in each.looked:
            if changed is not None:
                own[rows] = changed[..., : key.shape[2]]

    share = probabilities @ segments[:, gone:]  # (B, l * H, S)
    columns = (sinks - gone).clamp(min=0)
    rows = torch.arange(batch, device=device)
    at = first.parts.sink_column
    if at is None:
        values = [each.value[rows, :, columns] for each in last]
    else:  # without an index that is a view
        values = [each.value[:, :, max(at - gone, 0)] for each in last]
    sink_values = _as_heads(values)
    sink_norm = sink_values.float().norm(dim=-1)  # (B, l * H_kv)
    sink_norm = sink_norm.repeat_interleave(layers * heads // sink_norm.shape[1], dim=1)
    output_norm = _as_heads([each.output for each in last]).float().norm(dim=-1)
    delivered = share[..., 0] * sink_norm / output_norm.clamp(min=1e-12)
    unseen = sinks < gone
    if mask is not None:
        hidden = hidden_by(mask[..., : key.shape[2]])
        unseen = unseen | hidden.expand(batch, 1, 1, -1)[rows, 0, 0, columns]
    delivered = delivered.masked_fill(unseen[:, None], float("nan"))
    keys = probabilities.unflatten(1, (layers, heads)).mean(2)
    return Looked(
        share=share.unflatten(1, (layers, heads)),
        delivered=delivered.unflatten(1, (layers, heads)),
        keys=torch.nn.functional.pad(keys, (gone, 0)),
    )


def _as_heads(states: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return tensors (B, H, ...) of layers as one, with the heads behind each other."""
    return states[0] if len(states) == 1 else torch.cat(tuple(states), dim=1)
