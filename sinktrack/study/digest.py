"""A short name for what people judged: the question, what it is about, and the answers' words."""

import hashlib
import json
from collections.abc import Mapping
from itertools import combinations
from typing import Any

from sinktrack.core.errors import StudyError
from sinktrack.study.folder import Study
from sinktrack.study.items import StudyItem


def digest(item: StudyItem, lanes: Mapping[str, str]) -> str:
    """Return what changes when annotators would see something else, and only then.

    Args:
        item: The item. Its pictures count by their files' bytes, so that a renamed file changes
            nothing; its id, reference and tags do not count.
        lanes: The answers' texts by lane, of a pair or of all lanes, in any order.

    Returns:
        16 hexadecimal digits, the same on every machine.

    Raises:
        OSError: If a picture's file is gone.
    """
    return _digest(item, _pictures(item), lanes)


def pair_digests(study: Study) -> dict[str, dict[frozenset[str], str]]:
    """Return by item and by the names of two lanes the digest of what annotators see of them.

    Raises:
        StudyError: If an item has no answers, or a picture cannot be read.
    """
    found = {}
    for item in study.items:
        texts = {lane["name"]: lane["text"] for lane in study.read_prepared(item)["lanes"]}
        try:
            pictures = _pictures(item)
        except OSError as error:
            raise StudyError(
                f"A picture of the item {item.name} cannot be read "
                f"({error.strerror or error}): put it back."
            ) from error
        found[item.name] = {
            frozenset(pair): _digest(item, pictures, {lane: texts[lane] for lane in pair})
            for pair in combinations(texts, 2)
        }
    return found


def _pictures(item: StudyItem) -> list[str]:
    return [hashlib.sha256(image.read_bytes()).hexdigest() for image in item.images]


def _digest(item: StudyItem, pictures: list[str], lanes: Mapping[str, str]) -> str:
    said: dict[str, Any] = {
        "question": item.question,
        "passage": item.passage,
        "pictures": pictures,
        "lanes": dict(lanes),
    }
    if item.earlier:  # so that all others keep the name that they had before there were any
        said["earlier"] = item.earlier
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]
