"""Many questions with known answers, as the engine is asked. Knows nothing about models."""

from dataclasses import dataclass

from app.shared.request import DEFAULT_METHODS
from sinktrack.core.cache import Cache
from sinktrack.eval.task import Item


@dataclass(frozen=True, kw_only=True)
class Survey:
    """Many questions with known answers. It can be pickled.

    Args:
        title: What they have in common, for people to read.
        items: The questions; each has its `Truth` among its facts, as "truth".
        methods: Texts that `sinktrack.methods.parse` reads, one an answer; the others are compared
            with the first one.
        max_new_tokens: The longest answer.
        do_sample: Sample; else each token is the most likely one.
        temperature: Above 0, used when sampling.
        seed: Of the sampling noise.
        cache: What stays in view while the answers grow.
    """

    title: str
    items: tuple[Item, ...]
    methods: tuple[str, ...] = DEFAULT_METHODS
    max_new_tokens: int = 128
    do_sample: bool = False
    temperature: float = 1.0
    seed: int = 0
    cache: Cache = "full"

    def in_words(self) -> str:
        """Return how much is asked for."""
        return (
            f"{len(self.items)} questions, {len(self.methods)} methods and answers of up to "
            f"{self.max_new_tokens} tokens"
        )
