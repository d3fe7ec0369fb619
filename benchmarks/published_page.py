"""Writes docs/published.md from the figures of `published.py`; its words are in published.md.j2."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from sinktrack.eval.score import FORMATTING, REMAINING
from sinktrack.eval.statistics import holm

NAMES = {
    "gemma3": "Gemma3",
    "qwen2_5vl": "Qwen2.5-VL",
    "llama3_1": "Llama 3.1",
    "qwen2_5": "Qwen2.5",
    "4b": "4B",
    "qwen3b": "3B",
    "qwen7b": "7B",
    "mmstar": "MMStar",
    "realworldqa": "RealWorldQA",
    "squad": "SQuAD 2.0",
}
LANES = ("direct", "cot", "sinktrack")
TEMPLATE = Path(__file__).with_name("published.md.j2")


def page(found: Mapping[str, Any]) -> str:
    """Return the page as Markdown."""
    sets = sorted(found["sets"], key=_name)
    corrected = _corrected(sets)
    vision = [each for each in sets if each["bench"] != "squad"]
    squad = [each for each in sets if each["bench"] == "squad"]
    llama = next(each for each in squad if each["family"] == "llama3_1")
    template = Environment(undefined=StrictUndefined, keep_trailing_newline=True).from_string(
        TEMPLATE.read_text("utf-8")
    )
    return template.render(
        version=found["sinktrack"],
        comparisons=len(corrected),
        fair=_table(_fair_rows(vision)),
        differences=_table(_difference_rows(vision, ("accuracy",), corrected)),
        repository=_table(_repository_rows(vision)),
        squad=llama["repository"],
        squad_repository=_table(_squad_rows(squad)),
        squad_fair=_table(_squad_fair_rows(squad)),
        squad_differences=_table(
            _difference_rows(squad, ("F1", "accuracy", "contains"), corrected)
        ),
        phrases="; ".join(llama["abstaining"]),
        habits=_table(_habit_rows([*vision, *squad])),
        llava=found["llava"],
        logs=_table(_log_rows(found["llava"]["logs"])),
        findings="\n".join(_findings([*vision, *squad])).rstrip(),
        percent=_percent,
        points=_points,
    )


def _name(each: Mapping[str, Any]) -> str:
    model = " ".join(NAMES[part] for part in (each["family"], each["size"]) if part)
    return f"{model}, {NAMES.get(each['bench'], each['bench'])}"


def _corrected(sets: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str, str], float]:
    """Return p of every difference of the page, corrected for all of them."""
    keys, values = [], []
    for each in sets:
        for difference in each["differences"]:
            if difference["measure"] in ("accuracy", "F1", "contains"):
                keys.append((_name(each), difference["minus"], difference["measure"]))
                values.append(difference["p"])
    return dict(zip(keys, holm(values), strict=True))


def _fair_rows(sets: Sequence[Mapping[str, Any]]) -> Iterator[list[str]]:
    yield ["model, benchmark", "lane", "items", "accuracy", "among parsed", "unparsed"]
    for each in sets:
        for lane in LANES:
            figures = each["fair"].get(lane)
            if figures is None:
                continue
            low, high = figures["interval"]
            yield [
                _name(each),
                lane,
                f"{figures['items']:,}",
                f"{_percent(figures['accuracy'])} ({_percent(low)} to {_percent(high)})",
                _percent(figures["accuracy among parsed"]),
                _percent(figures["unparsed"]),
            ]


def _difference_rows(
    sets: Sequence[Mapping[str, Any]],
    measures: Sequence[str],
    corrected: Mapping[tuple[str, str, str], float],
) -> Iterator[list[str]]:
    yield ["model, benchmark", "minus", "measure", "points", "95 % interval", "p", "corrected"] + (
        ["formatting", "remaining"] if measures == ("accuracy",) else []
    )
    for each in sets:
        for minus in LANES[:2]:
            by_measure = {
                one["measure"]: one for one in each["differences"] if one["minus"] == minus
            }
            for measure in measures:
                if measure not in by_measure:
                    continue
                one = by_measure[measure]
                row = [
                    _name(each),
                    minus,
                    measure,
                    _points(one["value"]),
                    " to ".join(map(_points, one["interval"])),
                    _p(one["p"]),
                    _p(corrected[_name(each), minus, measure]),
                ]
                if measures == ("accuracy",):
                    row += [_points(by_measure[part]["value"]) for part in (FORMATTING, REMAINING)]
                yield row


def _repository_rows(sets: Sequence[Mapping[str, Any]]) -> Iterator[list[str]]:
    yield ["model, benchmark", *LANES, "sinktrack minus direct", "minus cot", "rows as read"]
    for each in sets:
        rule = each["repository"]
        ours = rule["sinktrack"]["accuracy"]
        read = [
            f"{lane} {_percent(rule[lane]['as read'])}"
            for lane in LANES
            if lane in rule and rule[lane]["as read"] != rule[lane]["accuracy"]
        ]
        yield [
            _name(each),
            *(_percent(rule[lane]["accuracy"]) if lane in rule else "-" for lane in LANES),
            *(
                _points(ours - rule[lane]["accuracy"]) if lane in rule else "-"
                for lane in LANES[:2]
            ),
            ", ".join(read) or "the same",
        ]


def _squad_rows(sets: Sequence[Mapping[str, Any]]) -> Iterator[list[str]]:
    yield ["model", "lane", "repository", "nothing left out", "F1 by its script"]
    for each in sets:
        for lane in LANES:
            rule = each["repository"][lane]
            figures = (rule["accuracy"], rule["nothing dropped"], rule["F1"])
            yield [_name(each), lane, *(_percent(figure, 2) for figure in figures)]


def _squad_fair_rows(sets: Sequence[Mapping[str, Any]]) -> Iterator[list[str]]:
    measures = (
        "F1",
        "accuracy",
        "contains",
        "F1 answerable",
        "abstains answerable",
        "abstains unanswerable",
    )
    yield ["model", "lane", *(each.replace("accuracy", "exact") for each in measures)]
    for each in sets:
        for lane in LANES:
            yield [_name(each), lane, *(_percent(each["fair"][lane][key]) for key in measures)]


def _habit_rows(sets: Sequence[Mapping[str, Any]]) -> Iterator[list[str]]:
    yield ["model, benchmark", "lane", "median characters", "longest", "equal between seeds"]
    for each in sets:
        for lane in LANES:
            habit = each["lanes"].get(lane)
            if habit is not None:
                yield [
                    _name(each),
                    lane,
                    f"{habit['median']:,.0f}",
                    f"{habit['longest']:,}",
                    _percent(habit["equal"]),
                ]


def _log_rows(logs: Mapping[str, Mapping[str, Any]]) -> Iterator[list[str]]:
    yield ["log", "TP, FP, TN, FN", "accuracy of the counts", "printed", "F1 of them", "printed"]
    for name, log in logs.items():
        figures = (log["accuracy"], log["accuracy printed"], log["F1"], log["F1 printed"])
        yield [
            name.upper(),
            ", ".join(f"{count:,}" for count in log["counts"]),
            *(_percent(figure, 2) for figure in figures),
        ]


def _findings(sets: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for each in sets:
        yield f"**{_name(each)}**\n"
        # how many answers are unparsed stands in the table
        told = [said for said in each["findings"] if "cannot be read" not in said]
        yield "\n".join(f"- {said}" for said in told) + "\n"


def _table(rows: Iterator[list[str]] | Sequence[list[str]]) -> str:
    head, *rest = list(rows)
    lines = [head, ["---"] * len(head), *rest]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _percent(share: float, digits: int = 1) -> str:
    return f"{100 * share:.{digits}f}"


def _points(difference: float, digits: int = 1) -> str:
    return f"{100 * difference:+.{digits}f}"


def _p(value: float) -> str:
    return f"{value:.4f}" if value >= 0.0001 else "< 0.0001"
