"""The files that are made of a finished comparison. Knows nothing about models."""

import io
import json
import logging
import tempfile
import zipfile
from pathlib import Path

from app.shared.events import FilesReady
from sinktrack.core.comparison import Comparison
from sinktrack.core.errors import SinkTrackError
from sinktrack.report.payload import map_bytes
from sinktrack.report.replay import record

LARGE_MAPS = 200_000
"""Bytes; larger maps are not sent with the answer but token by token."""

log = logging.getLogger(__name__)


def large_maps(comparison: Comparison) -> dict[str, dict[int, bytes]]:
    """Return, by lane and picture or video, the attention that is too large to send as a whole."""
    found: dict[str, dict[int, bytes]] = {}
    for name, answer in comparison.items():
        for visual in range(len(comparison.visuals)):
            content = map_bytes(answer, visual)
            if len(content) > LARGE_MAPS:
                found.setdefault(name, {})[visual] = content
    return found


def downloads(comparison: Comparison) -> FilesReady:
    """Return what can be downloaded beside the report; neither file if the disk is full."""
    try:
        return FilesReady(
            traces=_traces(comparison),
            replay=json.dumps(record(comparison), allow_nan=False).encode(),
        )
    except (SinkTrackError, OSError, MemoryError):  # the answer itself is there and stays
        log.warning("no files to download", exc_info=True)
        return FilesReady()


def _traces(comparison: Comparison) -> bytes:
    """Return a zip archive with one .safetensors file a lane."""
    buffer = io.BytesIO()
    with (
        tempfile.TemporaryDirectory() as folder,
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
    ):
        for number, (name, answer) in enumerate(comparison.items(), start=1):
            assert answer.trace is not None
            file = Path(folder) / "trace.safetensors"
            answer.trace.save(file)
            words = "".join(each if each.isalnum() else " " for each in name).split()
            archive.write(file, f"{number}-{'-'.join(words)}.safetensors")
    return buffer.getvalue()
