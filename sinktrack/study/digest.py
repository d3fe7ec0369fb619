"""A short name for what people judged: the question, what it is about, and the answers' words."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

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
    said: dict[str, Any] = {
        "question": item.question,
        "passage": item.passage,
        "pictures": [hashlib.sha256(image.read_bytes()).hexdigest() for image in item.images],
        "lanes": dict(lanes),
    }
    if item.earlier:  # so that all others keep the name that they had before there were any
        said["earlier"] = item.earlier
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]
