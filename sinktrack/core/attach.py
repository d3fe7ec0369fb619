"""Plug SinkTrack and recording into a transformers model for the length of a `with` block.

Inside the block the decoder runs on the attention function of `sinktrack.core.attention`. A hook
before each decoder layer reads the context features; a hook before its attention module tells that
function, by a keyword argument, where to write and what to record. After every forward pass each
layer must have reported, so nothing is ever the plain model without a word. On leaving, everything
is as it was.
"""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import nn

from sinktrack.core.architecture import (
    check_method,
    decoder_layers,
    set_decoder_attention,
    unwrapped,
)
from sinktrack.core.attention import IMPLEMENTATION, Injection, SinkTap
from sinktrack.core.cache import Cache, CacheColumns, WindowedCache, check_cache
from sinktrack.core.errors import AttachError, MethodError, PromptError
from sinktrack.core.lock import hold
from sinktrack.core.parts import PADDING, PromptSegments, attended_positions
from sinktrack.core.recorder import Recorder
from sinktrack.core.upstream import cache_of
from sinktrack.methods.sinktrack import SinkTrack

Methods = SinkTrack | None | Sequence[SinkTrack | None]


@contextmanager
def attach(
    model: Any,
    method: Methods = None,
    *,
    context_mask: torch.Tensor | None = None,
    cache: Cache = "full",
    record: bool = True,
) -> Iterator[Recorder]:
    """Run a model's own `generate` or `forward` with SinkTrack, and record its attention.

    Works for batches, with left padding, and for text-only models. One block at a time holds a
    model: another thread waits for its turn, because models keep state between the steps of a
    generation. Inside the block the decoder runs on SDPA, whatever it was loaded with. Generation
    must use its cache; under beam search a trace's rows are beams that change places.

    Args:
        model: A transformers model whose decoder calls transformers' AttentionInterface, or a PEFT
            model around one.
        method: The method for every row, None for the plain model, or a sequence with one a row.
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
    attachment = Attachment(model, method, context_mask=context_mask, cache=cache, record=record)
    with attachment.active():
        yield attachment.recorder


class Attachment:
    """The hooks of one block, and what the forward pass under way needs of them.

    Args:
        model: As for `attach`.
        method: As for `attach`.
        context_mask: As for `attach`.
        cache: As for `attach`.
        record: As for `attach`.
        rows_a_prompt: Read each prompt once for so many methods: it stays one row up to the first
            layer where any method injects, and is one row a method from there. `method` then names
            one for each row, prompt by prompt. 0 for a batch as it is.
    """

    def __init__(
        self,
        model: Any,
        method: Methods,
        *,
        context_mask: torch.Tensor | None = None,
        cache: Cache = "full",
        record: bool = True,
        rows_a_prompt: int = 0,
    ) -> None:
        """Check that the methods fit the model; nothing is changed yet."""
        model = unwrapped(model)
        self.model = model
        self.layers = decoder_layers(model)
        self.methods = method
        self.context_mask = context_mask
        self.rows_a_prompt = rows_a_prompt
        chosen = list(method) if isinstance(method, Sequence) else [method]
        for one in chosen:
            if one is not None:
                if not isinstance(one, SinkTrack):
                    raise MethodError(
                        f"{one!r} is not a method: give a SinkTrack, or None for the plain model."
                    )
                one.check_fits(len(self.layers))
                check_method(self.layers, one)
        injecting = [layer for one in chosen if one is not None for layer in one.layers]
        self.fork_layer = min(injecting, default=len(self.layers))
        self.recorder = Recorder(len(self.layers), enabled=record, eos_ids=_eos_ids(model))
        kept = check_cache(cache)
        several = rows_a_prompt > 0 and len(chosen) > rows_a_prompt
        self._columns: CacheColumns | None = CacheColumns() if several else None
        if kept is not None:
            self._columns = WindowedCache(kept, model.get_decoder())
        self._signature = inspect.signature(model.forward)
        self._prefill: _Prefill | None = None
        self._in_forward = False
        self._last_prompt: torch.Tensor | None = None  # int64 (B, T), while its cache may be used
        self._reported: set[int] = set()
        self._turned: set[int] = set()
        self._cache: Any = None  # the one that the prompt's keys are in, where that is known

    @contextmanager
    def active(self) -> Iterator[None]:
        """Hold the model and keep the hooks on it until the block ends."""
        with ExitStack() as undo:
            undo.enter_context(hold(self.model))
            undo.enter_context(_implementation(self.model))
            hooks = [self.model.register_forward_pre_hook(self._before_model, with_kwargs=True)]
            for index, layer in enumerate(self.layers):
                attention: Any = layer.self_attn
                hooks += [
                    layer.register_forward_pre_hook(self._before_layer(index), with_kwargs=True),
                    attention.register_forward_pre_hook(
                        self._before_attention(index), with_kwargs=True
                    ),
                ]
            hooks.append(self.model.register_forward_hook(self._after_model, always_call=True))
            if self._columns is not None:
                decoder = self.model.get_decoder()
                hooks.append(
                    decoder.register_forward_pre_hook(self._before_decoder, with_kwargs=True)
                )
            for hook in hooks:
                undo.callback(hook.remove)
            yield

    def _before_model(self, _: nn.Module, args: Any, kwargs: dict[str, Any]) -> None:
        call = self._signature.bind_partial(*args, **kwargs).arguments
        call |= call.pop("kwargs", {})
        cache, input_ids = cache_of(call), call.get("input_ids")
        self._prefill = None
        if cache is None or cache.get_seq_length() == 0:
            self._refuse_no_cache(call, cache, input_ids)
            self._prefill = self._start(call, input_ids)
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
        self._cache = cache
        if self.recorder.enabled:
            self.recorder.begin_step(None if self._prefill else input_ids)
        self._reported.clear()
        self._in_forward = True

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

    def _start(self, call: dict[str, Any], input_ids: torch.Tensor | None) -> "_Prefill":
        if input_ids is None:
            raise AttachError(
                "The model was called without input_ids, so the image tokens cannot be found: pass "
                "input_ids instead of inputs_embeds."
            )
        methods = self._methods_for(len(input_ids))
        prompt = PromptSegments.of(
            self.model.config,
            input_ids,
            attended=attended_positions(call.get("attention_mask"), input_ids),
            instruction=self.context_mask,
            image_grid_thw=call.get("image_grid_thw"),
            video_grid_thw=call.get("video_grid_thw"),
            position_ids=call.get("position_ids"),
        )
        if self.recorder.enabled and (prompt.labels[:, -1] == PADDING).any():
            raise PromptError(
                "There is padding on the right, so the last query of a prompt would be padding: "
                'set padding_side="left", or attach with record=False.'
            )
        if self.rows_a_prompt:
            prompt = prompt.repeated(self.rows_a_prompt)
        if self.recorder.enabled:
            self.recorder.start(prompt, methods)
        return _Prefill(prompt, methods)

    @property
    def _windowed(self) -> bool:
        return isinstance(self._columns, WindowedCache)

    def _methods_for(self, rows: int) -> list[SinkTrack | None]:
        if not isinstance(self.methods, Sequence):
            return [self.methods] * rows
        if len(self.methods) == rows * (self.rows_a_prompt or 1):
            return list(self.methods)
        raise MethodError(
            f"There are {len(self.methods)} methods for a batch of {rows} rows: give one method "
            "for all rows, or one a row."
        )

    def _before_decoder(self, _: nn.Module, args: Any, kwargs: dict[str, Any]) -> Any:
        """Cut the cache to its window; the next token then stands right behind what is kept."""
        if not self._in_forward or self._columns is None:
            return None
        if self._prefill is not None:
            self._columns.start(self._prefill.attended, kwargs.get("position_ids"))
            return None
        if isinstance(self._columns, WindowedCache):
            kept = self._columns.cut(cache_of(kwargs))
            if kept is not None and self.recorder.enabled:
                self.recorder.keep(kept)
        position_ids, mask = self._columns.next_token()
        entering = kwargs.get("inputs_embeds")
        device = position_ids.device if entering is None else entering.device
        kwargs["position_ids"] = position_ids.to(device)
        kwargs["attention_mask"] = None if mask is None else mask.to(device)
        return args, kwargs

    def _before_layer(self, index: int) -> Any:
        def hook(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            if self._prefill is None:
                return None
            if not args:
                raise AttachError(
                    f"Decoder layer {index} of {type(self.model).__name__} takes its hidden states "
                    "by keyword, so they cannot be read: SinkTrack cannot be attached to it."
                )
            if self.rows_a_prompt and index >= self.fork_layer:
                if index == self.fork_layer:
                    args = (args[0].repeat_interleave(self.rows_a_prompt, dim=0), *args[1:])
                kwargs = self._prefill.forked(kwargs, self.rows_a_prompt)
            self._prefill.read_features(index, args[0])
            return args, kwargs

        return hook

    def _before_attention(self, index: int) -> Any:
        input_norm = getattr(self.layers[index], "input_layernorm", None)

        def hook(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            if not self._in_forward:
                raise AttachError(
                    f"Layer {index} ran outside the forward of {type(self.model).__name__}, so "
                    "nothing would be written or recorded: inside the block call the model "
                    "itself and not a part of it, without gradient checkpointing."
                )
            injections = self._prefill.injections(index) if self._prefill is not None else []
            recorder = self.recorder if self.recorder.enabled else None
            rotary = kwargs.get("position_embeddings")
            entering = kwargs.get("hidden_states", args[0] if args else None)
            checked = bool(injections) or (self._windowed and index not in self._turned)
            kwargs["sink_tap"] = SinkTap(
                index,
                injections,
                input_norm,
                rotary,
                recorder,
                self._reported,
                entering if checked else None,
            )
            if entering is not None and entering.shape[1] > 1:
                self._turned.add(index)  # its rotation is known once a later position was seen
            return args, kwargs

        return hook

    def _after_model(self, _: nn.Module, args: Any, output: Any) -> None:
        begun, self._in_forward, self._prefill = self._in_forward, False, None
        if not begun:
            return
        if self._cache is None and isinstance(output, Mapping):
            self._cache = cache_of(output)
        complete = len(self._reported) == len(self.layers)
        if output is None or not complete:
            if self.recorder.enabled:
                self.recorder.abandon_step()
        elif self.recorder.enabled:
            self.recorder.end_step(getattr(output, "logits", None))
        if output is not None and not complete:
            passed_by = next(i for i in range(len(self.layers)) if i not in self._reported)
            raise AttachError(
                f"Decoder layer {passed_by} ({type(self.layers[passed_by]).__name__}) passed "
                "SinkTrack's attention function by, so its output would be the plain model's: "
                "this model, or something that wraps its layers, cannot be used with it."
            )


class _Prefill:
    """The context features of every row while the prompt is read."""

    def __init__(self, prompt: PromptSegments, methods: list[SinkTrack | None]) -> None:
        self.methods = methods
        self.attended = prompt.labels != PADDING
        self._forked: dict[int, tuple[Any, Any]] = {}
        self._sinks: list[int] = prompt.sinks.tolist()
        self._features: dict[int, torch.Tensor] = {}
        # A prompt of a single token has nothing to write but itself.
        self._writing = {
            row: (method, prompt.context_positions(method, row))
            for row, method in enumerate(methods)
            if method is not None and method.layers and prompt.input_ids.shape[1] > 1
        }

    def read_features(self, layer_idx: int, hidden_states: torch.Tensor) -> None:
        """Take the rows' features from the residual stream (B or 1, T, D) entering a layer."""
        for row, (method, positions) in self._writing.items():
            if layer_idx == 0 or layer_idx - 1 in method.refresh_after:
                states = hidden_states[row * len(hidden_states) // len(self.methods)]
                self._features[row] = states[positions.to(states.device)]

    def forked(self, kwargs: dict[str, Any], rows_a_prompt: int) -> dict[str, Any]:
        """Return a layer's arguments with each prompt's masks and positions once a method."""
        prompts = len(self.methods) // rows_a_prompt
        if prompts == 1:  # a single row serves any number
            return kwargs

        def repeated(value: Any, axes: int) -> Any:
            """Repeat the rows of a tensor; some have the axes of a picture in front of them."""
            if isinstance(value, tuple):
                return tuple(repeated(each, axes) for each in value)
            if not isinstance(value, torch.Tensor) or value.shape[value.ndim - axes] != prompts:
                return value
            if id(value) not in self._forked:  # all layers are handed the same ones
                more = value.repeat_interleave(rows_a_prompt, dim=value.ndim - axes)
                self._forked[id(value)] = value, more
            return self._forked[id(value)][1]

        axes = {"attention_mask": 4, "position_ids": 2, "position_embeddings": 3}
        return kwargs | {
            name: repeated(kwargs[name], count) for name, count in axes.items() if name in kwargs
        }

    def injections(self, layer_idx: int) -> list[Injection]:
        """Return what the rows write at a layer."""
        return [
            Injection(row, self._sinks[row], self._features[row], method)
            for row, (method, _) in self._writing.items()
            if layer_idx in method.inject_at
        ]


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
