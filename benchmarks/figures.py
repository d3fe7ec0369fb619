"""Draw the figures of the documentation from the results beside this file: `python figures.py`."""

import json
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

RESULTS = Path(__file__).parent / "results"
FIGURES = Path(__file__).parent.parent / "assets" / "figures"

TEAL, RUST, STONE = "#0b6b63", "#b4532a", "#6b777a"
plt.rcParams.update(
    {
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": STONE,
        "axes.titlesize": 10,
        "axes.titlelocation": "left",
        "legend.frameon": False,
        "figure.dpi": 160,
        "savefig.bbox": "tight",
    }
)


def read_log(name: str) -> list[dict[str, Any]]:
    """Return the lines of a training log."""
    return [json.loads(line) for line in (RESULTS / name).read_text("utf-8").splitlines()]


def smooth(values: list[float], share: float = 0.15) -> list[float]:
    """Return a running mean, so that one batch does not hide the course."""
    running, smoothed = values[0], []
    for value in values:
        running += share * (value - running)
        smoothed.append(running)
    return smoothed


def draw_curve(
    axes: Any,
    log: list[dict[str, Any]],
    name: str,
    colour: str,
    label: str,
    share: float = 0.15,
) -> None:
    """Draw what a log holds under a name, the batches pale and their running mean strong."""
    lines = [line for line in log if name in line]
    steps, values = [line["step"] for line in lines], [line[name] for line in lines]
    axes.plot(steps, values, color=colour, alpha=0.2, linewidth=0.8)
    axes.plot(steps, smooth(values, share), color=colour, linewidth=1.6, label=label)


def training() -> None:
    """Draw the courses of both checkpoints' training."""
    plain, anchored = read_log("train-plain.jsonl"), read_log("train-anchored.jsonl")
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(10, 3.4))
    lessons = [line for line in plain if "objects" not in line]
    answering = [line for line in plain if "objects" in line]
    draw_curve(left, lessons, "seen", RUST, "shape and colour, from the picture features", 1.0)
    draw_curve(left, lessons, "row", TEAL, "row, a third up the decoder", 1.0)
    draw_curve(left, lessons, "column", STONE, "column", 1.0)
    left.set_title("Lessons")
    draw_curve(middle, answering, "exact", TEAL, "answers right as a whole")
    draw_curve(middle, answering, "sink", RUST, "attention on the first token")
    for before, after in zip(answering, answering[1:], strict=False):
        if after["objects"] > before["objects"]:
            middle.axvline(after["step"], color=STONE, linewidth=0.6, linestyle=":")
    middle.set_title("Plain: dotted lines add objects")
    draw_curve(right, anchored, "remembered", TEAL, "right, injected, mostly hidden prompt")
    draw_curve(right, anchored, "exact", STONE, "right, plain, all in view")
    draw_curve(right, anchored, "sink", RUST, "attention on the first token, plain")
    right.set_title("Anchored")
    for axes in (left, middle, right):
        axes.set_xlabel("step")
        axes.set_ylim(0, 1.03)
        axes.legend(fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.2))
    save(figure, "training.png")


def sinks() -> None:
    """Draw how much each layer of each sibling looks at the first token, over training."""
    seen = json.loads((RESULTS / "sinks.json").read_text("utf-8"))
    figure, panels = plt.subplots(1, len(seen), figsize=(10, 2.7), sharey=True)
    for axes, (name, looks) in zip(panels, seen.items(), strict=True):
        layers = len(looks[0]["shares"])
        for layer in range(layers):
            axes.plot(
                [look["step"] for look in looks],
                [look["shares"][layer] for look in looks],
                color=plt.get_cmap("viridis")(layer / max(1, layers - 1) * 0.9),
                linewidth=1.4,
                label=f"layer {layer}",
            )
        axes.set_title(name)
        axes.set_xlabel("step")
    panels[0].set_ylabel("mean attention on the first token")
    panels[-1].legend(fontsize=7)
    save(figure, "sinks.png")


def save(figure: Any, name: str) -> None:
    """Write a figure."""
    FIGURES.mkdir(parents=True, exist_ok=True)
    figure.tight_layout()
    figure.savefig(FIGURES / name)
    plt.close(figure)


if __name__ == "__main__":
    training()
    if (RESULTS / "sinks.json").exists():
        sinks()
