"""Plug methods and recording into a transformers model for the length of a `with` block.

Inside the block the decoder runs on the attention function of `sinktrack.core.attention`. Hooks
stand only where a method or the recorder asked for them, in the prompt and in later steps. While
the prompt is read each layer must report, so nothing is ever the plain model without a word. On
leaving, everything is as it was.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import nn

from sinktrack.core.architecture import decoder_layers, set_decoder_attention, unwrapped
from sinktrack.core.attention import IMPLEMENTATION, AttentionTap
from sinktrack.core.cache import Cache, CacheColumns, WindowedCache, check_cache
from sinktrack.core.columns import KeyParts
from sinktrack.core.errors import AttachError, MethodError, PromptError
from sinktrack.core.intervention import Intervention
from sinktrack.core.lock import model_lock
from sinktrack.core.parts import PromptParts, attended_positions
from sinktrack.core.recorder import Recorder
from sinktrack.core.running import Running, start_all
from sinktrack.core.sinks import massive
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
            A method with rows of its own answers through `compare` and `stream` alone.
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
        if isinstance(one, Intervention) and one.rows_of_its_own:
            raise MethodError(
                f"{one.kind} needs rows of its own beside each prompt's, which only "
                "sinktrack.compare and sinktrack.stream make: use one of them."
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
        fitted = [None if one is None else one.fitted(model) for one in chosen]
        self.methods = fitted if isinstance(method, Sequence) else fitted[0]
        self._each, self._given, self._mask = each or {}, prompts, context_mask
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
        self._in_forward = self._prefill = False
        self._hooks: dict[tuple[str, int], Any] = {}
        self._running: list[Running] = []
        self._last_prompt: torch.Tensor | None = None  # int64 (B, T), while its cache may be used
        self._reported: set[int] = set()
        self._turned: set[int] = set()
        self._cache: Any = None  # the one that the prompt's keys are in, where that is known

    @contextmanager
    def active(self) -> Iterator[None]:
        """Hold the model and keep the hooks on it until the block ends."""
        with ExitStack() as undo:
            undo.enter_context(model_lock(self.model))
            undo.enter_context(_implementation(self.model))
            undo.callback(self._remove_hooks)
            hooks = [self.model.register_forward_pre_hook(self._before_model, with_kwargs=True)]
            hooks.append(self.model.register_forward_hook(self._after_model, always_call=True))
            if self._columns is not None:
                decoder = self.model.get_decoder()
                hooks.append(
                    decoder.register_forward_pre_hook(self._before_decoder, with_kwargs=True)
                )
            for hook in hooks:
                undo.callback(hook.remove)
            self._prefill = True  # so that a part of the model called by itself is refused
            self._place_hooks()
            yield

    def distributions(self, logits: torch.Tensor) -> torch.Tensor:
        """Return the logits that choose the next tokens.

        Args:
            logits: (B, V), of every row of the batch.

        Returns:
            (B, V); where a method gives a distribution, it stands in all rows of its prompt.
        """
        for running in self._running:
            if running.hooks.overrides("logits"):
                rows = running.rows.to(logits.device)
                new = running.distribution(logits[rows]).repeat_interleave(running.each, dim=0)
                logits = logits.float().index_copy(0, rows, new)
        return logits

    def running_of(self, row: int) -> Running | None:
        """Return the method at work on a row of the batch."""
        return next((each for each in self._running if row in each.rows.tolist()), None)

    # What happens around one forward pass of the model.

    def _before_model(self, _: nn.Module, args: Any, kwargs: dict[str, Any]) -> None:
        call = self._signature.bind_partial(*args, **kwargs).arguments
        call |= call.pop("kwargs", {})
        cache, input_ids = cache_of(call), call.get("input_ids")
        self._prefill = cache is None or cache.get_seq_length() == 0
        if self._prefill:
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
            self._keys.grow()
        self._cache = cache
        for running in self._running:
            running.begin_step()
        if self.recorder.enabled:
            self.recorder.begin_step(None if self._prefill else input_ids)
        self._place_hooks()
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
        if self.recorder.enabled and not given.attended[:, -1].all():
            raise PromptError(
                "There is padding on the right, so the last query of a prompt would be padding: "
                'set padding_side="left", or attach with record=False.'
            )
        prompts = given if self._rows_of is None else given.select(self._rows_of)
        methods = self._methods_for(len(prompts.input_ids))
        self._keys_given, self._keys = KeyParts(given), KeyParts(prompts)
        self._running = start_all(methods, self._each, prompts, self.model)
        self._forked: dict[int, tuple[Any, Any]] = {}
        if self.recorder.enabled:
            self.recorder.start(self._keys, methods, self._running, self._rows_of)

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
        begun, prefill = self._in_forward, self._prefill
        self._in_forward = self._prefill = False
        if not begun:
            return None
        if self._cache is None and isinstance(output, Mapping):
            self._cache = cache_of(output)
        tapped = {layer for hook, layer in self._hooks if hook == "attention"}
        passed_by = sorted(tapped - self._reported)
        failed = output is None or bool(passed_by)
        if failed and not prefill:
            self._keys.take_back()
        if self.recorder.enabled and failed:
            self.recorder.abandon_step()
        if output is None:
            return None
        if passed_by:
            raise AttachError(
                f"Decoder layer {passed_by[0]} ({type(self.layers[passed_by[0]]).__name__}) passed "
                "SinkTrack's attention function by, so its output would be the plain model's: "
                "this model, or something that wraps its layers, cannot be used with it."
            )
        logits = getattr(output, "logits", None)
        changes = self._rows_of is None and any(
            running.hooks.overrides("logits") for running in self._running
        )
        if changes and logits is not None:
            chosen = self.distributions(logits[:, -1])[:, None].to(logits.dtype)
            output.logits = logits = torch.cat([logits[:, :-1], chosen], dim=1)
        if self.recorder.enabled:
            self.recorder.end_step(logits)
        return output if changes else None

    # Which layers are watched, and by whom.

    def _place_hooks(self) -> None:
        """Put hooks where this forward pass needs them, and take the others away."""
        wanted = set(self._wanted())
        for place in [place for place in self._hooks if place not in wanted]:
            self._hooks.pop(place).remove()
        for hook, index in sorted(wanted - self._hooks.keys()):
            layer: Any = self.layers[index]
            if hook == "layer":
                handle = layer.register_forward_pre_hook(
                    self._before_layer(index), with_kwargs=True
                )
            elif hook == "mlp":
                handle = layer.mlp.register_forward_hook(self._after_mlp(index))
            else:
                handle = layer.self_attn.register_forward_pre_hook(
                    self._before_attention(index), with_kwargs=True
                )
            self._hooks[hook, index] = handle
        tapped = any(hook == "attention" for hook, _ in self._hooks)
        _use_implementation(self.model, IMPLEMENTATION if tapped else "sdpa")

    def _wanted(self) -> Iterator[tuple[str, int]]:
        """Yield which hooks this forward pass needs, as kind and layer."""
        prefill = self._prefill
        unseen = self._windowed and len(self._turned) < len(self.layers)
        middle = self._middle if prefill and self.recorder.enabled else -1
        for index, layer in enumerate(self.layers):
            forked = prefill and self._rows_of is not None and index >= self.fork_layer
            if forked or index == middle or any(self._reads(run, index) for run in self._running):
                yield "layer", index
            if any(run.wants("after_mlp", index, prefill) for run in self._running):
                if not hasattr(layer, "mlp"):
                    raise AttachError(
                        f"Layer {index} of {type(self.model).__name__} has no part named mlp, "
                        "which a method wants to change: choose another method."
                    )
                yield "mlp", index
            acting = any(
                run.wants(hook, index, prefill)
                for run in self._running
                for hook in ("values", "scores", "attention")
            )
            if prefill or self.recorder.enabled or acting or unseen:
                yield "attention", index

    @property
    def _middle(self) -> int:
        """The layer before which the prompt's sinks are looked for."""
        return len(self.layers) // 2

    def _reads(self, running: Running, index: int) -> bool:
        return running.wants("residual", index, self._prefill) or running.lens_after(index - 1)

    def _remove_hooks(self) -> None:
        for hook in self._hooks.values():
            hook.remove()
        self._hooks.clear()

    def _is_forked(self, index: int) -> bool:
        """Whether every row is its own when a layer is entered."""
        return self._rows_of is None or not self._prefill or index >= self.fork_layer

    # The hooks themselves.

    def _before_decoder(self, _: nn.Module, args: Any, kwargs: dict[str, Any]) -> Any:
        """Cut the cache to its window; the next token then stands right behind what is kept."""
        if not self._in_forward or self._columns is None:
            return None
        if self._prefill:
            attended = self._keys.prompts.attended
            self._columns.start(attended, kwargs.get("position_ids"), self._rows_of)
            return None
        if isinstance(self._columns, WindowedCache):
            kept = self._columns.cut(cache_of(kwargs))
            if kept is not None:
                self._keys.keep(kept)
        position_ids, mask = self._columns.next_token()
        entering = kwargs.get("inputs_embeds")
        device = position_ids.device if entering is None else entering.device
        kwargs["position_ids"] = position_ids.to(device)
        kwargs["attention_mask"] = None if mask is None else mask.to(device)
        return args, kwargs

    def _before_layer(self, index: int) -> Callable[..., Any]:
        def hook(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            if not self._in_forward:
                return None
            if not args:
                raise AttachError(
                    f"Decoder layer {index} of {type(self.model).__name__} takes its hidden states "
                    "by keyword, so they cannot be read: SinkTrack cannot be attached to it."
                )
            hidden = args[0]
            if self._prefill and self._rows_of is not None and index >= self.fork_layer:
                if index == self.fork_layer:
                    hidden = hidden[self._rows_of.to(hidden.device)]
                kwargs = self._forked_arguments(kwargs)
            if self._prefill and self.recorder.enabled and index == self._middle:
                forked = self._is_forked(index)
                keys = self._keys if forked else self._keys_given
                self.recorder.found_sinks(massive(hidden, keys.prompts.attended))
            return (self._changed(index, hidden), *args[1:]), kwargs

        return hook

    def _changed(self, index: int, hidden: torch.Tensor) -> torch.Tensor:
        """Let the methods read or change the residual stream before a layer."""
        for running in self._running:
            if not self._reads(running, index):
                continue
            rows = running.rows
            if not self._is_forked(index):
                assert self._rows_of is not None
                rows = self._rows_of[rows]
            own = hidden if len(rows) == len(hidden) else hidden[rows.to(hidden.device)]
            if running.lens_after(index - 1):
                running.keep_lens(index - 1, own)
            if running.wants("residual", index, self._prefill):
                new = running.change_residual(index, own, self._prefill)
                if new is not own:
                    hidden = hidden.index_copy(0, rows.to(hidden.device), new)
        return hidden

    def _after_mlp(self, index: int) -> Callable[..., Any]:
        def hook(_: nn.Module, args: Any, output: torch.Tensor) -> torch.Tensor:
            for running in self._running:
                if running.wants("after_mlp", index, self._prefill):
                    rows = running.rows.to(output.device)
                    new = running.change_mlp(index, output[rows], self._prefill)
                    output = output.index_copy(0, rows, new)
            return output

        return hook

    def _before_attention(self, index: int) -> Callable[..., Any]:
        input_norm = getattr(self.layers[index], "input_layernorm", None)

        def hook(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            if not self._in_forward:
                raise AttachError(
                    f"Layer {index} ran outside the forward of {type(self.model).__name__}, so "
                    "nothing would be written or recorded: inside the block call the model "
                    "itself and not a part of it, without gradient checkpointing."
                )
            acting = [
                running
                for running in self._running
                if any(
                    running.wants(hook, index, self._prefill)
                    for hook in ("values", "scores", "attention")
                )
            ]
            entering = kwargs.get("hidden_states", args[0] if args else None)
            kwargs["attention_tap"] = AttentionTap(
                layer_idx=index,
                prefill=self._prefill,
                keys=self._keys if self._is_forked(index) else self._keys_given,
                running=acting,
                input_norm=input_norm,
                rotary=kwargs.get("position_embeddings"),
                recorder=self.recorder if self.recorder.enabled else None,
                reported=self._reported,
                entering=entering,
                checked=self._windowed and index not in self._turned,
            )
            if entering is not None and entering.shape[1] > 1:
                self._turned.add(index)  # its rotation is known once a later position was seen
            return args, kwargs

        return hook

    def _forked_arguments(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        """Return a layer's arguments with masks and positions for every row of the batch."""
        assert self._rows_of is not None
        given, rows_of = len(self._keys_given.labels), self._rows_of
        if given == 1:  # a single row serves any number
            return kwargs

        def forked(value: Any, axes: int) -> Any:
            """Repeat the rows of a tensor; some have the axes of a picture in front of them."""
            if isinstance(value, tuple):
                return tuple(forked(each, axes) for each in value)
            if not isinstance(value, torch.Tensor) or value.shape[value.ndim - axes] != given:
                return value
            if id(value) not in self._forked:  # all layers are handed the same ones
                more = value.index_select(value.ndim - axes, rows_of.to(value.device))
                self._forked[id(value)] = value, more
            return self._forked[id(value)][1]

        axes = {"attention_mask": 4, "position_ids": 2, "position_embeddings": 3}
        return kwargs | {
            name: forked(kwargs[name], count) for name, count in axes.items() if name in kwargs
        }


def _eos_ids(model: Any) -> list[int]:
    """Return the ids that end an answer by the model's generation config."""
    eos = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    return [] if eos is None else torch.as_tensor(eos).reshape(-1).tolist()


def _use_implementation(model: Any, name: str) -> None:
    """Switch the decoder's attention function, unless it is that already."""
    if model.config.get_text_config()._attn_implementation != name:
        set_decoder_attention(model, name)


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
