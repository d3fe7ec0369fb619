"""A task that counts what it is asked, and what is left in the folder of a run."""

import json

from PIL import Image

from sinktrack.eval.run_files import RECORDS
from sinktrack.eval.task import Item, Task


def read_records(folder):
    return [json.loads(line) for line in (folder / RECORDS).read_text().splitlines()]


def records_of(folder):
    """Return task, method, item and seed, the answer and its scores, of every record in order."""
    return sorted(
        ((r["task"], r["name"], r["item"], r["seed"] or 0), r["answer"], r["scores"])
        for r in read_records(folder)
    )


def counting_task(asked, count=4):
    """Questions about blank pictures, four by default; what is scored is noted in `asked`."""

    def items(split, limit):
        for number in range(min(limit, count)):
            yield Item(
                id=f"{split}/{number}",
                question=f"Is there a red circle? {number}",
                answer="No",
                images=[lambda: Image.new("RGB", (140, 140), "white")],
            )

    def score(item, answer):
        asked.append(item.id)
        return {"words": (float(len(answer.split())), 1.0)}

    return Task("counting", items, score, max_new_tokens=4)
