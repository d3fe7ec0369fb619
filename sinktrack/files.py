"""Writing files whole or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sinktrack.errors import OutputError


@contextmanager
def whole_file(path: str | Path, what: str) -> Iterator[Path]:
    """Give a place to write to, and put it at `path` once everything is written.

    Args:
        path: The file to make or replace; its folder must exist.
        what: What the file is, for the message.

    Yields:
        A path beside it to write to.

    Raises:
        OutputError: If it cannot be written; nothing half-written is left behind.
    """
    path = Path(path)
    part = path.with_name(path.name + ".part")
    try:
        yield part
        part.replace(path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(f"{what} could not be written to {path}: {reason}.") from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
