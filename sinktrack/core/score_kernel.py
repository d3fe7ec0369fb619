"""The scores of a layer's last query on a GPU, in one pass over its keys, as a Triton kernel.

It reads every key once, as it lies in the cache, and keeps nothing but scores. The plain version is
`sinktrack.core.scores.query_scores`, which copies all keys to float32 first. Imported where a GPU
is; under TRITON_INTERPRET=1 it runs on a CPU, for tests.
"""

import torch
import triton
import triton.language as tl

from sinktrack.core.parts import HIDDEN

_KEYS = 64
"""How many keys a program takes; there is one for so many keys of each key head."""


@triton.jit  # type: ignore[untyped-decorator]
def _kernel(  # type: ignore[no-untyped-def]
    query,
    key,
    mask,
    scores,
    keys,
    scaling,
    softcap,
    query_row,
    query_head,
    key_row,
    key_head,
    key_column,
    mask_row,
    KEY_HEADS: tl.constexpr,
    GROUP: tl.constexpr,
    SIZE: tl.constexpr,
    WIDTH: tl.constexpr,
    KEYS: tl.constexpr,
    CAPPED: tl.constexpr,
    MASK: tl.constexpr,
    HIDDEN: tl.constexpr,
):
    """Score KEYS keys of one key head for the GROUP query heads that share it.

    MASK is 0 for none, 1 for bool (True where a key is seen), 2 for additive.
    """
    row = tl.program_id(0).to(tl.int64) // KEY_HEADS
    head = tl.program_id(0).to(tl.int64) % KEY_HEADS
    columns = tl.program_id(1) * KEYS + tl.arange(0, KEYS)
    channels = tl.arange(0, WIDTH)
    inside = columns < keys
    at = key + row * key_row + head * key_head
    at += columns.to(tl.int64)[:, None] * key_column + channels[None, :]
    there = inside[:, None] & (channels < SIZE)[None, :]
    own = tl.load(at, mask=there, other=0.0).to(tl.float32)
    if MASK != 0:
        said = tl.load(mask + row * mask_row + columns, mask=inside, other=0)
    for member in range(GROUP):
        of = head * GROUP + member
        asked = tl.load(
            query + row * query_row + of * query_head + channels, mask=channels < SIZE, other=0.0
        ).to(tl.float32)
        found = tl.sum(own * (asked * scaling)[None, :], axis=1)
        if CAPPED:  # tanh by the exponential, which every version of Triton has
            away = tl.exp(-2.0 * tl.abs(found / softcap))
            size = softcap * (1.0 - away) / (1.0 + away)
            found = tl.where(found < 0, -size, size)
        if MASK == 1:
            found = tl.where(said != 0, found, float("-inf"))
        if MASK == 2:
            bias = said.to(tl.float32)
            found = tl.where(bias <= HIDDEN, float("-inf"), found + bias)
        tl.store(scores + (row * KEY_HEADS * GROUP + of) * keys + columns, found, mask=inside)


def last_scores(
    query: torch.Tensor,
    key: torch.Tensor,
    mask: torch.Tensor | None,
    scaling: float,
    softcap: float | None,
) -> torch.Tensor:
    """Return the scores of one query a row, float32 (B, H, K), as `query_scores` does.

    Args:
        query: (B, H, d).
        key: (B, H_kv, K, d), with channels side by side; a view of more is taken as it lies.
        mask: (B or 1, K or more), bool or additive; None hides nothing.
        scaling: The factor on query-key products.
        softcap: c, where a score s becomes c * tanh(s / c); None for no cap.
    """
    rows, heads, size = query.shape
    key_heads, keys = key.shape[1], key.shape[2]
    query, key = (each if each.stride(-1) == 1 else each.contiguous() for each in (query, key))
    scores = query.new_empty(rows, heads, keys, dtype=torch.float32)
    kind = 0
    if mask is not None:
        kind = 1 if mask.dtype == torch.bool else 2
        mask = mask.expand(rows, -1)
        if mask.stride(-1) != 1:
            mask = mask.contiguous()
        if kind == 1:
            mask = mask.view(torch.uint8)
    _kernel[(rows * key_heads, triton.cdiv(keys, _KEYS))](
        query,
        key,
        query if mask is None else mask,
        scores,
        keys,
        scaling,
        1.0 if softcap is None else softcap,
        query.stride(0),
        query.stride(1),
        key.stride(0),
        key.stride(1),
        key.stride(2),
        0 if mask is None else mask.stride(0),
        KEY_HEADS=key_heads,
        GROUP=heads // key_heads,
        SIZE=size,
        WIDTH=triton.next_power_of_2(size),
        KEYS=_KEYS,
        CAPPED=softcap is not None,
        MASK=kind,
        HIDDEN=HIDDEN,
    )
    return scores
