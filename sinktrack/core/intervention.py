"""What a method is: the protocol that the generator, `attach`, eval, study, page and report know.

A method is a small frozen dataclass. It says from which layer on its rows differ from the plain
model's, which prompts its rows read, and gives the hooks of one generation. docs/methods.md shows
how to write one.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import torch

from sinktrack.core.architecture import decoder_layers
from sinktrack.core.errors import MethodError, shown
from sinktrack.core.parameter import Parameter as Parameter
from sinktrack.core.parameter import parameter as parameter
from sinktrack.core.parts import PromptParts
from sinktrack.core.prompt import Prompt

if TYPE_CHECKING:
    from typing_extensions import Self

    from sinktrack.core.attention_call import AttentionCall


Lens = Callable[[int], torch.Tensor]
"""Gives the logits, float32 (P, k, V), that one of the layers of `Hooks.lens` would have said."""


KINDS: dict[str, type["Intervention"]] = {}
"""Every method that was imported, by kind; `sinktrack.methods` imports those that come along."""


@dataclass(frozen=True, kw_only=True)
class Intervention:
    """One way to change what a model answers; see `sinktrack.methods` for those that come along.

    Subclasses are frozen, keyword-only dataclasses whose fields are made by `parameter`. The first
    line of their docstring is what people are told of them.
    """

    kind: ClassVar[str] = ""
    title: ClassVar[str] = ""
    """What people call it; the kind in capitals by default."""
    source: ClassVar[str] = ""
    """The address of the paper that it comes from; "" for none."""
    control: ClassVar[bool] = False
    """Whether it is there to be beaten: a method is worth something that does better."""

    def __init_subclass__(cls, **options: Any) -> None:
        """Make the class known by its kind."""
        super().__init_subclass__(**options)
        if cls.kind:
            KINDS[cls.kind] = cls

    def __post_init__(self) -> None:
        """Check every parameter."""
        for each in self.parameters():
            object.__setattr__(self, each.name, each.checked(getattr(self, each.name)))

    # What a method says of itself.

    @property
    def needs(self) -> str | None:
        """The context that a prompt must have, such as "image"; None for any prompt."""
        return None

    @property
    def needs_no_padding(self) -> bool:
        """Whether its rows must not be padded, so that prompts are answered one by one."""
        return False

    @property
    def rows(self) -> int:
        """How many rows it answers a prompt with, and so what it costs beside the plain model."""
        return 1

    @property
    def needs_prompts(self) -> bool:
        """Whether it needs more than a model's inputs: prompts of its own, or the tokenizer."""
        return self.rows > 1

    @property
    def subtitle(self) -> str:
        """One line on what is done to the model."""
        values = {each.name: getattr(self, each.name) for each in self.parameters()}
        said = ", ".join(f"{name} {_words(value)}" for name, value in values.items())
        return f"{self.summary().rstrip('.')} ({said})." if said else self.summary()

    def prompts(self, prompt: Prompt) -> list[Prompt]:
        """Return the prompts of its rows, the one that writes the answer first."""
        return [prompt]

    def readings(self, prompt: Prompt) -> list[Prompt]:
        """Return prompts that the plain model reads before; `Hooks.read` gets what it made."""
        return []

    def first_layer(self, num_layers: int) -> int:
        """Return the first layer that it changes; `num_layers` if it changes none."""
        return num_layers

    def fitted(self, model: Any) -> "Self":
        """Return the method with whatever depends on a model settled, such as layers.

        Raises:
            MethodError: If it cannot be used with the model.
        """
        return self

    def start(self, prompts: PromptParts, rows: torch.Tensor, model: Any) -> "Hooks":
        """Return the hooks of one generation.

        Args:
            prompts: The parts of what its R rows read.
            rows: int64 (R,), which rows of the batch they are; those of one prompt stand together.
            model: The model.
        """
        return Hooks()

    # What everyone else needs of it.

    @classmethod
    def for_model(cls, model: Any, **parameters: Any) -> "Self":
        """Return the method as published for a model, with these parameters in place of others.

        Raises:
            MethodError: If a parameter is unknown or out of range.
        """
        return fit(cls.of(parameters), model)

    @classmethod
    def for_prompts(cls, model: Any, prompts: Sequence[Prompt]) -> "Self":
        """Return the method as published for a model and for what it is asked."""
        return cls.for_model(model)

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> "Self":
        """Return the method with these parameters.

        Raises:
            MethodError: If one is unknown or out of range.
        """
        known = [each.name for each in cls.parameters()]
        for name in parameters:
            if name not in known:
                raise MethodError(
                    f"{cls.kind} has no parameter {shown(name)}; it has "
                    f"{', '.join(known) or 'none'}."
                )
        return cls(**parameters)

    @classmethod
    def parameters(cls) -> list[Parameter]:
        """Return its parameters, in order."""
        return [
            Parameter(name=each.name, default=each.default, **each.metadata)
            for each in fields(cls)
            if "help" in each.metadata
        ]

    @classmethod
    def summary(cls) -> str:
        """Return the first line of its docstring."""
        return (cls.__doc__ or "").strip().splitlines()[0]

    def as_dict(self) -> dict[str, Any]:
        """Return kind and parameters as JSON values; `sinktrack.methods.from_dict` reads them."""
        values = {each.name: getattr(self, each.name) for each in self.parameters()}
        return {"kind": self.kind} | {
            name: sorted(value) if isinstance(value, frozenset) else value
            for name, value in values.items()
        }

    def as_text(self) -> str:
        """Return kind and parameters as the command line takes them, such as "vcd:alpha=0.5".

        None and empty sets, for which no word stands, are left out.
        """
        values = [(each.name, getattr(self, each.name)) for each in self.parameters()]
        typed = [
            f"{name}={value!r}" if isinstance(value, float) else f"{name}={_words(value)}"
            for name, value in values
            if value is not None and value != frozenset()
        ]
        return f"{self.kind}:{','.join(typed)}" if typed else self.kind


def _words(value: Any) -> str:
    """Return a parameter's value for people; layers as on the command line, such as 2-5+8."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if value is None:
        return "by default"
    if not isinstance(value, frozenset):
        return str(value)
    runs: list[list[int]] = []
    for layer in sorted(value):
        if runs and layer == runs[-1][-1] + 1:
            runs[-1].append(layer)
        else:
            runs.append([layer])
    return "+".join(f"{run[0]}-{run[-1]}" if run[1:] else f"{run[0]}" for run in runs) or "none"


Method = TypeVar("Method", bound=Intervention)


def fit(method: Method, model: Any) -> Method:
    """Return a method with whatever depends on a model settled.

    Raises:
        MethodError: If it cannot be used with the model, such as layers that the model has not.
    """
    has = {
        "layers": len(decoder_layers(model)),
        "dimensions": model.config.get_text_config().hidden_size,
    }
    for each in method.parameters():
        count = has.get(each.set_of, 0)
        value = getattr(method, each.name) if count else None
        beyond = sorted(at for at in value or () if at >= count)
        if beyond:
            raise MethodError(
                f"{each.name} names {shown(beyond)}, but the model has {count} "
                f"{each.set_of}: use indices up to {count - 1}."
            )
    return method.fitted(model)


@dataclass(frozen=True, kw_only=True)
class AtDepth(Intervention):
    """A method that was published for some layers of a model, and acts at the same depth of others.

    Attributes:
        depth: The first layer, the last one, and how many the published model has.
    """

    depth: ClassVar[tuple[int, int, int]]
    layers: Collection[int] | None = parameter(
        None, "Where it acts; by default at the published share of the depth.", set_of="layers"
    )

    def fitted(self, model: Any) -> "Self":
        """Return it with its layers."""
        if self.layers is not None:
            return self
        return replace(self, layers=share_of_depth(*self.depth, len(decoder_layers(model))))

    def first_layer(self, num_layers: int) -> int:
        """Return the first layer where it acts."""
        return min(self.layers or (), default=num_layers)


def share_of_depth(first: int, last: int, of: int, num_layers: int) -> frozenset[int]:
    """Return layers at the same depth as layers `first` to `last` of a model of `of` layers."""
    begin, end = round(first / of * num_layers), round((last + 1) / of * num_layers)
    return frozenset(range(begin, max(begin + 1, min(end, num_layers))))


@dataclass(frozen=True)
class Write:
    """What one row wrote into one sink at one layer.

    Args:
        row: The row of the batch.
        layer: The layer.
        sink: The position that was written to.
        positions: int64 (N,), where the tokens stand that it was made of.
        weights: float32 (H, N), with which weight each head drew from them.
        norm: float32 (), the length of what was written over the length of what it joins: the
            residual for a write into the output, the sink's own value for one into the cache.
    """

    row: int
    layer: int
    sink: int
    positions: torch.Tensor
    weights: torch.Tensor
    norm: torch.Tensor


class Hooks:
    """What one method does to its R rows during one generation.

    Each hook does nothing by default, and one that is not overridden costs nothing. What a hook
    returns takes the place of what it was given; None changes nothing.

    Attributes:
        act_at: The layers where the hooks are called; None for all from `first_layer` on.
        queries: How many of the prompt's last queries `scores` changes.
        while_writing: Whether they are called while the answer is written, or with the prompt
            alone.
        lens: Layers whose output at the last position `logits` may ask for; -1 is the embedding.
        lens_normed: Whether it passes through the final norm before the output embedding.
        rewrote: Which share of each row's prompt the method wrote itself, float32 (R,), if any.
        writes: What was written into sinks so far, for the trace.
    """

    act_at: Collection[int] | None = None
    queries: int = 1
    while_writing: bool = True
    lens: Collection[int] = ()
    lens_normed: bool = True
    rewrote: torch.Tensor | None = None
    writes: "list[Write]"

    def __init__(self) -> None:
        """Start with nothing written."""
        self.writes = []

    def read(self, states: torch.Tensor) -> None:
        """Take what each layer made of the last token of `readings`, float (P, k, L, D)."""

    def residual(self, layer: int, hidden: torch.Tensor, prefill: bool) -> torch.Tensor | None:
        """Read or change the residual stream (R, Q, D) before a decoder layer."""
        return None

    def after_mlp(self, layer: int, output: torch.Tensor, prefill: bool) -> torch.Tensor | None:
        """Read or change the output of a layer's MLP (R, Q, D) before it is added."""
        return None

    def values(self, call: "AttentionCall", prefill: bool) -> torch.Tensor | None:
        """Return other values (R, H_kv, K, d) to attend to; they stay in the cache."""
        return None

    def scores(self, call: "AttentionCall", prefill: bool) -> torch.Tensor | None:
        """Return what is added to scores before the softmax, (R, H, q, K) or what becomes it.

        It is called with a few queries at a time, those of `call.asked`: `queries` of the prompt,
        and then each token's.
        """
        return None

    def attention(
        self, call: "AttentionCall", output: torch.Tensor, prefill: bool
    ) -> torch.Tensor | None:
        """Read or change the attention output (R, Q, H, d) before `o_proj`."""
        return None

    def logits(self, logits: torch.Tensor, lens: Lens) -> torch.Tensor:
        """Return the distribution that chooses the next token.

        Args:
            logits: float32 (P, k, V), of the k rows of each of P prompts, the main row first.
            lens: Gives the logits of a layer.

        Returns:
            float32 (P, V).
        """
        return logits[:, 0]

    def overrides(self, name: str) -> bool:
        """Tell whether a hook does anything."""
        return getattr(type(self), name) is not getattr(Hooks, name)


def plausible(logits: torch.Tensor, plain: torch.Tensor, beta: float) -> torch.Tensor:
    """Keep the tokens that the plain row finds plausible, and forbid the others.

    Source: Li et al. 2023, "Contrastive Decoding", https://arxiv.org/abs/2210.15097, section 3.3.

    Args:
        logits: float32 (..., V), to be cut.
        plain: float32 (..., V), the plain row's logits.
        beta: From 0 (all stay) to 1 (the likeliest alone).
    """
    if beta <= 0:
        return logits
    least = plain.amax(-1, keepdim=True) + math.log(beta)
    return logits.masked_fill(plain < least, float("-inf"))
