"""Requests that no browser of ours sends: forged paths must open nothing."""

import json
import urllib.request

import pytest
from real_page import ROOT


def call(url, inputs):
    """Call the page's `answer` handler as its own JavaScript would; return the last event."""
    config = json.load(urllib.request.urlopen(f"{url}config", timeout=30))
    [handler] = [one["id"] for one in config["dependencies"] if len(one["inputs"]) == 19]
    body = {"data": inputs, "fn_index": handler, "session_hash": "forged"}
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
    further = [False, "instruction", "corrected", 0]
    inputs = [None, picture, "What?", 2, False, 1, 0, 0, 1, "", "corrected", *further, *further]
    event = call(page_url.rstrip("/") + "/", inputs)
    assert event["success"] is False
    assert words in event["output"]["error"]
