"""The options that several commands share, and what is made of them."""

import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sinktrack.core.checkpoint import find_checkpoint
from sinktrack.core.errors import MethodError, ModelError
from sinktrack.core.names import BUNDLED, exists
from sinktrack.machine import importing, is_first_process, settle_threads
from sinktrack.terminal import harmless, waiting

if TYPE_CHECKING:
    from sinktrack.core.batch import Methods
    from sinktrack.core.cache import Cache
    from sinktrack.core.prompt import Prompt

MODEL, METHODS, FIELDS = "Model", "Methods", "Fields"
"""The headings that options stand under in a help."""


class Dtype(str, Enum):
    """Of the weights."""

    float32 = "float32"
    bfloat16 = "bfloat16"
    float16 = "float16"


class Causal(str, Enum):
    """SinkTrack's masks."""

    corrected = "corrected"
    official = "official"


ModelName = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="M",
        help="A hub name or local folder; by default the small checkpoint that comes along.",
        rich_help_panel=MODEL,
    ),
]
ItemField = Annotated[
    str | None, typer.Option(metavar="NAME", help="Names the item.", rich_help_panel=FIELDS)
]
PredictionField = Annotated[
    str | None, typer.Option(metavar="NAME", help="What was said.", rich_help_panel=FIELDS)
]
GoldField = Annotated[
    str | None, typer.Option(metavar="NAME", help="What is right.", rich_help_panel=FIELDS)
]
Device = Annotated[
    str | None,
    typer.Option(
        metavar="D",
        help="cpu, cuda, cuda:1, mps, or auto, which spreads the model over all GPUs; by default "
        "the best that is there.",
        rich_help_panel=MODEL,
    ),
]
Weights = Annotated[
    Dtype | None,
    typer.Option(
        "--dtype",
        help="Of the weights; by default what the device is fastest in.",
        rich_help_panel=MODEL,
    ),
]
FourBit = Annotated[
    bool,
    typer.Option(
        "--four-bit", help="Quantise to 4 bits, on a CUDA GPU alone.", rich_help_panel=MODEL
    ),
]
MethodTexts = Annotated[
    list[str] | None,
    typer.Option(
        "--method",
        metavar="KIND:name=value,...",
        help="A method, once or several times, with or without parameters; sinktrack methods lists "
        "them. baseline is the plain model, all is baseline and every method that can be used, and "
        "title=KIND gives a method a name of its own. By default baseline and sinktrack.",
        rich_help_panel=METHODS,
    ),
]
Context = Annotated[
    str | None,
    typer.Option(
        metavar="C",
        help="What SinkTrack writes, such as image or passage, where there is no --method.",
        rich_help_panel=METHODS,
    ),
]
Mask = Annotated[
    Causal | None,
    typer.Option(
        "--causal",
        help="SinkTrack's mask, where there is no --method; by default corrected.",
        rich_help_panel=METHODS,
    ),
]
Window = Annotated[
    int | None,
    typer.Option(
        metavar="W",
        help="Keep the last W tokens alone in the cache, and the first ones.",
        rich_help_panel=METHODS,
    ),
]
Sinks = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="How many first tokens a window keeps; by default 1.",
        rich_help_panel=METHODS,
    ),
]


@dataclass(frozen=True, kw_only=True)
class Loading:
    """Which model, and how it is loaded.

    Args:
        name: A hub name, a folder, or the name of a checkpoint that comes along; None for the
            small one.
        device: None for the best.
        dtype: None for the device's own.
        four_bit: Whether to quantise.

    Raises:
        ModelError: If there can be no such model.
    """

    name: str | None
    device: str | None
    dtype: Dtype | None
    four_bit: bool

    def __post_init__(self) -> None:
        """Refuse at once what is no name."""
        if self.name is not None:
            find_checkpoint(known(self.name))

    def model(self, otherwise: str | None = None) -> tuple[Any, Any]:
        """Return model and processor, and show on a terminal that they are being loaded.

        Args:
            otherwise: The model to take where none was named, before the one that comes along.

        Raises:
            ModelError: If it cannot be loaded.
        """
        start()
        with importing():
            import torch
            import transformers

            from sinktrack.core.models import load

        name = self.name or otherwise
        if name is None and not BUNDLED.is_dir():
            raise ModelError(
                "The small checkpoint comes with a checkout alone: choose one with --model."
            )
        place = str(BUNDLED) if name is None else known(name)
        transformers.utils.logging.disable_progress_bar()
        with waiting(f"Loading {Path(place).name if exists(place) else place}") as say:
            model, processor = load(
                place,
                device=self.device,
                dtype=None if self.dtype is None else getattr(torch, self.dtype.value),
                four_bit=self.four_bit,
                say=say,
            )
        settle_threads(model)
        return model, processor


def known(name: str) -> str:
    """Return where a model of this name is: beside the one that comes along, or on the hub."""
    folder = BUNDLED.parent / name
    return str(folder) if exists(folder) and folder.is_dir() else name


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The methods that were asked for, as far as they can be told without a model.

    Args:
        texts: As for `sinktrack.methods.parse_all`; none for baseline and SinkTrack.
        changes: What differs from SinkTrack's published arguments, where there are no texts.
    """

    texts: tuple[str, ...]
    changes: dict[str, str]

    @classmethod
    def of(cls, texts: list[str] | None, context: str | None, causal: Causal | None) -> "Choice":
        """Return what a command's options ask for.

        Raises:
            MethodError: If there are no such methods, or two have the same name.
        """
        changes = {} if context is None else {"context": context}
        changes |= {} if causal is None else {"causal": causal.value}
        if texts and changes:
            raise MethodError(
                f"--{next(iter(changes))} is for the methods that run without --method: write "
                f"--method sinktrack:{','.join(f'{key}={value}' for key, value in changes.items())}"
                ", or leave one of the two out."
            )
        start()
        from sinktrack.methods import ALL, BASELINE, available, check, create, said_twice

        create("sinktrack", **changes)
        names: list[str] = []
        for text in texts or ():
            names += [BASELINE, *available()] if text == ALL else [check(text)]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise said_twice(twice)
        return cls(texts=tuple(texts or ()), changes=changes)

    def for_prompt(self, model: Any, prompt: "Prompt") -> "Methods":
        """Return the methods for one prompt."""
        from sinktrack.api import default_methods

        if self.texts or "context" in self.changes:
            return self.for_prompts(model, [prompt])
        return {
            name: method and replace(method, **self.changes)
            for name, method in default_methods(model, prompt).items()
        }

    def for_prompts(self, model: Any, prompts: "Iterable[Prompt]") -> "Methods":
        """Return the methods for several prompts; say which of all are left out, and why."""
        from sinktrack.methods import parse_all
        from sinktrack.methods.sinktrack import SinkTrack

        if self.texts:
            methods, left_out = parse_all(self.texts, model, prompts)
            for name, why in left_out.items():
                tell(f"{name} is left out: {why}")
            return methods
        if "context" in self.changes:
            return {"baseline": None, "sinktrack": SinkTrack.for_model(model, **self.changes)}
        usual: Methods = {
            "baseline": None,
            "sinktrack": SinkTrack.for_prompts(model, list(prompts)),
        }
        return {name: one and replace(one, **self.changes) for name, one in usual.items()}


def cache_of(window: int | None, sinks: int | None) -> "Cache":
    """Return what stays in view.

    Raises:
        MethodError: If a number is out of range, or there are sinks without a window.
    """
    if window is None:
        if sinks is not None:
            raise MethodError("--sinks is for a window alone: add --window, or leave it out.")
        return "full"
    start()
    from sinktrack.core.cache import SinkWindow

    return SinkWindow(window=window, sinks=1 if sinks is None else sinks)


def check_count(name: str, value: int) -> None:
    """Refuse a number below 1.

    Raises:
        MethodError: With the option's name.
    """
    if value < 1:
        raise MethodError(f"--{name} is {value}, but must be at least 1.")


def tell(said: str) -> None:
    """Say something beside the answers; of several processes the first says it."""
    if is_first_process():
        print(f"sinktrack: {harmless(said)}", file=sys.stderr)


def start() -> None:
    """Import what answers questions, which takes seconds; a terminal shows it."""
    with waiting("Starting"):
        import sinktrack.api  # noqa: F401
