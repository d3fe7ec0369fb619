"""Draws what `mitigation.py` measured: each method's difference from the plain model."""

from pathlib import Path
from typing import Any

from figures import RUST, STONE, TEAL, plt

BETTER, WORSE, NEITHER = 1, -1, 0
PANELS: tuple[tuple[str, str, int], ...] = (
    ("existence, random", "accuracy", BETTER),
    ("existence, popular", "accuracy", BETTER),
    ("existence, adversarial", "accuracy", BETTER),
    ("existence, adversarial", "F1", BETTER),
    ("existence, adversarial", "yes ratio", NEITHER),
    ("existence, adversarial", "precision", BETTER),
    ("describe", "CHAIR_i", WORSE),
    ("describe", "CHAIR_s", WORSE),
    ("describe", "recall", BETTER),
    ("passages as parts", "F1 answerable", BETTER),
    ("passages as parts", "F1 unanswerable", BETTER),
    ("passages as parts", "abstains answerable", WORSE),
)
"""Task, measure, and whether more of it is better, worse or neither."""
COLUMNS = 4
CLEAR = 0.05
"""Above this p, corrected by Holm's procedure, a difference is drawn in grey."""


def draw(numbers: dict[str, Any], checkpoint: str, decoding: str, folder: Path) -> None:
    """Write one figure: a panel a measure, a row a method.

    Args:
        numbers: What mitigation-*.json holds.
        checkpoint: Which one was measured.
        decoding: "greedy" or "sampled".
        folder: Where the figure goes.
    """
    found = numbers[decoding]
    tasks = {name: task for part in found.values() for name, task in part["tasks"].items()}
    ran = {
        name: method
        for part in found.values()
        for name, method in part["settings"]["methods"].items()
        if method is not None
    }
    controls = {name for name, method in ran.items() if method["kind"] in numbers["controls"]}
    names = sorted(ran, key=lambda name: (name in controls, name))
    rows = -(-len(PANELS) // COLUMNS)
    figure, panels = plt.subplots(
        rows, COLUMNS, figsize=(13, 0.5 + rows * (0.9 + 0.17 * len(names))), sharey=True
    )
    for axes, (task, measure, better) in zip(panels.flat, PANELS, strict=True):
        figures = {name: figure.get(measure) for name, figure in tasks[task].items()}
        _panel(axes, figures, names, controls, better)
        plain = next((each for each in figures.values() if each and "p" not in each), None)
        base = "" if plain is None else f" (plain: {plain['value']:.3f})"
        axes.set_title(f"{task}: {measure}{base}", fontsize=8)
    asked = "; ".join(
        f"{part['settings']['limit']} questions a task about {name}"
        + (f", {len(part['settings']['seeds'])} seeds" if decoding == "sampled" else "")
        for name, part in found.items()
    )
    figure.suptitle(
        f"{checkpoint}, {decoding}: difference from the plain model with 95 % interval. To the "
        f"right is better. {asked}.\nSquares are controls. Coloured where p is at most {CLEAR} "
        "after Holm's correction: green for better, red for worse, black for neither. No dot: the "
        "method does not suit the task.",
        fontsize=9,
        x=0.01,
        ha="left",
    )
    folder.mkdir(parents=True, exist_ok=True)
    figure.tight_layout(rect=(0, 0, 1, 0.99))
    figure.savefig(folder / f"mitigation-{checkpoint}-{decoding}.png")
    plt.close(figure)


def _panel(
    axes: Any,
    figures: dict[str, Any],
    names: list[str],
    controls: set[str],
    better: int,
) -> None:
    """Draw one measure; a method that was not asked has no dot."""
    axes.axvline(0, color=STONE, linewidth=0.8)
    furthest = 0.01
    for place, name in enumerate(names):
        figure = figures.get(name)
        if figure is None or "difference" not in figure:
            continue
        value, (low, high) = figure["difference"]["value"], figure["difference"]["interval"]
        colour = STONE
        if figure["p_holm"] <= CLEAR:
            colour = "black" if better == NEITHER else TEAL if value * better > 0 else RUST
        control = name in controls
        axes.plot([low, high], [place, place], color=colour, linewidth=1.2)
        axes.plot(
            value,
            place,
            marker="s" if control else "o",
            markersize=4.5,
            color=colour,
            markerfacecolor="white" if control else colour,
        )
        furthest = max(furthest, abs(low), abs(high))
    axes.set_xlim(-1.08 * furthest, 1.08 * furthest)  # as wide to both sides: a loss is no smaller
    if better == WORSE:
        axes.invert_xaxis()
    note = {BETTER: "", WORSE: "less is better: the axis is turned", NEITHER: "neither is better"}
    axes.set_xlabel(note[better], fontsize=7)
    axes.xaxis.set_major_locator(plt.MaxNLocator(5))
    axes.set_yticks(
        range(len(names)), [f"{name} (control)" if name in controls else name for name in names]
    )
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(labelsize=7)
    axes.grid(axis="y", linewidth=0.3)
