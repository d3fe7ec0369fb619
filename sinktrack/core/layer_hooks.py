"""Torch hooks on decoder layers, where a method or the recorder asked for them and nowhere else.

While the prompt is read they also let the rows of one prompt part, at the first layer where they
differ. Knows nothing about `generate`, caches or what a method does.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

from sinktrack.core.architecture import decoder_layers, set_decoder_attention
from sinktrack.core.attention import IMPLEMENTATION
from sinktrack.core.attention_call import AttentionTap
from sinktrack.core.columns import KeyParts
from sinktrack.core.errors import AttachError
from sinktrack.core.lens import LensHooks
from sinktrack.core.recorder import Recorder
from sinktrack.core.running import Running
from sinktrack.core.sinks import massive
from sinktrack.core.upstream import cache_of

_IN_ATTENTION = ("values", "scores", "attention")
"""The hooks of methods that are called from inside the attention function."""

CAP = "attn_logit_softcapping"
"""Where an attention module keeps the cap on its scores, if it has one."""


class LayerHooks:
    """The hooks on a model's decoder layers during one block.

    Args:
        model: The model.
        recorder: Told of attention and sinks, if it is enabled.
        rows_of: int64 (B,), which given row each row of the batch begins as; None if the batch is
            as it was given.
        fork_layer: The first layer that any method changes; up to it, given rows stand for all.
        windowed: Whether a window cuts the cache, for which keys must be understood.

    Attributes:
        prefill: Whether the forward pass under way reads the prompt.
        in_forward: Whether one is under way.
        running: The methods at work.
        keys: The parts of the keys of all rows.
        keys_given: Those of the rows that the model was given.
    """

    keys: KeyParts
    keys_given: KeyParts

    def __init__(
        self,
        model: Any,
        recorder: Recorder,
        *,
        rows_of: torch.Tensor | None,
        fork_layer: int,
        windowed: bool,
    ) -> None:
        """Place nothing yet."""
        self._model, self._layers, self._recorder = model, decoder_layers(model), recorder
        self._rows_of, self._fork_layer, self._windowed = rows_of, fork_layer, windowed
        self.prefill = self.in_forward = False
        self.running: list[Running] = []
        self._placed: dict[tuple[str, int], Any] = {}
        self._lens = LensHooks(model)
        # SDPA drops a cap on scores; some releases refuse it to such families, others do not.
        capped = any(getattr(each.self_attn, CAP, None) for each in self._layers)
        self._plain = IMPLEMENTATION if capped or not model._supports_sdpa else "sdpa"
        self._placed_for: tuple[bool, bool] | None = None
        self._acting: dict[int, list[Running]] = {}
        self._forked: dict[int, tuple[Any, Any]] = {}
        self._recording: dict[int, AttentionTap] = {}
        self._reported: set[int] = set()
        self._turned: set[int] = set()

    def start(self, given: KeyParts, keys: KeyParts, running: list[Running]) -> None:
        """Begin a generation."""
        self.keys_given, self.keys, self.running = given, keys, running
        self._placed_for = None
        self._recording.clear()

    def begin_forward(self, prefill: bool) -> None:
        """Begin a forward pass of the model."""
        self.prefill = prefill
        self.place()
        self._reported.clear()
        self.in_forward = True

    def end_forward(self) -> int | None:
        """End it; return the first layer whose attention passed its tap by, if one did."""
        self.in_forward = self.prefill = False
        self._forked = {}  # masks of the whole prompt
        tapped = {layer for hook, layer in self._placed if hook == "attention"}
        return min(tapped - self._reported, default=None)

    @property
    def placed(self) -> bool:
        """Whether the last forward pass had hooks on its layers."""
        return bool(self._placed)

    def place(self) -> None:
        """Put hooks where this forward pass needs them, and take the others away."""
        unseen = self._windowed and len(self._turned) < len(self._layers)
        if self._placed_for == (self.prefill, unseen):
            return  # as for the step before
        self._placed_for = self.prefill, unseen
        self._acting = {
            index: [
                run
                for run in self.running
                if any(run.wants(hook, index, self.prefill) for hook in _IN_ATTENTION)
            ]
            for index in range(len(self._layers))
        }
        wanted = set(self._wanted(unseen))
        for place in [place for place in self._placed if place not in wanted]:
            self._placed.pop(place).remove()
        self._lens.asking = [run for run in self.running if run.hooks.lens]
        for hook, index in sorted(wanted - self._placed.keys()):
            layer: Any = self._layers[index]
            handle: Any
            if hook == "lens":
                handle = self._lens.placed()
            elif hook == "layer":
                handle = layer.register_forward_pre_hook(
                    self._before_layer(index), with_kwargs=True
                )
            elif hook == "mlp":
                handle = layer.mlp.register_forward_hook(self._after_mlp(index))
            else:
                handle = layer.self_attn.register_forward_pre_hook(
                    self._before_attention(index), with_kwargs=True
                )
            self._placed[hook, index] = handle
        tapped = any(hook == "attention" for hook, _ in self._placed)
        _use_implementation(self._model, IMPLEMENTATION if tapped else self._plain)

    def _wanted(self, unseen: bool) -> Iterator[tuple[str, int]]:
        """Yield which hooks this forward pass needs, as kind and layer.

        Args:
            unseen: Whether a window still has to learn how some layer turns its keys.
        """
        prefill = self.prefill
        if any(run.hooks.lens for run in self.running):
            yield "lens", -1
        sinks_at = self._sink_layer if prefill and self._recorder.enabled else -1
        for index, layer in enumerate(self._layers):
            forked = prefill and self._rows_of is not None and index >= self._fork_layer
            if forked or index == sinks_at or any(self._reads(run, index) for run in self.running):
                yield "layer", index
            if any(run.wants("after_mlp", index, prefill) for run in self.running):
                if not hasattr(layer, "mlp"):
                    raise AttachError(
                        f"Layer {index} of {type(self._model).__name__} has no part named mlp, "
                        "which a method wants to change: choose another method."
                    )
                yield "mlp", index
            if prefill or self._recorder.enabled or self._acting[index] or unseen:
                yield "attention", index

    @property
    def _sink_layer(self) -> int:
        """The layer before which the prompt's sinks are looked for."""
        return len(self._layers) // 3  # deep enough for massive activations to be there

    def _reads(self, running: Running, index: int) -> bool:
        return running.wants("residual", index, self.prefill) or running.lens_after(index - 1)

    def remove(self) -> None:
        """Take every hook away."""
        for hook in self._placed.values():
            hook.remove()
        self._placed.clear()
        self._placed_for = None

    def _is_forked(self, index: int) -> bool:
        """Whether every row is its own when a layer is entered."""
        return self._rows_of is None or not self.prefill or index >= self._fork_layer

    def _before_layer(self, index: int) -> Callable[..., Any]:
        def hook(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            if not self.in_forward:
                return None
            if not args:
                raise AttachError(
                    f"Decoder layer {index} of {type(self._model).__name__} takes its hidden "
                    "states by keyword, so they cannot be read: SinkTrack cannot be attached to it."
                )
            hidden = args[0]
            if self.prefill and self._rows_of is not None and index >= self._fork_layer:
                if index == self._fork_layer:
                    hidden = hidden[self._rows_of.to(hidden.device)]
                kwargs = self._forked_arguments(kwargs)
            if self.prefill and self._recorder.enabled and index == self._sink_layer:
                forked = self._is_forked(index)
                keys = self.keys if forked else self.keys_given
                self._recorder.found_sinks(massive(hidden, keys.prompts.attended))
            return (self._changed(index, hidden), *args[1:]), kwargs

        return hook

    def _changed(self, index: int, hidden: torch.Tensor) -> torch.Tensor:
        """Let the methods read or change the residual stream before a layer."""
        for running in self.running:
            if not self._reads(running, index):
                continue
            rows = running.rows
            if not self._is_forked(index):
                assert self._rows_of is not None
                rows = self._rows_of[rows]
            own = hidden if len(rows) == len(hidden) else hidden[rows.to(hidden.device)]
            if running.lens_after(index - 1):
                running.keep_lens(index - 1, own)
            if running.wants("residual", index, self.prefill):
                new = running.change_residual(index, own, self.prefill)
                if new is not own:
                    hidden = hidden.index_copy(0, rows.to(hidden.device), new)
        return hidden

    def _after_mlp(self, index: int) -> Callable[..., Any]:
        def hook(_: nn.Module, args: Any, output: torch.Tensor) -> torch.Tensor:
            for running in self.running:
                if running.wants("after_mlp", index, self.prefill):
                    rows = running.rows.to(output.device)
                    new = running.change_mlp(index, output[rows], self.prefill)
                    output = output.index_copy(0, rows, new)
            return output

        return hook

    def _before_attention(self, index: int) -> Callable[..., Any]:
        input_norm = getattr(self._layers[index], "input_layernorm", None)
        # SmolLM3 turns no keys in every fourth layer, which is handed the rotation all the same.
        turns = getattr(self._layers[index].self_attn, "use_rope", True)

        def hook(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            if not self.in_forward:
                raise AttachError(
                    f"Layer {index} ran outside the forward of {type(self._model).__name__}, so "
                    "nothing would be written or recorded: inside the block call the model "
                    "itself and not a part of it, without gradient checkpointing."
                )
            checked = self._windowed and index not in self._turned
            if not (self.prefill or checked or self._acting[index]):
                kwargs["attention_tap"] = self._recording_tap(index)
                return args, kwargs
            entering = kwargs.get("hidden_states", args[0] if args else None)
            kwargs["attention_tap"] = AttentionTap(
                layer_idx=index,
                prefill=self.prefill,
                keys=self.keys if self._is_forked(index) else self.keys_given,
                running=self._acting[index],
                input_norm=input_norm,
                rotary=kwargs.get("position_embeddings") if turns else None,
                recorder=self._recorder if self._recorder.enabled else None,
                reported=self._reported,
                entering=entering,
                cache=cache_of(kwargs),
                checked=checked,
            )
            if entering is not None and entering.shape[1] > 1:
                self._turned.add(index)  # its rotation is known once a later position was seen
            return args, kwargs

        return hook

    def _recording_tap(self, index: int) -> AttentionTap:
        """Return the tap of every step in which a layer is recorded alone."""
        if index not in self._recording:
            self._recording[index] = AttentionTap(
                layer_idx=index,
                prefill=False,
                keys=self.keys,
                recorder=self._recorder if self._recorder.enabled else None,
                reported=self._reported,
            )
        return self._recording[index]

    def _forked_arguments(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        """Return a layer's arguments with masks and positions for every row of the batch."""
        assert self._rows_of is not None
        given, rows_of = len(self.keys_given.labels), self._rows_of
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


def _use_implementation(model: Any, name: str) -> None:
    """Switch the decoder's attention function, unless it is that already."""
    if model.config.get_text_config()._attn_implementation != name:
        set_decoder_attention(model, name)
