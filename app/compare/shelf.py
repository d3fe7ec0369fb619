"""Finished comparisons on disk, each under a name that nobody can guess: what an address leads to.

One comparison is one file, written whole, for the page's own user alone, in a folder that is not
served. Knows nothing about models or components.
"""

import io
import json
import logging
import os
import re
import secrets
import threading
import time
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gradio.utils import get_upload_folder

from app.shared.machine import own_temporary_folder
from app.shared.ui import FILE_AGE
from sinktrack.core.errors import OutputError
from sinktrack.core.files import check_usable, write_private

BYTES = 1_000_000_000
"""What all together may take; the oldest go first."""
LARGEST = 100_000_000
"""Bytes of one file; what is larger has no address."""
COUNT = 2_000
"""How many are kept; the oldest go first."""

_SWEEPS = 12  # while a comparison is kept
_NAME = re.compile(r"[A-Za-z0-9_-]{22}")
_ENDING = ".comparison"
_COMPARISON = "comparison.json"

log = logging.getLogger(__name__)

LargeMaps = Mapping[str, Mapping[int, bytes]]
"""By lane and number of the picture or video, attention that is too large for a payload."""


def folder_of(given: str | None) -> Path | None:
    """Return the folder of the shelf; None where nothing can be kept.

    Args:
        given: By the page's owner; None for one among this user's temporary files.

    Raises:
        OutputError: If it lies where the page's files are served, or cannot be used.
    """
    if given is None:
        own = own_temporary_folder("-kept")
        return None if own is None else Path(own)
    folder = Path(given).absolute()
    check_usable(folder, "Comparisons that are kept")
    if folder.resolve().is_relative_to(Path(get_upload_folder()).resolve()):
        raise OutputError(
            f"Comparisons cannot be kept in {given}, whose files everybody can fetch from the "
            "page: choose a folder outside GRADIO_TEMP_DIR."
        )
    return folder


@dataclass(frozen=True)
class Kept:
    """A comparison that was kept.

    Args:
        payload: What `sinktrack.report.payload` made.
        large_maps: As `app.shared.events.Answered` has them.
    """

    payload: dict[str, Any]
    large_maps: LargeMaps


class Shelf:
    """Comparisons by name.

    Args:
        folder: Where they are; made if it is not there. None keeps nothing.
        seconds: For how long each is kept.
        most_bytes: What all may take together.
        most: How many there may be.
        largest: Bytes of one.
    """

    def __init__(
        self,
        folder: Path | None,
        *,
        seconds: float = FILE_AGE,
        most_bytes: int = BYTES,
        most: int = COUNT,
        largest: int = LARGEST,
    ) -> None:
        self._folder, self._seconds = folder, seconds
        self._most_bytes, self._most, self._largest = most_bytes, most, largest
        self._timer: threading.Timer | None = None
        self._sweep_later()  # what an earlier process has kept is deleted even if nobody comes

    @property
    def hours(self) -> float:
        """For how long each is kept, in hours."""
        return self._seconds / 3600

    def keep(self, payload: str, large_maps: LargeMaps) -> str | None:
        """Keep a comparison; return its name, or None if it is too large or cannot be written.

        Args:
            payload: As JSON text.
            large_maps: As `app.shared.events.Answered` has them.
        """
        if self._folder is None:
            return None
        content = _packed(payload, large_maps)
        if len(content) > self._largest:
            return None
        name = secrets.token_urlsafe(16)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.sweep(room=len(content))
            write_private(self._folder / (name + _ENDING), "The comparison", content)
            self._sweep_later()
        except (OSError, OutputError) as error:
            log.warning("A comparison could not be kept: %s", error)
            return None
        return name

    def get(self, name: Any) -> Kept | None:
        """Return a comparison; None if there is none of this name, whatever the name is."""
        content = self.content(name)
        return None if content is None else unpacked(content)

    def content(self, name: Any) -> bytes | None:
        """Return the file of a comparison, as `unpacked` reads it; None if there is none."""
        if self._folder is None or not isinstance(name, str) or not _NAME.fullmatch(name):
            return None
        self.sweep()
        try:
            return (self._folder / (name + _ENDING)).read_bytes()
        except OSError:
            return None

    def sweep(self, room: int = 0) -> None:
        """Delete what is too old, and then the oldest, until all keeps to the limits.

        Args:
            room: Bytes of one that is about to come.
        """
        now = time.time()
        files = sorted(self._files())
        total, count = sum(size for _, size, _ in files) + room, len(files) + (room > 0)
        oldest = now - self._seconds
        for made, size, path in files:
            if made > oldest and total <= self._most_bytes and count <= self._most:
                return
            with suppress(OSError):  # another process may have been faster
                path.unlink()
            total, count = total - size, count - 1

    def _sweep_later(self) -> None:
        """Sweep in a while, and again until nothing is left."""
        if self._timer is None and any(True for _ in self._files()):
            self._timer = threading.Timer(self._seconds / _SWEEPS, self._sweep_on_time)
            self._timer.daemon = True
            self._timer.start()

    def _sweep_on_time(self) -> None:
        self._timer = None
        self.sweep()
        self._sweep_later()

    def _files(self) -> Iterator[tuple[float, int, Path]]:
        """Yield of every file when it was made, how large it is, and its path."""
        if self._folder is None:
            return
        with suppress(OSError):
            for path in self._folder.glob("*" + _ENDING):
                with suppress(OSError):
                    told = path.stat()
                    if told.st_mtime > time.time() + 1:  # the clock was set back
                        os.utime(path)
                        told = path.stat()
                    yield told.st_mtime, told.st_size, path


def unpacked(content: bytes) -> Kept | None:
    """Return the comparison in a file; None if the file is damaged."""
    maps: dict[str, dict[int, bytes]] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            payload = json.loads(archive.read(_COMPARISON))
            lanes = [lane["name"] for lane in payload["lanes"]]
            for name in archive.namelist():
                if name != _COMPARISON:
                    lane, _, visual = name.partition("-")
                    maps.setdefault(lanes[int(lane)], {})[int(visual)] = archive.read(name)
    except (zipfile.BadZipFile, ValueError, KeyError, IndexError, TypeError, OSError) as error:
        log.warning("A comparison that was kept could not be read: %s", error)
        return None
    return Kept(payload, maps)


def _packed(payload: str, large_maps: LargeMaps) -> bytes:
    """Return a comparison as one file: its JSON, and a file for each large map."""
    lanes = [lane["name"] for lane in json.loads(payload)["lanes"]]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr(_COMPARISON, payload)
        for lane, maps in large_maps.items():
            for visual, content in maps.items():
                archive.writestr(f"{lanes.index(lane)}-{visual}", content)
    return buffer.getvalue()
