"""Plug methods and recording into a transformers model for the length of a `with` block.

Inside the block the decoder runs on the attention function of `sinktrack.core.attention`. Hooks
stand only where a method or the recorder asked for them, in the prompt and in later steps. While
the prompt is read each layer must report, so nothing is ever the plain model without a word. On
leaving, everything is as it was.
"""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import nn

from sinktrack.core.architecture import decoder_layers, set_decoder_attention, unwrapped
from sinktrack.core.attention import IMPLEMENTATION
from sinktrack.core.cache import Cache, CacheColumns, WindowedCache, check_cache
from sinktrack.core.columns import KeyParts
from sinktrack.core.errors import AttachError, MethodError, PromptError
from sinktrack.core.intervention import Intervention, fit
from sinktrack.core.layer_hooks import LayerHooks
from sinktrack.core.lock import model_lock
from sinktrack.core.parts import PromptParts, attended_positions
from sinktrack.core.recorder import Recorder
from sinktrack.core.running import Running, running_at, start_all
from sinktrack.core.upstream import cache_of

Methods = Intervention | None | Sequence[Intervention | None]


@contextmanager
def attach(
    model: Any,
    method: Methods = None,
    *,
    context_mask: torch.Tensor | None = None,
    cache: Cache = "full",
    record: bool = True,
) -> Iterator[Recorder]:
    """Run a model's own `generate` or `forward` with a method, and record its attention.

    Works for batches, with left padding, and for text-only models. One block at a time holds a
    model: another thread waits for its turn, because models keep state between the steps of a
    generation. Inside the block the decoder runs on SDPA, whatever it was loaded with. Generation
    must use its cache; under beam search a trace's rows are beams that change places.

    Args:
        model: A transformers model whose decoder calls transformers' AttentionInterface, or a PEFT
            model around one.
        method: The method for every row, None for the plain model, or a sequence with one a row.
            A method with prompts of its own answers through `compare` and `stream` alone.
        context_mask: bool (B, T) or (1, T), True on the instruction; needed by methods whose
            context holds it. `sinktrack.core.prompt` makes it.
        cache: "full", or a `SinkWindow` to which the model's own cache is cut before each step.
        record: False skips recording, and `recorder.trace()` raises.

    Yields:
        The recorder. Its `trace()` gives the last generation's `AttentionTrace`.

    Raises:
        MethodError: If the method does not fit the model or the batch.
        AttachError: If this thread holds the model already, or the model cannot be attached to.
            From `generate` or `forward`, if a layer passed the method or the recording by.
        PromptError: From `generate` or `forward`, if a prompt lacks the context.
    """
    for one in method if isinstance(method, Sequence) else [method]:
        if isinstance(one, Intervention) and one.needs_prompts:
            raise MethodError(
                f"{one.kind} needs prompts of its own or the tokenizer, which only "
                "sinktrack.compare and sinktrack.stream have: use one of them."
            )
    attachment = Attachment(model, method, context_mask=context_mask, cache=cache, record=record)
    with attachment.active():
        yield attachment.recorder


class Attachment:
    """The hooks of one block, and what the forward pass under way needs of them.

    Args:
        model: As for `attach`.
        method: As for `attach`; with `rows_of` a sequence with one a row of the batch.
        context_mask: As for `attach`.
        cache: As for `attach`.
        record: As for `attach`.
        prompts: The parts of the rows that the model is given; None to tell them by its inputs.
        rows_of: For each row of the batch which row given to the model it begins as. Up to the
            first layer that any method changes, rows that begin alike are one row.
        each: How many rows a prompt has, by method; 1 where it is not named.

    Attributes:
        readings: What `Hooks.read` is given, by method, to be filled in before a prompt is read.
    """

    def __init__(
        self,
        model: Any,
        method: Methods,
        *,
        context_mask: torch.Tensor | None = None,
        cache: Cache = "full",
        record: bool = True,
        prompts: PromptParts | None = None,
        rows_of: Sequence[int] | None = None,
        each: Mapping[Intervention, int] | None = None,
    ) -> None:
        """Check that the methods fit the model; nothing is changed yet."""
        model = unwrapped(model)
        self.model = model
        self.layers = decoder_layers(model)
        chosen = list(method) if isinstance(method, Sequence) else [method]
        for one in chosen:
            if one is not None and not isinstance(one, Intervention):
                raise MethodError(
                    f"{one!r} is not a method: give one of sinktrack.methods, or None for the "
                    "plain model."
                )
        fitted = [None if one is None else fit(one, model) for one in chosen]
        self.methods = fitted if isinstance(method, Sequence) else fitted[0]
        self._each, self._given, self._mask = each or {}, prompts, context_mask
        self.readings: dict[Intervention, torch.Tensor] = {}
        self._rows_of = None if rows_of is None else torch.tensor(rows_of)
        self.fork_layer = min(
            (one.first_layer(len(self.layers)) for one in fitted if one is not None),
            default=len(self.layers),
        )
        self.recorder = Recorder(len(self.layers), enabled=record, eos_ids=_eos_ids(model))
        kept = check_cache(cache)
        several = rows_of is not None and len(set(rows_of)) > 1
        self._columns: CacheColumns | None = CacheColumns() if several else None
        if kept is not None:
            self._columns = WindowedCache(kept, model.get_decoder())
        self._signature = inspect.signature(model.forward)
        self._hooks = LayerHooks(
            model,
            self.recorder,
            rows_of=self._rows_of,
            fork_layer=self.fork_layer,
            windowed=self._windowed,
        )
        self._last_prompt: torch.Tensor | None = None  # int64 (B, T), while its cache may be used
        self._cache: Any = None  # the one that the prompt's keys are in, where that is known

    @contextmanager
    def active(self) -> Iterator[None]:
        """Hold the model and keep the hooks on it until the block ends."""
        with ExitStack() as undo:
            undo.enter_context(model_lock(self.model))
            undo.enter_context(_implementation(self.model))
            undo.callback(self._hooks.remove)
            hooks = [self.model.register_forward_pre_hook(self._before_model, with_kwargs=True)]
            hooks.append(self.model.register_forward_hook(self._after_model, always_call=True))
            if self._columns is not None:
                decoder = self.model.get_decoder()
                hooks.append(
                    decoder.register_forward_pre_hook(self._before_decoder, with_kwargs=True)
                )
            for hook in hooks:
                undo.callback(hook.remove)
            self._hooks.prefill = True  # so that a part of the model called by itself is refused
            self._hooks.place()
            yield

    def distributions(self, logits: torch.Tensor) -> torch.Tensor:
        """Return the logits that choose the next tokens.

        Args:
            logits: (B, V), of every row of the batch.

        Returns:
            (B, V); where a method gives a distribution, it stands in all rows of its prompt.
        """
        for running in self._hooks.running:
            if running.hooks.overrides("logits"):
                rows = running.rows.to(logits.device)
                new = running.distribution(logits[rows]).repeat_interleave(running.each, dim=0)
                logits = logits.float().index_copy(0, rows, new)
        return logits

    @property
    def steps_are_plain(self) -> bool:
        """Whether the steps of an answer are the plain model's, into whose layers nobody looks.

        It knows no row by its number, so rows may go.

        The last forward pass tells, so after the prompt it is False.
        """
        return not (self.recorder.enabled or self._windowed or self._hooks.placed)

    def keep_rows(self, rows: torch.Tensor) -> None:
        """Forget the rows that the next step no longer reads.

        Args:
            rows: int64 (n,), which rows of the step before are kept.
        """
        if self._columns is not None:
            self._columns.keep_rows(rows)

    def running_of(self, row: int) -> Running | None:
        """Return the method at work on a row of the batch."""
        return running_at(self._hooks.running, row)

    # What happens around one forward pass of the model.

    def _before_model(self, _: nn.Module, args: Any, kwargs: dict[str, Any]) -> None:
        call = self._signature.bind_partial(*args, **kwargs).arguments
        call |= call.pop("kwargs", {})
        cache, input_ids = cache_of(call), call.get("input_ids")
        prefill = cache is None or cache.get_seq_length() == 0
        if prefill:
            self._refuse_no_cache(call, cache, input_ids)
            self._start(call, input_ids)
            self._last_prompt = input_ids
        elif (
            self._last_prompt is None
            or input_ids is None
            or input_ids.shape[1] > 1
            or (self._cache is not None and cache is not self._cache)
        ):
            raise AttachError(
                "Inside the block a prompt must be read in one piece and answers a token at a "
                "time: leave out a cache from before, several caches in turn (guidance_scale), "
                "prefill_chunk_size and assisted generation."
            )
        else:
            self._hooks.keys.grow()
        self._cache = cache
        for running in self._hooks.running:
            running.begin_step(self.recorder.enabled)
        if self.recorder.enabled:
            self.recorder.begin_step(None if prefill else input_ids)
        self._hooks.begin_forward(prefill)

    def _refuse_no_cache(
        self, call: dict[str, Any], cache: Any, input_ids: torch.Tensor | None
    ) -> None:
        """Refuse a generation without a cache, whose every step would look like a new prompt."""
        before = self._last_prompt
        if call.get("use_cache") is not False or cache is not None or input_ids is None:
            return
        goes_on = (
            before is not None
            and input_ids.shape == (before.shape[0], before.shape[1] + 1)
            and torch.equal(input_ids[:, :-1], before)
        )
        if goes_on or self._windowed:
            raise AttachError(
                "The generation uses no cache (use_cache is False), so prompt and answer cannot be "
                "told apart: pass use_cache=True, or set model.generation_config.use_cache = True."
            )

    def _start(self, call: dict[str, Any], input_ids: torch.Tensor | None) -> None:
        """Tell the prompts' parts and start the methods."""
        if input_ids is None:
            raise AttachError(
                "The model was called without input_ids, so the image tokens cannot be found: pass "
                "input_ids instead of inputs_embeds."
            )
        given = self._given or PromptParts.of(
            self.model.config,
            input_ids,
            attended=attended_positions(call.get("attention_mask"), input_ids),
            instruction=self._mask,
            image_grid_thw=call.get("image_grid_thw"),
            video_grid_thw=call.get("video_grid_thw"),
            position_ids=call.get("position_ids"),
        )
        prompts = given if self._rows_of is None else given.select(self._rows_of)
        methods = self._methods_for(len(prompts.input_ids))
        for row, method in enumerate(methods if self._given is None else []):
            if method is not None and method.needs is not None:
                prompts.positions(row, method.needs)  # which says what is missing
        keys = KeyParts(prompts)
        running = start_all(methods, self._each, self.readings, prompts, self.model)
        last = any(each.hooks.overrides(hook) for each in running for hook in ("scores", "logits"))
        if (self.recorder.enabled or last) and not given.attended[:, -1].all():
            raise PromptError(
                "There is padding on the right, so the last query of a prompt would be padding: "
                'set padding_side="left", or attach with record=False and a method that does not '
                "look at the last query."
            )
        self._hooks.start(KeyParts(given), keys, running)
        if self.recorder.enabled:
            self.recorder.start(keys, methods, running, self._rows_of)

    def _methods_for(self, rows: int) -> list[Intervention | None]:
        if not isinstance(self.methods, Sequence):
            return [self.methods] * rows
        if len(self.methods) == rows:
            return list(self.methods)
        raise MethodError(
            f"There are {len(self.methods)} methods for a batch of {rows} rows: give one method "
            "for all rows, or one a row."
        )

    @property
    def _windowed(self) -> bool:
        return isinstance(self._columns, WindowedCache)

    def _after_model(self, _: nn.Module, args: Any, output: Any) -> Any:
        if not self._hooks.in_forward:
            return None
        prefill, passed_by = self._hooks.prefill, self._hooks.end_forward()
        if self._cache is None and isinstance(output, Mapping):
            self._cache = cache_of(output)
        failed = output is None or passed_by is not None
        if failed and not prefill:
            self._hooks.keys.take_back()
            for running in self._hooks.running:
                running.abandon_step()
        if self.recorder.enabled and failed:
            self.recorder.abandon_step()
        if output is None:
            return None
        if passed_by is not None:
            raise AttachError(
                f"Decoder layer {passed_by} ({type(self.layers[passed_by]).__name__}) passed "
                "SinkTrack's attention function by, so its output would be the plain model's: "
                "this model, or something that wraps its layers, cannot be used with it."
            )
        logits = getattr(output, "logits", None)
        changes = self._rows_of is None and any(
            running.hooks.overrides("logits") for running in self._hooks.running
        )
        if changes and logits is None:
            raise AttachError(
                "The model returned a tuple, in which the method cannot change the logits: call it "
                "with return_dict=True."
            )
        if changes and logits is not None:
            chosen = self.distributions(logits[:, -1])[:, None].to(logits.dtype)
            output.logits = logits = torch.cat([logits[:, :-1], chosen], dim=1)
        if self.recorder.enabled:
            self.recorder.end_step(logits)
            if self._rows_of is None and logits is not None:
                self.recorder.chose_from(logits[:, -1].float().log_softmax(-1))
        return output if changes else None

    def _before_decoder(self, _: nn.Module, args: Any, kwargs: dict[str, Any]) -> Any:
        """Cut the cache to its window; the next token then stands right behind what is kept."""
        if not self._hooks.in_forward or self._columns is None:
            return None
        if self._hooks.prefill:
            attended = self._hooks.keys.prompts.attended
            self._columns.start(attended, kwargs.get("position_ids"), self._rows_of)
            return None
        if isinstance(self._columns, WindowedCache):
            kept = self._columns.cut(cache_of(kwargs))
            if kept is not None:
                self._hooks.keys.keep(kept)
        position_ids, mask = self._columns.next_token()
        entering = kwargs.get("inputs_embeds")
        device = position_ids.device if entering is None else entering.device
        kwargs["position_ids"] = position_ids.to(device)
        kwargs["attention_mask"] = None if mask is None else mask.to(device)
        return args, kwargs


def _eos_ids(model: Any) -> list[int]:
    """Return the ids that end an answer by the model's generation config."""
    eos = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    return [] if eos is None else torch.as_tensor(eos).reshape(-1).tolist()


@contextmanager
def _implementation(model: Any) -> Iterator[None]:
    """Switch the decoder's attention function, and back."""
    text_config = model.config.get_text_config()
    before = text_config._attn_implementation
    set_decoder_attention(model, IMPLEMENTATION)
    try:
        if text_config._attn_implementation != IMPLEMENTATION:
            raise AttachError(
                f"{type(model).__name__} does not use transformers' AttentionInterface, so "
                "SinkTrack cannot be attached to it."
            )
        yield
    finally:
        set_decoder_attention(model, before)
