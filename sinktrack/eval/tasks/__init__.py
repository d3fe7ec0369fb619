"""The tasks that can be measured: one file a family, found by name.

A new task is one new file here. It defines `SUITES`, which maps names to what is asked under that
name: tasks, or a `Benchmark`, which makes tasks of what a person chose. The command line lists
these names before it loads a model, so such a file imports neither torch nor transformers at its
top, and reads no data. Prompts stand beside it, in `prompts/`.
"""

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from sinktrack.core.errors import DataError, MethodError
from sinktrack.eval.task import Benchmark, Chosen, Suite, Task


@cache
def available() -> dict[str, Suite]:
    """Return what can be asked for by name: the `SUITES` of every file of this folder.

    Raises:
        ValueError: If two files define the same name.
    """
    found: dict[str, Suite] = {}
    for module in sorted(module.name for module in iter_modules(__path__)):
        suites: dict[str, Suite] = import_module(f"{__name__}.{module}").SUITES
        taken = found.keys() & suites.keys()
        if taken:
            raise ValueError(
                f"{module}.py defines the tasks {min(taken)!r}, but another file did so already: "
                "choose another name."
            )
        found |= suites
    return found


def find(name: str, chosen: Chosen | None = None) -> tuple[Task, ...]:
    """Return the tasks of a name.

    Args:
        name: As in `available`.
        chosen: Prompt, data and revision; None for what each benchmark does by itself.

    Raises:
        MethodError: If there are none of this name; says which there are.
        DataError: If the tasks cannot be what was chosen.
    """
    suite, chosen = _suite(name), chosen or Chosen()
    if isinstance(suite, Benchmark):
        _check_places(name, suite, chosen)
        return suite.tasks(chosen)
    for option, value in (
        ("prompt", chosen.prompt),
        ("data", chosen.data),
        ("revision", chosen.revision),
    ):
        if value:
            raise DataError(
                f"{name} draws its own questions, so there is no --{option} for it: leave it out."
            )
    return suite


def placed(name: str, given: str) -> tuple[str, str]:
    """Return the name of what is given a place, and the place.

    Args:
        name: Of the tasks.
        given: "NAME=PLACE", or the place alone where the tasks have a single one.

    Raises:
        MethodError: As `find`.
        DataError: If there is no such name.
    """
    suite = _suite(name)
    places = suite.places if isinstance(suite, Benchmark) else {}
    what, _, place = given.partition("=")
    if what in places and place:
        return what, place
    if len(places) == 1 and what not in places:
        return next(iter(places)), given
    if not places:
        raise DataError(f"{name} draws its own questions, so there is no --data for it.")
    raise DataError(
        f"--data {given} names no data of {name}: write "
        + " or ".join(f"--data {each}=PLACE ({said})" for each, said in places.items())
        + "."
    )


def _suite(name: str) -> Suite:
    if name not in available():
        raise MethodError(f"There is no task {name!r}: choose one of {', '.join(available())}.")
    return available()[name]


def _check_places(name: str, suite: Benchmark, chosen: Chosen) -> None:
    unknown = next((each for each in chosen.data if each not in suite.places), None)
    if unknown is not None:
        raise DataError(f"{name} knows no data {unknown!r}, but {', '.join(suite.places)}.")
    if chosen.revision is not None and not suite.on_hub:
        raise DataError(f"{name} reads files by their path, so there is no --revision for it.")
