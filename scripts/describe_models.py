"""Write the table of docs/models.md for `make docs`, by asking small models of every family."""

import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from applied import acted, answers_of  # noqa: E402
from describe_methods import with_table  # noqa: E402

import sinktrack  # noqa: E402
from sinktrack.core.families import FAMILIES  # noqa: E402

PAGE = ROOT / "docs" / "models.md"
BEGIN, END = "<!-- models: written by `make docs` -->\n", "<!-- end of models -->\n"


def described() -> str:
    """Return the page with the table as it should be."""
    return with_table(PAGE, BEGIN, table(), END)


def table() -> str:
    """Return one row a family."""
    lines = [
        "| `model_type` | models | reads | methods that act | beside small random weights |",
        "|---|---|---|---|---|",
    ]
    for name, family in FAMILIES.items():
        reads = "pictures and text" if family.reads_pictures else "text"
        lines.append(
            f"| `{name}` | {family.models} | {reads} | {methods(name)} | {family.tested} |"
        )
    return "\n".join([*lines, ""])


def methods(name: str) -> str:
    """Say how many methods act on a family, and which do not."""
    known = sinktrack.methods.available()
    answers = {
        kind: answer
        for kind, answer in answers_of(name).items()
        if not known[kind].control and not (isinstance(answer, str) and "no image" in answer)
    }
    without = [kind for kind, answer in answers.items() if not acted(answer)]
    if not without:
        return f"all {len(answers)}"
    return f"{len(answers) - len(without)}, not {', '.join(without)}"


if __name__ == "__main__":
    PAGE.write_text(described(), encoding="utf-8")
