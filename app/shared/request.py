"""What a visitor asks for. Knows nothing about models."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sinktrack.core.cache import Cache, SinkWindow
from sinktrack.core.errors import MethodError
from sinktrack.methods.sinktrack import Causal, Context, SinkTrack
from sinktrack.report.payload import lane_title


@dataclass(frozen=True, kw_only=True)
class Variant:
    """SinkTrack done differently, for a lane of its own.

    Args:
        context: Whose features it writes; None for the model's own schedule.
        causal: With which of the two masks.
        every: It injects at every so many layers; 0 for the model's own schedule.
    """

    context: Context | None = None
    causal: Causal = "corrected"
    every: int = 0

    @property
    def name(self) -> str:
        """The lane's name: what is different, in words."""
        contexts = {"image": "picture", "instruction": "question", "prompt": "prompt"}
        parts = [contexts.get(self.context, "picture and question")] if self.context else []
        parts += [f"every {_ordinal(self.every)} layer"] if self.every else []
        parts += ["mask of the public code"] if self.causal == "official" else []
        return f"SinkTrack: {', '.join(parts) or 'the model’s own'}"

    def method(self, model: Any) -> SinkTrack:
        """Return the method for a model.

        Raises:
            MethodError: If it does not fit the model.
        """
        changes: dict[str, Any] = {"causal": self.causal}
        if self.context:
            changes["context"] = self.context
        if self.every:
            count = model.config.get_text_config().num_hidden_layers
            layers = frozenset(range(self.every, count, self.every)) if self.every > 0 else None
            if not layers:
                raise MethodError(
                    f"SinkTrack cannot write at every {self.every} of {count} layers: choose "
                    f"1 to {count - 1}, or 0 for the model’s own schedule."
                )
            changes |= {"inject_at": layers, "refresh_after": layers}
        return SinkTrack.for_model(model, **changes)


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a visitor asked.

    Args:
        picture: The file, which `sinktrack.core.images.load_picture` has accepted.
        question: The visitor's text.
        notices: What is to be said about the picture.
        max_new_tokens: The longest answer, from 1 to the page's limit.
        sinktrack: How SinkTrack is done in its own lane.
        variants: How it is done in further lanes.
        do_sample: Sample; else each token is the most likely one.
        temperature: Above 0, used when sampling.
        seed: Of the sampling noise.
        cache: What stays in view while the answers grow.
    """

    picture: str
    question: str
    notices: tuple[str, ...] = ()
    max_new_tokens: int = 128
    sinktrack: Variant = Variant()
    variants: tuple[Variant, ...] = ()
    do_sample: bool = False
    temperature: float = 1.0
    seed: int = 0
    cache: Cache = "full"


def lane_methods(
    model: Any, own: Variant, variants: Sequence[Variant] = ()
) -> dict[str, SinkTrack | None]:
    """Return the methods that are compared: the plain model, SinkTrack, and its variants.

    Raises:
        MethodError: If one does not fit the model, or two are the same.
    """
    methods: dict[str, SinkTrack | None] = {"baseline": None, "sinktrack": own.method(model)}
    for variant in variants:
        if variant.name in methods:
            raise MethodError(
                "Two of the further answers are done in the same way: change one of them."
            )
        methods[variant.name] = variant.method(model)
    return methods


def lane_titles(model: Any, own: Variant, variants: Sequence[Variant] = ()) -> list[dict[str, str]]:
    """Return name, title and subtitle of each lane; without a model no subtitles.

    Raises:
        MethodError: If a variant does not fit the model.
    """
    if model is None:
        names = ("baseline", "sinktrack", *(variant.name for variant in variants))
        titles = {name: (lane_title(name, None)[0], "") for name in names}
    else:
        methods = lane_methods(model, own, variants).items()
        titles = {name: lane_title(name, method) for name, method in methods}
    return [
        {"name": name, "title": title, "subtitle": subtitle}
        for name, (title, subtitle) in titles.items()
    ]


def cache_for(window: int, sinks: int) -> Cache:
    """Return the cache that keeps the last `window` tokens (0: all) and the first `sinks`.

    Raises:
        MethodError: If a number is out of range.
    """
    return SinkWindow(window=window, sinks=sinks) if window else "full"


def _ordinal(number: int) -> str:
    last = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{'th' if number % 100 in (11, 12, 13) else last}"
