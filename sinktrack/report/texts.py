"""Answers of which nothing but the text is known, in the shape that viewer and pages draw."""

from collections.abc import Mapping, Sequence
from typing import Any

from sinktrack.core.images import Picture
from sinktrack.report.visuals import shown_pictures


def payload_of_texts(
    answers: Mapping[str, str],
    question: str,
    pictures: Sequence[Picture] = (),
    passage: str = "",
    model: str = "",
) -> dict[str, Any]:
    """Return answers of which nothing but the text is known in the shape of `payload`.

    Args:
        answers: Texts by the lanes' names.
        question: What was asked.
        pictures: What it was asked about, in order.
        passage: Likewise; empty for none.
        model: What answered; empty where that is not known.
    """
    return {
        "model": model,
        "revision": "",
        "made": "",
        "question": question,
        "passage": passage,
        "turns": [],
        "segments": [],
        "visuals": shown_pictures(pictures),
        "notices": [notice for each in pictures for notice in each.notices],
        "settings": {},
        "versions": {},
        "sinks": [],
        "lanes": [
            {"name": name, "title": name, "subtitle": "Made elsewhere.", "text": text}
            for name, text in answers.items()
        ],
        "parts_at": None,
    }
