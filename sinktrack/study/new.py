"""Writes the folder of a new study, with an example of every kind of item, ready to be answered."""

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sinktrack.core.files import whole_file
from sinktrack.shapes.scenes import draw, sample_scene
from sinktrack.study.folder import Study, check_new, write_files

_TOLD = """\
# Everything that may stand here: docs/studies.md. The items are in items.jsonl, one line each.
# SinkTrack's context "prompt" suits items with pictures and items with passages alike. Leave it out
# where every item has a picture: then it reads what the model's own schedule says.
"""

EXAMPLES: tuple[dict[str, Any], ...] = (
    {
        "id": "picture",
        "image": "pictures/one.png",
        "question": "Describe the picture.",
        "tags": ["picture"],
    },
    {
        "id": "two-pictures",
        "image": ["pictures/one.png", "pictures/two.png"],
        "question": "What has changed?",
        "tags": ["picture"],
    },
    {
        "id": "passage",
        "passage": "Rollo ruled Normandy from 911 on.",
        "question": "Who ruled Normandy?",
        "reference": "Rollo.",
        "tags": ["passage"],
    },
    {
        "id": "picture-and-passage",
        "image": "pictures/two.png",
        "passage": "A red circle means that the shop is closed.",
        "question": "Is the shop closed?",
        "tags": ["picture", "passage"],
    },
)
"""An item of each kind."""


def write_new(
    folder: Path,
    *,
    title: str,
    instructions: str,
    model: str,
    lanes: Mapping[str, Mapping[str, Any] | None],
    votes_per_item: int,
) -> Study:
    """Write study.yaml, items.jsonl and the pictures of its examples.

    Args:
        folder: To be; without a study in it.
        title: What annotators read first.
        instructions: What they are to do.
        model: A hub name, or a folder, from the study's folder on.
        lanes: Methods as study.yaml has them, by name.
        votes_per_item: How many people judge each item.

    Returns:
        The study, read again.

    Raises:
        StudyError: If there is a study already, or something cannot be used.
        OutputError: If something cannot be written.
    """
    check_new(folder)
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    for name, seed in (("one", 1), ("two", 2)):
        with whole_file(folder / "pictures" / f"{name}.png", "The picture") as part:
            draw(sample_scene(random.Random(seed), 3)).save(part, "PNG")
    about = {
        "title": title,
        "instructions": instructions,
        "model": model,
        "lanes": {name: None if lane is None else dict(lane) for name, lane in lanes.items()},
        "votes_per_item": votes_per_item,
    }
    return write_files(folder, about, EXAMPLES, told=_TOLD)
