r"""Key-value retrieval by place, with any model: `python benchmarks/key_value.py --model M`.

Asks for one value of a list of random pairs, from ten places of the list, and shows how often each
method finds it at each place. Goes on where it stopped. A place has one item of each list, so its
interval is as it should be. Over all places the items of a list go wrong together, and that
interval is too narrow.

    python benchmarks/key_value.py --model Qwen/Qwen2.5-Coder-0.5B-Instruct --pairs 30 --items 20 \
        --method baseline --method position-scale:dimension=494 --figure key-value.png
"""

import argparse
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import torch

import sinktrack
from sinktrack.eval.result_table import table
from sinktrack.eval.runner import Run, evaluate
from sinktrack.eval.tasks.key_value import PLACES, key_value, measure

COLOURS = ("#6b777a", "#0b6b63", "#b4532a", "#7a5ea8", "#c79a2b", "#2b6ca3")


def draw(results: dict[str, Any], path: Path) -> None:
    """Draw the accuracy of each method by place, with its 95 % intervals."""
    ((task, measured),) = results["tasks"].items()
    items = results["settings"]["limit"] // PLACES
    figure, axes = plt.subplots(figsize=(6.4, 3.4), dpi=160)
    for number, (name, found) in enumerate(measured.items()):
        figures = [found[measure(place)] for place in range(PLACES)]
        values = [each["value"] for each in figures]
        low = [each["value"] - each["interval"][0] for each in figures]
        high = [each["interval"][1] - each["value"] for each in figures]
        aside = 0.08 * (number - (len(measured) - 1) / 2)  # so that no interval hides another
        axes.errorbar(
            [place + 1 + aside for place in range(PLACES)],
            values,
            yerr=[low, high],
            label=f"{name}: {found['accuracy']['value']:.0%} over all places",
            color=COLOURS[number % len(COLOURS)],
            marker="o",
            markersize=3.5,
            linewidth=1.3,
            elinewidth=0.8,
        )
    axes.set_title(
        f"{results['settings']['model']}, {task}, {items} items a place",
        loc="left",
        fontsize=9,
    )
    axes.set_xlabel("place of the answer, from the first pair to the last")
    axes.set_ylabel("share of values found")
    axes.set_xticks(range(1, PLACES + 1))
    axes.set_ylim(0, 1.03)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.18))
    figure.savefig(path, bbox_inches="tight")
    plt.close(figure)


def main() -> None:
    """Measure, print one table and draw one figure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="Qwen/Qwen2.5-Coder-0.5B-Instruct")
    parser.add_argument("--dtype", choices=("float32", "bfloat16", "float16"))
    parser.add_argument("--device")
    parser.add_argument("--method", action="append", help="as for `sinktrack ask`")
    parser.add_argument("--pairs", type=int, default=50, help="in a list; 10 or more")
    parser.add_argument("--items", type=int, default=20, help="lists, each asked from ten places")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--out", type=Path, default=Path("runs/key-value"), help="for the records")
    parser.add_argument("--figure", type=Path, help="by default places.png beside the records")
    options = parser.parse_args()
    if options.pairs < PLACES or options.items < 1:
        parser.error(f"--pairs must be {PLACES} or more, and --items 1 or more")
    model, processor = sinktrack.load(
        options.model,
        device=options.device,
        dtype=getattr(torch, options.dtype) if options.dtype else None,
    )
    wanted = options.method or ["baseline", "sinktrack"]
    methods, _ = sinktrack.methods.parse_all(wanted, model, [])
    run = Run(
        tasks=[key_value(options.pairs)],
        methods=methods,
        limit=PLACES * options.items,
        batch=options.batch,
    )
    results = evaluate(model, processor, run, options.out)
    draw(results, options.figure or options.out / "places.png")
    print(table(results))


if __name__ == "__main__":
    main()
