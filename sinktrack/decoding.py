"""How the next token is chosen, the same way for every lane.

Knows nothing about models; sees logits and the ids so far.
"""

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


class Chooser:
    """Greedy, or sampled with noise that all lanes share.

    Sampling adds one draw of Gumbel noise to the log-probabilities and takes the maximum, which
    equals drawing from the distribution (https://arxiv.org/abs/1611.01144, section 2). Every lane
    gets the same draw, so lanes with equal distributions choose equal tokens.

    Args:
        generation_config: The checkpoint's, for what is left open here and the repetition penalty.
        do_sample: Sample; else take the most likely token.
        temperature: Above 0, or None.
        top_p: Above 0 and at most 1, or None.
        top_k: At least 1, or None.
        seed: Of the noise.

    Raises:
        MethodError: If a value is out of its range.
    """

    def __init__(
        self,
        generation_config: Any,
        *,
        do_sample: bool = False,
        temperature: float | None = None,
        top_p: float | None = None,
        top_k: int | None = None,
        seed: int = 0,
    ) -> None:
        """Settle every value once."""

        def settled(name: str, given: Any, default: Any) -> Any:
            own = getattr(generation_config, name, None)
            return given if given is not None else own if own is not None else default

        self.settings: dict[str, Any] = {
            "do_sample": do_sample,
            "repetition_penalty": settled("repetition_penalty", None, 1.0),
        }
        if do_sample:
            self.settings |= {
                "temperature": settled("temperature", temperature, 1.0),
                "top_p": settled("top_p", top_p, 1.0),
                "top_k": settled("top_k", top_k, 0),
                "seed": seed,
            }
        self._processors = _processors(self.settings)
        self._noise = torch.Generator().manual_seed(seed) if do_sample else None

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
    """Return the steps that `generate` would apply for the same settings, in its order."""
    for name, low, high in (("temperature", 0, 100), ("top_p", 0, 1)):
        value = settings.get(name, high)
        if not low < value <= high:
            raise MethodError(f"{name} is {value}, but must be above {low} and at most {high}.")
    top_k = settings.get("top_k", 0)
    if not isinstance(top_k, int) or top_k < 0:
        raise MethodError(f"top_k is {top_k}, but must be a whole number of 0 (no limit) or more.")
    steps = LogitsProcessorList()
    if settings["repetition_penalty"] != 1.0:
        steps.append(RepetitionPenaltyLogitsProcessor(settings["repetition_penalty"]))
    if settings.get("temperature", 1.0) != 1.0:
        steps.append(TemperatureLogitsWarper(float(settings["temperature"])))
    if top_k:
        steps.append(TopKLogitsWarper(top_k))
    if settings.get("top_p", 1.0) < 1.0:
        steps.append(TopPLogitsWarper(settings["top_p"]))
    return steps
