"""`sinktrack methods`."""

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sinktrack.cli.options import start
from sinktrack.terminal import print_table

if TYPE_CHECKING:
    from sinktrack.core.intervention import Intervention


def methods(
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """List the methods, and the parameters that --method gives them."""
    start()
    from sinktrack.methods import available

    kinds = available()
    if as_json:
        print(json.dumps([_as_json(each) for each in kinds.values()], indent=2))
        return
    about = [
        (name, f"{'Control: ' if each.control else ''}{each.summary()}")
        for name, each in kinds.items()
    ]
    print_table(
        sys.stdout,
        ("method", "what it does"),
        [("baseline", "The plain model, as it is."), *about],
    )
    for name, each in kinds.items():
        rows = [
            (parameter.name, parameter.default_in_words, parameter.range, parameter.help)
            for parameter in each.parameters()
        ]
        if rows:
            print_table(sys.stdout, (name, "default", "takes", "what it is"), rows)


def _as_json(kind: "type[Intervention]") -> dict[str, Any]:
    return {
        "kind": kind.kind,
        "title": kind.title or kind.kind.upper(),
        "summary": kind.summary(),
        "control": kind.control,
        "source": kind.source,
        "parameters": [
            {
                "name": each.name,
                "default": sorted(each.default)
                if isinstance(each.default, frozenset)
                else each.default,
                "range": each.range,
                "low": each.low,
                "high": each.high,
                "choices": list(each.choices),
                "help": each.help,
            }
            for each in kind.parameters()
        ],
    }
