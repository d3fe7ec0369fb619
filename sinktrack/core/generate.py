"""The one decode loop: several prompts answered by several methods, as rows of one batch.

Rows stand prompt by prompt, within a prompt method by method, and a method may have several.
Pictures are encoded once and prompts read once: up to the first layer that any method changes, rows
with the same prompt are one row. From there on each is its own, and every decode step serves them
all. Knows nothing about files, pages, tasks or how a method works.
"""

import math
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import datetime, timezone
from itertools import count
from typing import Any

import torch
import transformers

from sinktrack.core.architecture import decoder_layers, input_device, unwrapped
from sinktrack.core.attach import Attachment
from sinktrack.core.batch import Beginnings, Methods, left_pad, padded_beginnings
from sinktrack.core.cache import Cache, cache_as_json
from sinktrack.core.captured import captured_steps
from sinktrack.core.comparison import Comparison
from sinktrack.core.decoding import Decoding, Sampler
from sinktrack.core.errors import DeviceMemoryError, MethodError, ModelError, PromptError
from sinktrack.core.intervention import Intervention, fit
from sinktrack.core.layout import Layout
from sinktrack.core.models import model_name, revision_of
from sinktrack.core.pieces import in_pieces
from sinktrack.core.products import fast_products
from sinktrack.core.prompt import Prompt
from sinktrack.core.reading import (
    after_each_layer,
    fresh_positions,
    last_states,
    with_positions,
)
from sinktrack.core.recorder import Recorder
from sinktrack.core.roomy_cache import roomy_cache
from sinktrack.core.row import Row
from sinktrack.core.text import token_texts
from sinktrack.core.trace import Token
from sinktrack.core.upstream import cache_argument
from sinktrack.version import VERSION

_OUT_OF_MEMORY = ("out of memory", "allocate memory", "alloc_failed")
"""What devices say in lower case."""
_OFTEN = 4
"""Rows go when one in so many has ended, because all others are copied then."""


class Generator:
    """Answers to prompts while they grow.

    Args:
        model: A transformers model of a known family.
        tokenizer: Turns its ids into text.
        prompts: From `sinktrack.core.prompt`; of any lengths, with pictures or without.
        methods: Names to methods, None being the plain model.
        decoding: How long answers may be and how their tokens are chosen.
        cache: "full", or a `SinkWindow` that all rows share.
        record: Whether to record attention. It changes no token.
        seeds: Of the sampling noise, one a prompt, so that what is drawn for a prompt does not
            depend on those beside it; by default all share the seed of `decoding`.
        beginnings: The first ids of answers, by method, one mapping a prompt; what is not told
            is chosen. A method acts while they are written as it does while it chooses.

    Attributes:
        rows: What each method has written so far, one list a prompt.
        after_layer: Told the number of each decoder layer that runs, and its output, in every
            forward pass of the answers; those of `Intervention.readings` are not among them.

    Raises:
        MethodError: If a method does not fit the model, or its generation config asks for more.
        PromptError: If a prompt has padding of its own, or lacks what a method needs.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        prompts: Sequence[Prompt],
        methods: Methods,
        *,
        decoding: Decoding,
        cache: Cache = "full",
        record: bool = True,
        seeds: Sequence[int] | None = None,
        beginnings: Sequence[Beginnings] | None = None,
    ) -> None:
        """Check that everything fits; nothing is read yet."""
        self._model, self._tokenizer = unwrapped(model), tokenizer
        self._prompts, self._cache, self._decoding = prompts, cache, decoding
        self._seeds = seeds
        if not prompts:
            raise PromptError("There is no prompt: give at least one.")
        if not isinstance(methods, Mapping) or not methods:
            raise MethodError(
                "There are no methods: give at least one by a name of its own, such as "
                '{"baseline": None}.'
            )
        for name, one in methods.items():
            if one is not None and not isinstance(one, Intervention):
                raise MethodError(
                    f"{name} is {one!r}, which is not a method: give one of sinktrack.methods, or "
                    "None for the plain model."
                )
        fitted = {
            name: None if one is None else fit(one, self._model) for name, one in methods.items()
        }
        self.after_layer: Callable[[int, torch.Tensor], None] | None = None
        self.rows = [[Row(name, one, tokenizer) for name, one in fitted.items()] for _ in prompts]
        self._main_rows = [row for rows in self.rows for row in rows]
        self._told: Sequence[Beginnings] = beginnings or [{}] * len(prompts)
        self._beginnings = padded_beginnings(
            self._told, list(fitted), self._model.config.get_text_config().vocab_size
        )
        layers = len(decoder_layers(self._model))
        fork = min((each.first_layer(layers) for each in fitted.values() if each), default=layers)
        # Where picture features join between layers, rows cannot part before the last of them.
        pictures = any(prompt.image_tokens for prompt in prompts)
        share = not pictures or fork >= _deepstack(self._model)
        self._layout = Layout(prompts, fitted, share=share)
        inputs, parts = left_pad(self._layout.given)
        padded = not inputs["attention_mask"].all()
        for one in fitted.values():
            if padded and one is not None and one.needs_no_padding:
                raise MethodError(
                    'causal="official" is what the public code does without padding, so prompts '
                    "of different lengths cannot be one batch: answer them one by one (--batch 1), "
                    "and without a method such as cad, which reads a shorter prompt beside it."
                )
        device = input_device(self._model)
        self._inputs = {name: value.to(device) for name, value in inputs.items()}
        parts = replace(parts, tokenizer=tokenizer)
        self._attachment = Attachment(
            self._model,
            self._layout.methods,
            cache=cache,
            record=record,
            prompts=parts,
            rows_of=self._layout.rows_of,
            each=self._layout.each,
        )

    def steps(self, stop: Callable[[], bool] | None = None) -> Iterator[list[dict[str, Token]]]:
        """Read the prompts, then write a token a step until every answer has ended.

        The model is held until then, or until the iterator is closed.

        Args:
            stop: Asked after every step; True ends all answers there.

        Yields:
            What each method wrote for each prompt; one whose answer has ended is absent.

        Raises:
            DeviceMemoryError: If the device is too small.
        """
        if any(row.ids for row in self._main_rows):
            raise PromptError("These answers were written already: make another Generator.")
        began = time.perf_counter()
        with self._memory_sentence():
            self._attachment.readings = {
                method: last_states(self._model, prompts)
                for method, prompts in self._layout.readings.items()
            }
        read = time.perf_counter() - began
        model = self._model
        with (
            self._attachment.active(),
            fresh_positions(model),
            fast_products(model),
            captured_steps(model, lambda: self._attachment.steps_are_plain),
            after_each_layer(model, self.after_layer) if self.after_layer else nullcontext(),
            self._memory_sentence(),
        ):
            ids, mask = (
                self._inputs[name][self._layout.main_given.to(self._inputs[name].device)]
                for name in ("input_ids", "attention_mask")
            )
            # Only now, because a limit of time counts from here.
            self._sampler = Sampler(self._decoding, model, self._tokenizer, ids, mask, self._seeds)
            for written in self._decode(ids, read):
                if stop is not None and stop():
                    for row in self._main_rows:
                        row.end("stopped")
                self._tell_moved()
                yield written
                if self.ended:
                    return

    def _tell_moved(self) -> None:
        """Tell every row whose answer has just ended how far its method moved it until then."""
        for row, place in zip(self._main_rows, self.places, strict=True):
            running = self._attachment.running_of(place)
            if row.finish is not None and row.moved is None and running is not None:
                row.moved = running.most_moved(place)

    @property
    def recorder(self) -> Recorder:
        """What records the attention of all rows of the batch."""
        return self._attachment.recorder

    @property
    def places(self) -> list[int]:
        """The row of the batch that writes each answer, prompt by prompt."""
        places: list[int] = self._layout.main.tolist()
        return places

    @property
    def asked(self) -> list[Prompt]:
        """The prompt that each answer's own row reads, prompt by prompt."""
        return [self._layout.given[at] for at in self._layout.main_given.tolist()]

    def run(self) -> None:
        """Write every answer to its end."""
        for _ in self.steps():
            pass

    @property
    def ended(self) -> bool:
        """Whether every answer has ended."""
        return all(row.finish for row in self._main_rows)

    def comparisons(self) -> list[Comparison]:
        """Return the answers to each prompt, once they have ended."""
        settings = self._sampler.settings | {
            "cache": cache_as_json(self._cache),
            "device": str(input_device(self._model)),
            "dtype": str(self._model.dtype).removeprefix("torch."),
        }
        places = iter(self.places)
        found = []
        for prompt, rows, told in zip(self._prompts, self.rows, self._told, strict=True):
            beginnings = {name: list(map(int, ids)) for name, ids in told.items() if ids}
            ids = prompt.inputs["input_ids"][0].tolist()
            answers = []
            for row in rows:
                place = next(places)
                answers.append(row.answer(self.recorder, place))
            comparison = Comparison(
                answers={answer.name: answer for answer in answers},
                turns=prompt.turns,
                settings=settings | ({"beginnings": beginnings} if beginnings else {}),
                model_name=model_name(self._model),
                made=datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
                revision=revision_of(self._model),
                versions={
                    "python": platform.python_version(),
                    "sinktrack": VERSION,
                    "torch": torch.__version__,
                    "transformers": transformers.__version__,
                },
                prompt=tuple(map(Token, ids, token_texts(self._tokenizer, ids))),
            )
            found.append(comparison)
        return found

    def _decode(self, ids: torch.Tensor, read: float) -> Iterator[list[dict[str, Token]]]:
        """Read the prompts, then yield what the rows of `ids` write, step by step, without end.

        Args:
            ids: int64 (M, T), the prompts of the rows that write.
            read: How many seconds it took to read what methods have read before.
        """
        started = time.perf_counter() - read
        model, layout = self._model, self._layout
        inputs = with_positions(self._inputs)
        cache: Any = roomy_cache(model.config.get_text_config())
        cached = {cache_argument(model): cache, "use_cache": True}
        with in_pieces(model):
            logits = _next_logits(model, **inputs, **cached)
        rows_of = torch.tensor(layout.rows_of, device=ids.device)
        fork = self._attachment.fork_layer
        for layer in cache.layers[:fork]:  # up to here rows with the same prompt were one
            layer.batch_select_indices(rows_of.to(layer.keys.device))
        if fork >= len(cache.layers):
            logits = logits[rows_of.to(logits.device)]
        _repeat_positions(model, rows_of)
        main, main_of = layout.main.to(logits.device), layout.main_of.to(ids.device)
        read_on = torch.arange(len(main_of), device=ids.device)
        for step in count():
            scores = self._attachment.distributions(logits)[main]
            chosen = self._sampler(ids, scores, logits[main])
            if step < self._beginnings.shape[1]:
                told = self._beginnings[:, step].to(chosen.device)
                chosen = torch.where(told >= 0, told, chosen)
            likely = scores.float().log_softmax(-1)
            own = likely.gather(1, chosen[:, None])[:, 0].exp()
            if self.recorder.enabled:
                self.recorder.chose_from(likely, main)
            ids = torch.cat([ids, chosen[:, None]], dim=1)
            yield self._written(
                chosen.tolist(),
                own.tolist(),
                self._sampler.ended(ids),
                time.perf_counter() - started,
            )
            read_on = self._still_read(read_on, cache)
            new = _next_logits(model, input_ids=ids[main_of[read_on], -1:], **cached)
            # The rows that are left out have ended: what they are said to be is of no consequence.
            if len(new) < len(logits):
                new = logits.index_copy(0, read_on.to(logits.device), new)
            logits = new

    def _still_read(self, rows: torch.Tensor, cache: Any) -> torch.Tensor:
        """Take rows whose answers have ended out of the batch that the model reads, many at once.

        Args:
            rows: int64 (n,), which rows of the batch the model reads.
            cache: Their keys and values, of which those of the others go.

        Returns:
            int64, those that it reads from now on.
        """
        if not self._attachment.steps_are_plain:
            return rows
        goes_on = torch.tensor([row.finish is None for row in self._main_rows])
        kept = goes_on[self._layout.main_of][rows.cpu()].nonzero()[:, 0]
        if len(kept) == 0 or (len(rows) - len(kept)) * _OFTEN < len(rows):
            return rows
        for layer in cache.layers:
            layer.batch_select_indices(kept.to(layer.keys.device))
        _repeat_positions(self._model, kept)
        self._attachment.keep_rows(kept)
        return rows[kept.to(rows.device)]

    def _written(
        self,
        chosen: list[int],
        probabilities: list[float],
        ends: Sequence[Any],
        seconds: float,
    ) -> list[dict[str, Token]]:
        """Give every row its token; return what the rows that still write wrote."""
        written: list[dict[str, Token]] = []
        told = zip(chosen, probabilities, ends, strict=True)
        for rows in self.rows:
            own = {}
            for row in rows:
                token_id, probability, finish = next(told)
                if row.finish is None:
                    self._check_number(row.name, probability)
                    own[row.name] = row.take(token_id, probability, finish, seconds)
            written.append(own)
        return written

    def _check_number(self, name: str, probability: float) -> None:
        """Refuse to go on where a model gives no number, as float16 does when it overflows."""
        if not math.isfinite(probability):
            raise ModelError(
                f"{name}: the model's logits are no numbers in {self._model.dtype}: load it in "
                "bfloat16 or float32, or choose milder parameters."
            )

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
            methods, several = len(self.rows[0]), len(self._prompts) > 1
            where = f"{len(self._prompts)} prompts for {methods}" if several else f"{methods}"
            smaller = "a smaller batch, " if several else ""
            raise DeviceMemoryError(
                f"The device ran out of memory on {tokens} image tokens and {where} methods: take "
                f"{smaller}a smaller picture, fewer new tokens or fewer methods."
            ) from error


def _repeat_positions(model: Any, rows_of: torch.Tensor) -> None:
    """Give every row what the model keeps of the positions of the prompt it began as."""
    for module in model.modules():
        kept = getattr(module, "rope_deltas", None)
        if kept is not None and len(kept) > 1:
            module.rope_deltas = kept[rows_of.to(kept.device)]


def _deepstack(model: Any) -> int:
    """Return after how many of its first layers a model adds picture features."""
    vision = getattr(model.config, "vision_config", None)
    return len(getattr(vision, "deepstack_visual_indexes", None) or ())


@torch.no_grad()
def _next_logits(model: Any, **inputs: Any) -> torch.Tensor:
    """Read tokens; return the next ones' logits (rows, V)."""
    logits: torch.Tensor = model(**inputs, logits_to_keep=1).logits[:, -1]
    return logits
