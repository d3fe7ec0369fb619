"""What can be done to a model while it answers: one file a method, or a family of methods.

Each file in this folder is found by itself; docs/methods.md shows how to write one. What all of
them share lives in `sinktrack.core.intervention`.
"""

import re
from collections.abc import Iterable, Sequence
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from sinktrack.core.errors import MethodError, PromptError, shown
from sinktrack.core.intervention import KINDS, Intervention, Parameter, fit
from sinktrack.core.prompt import Prompt

__all__ = [
    "Intervention",
    "Parameter",
    "available",
    "create",
    "from_dict",
    "kind",
    "parse",
    "parse_all",
    "preset",
    "published",
]

ALL = "all"
"""What stands for `preset` among texts."""
BASELINE = "baseline"
"""What stands for the plain model."""


def available() -> dict[str, type[Intervention]]:
    """Return every method by its kind; each has `summary()` and `parameters()`."""
    for module in iter_modules(__path__):
        import_module(f"{__name__}.{module.name}")
    return dict(sorted(KINDS.items()))


def kind(name: str) -> type[Intervention]:
    """Return the method of a kind.

    Raises:
        MethodError: If there is none.
    """
    known = available()
    if name not in known:
        raise MethodError(f"There is no method {shown(name)}; known are {', '.join(known)}.")
    return known[name]


def create(name: str, **parameters: Any) -> Intervention:
    """Return a method by its kind and parameters, those left out at their defaults.

    Raises:
        MethodError: If there is no such method, or a parameter is unknown or out of range.
    """
    return kind(name).of(parameters)


def from_dict(said: Any) -> Intervention | None:
    """Return the method that `as_dict` described; None for None, the plain model.

    Raises:
        MethodError: If it describes none.
    """
    if said is None:
        return None
    if not isinstance(said, dict):
        raise MethodError(
            f"A method is {shown(said)}, but must be an object with kind and parameters."
        )
    values = dict(said)
    # What was saved before there were others is SinkTrack.
    return kind(str(values.pop("kind", "sinktrack"))).of(values)


def published(changes: Any, model: Any) -> Intervention | None:
    """Return a method as published for a model, with some parameters changed.

    Args:
        changes: {"kind": ..., parameters}; without a kind SinkTrack; None for the plain model.
        model: The model.

    Raises:
        MethodError: If it describes no method, or one that does not fit the model.
    """
    if changes is None:
        return None
    values = dict(changes)
    chosen = kind(str(values.pop("kind", "sinktrack")))
    return fit(chosen.for_model(model, **values), model)


def parse(text: str, model: Any) -> tuple[str, Intervention | None]:
    """Return what a text such as "vcd:alpha=1,beta=0.1" stands for, with its name.

    Args:
        text: A kind, or "baseline" for the plain model; then ":" and parameters as name=value,
            separated by commas. "title=KIND:..." gives it a name of its own.
        model: The model that it is for.

    Raises:
        MethodError: If it stands for nothing.
    """
    name, chosen, parameters = _read(text)
    return name, None if chosen is None else fit(chosen.for_model(model, **parameters), model)


def parse_all(
    texts: Sequence[str], model: Any, prompts: Iterable[Prompt]
) -> tuple[dict[str, Intervention | None], dict[str, str]]:
    """Return what several texts stand for, and what is left out.

    Args:
        texts: As for `parse`; "all" stands for what `preset` returns.
        model: The model that they are for.
        prompts: As for `preset`; looked at only where a text is "all".

    Returns:
        Methods by name, and the kinds that "all" left out, each with a sentence that says why.

    Raises:
        MethodError: If a text stands for nothing, or two methods have the same name.
    """
    methods: dict[str, Intervention | None] = {}
    left_out: dict[str, str] = {}
    for text in texts:
        if text == ALL:
            found, left_out = preset(model, prompts)
        else:
            found = dict([parse(text, model)])
        twice = next((name for name in found if name in methods), None)
        if twice is not None:
            raise said_twice(twice)
        methods |= found
    return methods, left_out


def said_twice(name: str) -> MethodError:
    """Return the error of two methods with one name."""
    return MethodError(
        f"Two methods are called {name!r}: give each a name, as in one={name} and other={name}."
    )


def preset(
    model: Any, prompts: Iterable[Prompt]
) -> tuple[dict[str, Intervention | None], dict[str, str]]:
    """Return the plain model and every kind of method, as published for a model.

    Args:
        model: The model.
        prompts: What is to be asked. A kind that needs what one of them lacks is left out, and so
            is one that cannot be used with the model.

    Returns:
        Methods by kind, "baseline" first; and the kinds left out, each with a sentence that says
        why.
    """
    prompts = list(prompts)
    methods: dict[str, Intervention | None] = {BASELINE: None}
    left_out = {}
    for name, each in available().items():
        try:
            method = fit(each.for_prompts(model, prompts), model)
            for prompt in prompts:
                if method.needs is not None:
                    prompt.check_has(method.needs, name)
            methods[name] = method
        except (MethodError, PromptError) as error:
            left_out[name] = str(error)
    return methods, left_out


def check(text: str) -> str:
    """Return the name in a text for `parse`, as far as it can be refused without a model.

    Raises:
        MethodError: If there is no such method, or a parameter is unknown or out of range.
    """
    name, chosen, parameters = _read(text)
    if chosen is not None:
        chosen.of(parameters)
    return name


def described(text: str) -> tuple[str, dict[str, Any] | None]:
    """Return the name in a text for `parse`, and its method as `from_dict` and studies take it.

    Raises:
        MethodError: If there is no such method, or a parameter is unknown or out of range.
    """
    name, chosen, parameters = _read(text)
    if chosen is None:
        return name, None
    chosen.of(parameters)
    values = {
        each: sorted(value) if isinstance(value, frozenset) else value
        for each, value in parameters.items()
    }
    return name, {"kind": chosen.kind} | values


def _read(text: str) -> tuple[str, type[Intervention] | None, dict[str, Any]]:
    """Return name, class (None for the plain model) and parameters of a text for `parse`."""
    name, words, values = _split(text)
    if not name:
        raise MethodError(f"The method {shown(text)} has no name: write KIND, or title=KIND.")
    if words == BASELINE:
        if values:
            raise MethodError("The baseline is the plain model, which has no parameters.")
        return name, None, {}
    if words == ALL:
        raise MethodError(
            "The methods of 'all' have their own names and parameters: write 'all' alone."
        )
    chosen = kind(words)
    known = {each.name: each for each in chosen.parameters()}
    if values and not known:
        raise MethodError(f"{words} has no parameters: leave {shown(values[0])} out.")
    parameters = {}
    for each in values:
        parameter, equals, value = each.partition("=")
        parameter = parameter.strip().replace("-", "_")
        if not equals or parameter not in known:
            raise MethodError(
                f"{words} has no parameter {shown(each)}; give name=value with a name of "
                f"{', '.join(known)}."
            )
        if parameter in parameters:
            raise MethodError(f"{words} is given {parameter} twice: give it once.")
        parameters[parameter] = known[parameter].parsed(value.strip())
    return name, chosen, parameters


def _split(text: str) -> tuple[str, str, list[str]]:
    """Return name, kind and parameters of a text for `parse`."""
    head, _, tail = text.partition(":")
    name, equals, words = head.partition("=")
    words = (words if equals else name).strip()
    # A comma inside a text parts nothing, as in "icd:disturbance=Guess, and do not look".
    values = re.split(r",[\s,]*(?=[\w-]+\s*=|$)", tail)
    return name.strip(), words, [each.strip() for each in values if each.strip()]
