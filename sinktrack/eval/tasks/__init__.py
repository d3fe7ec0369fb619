"""The tasks that can be measured: one file a family, found by name.

A new task is one new file here. It defines `SUITES`, which maps names to the tasks that are asked
under that name. The command line lists these names before it loads a model, so such a file imports
neither torch nor transformers at its top.
"""

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from sinktrack.core.errors import MethodError
from sinktrack.eval.task import Task


@cache
def available() -> dict[str, tuple[Task, ...]]:
    """Return what can be asked for by name: the `SUITES` of every file of this folder.

    Raises:
        ValueError: If two files define the same name.
    """
    found: dict[str, tuple[Task, ...]] = {}
    for module in sorted(module.name for module in iter_modules(__path__)):
        suites: dict[str, tuple[Task, ...]] = import_module(f"{__name__}.{module}").SUITES
        taken = found.keys() & suites.keys()
        if taken:
            raise ValueError(
                f"{module}.py defines the tasks {min(taken)!r}, but another file did so already: "
                "choose another name."
            )
        found |= suites
    return found


def find(name: str) -> tuple[Task, ...]:
    """Return the tasks of a name.

    Raises:
        MethodError: If there are none of this name; says which there are.
    """
    if name not in available():
        raise MethodError(f"There is no task {name!r}: choose one of {', '.join(available())}.")
    return available()[name]
