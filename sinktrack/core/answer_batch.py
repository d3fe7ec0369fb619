"""Answers to several prompts at once, from first to last word. Knows nothing about tasks."""

from collections.abc import Callable, Sequence
from typing import Any

from sinktrack.core.batch import Beginnings, Methods
from sinktrack.core.cache import Cache
from sinktrack.core.comparison import Comparison
from sinktrack.core.decoding import Decoding
from sinktrack.core.generate import Generator
from sinktrack.core.prompt import Prompt
from sinktrack.core.row import Row
from sinktrack.core.text_tokens import tokenizer_of


def answer_batch(
    model: Any,
    processor: Any,
    prompts: Sequence[Prompt],
    methods: Methods,
    *,
    cache: Cache = "full",
    decoding: Decoding | None = None,
    seeds: Sequence[int] | None = None,
    told: Sequence[Sequence[int]] | None = None,
    wrote: Callable[[int], None] = lambda tokens: None,
    looked: Callable[[list[Comparison]], None] | None = None,
) -> list[list[Row]]:
    """Answer prompts as one batch.

    Args:
        model: The model.
        processor: Its processor or tokenizer.
        prompts: As for `Generator`.
        methods: As for `Generator`.
        cache: As for `Generator`.
        decoding: Greedy, 128 tokens at most, by default.
        seeds: As for `Generator`.
        told: The ids of whole answers, one list a prompt, which every method is told in the place
            of its own; whatever they hold, an answer ends with the last of them. By default
            methods answer by themselves.
        wrote: Told after each step how many tokens the longest answer has.
        looked: Told the answers with their attention at the end; by default none is recorded.

    Returns:
        What was written, one list of rows a prompt, in the order of the methods.
    """
    beginnings: list[Beginnings] | None = None
    if told is not None:
        beginnings = [dict.fromkeys(methods, ids) for ids in told]
    generator = Generator(
        model,
        tokenizer_of(processor),
        prompts,
        methods,
        decoding=decoding or Decoding(),
        cache=cache,
        record=looked is not None,
        seeds=seeds,
        beginnings=beginnings,
    )
    for rows, ids in zip(generator.rows, told or (), strict=told is not None):
        for row in rows:
            row.length = len(ids)
    for tokens, _ in enumerate(generator.steps(), start=1):
        wrote(tokens)
    if looked is not None:
        looked(generator.comparisons())
    return generator.rows
