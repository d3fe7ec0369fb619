"""A foreign page: another origin in the browser of somebody who has a page of ours open."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from playwright.sync_api import Page

HOSTS = ("evil.localhost", "127.0.0.1", "localhost")
"""As seen from a page at `localhost`: another site; another one, which Gradio lets read, because it
is the same machine; and the same site at another port, with even strict cookies."""

# What can be read comes back: status and text of each answer.
_FETCH = """async ({ url, tries }) => {
    const found = [];
    for (const [address, options] of tries) {
        for (const mode of ["cors", "no-cors"]) {
            try {
                const given = { credentials: "include", mode, ...options };
                const answer = await fetch(url + address, given);
                if (answer.type !== "opaque") found.push([answer.status, await answer.text()]);
            } catch {
                // a browser says no more of what a page may not read
            }
        }
    }
    return found;
}"""
_INCLUDE = """async (address) => {
    const element = document.createElement("img");
    const ended = new Promise((resolve) => {
        element.onload = () => resolve("loaded");
        element.onerror = () => resolve("refused");
    });
    element.src = address;
    document.body.append(element);
    return ended;
}"""
# A form that sends plain text writes name=value: JSON whose last text has an equals sign.
_FORM = """({ action, enctype, body }) => {
    const form = document.createElement("form");
    Object.assign(form, { action, enctype, method: "post", target: "_blank" });
    const input = document.createElement("input");
    if (enctype === "text/plain") {
        Object.assign(input, { name: body.slice(0, -1) + ', "pad": "', value: '"}' });
    } else {
        const files = new DataTransfer();
        files.items.add(new File(["from afar"], "foreign.png"));
        Object.assign(input, { type: "file", name: "files", files: files.files });
    }
    form.append(input);
    document.body.append(form);
    form.submit();
}"""
_OPENED = """async ({ url, messages }) => {
    const other = window.open(url);
    const read = [];
    for (let n = 0; n < 20; n++) {
        await new Promise((resolve) => setTimeout(resolve, 100));
        for (const each of messages) {
            for (const message of [each, JSON.stringify(each)]) other.postMessage(message, "*");
        }
        for (const look of [() => other.document.body.innerText, () => other.localStorage.length]) {
            try {
                read.push(look());
            } catch {
                // it is another origin's by now
            }
        }
    }
    return read.filter(Boolean);
}"""


class ForeignPage:
    """It tries what pages can do to others.

    Args:
        page: The browser's, on some origin.
        url: The page that it is after.
    """

    def __init__(self, page: Page, url: str) -> None:
        self.page, self.url = page, url

    def get(self, *addresses: str) -> list[tuple[int, str]]:
        """Ask for addresses with all cookies; return status and text of what can be read."""
        return self._fetch([[address, {}] for address in addresses])

    def post(self, address: str, *bodies: str) -> list[tuple[int, str]]:
        """Send texts with all cookies, as JSON and as plain text; return what can be read."""
        kinds = ("application/json", "text/plain", "application/x-www-form-urlencoded")
        sent = [
            [address, {"method": "POST", "headers": {"Content-Type": kind}, "body": body}]
            for body in bodies
            for kind in kinds
        ]
        return self._fetch(sent)

    def _fetch(self, tries: list[Any]) -> list[tuple[int, str]]:
        found = self.page.evaluate(_FETCH, {"url": self.url, "tries": tries})
        return [(status, text) for status, text in found]

    def include(self, address: str) -> str:
        """Return whether a picture of the other page is "loaded" or "refused" as part of this."""
        said: str = self.page.evaluate(_INCLUDE, self.url + address)
        return said

    def submit(self, address: str, body: str = "") -> str:
        """Send a form that submits itself, with JSON or else a file, and return what is shown."""
        kind = "text/plain" if body else "multipart/form-data"
        given = {"action": self.url + address, "enctype": kind, "body": body}
        with self.page.context.expect_page() as opened:
            self.page.evaluate(_FORM, given)
        opened.value.wait_for_load_state()
        shown = opened.value.locator("body").inner_text()
        opened.value.close()
        return shown

    def open(self, address: str = "", messages: Sequence[Any] = ()) -> list[Any]:
        """Open an address and write messages to what is there; return what can be read of it."""
        given = {"url": self.url + address, "messages": list(messages)}
        with self.page.context.expect_page() as opened:
            read: list[Any] = self.page.evaluate(_OPENED, given)
        opened.value.close()
        return read

    def frame(self) -> str:
        """Show the other page in a frame, and return the frame's address once it is refused."""
        with self.page.expect_console_message(lambda said: "frame-ancestors" in said.text):
            self.page.evaluate(
                "url => document.body.append(Object.assign(document.createElement('iframe'),"
                " { src: url }))",
                self.url,
            )
        return self.page.frames[-1].url


class _Empty(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>Elsewhere</title><body>")

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def elsewhere() -> Iterator[int]:
    """Serve empty pages, and give the port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Empty)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()
