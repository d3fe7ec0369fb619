"""SinkTrack (ICLR 2026; code 67L1/SinkTrack): write context into the attention sink."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal

import torch

from sinktrack.core.architecture import decoder_layers
from sinktrack.core.attention_call import AttentionCall
from sinktrack.core.errors import MethodError
from sinktrack.core.families import reads_pictures
from sinktrack.core.intervention import Hooks, Intervention, Write, parameter
from sinktrack.core.keys import at_position_zero, context_keys
from sinktrack.core.parts import KINDS, PromptParts, is_of, kinds_of_context
from sinktrack.core.prompt import Prompt
from sinktrack.core.scores import capped
from sinktrack.core.sinks import massive

Causal = Literal["corrected", "official"]


def _check_context(value: Any) -> str | None:
    try:
        kinds_of_context(value)
    except (ValueError, AttributeError):
        return f"must be prompt, or one or more of {', '.join(KINDS)} joined by +"
    return None


def _check_sinks(value: Any) -> str | None:
    if value in ("first", "all"):
        return None
    good = isinstance(value, Collection) and not isinstance(value, str) and len(value) > 0
    if good and all(isinstance(at, int) and not isinstance(at, bool) and at >= 0 for at in value):
        return None
    return "must be first, all, or positions of the prompt, counted from 0"


@dataclass(frozen=True, kw_only=True)
class SinkTrack(Intervention):
    """Writes context into the first token, where attention gathers.

    Args:
        inject_at: The decoder layers at which it writes.
        refresh_after: The decoder layers after which the context features are read anew from the
            residual stream. Before the first of them they are the input embeddings.
        context: Kinds of parts joined by "+", such as "image+instruction"; "prompt" for all tokens.
        causal: "corrected" keeps ordinary causal attention at every other position. "official"
            reproduces the public code run with its defaults, where at injected layers a token sees
            the keys before it but not its own. That happens only where transformers hands over no
            attention mask, so with left padding both mean the same, there as here.
        strength: From 0.0 (the plain model, bit for bit) to 1.0 (as published).
        normalize_context: Pass the features through the layer's input norm before the key and value
            projections, as the layer does with its own input. The published method does not.
        sinks: "first" (published), "all" for every sink found in the prompt, or positions.
        exclude_sinks: Leave the prompt's sinks out of the context.
        write: "output" (published) replaces the sink's attention output, so that context joins its
            residual stream. "value" replaces the sink's cached value by the context's mean value,
            which every head that parks its attention on the sink then reads.
        value_norm: The length of that value over the median length of the prompt's values there.

    Raises:
        MethodError: If an argument is outside its range.
    """

    kind: ClassVar[str] = "sinktrack"
    title: ClassVar[str] = "SinkTrack"
    source: ClassVar[str] = "https://arxiv.org/abs/2604.10027"

    inject_at: Collection[int] = parameter(
        frozenset(), "The layers at which it writes.", set_of="layers"
    )
    refresh_after: Collection[int] = parameter(
        frozenset(), "The layers after which the context is read anew.", set_of="layers"
    )
    context: str = parameter(
        "image",
        "What is written into the sink.",
        check=_check_context,
        takes=f"prompt, or one or more of {', '.join(KINDS)} joined by +",
    )
    causal: Causal = parameter(
        "corrected",
        "The mask of the other tokens; official is that of the public code.",
        choices=("corrected", "official"),
    )
    strength: float = parameter(1.0, "How much of the sink is replaced.", low=0.0, high=1.0)
    normalize_context: bool = parameter(
        False, "Whether the context passes through the layer's input norm."
    )
    sinks: Any = parameter(
        "first",
        "Which sinks are written to.",
        check=_check_sinks,
        takes="first, all, or positions such as 0+4",
    )
    exclude_sinks: bool = parameter(False, "Whether the context leaves the prompt's sinks out.")
    write: Literal["output", "value"] = parameter(
        "output",
        "Whether it replaces what the sink attends to, or its cached value.",
        choices=("output", "value"),
    )
    value_norm: float = parameter(
        1.0, "The length of a written value over the layer's median.", low=0.0, high=100.0
    )

    def __post_init__(self) -> None:
        """Check every argument."""
        super().__post_init__()
        if not isinstance(self.sinks, str):
            object.__setattr__(self, "sinks", frozenset(self.sinks))

    @property
    def layers(self) -> tuple[int, ...]:
        """The layers that write, in order; none at strength 0."""
        return tuple(sorted(self.inject_at)) if self.strength > 0 else ()

    @property
    def needs(self) -> str | None:
        """The context."""
        return self.context if self.layers else None

    @property
    def needs_no_padding(self) -> bool:
        """The shifted mask is what the public code has without padding alone."""
        return self.causal == "official"

    @property
    def subtitle(self) -> str:
        """What it writes, where, and with which mask."""
        if not self.layers:
            return "Nothing changed."
        words = {"image": "the picture", "instruction": "the question", "passage": "the passage"}
        what = (
            "the whole prompt"
            if self.context == "prompt"
            else " and ".join(words.get(kind, f"the {kind}") for kind in self.context.split("+"))
        )
        where = {"first": "BOS", "all": "every sink"}.get(str(self.sinks), "chosen tokens")
        value = "" if self.write == "output" else f"’s cached value, length {self.value_norm:g},"
        said = [f"Writes {what} into {where}{value} at layers {', '.join(map(str, self.layers))}"]
        said += [] if self.strength == 1 else [f"strength {self.strength:g}"]
        said += ["sinks left out"] if self.exclude_sinks else []
        return f"{', '.join(said)} · {self.causal} mask"

    def first_layer(self, num_layers: int) -> int:
        """Return the first layer that writes."""
        return min(self.layers, default=num_layers)

    def fitted(self, model: Any) -> "SinkTrack":
        """Return itself, if every layer that writes is understood."""
        layers = decoder_layers(model)
        for index in self.layers:
            _check_layer(layers[index], index, self)
        return self

    @classmethod
    def for_model(cls, model: Any, **changes: Any) -> "SinkTrack":
        """Return the schedule published for the model's family, or the one it was trained with.

        Nothing was published for most families: text models take Llama's schedule then, and those
        that read pictures Qwen2.5-VL's. A checkpoint that has learned to read its sink says so in
        its config: `config.sinktrack` holds the arguments, as `as_dict` gives them.

        Args:
            model: A transformers model, or its config.
            **changes: Arguments of `SinkTrack` that replace the published ones.

        Returns:
            The family's schedule cut to the model's layers, with causal="corrected", unless the
            config has its own.

        Raises:
            MethodError: If the config's own is none.
        """
        config = getattr(model, "config", model)
        own = getattr(config, "sinktrack", None)
        if own is not None:
            known = {"kind", *(each.name for each in fields(cls))}
            if not isinstance(own, dict) or not own.keys() <= known:
                raise MethodError(
                    f"The model's config has sinktrack={own!r}, but it must hold arguments of "
                    "SinkTrack: mend it, or take it out of config.json."
                )
            return cls.of({name: own[name] for name in own if name != "kind"} | changes)
        usual = SCHEDULES["qwen2_5_vl" if reads_pictures(config) else "llama"]
        published = SCHEDULES.get(config.model_type, usual)
        return cls.of(published.of(config.get_text_config().num_hidden_layers) | changes)

    @classmethod
    def for_prompts(cls, model: Any, prompts: Sequence[Prompt]) -> "SinkTrack":
        """Return the published schedule with a context that every prompt has.

        A vision-language model's published context is the picture. Where there is none, SinkTrack
        writes the passage in its place, or else the whole prompt as it does in text models.
        """

        def has(kind: str) -> bool:
            return all(any(is_of(name, kind) for name in prompt.names) for prompt in prompts)

        method = cls.for_model(model)
        if "image" in method.context and not has("image"):
            kinds = method.context.replace("image", "passage").split("+")
            return cls.for_model(model, context="+".join(filter(has, kinds)) or "prompt")
        return method

    def start(self, prompts: PromptParts, rows: torch.Tensor, model: Any) -> Hooks:
        """Return what writes during one generation."""
        return _Writing(self, prompts, rows)


class _Writing(Hooks):
    """What the rows of one SinkTrack write while the prompt is read.

    Args:
        method: The method.
        prompts: The parts of its R rows.
        rows: int64 (R,), where they are in the batch.
    """

    while_writing = False

    def __init__(self, method: SinkTrack, prompts: PromptParts, rows: torch.Tensor) -> None:
        """Find the context of every row."""
        super().__init__()
        self.method, self.prompts, self.rows = method, prompts, rows.tolist()
        # A prompt of a single token has nothing to write but itself.
        writing = method.layers if prompts.input_ids.shape[1] > 1 else ()
        self._inject = frozenset(writing)
        read = {0, *(layer + 1 for layer in method.refresh_after)} if writing else set()
        self.act_at = read | self._inject
        self._read = read
        self._first = min(self._inject, default=None)
        self._context = [
            prompts.positions(row, method.context) if writing else torch.empty(0)
            for row in range(len(self.rows))
        ]
        firsts = prompts.sinks.tolist()
        self._sinks = [[first] for first in firsts]
        if not isinstance(method.sinks, str):
            length = prompts.input_ids.shape[1]
            self._sinks = [
                [first + at for at in sorted(method.sinks) if first + at < length]
                for first in firsts
            ]
        self._features: list[torch.Tensor] = [torch.empty(0)] * len(self.rows)
        self._lengths: list[list[torch.Tensor]] = [[] for _ in self.rows]

    def residual(self, layer: int, hidden: torch.Tensor, prefill: bool) -> None:
        """Find the sinks before the first write, and read the context's features (N, D)."""
        if layer in self._read:
            for row, states in enumerate(hidden):
                self._features[row] = states[self._context[row].to(states.device)]
        if layer == self._first and (self.method.sinks == "all" or self.method.exclude_sinks):
            self._take_sinks(massive(hidden, self.prompts.attended))
        if layer in self._inject:
            self._lengths = [
                [states[sink].float().norm() for sink in sinks]
                for states, sinks in zip(hidden, self._sinks, strict=True)
            ]

    def _take_sinks(self, found: torch.Tensor) -> None:
        """Write to all sinks, or leave them out of the context, as the method says."""
        for row, is_sink in enumerate(found):
            if self.method.sinks == "all":
                self._sinks[row] = is_sink.nonzero()[:, 0].tolist()
            if self.method.exclude_sinks:
                kept = ~is_sink[self._context[row].to(is_sink.device)].cpu()
                if not kept.any():
                    raise MethodError(
                        "Every token of the context is a sink, so exclude_sinks leaves nothing: "
                        "choose another context."
                    )
                self._context[row] = self._context[row][kept.to(self._context[row].device)]
                self._features[row] = self._features[row][kept.to(self._features[row].device)]

    def attention(
        self, call: AttentionCall, output: torch.Tensor, prefill: bool
    ) -> torch.Tensor | None:
        """Let each sink's query attend to the context features instead of to its own past."""
        if call.layer not in self._inject:
            return None
        if self.method.causal == "official" and not call.has_mask:
            self._shift(call, output)
        if self.method.write == "value":
            return output
        self._check(call)
        query = call.query
        for row, sinks in enumerate(self._sinks):
            for sink, length in zip(sinks, self._lengths[row], strict=True):
                own = at_position_zero(
                    call.module, query[row, :, sink], call.rotary, self.rows[row], sink
                )
                written, weights = self._over_context(call, own, self._features[row])
                output[row, sink] = torch.lerp(output[row, sink], written, self.method.strength)
                with torch.no_grad():
                    added = call.module.o_proj(written.flatten())
                    norm = self.method.strength * added.float().norm() / length.clamp(min=1e-12)
                self._note(call, row, sink, weights, norm)
        return output

    def values(self, call: AttentionCall, prefill: bool) -> torch.Tensor | None:
        """Put the context's mean value in the place of the sink's, at a length of its own."""
        if self.method.write != "value" or call.layer not in self._inject:
            return None
        self._check(call)
        values = call.value.clone()
        gone = self.prompts.input_ids.shape[1] - values.shape[2]  # of a sliding-window layer
        for row, sinks in enumerate(self._sinks):
            features = self._features[row]
            if call.input_norm is not None:
                features = call.input_norm(features)
            _, made = context_keys(call.module, features, values.shape[-1])  # (N, H_kv, d)
            mean = made.float().mean(0)
            attended = self.prompts.attended[row].to(values.device)[max(gone, 0) :]
            own = values[row, :, : len(attended)][:, attended].float().norm(dim=-1)  # (H_kv, T)
            length = own.median(-1, keepdim=True).values * self.method.value_norm
            written = mean / mean.norm(dim=-1, keepdim=True).clamp(min=1e-12) * length
            for sink in sinks:
                at = sink - max(gone, 0)
                if at < 0:
                    continue
                before = values[row, :, at].float()
                norm = self.method.strength * written.norm() / before.norm().clamp(min=1e-12)
                values[row, :, at] = torch.lerp(before, written, self.method.strength).to(
                    values.dtype
                )
                even = torch.full((call.module.config.num_attention_heads, len(features)), 1.0)
                self._note(call, row, sink, even / len(features), norm)
        return values

    def _check(self, call: AttentionCall) -> None:
        """Refuse a family whose keys and values of the sinks are not what is made here."""
        call.check_reproduced([(self.rows[0], sink) for sink in self._sinks[0]])

    def _over_context(
        self, call: AttentionCall, query: torch.Tensor, features: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return what a query (H, d) receives from features (N, D), and its weights (H, N).

        The context keys carry no rotary embedding and there is no mask among them.
        """
        features = features.to(query.device)
        if self.method.normalize_context and call.input_norm is not None:
            features = call.input_norm(features)
        head_size = query.shape[-1]
        keys, values = context_keys(call.module, features, head_size)
        grouped = query.view(keys.shape[1], -1, head_size)  # (H_kv, H / H_kv, d)
        scores = capped(grouped @ keys.permute(1, 2, 0) * call.scaling, call.softcap)
        weights = scores.softmax(-1, dtype=torch.float32)
        written = weights.to(values.dtype) @ values.transpose(0, 1)
        return written.reshape(query.shape), weights.reshape(len(query), -1)

    def _shift(self, call: AttentionCall, output: torch.Tensor) -> None:
        """Hide from every later token its own key, as the public code does without a mask."""
        # It runs the T-1 positions after the sink as their own SDPA call, whose causal mask PyTorch
        # aligns with the upper left: position p sees the keys 0..p-1.
        output[:, 1:] = call.sdpa(slice(1, None))
        with torch.no_grad():
            scores = call.scores()
            scores[..., self.prompts.input_ids.shape[1] - 1] = float("-inf")
            call.looked(scores.softmax(-1))

    def _note(
        self, call: AttentionCall, row: int, sink: int, weights: torch.Tensor, norm: torch.Tensor
    ) -> None:
        self.writes.append(
            Write(
                self.rows[row],
                call.layer,
                sink,
                self._context[row],
                weights.detach(),
                norm.detach(),
            )
        )


# The parts of an attention module that `context_keys` reproduces or need not know.
_UNDERSTOOD = {
    *("q_proj", "k_proj", "v_proj", "qkv_proj", "o_proj", "q_norm", "k_norm", "rotary_emb")
}


def _check_layer(layer: Any, index: int, method: SinkTrack) -> None:
    """Refuse a layer whose context keys or values would not be what it makes of its own input."""
    attention = layer.self_attn
    name = type(layer).__name__
    strange = sorted({part for part, _ in attention.named_children()} - _UNDERSTOOD)
    if getattr(getattr(attention, "config", None), "clip_qkv", None) is not None:
        strange.append("clip_qkv")
    if strange:
        raise MethodError(
            f"The attention of layer {index} ({name}) has {', '.join(strange)}, which "
            "SinkTrack cannot apply to its context: attach without a method to record."
        )
    if hasattr(layer, "input_layernorm"):
        return
    if method.normalize_context:
        raise MethodError(
            f"Layer {index} ({name}) has no input norm for normalize_context=True: leave it out."
        )
    # Families that norm what attention and MLP give, such as OLMo 2, need none before.
    if method.write == "value" and not hasattr(layer, "post_feedforward_layernorm"):
        raise MethodError(
            f"Layer {index} ({name}) has no input norm under a name that is known here, without "
            'which its values cannot be made: use write="output".'
        )


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How the public code schedules one family of models.

    Args:
        interval: Every how many layers the method injects.
        context: What it writes.
        last: The last layer that may inject; None for no cap.
        early_refresh: Whether features are read anew one layer before an injecting one (text
            models) instead of after it.
    """

    interval: int
    context: str
    last: int | None = 25
    early_refresh: bool = False

    def of(self, num_layers: int) -> dict[str, Any]:
        """Return inject_at, refresh_after and context for a model of `num_layers` layers."""
        every = range(self.interval, num_layers, self.interval)
        refresh = (layer - 1 for layer in every) if self.early_refresh else every
        return {
            "inject_at": frozenset(i for i in every if self.last is None or i <= self.last),
            "refresh_after": frozenset(refresh),
            "context": self.context,
        }


# By config.model_type. The first four equal the public code; Qwen3 shares the decoder of Qwen2, and
# Gemma 3's text models take the interval of Gemma 3 with the context of text models.
SCHEDULES = {
    "qwen2_5_vl": Schedule(interval=5, context="image"),
    "gemma3": Schedule(interval=4, context="image"),
    "qwen2": Schedule(interval=5, context="prompt", early_refresh=True),
    "llama": Schedule(interval=4, context="prompt", last=None, early_refresh=True),
    "qwen3": Schedule(interval=5, context="prompt", early_refresh=True),
    "gemma3_text": Schedule(interval=4, context="prompt", early_refresh=True),
}
