"""Random models of every supported architecture, small enough for any test."""

from typing import Any

import torch
import transformers

# Family: the names of its config and model in transformers.
FAMILIES = {
    "qwen2_5_vl": ("Qwen2_5_VLConfig", "Qwen2_5_VLForConditionalGeneration"),
    "qwen2_vl": ("Qwen2VLConfig", "Qwen2VLForConditionalGeneration"),
    "qwen3_vl": ("Qwen3VLConfig", "Qwen3VLForConditionalGeneration"),
    "gemma3": ("Gemma3Config", "Gemma3ForConditionalGeneration"),
    "llava": ("LlavaConfig", "LlavaForConditionalGeneration"),
    "llava_next": ("LlavaNextConfig", "LlavaNextForConditionalGeneration"),
    "llava_onevision": ("LlavaOnevisionConfig", "LlavaOnevisionForConditionalGeneration"),
    "internvl": ("InternVLConfig", "InternVLForConditionalGeneration"),
    "smolvlm": ("SmolVLMConfig", "SmolVLMForConditionalGeneration"),
    "idefics3": ("Idefics3Config", "Idefics3ForConditionalGeneration"),
    "paligemma": ("PaliGemmaConfig", "PaliGemmaForConditionalGeneration"),
    "qwen2": ("Qwen2Config", "Qwen2ForCausalLM"),
    "llama": ("LlamaConfig", "LlamaForCausalLM"),
    "gemma3_text": ("Gemma3TextConfig", "Gemma3ForCausalLM"),
    "qwen3": ("Qwen3Config", "Qwen3ForCausalLM"),
    "mistral": ("MistralConfig", "MistralForCausalLM"),
    "phi3": ("Phi3Config", "Phi3ForCausalLM"),
    "olmo2": ("Olmo2Config", "Olmo2ForCausalLM"),
    "gemma2": ("Gemma2Config", "Gemma2ForCausalLM"),
    "stablelm": ("StableLmConfig", "StableLmForCausalLM"),
    "smollm3": ("SmolLM3Config", "SmolLM3ForCausalLM"),
    "granite": ("GraniteConfig", "GraniteForCausalLM"),
    "cohere": ("CohereConfig", "CohereForCausalLM"),
    "glm4": ("Glm4Config", "Glm4ForCausalLM"),
}
SIZED = {"gemma3": 4, "llava": 16, "internvl": 4, "smolvlm": 4, "idefics3": 4, "paligemma": 16}
SIZED |= {"llava_next": 36, "llava_onevision": 36}  # 4 x 4, and a tile of 4 x 4 with line ends
"""Families that read a picture of 56 by 56 pixels as so many tokens."""
TEXT = tuple(name for name in FAMILIES if name not in SIZED and not name.endswith("_vl"))
_DECODERS = {"internvl": "qwen2", "llava_onevision": "qwen2", "paligemma": "gemma"}
UNKNOWN = {"arcee": ("ArceeConfig", "ArceeForCausalLM")}
"""A family that is not in the table, for what is tried where nothing is known."""
IMAGE_TOKEN = 310
GRID = (1, 4, 8)  # one frame of 4 x 8 patches: 2 x 4 merged tokens

_TEXT = {
    "vocab_size": 320,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 12,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 4096,
    "tie_word_embeddings": False,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
_MROPE = {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [2, 3, 3]}
_IDS = {
    "image_token_id": IMAGE_TOKEN,
    "video_token_id": 311,
    "vision_start_token_id": 312,
    "vision_end_token_id": 313,
}


def small_config(family: str, **text: Any) -> Any:
    """Return a config of the family with 12 layers of 64; `text` replaces values of the decoder."""
    decoder = _TEXT | text
    config_class = getattr(transformers, (FAMILIES | UNKNOWN)[family][0])
    vision = {"depth": 2, "num_heads": 2, "patch_size": 14, "spatial_merge_size": 2}
    vision["temporal_patch_size"] = 2
    if family in TEXT or family in UNKNOWN:
        own = {"sliding_window": 512, "query_pre_attn_scalar": 16} if "gemma" in family else {}
        if family == "gemma2":  # caps so low that random scores reach them
            own |= {"attn_logit_softcapping": 2.0, "final_logit_softcapping": 3.0}
        return config_class(**own | decoder)
    if family == "gemma3":
        vision = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
        vision |= {"num_attention_heads": 2, "image_size": 56, "patch_size": 14}
        decoder = {"sliding_window": 512, "query_pre_attn_scalar": 16} | decoder
        return config_class(
            text_config=decoder,
            vision_config=vision,
            mm_tokens_per_image=4,
            image_token_index=IMAGE_TOKEN,
            boi_token_index=312,
            eoi_token_index=313,
        )
    hidden = decoder["hidden_size"]
    if family in SIZED:
        decoder["model_type"] = _DECODERS.get(family, "llama")
        seen = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
        seen |= {"num_attention_heads": 2, "image_size": 56, "patch_size": 14}
        own: dict[str, Any] = {"image_token_id": IMAGE_TOKEN}
        if family == "llava":
            seen["model_type"] = "clip_vision_model"
            own = {"image_token_index": IMAGE_TOKEN, "image_seq_length": 16}
        elif family in ("llava_next", "llava_onevision"):
            seen["model_type"] = (
                "clip_vision_model" if family == "llava_next" else "siglip_vision_model"
            )
            own = {"image_token_index": IMAGE_TOKEN, "image_grid_pinpoints": [[56, 56]]}
        elif family == "paligemma":
            seen |= {"model_type": "siglip_vision_model", "projection_dim": hidden}
            own = {"image_token_index": IMAGE_TOKEN, "projection_dim": hidden}
        elif family == "internvl":
            seen |= {"image_size": [56, 56], "patch_size": [14, 14]}
            own["image_seq_length"] = 4
        else:
            own["scale_factor"] = 2
        return config_class(text_config=decoder, vision_config=seen, **own)
    if family == "qwen2_5_vl":
        vision |= {"hidden_size": 32, "intermediate_size": 64, "out_hidden_size": hidden}
        vision |= {"window_size": 112, "fullatt_block_indexes": [1]}
    elif family == "qwen2_vl":
        vision |= {"embed_dim": 32, "hidden_size": hidden, "mlp_ratio": 2}
    else:
        vision |= {"hidden_size": 32, "intermediate_size": 64, "out_hidden_size": hidden}
        vision |= {"num_position_embeddings": 64, "deepstack_visual_indexes": [0, 1]}
    if family != "qwen3_vl":
        decoder.pop("head_dim")
    section = decoder.pop("mrope_section", [2, 3, 3])
    decoder["rope_parameters"] = _MROPE | {"mrope_section": section}
    return config_class(text_config=decoder, vision_config=vision, **_IDS)


def small_model(family: str, seed: int = 0, **text: Any) -> Any:
    """Return a float32 model with random weights, the same for the same arguments."""
    torch.manual_seed(seed)
    model_class = getattr(transformers, (FAMILIES | UNKNOWN)[family][1])
    model = model_class(small_config(family, **text)).eval()
    for name, weight in model.named_parameters():
        # Larger than at initialisation, so that attention is far from uniform.
        if weight.ndim > 1 and "embed" not in name:
            torch.nn.init.normal_(weight, std=0.08)
    model.generation_config.eos_token_id = None
    if family == "gemma2":  # some releases give it SDPA, which drops its cap
        model.set_attn_implementation("eager")
    return model


def small_inputs(
    model: Any, *, text_tokens: int = 20, seed: int = 0, images: int = 1, padding: int = 0
) -> dict[str, torch.Tensor]:
    """Return the forward arguments of one random prompt: BOS, images, text.

    Args:
        model: From `small_model`.
        text_tokens: How many tokens of text follow the images.
        seed: Of text and pixels.
        images: How many images; text-only models get none.
        padding: How many positions of padding stand on the left.
    """
    generator = torch.Generator().manual_seed(seed)
    kind = model.config.model_type
    sees = getattr(model.config, "vision_config", None) is not None
    per_image = SIZED.get(kind, GRID[1] * GRID[2] // 4)
    picture = torch.tensor([312] + [IMAGE_TOKEN] * per_image + [313])
    text = torch.randint(3, 300, (text_tokens,), generator=generator)
    parts = [torch.zeros(padding), torch.ones(1)] + [picture] * (images if sees else 0) + [text]
    ids = torch.cat(parts).long()[None]
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    inputs["attention_mask"][:, :padding] = 0
    if not sees:
        return inputs
    if kind in SIZED:
        return inputs | square_inputs(kind, ids, images, generator)
    patches = images * GRID[1] * GRID[2]
    inputs["pixel_values"] = torch.randn(patches, 3 * 2 * 14 * 14, generator=generator)
    inputs["image_grid_thw"] = torch.tensor([GRID] * images)
    inputs["mm_token_type_ids"] = (ids == IMAGE_TOKEN).int()
    return inputs


def square_inputs(
    kind: str, ids: torch.Tensor, images: int, generator: torch.Generator
) -> dict[str, torch.Tensor]:
    """Return what a family of `SIZED` takes beside ids (1, T), for so many pictures."""
    inputs = {}
    if kind == "gemma3":
        inputs["token_type_ids"] = (ids == IMAGE_TOKEN).long()
    if kind == "paligemma":
        inputs["token_type_ids"] = torch.zeros_like(ids)
    if images:
        pixels = torch.randn(images, 3, 56, 56, generator=generator)
        inputs["pixel_values"] = pixels[None] if kind in ("smolvlm", "idefics3") else pixels
        if kind in ("llava_next", "llava_onevision"):
            inputs["pixel_values"] = torch.stack([pixels, pixels.flip(3)], dim=1)
            inputs["image_sizes"] = torch.tensor([[56, 56]] * images)
    return inputs


def stacked(*prompts: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return several prompts of equal length as one batch."""
    return {name: torch.cat([prompt[name] for prompt in prompts]) for name in prompts[0]}
