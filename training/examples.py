"""Draw the page's example pictures, with answers: `python -m training.examples`.

`--again` keeps the pictures and questions that are there, and answers them anew.

All come from held-out scenes. They are picked by the answers of both lanes, so they show what
happens and not how often:

- three where the plain model invents something,
- two that it gets right,
- two with answers longer than the window, where one answer forgets the question and the other does
  not.
"""

import argparse
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from tqdm import tqdm

from sinktrack.api import compare
from sinktrack.core.answer_batch import answer_batch
from sinktrack.core.cache import Cache, SinkWindow
from sinktrack.core.images import load_picture
from sinktrack.core.models import load
from sinktrack.core.prompt import build_prompt
from sinktrack.eval.task import Item, Task
from sinktrack.eval.tasks.shapes import DESCRIPTIONS, MEMORY, POPE, WORD_FOR_WORD
from sinktrack.methods.sinktrack import SinkTrack
from sinktrack.report.payload import payload
from sinktrack.shapes.scenes import draw

SCALE = 4
"""Pixels for each pixel of the model, so that people see more than a thumbnail."""

WINDOW = SinkWindow(sinks=1, window=24)
CANDIDATES = 60

Fits = Callable[[float, float], bool]
"""Whether an item is an example, by the first measure of the plain answer and of SinkTrack's."""


@dataclass(frozen=True)
class ExampleKind:
    """One kind of example: its task, number and cache, and a note on what it shows."""

    task: Task
    number: int
    fits: Fits
    note: str
    cache: Cache = "full"
    absent: bool = False
    """Whether only questions about what is not there will do."""


def example_kinds() -> list[ExampleKind]:
    """Return what the page shows, in order."""
    describe, adversarial = DESCRIPTIONS[0], POPE[-1]
    phrase, existence = MEMORY
    relation = next(task for task in WORD_FOR_WORD if task.name == "relation")
    rows = next(task for task in WORD_FOR_WORD if task.name == "rows")

    def remembers(plain: float, sink: float) -> bool:
        return plain == 0 and sink == 1

    return [
        ExampleKind(phrase, 1, remembers, "forgets the instruction, in one answer", WINDOW),
        ExampleKind(existence, 1, remembers, "forgets the picture, in one answer", WINDOW),
        ExampleKind(describe, 1, lambda plain, sink: plain > 0, "invents a shape"),
        ExampleKind(
            adversarial, 2, lambda plain, sink: plain == 0, "invents a usual companion", absent=True
        ),
        ExampleKind(relation, 1, lambda plain, sink: plain == 1, "right"),
        ExampleKind(rows, 1, lambda plain, sink: plain == 1, "right"),
    ]


def choose(model: Any, processor: Any) -> list[tuple[Item, ExampleKind]]:
    """Pick items of the test split whose answers fit, each with a picture of its own."""
    method = SinkTrack.for_model(model)
    chosen: list[tuple[Item, ExampleKind]] = []
    for kind in tqdm(example_kinds(), unit="kind"):
        items = [
            item
            for item in kind.task.items("test", 4 * CANDIDATES)
            if len(item.facts["kinds"]) >= 3 and not (kind.absent and item.facts["present"])
        ][:CANDIDATES]
        first = [_measures(model, processor, items, kind, one) for one in (None, method)]
        fitting = [
            item for item, plain, sink in zip(items, *first, strict=True) if kind.fits(plain, sink)
        ]
        taken = {item.id for item, _ in chosen}
        chosen += [(item, kind) for item in fitting if item.id not in taken][: kind.number]
    return chosen


def _measures(
    model: Any, processor: Any, items: list[Item], kind: ExampleKind, method: SinkTrack | None
) -> list[float]:
    """Answer items and return the numerator of each one's first measure."""
    prompts = [
        build_prompt(model, processor, item.question, [load_picture(picture(item))])
        for item in items
    ]
    answers = answer_batch(model, processor, prompts, {"x": method}, cache=kind.cache)
    scores = [
        kind.task.score(item, row.whole_text) for item, (row,) in zip(items, answers, strict=True)
    ]
    return [next(iter(score.values()))[0] for score in scores]


def picture(item: Item) -> Image.Image:
    """Draw an item's picture in the size that people see."""
    return draw(item.facts["scene"], SCALE)


def answered(model: Any, processor: Any, shown: Image.Image, question: str, cache: Cache) -> str:
    """Answer a question by both lanes; return the comparison as the page stores it."""
    comparison = compare(model, processor, image=shown, question=question, cache=cache)
    return json.dumps(payload(comparison), allow_nan=False) + "\n"


def answer_again(model: Any, processor: Any, folder: Path) -> None:
    """Answer the questions of a folder's list anew; what was picked stays, right or not."""
    listed = json.loads((folder / "examples.json").read_text("utf-8"))
    for entry in tqdm(listed, unit="example"):
        cache: Cache = SinkWindow(**entry["cache"]) if "cache" in entry else "full"
        shown = load_picture(folder / entry["image"]).image
        stored = answered(model, processor, shown, entry["question"], cache)
        (folder / entry["comparison"]).write_text(stored)
        plain = json.loads(stored)["lanes"][0]["text"]
        entry["note"] = "right" if plain == entry["answer"] else entry["note"]
    (folder / "examples.json").write_text(json.dumps(listed, indent=2) + "\n")


def main(arguments: list[str] | None = None) -> None:
    """Write the pictures, the list of questions, and the comparisons."""
    parser = argparse.ArgumentParser(prog="python -m training.examples", description=main.__doc__)
    parser.add_argument("--model", default="assets/shapes-vl-anchored")
    parser.add_argument("--out", type=Path, default=Path("assets/examples"))
    parser.add_argument("--again", action="store_true", help="keep what was picked")
    options = parser.parse_args(arguments)
    model, processor = load(options.model)
    if options.again:
        answer_again(model, processor, options.out)
        return
    options.out.mkdir(parents=True, exist_ok=True)
    for old in (*options.out.glob("*.png"), *options.out.glob("*.json")):
        old.unlink()
    listed: list[dict[str, Any]] = []
    for item, kind in choose(model, processor):
        name = re.sub(r"\W+", "-", kind.task.name)
        number = 1 + sum(entry["image"].startswith(name) for entry in listed)
        name = f"{name}-{number}"
        shown = picture(item)
        shown.save(options.out / f"{name}.png")
        stored = answered(model, processor, shown, item.question, kind.cache)
        (options.out / f"{name}.json").write_text(stored)
        listed.append(
            {
                "image": f"{name}.png",
                "question": item.question,
                "note": kind.note,
                "task": kind.task.name,
                "answer": item.answer,
                "scene": item.facts["scene"].things(),
                "comparison": f"{name}.json",
            }
        )
        if isinstance(kind.cache, SinkWindow):
            listed[-1]["cache"] = kind.cache.as_dict()
    (options.out / "examples.json").write_text(json.dumps(listed, indent=2) + "\n")


if __name__ == "__main__":
    main()
