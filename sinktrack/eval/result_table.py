"""The results of a run as texts: a table in Markdown, and what is to be said beside a table.

Takes what `sinktrack.eval.results` makes, and works out nothing.
"""

from collections.abc import Mapping
from typing import Any

Figure = Mapping[str, Any]
"""As `sinktrack.eval.results` makes it."""


def table(found: Mapping[str, Any]) -> str:
    """Return results as Markdown: a table a task, one row a method, one column a measure."""
    names = list(found["settings"]["methods"])
    parts = []
    for task, measured in found["tasks"].items():
        measures = measures_of(measured)
        failed = found["failed"][task]
        head = [task, *measures, "moved: median, most", *(["failed"] if failed else [])]
        rows = [
            [
                name,
                *(_cell(measured[name].get(measure)) for measure in measures),
                moved_in_words(found["moved"][task].get(name, {})),
                *([str(failed.get(name, 0))] if failed else []),
            ]
            for name in names
        ]
        lines = [head, ["---"] * len(head), *rows]
        parts.append("\n".join(f"| {' | '.join(line)} |" for line in lines))
    said = remarks(found)
    if said:
        parts.append("\n\n".join(said))
    return "\n\n".join(parts) + "\n"


def measures_of(measured: Mapping[str, Mapping[str, Figure]]) -> list[str]:
    """Return all measures that a task's methods have, in the order of the first that has each."""
    return list(dict.fromkeys(measure for own in measured.values() for measure in own))


def moved_in_words(moved: Mapping[str, Mapping[str, float]]) -> str:
    """Return how far a method moved each thing in an answer: the median, and the most."""
    return (
        "; ".join(f"{kind} {how['median']:.3g}, {how['most']:.3g}" for kind, how in moved.items())
        or "-"
    )


def remarks(found: Mapping[str, Any]) -> list[str]:
    """Return what is to be said beside the tables of a run, a paragraph each."""
    said = []
    if found["comparisons"]:
        first = next(iter(found["settings"]["methods"]))
        said.append(
            f"p compares a method with {first} on the same items; it is corrected by Holm's "
            f"procedure for all {found['comparisons']} comparisons of this run."
        )
    if found["notes"]:
        said.append("\n".join(found["notes"]))
    return said + [_about(task, told) for task, told in found["settings"].get("data", {}).items()]


def value_in_words(figure: Figure) -> str:
    """Return a figure's value with its 95 % interval."""
    return _with_interval(figure["value"], figure["interval"], "")


def difference_in_words(figure: Figure) -> str:
    """Return a figure's difference from the first method's with its 95 % interval."""
    difference = figure["difference"]
    return _with_interval(difference["value"], difference["interval"], "+")


def p_in_words(p: float) -> str:
    """Return a p-value; one too small for four digits as less than those can say."""
    return f"{p:.4f}" if p >= 0.0001 else "< 0.0001"


def _with_interval(value: float, interval: tuple[float, float], sign: str) -> str:
    said, low, high = (_number(each, sign) for each in (value, *interval))
    return f"{said} ({low} to {high})"


def _number(value: float, sign: str) -> str:
    """Return a number; what rounds to nothing has no sign."""
    return f"{value if abs(value) >= 0.0005 else 0:{sign if abs(value) >= 0.0005 else ''}.3f}"


def _about(task: str, told: Mapping[str, Any]) -> str:
    """Return where a task's items are from, and how they were asked, in a sentence."""
    where = " ".join(
        f"{key} {told[key]}"
        for key in ("configuration", "revision", "commit", "split")
        if told.get(key) is not None
    )
    asked = f"asked with the prompt {told['prompt']!r}, {told['tokens']:,} new tokens at most"
    return (
        f"{task}: {told['items']:,} items of {told['data']}{', ' if where else ''}{where}, {asked}."
    )


def _cell(figure: Figure | None) -> str:
    if figure is None:
        return "-"
    text = value_in_words(figure)
    if "p" in figure:
        text += f", p {_compared(figure['p'])}, corrected {_compared(figure['p_holm'])}"
    return text


def _compared(p: float) -> str:
    said = p_in_words(p)
    return said if said.startswith("<") else f"= {said}"
