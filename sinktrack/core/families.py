"""Which families of models were tried, and which cannot be attached to.

A family is a `model_type` of a checkpoint's config.json. Methods never ask for it: what families
do in their own ways stands in `keys.py` and `scores.py`, told from their modules.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sinktrack.core.errors import ModelError


@dataclass(frozen=True)
class Family:
    """A family that the tests cover.

    Args:
        models: Under which names people know it.
        reads_pictures: Whether it reads pictures.
        tested: What it was tested with, beside small random weights.
        one_view: Arguments with which its processor reads a picture in one view, and not in tiles,
            whose tokens do not lie as the picture does.
        overview: Whether a picture is read as an overview with its tiles behind.
        has_template: Whether its processor brings a chat template, without which a picture would
            be lost.
    """

    models: str
    reads_pictures: bool = False
    tested: str = ""
    one_view: Mapping[str, Any] = field(default_factory=dict)
    overview: bool = False
    has_template: bool = True


FAMILIES = {
    "qwen2_5_vl": Family(
        "Qwen2.5-VL",
        True,
        "the public code's outputs; the bundled models; the 3B's and 7B's true shape",
    ),
    "qwen2_vl": Family("Qwen2-VL", True),
    "qwen3_vl": Family("Qwen3-VL", True),
    "gemma3": Family("Gemma 3", True, "the public code's outputs"),
    "llava": Family("LLaVA 1.5", True),
    "llava_next": Family("LLaVA-NeXT (1.6)", True, overview=True),
    "llava_onevision": Family("LLaVA-OneVision", True, overview=True),
    "internvl": Family("InternVL 3 (hf)", True, one_view={"crop_to_patches": False}),
    "smolvlm": Family("SmolVLM2", True, one_view={"do_image_splitting": False}),
    "idefics3": Family("Idefics3, SmolVLM", True, one_view={"do_image_splitting": False}),
    "paligemma": Family("PaliGemma 1 and 2", True, has_template=False),
    "qwen2": Family(
        "Qwen2, Qwen2.5, Qwen2.5-Coder",
        tested="the public code's outputs; real weights of Qwen2.5-Coder 0.5B and 1.5B",
    ),
    "qwen3": Family("Qwen3"),
    "llama": Family(
        "Llama 2 and 3, SmolLM and SmolLM2, Yi, TinyLlama", tested="the public code's outputs"
    ),
    "mistral": Family("Mistral"),
    "phi3": Family("Phi-3, Phi-3.5, Phi-4"),
    "olmo2": Family("OLMo 2"),
    "gemma2": Family("Gemma 2"),
    "gemma3_text": Family("Gemma 3, text alone", tested="real weights of Gemma 3 270M"),
    "stablelm": Family("StableLM"),
    "smollm3": Family("SmolLM3"),
    "granite": Family("Granite"),
    "cohere": Family("Command R"),
    "glm4": Family("GLM-4"),
}

LEARNED_SINKS = {
    *("gpt_oss", "mimo_v2_flash", "deepseek_v4", "hy_v4", "hy_v4_vl", "flint"),
    *("granite_swa", "granitemoe_swa"),
}
"""Families whose attention has a learned sink logit; only the loaded weights would show it."""

LATENT = {"deepseek_v2", "deepseek_v3", "minicpm3", "kimi_k2", "glm4_moe_lite", "longcat_flash"}
"""Families whose keys and values are made of a latent vector by projections of their own."""


def reads_pictures(config: Any) -> bool:
    """Tell whether a model with this config understands pictures."""
    return getattr(config, "vision_config", None) is not None


def check_family(name: str, config: Mapping[str, Any]) -> None:
    """Refuse a checkpoint whose config.json tells that it cannot be attached to.

    Args:
        name: The checkpoint, for the sentence.
        config: What its config.json holds.

    Raises:
        ModelError: With the reason.
    """
    kind = config.get("model_type")
    if not isinstance(kind, str):
        raise ModelError(f"{name}: its config.json names no model_type: give a whole checkpoint.")
    text = config.get("text_config")
    for each in (config, text if isinstance(text, Mapping) else {}):
        why = _why_not(each)
        if why is not None:
            raise ModelError(
                f"{name} is of the model type {kind!r}, which {why}; choose one of the types "
                f"{', '.join(FAMILIES)}."
            )


def _why_not(config: Mapping[str, Any]) -> str | None:
    """Say why a decoder cannot be attached to; None if nothing tells so."""
    if config.get("model_type") in LEARNED_SINKS:
        return "has learned sink logits that take the place of the first token"
    if config.get("model_type") in LATENT or config.get("kv_lora_rank"):
        return (
            "makes keys and values of a latent vector (multi-head latent attention), so that none "
            "can be made of a context"
        )
    if config.get("cross_attention_layers"):
        return "reads pictures through layers of their own, in which no token is a picture's"
    if config.get("is_encoder_decoder"):
        return "reads its prompt in an encoder, where no first token gathers attention"
    kinds = config.get("layer_types")
    for layer in kinds if isinstance(kinds, list) else ():
        if "attention" not in str(layer) or "linear" in str(layer):
            return (
                f"has {layer} layers, and without softmax attention no token is an attention sink"
            )
    return None
