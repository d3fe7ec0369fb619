"""A platform that sends annotators, such as Prolific: how it names them, and the way back.

Read from study.yaml and checked. Knows nothing about pages.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sinktrack.core.errors import StudyError, shown
from sinktrack.study.fields import check_known, text

KNOWN = ("id", "done")
"""What `platform` may say."""

CODE = "code"
"""Names the study's code in an address, beside the platform's own names."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")
_EXAMPLE = '{id: PROLIFIC_PID, done: "https://app.prolific.com/submissions/complete?cc=ABC"}'


@dataclass(frozen=True, kw_only=True)
class PlatformLink:
    """How people come from a platform, and go back.

    Args:
        id: What the platform calls somebody's id in the address of the study.
        done: The address that tells the platform that somebody has finished; empty for none.
    """

    id: str
    done: str = ""


def read_platform(said: Any, file: Path) -> PlatformLink | None:
    """Return the platform that study.yaml names; None if it names none.

    Args:
        said: What stands behind `platform`.
        file: Named in messages.

    Raises:
        StudyError: If something of it cannot be used.
    """
    if said is None:
        return None
    where = f"{file}, platform"
    if not isinstance(said, dict):
        raise StudyError(f"{where} is {shown(said)}, but must be written such as {_EXAMPLE}.")
    check_known(said, KNOWN, where)
    id = text(said, "id", where)
    if not _NAME.fullmatch(id) or id == CODE:
        raise StudyError(
            f"{where}: id is {shown(id)}, but must be what the platform calls the id in an "
            f"address, such as PROLIFIC_PID or workerId, and not {CODE}."
        )
    done = text(said, "done", where, "")
    if done and not _is_https(done):
        raise StudyError(
            f"{where}: done is {shown(done)}, but must be an address that begins with https://."
        )
    return PlatformLink(id=id, done=done)


def _is_https(address: str) -> bool:
    try:
        parts = urlsplit(address)
        plain = parts.scheme == "https" and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return plain and "@" not in parts.netloc and address.isprintable() and " " not in address
