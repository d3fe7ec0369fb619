"""SinkTrack's injection inside a training step, for a whole batch and with gradients.

Computes what `sinktrack.attach` computes at inference; a test compares the two. The sink attends to
itself alone, and the other positions read its key and value from the layer's input. So it is enough
to replace the layer's output at the sink.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import nn

from sinktrack.methods.sinktrack import SinkTrack


@contextmanager
def injected(model: Any, method: SinkTrack, context: torch.Tensor) -> Iterator[None]:
    """Write context features into position 0 of every row, for the length of a block.

    Args:
        model: a Qwen2_5_VLForConditionalGeneration; rows start with their sink, unpadded.
        method: how to write; strength and the shifted mask of "official" are not followed.
        context: bool (B, T), True at the positions that are read.
    """
    width = int(context.sum(1).max())
    order = context.int().argsort(dim=1, descending=True, stable=True)[:, :width]  # (B, N)
    missing = ~context.gather(1, order)
    features: torch.Tensor | None = None

    def hook(layer_idx: int) -> Any:
        def replace(layer: Any, args: Any, kwargs: Any, output: torch.Tensor) -> torch.Tensor:
            nonlocal features
            entering = args[0] if args else kwargs["hidden_states"]
            if layer_idx == 0 or layer_idx - 1 in method.refresh_after:
                features = torch.take_along_dim(entering, order[..., None], dim=1)
            if layer_idx not in method.inject_at:
                return output
            assert features is not None
            sink = _written(layer, entering[:, 0], features, missing, method.normalize_context)
            return torch.cat([sink[:, None], output[:, 1:]], dim=1)

        return replace

    with ExitStack() as undo:
        for layer_idx, layer in enumerate(model.model.language_model.layers):
            undo.callback(layer.register_forward_hook(hook(layer_idx), with_kwargs=True).remove)
        yield


def _written(
    layer: nn.Module,
    sink: torch.Tensor,
    features: torch.Tensor,
    missing: torch.Tensor,
    normalize_context: bool,
) -> torch.Tensor:
    """Run a layer at the sink (B, D), its attention over features (B, N, D) that are not missing.

    The sink stands at position 0, where a rotary embedding turns nothing.
    """
    attention: Any = layer.self_attn
    read: Any = layer.input_layernorm
    after: Any = layer.post_attention_layernorm
    mlp: Any = layer.mlp
    if normalize_context:
        features = read(features)
    size = attention.head_dim
    query = attention.q_proj(read(sink)).unflatten(-1, (-1, 1, size))  # (B, H, 1, d)
    key, value = (
        projection(features).unflatten(-1, (-1, size)).transpose(1, 2)
        for projection in (attention.k_proj, attention.v_proj)
    )
    written = nn.functional.scaled_dot_product_attention(
        query, key, value, attn_mask=~missing[:, None, None], enable_gqa=True
    )
    sink = sink + attention.o_proj(written.flatten(1))
    return sink + mlp(after(sink))  # type: ignore[no-any-return]
