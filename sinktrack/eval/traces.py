"""What attention did while a run's answers were written: a file an item, where answers differ.

A file holds what the viewer draws, as `sinktrack.report.payload` makes it. Files may come from
anywhere, so what is read is checked.
"""

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sinktrack.core.comparison import Comparison
from sinktrack.core.errors import OutputError, SinkTrackError, reason
from sinktrack.core.files import parsed_json, whole_file
from sinktrack.eval.run_files import TRACES, trace_files, trace_name
from sinktrack.report.checked import checked
from sinktrack.report.fields import mapping
from sinktrack.report.payload import parts_at, payload

LARGEST = 64_000_000
"""Bytes of a file that is read, unpacked."""

_BROKEN = (
    OSError,
    EOFError,
    zlib.error,
    ValueError,
    RecursionError,
    KeyError,
    TypeError,
    SinkTrackError,
)
"""What a file brings about that is packed badly, is no JSON or holds something else."""


def differs(comparison: Comparison) -> bool:
    """Tell whether there is a difference to explain."""
    return len({answer.token_ids for answer in comparison.values()}) > 1


def keep(run: Path, task: str, item: str, seed: int | None, comparison: Comparison) -> None:
    """Write what attention did in all answers of a comparison, in the place of an earlier start's.

    Args:
        run: The run's folder.
        task: What the item is of.
        item: Its id.
        seed: Of the answers; None for greedy ones.
        comparison: The answers, with traces. Those of other methods may stand in files of theirs.

    Raises:
        OutputError: If it cannot be written.
    """
    methods = hashlib.sha256(json.dumps(sorted(comparison)).encode()).hexdigest()[:8]
    path = run / TRACES / f"{trace_name(task, item, seed)}-{methods}.json.gz"
    try:
        path.parent.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"{path.parent} cannot be made: {error}.") from error
    text = json.dumps(payload(comparison), allow_nan=False)
    with whole_file(path, "The trace") as part:
        part.write_bytes(gzip.compress(text.encode(), compresslevel=6, mtime=0))


def read(
    run: Path, task: str, item: str, seed: int | None, methods: Sequence[str]
) -> dict[str, Any] | None:
    """Return what the viewer draws of some methods' answers; None if it was not kept of all.

    Args:
        run: The run's folder.
        task: As for `keep`.
        item: As for `keep`.
        seed: As for `keep`.
        methods: By their names in the run, in the order in which they are shown.

    Raises:
        OutputError: If a file cannot be read, or holds something else.
    """
    lanes: dict[str, Any] = {}
    whole: dict[str, Any] = {}
    for path in trace_files(run, task, item, seed):
        with _broken(path):
            whole = _unpacked(path)
            lanes |= {lane["name"]: lane for lane in whole["lanes"]}
    if not all(name in lanes for name in methods):
        return None
    with _broken(path):
        whole = checked({**whole, "lanes": [lanes[name] for name in methods], "parts_at": None})
    shown = [lane | {"title": lane["name"]} for lane in whole["lanes"]]
    return whole | {"lanes": shown, "parts_at": parts_at([lane["ids"] for lane in shown])}


def _unpacked(path: Path) -> dict[str, Any]:
    with gzip.open(path) as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise OutputError(f"it has more than {LARGEST:,} bytes")
    return mapping(parsed_json(content.decode()), "it")


@contextmanager
def _broken(path: Path) -> Iterator[None]:
    """Say of a file that holds something else, in one sentence, what to do."""
    try:
        yield
    except _BROKEN as error:
        raise OutputError(
            f"{TRACES}/{path.name} is no trace that sinktrack eval writes: "
            f"{reason(error).rstrip('.')}. Delete it; the same command in a new folder makes it "
            "again."
        ) from error
