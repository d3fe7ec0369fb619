"""The attention function that transformers calls inside `attach`.

It delegates to SDPA. Where an `AttentionTap` comes with the call, methods then change what their
rows attend to, and where the last query looked is measured. The tap arrives as a keyword argument
of the attention module, so nothing is kept in globals or on modules. Knows nothing about models,
torch hooks, or what a method does.
"""

from typing import Any

import torch
from transformers import AttentionInterface
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

from sinktrack.core.attention_call import AttentionCall, AttentionTap
from sinktrack.core.keys import check_reproduced
from sinktrack.core.last_query import LastQuery
from sinktrack.core.running import Running
from sinktrack.core.scores import attend
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
        asked = LastQuery(
            layer=tap.layer_idx,
            query=query[:, :, -1],
            key=key,
            value=value,
            output=output[:, -1],
            mask=attention_mask,
            scaling=factor,
            parts=tap.keys,
            softcap=kwargs.get("softcap"),
            looked=[(call.rows, call.looked_at) for _, call in calls],
        )
        tap.recorder.attended(asked)
    return output, None


AttentionInterface.register(IMPLEMENTATION, sinktrack_attention)
# Without a mask of its own a registered function gets None, and left-padded rows go wrong silently.
AttentionMaskInterface.register(IMPLEMENTATION, sdpa_mask)
