"""Several methods answer one question side by side: the two calls that most people need.

Knows nothing about how answers come about; `sinktrack.core.generate` makes them.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sinktrack.core.architecture import unwrapped
from sinktrack.core.cache import Cache
from sinktrack.core.comparison import Comparison, Step
from sinktrack.core.decoding import Decoding
from sinktrack.core.generate import Generator, Methods
from sinktrack.core.images import load_picture
from sinktrack.core.prompt import MAX_QUESTION_TOKENS, Prompt, build_prompt, tokenizer_of
from sinktrack.methods.sinktrack import SinkTrack


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
            `sinktrack.methods.sinktrack.FAMILIES`.
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
        prompt: From `sinktrack.core.prompt.build_prompt`, or your own.
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
    model = unwrapped(model)
    if methods is None:
        methods = {"baseline": None, "sinktrack": SinkTrack.for_model(model)}
    generator = Generator(
        model,
        tokenizer,
        [prompt],
        methods,
        decoding=decoding or Decoding(),
        cache=cache,
        record=record,
    )
    for index, (tokens,) in enumerate(generator.steps(stop)):
        texts = {lane.name: lane.text for lane in generator.lanes[0]}
        comparison = generator.comparisons()[0] if generator.ended else None
        yield Step(index=index, tokens=tokens, texts=texts, comparison=comparison)
