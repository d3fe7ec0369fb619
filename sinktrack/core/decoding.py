"""How the next token is chosen and when an answer ends, the same way for every lane.

Sees logits and the ids so far; runs no model.
"""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from sinktrack.core.comparison import Finish
from sinktrack.core.errors import MethodError

if TYPE_CHECKING:
    from transformers import GenerationConfig, LogitsProcessorList, StoppingCriteriaList


@dataclass(frozen=True, kw_only=True)
class Decoding:
    """How long answers may be and how their tokens are chosen.

    Whatever else the checkpoint's own generation config asks for applies as well, see `Sampler`.

    Args:
        max_new_tokens: At least 1.
        do_sample: Sample; else take the most likely token.
        temperature: Above 0; None for the checkpoint's own. Like the next two for sampling alone.
        top_p: Above 0 and at most 1; None for the checkpoint's own.
        top_k: 0 for no limit; None for the checkpoint's own.
        seed: Of the sampling noise.
        min_p: Sampling keeps tokens of at least this share of the likeliest one's probability, 0
            to 1. None for the checkpoint's own, like the next five.
        repetition_penalty: Above 0; above 1 tokens that were said become less likely.
        no_repeat_ngram_size: No run of so many tokens comes twice; 0 for no limit.
        bad_words_ids: Token ids of words that are never said, a list each.
        min_new_tokens: The shortest answer.
        stop_strings: Texts that end an answer.

    Raises:
        MethodError: If a value is out of its range.
    """

    max_new_tokens: int = 128
    do_sample: bool = False
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    seed: int = 0
    min_p: float | None = None
    repetition_penalty: float | None = None
    no_repeat_ngram_size: int | None = None
    bad_words_ids: Sequence[Sequence[int]] | None = None
    min_new_tokens: int | None = None
    stop_strings: Sequence[str] | None = None

    def __post_init__(self) -> None:
        """Check every argument."""
        numbers = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty")
        for name in ("max_new_tokens", "seed", "min_new_tokens", "no_repeat_ngram_size", *numbers):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float | None):
                raise MethodError(f"{name} is {value!r}, but must be a number.")
        if not isinstance(self.do_sample, bool | int):
            raise MethodError(f"do_sample is {self.do_sample!r}, but must be True or False.")
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
        for name in ("top_k", "no_repeat_ngram_size", "min_new_tokens"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or value < 0):
                raise MethodError(
                    f"{name} is {value}, but must be a whole number of 0 (no limit) or more."
                )
        self._check_rarer()

    def _check_rarer(self) -> None:
        """Check what is asked for less often."""
        if self.min_p is not None and not 0 <= self.min_p <= 1:
            raise MethodError(f"min_p is {self.min_p}, but must be from 0 to 1.")
        if self.repetition_penalty is not None and not 0 < self.repetition_penalty <= 100:
            raise MethodError(
                f"repetition_penalty is {self.repetition_penalty}, but must be above 0 and at most "
                "100; 1 does nothing."
            )
        if (self.min_new_tokens or 0) > self.max_new_tokens:
            raise MethodError(
                f"min_new_tokens is {self.min_new_tokens}, but max_new_tokens is "
                f"{self.max_new_tokens}: the shortest answer is no longer than the longest."
            )
        strings = self.stop_strings
        if strings is not None and (
            isinstance(strings, str)
            or not isinstance(strings, Sequence)
            or not all(isinstance(each, str) and each for each in strings)
        ):
            raise MethodError(f"stop_strings is {strings!r}, but must be a list of texts.")

    def asked(self) -> dict[str, Any]:
        """Return what was asked for beside the checkpoint's own, as `generate` takes it."""
        always = ("repetition_penalty", "no_repeat_ngram_size", "bad_words_ids", "min_new_tokens")
        sampling = ("temperature", "top_p", "top_k", "min_p") if self.do_sample else ()
        values = {name: getattr(self, name) for name in (*always, *sampling)}
        if self.bad_words_ids is not None:
            values["bad_words_ids"] = [list(each) for each in self.bad_words_ids]
        return {name: value for name, value in values.items() if value is not None}


class Sampler:
    """Chooses each lane's next token as `generate` would, with sampling noise that lanes share.

    `generate` itself is asked what it would do with the checkpoint's generation config (penalties,
    forbidden words and n-grams, least lengths, stop strings and so on), so nothing is left out.

    Sampling adds one draw of Gumbel noise to the log-probabilities and takes the maximum, which
    equals drawing from the distribution (https://arxiv.org/abs/1611.01144, section 2). Every lane
    of a prompt gets the same draw, so lanes with equal distributions choose equal tokens.

    Args:
        decoding: What was asked for.
        model: Its generation config settles what is left open.
        tokenizer: Needed for stop strings.
        prompt_ids: int64 (B, T), the prompts.
        attended: int64 (B, T), 0 where there is padding; None for none.
        seeds: Of the noise, one a prompt, where B / len(seeds) lanes stand together a prompt; by
            default all lanes are one prompt's, with the seed of `decoding`.

    Attributes:
        settings: How tokens are chosen, as JSON values.

    Raises:
        MethodError: If the generation config asks for something impossible, or for more than one
            token after the other, such as beams.
    """

    def __init__(
        self,
        decoding: Decoding,
        model: Any,
        tokenizer: Any,
        prompt_ids: torch.Tensor,
        attended: torch.Tensor | None = None,
        seeds: Sequence[int] | None = None,
    ) -> None:
        """Settle every value once."""
        config, self._processors, self._criteria = _as_generate(
            decoding, model, tokenizer, prompt_ids, attended
        )
        self.settings = _settings(config, decoding)
        own = [decoding.seed] if seeds is None else seeds
        self._noise = [torch.Generator().manual_seed(seed) for seed in own if decoding.do_sample]

    def __call__(
        self, ids: torch.Tensor, logits: torch.Tensor, plain: torch.Tensor
    ) -> torch.Tensor:
        """Choose the next token of every lane.

        Args:
            ids: int64 (B, n), prompt and answer so far.
            logits: float (B, V), of the next token.
            plain: float (B, V), those of the lane's own row, which choose where a method leaves
                only tokens that may not be said, such as the end of an answer that is too short.

        Returns:
            int64 (B,).
        """
        scores = self._processors(ids, logits.float())  # type: ignore[arg-type]
        stuck = scores.isneginf().all(-1, keepdim=True)
        if stuck.any():
            own = self._processors(ids, plain.float())  # type: ignore[arg-type]
            scores = torch.where(stuck, own, scores)
        if self._noise:
            draws = [torch.rand(scores.shape[-1], generator=each) for each in self._noise]
            uniform = torch.stack(draws).clamp(min=1e-20)
            gumbel = -(-uniform.log()).clamp(min=1e-20).log().to(scores.device)
            lanes = len(scores) // len(gumbel)
            scores = scores.log_softmax(-1) + gumbel.repeat_interleave(lanes, dim=0)
        chosen: torch.Tensor = scores.argmax(-1)
        return chosen

    def ended(self, ids: torch.Tensor) -> list[Finish | None]:
        """Tell which answers end with their last token, and why.

        Args:
            ids: int64 (B, n), prompt and answer with the token chosen last.
        """
        from transformers.generation import stopping_criteria as known

        found: list[Finish | None] = [None] * len(ids)
        for criterion in self._criteria:
            said = isinstance(criterion, known.EosTokenCriteria | known.StopStringCriteria)
            for row, ends in enumerate(criterion(ids, None).tolist()):
                if ends and (said or found[row] is None):
                    found[row] = "eos" if said else "length"
        return found


_SETTINGS = {  # in the order in which `generate` applies them, with the value that does nothing
    "sequence_bias": None,
    "encoder_repetition_penalty": 1.0,
    "no_repeat_ngram_size": 0,
    "encoder_no_repeat_ngram_size": 0,
    "bad_words_ids": None,
    "min_length": 0,
    "min_new_tokens": 0,
    "forced_bos_token_id": None,
    "forced_eos_token_id": None,
    "exponential_decay_length_penalty": None,
    "suppress_tokens": None,
    "begin_suppress_tokens": None,
    "watermarking_config": None,
    "stop_strings": None,
    "max_time": None,
}
_SAMPLING = {
    "min_p": None,
    "top_h": None,
    "typical_p": 1.0,
    "epsilon_cutoff": 0.0,
    "eta_cutoff": 0.0,
}


def _as_generate(
    decoding: Decoding,
    model: Any,
    tokenizer: Any,
    prompt_ids: torch.Tensor,
    attended: torch.Tensor | None,
) -> "tuple[GenerationConfig, LogitsProcessorList, StoppingCriteriaList]":
    """Return the settings, logits processors and stopping criteria that `generate` would use."""
    from transformers.generation.stopping_criteria import StopStringCriteria

    def prepared(_model: Any, _ids: torch.Tensor, **settled: Any) -> tuple[Any, ...]:
        names = ("generation_config", "logits_processor", "stopping_criteria")
        return tuple(settled[name] for name in names)

    _refuse(_beside_the_model(model.generation_config))
    vocabulary = model.config.get_text_config().vocab_size
    for word in decoding.bad_words_ids or ():
        if not word or not all(isinstance(each, int) and 0 <= each < vocabulary for each in word):
            raise MethodError(
                f"bad_words_ids holds {list(word)!r}, but must hold lists of token ids from 0 to "
                f"{vocabulary - 1}."
            )
    strings: Any = model.generation_config.stop_strings
    if decoding.stop_strings is not None:
        strings = list(decoding.stop_strings)
    try:
        with warnings.catch_warnings():
            # Where accelerate keeps the weights elsewhere, ids seem to lie on another device.
            warnings.filterwarnings("ignore", "You are calling .generate", UserWarning)
            config, processors, criteria = model.generate(
                prompt_ids,
                attention_mask=torch.ones_like(prompt_ids) if attended is None else attended,
                position_ids=torch.arange(prompt_ids.shape[1]).expand_as(prompt_ids),
                max_new_tokens=decoding.max_new_tokens,
                do_sample=decoding.do_sample,
                use_cache=False,  # no cache is made for what is only asked
                stop_strings=None,  # which `generate` does not hand to a function of one's own
                custom_generate=prepared,
                **decoding.asked(),
            )
        if strings:
            config.stop_strings = strings
            criteria.append(StopStringCriteria(tokenizer, strings))
    except (ValueError, TypeError) as error:
        raise MethodError(
            "The decoding asked for is impossible; mend it, or what the checkpoint asks for in "
            f"model.generation_config (generation_config.json): {error}"
        ) from error
    if decoding.do_sample and not math.isfinite(config.temperature or 1.0):
        raise MethodError(
            f"The checkpoint's temperature is {config.temperature}, but must be a number: change "
            "it in model.generation_config (generation_config.json), or pass temperature=."
        )
    mode = str(config.get_generation_mode().value)
    _refuse(None if mode in ("greedy_search", "sample") else mode.replace("_", " "))
    return config, processors, criteria


def _beside_the_model(config: "GenerationConfig") -> str | None:
    """Name what a generation config asks for that takes more than one model call a token."""
    several = {"guidance_scale": 1, "token_healing": False, "num_return_sequences": 1}
    for name, neutral in several.items():
        value = getattr(config, name, None)
        if value is not None and value != neutral:
            return f"{name}={value}"
    return None


def _refuse(asked: str | None) -> None:
    """Refuse what `generate` would do by the generation config and lanes do not."""
    if asked is not None:
        raise MethodError(
            f"The checkpoint's generation config asks for {asked}, but lanes take one token after "
            "the other: change it in model.generation_config (generation_config.json)."
        )


def _settings(config: "GenerationConfig", decoding: Decoding) -> dict[str, Any]:
    """Return what chooses tokens as JSON values; rarer steps only where they do something."""
    settings: dict[str, Any] = {
        "max_new_tokens": decoding.max_new_tokens,
        "do_sample": decoding.do_sample,
        "repetition_penalty": config.repetition_penalty or 1.0,
    }
    rarer = dict(_SETTINGS)
    if decoding.do_sample:
        settings |= {
            "temperature": 1.0 if config.temperature is None else config.temperature,
            "top_p": 1.0 if config.top_p is None else config.top_p,
            "top_k": config.top_k or 0,
            "seed": decoding.seed,
        }
        rarer |= _SAMPLING
    for name, neutral in rarer.items():
        value = getattr(config, name, None)
        if value is not None and value != neutral:
            settings[name] = _as_json(value)
    return settings


def _as_json(value: Any) -> Any:
    """Return a setting as a JSON value."""
    if isinstance(value, torch.Tensor):
        return value.tolist()
    if isinstance(value, dict):
        return [[list(tokens), bias] for tokens, bias in value.items()]
    if hasattr(value, "to_dict"):
        return value.to_dict()
    return value
