"""Where a model keeps its decoder layers, and whether SinkTrack can be attached to them.

Knows nothing about hooks: it looks at a model's modules and says in a sentence what stands in the
way.
"""

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from sinktrack.core.errors import AttachError
from sinktrack.core.scores import capped

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def unwrapped(model: Any) -> "PreTrainedModel":
    """Return the transformers model on which hooks take effect.

    The `generate` of a PEFT model runs the model inside it, whose modules carry the adapters.

    Raises:
        AttachError: If the model is wrapped or compiled in a way that passes hooks by.
    """
    from transformers import PreTrainedModel

    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    name = type(model).__name__
    if isinstance(inner, nn.DataParallel | nn.parallel.DistributedDataParallel):
        raise AttachError(
            f"{name} runs copies of the model, on which nothing would be recorded: pass "
            "model.module."
        )
    if hasattr(inner, "_orig_mod") or _is_compiled(inner):
        raise AttachError(
            f"{name} is compiled, and compiled code passes hooks by: pass the model as it was "
            "before torch.compile."
        )
    if not isinstance(inner, PreTrainedModel):
        raise AttachError(
            f"{name} is not a transformers model: pass the PreTrainedModel inside it."
        )
    return inner


def _is_compiled(model: Any) -> bool:
    modules = model.modules() if isinstance(model, nn.Module) else ()
    return any(module._compiled_call_impl is not None for module in modules)


def input_device(model: Any) -> torch.device:
    """Return where a model takes its inputs, also where accelerate keeps its weights elsewhere."""
    embedding = model.get_input_embeddings()
    hooks = [getattr(embedding, "_hf_hook", None), getattr(model, "_hf_hook", None)]
    for hook in hooks:
        device = getattr(hook, "execution_device", None)
        if device is not None:
            return torch.device(device)
    device = embedding.weight.device
    return torch.device("cpu") if device.type == "meta" else device


def decoder_layers(model: Any) -> nn.ModuleList:
    """Return the decoder layers of a causal language model or of a model around one.

    Raises:
        AttachError: If the model has none that take part in transformers' AttentionInterface.
    """
    name = type(model).__name__
    if getattr(model.config, "is_encoder_decoder", False):
        raise AttachError(
            f"{name} reads its prompt in an encoder, so no first token of a prompt gathers its "
            "decoder's attention: SinkTrack cannot be attached to it."
        )
    decoder = model.get_decoder() if hasattr(model, "get_decoder") else None
    layers = getattr(decoder, "layers", None)
    if not isinstance(layers, nn.ModuleList):
        raise AttachError(f"{name} has no list of decoder layers, so SinkTrack cannot be attached.")
    for index, layer in enumerate(layers):
        attention = getattr(layer, "self_attn", None)
        if attention is None:
            raise AttachError(
                f"Layer {index} of {name} has no softmax attention (its parts are "
                f"{', '.join(part for part, _ in layer.named_children())}), and without it no "
                "token is an attention sink: SinkTrack cannot be attached to it."
            )
        parts = dict(attention.named_children())
        if "qkv_proj" not in parts and not {"k_proj", "v_proj"} <= parts.keys():
            raise AttachError(
                f"{name} has neither k_proj and v_proj nor qkv_proj in the attention of layer "
                f"{index} (its parts are {', '.join(parts)}): SinkTrack cannot be attached to it."
            )
        learned = [part for part, _ in attention.named_parameters(recurse=False) if "sink" in part]
        if learned:
            raise AttachError(
                f"{name} has a learned sink logit in its attention ({learned[0]}), which takes the "
                "place of the first token: SinkTrack cannot be attached to it."
            )
    return layers


def set_decoder_attention(model: Any, name: str) -> None:
    """Switch the attention function of a model's decoder and leave a vision tower's alone."""
    nested = model.config.get_text_config() is not model.config
    model.set_attn_implementation({"text_config": name} if nested else name)


def as_said(model: Any, logits: torch.Tensor) -> torch.Tensor:
    """Return what a family makes of its output embedding's logits: some scale or cap them."""
    config = model.config.get_text_config()
    scale = (getattr(config, "logit_scale", None) or 1.0) / (
        getattr(config, "logits_scaling", None) or 1.0
    )
    cap = getattr(config, "final_logit_softcapping", None)
    scaled = logits if scale == 1 else logits * scale
    return capped(scaled, cap)
