"""Comparisons that visitors keep on the server for others to see, if its owner allows it.

One entry is one folder: what the list shows, and the comparison as `app.compare.shelf` packs it.
To take an entry out, its folder is deleted; its name begins with the date.
"""

import base64
import io
import json
import logging
import re
import secrets
import shutil
from pathlib import Path
from typing import Any

from PIL import Image

from app.compare.shelf import Kept, unpacked
from sinktrack.core.errors import OutputError, PromptError
from sinktrack.core.files import write_private
from sinktrack.core.messages import clean_text

MOST = 48
"""How many entries there may be."""
BYTES = 300_000_000
"""What all together may take."""
LONGEST_TITLE = 80

_NAME = re.compile(r"\d{4}-\d{2}-\d{2}-[0-9a-f]{16}")
_ENTRY, _CONTENT = "entry.json", "comparison"
_THUMBNAIL = 112  # pixels, twice what is shown

log = logging.getLogger(__name__)


class Gallery:
    """Entries in a folder, which is made when the first one comes.

    Args:
        folder: Where they are.
        most: How many there may be.
        most_bytes: What all may take together.
    """

    def __init__(self, folder: Path, most: int = MOST, most_bytes: int = BYTES) -> None:
        self._folder, self._most, self._most_bytes = folder, most, most_bytes

    def listed(self) -> list[dict[str, Any]]:
        """Return what the list shows of each entry, the newest first."""
        found = []
        for folder in sorted(self._entries(), reverse=True):
            try:
                entry = json.loads((folder / _ENTRY).read_text("utf-8"))
                texts = ("title", "question", "methods", "src")
                shown = {name: str(entry[name]) for name in texts}
            except (OSError, ValueError, KeyError, TypeError) as error:
                log.warning("The gallery's entry %s is left out: %s", folder, error)
                continue
            found.append(shown | {"name": folder.name, "date": folder.name[:10]})
        return found

    def get(self, name: Any) -> Kept | None:
        """Return the comparison of an entry; None if there is none of this name."""
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            return None
        try:
            return unpacked((self._folder / name / _CONTENT).read_bytes())
        except OSError:
            return None

    def add(self, title: Any, content: bytes, date: str) -> None:
        """Add an entry.

        Args:
            title: As a visitor typed it.
            content: A comparison as `app.compare.shelf` packs it.
            date: Of today, as 2026-01-31.

        Raises:
            SinkTrackError: If the title cannot be used, or there is no room.
        """
        title = " ".join(clean_text(title, "title", 10 * LONGEST_TITLE).split())
        if len(title) > LONGEST_TITLE:
            raise PromptError(
                f"The title has {len(title)} characters; the limit is {LONGEST_TITLE}: shorten it."
            )
        kept = unpacked(content)
        if kept is None:
            raise PromptError("The server no longer has this comparison: ask again.")
        entries = self._entries()
        size = sum(file.stat().st_size for each in entries for file in each.iterdir())
        if len(entries) >= self._most or size + len(content) > self._most_bytes:
            raise OutputError(
                f"The gallery is full: it holds {self._most} comparisons or "
                f"{self._most_bytes // 10**6} MB at most. Its owner can make room."
            )
        name = f"{date}-{secrets.token_hex(8)}"
        part = self._folder / f".{name}.part"
        try:
            part.mkdir(mode=0o700, parents=True)
            write_private(part / _CONTENT, "The comparison", content)
            shown = json.dumps({"title": title} | _shown(kept.payload))
            write_private(part / _ENTRY, "The comparison", shown.encode())
            part.rename(self._folder / name)
        except OSError as error:
            raise OutputError("The gallery's folder cannot be written on the server.") from error
        finally:
            shutil.rmtree(part, ignore_errors=True)

    def _entries(self) -> list[Path]:
        try:
            return [each for each in self._folder.iterdir() if _NAME.fullmatch(each.name)]
        except OSError:  # none was added yet
            return []


def _shown(payload: dict[str, Any]) -> dict[str, str]:
    """Return what the list shows of a comparison beside its title and date."""
    return {
        "question": payload["question"][:200],
        "methods": ", ".join(lane["title"] for lane in payload["lanes"])[:200],
        "src": _thumbnail(payload),
    }


def _thumbnail(payload: dict[str, Any]) -> str:
    """Return the first picture as a small data URL; "" where there is none."""
    if not payload["visuals"]:
        return ""
    content = base64.b64decode(payload["visuals"][0]["frames"][0].partition(",")[2])
    with Image.open(io.BytesIO(content), formats=("PNG", "JPEG")) as image:
        small = image.convert("RGB")
    small.thumbnail((_THUMBNAIL, _THUMBNAIL))
    buffer = io.BytesIO()
    small.save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
