"""Several methods answer one question side by side, as rows of one batch.

The picture is encoded once and the prompt read once: until the first layer that injects, all lanes
are the same computation and stay one row. From there on each lane is a row, and every decode step
serves them all. Knows nothing about files, pages or how a method works.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import transformers
from transformers import DynamicCache

from sinktrack.architecture import input_device, unwrapped
from sinktrack.attachment import Attachment
from sinktrack.comparison import Answer, Comparison, Step
from sinktrack.decoding import Decoding, Sampler
from sinktrack.errors import DeviceMemoryError, MethodError, PromptError
from sinktrack.images import load_picture
from sinktrack.lane import Lane
from sinktrack.method import SinkTrack
from sinktrack.models import model_name
from sinktrack.prompts import MAX_QUESTION_TOKENS, Prompt, build_prompt, tokenizer_of
from sinktrack.text import token_texts
from sinktrack.trace import Token
from sinktrack.upstream import cache_argument
from sinktrack.version import VERSION
from sinktrack.window import Cache

Methods = Mapping[str, SinkTrack | None]


def compare(model: Any, processor: Any, **arguments: Any) -> Comparison:
    """Answer a question with several methods at once.

    Args:
        model: As for `stream`.
        processor: As for `stream`.
        **arguments: As for `stream`.

    Returns:
        One answer a lane.

    Raises:
        SinkTrackError: As for `stream`.
    """
    comparison = None
    for step in stream(model, processor, **arguments):
        comparison = step.comparison
    assert comparison is not None  # the last step of a stream carries it
    return comparison


def stream(
    model: Any,
    processor: Any,
    *,
    question: str,
    image: Any = None,
    methods: Methods | None = None,
    max_new_tokens: int = 128,
    do_sample: bool = False,
    temperature: float | None = None,
    top_p: float | None = None,
    top_k: int | None = None,
    seed: int = 0,
    cache: Cache = "full",
    record: bool = True,
    stop: Callable[[], bool] | None = None,
    max_question_tokens: int = MAX_QUESTION_TOKENS,
) -> Iterator[Step]:
    """Answer a question with several methods at once, a token at a time.

    The model is held from the first step to the last, or until the iterator is closed; other
    streams of the same model wait. All lanes decode the same way, and when sampling they share
    their noise: lanes with equal distributions say equal words, so a difference is the method's.

    Args:
        model: From `sinktrack.load`, or any transformers model of a family in
            `sinktrack.method.FAMILIES`.
        processor: Its processor; the tokenizer of a text-only model.
        question: The user's text.
        image: A path, bytes, PIL image or `Picture`, or a sequence of them; None for text models.
        methods: Lane names to methods, None being the plain model. By default "baseline" is plain
            and "sinktrack" follows the family's published schedule.
        max_new_tokens: The longest answer.
        do_sample: Sample; else each token is the most likely one.
        temperature: Above 0; by default the checkpoint's own. Like the next two for sampling alone.
        top_p: Above 0, at most 1; by default the checkpoint's own.
        top_k: 0 for no limit; by default the checkpoint's own.
        seed: Of the sampling noise.
        cache: "full", or a `SinkWindow` that all lanes share: the first tokens and the last ones
            are kept, so an answer of any length needs constant memory.
        record: Whether to record attention. It changes no token.
        stop: Asked after every step; True ends all answers there.
        max_question_tokens: The longest question.

    Yields:
        One step a token; the last one carries the comparison.

    Raises:
        MethodError: If a method or a decoding argument is out of range.
        PictureError: If a picture cannot be used.
        PromptError: If the question cannot be used.
        DeviceMemoryError: If the device is too small for this prompt.
    """
    decoding = Decoding(
        max_new_tokens=max_new_tokens,
        do_sample=do_sample,
        temperature=temperature,
        top_p=top_p,
        top_k=top_k,
        seed=seed,
    )
    several = isinstance(image, Sequence) and not isinstance(image, str | bytes)
    sources = list(image) if several else [] if image is None else [image]
    prompt = build_prompt(
        model,
        processor,
        question,
        [load_picture(source) for source in sources],
        max_question_tokens=max_question_tokens,
    )
    yield from stream_prompt(
        model,
        tokenizer_of(processor),
        prompt,
        methods=methods,
        decoding=decoding,
        cache=cache,
        record=record,
        stop=stop,
    )


def stream_prompt(
    model: Any,
    tokenizer: Any,
    prompt: Prompt,
    *,
    methods: Methods | None = None,
    decoding: Decoding | None = None,
    cache: Cache = "full",
    record: bool = True,
    stop: Callable[[], bool] | None = None,
) -> Iterator[Step]:
    """Answer a prompt that is built already; `stream` tells what happens.

    Args:
        model: As for `stream`.
        tokenizer: Turns ids into text.
        prompt: From `sinktrack.prompts.build_prompt`, or your own.
        methods: As for `stream`.
        decoding: Greedy, 128 tokens at most, by default.
        cache: As for `stream`.
        record: As for `stream`.
        stop: As for `stream`.

    Yields:
        As `stream`.

    Raises:
        MethodError: If a method does not fit the model.
        PromptError: If the prompt lacks a method's context.
        DeviceMemoryError: If the device is too small for this prompt.
    """
    decoding = decoding or Decoding()
    model = unwrapped(model)
    if methods is None:
        methods = {"baseline": None, "sinktrack": SinkTrack.for_model(model)}
    if not methods:
        raise MethodError("There are no lanes: name at least one method.")
    attachment = Attachment(
        model,
        list(methods.values()),
        context_mask=prompt.instruction_mask,
        cache=cache,
        record=record,
        shared_prompt=True,
    )
    _check_parting(model, attachment.part_at)
    inputs = {name: value.to(input_device(model)) for name, value in prompt.inputs.items()}
    sampler = Sampler(decoding, model, tokenizer, inputs["input_ids"])
    lanes = [Lane(name, method, tokenizer) for name, method in methods.items()]
    with attachment.active(), _fresh_positions(model), _memory_sentence(prompt, len(lanes)):
        for index, tokens in enumerate(_decode(model, inputs, lanes, attachment.part_at, sampler)):
            if stop is not None and stop():
                for lane in lanes:
                    lane.end("stopped")
            texts = {lane.name: lane.text for lane in lanes}
            if all(lane.finish for lane in lanes):
                break
            yield Step(index=index, tokens=tokens, texts=texts)
        answers = [lane.answer(attachment.recorder, row) for row, lane in enumerate(lanes)]
    comparison = as_comparison(
        model, tokenizer, prompt, answers, settings=sampler.settings, cache=cache
    )
    yield Step(index=index, tokens=tokens, texts=texts, comparison=comparison)


def as_comparison(
    model: Any,
    tokenizer: Any,
    prompt: Prompt,
    answers: Sequence[Answer],
    *,
    settings: dict[str, Any],
    cache: Cache,
) -> Comparison:
    """Return answers to one prompt with all that is to be known of how they came about."""
    ids = prompt.inputs["input_ids"][0].tolist()
    return Comparison(
        answers={answer.name: answer for answer in answers},
        question=prompt.question,
        pictures=prompt.pictures,
        settings=settings
        | {
            "cache": cache if isinstance(cache, str) else cache.as_dict(),
            "device": str(input_device(model)),
            "dtype": str(model.dtype).removeprefix("torch."),
        },
        model_name=model_name(model),
        versions={
            "sinktrack": VERSION,
            "torch": str(torch.__version__),
            "transformers": str(transformers.__version__),
        },
        prompt=tuple(map(Token, ids, token_texts(tokenizer, ids))),
    )


def _decode(
    model: Any, inputs: dict[str, torch.Tensor], lanes: list[Lane], part_at: int, sampler: Sampler
) -> Iterator[dict[str, Token]]:
    """Read the prompt, then yield what the lanes write, step after step, without end."""
    started = time.perf_counter()
    mask = inputs.pop("attention_mask", None)
    if mask is not None and not mask.all():
        raise PromptError("The prompt has padding, which lanes do not need: leave it out.")
    cache: Any = DynamicCache(config=model.config.get_text_config())
    cached = {cache_argument(model): cache, "use_cache": True}
    logits = _next_logits(model, **inputs, **cached)
    for layer in cache.layers[:part_at]:
        layer.batch_repeat_interleave(len(lanes))  # up to here the lanes were one row
    logits = logits.expand(len(lanes), -1)
    ids = inputs["input_ids"].expand(len(lanes), -1)
    while True:
        chosen = sampler(ids, logits)
        own = logits.float().log_softmax(-1).gather(1, chosen[:, None])[:, 0].exp()
        ids = torch.cat([ids, chosen[:, None]], dim=1)
        seconds = time.perf_counter() - started
        yield {
            lane.name: lane.take(token_id, probability, finish, seconds)
            for lane, token_id, probability, finish in zip(
                lanes, chosen.tolist(), own.tolist(), sampler.ended(ids), strict=True
            )
            if lane.finish is None
        }
        logits = _next_logits(model, input_ids=ids[:, -1:], **cached)


@contextmanager
def _fresh_positions(model: Any) -> Iterator[None]:
    """Put aside what the model keeps of the last picture's positions, and put it back.

    Qwen's models keep `rope_deltas` between calls; without it a prompt without a picture would
    begin where the last picture made the text begin.
    """
    keeping = [module for module in model.modules() if hasattr(module, "rope_deltas")]
    before = [module.rope_deltas for module in keeping]
    for module in keeping:
        module.rope_deltas = None
    try:
        yield
    finally:
        for module, kept in zip(keeping, before, strict=True):
            module.rope_deltas = kept


def _check_parting(model: Any, part_at: int) -> None:
    """Refuse lanes that part while the model still adds picture features between its layers."""
    vision = getattr(model.config, "vision_config", None)
    deep = len(getattr(vision, "deepstack_visual_indexes", None) or ())
    if part_at < deep:
        raise MethodError(
            f"A method injects at layer {part_at}, but {type(model).__name__} adds picture "
            f"features after each of its first {deep} layers, for one row alone: inject from layer "
            f"{deep} on, or use attach with a method of its own for each run."
        )


@torch.no_grad()
def _next_logits(model: Any, **inputs: Any) -> torch.Tensor:
    """Read tokens; return the next ones' logits (rows, V)."""
    logits: torch.Tensor = model(**inputs, logits_to_keep=1).logits[:, -1]
    return logits


@contextmanager
def _memory_sentence(prompt: Prompt, lanes: int) -> Iterator[None]:
    """Say in one sentence that the device is too small, and for what."""
    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, torch.OutOfMemoryError) and "allocate memory" not in str(error):
            raise
        raise DeviceMemoryError(
            f"The device ran out of memory on {prompt.image_tokens} image tokens and {lanes} "
            "lanes: take a smaller picture, fewer new tokens or fewer lanes."
        ) from error
