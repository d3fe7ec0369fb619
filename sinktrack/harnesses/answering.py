"""A model with one method, as a harness asks it: model arguments, generation settings, answers.

Knows no harness. Methods are parsed as on the command line, and settings become a `Decoding`; what
has no counterpart is refused, so that no answer is made otherwise than the harness says.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from tqdm import tqdm

from sinktrack.cli.options import Dtype, Loading
from sinktrack.core.answer_batch import answer_batch
from sinktrack.core.batch import Methods, filled
from sinktrack.core.decoding import Decoding
from sinktrack.core.errors import MethodError, ModelError, PromptError, shown
from sinktrack.core.generate import Generator
from sinktrack.core.messages import conversation
from sinktrack.core.prompt import Prompt, PromptBuilder
from sinktrack.core.text_tokens import tokenizer_of
from sinktrack.eval.asking import noise_seed
from sinktrack.methods import ALL, available, check, parse

_LENGTHS = ("max_new_tokens", "max_gen_toks", "max_tokens", "max_completion_tokens")
_ENDS = ("until", "stop", "stop_strings", "stop_sequences")
_SAMPLING = ("temperature", "top_p", "top_k", "min_p")
_ALWAYS = ("repetition_penalty", "no_repeat_ngram_size", "min_new_tokens", "seed")
SETTINGS = ("do_sample", *_LENGTHS, *_ENDS, *_SAMPLING, *_ALWAYS)
"""The generation settings that are understood, by the names that harnesses give them."""

_AS_IT_IS: dict[str, tuple[Any, ...]] = {
    "num_beams": (1,),
    "num_return_sequences": (1,),
    "use_cache": (True, False),  # changes no answer
    "skip_special_tokens": (True,),
    "image_aspect_ratio": ("original",),
}
"""Settings that ask for what is done anyway, with the values that do."""


def decoding_of(settings: Mapping[str, Any], *, longest: int, seed: int = 0) -> Decoding:
    """Return a harness's generation settings as a `Decoding`.

    As in the harnesses, answers are greedy unless do_sample or a temperature above 0 asks for
    sampling, and a temperature of 0 is greedy. What only sampling uses is left out where nothing is
    sampled, because it cannot change which token is the likeliest.

    Args:
        settings: By the harness's names, see `SETTINGS`; None is a setting that is not given.
        longest: The most new tokens where the settings do not tell.
        seed: Of the sampling noise where they do not tell.

    Raises:
        MethodError: If a setting has no counterpart, two disagree, or a value is out of range.
    """
    given = {name: value for name, value in settings.items() if value is not None}
    for name, neutral in _AS_IT_IS.items():
        value = given.pop(name, neutral[0])
        if value not in neutral:
            raise MethodError(
                f"The generation setting {name} is {shown(value)}, but answers here are those of "
                f"{name}={neutral[0]}: change it, or ask with the harness's own model."
            )
    unknown = [name for name in given if name not in SETTINGS]
    if unknown:
        raise MethodError(
            f"The generation setting {unknown[0]}={shown(given[unknown[0]])} has no counterpart "
            f"here: leave it out. Known are {', '.join(SETTINGS)}."
        )
    lengths = {name: given[name] for name in _LENGTHS if name in given}
    if len(set(lengths.values())) > 1:
        raise MethodError(
            f"The generation settings hold {shown(lengths)}: give the longest answer once."
        )
    ends: list[str] = []
    for name in _ENDS:
        said = given.get(name, ())
        if not isinstance(said, str | list | tuple):
            raise MethodError(f"{name} is {shown(said)}, but must be a text or a list of texts.")
        ends += [said] if isinstance(said, str) else said
    temperature = given.get("temperature", 0)
    if isinstance(temperature, bool) or not isinstance(temperature, int | float):
        raise MethodError(f"temperature is {shown(temperature)}, but must be a number.")
    sampled = bool(given.get("do_sample", temperature > 0))
    sampled = sampled and given.get("temperature") != 0
    values = {name: given[name] for name in _ALWAYS if name in given}
    values |= {name: given[name] for name in _SAMPLING if sampled and name in given}
    return Decoding(
        max_new_tokens=next(iter(lengths.values()), longest),
        do_sample=sampled,
        stop_strings=tuple(ends) or None,
        **{"seed": seed, **values},
    )


def before_ends(text: str, ends: Sequence[str] | None) -> str:
    """Return the text before the first of the texts that end an answer, as harnesses score it."""
    return text[: min((text.find(end) for end in ends or () if end in text), default=len(text))]


def method_text(method: str, parameters: Mapping[str, Any], taken: Sequence[str]) -> str:
    """Return a method and its parameters as the command line takes them.

    Args:
        method: A kind, or a kind with parameters, as in "vcd:alpha=1".
        parameters: More parameters, which came as model arguments of their own.
        taken: The model arguments that came besides and mean something else.

    Raises:
        MethodError: If there is no such method, a parameter is unknown or out of range, or a model
            argument could mean a parameter of the method as well.
    """
    method = str(method)
    if method == ALL:
        raise MethodError("A harness asks one method at a time: give one of sinktrack methods.")
    values = [f"{name}={_typed(value)}" for name, value in parameters.items()]
    start = method if ":" in method or not values else f"{method}:"
    separator = "," if ":" in method and not method.endswith(":") else ""
    text = start + (separator if values else "") + ",".join(values)
    check(text)
    kind = method.partition(":")[0].rpartition("=")[2].strip()
    own = {each.name for each in available()[kind].parameters()} if kind in available() else set()
    for name in taken:
        if name in own and not re.search(rf"[:,]\s*{name}\s*=", method):
            raise MethodError(
                f"{name} is a setting of the harness and a parameter of {kind}: write "
                f"method={kind}:{name}=VALUE for the parameter, beside which {name}= is the "
                "setting."
            )
    return text


def _typed(value: Any) -> str:
    """Return a value that a harness has read as it is typed on the command line."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "+".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def one_process() -> None:
    """Refuse to run beside other processes that would answer the same items.

    Raises:
        ModelError: If there are others.
    """
    processes = os.environ.get("WORLD_SIZE", "1")
    if processes != "1":
        raise ModelError(
            f"WORLD_SIZE is {processes}, but the harness's items are not shared among processes "
            'here: start one, and spread a large model over the GPUs with device="auto".'
        )


@dataclass(frozen=True)
class Request:
    """One answer that a harness wants.

    Args:
        prompt: Makes the prompt when its turn comes, so that pictures are not all in memory.
        decoding: How it is answered, with a seed of its own.
    """

    prompt: Callable[[], Prompt]
    decoding: Decoding


@dataclass(frozen=True)
class Written:
    """An answer as a harness scores it.

    Args:
        text: Before the first text that ends it, without special tokens, with its spaces.
        tokens: How many tokens were written.
    """

    text: str
    tokens: int


class Answering:
    """A model and its method, as the model arguments of a harness name them.

    Args:
        pretrained: A hub name or local folder; None for the small checkpoint that comes along.
        method: As on the command line: "baseline", "sinktrack", "vcd:alpha=1".
        taken: As for `method_text`.
        device: As for `sinktrack.load`; "auto" spreads the model.
        dtype: float32, bfloat16 or float16; None for what the device is fastest in.
        four_bit: Quantise to 4 bits.
        batch_size: How many prompts, or continuations of one, are read at once.
        max_batch_size: Not supported, as there is no automatic batch size.
        **parameters: More parameters of the method.

    Attributes:
        model: The model.
        processor: Its processor, or a text model's tokenizer.
        tokenizer: The tokenizer.
        method: The method, fitted to the model; None for the plain model.

    Raises:
        MethodError: If the method or the batch size cannot be.
        ModelError: If the model cannot be loaded.
    """

    def __init__(
        self,
        pretrained: str | None = None,
        method: str = "sinktrack",
        *,
        taken: Sequence[str] = (),
        device: str | None = None,
        dtype: str | None = None,
        four_bit: bool = False,
        batch_size: int | str = 1,
        max_batch_size: int | None = None,
        **parameters: Any,
    ) -> None:
        """Check every argument before the model is loaded."""
        if max_batch_size is not None:
            raise MethodError("There is no automatic batch size here: leave max_batch_size out.")
        text = method_text(method, parameters, taken)
        if not str(batch_size).isdecimal() or int(batch_size) < 1:
            raise MethodError(
                f"batch_size is {shown(batch_size)}, but must be a whole number of 1 or more."
            )
        known = [each.value for each in Dtype]
        if dtype is not None and dtype not in known:
            raise ModelError(
                f"dtype is {shown(dtype)}, but must be {', '.join(known)}; leave it out for what "
                "the device is fastest in."
            )
        loading = Loading(
            name=None if pretrained is None else str(pretrained),
            device=device,
            dtype=None if dtype is None else Dtype(dtype),
            four_bit=four_bit,
        )
        self.model, self.processor = loading.model()
        self.tokenizer = tokenizer_of(self.processor)
        self.name, self.method = parse(text, self.model)
        rows = 1 if self.method is None else self.method.rows
        self._batch, self._rows = int(batch_size), int(batch_size) * rows

    @property
    def _methods(self) -> Methods:
        return {self.name: self.method}

    def prompt(self, messages: Sequence[Any], answer_tokens: int) -> Prompt:
        """Return a conversation as the model's chat format has it, of any length that fits.

        Args:
            messages: As for `sinktrack.compare`.
            answer_tokens: How much of the model's context is kept for the answer.

        Raises:
            PromptError: If a text or picture cannot be used, or the context is too small.
        """
        builder = PromptBuilder(self.model.config, self.processor, answer_tokens=answer_tokens)
        turns = conversation(messages=messages)
        return builder.build(turns, needs_picture=False, any_length=True)

    def raw_prompt(self, ids: Sequence[int], answer_tokens: int) -> Prompt:
        """Return ids as a prompt without a chat format; all of it is the instruction.

        Args:
            ids: The tokens.
            answer_tokens: As for `prompt`.

        Raises:
            PromptError: If there are none, or the context is too small.
        """
        config = self.model.config
        context = getattr(config.get_text_config(), "max_position_embeddings", None)
        if not ids:
            raise PromptError("The prompt has no tokens: give a text.")
        if context is not None and len(ids) + answer_tokens > context:
            raise PromptError(
                f"The prompt has {len(ids)} tokens and the answer may have {answer_tokens}, but "
                f"the model's context holds {context}: ask with less, such as fewer examples."
            )
        tokens = torch.tensor([list(ids)])
        inputs = {"input_ids": tokens, "attention_mask": torch.ones_like(tokens)}
        return Prompt.of_inputs(config, inputs, torch.ones_like(tokens, dtype=torch.bool))

    def answers(self, requests: Sequence[Request], *, quiet: bool = False) -> list[Written]:
        """Answer requests in batches, those of equal settings together.

        Args:
            requests: What is asked.
            quiet: Whether to show no progress.

        Returns:
            The answers in the order of the requests.

        Raises:
            PromptError: If a prompt cannot be built, or lacks what the method needs.
        """
        alike: dict[Decoding, list[int]] = {}
        for at, request in enumerate(requests):
            alike.setdefault(replace(request.decoding, seed=0), []).append(at)
        found: dict[int, Written] = {}
        with tqdm(total=len(requests), unit="answer", desc=self.name, disable=quiet) as bar:
            for decoding, places in alike.items():
                left = iter(places)
                prompts = (requests[at].prompt() for at in places)
                for together in filled(prompts, self._methods, self._rows):
                    batch = [next(left) for _ in together]
                    seeds = [requests[at].decoding.seed for at in batch]
                    for at, written in zip(
                        batch, self._written(together, decoding, seeds), strict=True
                    ):
                        found[at] = written
                    bar.update(len(batch))
        return [found[at] for at in range(len(requests))]

    def _written(
        self, prompts: Sequence[Prompt], decoding: Decoding, seeds: Sequence[int]
    ) -> Iterator[Written]:
        """Answer one batch."""
        answered = answer_batch(
            self.model, self.processor, prompts, self._methods, decoding=decoding, seeds=seeds
        )
        for (row,) in answered:
            text = self.tokenizer.decode(row.ids, skip_special_tokens=True)
            yield Written(before_ends(text, decoding.stop_strings), len(row.ids))

    def likelihoods(
        self, prompt: Prompt, continuations: Sequence[Sequence[int]]
    ) -> list[tuple[float, bool]]:
        """Return how likely a method finds continuations of a prompt.

        Each is written token by token and the method acts as while it chooses, so the numbers are
        those of the distributions that it would have chosen from, before penalties.

        Args:
            prompt: The prompt.
            continuations: Token ids.

        Returns:
            For each the sum of the logarithms of its tokens' probabilities, and whether every token
            is the likeliest one.

        Raises:
            MethodError: If a continuation goes on behind a token that ends the answer.
            PromptError: If the prompt lacks what the method needs.
        """
        found: list[tuple[float, bool]] = []
        for begin in range(0, len(continuations), self._batch):
            found += self._likelihoods(prompt, continuations[begin : begin + self._batch])
        return found

    def _likelihoods(
        self, prompt: Prompt, continuations: Sequence[Sequence[int]]
    ) -> list[tuple[float, bool]]:
        told = {str(at): ids for at, ids in enumerate(continuations)}
        generator = Generator(
            self.model,
            self.tokenizer,
            [prompt],
            dict.fromkeys(told, self.method),
            decoding=Decoding(max_new_tokens=max(1, *map(len, continuations))),
            beginnings=[told],
        )
        places = dict(zip(told, generator.places, strict=True))
        sums, likeliest = dict.fromkeys(told, 0.0), dict.fromkeys(told, True)
        for step, (written,) in enumerate(generator.steps()):
            for name in written:
                if step < len(told[name]):
                    chosen_from = generator.recorder.distribution(places[name])
                    sums[name] += float(chosen_from[told[name][step]])
                    likeliest[name] &= int(chosen_from.argmax()) == told[name][step]
        for row in generator.rows[0]:
            if len(row.ids) < len(told[row.name]):
                raise MethodError(
                    f"A continuation of {len(told[row.name])} tokens has one that ends the answer "
                    f"at place {len(row.ids)}: leave out what stands behind it."
                )
        return [(sums[name], likeliest[name]) for name in told]


def seeds_of(items: Sequence[tuple[str, str]], seed: int) -> list[int]:
    """Return the seed of each item's sampling noise; an item that comes again has another one.

    Args:
        items: The task and the item's id.
        seed: Of the run.
    """
    times: dict[tuple[str, str], int] = {}
    found = []
    for task, item in items:
        times[task, item] = times.get((task, item), 0) + 1
        found.append(noise_seed(task, f"{item}/{times[task, item]}", seed))
    return found
