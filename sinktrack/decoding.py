"""How the next token is chosen, the same way for every lane.

Knows nothing about models; sees logits and the ids so far.
"""

from dataclasses import dataclass
from typing import Any

import torch
from transformers import (
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from sinktrack.errors import MethodError


@dataclass(frozen=True, kw_only=True)
class Decoding:
    """How long answers may be and how their tokens are chosen.

    Of the checkpoint's own generation config the repetition penalty applies as well; rarer steps,
    such as forbidden words or n-grams, do not.

    Args:
        max_new_tokens: At least 1.
        do_sample: Sample; else take the most likely token.
        temperature: Above 0; None for the checkpoint's own. Like the next two for sampling alone.
        top_p: Above 0 and at most 1; None for the checkpoint's own.
        top_k: 0 for no limit; None for the checkpoint's own.
        seed: Of the sampling noise.

    Raises:
        MethodError: If a value is out of its range.
    """

    max_new_tokens: int = 128
    do_sample: bool = False
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        """Check every argument."""
        if not isinstance(self.max_new_tokens, int) or self.max_new_tokens < 1:
            raise MethodError(
                f"max_new_tokens is {self.max_new_tokens}, but must be a whole number of 1 or more."
            )
        if self.temperature is not None and not 0 < self.temperature <= 100:
            raise MethodError(
                f"temperature is {self.temperature}, but must be above 0 and at most 100; for the "
                "most likely tokens turn sampling off."
            )
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise MethodError(f"top_p is {self.top_p}, but must be above 0 and at most 1.")
        if not isinstance(self.seed, int) or not 0 <= self.seed < 2**63:
            raise MethodError(
                f"The seed is {self.seed}, but must be a whole number from 0 to 2**63 - 1."
            )
        if self.top_k is not None and (not isinstance(self.top_k, int) or self.top_k < 0):
            raise MethodError(
                f"top_k is {self.top_k}, but must be a whole number of 0 (no limit) or more."
            )


class Chooser:
    """Greedy, or sampled with noise that all lanes share.

    Sampling adds one draw of Gumbel noise to the log-probabilities and takes the maximum, which
    equals drawing from the distribution (https://arxiv.org/abs/1611.01144, section 2). Every lane
    gets the same draw, so lanes with equal distributions choose equal tokens.

    Args:
        decoding: What was asked for.
        generation_config: The checkpoint's, for what is left open and the repetition penalty.
    """

    def __init__(self, decoding: Decoding, generation_config: Any) -> None:
        """Settle every value once; `settings` holds them as JSON values."""

        def settled(name: str, default: Any) -> Any:
            for source in (decoding, generation_config):
                if getattr(source, name, None) is not None:
                    return getattr(source, name)
            return default

        self.settings: dict[str, Any] = {
            "max_new_tokens": decoding.max_new_tokens,
            "do_sample": decoding.do_sample,
            "repetition_penalty": settled("repetition_penalty", 1.0),
        }
        if decoding.do_sample:
            self.settings |= {
                "temperature": settled("temperature", 1.0),
                "top_p": settled("top_p", 1.0),
                "top_k": settled("top_k", 0),
                "seed": decoding.seed,
            }
        self._processors = _processors(self.settings)
        self._noise = torch.Generator().manual_seed(decoding.seed) if decoding.do_sample else None

    def __call__(self, ids: Any, logits: Any) -> torch.Tensor:
        """Choose the next token of every lane.

        Args:
            ids: int64 (B, n), prompt and answer so far.
            logits: float (B, V), of the next token.

        Returns:
            int64 (B,).
        """
        scores = self._processors(ids, logits.float())
        if self._noise is not None:
            uniform = torch.rand(scores.shape[-1], generator=self._noise).clamp(min=1e-20)
            gumbel = -(-uniform.log()).clamp(min=1e-20).log()
            scores = scores.log_softmax(-1) + gumbel.to(scores.device)
        chosen: torch.Tensor = scores.argmax(-1)
        return chosen


def _processors(settings: dict[str, Any]) -> LogitsProcessorList:
    """Return the steps of `generate` that these settings ask for, in its order."""
    steps = LogitsProcessorList()
    if settings["repetition_penalty"] != 1.0:
        steps.append(RepetitionPenaltyLogitsProcessor(settings["repetition_penalty"]))
    if settings.get("temperature", 1.0) != 1.0:
        steps.append(TemperatureLogitsWarper(float(settings["temperature"])))
    if settings.get("top_k", 0):
        steps.append(TopKLogitsWarper(settings["top_k"]))
    if settings.get("top_p", 1.0) < 1.0:
        steps.append(TopPLogitsWarper(settings["top_p"]))
    return steps
