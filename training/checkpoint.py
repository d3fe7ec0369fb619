"""The bundled checkpoint: configuration, processor, model, and how they are saved and loaded.

Everything is the real Qwen2.5-VL of transformers, only small.
"""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import Qwen2Tokenizer

from sinktrack.eval.familiar import FamiliarPictures
from sinktrack.shapes.scenes import CELL, GRID

# transformers annotates its constructors in part only, and differently from version to version
_untyped: Any = transformers

PIXELS = (GRID * CELL) ** 2
MAX_POSITIONS = 32768

# Qwen2.5-VL's format without its default system message, which would cost twenty tokens a prompt.
CHAT_TEMPLATE = """\
{%- for message in messages -%}
{{- '<|im_start|>' + message.role + '\\n' -}}
{%- if message.content is string -%}
{{- message.content -}}
{%- else -%}
{%- for part in message.content -%}
{%- if part.type == 'image' or 'image' in part or 'image_url' in part -%}
{{- '<|vision_start|><|image_pad|><|vision_end|>' -}}
{%- elif part.type == 'video' or 'video' in part -%}
{{- '<|vision_start|><|video_pad|><|vision_end|>' -}}
{%- elif 'text' in part -%}
{{- part.text -}}
{%- endif -%}
{%- endfor -%}
{%- endif -%}
{{- '<|im_end|>\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{- '<|im_start|>assistant\\n' -}}
{%- endif -%}
"""


@dataclass(frozen=True)
class Size:
    """The model's dimensions; the defaults are those of the bundled checkpoint."""

    layers: int = 12
    hidden: int = 128
    heads: int = 4
    key_value_heads: int = 2
    intermediate: int = 384
    vision_layers: int = 2
    vision_hidden: int = 128
    vision_heads: int = 4
    vision_intermediate: int = 256


def build_model(size: Size, tokenizer: Qwen2Tokenizer) -> Any:
    """Make a fresh Qwen2_5_VLForConditionalGeneration, drawn from torch's global generator."""
    ids: dict[str, int] = tokenizer.get_added_vocab()
    config = _untyped.Qwen2_5_VLConfig(
        text_config={
            "model_type": "qwen2_5_vl_text",
            "vocab_size": -(-len(tokenizer) // 64) * 64,
            "hidden_size": size.hidden,
            "intermediate_size": size.intermediate,
            "num_hidden_layers": size.layers,
            "num_attention_heads": size.heads,
            "num_key_value_heads": size.key_value_heads,
            "max_position_embeddings": MAX_POSITIONS,
            "rope_parameters": _rotations(size.hidden // size.heads // 2),
            "initializer_range": 0.05,
            "bos_token_id": None,
            "eos_token_id": ids["<|im_end|>"],
            "pad_token_id": None,
            "tie_word_embeddings": True,
        },
        vision_config={
            "depth": size.vision_layers,
            "hidden_size": size.vision_hidden,
            "intermediate_size": size.vision_intermediate,
            "num_heads": size.vision_heads,
            "out_hidden_size": size.hidden,
            "fullatt_block_indexes": list(range(size.vision_layers)),
            "window_size": 112,
            "initializer_range": 0.05,
        },
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
        tie_word_embeddings=True,
    )
    model = _untyped.Qwen2_5_VLForConditionalGeneration(config)
    model.generation_config = _untyped.GenerationConfig(
        do_sample=False,
        eos_token_id=[ids["<|im_end|>"], ids["<|endoftext|>"]],
        pad_token_id=ids["<|endoftext|>"],
        max_new_tokens=128,
    )
    return model


def _rotations(frequencies: int) -> dict[str, Any]:
    """Choose the frequencies of the multimodal rotary embedding, half of the head size in number.

    Where an image token stands is told by its rotation alone. Qwen's spectrum gives columns the
    slowest frequencies, which would not move within five cells. Here rows and columns turn equally
    fast, and the time axis so slowly that a key can be found at any distance: by what it means,
    and above all the sink, which a query must reach from everywhere.
    """
    spatial = 3 * frequencies // 8
    slow = [0.1 * 0.2**index for index in range(frequencies - 2 * spatial)]
    fast = [0.3 ** (index / max(1, spatial - 1)) for index in range(spatial)]
    periods = [1 / frequency for frequency in (*slow, *fast, *fast)]
    return {
        "rope_type": "longrope",  # the one type that takes every frequency as it is given
        "rope_theta": 1.0,
        "factor": 1.0,
        "short_factor": periods,
        "long_factor": periods,
        "attention_factor": 1.0,
        "original_max_position_embeddings": MAX_POSITIONS,
        "mrope_section": [len(slow), spatial, spatial],
    }


def build_processor(tokenizer: Qwen2Tokenizer) -> Any:
    """Put a Qwen2_5_VLProcessor around a tokenizer.

    It brings any picture to about GRID * GRID image tokens, enlarging small ones and shrinking
    large ones, since the model has seen one scale only.
    """
    return _untyped.Qwen2_5_VLProcessor(
        image_processor=_untyped.Qwen2VLImageProcessor(min_pixels=PIXELS, max_pixels=PIXELS),
        tokenizer=tokenizer,
        video_processor=_untyped.Qwen2VLVideoProcessor(min_pixels=PIXELS, max_pixels=4 * PIXELS),
        chat_template=CHAT_TEMPLATE,
    )


def prompt(processor: Any, question: str, pictures: int = 1) -> str:
    """Render a question behind its pictures, as a prompt up to the answer's first token."""
    content = [{"type": "image"}] * pictures + [{"type": "text", "text": question}]
    text = processor.apply_chat_template(
        [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
    )
    return str(text)


def save(model: Any, processor: Any, folder: Path) -> None:
    """Write a checkpoint file by file, each in one step, so that nobody reads half of one.

    With it goes how its pictures look to it, see `sinktrack.eval.familiar`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".saving-") as scratch:
        model.save_pretrained(scratch)
        processor.save_pretrained(scratch)
        FamiliarPictures.scenes(model, processor).save(Path(scratch))
        for file in sorted(Path(scratch).iterdir()):
            os.chmod(file, 0o644)
            os.replace(file, folder / file.name)


def load(folder: str | Path, device: str = "cpu") -> tuple[Any, Any]:
    """Load a checkpoint in float32 and in evaluation mode, with nothing but the Auto classes.

    Returns:
        The model on the device, and its processor with left padding.
    """
    model = (
        _untyped.AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32)
        .to(device)
        .eval()
    )
    processor = _untyped.AutoProcessor.from_pretrained(folder)
    processor.tokenizer.padding_side = "left"
    return model, processor
