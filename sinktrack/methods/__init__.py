"""What can be done to a model while it answers: one file a method, or a family of methods.

Each file in this folder is found by itself; docs/methods.md shows how to write one. What all of
them share lives in `sinktrack.core.intervention`.
"""

from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from sinktrack.core.errors import MethodError
from sinktrack.core.intervention import KINDS, Intervention, Parameter, fit

__all__ = [
    "Intervention",
    "Parameter",
    "available",
    "create",
    "from_dict",
    "kind",
    "parse",
    "published",
]


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
        raise MethodError(f"There is no method {name!r}; known are {', '.join(known)}.")
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
        raise MethodError(f"A method is {said!r}, but must be an object with kind and parameters.")
    values = dict(said)
    # What was saved before there were others is SinkTrack.
    return create(str(values.pop("kind", "sinktrack")), **values)


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


def check(text: str) -> str:
    """Return the name in a text for `parse`, as far as it can be refused without a model.

    Raises:
        MethodError: If there is no such method, or a parameter is unknown or out of range.
    """
    name, chosen, parameters = _read(text)
    if chosen is not None:
        chosen.of(parameters)
    return name


def _read(text: str) -> tuple[str, type[Intervention] | None, dict[str, Any]]:
    """Return name, class (None for the plain model) and parameters of a text for `parse`."""
    name, words, values = _split(text)
    if not name:
        raise MethodError(f"The method {text!r} has no name: write KIND, or title=KIND.")
    if words == "baseline":
        if values:
            raise MethodError("The baseline is the plain model, which has no parameters.")
        return name, None, {}
    chosen = kind(words)
    known = {each.name: each for each in chosen.parameters()}
    parameters = {}
    for each in values:
        parameter, equals, value = each.partition("=")
        parameter = parameter.strip().replace("-", "_")
        if not equals or parameter not in known:
            raise MethodError(
                f"{words} has no parameter {each!r}; give name=value with a name of "
                f"{', '.join(known) or 'none'}."
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
    return name.strip(), words, [each for each in tail.split(",") if each.strip()]
