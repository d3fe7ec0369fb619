"""The one decode loop: several prompts answered by several methods, as rows of one batch.

Rows stand prompt by prompt, and within a prompt method by method. Pictures are encoded once and
prompts read once: up to the first layer where any method injects, the rows of a prompt are one row.
From there on each is its own, and every decode step serves them all. Knows nothing about files,
pages, tasks or how a method works.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import transformers
from transformers import DynamicCache

from sinktrack.core.architecture import input_device, unwrapped
from sinktrack.core.attach import Attachment
from sinktrack.core.cache import Cache, cache_as_json
from sinktrack.core.comparison import Comparison
from sinktrack.core.decoding import Decoding, Sampler
from sinktrack.core.errors import DeviceMemoryError, MethodError, PromptError
from sinktrack.core.models import model_name
from sinktrack.core.prompt import Prompt, tokenizer_of
from sinktrack.core.row import Lane
from sinktrack.core.text import token_texts
from sinktrack.core.trace import Token
from sinktrack.core.upstream import cache_argument
from sinktrack.methods.sinktrack import SinkTrack
from sinktrack.version import VERSION

Methods = Mapping[str, SinkTrack | None]

_OUT_OF_MEMORY = ("out of memory", "allocate memory", "alloc_failed")
"""What devices say in lower case."""

_A_TOKEN_EACH = ("input_ids", "attention_mask", "mm_token_type_ids", "token_type_ids")
"""Inputs that hold one value a token; all others hold one entry a picture or a patch."""


class Generator:
    """Answers to prompts while they grow.

    Args:
        model: A transformers model of a known family.
        tokenizer: Turns its ids into text.
        prompts: From `sinktrack.core.prompt`; of any lengths, with pictures or without.
        methods: Lane names to methods, None being the plain model; for all prompts, or one mapping
            each, of equal names.
        decoding: How long answers may be and how their tokens are chosen.
        cache: "full", or a `SinkWindow` that all rows share.
        record: Whether to record attention. It changes no token.

    Attributes:
        lanes: What each method has written so far, one list of lanes a prompt.

    Raises:
        MethodError: If a method does not fit the model, or its generation config asks for more.
        PromptError: If a prompt has padding of its own.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        prompts: Sequence[Prompt],
        methods: Methods | Sequence[Methods],
        *,
        decoding: Decoding,
        cache: Cache = "full",
        record: bool = True,
    ) -> None:
        """Check that everything fits; nothing is read yet."""
        self._model, self._tokenizer = unwrapped(model), tokenizer
        self._prompts, self._cache = prompts, cache
        each = [methods] * len(prompts) if isinstance(methods, Mapping) else list(methods)
        if not prompts:
            raise PromptError("There is no prompt: give at least one.")
        if not each or not all(each):
            raise MethodError("There are no lanes: name at least one method.")
        if len(each) != len(prompts) or any(list(own) != list(each[0]) for own in each):
            raise MethodError("Each prompt needs the same lanes, in the same order.")
        self.lanes = [[Lane(name, one, tokenizer) for name, one in own.items()] for own in each]
        self._rows = [lane for lanes in self.lanes for lane in lanes]
        self._decoding = decoding
        inputs, instructions = stacked(prompts)
        shifted = any(_shifts_the_mask(lane.method) for lane in self._rows)
        if shifted and not inputs["attention_mask"].all():
            raise MethodError(
                'causal="official" is what the public code does without padding, so prompts of '
                "different lengths cannot be one batch: answer them one by one (--batch 1)."
            )
        device = input_device(self._model)
        self._inputs = {name: value.to(device) for name, value in inputs.items()}
        self._attachment = Attachment(
            self._model,
            [lane.method for lane in self._rows],
            context_mask=instructions,
            cache=cache,
            record=record,
            rows_a_prompt=len(self.lanes[0]),
        )
        if len(self.lanes[0]) > 1 and any(prompt.image_tokens for prompt in prompts):
            _check_fork(self._model, self._attachment.fork_layer)

    def steps(self, stop: Callable[[], bool] | None = None) -> Iterator[list[dict[str, Token]]]:
        """Read the prompts, then write a token a step until every answer has ended.

        The model is held until then, or until the iterator is closed.

        Args:
            stop: Asked after every step; True ends all answers there.

        Yields:
            What each lane of each prompt wrote; a lane that has ended is absent.

        Raises:
            PromptError: If a prompt lacks a method's context.
            DeviceMemoryError: If the device is too small.
        """
        if any(lane.ids for lane in self._rows):
            raise PromptError("These answers were written already: make another Generator.")
        with self._attachment.active(), _fresh_positions(self._model), self._memory_sentence():
            lanes = len(self.lanes[0])
            ids, mask = (
                self._inputs[name].repeat_interleave(lanes, dim=0)
                for name in ("input_ids", "attention_mask")
            )
            # Only now, because a limit of time counts from here.
            self._sampler = Sampler(self._decoding, self._model, self._tokenizer, ids, mask)
            for written in self._decode(ids):
                if stop is not None and stop():
                    for lane in self._rows:
                        lane.end("stopped")
                yield written
                if self.ended:
                    return

    def run(self) -> None:
        """Write every answer to its end."""
        for _ in self.steps():
            pass

    @property
    def ended(self) -> bool:
        """Whether every answer has ended."""
        return all(lane.finish for lane in self._rows)

    def comparisons(self) -> list[Comparison]:
        """Return the answers to each prompt, once they have ended."""
        found, row = [], 0
        settings = self._sampler.settings | {
            "cache": cache_as_json(self._cache),
            "device": str(input_device(self._model)),
            "dtype": str(self._model.dtype).removeprefix("torch."),
        }
        for prompt, lanes in zip(self._prompts, self.lanes, strict=True):
            ids = prompt.inputs["input_ids"][0].tolist()
            recorder = self._attachment.recorder
            answers = [lane.answer(recorder, row + at) for at, lane in enumerate(lanes)]
            row += len(lanes)
            comparison = Comparison(
                answers={answer.name: answer for answer in answers},
                question=prompt.question,
                pictures=prompt.pictures,
                settings=settings,
                model_name=model_name(self._model),
                versions={
                    "sinktrack": VERSION,
                    "torch": str(torch.__version__),
                    "transformers": str(transformers.__version__),
                },
                prompt=tuple(map(Token, ids, token_texts(self._tokenizer, ids))),
            )
            found.append(comparison)
        return found

    def _decode(self, ids: torch.Tensor) -> Iterator[list[dict[str, Token]]]:
        """Read the prompts, then yield what the rows of `ids` write, step by step, without end."""
        started = time.perf_counter()
        model, fork, inputs = self._model, self._attachment.fork_layer, dict(self._inputs)
        lanes = len(self.lanes[0])
        mask = inputs.pop("attention_mask")
        if not mask.all():
            inputs["attention_mask"] = mask
            if not any(name.endswith("grid_thw") for name in inputs):
                # With pictures in the prompts a model makes positions of its own.
                inputs["position_ids"] = (mask.long().cumsum(1) - 1).clamp(min=0)
        cache: Any = DynamicCache(config=model.config.get_text_config())
        cached = {cache_argument(model): cache, "use_cache": True}
        logits = _next_logits(model, **inputs, **cached)
        for layer in cache.layers[:fork]:
            layer.batch_repeat_interleave(lanes)  # up to here a prompt's rows were one
        logits = logits.repeat_interleave(len(self._rows) // len(logits), dim=0)
        while True:
            chosen = self._sampler(ids, logits)
            own = logits.float().log_softmax(-1).gather(1, chosen[:, None])[:, 0].exp()
            ids = torch.cat([ids, chosen[:, None]], dim=1)
            seconds = time.perf_counter() - started
            told = zip(chosen.tolist(), own.tolist(), self._sampler.ended(ids), strict=True)
            written: list[dict[str, Token]] = [{} for _ in self.lanes]
            for row, (lane, (token_id, probability, finish)) in enumerate(
                zip(self._rows, told, strict=True)
            ):
                if lane.finish is None:
                    token = lane.take(token_id, probability, finish, seconds)
                    written[row // lanes][lane.name] = token
            yield written
            logits = _next_logits(model, input_ids=ids[:, -1:], **cached)

    @contextmanager
    def _memory_sentence(self) -> Iterator[None]:
        """Say in one sentence that the device is too small, and for what."""
        try:
            yield
        except RuntimeError as error:
            said = any(words in str(error).lower() for words in _OUT_OF_MEMORY)
            if not said and not isinstance(error, torch.OutOfMemoryError):
                raise
            tokens = sum(prompt.image_tokens for prompt in self._prompts)
            lanes, several = len(self.lanes[0]), len(self._prompts) > 1
            where = f"{len(self._prompts)} prompts in {lanes}" if several else f"{lanes}"
            smaller = "a smaller batch, " if several else ""
            raise DeviceMemoryError(
                f"The device ran out of memory on {tokens} image tokens and {where} lanes: take "
                f"{smaller}a smaller picture, fewer new tokens or fewer lanes."
            ) from error


def answer_texts(
    model: Any,
    processor: Any,
    prompts: Sequence[Prompt],
    methods: Methods | Sequence[Methods],
    *,
    cache: Cache = "full",
    max_new_tokens: int = 128,
) -> list[dict[str, str]]:
    """Answer prompts greedily as one batch, without recording.

    Args:
        model: The model.
        processor: Its processor or tokenizer.
        prompts: As for `Generator`.
        methods: As for `Generator`.
        cache: As for `Generator`.
        max_new_tokens: The longest answer.

    Returns:
        The texts by lane, one mapping a prompt.
    """
    generator = Generator(
        model,
        tokenizer_of(processor),
        prompts,
        methods,
        decoding=Decoding(max_new_tokens=max_new_tokens),
        cache=cache,
        record=False,
    )
    generator.run()
    return [{lane.name: lane.whole_text for lane in lanes} for lanes in generator.lanes]


def stacked(prompts: Sequence[Prompt]) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """Put prompts below each other, padded on the left.

    Each is padded with its own first token, which is hidden: so a penalty on what was said meets no
    token that the prompt alone does not have.

    Args:
        prompts: From `sinktrack.core.prompt.build_prompt`.

    Returns:
        The model's inputs, and the instruction mask, bool (B, T).

    Raises:
        PromptError: If a prompt has padding already.
    """
    length = max(prompt.inputs["input_ids"].shape[1] for prompt in prompts)

    def padded(row: torch.Tensor, value: int) -> torch.Tensor:
        return torch.nn.functional.pad(row, (length - row.shape[1], 0), value=value)

    rows = []
    for prompt in prompts:
        mask = prompt.inputs.get("attention_mask", torch.ones_like(prompt.inputs["input_ids"]))
        if not mask.all():
            raise PromptError("The prompt has padding, which lanes do not need: leave it out.")
        rows.append({**prompt.inputs, "attention_mask": mask})
    inputs = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        # What only pictures have is left out where a prompt has none.
        found = [row[name] for row in rows if name in row]
        if name in _A_TOKEN_EACH:
            missing = torch.zeros_like(found[0][:, :0])
            ids = name == "input_ids"
            found = [
                padded(row.get(name, missing), int(row[name][0, 0]) if ids else 0) for row in rows
            ]
        inputs[name] = torch.cat(found)
    mask = torch.cat([padded(prompt.instruction_mask.int(), 0) for prompt in prompts]).bool()
    return inputs, mask


def batch_size(methods: Methods, wanted: int) -> int:
    """Return how many prompts of different lengths these methods can answer at once."""
    return 1 if any(map(_shifts_the_mask, methods.values())) else wanted


def _shifts_the_mask(method: SinkTrack | None) -> bool:
    return method is not None and method.causal == "official"


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


def _check_fork(model: Any, fork_layer: int) -> None:
    """Refuse lanes that part while the model still adds picture features between its layers."""
    vision = getattr(model.config, "vision_config", None)
    deep = len(getattr(vision, "deepstack_visual_indexes", None) or ())
    if fork_layer < deep:
        raise MethodError(
            f"A method injects at layer {fork_layer}, but {type(model).__name__} adds picture "
            f"features after each of its first {deep} layers, while a prompt's lanes are still one "
            f"row: inject from layer {deep} on, or answer with one lane at a time."
        )


@torch.no_grad()
def _next_logits(model: Any, **inputs: Any) -> torch.Tensor:
    """Read tokens; return the next ones' logits (rows, V)."""
    logits: torch.Tensor = model(**inputs, logits_to_keep=1).logits[:, -1]
    return logits
