"""Draw the items of the study that comes along: `python -m training.study`.

Takes the first items of the test split; nobody picks them by their answers.
"""

import argparse
import json
from pathlib import Path

from sinktrack.eval.tasks.shapes import DESCRIPTIONS, MEMORY
from training.examples import picture

ITEMS_PER_KIND = 8
"""Items of each kind."""

KINDS = {
    "description": DESCRIPTIONS[0],
    "phrase after counting": MEMORY[0],
    "existence after counting": MEMORY[1],
}


def main(arguments: list[str] | None = None) -> None:
    """Write the pictures and items.jsonl."""
    parser = argparse.ArgumentParser(prog="python -m training.study", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("assets/studies/shapes"))
    folder = parser.parse_args(arguments).out
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    lines = []
    for tag, task in KINDS.items():
        for number, item in enumerate(task.items("test", ITEMS_PER_KIND), start=1):
            name = f"{task.name.replace(' ', '-')}-{number}"
            picture(item).save(folder / "pictures" / f"{name}.png")
            lines.append(
                {
                    "id": name,
                    "image": f"pictures/{name}.png",
                    "question": item.question,
                    "reference": item.answer,
                    "tags": [tag],
                }
            )
    text = "\n".join(json.dumps(line) for line in lines) + "\n"
    (folder / "items.jsonl").write_text(text, "utf-8")


if __name__ == "__main__":
    main()
