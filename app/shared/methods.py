"""The methods of a request, from the texts that name them. Knows no method by name but the plain.

A text is what the command line takes as well: a kind, then its parameters, as in
"vcd:alpha=1,beta=0.1".
"""

import re
from collections.abc import Sequence, Sized
from typing import Any

import sinktrack.methods as known_methods
from sinktrack.core.errors import MethodError
from sinktrack.core.intervention import Intervention
from sinktrack.report.payload import lane_title
from sinktrack.report.payload import lane_titles as titles_of

PLAIN = "baseline"
FEWEST_METHODS, MOST_METHODS = 2, 6
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


def text_of(model: Any, method: Intervention | None) -> str:
    """Return the shortest text that stands for a method.

    Args:
        model: None while it loads: then nothing is left out.
        method: None for the plain model.

    Raises:
        MethodError: If no text stands for it, or it does not fit the model.
    """
    if method is None:
        return PLAIN
    if model is None:
        return method.as_text()
    for text in (method.kind, method.as_text()):
        if known_methods.parse(text, model)[1] == method.fitted(model):
            return text
    raise MethodError(f"{method.kind} has settings here that no text stands for.")


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
