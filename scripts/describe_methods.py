"""Write the table of docs/methods.md for `make docs`, from what methods say of themselves."""

import inspect
import re
from pathlib import Path
from typing import Any

import sinktrack
from sinktrack.core.errors import MethodError
from sinktrack.core.intervention import Intervention

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "methods.md"
BEGIN, END = "<!-- methods: written by `make docs` -->\n", "<!-- end of methods -->\n"

# A model with pictures and a chat template, on which every method can say what it needs.
MODEL = ROOT / "assets" / "shapes-vl"


def described(model: Any) -> str:
    """Return the page with the table as it should be."""
    return with_table(PAGE, BEGIN, table(model), END)


def with_table(page: Path, begin: str, table: str, end: str) -> str:
    """Return a page with another table between two marks."""
    before, _, rest = page.read_text("utf-8").partition(begin)
    return before + begin + table + end + rest.partition(end)[2]


def table(model: Any) -> str:
    """Return one row a method, and its parameters below one another.

    Args:
        model: Tells what a method needs, as published for it.
    """
    lines = [
        "| kind | what it does | needs | rows | source |",
        "|---|---|---|---|---|",
    ]
    parameters = []
    for kind, method in sinktrack.methods.available().items():
        fitted = as_published(method, model)
        file = Path(inspect.getfile(method)).name
        link = f"[{file}](../sinktrack/methods/{file})"
        rows = fitted.rows
        said = [link, *source(method)]
        lines.append(
            f"| `{kind}` | {method.summary()} | {fitted.needs or 'any prompt'} | {rows} "
            f"| {', '.join(said)} |"
        )
        parameters += [
            f"| `{kind}` | `{each.name}` | {each.default_in_words} | {each.range} | {each.help} |"
            for each in method.parameters()
        ]
    return "\n".join(
        [
            *lines,
            "",
            "SinkTrack needs its `context`; the schedules of vision-language models say image.",
            "",
            "| kind | parameter | default | takes | what it is |",
            "|---|---|---|---|---|",
            *parameters,
            "",
        ]
    )


def as_published(method: type[Intervention], model: Any) -> Intervention:
    """Return a method as published for a model, or as it is where it has to be told more."""
    try:
        return method.for_model(model)
    except MethodError:
        return method()


def source(method: type[Intervention]) -> list[str]:
    """Return a link to the paper that a method comes from, if it comes from one."""
    arxiv = re.search(r"arxiv\.org/abs/(.+)", method.source)
    name = f"arXiv {arxiv[1]}" if arxiv else method.source.partition("//")[2]
    return [f"[{name}]({method.source})"] if method.source else []


if __name__ == "__main__":
    PAGE.write_text(described(sinktrack.load(MODEL, device="cpu")[0]), "utf-8")
