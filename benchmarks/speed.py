"""Speed of several answers and of the prefill, on a random model of Qwen2.5-VL's architecture.

Hidden size 896, 12 layers, a prompt of 1,024 tokens and 64 new ones. Prints one table of ratios:

    python benchmarks/speed.py [--rounds 3] [--dtype float32] [--device cpu]
"""

import argparse
from typing import Any

import torch
import transformers

from sinktrack.bench import measure
from sinktrack.core.prompt import Prompt

IMAGE_TOKEN = 1000
SIDE = 16  # merged image tokens a side


def random_model(
    layers: int = 12, hidden: int = 896, heads: int = 14, vocabulary: int = 32_000
) -> Any:
    """Return a Qwen2.5-VL with random weights; by default the decoder of Qwen2.5-0.5B, halved."""
    torch.manual_seed(0)
    config = transformers.Qwen2_5_VLConfig(
        text_config={
            "vocab_size": vocabulary,
            "hidden_size": hidden,
            "intermediate_size": 4864 * hidden // 896,
            "num_hidden_layers": layers,
            "num_attention_heads": heads,
            "num_key_value_heads": 2,
            "max_position_embeddings": 4096,
            "bos_token_id": None,
            "eos_token_id": None,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 1e6,
                "mrope_section": [8, 12, 12],
            },
        },
        vision_config={
            "depth": 2,
            "hidden_size": 128,
            "intermediate_size": 256,
            "num_heads": 4,
            "out_hidden_size": hidden,
            "fullatt_block_indexes": [1],
        },
        image_token_id=IMAGE_TOKEN,
        video_token_id=IMAGE_TOKEN + 1,
        vision_start_token_id=IMAGE_TOKEN + 2,
        vision_end_token_id=IMAGE_TOKEN + 3,
    )
    return transformers.Qwen2_5_VLForConditionalGeneration(config).eval()


def random_prompt(config: Any, length: int) -> Prompt:
    """Return a prompt of `length` tokens, 256 of them an image."""
    generator = torch.Generator().manual_seed(0)
    image = [IMAGE_TOKEN + 2] + [IMAGE_TOKEN] * SIDE**2 + [IMAGE_TOKEN + 3]
    text = torch.randint(10, 900, (length - len(image) - 1,), generator=generator).tolist()
    ids = torch.tensor([[1, *image, *text]])
    mask = torch.zeros_like(ids, dtype=torch.bool)
    mask[:, -20:-5] = True
    inputs = {
        "input_ids": ids,
        "mm_token_type_ids": (ids == IMAGE_TOKEN).int(),
        "image_grid_thw": torch.tensor([[1, 2 * SIDE, 2 * SIDE]]),
        "pixel_values": torch.randn(4 * SIDE**2, 1176, generator=generator),
    }
    return Prompt.of_inputs(config, inputs, mask)


class Wordless:
    """A tokenizer that costs nothing."""

    def decode(self, ids: Any, **_: Any) -> str:
        """Return no text."""
        return ""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    model = random_model().to(options.device, getattr(torch, options.dtype))
    prompt = random_prompt(model.config, 1024)
    print(measure(model, Wordless(), prompt, new_tokens=64, rounds=options.rounds).table())


if __name__ == "__main__":
    main()
