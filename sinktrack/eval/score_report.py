"""What was found about answers, as Markdown, as CSV and as one figure."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

from sinktrack.core.errors import AnswersError
from sinktrack.eval.score import FORMATTING, REMAINING, Method, Score
from sinktrack.eval.statistics import holm

POOLED = "pooled"


def markdown(score: Score) -> str:
    """Return findings, a table of methods and seeds for each group, and one of differences."""
    parts = []
    if score.findings:
        parts.append("\n".join(["Findings:", "", *(f"- {said}" for said in score.findings)]))
    for group in dict.fromkeys(method.group for method in score.methods.values()):
        own = [method for method in score.methods.values() if method.group == group]
        parts.append(_table(list(_method_rows(group, own))))
    if score.differences:
        parts.append(_table(list(_difference_rows(score))))
    parts.append("\n".join(_notes(score)))
    return "\n\n".join(parts) + "\n"


def write_csv(score: Score, out: TextIO) -> None:
    """Write one row a measure of each method and seed, and one a difference.

    Args:
        score: What was found.
        out: A text file, opened with newline="".
    """
    rows = csv.writer(out)
    rows.writerow(["method", "minus", "seed", "measure", "items", "value", "low", "high", "p"])
    for name, method in score.methods.items():
        for seed, figures in _seeds(method):
            for measure, value in figures.items():
                low, high = method.intervals.get(measure, ("", "")) if seed == POOLED else ("", "")
                if measure != "items":
                    rows.writerow(
                        [name, "", seed, measure, int(figures["items"]), value, low, high, ""]
                    )
    for each in score.differences:
        low, high = each.interval
        rows.writerow(
            [each.of, each.minus, POOLED, each.measure, each.items, each.value, low, high, each.p]
        )


def draw(score: Score, path: Path, format: str) -> None:
    """Draw the accuracy of every method and seed, and the differences of accuracy.

    Args:
        score: What was found.
        path: Where the figure goes.
        format: Such as "png" or "svg".

    Raises:
        AnswersError: If matplotlib is missing, or cannot write this format.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise AnswersError(
            "A figure needs matplotlib: pip install matplotlib, or leave --figure out."
        ) from error
    wanted = [
        each for each in score.differences if each.measure in ("accuracy", FORMATTING, REMAINING)
    ]
    height = 1.2 + 0.35 * max(len(score.methods), len(wanted))
    figure = Figure(figsize=(13, height), layout="constrained")
    left, right = figure.subplots(1, 2)
    parts = {FORMATTING: "of it formatting", REMAINING: "of it remaining"}
    for place, method in enumerate(score.methods.values()):
        _point(left, place, method.pooled.get("accuracy"), method.intervals.get("accuracy"))
        for figures in method.seeds.values():
            if "accuracy" in figures:
                left.plot(figures["accuracy"], place, "|", color="#77716a", markersize=11)
    left.set_yticks(range(len(score.methods)), list(score.methods))
    left.set_xlabel("accuracy (dots: pooled, 95 % interval; strokes: seeds)", fontsize=8)
    for place, each in enumerate(wanted):
        _point(right, place, each.value, each.interval)
    right.axvline(0, color="#77716a", linewidth=0.8)
    titles = [f"{each.of} minus {score.methods[each.minus].name}" for each in wanted]
    right.set_yticks(
        range(len(wanted)),
        [parts.get(each.measure, title) for each, title in zip(wanted, titles, strict=True)],
    )
    right.set_xlabel("difference of accuracy, 95 % interval", fontsize=8)
    for axes in (left, right):
        axes.invert_yaxis()
        axes.tick_params(labelsize=8)
    try:
        figure.savefig(path, format=format, dpi=150)
    except ValueError as error:
        raise AnswersError(
            f"A figure cannot be written as {format!r}: name it .png, .svg or .pdf."
        ) from error


def _point(
    axes: Any, place: int, value: float | None, interval: tuple[float, float] | None
) -> None:
    if value is None:
        return
    axes.plot(value, place, "o", color="#0b5f57", markersize=5)
    if interval is not None:
        axes.plot(interval, [place, place], color="#0b5f57", linewidth=1.4)


def _seeds(method: Method) -> Iterator[tuple[str, Any]]:
    yield from method.seeds.items()
    yield POOLED, method.pooled


def _method_rows(group: str, methods: Sequence[Method]) -> Iterator[list[str]]:
    measures = list(
        dict.fromkeys(
            measure for method in methods for measure in method.pooled if measure != "items"
        )
    )
    yield [group or "method", "seed", "items", *measures]
    for method in methods:
        for seed, figures in _seeds(method):
            if seed == POOLED and len(method.seeds) == 1:
                continue
            alone = seed == POOLED or len(method.seeds) == 1
            yield [
                method.name,
                seed,
                f"{int(figures['items']):,}",
                *(
                    _share(figures.get(each), method.intervals.get(each) if alone else None)
                    for each in measures
                ),
            ]


def _difference_rows(score: Score) -> Iterator[list[str]]:
    yield ["difference", "measure", "items", "value", "95 % interval", "p", "corrected"]
    corrected = holm([each.p for each in score.differences])
    for each, p in zip(score.differences, corrected, strict=True):
        low, high = each.interval
        yield [
            f"{each.of} minus {score.methods[each.minus].name}",
            each.measure,
            f"{each.items:,}",
            f"{each.value:+.4f}",
            f"{low:+.4f} to {high:+.4f}",
            _p(each.p),
            _p(p),
        ]


def _abstaining(phrases: Sequence[str]) -> str:
    said = "; ".join(filter(None, phrases))
    ways = (f"says one of: {said}" if said else "", "is empty" if "" in phrases else "")
    return ", or ".join(filter(None, ways))


def _notes(score: Score) -> Iterator[str]:
    yield score.rule.stated()
    if score.abstaining:
        yield (
            "Answers from a text are compared as the scorer of SQuAD 2.0 does, with the best "
            "reference; accuracy is exact match. An answer abstains where it "
            f"{_abstaining(score.abstaining)}."
        )
    if any(len(method.seeds) > 1 for method in score.methods.values()):
        yield "Pooled, an item counts once, by its mean over the seeds."
    if score.differences:
        yield (
            "Differences are taken on the items that both methods answered. Intervals draw items, "
            "or clusters of them, again; p is McNemar's exact test where an item counts 0 or 1, "
            "else a permutation test; it is corrected by Holm's procedure for all "
            f"{len(score.differences)} rows. "
            f'"{FORMATTING}" is the part of a difference that comes from items of which an answer '
            f'is unparsed, and "{REMAINING}" is the rest; they add up.'
        )


def _table(rows: Sequence[Sequence[str]]) -> str:
    lines = [rows[0], ["---"] * len(rows[0]), *rows[1:]]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)


def _share(value: float | None, interval: tuple[float, float] | None) -> str:
    if value is None:
        return "-"
    if interval is None:
        return f"{value:.4f}"
    return f"{value:.4f} ({interval[0]:.3f} to {interval[1]:.3f})"


def _p(value: float) -> str:
    return f"{value:.4f}" if value >= 0.0001 else "< 0.0001"
