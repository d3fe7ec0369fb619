"""What of a machine concerns the page: proxies, folders of other users and its own, memory."""

import ctypes
import getpass
import os
import tempfile
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager, suppress
from pathlib import Path

DATA = "SINKTRACK_DATA"
"""Names the one folder that everything is written below; without it each goes where it is usual."""
_BELOW_DATA = {
    "GRADIO_TEMP_DIR": "uploads",
    "SINKTRACK_KEEP": "kept",
    "HF_HOME": "models",
    "TMPDIR": "tmp",
    "TRITON_CACHE_DIR": "kernels",
}
_ARENA_MAX = -8  # M_ARENA_MAX of glibc's malloc.h
_PROXIES = ("http_proxy", "https_proxy", "all_proxy")


@contextmanager
def without_proxies() -> Iterator[None]:
    """Hide the environment's proxies for a while.

    While it starts, Gradio asks its own page whether it is there; a company's proxy knows no such
    page, and a SOCKS proxy needs a package that is not installed. What is fetched from the hub
    needs the proxies again.
    """
    names = [name for proxy in _PROXIES for name in (proxy, proxy.upper())]
    hidden = {name: os.environ.pop(name) for name in names if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(hidden)


@contextmanager
def setting(name: str, value: str) -> Iterator[None]:
    """Set a variable of the environment for a while."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def use_data_folder(environment: MutableMapping[str, str]) -> None:
    """Let everything that is written go below one folder, where the environment names it.

    What the environment says of single folders stays. `Settings` refuses a folder that cannot be
    used.

    Args:
        environment: Read and changed, before gradio and huggingface_hub are imported.
    """
    data = environment.get(DATA)
    if not data:
        return
    for variable, name in _BELOW_DATA.items():
        folder = Path(data).absolute() / name
        with suppress(OSError):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        environment.setdefault(variable, str(folder))


def share_freed_memory() -> None:
    """Let threads take memory that others have freed, where the C library is glibc.

    It gives every few threads an arena of their own, up to eight a core, and what is freed in one
    serves no thread of another. To be called before there are threads.
    """
    with suppress(AttributeError, TypeError):  # other C libraries; Windows
        ctypes.CDLL(None).mallopt(_ARENA_MAX, 2)


def own_temporary_folder(ending: str = "") -> str | None:
    """Return a temporary folder that belongs to this user, or None without one.

    Gradio's own, of one name for all users of a machine, belongs to whoever started first.

    Args:
        ending: Of its name: "" is for uploads and downloads, which are served.
    """
    try:
        folder = Path(tempfile.gettempdir(), f"sinktrack-{_user()}{ending}")
        folder.mkdir(mode=0o700, exist_ok=True)
        owned = not hasattr(os, "getuid") or folder.stat().st_uid == os.getuid()
        if owned and not folder.is_symlink():
            return str(folder)
        return tempfile.mkdtemp(prefix=f"sinktrack{ending}-")
    except (OSError, ImportError, KeyError):  # the latter two where a user has no name
        return None


def file_at(path: str) -> tuple[int, int] | None:
    """Return which file a path leads to, so that another of that name is told; None for none."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino


def _user() -> str:
    return str(os.getuid()) if hasattr(os, "getuid") else getpass.getuser()
