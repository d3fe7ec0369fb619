"""Models that ask through MCP: two tools, the page's limits, and no foreign page."""

import asyncio
import base64
import json
import time
import urllib.error
import urllib.request

import pytest
from awaiting import awaited
from httpx import AsyncClient, AsyncHTTPTransport
from real_page import CHECKPOINT, ROOT, Server, endless_model
from test_readme import blocks

pytest.importorskip("mcp", reason="the package mcp is not installed here")

from mcp import ClientSession  # noqa: E402
from mcp.client.streamable_http import streamable_http_client  # noqa: E402

PICTURE = ROOT / "assets" / "examples" / "describe-1.png"
PATH = "/gradio_api/mcp/"


@pytest.fixture(scope="module")
def servers_of_tools(tmp_path_factory):
    """A page with the bundled model, and one whose model never ends; behind a proxy of nobody."""
    endless = endless_model(tmp_path_factory.mktemp("models") / "endless")
    logs = [tmp_path_factory.mktemp("page") / "log" for _ in range(2)]
    common = {"SINKTRACK_MCP": "1", "HTTP_PROXY": "http://127.0.0.1:9", "no_proxy": ""}
    limits = {"SINKTRACK_QUEUE_SIZE": "1", "SINKTRACK_MAX_NEW_TOKENS": "4000"}
    started = {
        "bundled": Server(logs[0], SINKTRACK_MODEL=str(CHECKPOINT), **common),
        "endless": Server(logs[1], SINKTRACK_MODEL=str(endless), **common, **limits),
    }
    yield started
    said = "\n".join(server.stop() for server in started.values())
    assert "Traceback" not in said, said


@pytest.fixture
def url(servers_of_tools):
    return servers_of_tools["bundled"].ready()


def with_client(url, work, address="127.0.0.1", headers=None):
    """Connect to the tools of a page from an address, and do some work with them."""

    async def connected():
        async with (
            AsyncClient(
                transport=AsyncHTTPTransport(local_address=address), headers=headers, timeout=60
            ) as http,
            streamable_http_client(url + PATH, http_client=http) as (reads, writes, _),
            ClientSession(reads, writes) as client,
        ):
            await client.initialize()
            return await work(client)

    return awaited(connected())


def call(url, tool, **arguments):
    return with_client(url, lambda client: client.call_tool(tool, arguments))


def test_two_endpoints_are_tools_and_say_what_they_take(url):
    listed = with_client(url, lambda client: client.list_tools()).tools
    assert [tool.name for tool in listed] == ["compare", "methods"]
    compare = listed[0]
    assert "Answer one question with several methods" in compare.description
    assert compare.inputSchema["required"] == ["question"]
    for name, parameter in compare.inputSchema["properties"].items():
        assert parameter["description"] and "type" in parameter, name


def test_a_model_gets_the_answers_as_json(url):
    picture = base64.b64encode(PICTURE.read_bytes()).decode()
    asked = {"question": "What do you see?", "pictures": [picture], "max_new_tokens": 12}
    result = call(url, "compare", **asked)
    assert not result.isError
    found = json.loads(result.content[0].text)
    assert [answer["method"] for answer in found["answers"]] == ["baseline", "sinktrack"]
    assert all(answer["text"] for answer in found["answers"])
    kinds = {each["kind"] for each in json.loads(call(url, "methods").content[0].text)}
    assert {"baseline", "sinktrack", "vcd"} <= kinds


@pytest.mark.parametrize(
    ("tool", "asked", "words"),
    [
        ("compare", {"question": "What?"}, "give pictures or a passage"),
        ("compare", {"question": "What?", "pictures": ["http://127.0.0.1:1/x"]}, "not opened"),
        ("compare", {"question": "What?", "pictures": [{"path": "/etc/passwd"}]}, "not uploaded"),
        ("compare", {"question": "What?", "passage": "A", "max_new_tokens": 999}, "1 to 512"),
        ("stream", {"question": "What?", "passage": "A"}, "Unknown tool"),
        ("SECRET", {}, "Unknown tool"),
    ],
)
def test_what_cannot_be_asked_is_an_error_with_a_sentence(
    url, servers_of_tools, tool, asked, words
):
    result = call(url, tool, **asked)
    assert result.isError and words in result.content[0].text
    assert "SECRET" not in servers_of_tools["bundled"].said()


@pytest.mark.parametrize("reports", [True, False], ids=["told of steps", "told at the end"])
def test_an_answer_ends_with_the_model_that_asked(servers_of_tools, reports):
    server = servers_of_tools["endless"]
    url, before = server.ready(), server.said().count(" gone ")
    asked = {"question": "Tell.", "passage": "A red circle.", "max_new_tokens": 4000}

    async def leaves(client):
        begun = asyncio.Event()

        async def progress(*_):
            begun.set()

        told = progress if reports else None
        asking = asyncio.create_task(client.call_tool("compare", asked, progress_callback=told))
        await (begun.wait() if reports else asyncio.sleep(3))
        asking.cancel()

    with_client(url, leaves)
    deadline = time.monotonic() + 30
    while server.said().count(" gone ") == before:
        assert time.monotonic() < deadline, server.said()
        time.sleep(0.1)


def test_limits_count_the_caller_and_not_this_machine_that_asks_itself(tmp_path):
    (tmp_path / "page").mkdir()
    limited = {"SINKTRACK_MODEL": str(CHECKPOINT), "SINKTRACK_QUESTIONS_A_MINUTE": "1"}
    server = Server(tmp_path / "page" / "log", SINKTRACK_MCP="1", **limited)
    asked = {"question": "Is there a circle?", "passage": "A red circle.", "max_new_tokens": 1}

    async def ask(client):
        return await client.call_tool("compare", asked)

    def ask_from(address, **headers):
        return with_client(server.ready(), ask, address, headers)

    assert not ask_from("127.0.0.1").isError
    for claimed in ({}, {"x-sinktrack-asks-for": "guessed 127.0.0.3"}):
        refused = ask_from("127.0.0.1", **claimed)
        assert refused.isError and "in a minute" in refused.content[0].text
    assert not ask_from("127.0.0.2").isError
    assert "Traceback" not in server.stop()


HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}


def status(url, path=PATH, body=HELLO, **headers):
    """Return the status of a request to the tools."""
    sent = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url + path, data, sent)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def test_no_foreign_page_uses_the_tools(url):
    port = url.rpartition(":")[2]
    assert status(url) == 200
    assert status(url, Origin=url) == 200
    assert status(url, Host=f"localhost:{port}", Origin=f"http://localhost:{port}") == 200
    assert status(url, Origin="https://evil.example") == 403
    assert status(url, Origin="null") == 403
    assert status(url, Sec_Fetch_Site="cross-site") == 403
    # a page that let its own name lead to this machine
    assert status(url, Host=f"evil.example:{port}", Origin=f"http://evil.example:{port}") == 403
    assert status(url, Host=f"127.0.0.1.evil.example:{port}") == 403


def test_the_tools_speak_one_way(url):
    assert status(url, body=None) == 405
    assert status(url, PATH + "sse", body=None) == 404
    assert status(url, PATH + "messages/") == 404
    assert status(url, Content_Type="text/plain") == 400


def test_the_configuration_of_the_document_leads_to_the_tools(url):
    (block,) = blocks((ROOT / "docs" / "api.md").read_text("utf-8"), "json")
    address = json.loads(block)["mcpServers"]["sinktrack"]["url"]
    assert address == "http://127.0.0.1:7860" + PATH
