"""What SinkTrack, its recording and its lanes cost, as ratios of times taken in one run.

Machines are noisy, so the things compared take turns in every round and the median ratio counts.
"""

import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from PIL import Image
from tqdm import tqdm

from sinktrack.api import stream_prompt
from sinktrack.core.architecture import input_device, set_decoder_attention
from sinktrack.core.attach import attach
from sinktrack.core.decoding import Decoding
from sinktrack.core.families import reads_pictures
from sinktrack.core.images import Picture
from sinktrack.core.prompt import Prompt, build_prompt
from sinktrack.core.text_tokens import tokenizer_of
from sinktrack.methods.sinktrack import SinkTrack

COMPARISONS = (
    ("two lanes with full trace / one plain generate", "lanes", "plain"),
    ("two answers in turn, eager output_attentions / one plain generate", "in turn", "plain"),
    ("prefill with SinkTrack / without", "attached prefill", "prefill"),
    ("prefill with SinkTrack and recording / without", "recorded prefill", "prefill"),
)
"""A title, and the two runs whose times are divided: numerator and denominator."""


def bench_checkpoint(model: Any, processor: Any, rounds: int = 3) -> str:
    """Measure a model on one drawn picture and return the table of `speed_table`."""
    pictures = [Picture(Image.linear_gradient("L").convert("RGB"))]
    sees = reads_pictures(model.config)
    prompt = build_prompt(model, processor, "Describe it.", pictures if sees else [])
    return speed_table(model, tokenizer_of(processor), prompt, new_tokens=64, rounds=rounds)


def speed_table(model: Any, tokenizer: Any, prompt: Prompt, *, new_tokens: int, rounds: int) -> str:
    """Measure lanes and prefill against the plain model.

    Args:
        model: Any supported model.
        tokenizer: Turns its ids into text.
        prompt: The prompt that every run reads.
        new_tokens: How many tokens every run writes; ends of answers are ignored.
        rounds: How often each thing runs, after one round that is thrown away.

    Returns:
        A Markdown table of median ratios with their range.
    """
    inputs = {name: value.to(input_device(model)) for name, value in prompt.inputs.items()}
    runs = _runs(model, tokenizer, prompt, inputs, new_tokens)
    ends = model.generation_config.eos_token_id
    model.generation_config.eos_token_id = None
    try:
        times = _times(runs, rounds, model.device)
    finally:
        model.generation_config.eos_token_id = ends
    text_config = model.config.get_text_config()
    conditions = (
        f"{inputs['input_ids'].shape[1]} prompt tokens, {new_tokens} new tokens, "
        f"{text_config.num_hidden_layers} layers of {text_config.hidden_size}, {model.dtype}, "
        f"{model.device}, torch {torch.__version__} with {torch.get_num_threads()} threads, "
        f"{rounds} rounds"
    )
    seconds = statistics.median(times["plain"])
    return "\n".join(
        [
            *(conditions, ""),
            *_ratio_rows(times),
            *("", f"One plain generate took {seconds:.2f} s (median)."),
        ]
    )


def _runs(
    model: Any,
    tokenizer: Any,
    prompt: Prompt,
    inputs: dict[str, torch.Tensor],
    new_tokens: int,
) -> dict[str, Callable[[], None]]:
    """Return what is timed, by the names that `COMPARISONS` uses."""
    method = SinkTrack.for_model(model)
    decoding = Decoding(max_new_tokens=new_tokens)

    def plain() -> None:
        _generate(model, inputs, new_tokens)

    def lanes() -> None:
        methods = {"baseline": None, "sinktrack": method}
        for _ in stream_prompt(model, tokenizer, prompt, methods=methods, decoding=decoding):
            pass

    def in_turn() -> None:
        before = model.config.get_text_config()._attn_implementation
        set_decoder_attention(model, "eager")
        for _ in range(2):
            _generate(model, inputs, new_tokens, output_attentions=True)
        set_decoder_attention(model, before)

    def prefill() -> None:
        with torch.no_grad():
            model(**inputs, logits_to_keep=1)

    def attached_prefill(record: bool) -> None:
        with attach(model, method, context_mask=prompt.instruction_mask, record=record):
            prefill()

    return {
        "lanes": lanes,
        "in turn": in_turn,
        "attached prefill": partial(attached_prefill, record=False),
        "recorded prefill": partial(attached_prefill, record=True),
        "prefill": prefill,
        "plain": plain,
    }


def _ratio_rows(times: dict[str, list[float]]) -> list[str]:
    """Return a Markdown table of ratios, each of two runs' times in the same round."""
    lines = ["| ratio of times | median | lowest | highest |", "|---|---|---|---|"]
    for title, numerator, denominator in COMPARISONS:
        pairs = zip(times[numerator], times[denominator], strict=True)
        ratios = sorted(first / second for first, second in pairs)
        median = statistics.median(ratios)
        lines.append(f"| {title} | {median:.3f} | {ratios[0]:.3f} | {ratios[-1]:.3f} |")
    return lines


def _times(
    runs: dict[str, Callable[[], None]], rounds: int, device: torch.device
) -> dict[str, list[float]]:
    """Return the seconds that every run took in each round, all taking turns."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    with tqdm(total=(rounds + 1) * len(runs), unit="run", leave=False, disable=None) as bar:
        for number in range(rounds + 1):
            for name, run in runs.items():
                _synchronize(device)
                started = time.perf_counter()
                run()
                _synchronize(device)
                if number:
                    times[name].append(time.perf_counter() - started)
                bar.update()
    return times


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _generate(model: Any, inputs: dict[str, torch.Tensor], new_tokens: int, **options: Any) -> None:
    model.generate(
        **inputs,
        max_new_tokens=new_tokens,
        do_sample=False,
        return_dict_in_generate=True,
        **options,
    )
