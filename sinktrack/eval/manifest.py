"""What a folder's run is: settings that every start must agree in, and what each start ran with."""

import json
import platform
import subprocess
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from sinktrack.core.errors import OutputError
from sinktrack.core.files import whole_file
from sinktrack.eval.run_files import SETTINGS, STARTS
from sinktrack.version import VERSION

_PACKAGES = ("transformers", "accelerate", "bitsandbytes")
_ROOT = Path(__file__).parents[2]
_SECONDS = 10.0
"""How long git may take for its answer."""


def start_of(
    model: Any, *, processes: int, batch: int, prompts: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    """Return what may differ between the starts of a run, as JSON values.

    Args:
        model: The model.
        processes: How many processes answer.
        batch: Rows at once.
        prompts: By task, a prompt of each make-up as the chat format writes it. Some formats write
            the day.
    """
    device = model.device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return {
        "versions": _versions(),
        "commit": own_commit(),
        "device": name,
        "processes": processes,
        "batch": batch,
        "prompts": {task: list(texts) for task, texts in prompts.items()},
        "generation_config": _generation_config(model),
    }


def _versions() -> dict[str, str]:
    found = {
        "python": platform.python_version(),
        "sinktrack": VERSION,
        "torch": str(torch.__version__),  # with its build, which a package's version lacks
    }
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue  # an extra
    return found


def _generation_config(model: Any) -> dict[str, Any]:
    """Return what the checkpoint says about decoding, as far as JSON can hold it."""
    own = getattr(model, "generation_config", None)
    told: dict[str, Any] = {} if own is None else own.to_diff_dict()
    return dict(json.loads(json.dumps(told, default=str)))


@lru_cache(maxsize=1)
def own_commit() -> str | None:
    """Return the commit of this code, as it was when it was first asked for."""
    return commit(_ROOT)


def commit(root: Path) -> str | None:
    """Return the commit of a git checkout, and whether its files were changed since.

    Args:
        root: The folder that holds the package.

    Returns:
        Such as "1a2b3c" or "1a2b3c, changed"; None where the folder is no checkout of its own, or
        there is no git.
    """
    if not (root / ".git").exists():  # a folder of packages may lie inside another checkout
        return None
    found = _git(root, "rev-parse", "HEAD")
    changed = _git(root, "status", "--porcelain", "--untracked-files=no", "--", "sinktrack")
    return f"{found}, changed" if found and changed else found or None


def _git(root: Path, *words: str) -> str:
    """Return what git says; "" where it refuses or is not there."""
    try:
        said = subprocess.run(
            ["git", "-C", str(root), *words], capture_output=True, timeout=_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return said.stdout.decode("utf-8", "replace").strip()


def check_settings(folder: Path, settings: dict[str, Any]) -> None:
    """Write a new folder's settings; in a used folder check that they are the same.

    Raises:
        OutputError: If they are not, or the folder cannot be used.
    """
    if _checked(folder, settings) is None:
        _write(folder, settings)


def check_start(folder: Path, settings: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the starts of a folder's run so far, whose settings must be the same.

    Raises:
        OutputError: If they are not, or the folder cannot be used.
    """
    before = _checked(folder, settings)
    return [] if before is None else list(before[STARTS])


def keep_start(
    folder: Path, settings: dict[str, Any], start: dict[str, Any]
) -> list[dict[str, Any]]:
    """Add a start to a folder's settings, and return all that differ, the first one first.

    Raises:
        OutputError: As `check_start`.
    """
    starts = check_start(folder, settings)
    if start not in starts:
        starts.append(start)
        _write(folder, settings | {STARTS: starts})
    return starts


def differing(starts: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the names of what the starts of a run do not agree in."""
    return [name for name in starts[0] if any(each.get(name) != starts[0][name] for each in starts)]


def _checked(folder: Path, settings: dict[str, Any]) -> dict[str, Any] | None:
    """Return what a used folder's run.json holds; None in a new one."""
    known = folder / SETTINGS
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not known.exists():
            return None
        before = json.loads(known.read_text(encoding="utf-8"))
        starts = before.pop(STARTS, [])
        same = before == settings
    except (OSError, ValueError, AttributeError) as error:
        raise OutputError(f"{folder} cannot be used for results: {error}.") from error
    if not same:
        names = dict.fromkeys((*before, *settings))
        other = [name for name in names if before.get(name) != settings.get(name)]
        raise OutputError(
            f"{folder} holds a run with other settings ({known.name} has another "
            f"{', '.join(other)}): choose another folder, or give the same model and the same "
            "options."
        )
    return settings | {STARTS: starts}


def _write(folder: Path, settings: dict[str, Any]) -> None:
    with whole_file(folder / SETTINGS, "The run's settings") as part:
        part.write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")
