"""Write the upper bounds of everything that setup installs: the minor versions that were tested.

    make upgrade

runs this in an environment with the newest of everything, then the tests, and puts the files back
if one fails. It writes

- constraints.txt: for every package of every supported Python and system, the next minor version,
  which is not yet allowed. What is installed here was tested; what only other systems install is
  as new as it was on that day.
- requirements.txt: what a Space installs, with both bounds. Its builder sees this file alone.
- the `sdk_version` in the head of README.md, which is the Gradio that a Space gets.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parent.parent
CONSTRAINTS = ROOT / "constraints.txt"
REQUIREMENTS = ROOT / "requirements.txt"

# torch asks for exact versions of these itself.
EXACT = re.compile(r"nvidia-|cuda-|triton")


def main() -> None:
    """Write the three files from what is installed here."""
    bounds = resolved() | {name: Version(version(name)) for name in installed("sinktrack[dev]")}
    lines = [f"{name}<{next_minor(bounds[name])}" for name in sorted(bounds)]
    CONSTRAINTS.write_text(
        "# Written by scripts/bounds.py; `make upgrade` raises what the tests admit.\n"
        + "\n".join(lines)
        + "\n"
    )
    REQUIREMENTS.write_text(requirements())
    readme = ROOT / "README.md"
    text = readme.read_text("utf-8")
    readme.write_text(
        re.sub(r"^sdk_version: .*$", f"sdk_version: {version('gradio')}", text, flags=re.M), "utf-8"
    )


def requirements() -> str:
    """Return the text of requirements.txt: what the page needs, within its bounds."""
    upper = read_constraints()
    direct = {canonicalize_name(each.name): each for each in required("sinktrack[demo]")}
    direct.pop("sinktrack", None)
    lines = [
        "# What a Space installs, written by scripts/bounds.py; its builder sees this file alone.",
        "# On ZeroGPU the platform brings a torch of its own, which these ranges admit.",
    ]
    for name in sorted(installed("sinktrack[demo]") | set(direct)):
        extras, lower = "", []
        if name in direct:
            extras = f"[{','.join(sorted(direct[name].extras))}]" if direct[name].extras else ""
            lower = [str(part) for part in direct[name].specifier if part.operator == ">="]
        lines.append(f"{name}{extras}{','.join([*lower, f'<{upper[name]}'])}")
    return "\n".join(lines) + "\n"


def read_constraints() -> dict[str, Version]:
    """Return the bound of every package in constraints.txt."""
    lines = CONSTRAINTS.read_text("utf-8").splitlines()
    pairs = (line.split("<") for line in lines if line and not line.startswith("#"))
    return {name: Version(bound) for name, bound in pairs}


def next_minor(tested: Version) -> str:
    """Return the minor version behind one that was tested."""
    major, minor, *_ = (*tested.release, 0)
    return f"{major}.{minor + 1}"


def required(name: str) -> Iterator[Requirement]:
    """Yield what an installed package, with its extras, asks for in this environment."""
    asked = Requirement(name)
    try:
        found = distribution(asked.name).requires or []
    except PackageNotFoundError:  # an extra that nobody asked for, or another system's
        return
    for line in found:
        requirement = Requirement(line)
        extras = (*asked.extras, "")
        if requirement.marker is None or any(
            requirement.marker.evaluate({"extra": extra}) for extra in extras
        ):
            if canonicalize_name(requirement.name) == canonicalize_name(asked.name):
                yield from required(str(requirement).split(";")[0])
            else:
                yield requirement


def installed(name: str) -> set[str]:
    """Return the names of everything that a package needs, as far as it is installed here."""
    found: set[str] = set()
    left = [name]
    seen: set[str] = set()
    while left:
        for requirement in required(left.pop()):
            whole = str(requirement).split(";")[0]
            short = canonicalize_name(requirement.name)
            if whole in seen or EXACT.match(short):
                continue
            seen.add(whole)
            left.append(f"{short}[{','.join(requirement.extras)}]" if requirement.extras else short)
            try:
                version(short)
            except PackageNotFoundError:
                continue
            found.add(short)
    return found


def resolved() -> dict[str, Version]:
    """Return the newest version of each package on any supported Python and system."""
    uv = str(Path(sys.executable).parent / "uv")
    command = [uv, "pip", "compile", "--quiet", "--universal", "--python-version", "3.10"]
    command += ["--no-header", "--no-annotate", "--extra", "dev", "pyproject.toml"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    newest: dict[str, Version] = {}
    for line in listed.stdout.splitlines():
        pinned = re.match(r"([a-z0-9-]+)(?:\[.*\])?==(\S+)", line)
        if pinned and not EXACT.match(pinned[1]):
            found = Version(pinned[2])
            newest[pinned[1]] = max(found, newest.get(pinned[1], found))
    return newest


if __name__ == "__main__":
    main()
