"""What of a machine can get in the page's way: proxies, and folders of other users."""

import getpass
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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


def _user() -> str:
    return str(os.getuid()) if hasattr(os, "getuid") else getpass.getuser()
