"""What methods and recording cost on a GPU, on random weights of Qwen2.5-VL-7B's numbers.

    python benchmarks/gpu.py [--rounds 2] [--json FILE]

Weights decide neither time nor memory. Times are compared within one run; beside them stands what
a step takes at least, which is to read all weights and keys once from the GPU's memory.
"""

import argparse
import json
import logging
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import AutoConfig, AutoProcessor

from sinktrack.bench import answer, bench_checkpoint, prompt_of
from sinktrack.core.names import BUNDLED
from sinktrack.core.prompt import Prompt
from sinktrack.core.text_tokens import tokenizer_of
from sinktrack.methods.sinktrack import SinkTrack

TEXT = {
    "vocab_size": 152064,
    "hidden_size": 3584,
    "intermediate_size": 18944,
    "num_hidden_layers": 28,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "max_position_embeddings": 128000,
    "rope_parameters": {
        "rope_type": "default",
        "rope_theta": 1000000.0,
        "mrope_section": [16, 24, 24],
    },
    "tie_word_embeddings": False,
}
"""https://huggingface.co/Qwen/Qwen2.5-VL-7B-Instruct/blob/main/config.json"""

VISION = {
    "depth": 32,
    "hidden_size": 1280,
    "intermediate_size": 3420,
    "num_heads": 16,
    "out_hidden_size": TEXT["hidden_size"],
}

PROMPT, NEW, LONG, BATCH = 2048, 256, 32_000, 32
SHORT = 32
"""New tokens where time grows with their number: a step is the difference of long and short."""


def build(text: dict[str, Any] = TEXT, vision: dict[str, Any] = VISION) -> tuple[Any, Any]:
    """Make a model with random bfloat16 weights on the GPU, and the bundled processor for it."""
    bundled = AutoConfig.from_pretrained(BUNDLED)
    names = ("image_token_id", "video_token_id", "vision_start_token_id", "vision_end_token_id")
    config: Any = transformers.Qwen2_5_VLConfig(
        text_config=text, vision_config=vision, **{name: getattr(bundled, name) for name in names}
    )
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
            model: Any = transformers.Qwen2_5_VLForConditionalGeneration(config).eval()
    finally:
        torch.set_default_dtype(before)
    model.generation_config.pad_token_id = 0
    return model, AutoProcessor.from_pretrained(BUNDLED)


def bandwidth() -> float:
    """Return how many bytes a second a copy within the GPU's memory reads and writes."""
    source = torch.empty(2**31, dtype=torch.uint8, device="cuda").random_()
    target = torch.empty_like(source)
    seconds = median_seconds(lambda: target.copy_(source), 10)
    return 2 * source.nbytes / seconds


def median_seconds(run: Callable[[], Any], times: int) -> float:
    """Return what a run takes, after one that is thrown away."""
    taken = []
    for _ in range(times + 1):
        torch.cuda.synchronize()
        began = time.perf_counter()
        run()
        torch.cuda.synchronize()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken[1:])


def floor(model: Any, prompt_tokens: int, rows: int, rate: float) -> float:
    """Return the seconds in which a step's weights and keys are read once."""
    weights = [*model.model.language_model.parameters(), *model.lm_head.parameters()]
    read = sum(each.nbytes for each in weights) - model.get_input_embeddings().weight.nbytes
    config = model.config.get_text_config()
    size = config.hidden_size // config.num_attention_heads
    keys = 2 * config.num_hidden_layers * config.num_key_value_heads * size * 2
    return float(read + rows * prompt_tokens * keys) / rate


def main() -> None:
    """Measure, print, and keep every time."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO)  # which says why steps are not recorded
    model, processor = build()
    model.generation_config.eos_token_id = None
    methods = {"baseline": None, "sinktrack": SinkTrack.for_model(model)}

    def seconds(prompts: Sequence[Prompt], new_tokens: int, record: bool) -> float:
        run = partial(
            answer, model, tokenizer_of(processor), prompts, methods, new_tokens=new_tokens
        )
        return median_seconds(partial(run, record=record), 1)

    times = bench_checkpoint(
        model,
        processor,
        prompt_tokens=PROMPT,
        new_tokens=NEW,
        rounds=arguments.rounds,
        only=("plain", "two", "two traced"),
    )
    found: dict[str, Any] = {"conditions": times.conditions, "seconds": times.seconds}
    print(times.table(), flush=True)

    rate = found["bytes a second"] = bandwidth()
    prompt = prompt_of(model, processor, PROMPT)
    length = prompt.inputs["input_ids"].shape[1]
    least = found["step at least"] = floor(model, length + NEW // 2, 2, rate)
    for name, record in (("two", False), ("two traced", True)):
        short, long = (seconds([prompt], tokens, record) for tokens in (SHORT, NEW))
        step = found[f"step, {name}"] = (long - short) / (NEW - SHORT)
        print(f"step, {name}: {1e3 * step:.2f} ms, {step / least:.2f} of {1e3 * least:.2f} ms")

    short_prompt = prompt_of(model, processor, 128)
    one, many = (seconds([short_prompt] * rows, 64, False) for rows in (1, BATCH))
    found["batch"] = {"1": one, str(BATCH): many, "gain": BATCH * one / many}
    print(f"batch {BATCH} / batch 1: {BATCH * one / many:.1f}", flush=True)

    torch.cuda.reset_peak_memory_stats()
    prompt = prompt_of(model, processor, LONG)
    found["long"] = {
        "tokens": prompt.inputs["input_ids"].shape[1],
        "seconds": seconds([prompt], 8, True),
        "peak bytes": torch.cuda.max_memory_allocated(),
    }
    print(found["long"])
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
