"""What SinkTrack, its recording and its lanes cost, as ratios of times taken in one run.

Machines are noisy, so the things compared take turns in every round and the median ratio counts.
"""

import statistics
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import transformers
from PIL import Image
from tqdm import tqdm

from sinktrack.core.architecture import input_device, set_decoder_attention
from sinktrack.core.attach import attach
from sinktrack.core.batch import Methods
from sinktrack.core.decoding import Decoding
from sinktrack.core.families import reads_pictures
from sinktrack.core.generate import Generator
from sinktrack.core.images import Picture
from sinktrack.core.models import model_name
from sinktrack.core.products import faster_packed, faster_wide
from sinktrack.core.prompt import Prompt, build_prompt
from sinktrack.core.text_tokens import tokenizer_of
from sinktrack.methods.sinktrack import SinkTrack

COMPARISONS = (
    ("two methods with trace / one plain generate", "two traced", "plain"),
    ("two methods without trace / one plain generate", "two", "plain"),
    ("two methods, trace on / off", "two traced", "two"),
    ("one method with trace / one plain generate", "one traced", "plain"),
    ("four methods with trace / one plain generate", "four traced", "plain"),
    ("six methods with trace / one plain generate", "six traced", "plain"),
    ("two eager generates with attentions / two methods with trace", "eager", "two traced"),
    ("prefill with SinkTrack / without", "attached prefill", "prefill"),
    ("prefill with SinkTrack and recording / without", "recorded prefill", "prefill"),
)
"""A title, and the two runs whose times are divided: numerator and denominator."""

_SENTENCE = "The library of the town has three floors, and the roof of the third one leaks. "


@dataclass(frozen=True, kw_only=True)
class Times:
    """What was measured.

    Args:
        conditions: Of which model, where and how.
        seconds: What each run took in every round.
    """

    conditions: dict[str, str | int | bool]
    seconds: dict[str, list[float]]

    def ratios(self, numerator: str, denominator: str) -> list[float]:
        """Return the ratios of two runs' times in the same rounds, sorted."""
        pairs = zip(self.seconds[numerator], self.seconds[denominator], strict=True)
        return sorted(first / second for first, second in pairs)

    def table(self) -> str:
        """Return a Markdown table of median ratios with their range."""
        lines = [", ".join(f"{name}: {said}" for name, said in self.conditions.items()), ""]
        lines += ["| ratio of times | median | lowest | highest |", "|---|---|---|---|"]
        for title, *runs in COMPARISONS:
            if not set(runs) <= self.seconds.keys():
                continue
            ratios = self.ratios(*runs)
            median = statistics.median(ratios)
            lines.append(f"| {title} | {median:.3f} | {ratios[0]:.3f} | {ratios[-1]:.3f} |")
        seconds = statistics.median(self.seconds["plain"])
        return "\n".join([*lines, "", f"One plain generate took {seconds:.2f} s (median)."])


def bench_checkpoint(
    model: Any,
    processor: Any,
    *,
    prompt_tokens: int = 0,
    new_tokens: int = 64,
    rounds: int = 3,
    only: Collection[str] = (),
) -> Times:
    """Measure a model on a question, about a drawn picture if it reads any.

    Args:
        model: From `sinktrack.load`.
        processor: Its processor.
        prompt_tokens: How many tokens the prompt has at least, by a passage.
        new_tokens: As for `measure`.
        rounds: As for `measure`.
        only: As for `measure`.
    """
    prompt = prompt_of(model, processor, prompt_tokens)
    tokenizer = tokenizer_of(processor)
    return measure(model, tokenizer, prompt, new_tokens=new_tokens, rounds=rounds, only=only)


def prompt_of(model: Any, processor: Any, tokens: int) -> Prompt:
    """Build a prompt of so many tokens at least, with a picture if the model reads any."""
    picture = Picture(Image.linear_gradient("L").convert("RGB"))
    pictures = [picture] if reads_pictures(model.config) else []
    ask = partial(build_prompt, model, processor, "Describe it.", pictures)
    prompt, sentences = ask(), 0
    while (length := prompt.inputs["input_ids"].shape[1]) < tokens:
        sentences += 1 + (tokens - length) // 20
        prompt = ask(passage=_SENTENCE * sentences)
    return prompt


def measure(
    model: Any,
    tokenizer: Any,
    prompt: Prompt,
    *,
    new_tokens: int,
    rounds: int,
    only: Collection[str] = (),
) -> Times:
    """Measure methods, recording and prefill against the plain model.

    Args:
        model: Any supported model.
        tokenizer: Turns its ids into text.
        prompt: The prompt that every run reads.
        new_tokens: How many tokens every run writes; ends of answers are ignored.
        rounds: How often each thing runs, after one round that is thrown away.
        only: Which of the runs that `COMPARISONS` names; all of them by default.
    """
    inputs = {name: value.to(input_device(model)) for name, value in prompt.inputs.items()}
    runs = _runs(model, tokenizer, prompt, inputs, new_tokens)
    runs = {name: run for name, run in runs.items() if not only or name in only}
    ends = model.generation_config.eos_token_id
    model.generation_config.eos_token_id = None
    try:
        times = _times(runs, rounds, model.device)
    finally:
        model.generation_config.eos_token_id = ends
    decoder = model.config.get_text_config()
    cpu, cuda = (model.device.type == kind for kind in ("cpu", "cuda"))
    half = cpu and model.dtype == torch.bfloat16
    conditions: dict[str, str | int | bool] = {
        "model": model_name(model),
        "prompt tokens": inputs["input_ids"].shape[1],
        "new tokens": new_tokens,
        "layers": decoder.num_hidden_layers,
        "width": decoder.hidden_size,
        "dtype": str(model.dtype).removeprefix("torch."),
        "device": torch.cuda.get_device_name(model.device) if cuda else str(model.device),
        "prompt in float32": half and faster_wide(),
        "weights packed": half and faster_packed(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "rounds": rounds,
    }
    return Times(conditions=conditions, seconds=times)


def _runs(
    model: Any,
    tokenizer: Any,
    prompt: Prompt,
    inputs: dict[str, torch.Tensor],
    new_tokens: int,
) -> dict[str, Callable[[], None]]:
    """Return what is timed, by the names that `COMPARISONS` uses."""
    method = SinkTrack.for_model(model)
    all_methods = {"baseline": None} | {
        f"sinktrack {strength}": SinkTrack.for_model(model, strength=strength)
        for strength in (1.0, 0.8, 0.6, 0.4, 0.2)
    }

    def plain() -> None:
        _generate(model, inputs, new_tokens)

    def answers(count: int, record: bool = True) -> None:
        methods = dict(list(all_methods.items())[:count])
        answer(model, tokenizer, [prompt], methods, new_tokens=new_tokens, record=record)

    def eager() -> None:
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
        "two traced": partial(answers, 2),
        "two": partial(answers, 2, record=False),
        "plain": plain,
        "one traced": partial(answers, 1),
        "four traced": partial(answers, 4),
        "six traced": partial(answers, 6),
        "eager": eager,
        "attached prefill": partial(attached_prefill, record=False),
        "recorded prefill": partial(attached_prefill, record=True),
        "prefill": prefill,
    }


def answer(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[Prompt],
    methods: Methods,
    *,
    new_tokens: int,
    record: bool,
) -> None:
    """Answer prompts with methods, greedily and to the end, and keep nothing."""
    decoding = Decoding(max_new_tokens=new_tokens)
    generator = Generator(model, tokenizer, prompts, methods, decoding=decoding, record=record)
    generator.run()
    generator.comparisons()


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
