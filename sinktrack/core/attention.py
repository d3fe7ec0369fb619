"""The attention function that transformers calls inside `attach`.

It delegates to SDPA. Where a `SinkTap` comes with the call it then replaces the attention output of
the sink and measures where the last query looked. The tap arrives as a keyword argument of the
attention module, so nothing is kept in globals or on modules. Knows nothing about models and hooks.
"""

from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import nn
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

from sinktrack.core.cache import rotated_back
from sinktrack.core.errors import AttachError
from sinktrack.core.parts import HIDDEN
from sinktrack.core.trace import SINK
from sinktrack.core.upstream import refuse_lost_keywords
from sinktrack.methods.sinktrack import SinkTrack

IMPLEMENTATION = "sinktrack"


@dataclass(frozen=True)
class Injection:
    """What one row of the batch writes into its sink at one layer.

    Args:
        row: The row of the batch.
        sink: The sink's position in the prompt.
        features: (N, D), residual-stream states at the context positions.
        method: How to write them.
    """

    row: int
    sink: int
    features: torch.Tensor
    method: SinkTrack


@dataclass(frozen=True)
class LastQuery:
    """Where the last query of one layer looked.

    Args:
        share: float32 (B, H, 5), attention probability on each of `SEGMENTS`.
        delivered: float32 (B, H), ||p_s v_s|| / ||sum_j p_j v_j||; NaN where the sink is unseen.
        keys: float32 (B, K), attention probability on each key, mean over heads.
    """

    share: torch.Tensor
    delivered: torch.Tensor
    keys: torch.Tensor


class LayerRecorder(Protocol):
    """What a tap reports to."""

    def segments(self, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
        """Return float32 (B, K, 5), one-hot segment of every key, and int64 (B,), the sinks."""

    def attended(self, layer_idx: int, last_query: LastQuery) -> None:
        """Take where the last query of a layer looked."""

    def absorbed(self, layer_idx: int, row: int, probabilities: torch.Tensor) -> None:
        """Take float32 (H, N), what a sink drew from its context."""


@dataclass(frozen=True)
class SinkTap:
    """What is asked of one attention call.

    Args:
        layer_idx: The decoder layer.
        injections: The rows that write into their sink here.
        input_norm: The layer's input norm, for methods that normalise their context.
        rotary: The layer's cosines and sines, (..., B or 1, T, d).
        recorder: Where measurements go, or None.
        reported: The layers whose attention has seen their tap; this one is added.
        entering: (B, Q, D), what enters the attention module, where it is to be checked that its
            keys and values are reproduced here.
    """

    layer_idx: int
    injections: list[Injection]
    input_norm: nn.Module | None = None
    rotary: tuple[torch.Tensor, torch.Tensor] | None = None
    recorder: LayerRecorder | None = None
    reported: set[int] = field(default_factory=set)
    entering: torch.Tensor | None = None


def sink_attention(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    sink_tap: SinkTap | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Attend as SDPA does, then do what the tap asks for.

    Args:
        module: The attention module, with `k_proj` and `v_proj`.
        query: (B, H, Q, d), after the rotary embedding.
        key: (B, H_kv, K, d), after the cache update.
        value: (B, H_kv, K, d).
        attention_mask: (B or 1, 1, Q, K), bool or additive; None means plainly causal.
        scaling: The factor on query-key products.
        sink_tap: What to inject and record; None for ordinary attention.
        **kwargs: Passed on to SDPA.

    Returns:
        The attention output before `o_proj`, (B, Q, H, d), and None for the weights.

    Raises:
        AttachError: If the family passes something that SDPA would drop without a word.
    """
    refuse_lost_keywords(module, kwargs)
    output, _ = sdpa_attention_forward(
        module, query, key, value, attention_mask, scaling=scaling, **kwargs
    )
    if sink_tap is None:
        return output, None
    sink_tap.reported.add(sink_tap.layer_idx)
    if sink_tap.entering is not None and not module.training:
        _check_reproduced(module, sink_tap, key, value)
    scaling = query.shape[-1] ** -0.5 if scaling is None else scaling
    shifted = [
        injection.row
        for injection in sink_tap.injections
        if injection.method.causal == "official" and attention_mask is None
    ]
    if sink_tap.injections:
        output = output.clone()  # SDPA keeps its own output for the backward pass
    if shifted:
        # The public code runs the T-1 positions after the sink as their own SDPA call, whose causal
        # mask PyTorch aligns with the upper left: position p sees the keys 0..p-1.
        output[shifted, 1:], _ = sdpa_attention_forward(
            module,
            query[shifted, :, 1:],
            key[shifted],
            value[shifted],
            None,
            scaling=scaling,
            **kwargs,
        )
    for injection in sink_tap.injections:
        row, sink = injection.row, injection.sink
        sink_query = _at_position_zero(query[row, :, sink], sink_tap.rotary, row, sink)
        written, probabilities = sink_over_context(
            module, sink_query, injection, scaling, sink_tap.input_norm
        )
        output[row, sink] = torch.lerp(output[row, sink], written, injection.method.strength)
        if sink_tap.recorder is not None:
            sink_tap.recorder.absorbed(sink_tap.layer_idx, row, probabilities.detach())
    if sink_tap.recorder is not None:
        with torch.no_grad(), torch.autocast(query.device.type, enabled=False):
            segments, sinks = sink_tap.recorder.segments(query.device)
            seen = last_query(
                query, key, value, output, attention_mask, scaling, segments, sinks, shifted
            )
        sink_tap.recorder.attended(sink_tap.layer_idx, seen)
    return output, None


def sink_over_context(
    module: Any,
    query: torch.Tensor,
    injection: Injection,
    scaling: float,
    input_norm: nn.Module | None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Let the sink's query attend to the context features instead of to itself.

    The context keys carry no rotary embedding and there is no mask among them.

    Args:
        module: The attention module.
        query: (H, d), the sink's query as the layer computed it.
        injection: Holds the features, (N, D).
        scaling: The factor on query-key products.
        input_norm: The layer's input norm.

    Returns:
        The sink's new attention output (H, d), and the probabilities float32 (H, N) behind it.
    """
    features = injection.features.to(query.device)
    if injection.method.normalize_context and input_norm is not None:
        features = input_norm(features)
    head_size = query.shape[-1]
    keys, values = context_keys(module, features, head_size)
    grouped = query.view(keys.shape[1], -1, head_size)  # (H_kv, H / H_kv, d)
    scores = grouped @ keys.permute(1, 2, 0) * scaling
    probabilities = scores.softmax(-1, dtype=torch.float32)
    written = probabilities.to(values.dtype) @ values.transpose(0, 1)
    return written.reshape(query.shape), probabilities.reshape(len(query), -1)


def context_keys(
    module: Any, features: torch.Tensor, head_size: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the keys and values of features (N, D), both (N, H_kv, d), without rotation."""
    keys = module.k_proj(features).view(len(features), -1, head_size)
    if hasattr(module, "k_norm"):
        keys = module.k_norm(keys)
    return keys, module.v_proj(features).view(len(features), -1, head_size)


@torch.no_grad()
def _check_reproduced(
    module: Any, sink_tap: SinkTap, key: torch.Tensor, value: torch.Tensor
) -> None:
    """Refuse a family whose own keys and values differ from those made of a context here.

    They are compared at each sink that is written to, and at the last query, whose key stands at a
    later position: so multipliers, norms and rotations that are not known here are found out.
    """
    assert sink_tap.entering is not None
    entering = sink_tap.entering
    length = entering.shape[1]
    first = length - key.shape[2] if length > 1 else 0  # a static cache holds room for more
    places = [(injection.row, injection.sink) for injection in sink_tap.injections]
    for row, at in [*places, (0, length - 1)]:
        column = at - max(first, 0) if length > 1 else key.shape[2] - 1
        own = (key[row, :, column], value[row, :, column])
        keys, values = context_keys(module, entering[row, at][None], key.shape[-1])
        unturned = _at_position_zero(own[0], sink_tap.rotary, row, at)
        if sink_tap.rotary is not None:  # some rotations stretch what they turn
            stretch = _stretch(sink_tap.rotary, row, at).to(unturned.device)
            unturned = unturned.clone()
            unturned[..., : len(stretch)] /= stretch.to(unturned.dtype)
        for made, seen in ((keys[0], unturned), (values[0], own[1])):
            tolerance = 0.01 if seen.dtype == torch.float32 else 0.05  # products may be in TF32
            apart = (made.float() - seen.float()).norm()
            if apart > tolerance * seen.float().norm().clamp(min=1e-6):
                raise AttachError(
                    f"{type(module).__name__} of layer {sink_tap.layer_idx} makes other keys or "
                    "values of its input than SinkTrack would, so neither a method nor a window "
                    "can be used with this family: attach without them to record."
                )


def _at_position_zero(
    query: torch.Tensor, rotary: tuple[torch.Tensor, torch.Tensor] | None, row: int, sink: int
) -> torch.Tensor:
    """Undo the rotation of a sink's query (H, d) that does not stand at position 0.

    That happens to left-padded rows when `forward` is called without position ids. Attention among
    rotated keys does not mind, but the context keys are not rotated. At position 0 this is exact.
    """
    if rotary is None:
        return query
    cos, sin = (part.to(query.device) for part in _rotation(rotary, row, sink))
    turned, still = query.float().tensor_split([cos.shape[-1]], dim=-1)
    turned = rotated_back(turned, cos, sin) / (cos**2 + sin**2).sqrt()
    return torch.cat([turned, still], dim=-1).to(query.dtype)


def _rotation(
    rotary: tuple[torch.Tensor, torch.Tensor], row: int, at: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the cosines and sines of a text position, float32 (r,) each."""
    # Multimodal rotary embeddings have an axis in front, along which text positions agree.
    cos, sin = (part.reshape(-1, *part.shape[-3:])[0] for part in rotary)
    place = (row if len(cos) > 1 else 0, at)
    return cos[place].float(), sin[place].float()


def _stretch(rotary: tuple[torch.Tensor, torch.Tensor], row: int, at: int) -> torch.Tensor:
    """Return by what a rotation lengthens a vector, as YaRN's does, float32 (r,)."""
    cos, sin = _rotation(rotary, row, at)
    return (cos**2 + sin**2).sqrt()


def last_query(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    output: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float,
    segments: torch.Tensor,
    sinks: torch.Tensor,
    shifted: list[int],
) -> LastQuery:
    """Measure where the last query looked, without any (Q, K) array.

    Args:
        query: (B, H, Q, d).
        key: (B, H_kv, K, d). A sliding-window layer holds the last K positions only; a static cache
            holds room for more.
        value: (B, H_kv, K, d).
        output: (B, Q, H, d), the attention output.
        attention_mask: As for `sink_attention`.
        scaling: The factor on query-key products.
        segments: float32 (B, positions, 5), one-hot segment of every position so far.
        sinks: int64 (B,), the sinks' positions, -1 where the cache has forgotten them.
        shifted: Rows in which the last query does not see its own key.

    Returns:
        Shares, delivered shares and the mean row of attention, the latter over all positions.
    """
    batch, heads, _, head_size = query.shape
    if attention_mask is not None and attention_mask.shape[1] != 1:
        raise AttachError(
            "The model's attention mask differs from head to head, which cannot be recorded: "
            "attach with record=False."
        )
    positions = segments.shape[1]
    rows_each = len(segments) // batch  # until the rows of a prompt part, one stands for all
    segments, sinks = segments[::rows_each], sinks[::rows_each]
    key, value = key[:, :, :positions], value[:, :, :positions]
    gone = positions - key.shape[2]

    grouped = query[:, :, -1].view(batch, key.shape[1], -1, head_size)
    scores = grouped @ key.transpose(-1, -2) * scaling  # (B, H_kv, H / H_kv, K)
    if attention_mask is not None:
        mask = attention_mask[:, :, -1:, : key.shape[2]]
        hidden = ~mask if mask.dtype == torch.bool else mask <= HIDDEN
        scores = scores if mask.dtype == torch.bool else scores + mask
        scores = scores.masked_fill(hidden, float("-inf"))
    if shifted:
        scores[shifted, ..., -1] = float("-inf")
    probabilities = scores.softmax(-1, dtype=torch.float32).view(batch, heads, -1)

    share = probabilities @ segments[:, gone:]
    columns = (sinks - gone).clamp(min=0)
    rows = torch.arange(batch, device=query.device)
    sink_norm = value[rows, :, columns].float().norm(dim=-1)  # (B, H_kv)
    sink_norm = sink_norm.repeat_interleave(heads // sink_norm.shape[1], dim=1)
    delivered = share[..., SINK] * sink_norm / output[:, -1].float().norm(dim=-1).clamp(min=1e-12)
    unseen = (sinks < gone)[:, None].expand(batch, heads)
    if attention_mask is not None:
        unseen = unseen | hidden.expand(batch, 1, 1, -1)[rows, 0, 0, columns][:, None]
    delivered = delivered.masked_fill(unseen, float("nan"))
    keys = nn.functional.pad(probabilities.mean(1), (gone, 0))
    return LastQuery(share=share, delivered=delivered, keys=keys)


AttentionInterface.register(IMPLEMENTATION, sink_attention)
# Without a mask of its own a registered function gets None, and left-padded rows go wrong silently.
AttentionMaskInterface.register(IMPLEMENTATION, sdpa_mask)
