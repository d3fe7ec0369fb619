"""Requests that no page of ours sends, to a real server: what fuzzing of addresses is made of."""

import http.client
import json
import random
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

from mutated import LINKS, TEXTS, mutated_bytes, mutated_json, strange, whole_pictures

_PATIENCE = 20  # seconds

Call = tuple[str, str, bytes, dict[str, str]]
"""Method, address, body, headers."""


@dataclass
class Found:
    """What came of many requests.

    Args:
        statuses: How often each status was answered; 0 where the server closed the connection.
        wrong: Requests that were answered with 500 or more, but 503 from a full queue.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


class Stranger:
    """Takes the real requests of a page, and sends them with something wrong about them.

    Args:
        url: Of the page.
        said: What the page's own script tells server functions, by the component's elem_id.
        seed: Of what is drawn.
    """

    def __init__(self, url: str, said: dict[str, list[Any]], seed: int = 0) -> None:
        self._at, self._rng = urlsplit(url), random.Random(seed)
        self._config = json.load(urllib.request.urlopen(f"{url}/config", timeout=30))
        self._calls = [*self._events(), *self._server_functions(said)]
        self._pictures = list(whole_pictures(random.Random(seed)).values())
        self._uploaded: list[str] = []
        self._connection: http.client.HTTPConnection | None = None

    def send(self, count: int) -> Found:
        """Send so many requests, one after the other."""
        found = Found()
        try:
            for _ in range(count):
                call = self._draw()
                status, told = self._sent(*call)
                found.statuses[status] += 1
                if status >= 500 and not (status == 503 and "queue" in told.lower()):
                    found.wrong.append(
                        f"{status} {call[0]} {call[1][:200]} {call[2][:2000]!r} {told[:500]}"
                    )
        finally:
            if self._connection is not None:
                self._connection.close()
        return found

    def _events(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the call of every event of the page, as its browser sends it."""
        values = {one["id"]: one["props"].get("value") for one in self._config["components"]}
        for event in self._config["dependencies"]:
            data = [values[each] for each in event["inputs"]]
            body = {"data": data, "fn_index": event["id"], "session_hash": "stranger"}
            body |= {"event_data": None, "trigger_id": next(iter(event["targets"]), [None])[0]}
            where = "queue/join" if event.get("queue", True) is not False else "run/predict"
            yield where, body

    def _server_functions(self, said: dict[str, list[Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
        for one in self._config["components"]:
            for data in said.get(one["props"].get("elem_id"), []):
                for name in one["props"].get("server_fns") or ["answer", "why", "run"]:
                    yield (
                        "component_server",
                        {
                            "data": data,
                            "component_id": one["id"],
                            "fn_name": name,
                            "session_hash": "stranger",
                        },
                    )

    def _draw(self) -> Call:
        chance = self._rng.random()
        if chance < 0.72:
            return self._posted()
        if chance < 0.84:
            return self._uploading()
        return self._visited()

    def _posted(self) -> Call:
        """A call with a body of JSON that is wrong somewhere."""
        where, body = self._rng.choice(self._calls)
        if where != "component_server" and self._rng.random() < 0.3:
            where = self._rng.choice(
                ("queue/join", "run/predict", "api/predict", "call/answer", "call/v2/x", "cancel")
            )
        wrong = mutated_json(self._rng, body) if self._rng.random() < 0.93 else strange(self._rng)
        sent = _as_json(wrong)
        if self._rng.random() < 0.08:
            sent = mutated_bytes(
                self._rng, sent or b"{}", [b"{}", b"[" * 30_000, b"\xff\xfe", b"null"]
            )
        return "POST", f"/gradio_api/{where}", sent, self._headers("application/json")

    def _uploading(self) -> Call:
        """An upload of a broken picture under some name, or of something that is no upload."""
        name = self._rng.choice(
            (
                "a.png",
                "../../x.png",
                "a\\..\\b.gif",
                "<img src=x>.png",
                "x" * 300,
                "a.svg",
                "\u202e.png",
            )
        )
        data = mutated_bytes(self._rng, self._rng.choice(self._pictures), self._pictures)
        head = f'--b\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n'
        body = f"{head}Content-Type: image/png\r\n\r\n".encode() + data + b"\r\n--b--\r\n"
        if self._rng.random() < 0.4:
            body = mutated_bytes(self._rng, body, self._pictures)
        query = f"?upload_id={quote(self._rng.choice(TEXTS[:-7])[:50], errors='ignore')}"
        where = self._rng.choice(("upload", "upload", "upload" + query, "process_recording"))
        return (
            "POST",
            f"/gradio_api/{where}",
            body,
            self._headers("multipart/form-data; boundary=b"),
        )

    def _visited(self) -> Call:
        """An address that somebody types."""
        text = quote(self._rng.choice((*TEXTS[:-8], *LINKS)), errors="replace", safe="/:%")
        where = self._rng.choice(
            (
                "gradio_api/file={}", "gradio_api/file/{}", "gradio_api/proxy={}", "static/{}",
                "assets/{}", "gradio_api/custom_component/{}/client/x/y", "config?page={}",
                "?page={}", "?deep_link={}", "gradio_api/deep_link?session_hash={}", "svelte/{}",
                "gradio_api/info?page={}", "gradio_api/stream/{}/1/2/playlist.m3u8", "pwa_icon/{}",
                "gradio_api/call/x/{}", "gradio_api/queue/data?session_hash={}", "monitoring/{}",
                "gradio_api/heartbeat/{}", "gradio_api/upload_progress?upload_id={}", "login", "{}",
                "gradio_api/queue/status", "gradio_api/openapi.json", "gradio_api/runs", "healthz",
                "gradio_api/vibe-edit", "gradio_api/dev/reload", "gradio_api/token", "results/{}",
            )
        )  # fmt: skip
        method = self._rng.choice(("GET", "GET", "GET", "HEAD", "POST", "PUT", "OPTIONS", "DELETE"))
        return method, "/" + where.format(text), b"", self._headers("text/plain")

    def _headers(self, kind: str) -> dict[str, str]:
        """Headers as browsers send them, and sometimes as none does."""
        headers = {"Content-Type": kind}
        if self._rng.random() < 0.25:
            name = self._rng.choice(
                ("Content-Type", "Range", "Origin", "Cookie", "Accept-Encoding", "If-None-Match",
                 "X-Forwarded-Host", "X-Forwarded-Proto", "X-Gradio-Server", "Authorization",
                 "Sec-Fetch-Site", "Accept-Language", "X-Gradio-User", "Forwarded", "X-IP-Token")
            )  # fmt: skip
            value = self._rng.choice(
                ("", "x", "text/plain", "application/json; charset=utf-7", "multipart/form-data",
                 "bytes=5-1", "bytes=-", "bytes=0-99999999999999", "https://evil.example", "null",
                 "a.b/c", "http://[::1", "evil.example, x", "x" * 5000, "\xff\xfe", "=;=;", "q=x")
            )  # fmt: skip
            headers[name] = value
        return headers

    def _sent(
        self, method: str, path: str, body: bytes, headers: dict[str, str]
    ) -> tuple[int, str]:
        """Return the status, 0 where the server hung up, and the beginning of what it said."""
        if self._connection is None:
            host, port = self._at.hostname or "", self._at.port
            self._connection = http.client.HTTPConnection(host, port, timeout=_PATIENCE)
        try:
            self._connection.request(method, path, body, headers)
            answer = self._connection.getresponse()
            endless = "event-stream" in (answer.headers["Content-Type"] or "")
            if endless:
                answer.close()
                self._connection.close()
                return answer.status, ""
            return answer.status, answer.read().decode(errors="replace")
        except (http.client.HTTPException, ConnectionError, TimeoutError) as error:
            self._connection.close()
            if isinstance(error, TimeoutError):
                return 599, "no answer"
            return 0, type(error).__name__


def _as_json(value: Any) -> bytes:
    """Return JSON text as lenient programs write it: with NaN, and with halves of surrogates."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(20_000)
    try:
        return json.dumps(value).encode()
    finally:
        sys.setrecursionlimit(limit)
