"""The methods of a request, from the texts that name them. Knows no method by name but the plain.

A text is what the command line takes as well: a kind, then its parameters, as in
"vcd:alpha=1,beta=0.1".
"""

import re
from collections.abc import Sequence, Sized
from dataclasses import dataclass
from typing import Any

import sinktrack.methods as known_methods
from sinktrack.core.errors import MethodError, SinkTrackError
from sinktrack.core.intervention import Intervention, Parameter
from sinktrack.report.payload import lane_title
from sinktrack.report.payload import lane_titles as titles_of

PLAIN = "baseline"
FEWEST_METHODS, MOST_METHODS = 2, 4
_LONGEST = 500  # characters of a method's text


def check_methods(texts: Sequence[str]) -> None:
    """Refuse what no model is needed to refuse.

    Raises:
        MethodError: If there are too few or too many methods, or one is not known.
    """
    if not FEWEST_METHODS <= len(texts) <= MOST_METHODS:
        raise MethodError(
            f"There are {len(texts)} methods, but {FEWEST_METHODS} to {MOST_METHODS} are compared "
            "here: choose as many."
        )
    for text in texts:
        if len(text) > _LONGEST:
            raise MethodError(
                f"The parameters of a method have {len(text)} characters; the limit is {_LONGEST}: "
                "shorten them."
            )
        known_methods.check(text)


def lane_methods(model: Any, texts: Sequence[str]) -> dict[str, Intervention | None]:
    """Return the methods that are compared, by the names of their lanes.

    The one of a kind without parameters, or the first of them, has its kind for a name; others have
    their parameters.

    Raises:
        MethodError: If one is not known or does not fit the model, or two are the same.
    """
    check_methods(texts)
    found: dict[str, Intervention | None] = {}
    for name, text in zip(_names(texts), texts, strict=True):
        _, method = known_methods.parse(text, model)
        method = None if method is None else method.fitted(model)
        if method in found.values():
            raise _same(found, list(found.values()).index(method))
        found[name] = method
    return found


def lane_titles(model: Any, texts: Sequence[str]) -> list[dict[str, str]]:
    """Return name, title and subtitle of each lane; without a model no subtitles.

    Raises:
        MethodError: As `lane_methods`; without a model it finds less.
    """
    if model is not None:
        titles = titles_of(lane_methods(model, texts))
    else:
        check_methods(texts)
        titles = {}
        for name, text in zip(_names(texts), texts, strict=True):
            if text in texts[: len(titles)]:
                raise _same(titles, texts.index(text))
            titles[name] = (lane_title(known_methods.check(text), None)[0], "")
    return [
        {"name": name, "title": title, "subtitle": subtitle}
        for name, (title, subtitle) in titles.items()
    ]


def suited(model: Any, texts: Sequence[str], *, visuals: bool, passage: bool) -> tuple[str, ...]:
    """Return methods with contexts that a prompt has.

    Where there is no picture, a method that would look at it takes the passage in its place, or
    else the whole prompt, if it has a parameter `context` that the visitor left open.

    Args:
        model: None while it loads: then nothing is changed.
        texts: One a method.
        visuals: Whether there is a picture or video.
        passage: Whether there is a passage.

    Raises:
        MethodError: If a method is not known or does not fit the model.
    """
    if model is None or visuals:
        return tuple(texts)
    context = "passage" if passage else "prompt"
    return tuple(_with_context(model, text, context) for text in texts)


def _with_context(model: Any, text: str, context: str) -> str:
    _, method = known_methods.parse(text, model)
    needs = "" if method is None else method.needs or ""
    if "image" not in needs.split("+") or re.search(r"\bcontext\s*=", text):
        return text
    try:
        fitting = f"{text}{',' if ':' in text else ':'}context={context}"
        known_methods.parse(fitting, model)
    except MethodError:  # it needs a picture whatever its parameters are
        return text
    return fitting


@dataclass(frozen=True, kw_only=True)
class ParameterHelp:
    """What a visitor is told of one parameter of a method.

    Args:
        name: As it is typed.
        default: Its value for this model, as it is typed; "" where it has none to type.
        range: What values it takes, in words.
        help: One sentence.
    """

    name: str
    default: str
    range: str
    help: str


@dataclass(frozen=True, kw_only=True)
class MethodHelp:
    """What a visitor is told of a method.

    Args:
        summary: One sentence.
        parameters: All that can be set.
        example: Some of them, as they are typed.
    """

    summary: str
    parameters: tuple[ParameterHelp, ...] = ()
    example: str = ""


def method_choices() -> list[tuple[str, str]]:
    """Return titles and kinds of all methods, the plain model first."""
    kinds = [PLAIN, *known_methods.available()]
    return [(_choice(lane_title(kind, None)[0], kind), kind) for kind in kinds]


def method_help(kind: str, model: Any = None) -> MethodHelp:
    """Return what can be set of a method.

    Args:
        kind: Of the method.
        model: Its own defaults are shown where it is there already.

    Raises:
        MethodError: If there is no such method.
    """
    if kind == PLAIN:
        return MethodHelp(summary="The model as it is. There is nothing to set.")
    method = known_methods.kind(kind)
    fitted: Any = None
    if model is not None:
        try:
            fitted = method.for_model(model)
        except SinkTrackError:
            fitted = None  # it has to be told more
    parameters = method.parameters()
    return MethodHelp(
        summary=method.summary(),
        parameters=tuple(
            ParameterHelp(
                name=each.name,
                default=_typed(getattr(fitted, each.name, each.default)),
                range=each.range,
                help=each.help,
            )
            for each in parameters
        ),
        example=_example(parameters),
    )


def _names(texts: Sequence[str]) -> list[str]:
    """Return a name for each lane that no other one has."""
    kinds = [known_methods.check(text) for text in texts]
    parameters = [text.partition(":")[2].strip() for text in texts]
    bare = {kind for kind, typed in zip(kinds, parameters, strict=True) if not typed}
    names: list[str] = []
    for text, kind, typed in zip(texts, kinds, parameters, strict=True):
        own = [kind] if not typed or kind not in bare else []
        wanted = [*own, *([typed] if typed else []), text, *(f"{text} {n}" for n in range(2, 9))]
        names.append(next(name for name in wanted if name not in names))
    return names


def _same(before: Sized, index: int) -> MethodError:
    return MethodError(
        f"Answers {index + 1} and {len(before) + 1} are made in the same way: change one of them."
    )


def _choice(title: str, kind: str) -> str:
    return title if kind in (PLAIN, title.lower()) else f"{title} ({kind})"


def _example(parameters: Sequence[Parameter]) -> str:
    """Return the first two parameters that are no layers, with values to type."""
    named = [each for each in parameters if not each.layers][:2]
    typed = (_typed(each.choices[-1] if each.choices else each.default) for each in named)
    return ", ".join(f"{each.name}={value}" for each, value in zip(named, typed, strict=True))


def _typed(value: Any) -> str:
    """Return a parameter's value as it is typed."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, frozenset):
        return "+".join(map(str, sorted(value)))
    return f"{value:g}" if isinstance(value, float) else str(value)
