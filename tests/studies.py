"""A small study whose answers are made up: what is tested is judging, and no model."""

import json

from PIL import Image

from app.study.database import sqlite_file
from app.study.vote_store import VoteStore
from sinktrack.study.digest import pair_digests
from sinktrack.study.folder import read_study

LANES = ("baseline", "sinktrack")
CODE = "open sesame"
"""Annotators' own."""
YAML = """
title: A & <b>B</b>
instructions: Look, then say.
model: none
lanes: {baseline: , sinktrack: {}}
reveal: after vote
"""


def texts_of(n):
    """Return what the lanes say of an item."""
    return f"There is a red circle {n}.", f"There is 🔵 a blue star {n}."


def make_study(folder, items=3, yaml=YAML, texts=texts_of):
    """Write a study with answers and return it; `texts` gives both lanes' by an item's number."""
    folder.mkdir(exist_ok=True)
    (folder / "study.yaml").write_text(yaml)
    (folder / "prepared").mkdir(exist_ok=True)
    Image.new("RGB", (28, 28), "white").save(folder / "a.png")
    lines = [
        {"id": f"item{n}", "image": "a.png", "question": f"What is {n}?", "tags": [f"tag{n % 2}"]}
        for n in range(items)
    ]
    (folder / "items.jsonl").write_text("\n".join(map(json.dumps, lines)))
    for n, line in enumerate(lines):
        lanes = [
            {"name": name, "title": title, "text": text}
            for name, title, text in zip(LANES, ("Plain model", "SinkTrack"), texts(n), strict=True)
        ]
        made = {
            "model": "none",
            "question": line["question"],
            "picture": "data:image/png;base64,AAAA",
            "lanes": lanes,
        }
        (folder / "prepared" / f"{line['id']}.json").write_text(json.dumps(made))
    return read_study(folder)


def open_store(study, url=None, **options):
    """Open the votes of a study."""
    return VoteStore(
        url or sqlite_file(study.folder / "votes.sqlite"),
        study=study.name,
        lanes=tuple(study.lanes),
        items=[item.name for item in study.judged],
        votes_per_item=study.votes_per_item,
        training={item.name: item.better for item in study.used_for("training")},
        checks={item.name: item.better for item in study.used_for("check")},
        repeat=study.repeat,
        until=study.until.timestamp() if study.until else None,
        pairs=pair_digests(study),
        **options,
    )
