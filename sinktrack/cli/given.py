"""Files that a question is made of: a passage, a conversation."""

import sys
from pathlib import Path
from typing import Any

from sinktrack.core.errors import PromptError, reason
from sinktrack.core.files import decoded, file_inside, parsed_json
from sinktrack.core.names import exists

_MOST = 10_000_000  # bytes


def read_passage(name: str) -> str:
    """Return the text of a file, or of the standard input where the name is "-".

    Raises:
        PromptError: If it cannot be read, is no text, or is too large.
    """
    if name != "-":
        return _text(_data(name, "passage"), name)
    if sys.stdin is None:
        raise PromptError("There is no standard input to read the passage from: give a file.")
    data = sys.stdin.buffer.read(_MOST + 1)
    if len(data) > _MOST:
        raise PromptError(_too_large("The standard input"))
    return _text(data, "The standard input")


def read_messages(name: str) -> list[Any]:
    """Return a conversation in the chat format, its pictures as paths inside the file's folder.

    Raises:
        PromptError: If it cannot be read, is no JSON, or names a file elsewhere.
    """
    text = _text(_data(name, "conversation"), name)
    try:
        messages = parsed_json(text)
    except (ValueError, RecursionError) as error:
        raise PromptError(f"{name} is not JSON that can be read: {reason(error)}.") from error
    if not isinstance(messages, list) or not messages:
        raise PromptError(f'{name} must hold a list of {{"role": ..., "content": ...}}.')
    folder = Path(name).resolve().parent
    return [_with_paths(message, folder) for message in messages]


def _with_paths(message: Any, folder: Path) -> Any:
    """Return a message whose pictures and videos are paths; what is malformed stays as it is."""
    content = message.get("content") if isinstance(message, dict) else None
    if not isinstance(content, list):
        return message

    def resolved(item: Any) -> Any:
        kind = item.get("type") if isinstance(item, dict) else None
        source = item.get(kind) if kind in ("image", "video") else None
        if isinstance(source, str):
            return item | {kind: _path(source, folder)}
        if isinstance(source, list):  # a video's frames
            paths = [_path(each, folder) if isinstance(each, str) else each for each in source]
            return item | {kind: paths}
        return item

    return message | {"content": [resolved(item) for item in content]}


def _path(name: str, folder: Path) -> str:
    path = file_inside(folder, name)
    if path is None:
        raise PromptError(
            f"{name[:200]!r} is not a file inside {folder}, where the conversation lies: copy it "
            "there."
        )
    return str(path)


def _data(name: str, what: str) -> bytes:
    path = Path(name)
    if not exists(name) or not path.is_file():  # a pipe or device may never end
        raise PromptError(f"There is no {what} file {name[:200]}: check the path.")
    try:
        if path.stat().st_size > _MOST:
            raise PromptError(_too_large(name))
        return path.read_bytes()
    except OSError as error:
        raise PromptError(f"{name} cannot be read: {reason(error)}.") from error


def _text(data: bytes, name: str) -> str:
    try:
        return decoded(data)
    except UnicodeDecodeError as error:
        raise PromptError(f"{name} is not text that can be read: save it as UTF-8.") from error


def _too_large(name: str) -> str:
    return f"{name} is larger than {_MOST // 10**6} MB: shorten it."
