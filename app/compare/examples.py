"""Pictures and questions to begin with, from assets/examples/examples.json."""

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.shared.thumbnails import data_url
from sinktrack.core.errors import PictureError
from sinktrack.core.images import load_picture
from sinktrack.eval.truth import Truth
from sinktrack.report.payload import upgraded
from sinktrack.shapes.scenes import Scene

FOLDER = Path(__file__).parents[2] / "assets" / "examples"
_THUMBNAIL = 112  # pixels, twice what is shown

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Example:
    """One picture with a question about it.

    Args:
        picture: The file.
        question: The question.
        note: What happens there, in a few words.
        window: How many of the last tokens stay in view; 0 for all.
        sinks: How many of the first tokens stay beside them.
        stored: A file with a comparison that was made earlier, as
            `sinktrack.report.payload` makes it.
        truth: The right answer; None where it is not known.
        scene: What the picture shows; None where it is no drawn scene.
    """

    picture: Path
    question: str
    note: str = ""
    window: int = 0
    sinks: int = 1
    stored: Path | None = None
    truth: Truth | None = None
    scene: Scene | None = None

    def thumbnail(self) -> str:
        """Return the picture as a small data URL.

        Raises:
            PictureError: If it cannot be read.
        """
        return data_url(load_picture(self.picture).image, _THUMBNAIL)

    def comparison(self) -> dict[str, Any] | None:
        """Return the stored comparison, or None if there is none to be read."""
        if self.stored is None:
            return None
        try:
            comparison = upgraded(json.loads(self.stored.read_text("utf-8")))
            comparison["lanes"], comparison["model"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("The comparison %s is left out: %s", self.stored, error)
            return None
        return comparison


def read_examples(folder: Path = FOLDER) -> list[tuple[Example, str]]:
    """Return the examples with their thumbnails; what cannot be read is left out and logged."""
    try:
        entries = json.loads((folder / "examples.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        log.warning("The page has no examples: %s", error)
        return []
    found = []
    for entry in entries:
        try:
            cache = entry.get("cache", {})
            example = Example(
                folder / entry["image"],
                str(entry["question"]),
                note=str(entry.get("note", "")),
                window=int(cache.get("window", 0)),
                sinks=int(cache.get("sinks", 1)),
                stored=folder / entry["comparison"] if "comparison" in entry else None,
                truth=Truth.of_task(entry["answer"], str(entry.get("task", "")))
                if "answer" in entry
                else None,
                scene=Scene.of(entry["scene"]) if "scene" in entry else None,
            )
            found.append((example, example.thumbnail()))
        except (AttributeError, KeyError, TypeError, ValueError, PictureError) as error:
            log.warning("The example %r is left out: %s", entry, error)
    return found
