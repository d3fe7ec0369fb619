"""What a visitor is told of each method, and which methods fit what is asked.

Everything comes from what the methods say of themselves. Knows no method by name but the plain.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sinktrack.methods as known_methods
from app.shared.methods import PLAIN, suited
from sinktrack.core.errors import MethodError, SinkTrackError
from sinktrack.core.intervention import Intervention, Parameter
from sinktrack.report.payload import lane_title
from sinktrack.report.words import part_title

ANYTHING = "fits anything"
_ALWAYS = {"instruction", "prompt", "rest"}  # parts that every prompt has


@dataclass(frozen=True, kw_only=True)
class ParameterHelp:
    """What a visitor is told of one parameter of a method.

    Args:
        name: As it is typed.
        default: Its value for this model, as it is typed; "" where it has none to type.
        range: What values it takes, in words.
        help: One sentence.
        choices: The words that it can be, for a word or a switch.
        number: "whole" or "any" for a number, else "".
        low: The least of a number; None for none.
        high: The largest.
    """

    name: str
    default: str
    range: str
    help: str
    choices: tuple[str, ...] = ()
    number: Literal["whole", "any", ""] = ""
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, kw_only=True)
class MethodCard:
    """What a visitor is told of a method.

    Args:
        kind: Of the method.
        title: What it is called.
        summary: One sentence.
        group: The plain model, a method, or a control.
        rows: How many rows of the batch a prompt needs.
        needs: What a question must be about, in words; "" while the model loads.
        source: The address of its paper; "" for none.
        parameters: All that can be set.
    """

    kind: str
    title: str
    summary: str
    group: Literal["plain", "method", "control"]
    rows: int
    needs: str
    source: str = ""
    parameters: tuple[ParameterHelp, ...] = ()


def method_cards(model: Any) -> list[MethodCard]:
    """Return all that can be compared: the plain model, the methods, then the controls.

    Args:
        model: Its own defaults are told where it is there already; None while it loads.
    """
    plain = MethodCard(
        kind=PLAIN,
        title=lane_title(PLAIN, None)[0],
        summary="The model as it is. There is nothing to set.",
        group="plain",
        rows=1,
        needs=ANYTHING,
    )
    found = [_card(kind, method, model) for kind, method in known_methods.available().items()]
    found.sort(key=lambda card: (card.group == "control", card.title.lower()))
    return [plain, *found]


def fitting(model: Any, *, visuals: bool, passage: bool) -> list[str]:
    """Return the methods that fit what is asked, without the controls.

    Those that are made for it come first, and of those the ones with fewer rows.

    Args:
        model: The model.
        visuals: Whether there is a picture or video.
        passage: Whether there is a passage.
    """
    ranked = []
    for kind, method in known_methods.available().items():
        fitted = _as_published(kind, model)
        if fitted is None or method.control or not _fits(model, kind, visuals, passage):
            continue
        anything = _fits(model, kind, visuals=False, passage=False)
        ranked.append((anything, fitted.rows, kind))
    return [kind for *_, kind in sorted(ranked)]


def _card(kind: str, method: type[Intervention], model: Any) -> MethodCard:
    fitted = _as_published(kind, model)
    needs = "needs settings first"  # such as a dimension that nobody knows yet
    if model is None or fitted is not None:
        needs = "" if fitted is None else _needs(model, kind, fitted)
    return MethodCard(
        kind=kind,
        title=lane_title(kind, None)[0],
        summary=method.summary(),
        group="control" if method.control else "method",
        rows=(fitted or method()).rows,
        needs=needs,
        # A page may only lead to pages.
        source=method.source if method.source.startswith(("https://", "http://")) else "",
        parameters=tuple(_help(each, fitted) for each in method.parameters()),
    )


def _as_published(kind: str, model: Any) -> Intervention | None:
    """Return a method with its defaults for a model; None if it cannot be had without more."""
    if model is None:
        return None
    try:
        return known_methods.parse(kind, model)[1]
    except SinkTrackError:
        return None


def _fits(model: Any, kind: str, visuals: bool, passage: bool) -> bool:
    """Tell whether a method can be asked, with a context that suits it."""
    try:
        (text,) = suited(model, [kind], visuals=visuals, passage=passage)
        method = known_methods.parse(text, model)[1]
    except MethodError:
        return False
    seen = {"image", "video"} if visuals else set()
    there = _ALWAYS | seen | ({"passage"} if passage else set())
    return method is None or method.needs is None or set(method.needs.split("+")) <= there


def _needs(model: Any, kind: str, fitted: Intervention) -> str:
    if _fits(model, kind, visuals=False, passage=False):
        return ANYTHING
    parts = [each for each in (fitted.needs or "").split("+") if each not in _ALWAYS]
    titles = [part_title(each).lower() for each in parts]
    return "needs " + " and ".join(t if t.endswith("s") else f"a {t}" for t in titles)


def _help(parameter: Parameter, fitted: Intervention | None) -> ParameterHelp:
    switch = isinstance(parameter.default, bool)
    text = parameter.set_of or parameter.check is not None
    number = not (text or switch or parameter.choices)
    return ParameterHelp(
        name=parameter.name,
        default=_typed(getattr(fitted, parameter.name, parameter.default)),
        range=parameter.range,
        help=parameter.help,
        choices=("yes", "no") if switch else tuple(map(_typed, parameter.choices)),
        number=("whole" if parameter.whole else "any") if number else "",
        low=parameter.low,
        high=parameter.high,
    )


def _typed(value: Any) -> str:
    """Return a parameter's value as it is typed."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, frozenset):
        return "+".join(map(str, sorted(value)))
    return f"{value:g}" if isinstance(value, float) else str(value)


def in_words(visuals: bool, passage: bool) -> str:
    """Say what a question is about."""
    about: Sequence[str] = ["a picture"] * visuals + ["a passage"] * passage
    return " with ".join(about) or "a question alone"
