"""Endpoints as tools of the Model Context Protocol (MCP), which Gradio serves.

Knows nothing about what the endpoints do.
"""

import json
import logging
import os
import secrets
from collections.abc import Collection
from pathlib import Path
from typing import Any

import anyio
import gradio as gr
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from app.shared.guards import Guard, foreign, host_of, is_local, route
from app.shared.guesses import equal
from sinktrack.core.errors import SinkTrackError

ADDRESS = "/gradio_api/mcp"
_SERVED = (ADDRESS, ADDRESS + "/http", ADDRESS + "/schema")
_LOOK = 0.1  # seconds between two looks at whether a tool has answered
_FOR = b"x-sinktrack-asks-for"
_SECRET = secrets.token_urlsafe()
"""Only this process knows it, which asks itself for whoever uses a tool."""


class OwnTools(Guard):
    """Lets programs use the tools, and no page of anybody else's in a browser.

    Such a page would get at a server that only this machine reaches: by asking from its own origin,
    or by letting its own name lead here (DNS rebinding).

    Args:
        app: What answers.
        host: The address that the server listens on. On one of this machine alone, requests to
            other names are refused.
    """

    def __init__(self, app: ASGIApp, host: str) -> None:
        super().__init__(app)
        self._local = is_local(host)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; one that this process sends for a caller comes from that caller."""
        told = [value for name, value in scope.get("headers", ()) if name == _FOR]
        if told:
            scope["headers"] = [each for each in scope["headers"] if each[0] != _FOR]
            secret, _, address = told[0].decode("latin-1").partition(" ")
            if equal(secret, _SECRET):
                scope["client"] = (address, 0)
        await super().__call__(scope, receive, send)

    def refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Refuse foreign pages, foreign names, and ways of asking that the tools do not know."""
        if not (route(scope) + "/").startswith(ADDRESS + "/"):
            return None
        headers = Headers(scope=scope)
        if foreign(headers):
            return 403, "A foreign page cannot use these tools: connect a program to them."
        if self._local and not is_local(host_of("//" + headers.get("host", ""))):
            return (
                403,
                "These tools are for this machine alone: ask localhost or 127.0.0.1.",
            )
        if route(scope) not in _SERVED:
            return 404, f"The tools are at {ADDRESS}, over streamable HTTP."
        if scope["method"] == "GET" and "text/event-stream" in headers.get("accept", ""):
            return 405, "Nothing is told here unasked: send your requests by POST."
        return None


def limit_tools(page: gr.Blocks, endpoints: Collection[str]) -> None:
    """Let only some endpoints of a page that is served be tools, and end what nobody waits for.

    Args:
        page: Was launched with `mcp_server=True`.
        endpoints: Their addresses, such as "/compare".

    Raises:
        SinkTrackError: If Gradio could not offer them.
    """
    served: Any = page.mcp_server_obj
    if served is None:
        raise SinkTrackError(f"The tools cannot be offered: {page.mcp_error}.")
    named = served.tool_to_endpoint
    served.tool_to_endpoint = {tool: name for tool, name in named.items() if name in endpoints}
    # Gradio asks itself over HTTP, which no proxy of the environment is to see
    for variable in ("no_proxy", "NO_PROXY"):
        known = os.environ.get(variable, "")
        own = ["127.0.0.1", "localhost", host_of(page.local_url or "")]
        os.environ[variable] = ",".join(filter(None, [known, *own]))

    prepared = served._prepare_tool_call_args

    def prepare(name: str, arguments: dict[str, Any]) -> Any:
        """Say for whom this process asks itself, so that limits and places are the caller's."""
        endpoint, values, headers, function = prepared(name, arguments)
        client = served.mcp_server.request_context.request.client
        headers[_FOR.decode()] = f"{_SECRET} {client.host if client else ''}"
        return endpoint, values, headers, function

    async def result(job: Any) -> list[Any]:
        """Wait for an answer; Gradio would wait for it in a thread after its caller has left."""
        try:
            while not job.done():
                await anyio.sleep(_LOOK)
            return [job.result()]
        finally:
            if not job.done():
                job.cancel()

    def as_json(values: list[Any], _: str) -> list[Any]:
        """Return what a tool found as JSON; Gradio would write it as Python does."""
        texts = [json.dumps(value, ensure_ascii=False, allow_nan=False) for value in values]
        return [served.types.TextContent(type="text", text=text) for text in texts]

    progress = served._execute_tool_with_progress

    async def result_with_progress(job: Any, token: Any) -> Any:
        try:
            return await progress(job, token)
        finally:
            if not job.done():
                job.cancel()

    served._prepare_tool_call_args = prepare
    served._execute_tool_without_progress = result
    served._execute_tool_with_progress = result_with_progress
    served.postprocess_output_data = as_json
    _silence()


def _silence() -> None:
    """Keep what the package mcp logs out of the log, because it repeats what was sent."""
    logging.getLogger("mcp").setLevel(logging.CRITICAL)
    # it also uses the root logger, whose filters see only what is logged there itself
    logging.getLogger().addFilter(lambda record: "mcp" not in Path(record.pathname).parts)
