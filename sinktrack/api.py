"""Several methods answer one question side by side: the two calls that most people need.

Knows nothing about how answers come about; `sinktrack.core.generate` makes them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from sinktrack.core.architecture import unwrapped
from sinktrack.core.batch import Methods
from sinktrack.core.cache import Cache
from sinktrack.core.comparison import Comparison, Step
from sinktrack.core.decoding import Decoding
from sinktrack.core.generate import Generator
from sinktrack.core.messages import MAX_QUESTION_TOKENS
from sinktrack.core.prompt import Prompt, build_prompt
from sinktrack.core.text_tokens import tokenizer_of
from sinktrack.methods.sinktrack import SinkTrack


def compare(
    model: Any,
    processor: Any,
    *,
    question: str | None = None,
    image: Any = None,
    images: Sequence[Any] = (),
    video: Any = None,
    passage: str | None = None,
    messages: Sequence[Any] | None = None,
    system: str | None = None,
    methods: Methods | None = None,
    max_new_tokens: int = 128,
    do_sample: bool = False,
    temperature: float | None = None,
    top_p: float | None = None,
    top_k: int | None = None,
    seed: int = 0,
    min_p: float | None = None,
    repetition_penalty: float | None = None,
    no_repeat_ngram_size: int | None = None,
    bad_words_ids: Sequence[Sequence[int]] | None = None,
    min_new_tokens: int | None = None,
    stop_strings: Sequence[str] | None = None,
    cache: Cache = "full",
    record: bool = True,
    beginnings: Mapping[str, Sequence[int]] | None = None,
    stop: Callable[[], bool] | None = None,
    max_question_tokens: int = MAX_QUESTION_TOKENS,
    max_passage_tokens: int | None = None,
) -> Comparison:
    """Answer a question with several methods at once.

    Args:
        model: As for `stream`, like all others.
        processor: As for `stream`.
        question: As for `stream`.
        image: As for `stream`.
        images: As for `stream`.
        video: As for `stream`.
        passage: As for `stream`.
        messages: As for `stream`.
        system: As for `stream`.
        methods: As for `stream`.
        max_new_tokens: As for `stream`.
        do_sample: As for `stream`.
        temperature: As for `stream`.
        top_p: As for `stream`.
        top_k: As for `stream`.
        seed: As for `stream`.
        min_p: As for `stream`.
        repetition_penalty: As for `stream`.
        no_repeat_ngram_size: As for `stream`.
        bad_words_ids: As for `stream`.
        min_new_tokens: As for `stream`.
        stop_strings: As for `stream`.
        cache: As for `stream`.
        record: As for `stream`.
        beginnings: As for `stream`.
        stop: As for `stream`.
        max_question_tokens: As for `stream`.
        max_passage_tokens: As for `stream`.

    Returns:
        One answer a method.

    Raises:
        SinkTrackError: As for `stream`.
    """
    comparison = None
    for step in stream(
        model,
        processor,
        question=question,
        image=image,
        images=images,
        video=video,
        passage=passage,
        messages=messages,
        system=system,
        methods=methods,
        max_new_tokens=max_new_tokens,
        do_sample=do_sample,
        temperature=temperature,
        top_p=top_p,
        top_k=top_k,
        seed=seed,
        min_p=min_p,
        repetition_penalty=repetition_penalty,
        no_repeat_ngram_size=no_repeat_ngram_size,
        bad_words_ids=bad_words_ids,
        min_new_tokens=min_new_tokens,
        stop_strings=stop_strings,
        cache=cache,
        record=record,
        beginnings=beginnings,
        stop=stop,
        max_question_tokens=max_question_tokens,
        max_passage_tokens=max_passage_tokens,
    ):
        comparison = step.comparison
    assert comparison is not None  # the last step of a stream carries it
    return comparison


def stream(
    model: Any,
    processor: Any,
    *,
    question: str | None = None,
    image: Any = None,
    images: Sequence[Any] = (),
    video: Any = None,
    passage: str | None = None,
    messages: Sequence[Any] | None = None,
    system: str | None = None,
    methods: Methods | None = None,
    max_new_tokens: int = 128,
    do_sample: bool = False,
    temperature: float | None = None,
    top_p: float | None = None,
    top_k: int | None = None,
    seed: int = 0,
    min_p: float | None = None,
    repetition_penalty: float | None = None,
    no_repeat_ngram_size: int | None = None,
    bad_words_ids: Sequence[Sequence[int]] | None = None,
    min_new_tokens: int | None = None,
    stop_strings: Sequence[str] | None = None,
    cache: Cache = "full",
    record: bool = True,
    beginnings: Mapping[str, Sequence[int]] | None = None,
    stop: Callable[[], bool] | None = None,
    max_question_tokens: int = MAX_QUESTION_TOKENS,
    max_passage_tokens: int | None = None,
) -> Iterator[Step]:
    """Answer a question with several methods at once, a token at a time.

    The model is held from the first step to the last, or until the iterator is closed; other
    streams of the same model wait. All methods decode the same way, and when sampling they share
    their noise: methods with equal distributions say equal words, so a difference is the method's.

    Args:
        model: From `sinktrack.load`, or any transformers model of a known family.
        processor: Its processor; the tokenizer of a text-only model.
        question: The user's text; after `messages` it is one more turn.
        image: A path, bytes, PIL image or `Picture`, or a sequence of them; None for none.
        images: More pictures, in the order in which the model sees them.
        video: The path of a video file, or a list of frames.
        passage: A text that the question is about; it stands before the question.
        messages: A conversation in transformers' chat format, see
            `sinktrack.core.messages.conversation`.
        system: The system prompt.
        methods: Names to methods, None being the plain model. By default "baseline" is plain and
            "sinktrack" follows the family's published schedule, with the passage as its context
            where there is one and no picture.
        max_new_tokens: The longest answer.
        do_sample: Sample; else each token is the most likely one.
        temperature: Above 0; by default the checkpoint's own. Like the next two for sampling alone.
        top_p: Above 0, at most 1; by default the checkpoint's own.
        top_k: 0 for no limit; by default the checkpoint's own.
        seed: Of the sampling noise.
        min_p: Sampling keeps tokens of at least this share of the likeliest one's probability. By
            default the checkpoint's own, like the next five.
        repetition_penalty: Above 1 tokens that were said become less likely.
        no_repeat_ngram_size: No run of so many tokens comes twice; 0 for no limit.
        bad_words_ids: Token ids of words that are never said, a list each.
        min_new_tokens: The shortest answer.
        stop_strings: Texts that end an answer.
        cache: "full", or a `SinkWindow` that all methods share: the first tokens and the last ones
            are kept, so an answer of any length needs constant memory.
        record: Whether to record attention. It changes no token.
        beginnings: The first token ids of answers, by method: from there on each method goes on by
            itself, so that answers can be compared from the same words on.
        stop: Asked after every step; True ends all answers there.
        max_question_tokens: The longest question.
        max_passage_tokens: The longest passage; by default what the model's context leaves beside
            the question and the answer.

    Yields:
        One step a token; the last one carries the comparison.

    Raises:
        MethodError: If a method or a decoding argument is out of range.
        PictureError: If a picture or video cannot be used.
        PromptError: If a text cannot be used, or a method needs what the prompt lacks.
        DeviceMemoryError: If the device is too small for this prompt.
    """
    decoding = Decoding(
        max_new_tokens=max_new_tokens,
        do_sample=do_sample,
        temperature=temperature,
        top_p=top_p,
        top_k=top_k,
        seed=seed,
        min_p=min_p,
        repetition_penalty=repetition_penalty,
        no_repeat_ngram_size=no_repeat_ngram_size,
        bad_words_ids=bad_words_ids,
        min_new_tokens=min_new_tokens,
        stop_strings=stop_strings,
    )
    several = isinstance(image, Sequence) and not isinstance(image, str | bytes)
    first = list(image) if several else [] if image is None else [image]
    prompt = build_prompt(
        model,
        processor,
        question,
        [*first, *images],
        video=video,
        passage=passage,
        messages=messages,
        system=system,
        answer_tokens=max_new_tokens,
        max_question_tokens=max_question_tokens,
        max_passage_tokens=max_passage_tokens,
    )
    yield from stream_prompt(
        model,
        tokenizer_of(processor),
        prompt,
        methods=methods,
        decoding=decoding,
        cache=cache,
        record=record,
        beginnings=beginnings,
        stop=stop,
    )


def default_methods(model: Any, prompt: Prompt) -> Methods:
    """Return the plain model and SinkTrack as published, with a context that the prompt has."""
    return {"baseline": None, "sinktrack": SinkTrack.for_prompts(unwrapped(model), [prompt])}


def stream_prompt(
    model: Any,
    tokenizer: Any,
    prompt: Prompt,
    *,
    methods: Methods | None = None,
    decoding: Decoding | None = None,
    cache: Cache = "full",
    record: bool = True,
    beginnings: Mapping[str, Sequence[int]] | None = None,
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
        beginnings: As for `stream`.
        stop: As for `stream`.

    Yields:
        As `stream`.

    Raises:
        MethodError: If a method does not fit the model.
        PromptError: If the prompt lacks a method's context.
        DeviceMemoryError: If the device is too small for this prompt.
    """
    model = unwrapped(model)
    generator = Generator(
        model,
        tokenizer,
        [prompt],
        default_methods(model, prompt) if methods is None else methods,
        decoding=decoding or Decoding(),
        cache=cache,
        record=record,
        beginnings=None if beginnings is None else [beginnings],
    )
    for index, (tokens,) in enumerate(generator.steps(stop)):
        texts = {row.name: row.text for row in generator.rows[0]}
        comparison = generator.comparisons()[0] if generator.ended else None
        yield Step(index=index, tokens=tokens, texts=texts, comparison=comparison)
