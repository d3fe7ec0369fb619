"""The codes of a study and of its people: made and kept. Knows nothing about pages."""

import hashlib
import json
import secrets
from pathlib import Path
from typing import Any

from sinktrack.core.errors import OutputError
from sinktrack.core.files import write_private

FILE = "codes.json"
"""In the study's folder: the codes that were made for it, readable by its owner alone."""

_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
_SHORTEST, _LONGEST = 10, 64
NO_CODE = f"A personal code has {_SHORTEST} to {_LONGEST} letters and digits: choose such a one."


def made_codes(folder: Path) -> tuple[dict[str, str], bool]:
    """Return the codes that a study keeps over restarts, which are made the first time.

    Args:
        folder: The study's folder.

    Returns:
        "invite" and "coordinator", and whether they could be kept.
    """
    file = folder / FILE
    codes = {"invite": secrets.token_hex(4), "coordinator": secrets.token_hex(8)}
    try:
        codes |= _read(file)
        content = json.dumps(codes, indent=1) + "\n"
        if not file.exists() or file.read_text("utf-8") != content:
            write_private(file, "The codes", content.encode())
    except (OSError, OutputError):
        return codes, False
    return codes, True


def _read(file: Path) -> dict[str, str]:
    try:
        said = json.loads(file.read_text("utf-8"))
    except (FileNotFoundError, ValueError):  # cut short by a full disk: made anew
        return {}
    found = said if isinstance(said, dict) else {}
    return {
        name: found[name]
        for name in ("invite", "coordinator")
        if isinstance(found.get(name), str) and found[name]
    }


def personal_code() -> str:
    """Make a code that binds a name to a person: three groups of four letters and digits."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(3))


def personal_digest(said: Any) -> str | None:
    """Return the digest under which a personal code is kept; None for what is none.

    Capitals, spaces and dashes do not count.
    """
    if not isinstance(said, str) or len(said) > 4 * _LONGEST:
        return None
    letters = "".join(each for each in said.lower() if each.isascii() and each.isalnum())
    if not _SHORTEST <= len(letters) <= _LONGEST:
        return None
    return hashlib.sha256(letters.encode()).hexdigest()
