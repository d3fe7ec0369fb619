"""Folders for files that nobody needs once this process has ended, however it ended.

Each process has a folder of its own among those of others, and a lock beside it, which the system
lets go when the process is gone. Whoever starts deletes the folders whose lock is free, so servers
may share the place. Knows nothing about pages.
"""

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator, MutableMapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from app.shared.machine import DATA

_PREFIX = "server-"
_LOCK = ".lock"


@contextmanager
def own_folders(environment: MutableMapping[str, str]) -> Iterator[None]:
    """Give this process folders of its own for uploads and, in a data folder, temporary files.

    Args:
        environment: Read, and changed for as long as the block takes; before gradio is imported.
    """
    names = ["GRADIO_TEMP_DIR", *(["TMPDIR"] if environment.get(DATA) else [])]
    before = {name: environment[name] for name in names if name in environment}
    with ExitStack() as stack:
        for name, place in before.items():
            with suppress(OSError):  # the page says what it cannot write, and where
                environment[name] = str(stack.enter_context(own_folder(Path(place))))
        tempfile.tempdir = None  # which Python would not look up again
        try:
            yield
        finally:
            environment.update(before)
            tempfile.tempdir = None


@contextmanager
def own_folder(place: Path) -> Iterator[Path]:
    """Delete what processes left that are gone, and make a folder that goes with the block.

    Args:
        place: Where the folders of all processes are.

    Raises:
        OSError: If nothing can be written there.
    """
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    sweep(place)
    folder = place / (_PREFIX + secrets.token_hex(8))
    lock = FileLock(f"{folder}{_LOCK}")
    with lock:
        folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            _remove(folder)


def sweep(place: Path) -> None:
    """Delete the folders of processes that are gone."""
    for file in place.glob(f"{_PREFIX}*{_LOCK}"):
        with suppress(OSError, Timeout), FileLock(file, timeout=0):  # else its process lives
            _remove(file.with_suffix(""))


def _remove(folder: Path) -> None:
    """Delete a folder and its lock, which is held."""
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):
        os.unlink(f"{folder}{_LOCK}")
