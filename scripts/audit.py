"""Look up what is installed here in the Python index's database of known holes: `make check`.

Fails if a package has one that is known. Where the database cannot be reached it says so in one
line, and that is no failure.
"""

import json
import subprocess
import sys
import sysconfig
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

DATABASE = "https://pypi.org/pypi/pip/json"
TOOL = ("uv", "tool", "run", "--from", "pip-audit>=2.9,<3", "pip-audit")
_SECONDS = 10


def unreachable(database: str = DATABASE) -> str | None:
    """Return why the database cannot be reached; None if it can."""
    try:
        with urllib.request.urlopen(database, timeout=_SECONDS):
            return None
    except (OSError, urllib.error.URLError) as error:
        return str(error)


def known_holes(found: dict[str, Any]) -> list[str]:
    """Return a line for each hole in what pip-audit wrote as JSON."""
    return [
        f"{package['name']} {package.get('version')}: {hole['id']}, "
        f"fixed in {', '.join(hole['fix_versions']) or 'no version yet'}"
        for package in found["dependencies"]
        for hole in package.get("vulns", ())
    ]


def audit(command: list[str], database: str = DATABASE) -> int:
    """Run pip-audit, print what it found, and return the exit status.

    Args:
        command: Starts pip-audit; what says where its JSON goes is added.
        database: An address of the database, to see whether it is there.
    """
    why = unreachable(database)
    if why is None:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "found.json")
            more = ["--format", "json", "--output", str(file), "--progress-spinner", "off"]
            done = subprocess.run([*command, *more], capture_output=True, text=True)
            found = _read(file)
            if found is not None:
                holes = known_holes(found)
                count = len(found["dependencies"])
                print("\n".join(holes) or f"pip-audit: no known hole in {count} packages.")
                return 1 if holes else 0
            said = (done.stderr.strip() or "it said nothing").splitlines()
            why = said[-1]
    print(f"pip-audit was left out, because its database cannot be reached: {why}")
    return 0


def _read(file: Path) -> dict[str, Any] | None:
    """Return what pip-audit wrote; None if it ended before it had an answer."""
    try:
        found: dict[str, Any] = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return found


if __name__ == "__main__":
    uv, *rest = TOOL
    here = [str(Path(sys.executable).with_name(uv)), *rest]
    sys.exit(audit([*here, "--skip-editable", "--path", sysconfig.get_path("purelib")]))
