"""Draw the example pictures of the page: `python -m sinktrack.shapes.examples`.

All come from held-out scenes. The questions are picked by looking at the model's
answers: one that it gets right for each task, and one where it claims to see a shape's
usual companion that is not there. So they show what happens, and not how often.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from tqdm import tqdm

from sinktrack.shapes.checkpoint import load
from sinktrack.shapes.evaluate import Case, answer, held_out
from sinktrack.shapes.scenes import draw

SCALE = 4
"""Pixels for each pixel of the model, so that people see more than a thumbnail."""

RIGHT = ("describe", "existence, near", "count", "what is at", "where is")
HALLUCINATED = "existence, companion"


def choose(model: Any, processor: Any, number: int = 60) -> list[Case]:
    """Pick one held-out question for each task, on scenes of three objects or more.

    Args:
        model: the model.
        processor: its processor.
        number: how many questions of a task to look at.

    Returns:
        Answered right for each task of RIGHT, and last the invented companion where one is found.
    """
    chosen: list[Case] = []
    for task in tqdm((*RIGHT, HALLUCINATED), unit="task"):
        for case in answer(model, processor, held_out(task, number, prior=0.3)):
            fitting = not case.exact and case.question.answer.startswith("No")
            if task != HALLUCINATED:
                fitting = case.exact and len(case.scene.items) >= 3
            # every example gets a picture of its own
            if fitting and case.scene.items not in [other.scene.items for other in chosen]:
                chosen.append(case)
                break
    return chosen


def main(arguments: list[str] | None = None) -> None:
    """Write the pictures and the list of questions."""
    parser = argparse.ArgumentParser(
        prog="python -m sinktrack.shapes.examples", description=main.__doc__
    )
    parser.add_argument("--model", default="assets/shapes-vl", help="folder of the checkpoint")
    parser.add_argument("--out", type=Path, default=Path("assets/examples"))
    options = parser.parse_args(arguments)
    model, processor = load(options.model)
    options.out.mkdir(parents=True, exist_ok=True)
    listed = []
    for case in choose(model, processor):
        names = [str(item.kind).replace(" ", "-") for item in case.scene.items[:3]]
        file = "-".join(names) + ".png"
        draw(case.scene, SCALE).save(options.out / file)
        listed.append({"image": file, "question": case.question.text})
        print(f"{file}: {case.question.text} {case.answer} (right: {case.question.answer})")
    (options.out / "examples.json").write_text(json.dumps(listed, indent=2) + "\n")


if __name__ == "__main__":
    main()
