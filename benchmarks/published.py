"""Scores the answers that SinkTrack's authors published: `python benchmarks/published.py DIR`.

DIR holds the files of all_inference_results/ of https://github.com/67L1/SinkTrack at commit
179e85e, xz-compressed, "__" in place of "/". Nothing of them is kept: figures go to
results/published.json, and the page to docs/published.md. `--page` writes the page alone, from the
figures.
"""

import argparse
import json
import lzma
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from statistics import mean, median
from typing import Any

import published_rules
from published_page import page

from sinktrack.eval.predictions import AnsweredRun, names_told, read_runs
from sinktrack.eval.rules import Rule
from sinktrack.eval.score import FORMATTING, REMAINING, Score, score
from sinktrack.version import VERSION

VISION = "{family}__{method}__{size}__{bench}__*res_{seed}.json.xz"
SQUAD = "{family}__{bench}__{method}_{seed}.jsonl.xz"
LANES = ("direct", "cot", "sinktrack")
RESULTS = Path(__file__).parent / "results" / "published.json"
PAGE = Path(__file__).parents[1] / "docs" / "published.md"

MEASURES = (
    "items",
    "accuracy",
    "accuracy among parsed",
    "unparsed",
    "F1",
    "contains",
    "F1 answerable",
    "F1 unanswerable",
    "abstains answerable",
    "abstains unanswerable",
    "yes ratio",
)
COMPARED = ("accuracy", FORMATTING, REMAINING, "F1", "contains")
READ_AT_MOST = {("gemma3", "direct"): 1400, ("gemma3", "cot"): 1400}
"""Rows at which the script beside these files stops; those beside the others read all rows."""


def main() -> None:
    """Measure, unless the page alone is wanted; then write the page."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, nargs="?", help="the published files")
    parser.add_argument("--page", action="store_true", help="write the page from the figures")
    asked = parser.parse_args()
    if not asked.page:
        if asked.folder is None or not any(asked.folder.glob("*.xz")):
            parser.error("name the folder of the published files")
        found = measure(asked.folder)
        RESULTS.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    PAGE.write_text(page(json.loads(RESULTS.read_text("utf-8"))), "utf-8")


def measure(folder: Path) -> dict[str, Any]:
    """Return all figures of the page."""
    other = llava(folder)
    sets = []
    for pattern in (VISION, SQUAD):
        for (family, size, bench), paths in grouped(folder, pattern).items():
            print(family, size, bench, flush=True)
            sets.append(
                {"family": family, "size": size, "bench": bench}
                | of_set(family, paths, pattern, bench == "squad")
            )
    return {"sinktrack": VERSION, "sets": sets, "llava": other}


def grouped(folder: Path, pattern: str) -> dict[tuple[str, str, str], list[str]]:
    """Return the files of each model and benchmark, the lanes in order."""
    form = re.escape(pattern).replace(r"\*", ".*")
    form = re.sub(r"\\\{\w+\\\}", "[^_]+(?:_[^_]+)*", form)
    found: dict[tuple[str, str, str], list[tuple[int, str]]] = {}
    for path in sorted(folder.glob("*.xz")):
        if not re.fullmatch(form, path.name) or path.name.startswith("llava"):
            continue
        told = names_told(str(path), pattern)
        key = told["family"], told.get("size", ""), told["bench"]
        found.setdefault(key, []).append((LANES.index(told["method"]), str(path)))
    return {key: [path for _, path in sorted(paths)] for key, paths in found.items()}


def of_set(family: str, paths: Sequence[str], pattern: str, squad: bool) -> dict[str, Any]:
    """Return the figures of one model on one benchmark."""
    runs, files = read_runs(paths, pattern=pattern)
    found = score(runs, files, Rule("fair"))
    return {
        "abstaining": list(found.abstaining),
        "fair": fair(found),
        "differences": [
            {
                "of": each.of,
                "minus": each.minus,
                "measure": each.measure,
                "items": each.items,
                "value": round(each.value, 6),
                "interval": [round(end, 6) for end in each.interval],
                "p": each.p,
            }
            for each in found.differences
            if each.measure in COMPARED and each.of == "sinktrack"
        ],
        "repository": squad_rules(runs) if squad else vision_rules(family, runs),
        "lanes": {lane: habits(own) for lane, own in by_lane(runs).items()},
        # what an answer says stays out
        "findings": [said.split(", most often")[0].rstrip(".") + "." for said in found.findings],
    }


def fair(found: Score) -> dict[str, Any]:
    """Return the pooled figures of each lane, and the interval of its accuracy."""
    return {
        name: {key: round(method.pooled[key], 6) for key in MEASURES if key in method.pooled}
        | {"interval": [round(end, 6) for end in method.intervals["accuracy"]]}
        for name, method in found.methods.items()
    }


def by_lane(runs: Sequence[AnsweredRun]) -> dict[str, list[AnsweredRun]]:
    """Return the seeds of each lane."""
    lanes: dict[str, list[AnsweredRun]] = {}
    for run in runs:
        lanes.setdefault(run.method, []).append(run)
    return lanes


def rows(run: AnsweredRun) -> Iterator[Mapping[str, Any]]:
    """Yield every row of a run's file, repeated ids included, as the public scripts read it."""
    return (each.row.values for each in run.answers)


def over_seeds(
    runs: Sequence[AnsweredRun],
    rule: Callable[[Mapping[str, Any]], float | bool | None],
    most: int | None = None,
) -> float:
    """Return the mean over seeds of a rule's mean over rows; None leaves a row out."""
    means = []
    for run in runs:
        told = [rule(row) for row in list(rows(run))[:most]]
        means.append(mean(float(value) for value in told if value is not None))
    return mean(means)


def vision_rules(family: str, runs: Sequence[AnsweredRun]) -> dict[str, Any]:
    """Return accuracy by the repository's rule, of all rows and of those that its script reads."""
    return {
        lane: {
            "accuracy": over_seeds(own, published_rules.vision),
            "as read": over_seeds(own, published_rules.vision, READ_AT_MOST.get((family, lane))),
        }
        for lane, own in by_lane(runs).items()
    }


def squad_rules(runs: Sequence[AnsweredRun]) -> dict[str, Any]:
    """Return what the repository's script prints, and what its dropped answers make of it."""

    def kept(row: Mapping[str, Any]) -> bool:
        """As the repository, but a dropped answer is right where the question is unanswerable."""
        right = published_rules.squad_accuracy(row)
        return not row["ground_truth_answers"] if right is None else right

    def dropped(row: Mapping[str, Any]) -> bool:
        return published_rules.squad_accuracy(row) is None

    return {
        lane: {
            "accuracy": over_seeds(own, published_rules.squad_accuracy),
            "F1": over_seeds(own, published_rules.squad_f1),
            "dropped": over_seeds(own, dropped),
            "dropped, unanswerable": over_seeds(
                own, lambda row: dropped(row) and not row["ground_truth_answers"]
            ),
            "nothing dropped": over_seeds(own, kept),
        }
        for lane, own in by_lane(runs).items()
    }


def habits(runs: Sequence[AnsweredRun]) -> dict[str, Any]:
    """Return how long a lane's answers are, and how often its seeds say the same."""
    firsts = [run.first() for run in runs]
    lengths = [len(each.answer) for first in firsts for each in first.values()]
    equal = [
        mean(one[id].answer == other[id].answer for id in one if id in other)
        for one, other in combinations(firsts, 2)
    ]
    return {"median": median(lengths), "longest": max(lengths), "equal": mean(equal)}


def llava(folder: Path) -> dict[str, Any]:
    """Return what the logs of other methods print, what their counts give, and SinkTrack's file."""
    logs = {}
    for name in ("vcd", "icd", "sid"):
        data = lzma.decompress((folder / f"llavav1_5__o_{name}.log.xz").read_bytes())
        text = data.decode().replace("\r", "\n")  # of the progress bar
        counts = re.search(r"TP\tFP\tTN\tFN\s+(\d+)\t(\d+)\t(\d+)\t(\d+)", text)
        printed = dict(re.findall(r"^(Accuracy|F1 score): ([\d.]+)$", text, re.MULTILINE))
        tp, fp, tn, fn = (int(count) for count in counts.groups()) if counts else (0, 0, 0, 1)
        logs[name] = {
            "counts": [tp, fp, tn, fn],
            "accuracy printed": float(printed["Accuracy"]),
            "F1 printed": float(printed["F1 score"]),
            "accuracy": (tp + tn) / (tp + fp + tn + fn),
            "F1": 2 * tp / (2 * tp + fp + fn),
        }
    (run,), files = read_runs(
        [str(folder / "llavav1_5__sinktrack__res_323.json.xz")], pattern="*__{method}__*"
    )
    found = score([run], files, Rule("fair"))
    return {
        "logs": logs,
        "repository": over_seeds([run], published_rules.vision_negation),
        "fair": fair(found)["sinktrack"],
    }


if __name__ == "__main__":
    main()
