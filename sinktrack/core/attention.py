"""The attention function that transformers calls inside `attach`.

It delegates to SDPA. Where an `AttentionTap` comes with the call, methods then change what their
rows attend to, and where the last query looked is measured. The tap arrives as a keyword argument
of the attention module, so nothing is kept in globals or on modules. Knows nothing about models,
torch hooks, or what a method does.
"""

from collections.abc import Sequence
from typing import Any

import torch
from transformers import AttentionInterface
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

from sinktrack.core.attention_call import AttentionCall, AttentionTap, LastQuery
from sinktrack.core.columns import KeyParts
from sinktrack.core.keys import check_reproduced
from sinktrack.core.running import Running
from sinktrack.core.scores import attend, hidden_by, query_scores
from sinktrack.core.upstream import refuse_lost_keywords

IMPLEMENTATION = "sinktrack"


def sinktrack_attention(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    attention_tap: AttentionTap | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Attend as SDPA does, then do what the tap asks for.

    Args:
        module: The attention module.
        query: (B, H, Q, d), after the rotary embedding.
        key: (B, H_kv, K, d), after the cache update.
        value: (B, H_kv, K, d).
        attention_mask: (B or 1, 1, Q, K), bool or additive; None means plainly causal.
        scaling: The factor on query-key products.
        attention_tap: What to change and record; None for ordinary attention.
        **kwargs: Passed on to SDPA.

    Returns:
        The attention output before `o_proj`, (B, Q, H, d), and None for the weights.

    Raises:
        AttachError: If the family passes something that SDPA would drop without a word.
    """
    refuse_lost_keywords(module, kwargs)
    tap = attention_tap
    factor = query.shape[-1] ** -0.5 if scaling is None else scaling
    calls: list[tuple[Running, AttentionCall]] = []
    if tap is not None:
        tap.reported.add(tap.layer_idx)
        if tap.checked and tap.entering is not None and not module.training:
            last = tap.entering.shape[1] - 1
            check_reproduced(module, tap.entering, key, value, tap.rotary, [(0, last)])
        for running in tap.running:
            states = (query, key, value)
            call = AttentionCall(
                tap, running.rows, running.prompts, module, states, attention_mask, factor, kwargs
            )
            calls.append((running, call))
            running.change_values(call, tap.prefill)
    output = attend(module, query, key, value, attention_mask, factor, **kwargs)
    if tap is None:
        return output, None
    for running, call in calls:
        output = running.change_attention(call, output, tap.prefill)
    if tap.recorder is not None:
        with torch.no_grad(), torch.autocast(query.device.type, enabled=False):
            looked = [(call.rows, call.looked_at) for _, call in calls]
            seen = last_query(
                query,
                key,
                value,
                output,
                attention_mask,
                factor,
                tap.keys,
                looked,
                kwargs.get("softcap"),
            )
        tap.recorder.attended(tap.layer_idx, seen)
    return output, None


def last_query(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    output: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float,
    parts: KeyParts,
    looked: Sequence[tuple[torch.Tensor, torch.Tensor | None]] = (),
    softcap: float | None = None,
) -> LastQuery:
    """Measure where the last query looked, without any (Q, K) array.

    Args:
        query: (B, H, Q, d).
        key: (B, H_kv, K, d). A sliding-window layer holds the last K positions only; a static cache
            holds room for more.
        value: (B, H_kv, K, d).
        output: (B, Q, H, d), the attention output.
        attention_mask: As for `sinktrack_attention`.
        scaling: The factor on query-key products.
        parts: The parts of every position so far.
        looked: Rows, and where a method made them look: float32 (R, H, K), or None for no change.
        softcap: The cap on scores, if the family has one.

    Returns:
        Shares, delivered shares and the mean row of attention, the latter over all positions.
    """
    batch, heads = query.shape[:2]
    segments, sinks = parts.one_hot(query.device), parts.sinks.to(query.device)
    positions = segments.shape[1]
    key, value = key[:, :, :positions], value[:, :, :positions]
    gone = positions - key.shape[2]

    mask = None if attention_mask is None else attention_mask[:, :, -1:]
    probabilities = query_scores(query[:, :, -1:], key, mask, scaling, softcap)
    probabilities = probabilities.softmax(-1)[:, :, 0]
    for rows, changed in looked:
        if changed is not None:
            probabilities[rows] = changed[..., : key.shape[2]]

    share = probabilities @ segments[:, gone:]
    columns = (sinks - gone).clamp(min=0)
    rows = torch.arange(batch, device=query.device)
    sink_norm = value[rows, :, columns].float().norm(dim=-1)  # (B, H_kv)
    sink_norm = sink_norm.repeat_interleave(heads // sink_norm.shape[1], dim=1)
    delivered = share[..., 0] * sink_norm / output[:, -1].float().norm(dim=-1).clamp(min=1e-12)
    unseen = (sinks < gone)[:, None].expand(batch, heads)
    if mask is not None:
        hidden = hidden_by(mask[..., : key.shape[2]])
        unseen = unseen | hidden.expand(batch, 1, 1, -1)[rows, 0, 0, columns][:, None]
    delivered = delivered.masked_fill(unseen, float("nan"))
    keys = torch.nn.functional.pad(probabilities.mean(1), (gone, 0))
    return LastQuery(share=share, delivered=delivered, keys=keys)


AttentionInterface.register(IMPLEMENTATION, sinktrack_attention)
# Without a mask of its own a registered function gets None, and left-padded rows go wrong silently.
AttentionMaskInterface.register(IMPLEMENTATION, sdpa_mask)
