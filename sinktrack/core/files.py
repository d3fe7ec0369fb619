"""Reading text as people's programs write it, and writing files whole or not at all."""

import codecs
import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sinktrack.core.errors import OutputError


def read_text(path: str | Path) -> str:
    """Read a text file: UTF-8 with or without a byte order mark, or UTF-16 with one.

    Notepad, Excel and PowerShell write such marks.

    Raises:
        OSError: If the file cannot be read.
        UnicodeDecodeError: If it is neither.
    """
    return decoded(Path(path).read_bytes())


def decoded(data: bytes) -> str:
    """Return the text in a file's bytes, as `read_text` does.

    Raises:
        UnicodeDecodeError: If there is none.
    """
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return data.decode("utf-16" if wide else "utf-8-sig")


def parsed_json(text: str) -> Any:
    """Return the value of a JSON text, of which no object says a name twice.

    Raises:
        ValueError: If one does, or the text is not JSON.
    """
    return json.loads(text, object_pairs_hook=_each_once)


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"it says {twice!r} twice in one place")
    return found


def file_inside(folder: Path, name: str) -> Path | None:
    """Return the file of this name inside a folder, links followed; None if it is none or outside.

    Args:
        folder: The folder.
        name: A path that is relative to it.
    """
    try:
        path = (folder / name).resolve()
        return path if path.is_relative_to(folder.resolve()) and path.is_file() else None
    except (OSError, ValueError, RuntimeError):  # too long, with a NUL, or a link to itself
        return None


def json_lines(text: str) -> list[str]:
    """Return the lines of JSON Lines, blank ones included.

    Only a line feed ends a line: other separators, such as U+2028 and U+0085, may stand inside a
    JSON string, and come with text from the web.
    """
    return text.split("\n")


def finished_lines(path: Path) -> list[str]:
    """Return the lines of a growing file of JSON Lines; cut off a last one written in part.

    Args:
        path: The file; none is an empty one.
    """
    if not path.exists():
        return []
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if whole != content:
        os.truncate(path, len(whole))
    return json_lines(whole.decode("utf-8", "replace"))


def check_writable(path: str | Path, what: str) -> None:
    """Refuse a file that could not be written, before the work that goes into it.

    Args:
        path: The file to be.
        what: What it is, for the message.

    Raises:
        OutputError: With what to do.
    """
    with _refusals(path, what):
        _checked_target(path, what)


def _checked_target(path: str | Path, what: str) -> Path:
    """Return the file that a path means, behind its links."""
    target = Path(path).resolve()
    if target.is_dir() or str(path).endswith(("/", os.sep)):
        raise OutputError(f"{what} cannot be written to {path}: it is a folder; name a file in it.")
    if not target.parent.is_dir():
        raise OutputError(f"{what} cannot be written to {path}: make its folder first.")
    if target.exists() and not target.is_file():
        raise OutputError(f"{what} cannot be written to {path}: it is no ordinary file.")
    places = [target.parent, *([target] if target.exists() else [])]
    if not all(os.access(place, os.W_OK) for place in places):
        raise OutputError(f"{what} cannot be written to {path}: it or its folder is read-only.")
    return target


@contextmanager
def _refusals(path: str | Path, what: str) -> Iterator[None]:
    """Say in a sentence what the system refuses, such as a name that is too long."""
    try:
        yield
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or str(error)
        raise OutputError(f"{what} cannot be written to {_short(path)}: {said}.") from error


def _short(path: str | Path) -> str:
    return str(path) if len(str(path)) <= 200 else str(path)[:200] + "…"


def check_usable(folder: str | Path, what: str) -> None:
    """Refuse a folder that could not be made or written to, before the work that goes into it.

    Args:
        folder: The folder, which need not exist.
        what: What goes there, for the message.

    Raises:
        OutputError: With what to do.
    """
    with _refusals(folder, what):
        there = Path(folder).absolute()
        while not there.exists() and there != there.parent:
            there = there.parent
        if not there.is_dir():
            raise OutputError(
                f"{what} cannot go to {folder}: {there} is a file; choose another name."
            )
        if not os.access(there, os.W_OK):
            raise OutputError(f"{what} cannot go to {folder}: {there} is read-only.")


@contextmanager
def whole_file(path: str | Path, what: str) -> Iterator[Path]:
    """Give a place to write to, and put it at `path` once everything is written.

    Args:
        path: The file to make or replace; its folder must exist. Behind a link, the file it means.
        what: What the file is, for the message.

    Yields:
        A path beside it to write to.

    Raises:
        OutputError: If it cannot be written; nothing half-written is left behind.
    """
    with _refusals(path, what):
        target = _checked_target(path, what)
    part = target.with_name(f"{uuid.uuid4().hex}.part")
    try:
        yield part
        part.replace(target)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(f"{what} could not be written to {path}: {reason}.") from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def write_private(path: str | Path, what: str, content: bytes) -> None:
    """Write a file whole, for its owner alone.

    Args:
        path: As for `whole_file`.
        what: Likewise.
        content: Of the file.

    Raises:
        OutputError: If it cannot be written.
    """
    with whole_file(path, what) as part:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        with open(os.open(part, flags, 0o600), "wb") as file:
            file.write(content)
