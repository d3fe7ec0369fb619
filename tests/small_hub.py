"""A hub on this machine: serves a folder as a private repository, as far as loaders ask."""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"
REPOSITORY, BRANCH, TOKEN = "somebody/shapes", "tried", "hf_small"


@contextmanager
def small_hub(folder: Path) -> Iterator[str]:
    """Serve a checkpoint's folder; yields the address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, folder: Path, *args: object) -> None:
        self._folder = folder
        super().__init__(*args)

    def do_HEAD(self) -> None:
        """Tell of a file without its content."""
        self.do_GET()

    def do_GET(self) -> None:
        """Send a file of the repository's branch to whoever has the token."""
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self._answer(401, b"", {"X-Error-Code": "RepoNotFound"})
        before = f"/{REPOSITORY}/resolve/"
        revision, _, name = self.path.removeprefix(before).partition("/")
        if not self.path.startswith(before):
            return self._answer(404, b"", {"X-Error-Code": "EntryNotFound"})
        if revision not in ("main", BRANCH, COMMIT):
            return self._answer(404, b"", {"X-Error-Code": "RevisionNotFound"})
        path = self._folder / name
        # The main branch is empty, but every repository has one, where some releases look for more.
        if revision == "main" or not path.is_file():
            return self._answer(
                404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT}
            )
        content = path.read_bytes()
        etag = hashlib.sha256(content).hexdigest()
        self._answer(200, content, {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT})

    def _answer(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        """Say nothing."""
