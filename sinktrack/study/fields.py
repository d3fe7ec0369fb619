"""Values that people write into a study's files, each checked with a sentence that says what to do.

Knows nothing about files and studies.
"""

import hashlib
import re
import unicodedata
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Any
from urllib.parse import quote

from sinktrack.core.errors import StudyError, shown

MOST_OF_AN_ID = 200
"""Characters; databases of votes keep no more."""

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_LANE = re.compile(r"\w[\w .,+=()@:/-]{0,79}")
TIES = ("tie", "both bad")
"""What votes say that prefer no lane."""
_TAKEN = ("left", "right", *TIES)
"""What votes say beside the lanes' names."""
_LONGEST_FILE_NAME = 120  # file systems take 255 bytes, endings and a lane's name included


def text(said: Mapping[str, Any], key: str, where: Any, default: str | None = None) -> str:
    """Return a text without space around it.

    Args:
        said: All values of a file or a line.
        key: Names the text.
        where: File and line, for messages.
        default: What stands for a text that is left out; None if it must be there.

    Raises:
        StudyError: If it is no text, or must be there and is blank.
    """
    value = said.get(key, default)
    if value is None:
        raise StudyError(f"{where} has no {key}: add one.")
    if not isinstance(value, str) or (default is None and not value.strip()):
        raise StudyError(f"{where}: {key} is {shown(value)}, but must be a text.")
    return value.strip()


def count(said: Mapping[str, Any], key: str, where: Any, default: int, most: int) -> int:
    """Return a whole number from 1 to `most`.

    Raises:
        StudyError: If it is none.
    """
    number = said.get(key, default)
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= most:
        raise StudyError(
            f"{where}: {key} is {shown(number)}, but must be a number from 1 to {most}."
        )
    return number


def one_of(words: Collection[str]) -> str:
    """Return words as alternatives in a sentence."""
    return " or ".join(map(repr, words))


def check_known(said: Mapping[Any, Any], known: Collection[str], where: Any) -> None:
    """Refuse names that mean nothing, with the right one that is nearest.

    Args:
        said: What a file or a line says, by name.
        known: The names that mean something.
        where: File and line, for messages.

    Raises:
        StudyError: If there is such a name.
    """
    unknown = next((name for name in said if name not in known), None)
    if unknown is None:
        return
    near = get_close_matches(str(unknown).lower(), known, 1)
    meant = f"write {near[0]!r} if that is meant" if near else "leave it out"
    raise StudyError(
        f"{where} says {shown(unknown)}, which means nothing: {meant}; known are "
        f"{', '.join(known)}."
    )


def item_id(said: Any, where: str) -> str:
    """Return an item's id: any text that can be printed.

    Raises:
        StudyError: If it is blank, too long, no text, or has characters that cannot be printed.
    """
    name = str(said).strip() if isinstance(said, str | int) and not isinstance(said, bool) else ""
    if not name or len(name) > MOST_OF_AN_ID or not name.isprintable():
        raise StudyError(
            f"{where}: id is {shown(said)}, but must be a text of 1 to {MOST_OF_AN_ID} characters "
            "that can be printed."
        )
    return name


def lane_name(said: Any, where: Any) -> str:
    """Return a lane's name.

    Raises:
        StudyError: If it is none, or one that votes need for something else.
    """
    if isinstance(said, bool) or not isinstance(said, str | int) or not _LANE.fullmatch(str(said)):
        raise StudyError(
            f"{where}: the lane {shown(said)} has to be named by up to 80 letters, digits, spaces "
            "and . , + = ( ) @ : / - _, beginning with a letter or digit."
        )
    if str(said) in _TAKEN:
        raise StudyError(
            f"{where}: a lane cannot be called {said!r}, because votes say that: name it otherwise."
        )
    return str(said)


def study_name(said: Any, where: Any) -> str:
    """Return the name of a study in the database, as somebody wrote it.

    Raises:
        StudyError: If it has other characters than file names have on every machine.
    """
    if isinstance(said, bool) or not isinstance(said, str | int) or not _PLAIN.fullmatch(str(said)):
        raise StudyError(
            f"{where}: name is {shown(said)}, but must be up to 80 letters, digits, dots, dashes "
            "and underscores, with letters from a to z alone."
        )
    return str(said)


def name_of_folder(folder: str) -> str:
    """Return a study's name where only its folder has one, which may hold any characters.

    Args:
        folder: The folder's name. One that is no name for a study gets a digest behind what can be
            kept of it, so that two folders never share votes.
    """
    if _PLAIN.fullmatch(folder):
        return folder
    plain = unicodedata.normalize("NFKD", folder).encode("ascii", "ignore").decode()
    kept = re.sub(r"[^A-Za-z0-9]+", "-", plain).strip("-")[:60]
    digest = hashlib.sha256(folder.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return f"{kept}-{digest}" if kept else f"study-{digest}"


def file_name(name: str) -> str:
    """Return what an item or lane of any name is called in file names; no two become the same.

    A plain name stays as it is. Other characters are written as in web addresses, which can be
    read back, and what would be too long ends with a digest.
    """
    if _PLAIN.fullmatch(name):
        return name
    safe = quote(name, safe="", errors="replace")
    if len(safe) <= _LONGEST_FILE_NAME:
        return safe
    # a "+" stands in no quoted name
    return f"{safe[:_LONGEST_FILE_NAME]}+{hashlib.sha256(name.encode()).hexdigest()[:16]}"
