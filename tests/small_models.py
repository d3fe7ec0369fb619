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
    "qwen2": ("Qwen2Config", "Qwen2ForCausalLM"),
    "llama": ("LlamaConfig", "LlamaForCausalLM"),
    "gemma3_text": ("Gemma3TextConfig", "Gemma3ForCausalLM"),
}
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
    config_class = getattr(transformers, FAMILIES[family][0])
    vision = {"depth": 2, "num_heads": 2, "patch_size": 14, "spatial_merge_size": 2}
    vision["temporal_patch_size"] = 2
    if family in ("qwen2", "llama"):
        return config_class(**decoder)
    if family == "gemma3_text":
        return config_class(**{"sliding_window": 512, "query_pre_attn_scalar": 16} | decoder)
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
    model_class = getattr(transformers, FAMILIES[family][1])
    model = model_class(small_config(family, **text)).eval()
    for name, weight in model.named_parameters():
        # Larger than at initialisation, so that attention is far from uniform.
        if weight.ndim > 1 and "embed" not in name:
            torch.nn.init.normal_(weight, std=0.08)
    model.generation_config.eos_token_id = None
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
    per_image = 4 if kind == "gemma3" else GRID[1] * GRID[2] // 4
    picture = torch.tensor([312] + [IMAGE_TOKEN] * per_image + [313])
    text = torch.randint(3, 300, (text_tokens,), generator=generator)
    parts = [torch.zeros(padding), torch.ones(1)] + [picture] * (images if sees else 0) + [text]
    ids = torch.cat(parts).long()[None]
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    inputs["attention_mask"][:, :padding] = 0
    if not sees:
        return inputs
    if kind == "gemma3":
        inputs["pixel_values"] = torch.randn(images, 3, 56, 56, generator=generator)
        inputs["token_type_ids"] = (ids == IMAGE_TOKEN).long()
        return inputs
    patches = images * GRID[1] * GRID[2]
    inputs["pixel_values"] = torch.randn(patches, 3 * 2 * 14 * 14, generator=generator)
    inputs["image_grid_thw"] = torch.tensor([GRID] * images)
    inputs["mm_token_type_ids"] = (ids == IMAGE_TOKEN).int()
    return inputs


def stacked(*prompts: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return several prompts of equal length as one batch."""
    return {name: torch.cat([prompt[name] for prompt in prompts]) for name in prompts[0]}
