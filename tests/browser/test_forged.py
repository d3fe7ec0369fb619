"""Requests that no browser of ours sends: forged paths must open nothing."""

import json
import urllib.request

import pytest
from real_page import ROOT


def call(url, picture):
    """Call the page's `answer` handler as its own JavaScript would; return the last event."""
    config = json.load(urllib.request.urlopen(f"{url}config", timeout=30))
    values = {one["id"]: one["props"].get("value") for one in config["components"]}
    ids = {one["props"].get("elem_id"): one["id"] for one in config["components"]}
    values |= {ids["picture"]: picture, ids["question"]: "What?"}
    *_, handler = (one for one in config["dependencies"] if ids["picture"] in one["inputs"])
    inputs = [values[each] for each in handler["inputs"]]
    body = {"data": inputs, "fn_index": handler["id"], "session_hash": "forged"}
    request = urllib.request.Request(
        f"{url}gradio_api/queue/join",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    urllib.request.urlopen(request, timeout=30).close()
    data = f"{url}gradio_api/queue/data?session_hash=forged"
    with urllib.request.urlopen(data, timeout=60) as events:
        for line in events:
            event = json.loads(line.decode().removeprefix("data: ") or "{}") if line.strip() else {}
            if event.get("msg") == "process_completed":
                return event
    pytest.fail("the handler never ended")


SERVERS_OWN = str(ROOT / "assets" / "screenshots" / "light.png")
MARKED = {"meta": {"_type": "gradio.FileData"}}


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        ({"path": SERVERS_OWN}, "not uploaded here"),
        ({"path": SERVERS_OWN, "meta": {"_type": "x"}}, "not uploaded here"),
        ({"path": "http://127.0.0.1:1/x.png"} | MARKED, "Links are not opened"),
    ],
)
def test_neither_the_servers_files_nor_addresses_are_opened(page_url, picture, words):
    event = call(page_url.rstrip("/") + "/", picture)
    assert event["success"] is False
    assert words in event["output"]["error"]
