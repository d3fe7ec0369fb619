"""Programs that ask: the answers, limits and sentences of the page, and an end with them."""

import base64
import json
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from urllib.parse import urlsplit

import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from real_page import CHECKPOINT, ROOT

import sinktrack
from sinktrack.core.intervention import KINDS

pytestmark = [
    pytest.mark.usefixtures("collected"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
PICTURE = ROOT / "assets" / "examples" / "describe-1.png"
QUESTION = "What do you see in the picture?"
TEXT = base64.b64encode(PICTURE.read_bytes()).decode()


@pytest.fixture
def client(page_url):
    client = Client(page_url, verbose=False)
    yield client
    client.close()


def wait_for(true, seconds=30):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "It never happened."
        time.sleep(0.1)


@pytest.mark.parametrize("picture", [handle_file(str(PICTURE)), TEXT], ids=["upload", "text"])
def test_a_program_gets_the_librarys_answers(client, picture):
    methods = ["baseline", "sinktrack", "vcd:alpha=0.5"]
    asked = {"question": QUESTION, "max_new_tokens": 12}
    found = client.predict(pictures=[picture], methods=methods, api_name="/compare", **asked)
    model, processor = sinktrack.load(CHECKPOINT, device="cpu")
    named = dict(sinktrack.methods.parse(text, model) for text in methods)
    expected = sinktrack.compare(model, processor, images=[str(PICTURE)], methods=named, **asked)
    assert [answer["method"] for answer in found["answers"]] == methods
    for answer, own in zip(found["answers"], expected.values(), strict=True):
        assert answer["text"] == own.text and answer["finish"] == own.finish
        assert answer["tokens"] == [token.text for token in own.trace.tokens]
        assert answer["seconds"] >= answer["seconds_to_first_token"] > 0
        sink, bos = own.trace.sink, answer["attention_to_bos"]
        step = float(sink.max()) / 254
        assert bos["mean"] == pytest.approx(float(sink.mean()), abs=step)
        assert bos["by_layer"] == pytest.approx(sink.mean((0, 2)).tolist(), abs=step)
    assert found["done"] and found["status"].startswith("Done after")
    assert found["model"] and found["seconds"] > 0


def test_answers_grow_and_end_as_the_finished_ones(client):
    asked = {"question": QUESTION, "pictures": [TEXT], "max_new_tokens": 30}
    states = list(client.submit(**asked, api_name="/stream"))
    *growing, last = states
    assert growing and not any(state["done"] for state in growing)
    for lane, answer in enumerate(last["answers"]):
        texts = [state["answers"][lane]["text"] for state in growing]
        assert texts == sorted(texts, key=len) and answer["text"].startswith(texts[-1])
    finished = client.predict(**asked, api_name="/compare")
    assert set(finished) == set(last)
    assert [a["text"] for a in finished["answers"]] == [a["text"] for a in last["answers"]]


def test_sampling_follows_its_seed(client):
    asked = {"question": QUESTION, "pictures": [TEXT], "max_new_tokens": 12, "do_sample": True}

    def texts(seed):
        found = client.predict(**asked, temperature=3.0, seed=seed, api_name="/compare")
        return [answer["text"] for answer in found["answers"]]

    assert texts(1) == texts(1) != texts(2)


def test_the_methods_are_those_that_there_are(client):
    listed = client.predict(api_name="/methods")
    assert {method["kind"] for method in listed} == {"baseline", *KINDS}
    vcd = next(method for method in listed if method["kind"] == "vcd")
    assert vcd["title"] and vcd["summary"] and vcd["source"].startswith("https://")
    assert "alpha" in [parameter["name"] for parameter in vcd["parameters"]]


def test_three_endpoints_are_documented_and_nothing_else(client):
    known = client.view_api(return_format="dict")["named_endpoints"]
    assert set(known) == {"/compare", "/stream", "/methods"}
    for name, endpoint in known.items():
        assert endpoint["description"]
        for parameter in endpoint["parameters"]:
            assert parameter["python_type"]["description"], (name, parameter)
            assert parameter["label"] == parameter["parameter_name"]


UNUSABLE = {
    "nothing to ask about": ({}, "give pictures or a passage"),
    "a blank question": ({"question": " ", "passage": "A fox."}, "question"),
    "a link": ({"pictures": ["http://127.0.0.1:1/x.png"]}, "links are not opened"),
    "a data link": ({"pictures": [f"data:image/png;base64,{TEXT}"]}, "is a link"),
    "a link as a file": ({"pictures": [{"path": "http://127.0.0.1:1/x"}]}, "Links are not opened"),
    "the server's file": ({"pictures": [{"path": str(PICTURE)}]}, "not uploaded here"),
    "no picture": ({"pictures": [base64.b64encode(b"hello").decode()]}, "not a picture"),
    "no list": ({"pictures": TEXT}, "is to be a list"),
    "a number for a picture": ({"pictures": [5]}, "neither an upload nor base64"),
    "too many pictures": ({"pictures": [TEXT] * 9}, "the limit here is 8"),
    "no such method": ({"passage": "A fox.", "methods": ["nope", "baseline"]}, "no method 'nope'"),
    "one method": ({"passage": "A fox.", "methods": ["baseline"]}, "2 to 6 are compared"),
    "methods as text": ({"passage": "A fox.", "methods": "baseline"}, "list of texts"),
    "too many tokens": ({"passage": "A fox.", "max_new_tokens": 9999}, "1 to 512 tokens"),
    "half a token": ({"passage": "A fox.", "max_new_tokens": 1.5}, "whole number"),
    "a word for a seed": ({"passage": "A fox.", "seed": "one"}, "whole number"),
    "a word for a switch": ({"passage": "A fox.", "do_sample": "no"}, "true or false"),
    "a number for a passage": ({"passage": 5}, "is to be a text"),
    "no temperature": ({"passage": "A", "do_sample": True, "temperature": 0}, "must be above 0"),
}


@pytest.mark.parametrize("endpoint", ["/compare", "/stream"])
@pytest.mark.parametrize("name", UNUSABLE)
def test_what_cannot_be_asked_is_refused_in_a_sentence(client, name, endpoint):
    given, words = UNUSABLE[name]
    with pytest.raises(AppError, match=words):
        client.predict(**{"question": "What?"} | given, api_name=endpoint)


def test_markup_in_a_refusal_stays_as_it_was_sent(client):
    with pytest.raises(AppError, match="<b>nope") as refused:
        client.predict(
            question="What?", passage="A.", methods=["<b>nope", "x"], api_name="/compare"
        )
    assert "&lt;" not in str(refused.value)


def post(url, name, **asked):
    """Ask without a client, and return the number of the event."""
    request = urllib.request.Request(
        f"{url.rstrip('/')}/gradio_api/call/v2/{name}",
        json.dumps(asked).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)["event_id"]


def listen(url, name, event):
    """Return a connection on which an event's steps arrive."""
    where = urlsplit(url)
    connection = socket.create_connection((where.hostname, where.port), timeout=60)
    path = f"/gradio_api/call/{name}/{event}"
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {where.netloc}\r\n\r\n".encode())
    return connection


def gone(server):
    return server.said().count(" gone ")


def begun(url, name):
    """Ask for an endless answer, and return its connection once it is being made."""
    event = post(url, name, question="Tell.", passage="A red circle.", max_new_tokens=4000)
    connection, heard = listen(url, name, event), b""
    while heard.count(b"event: generating") < 3:
        heard += connection.recv(65536)
    return connection


@pytest.mark.parametrize("name", ["compare", "stream"])
def test_an_answer_ends_with_the_connection_of_who_asked(servers, endless_url, name):
    before = gone(servers["endless"])
    begun(endless_url, name).close()
    wait_for(lambda: gone(servers["endless"]) == before + 1)
    begun(endless_url, name).close()  # the model is free
    wait_for(lambda: gone(servers["endless"]) == before + 2)


ASKS = """
import sys
from gradio_client import Client
job = Client(sys.argv[1], verbose=False).submit(
    question="Tell.", passage="A red circle.", max_new_tokens=4000, api_name=sys.argv[2])
for state in job:
    if sys.argv[2] == "/compare" or "token" in state["status"]:
        print("begun", flush=True)
"""


@pytest.mark.parametrize("endpoint", ["/compare", "/stream"])
def test_an_answer_ends_with_the_program_that_asked(servers, endless_url, endpoint):
    before = gone(servers["endless"])
    program = subprocess.Popen(
        [sys.executable, "-c", ASKS, endless_url, endpoint], stdout=subprocess.PIPE, text=True
    )
    assert program.stdout.readline() == "begun\n"
    program.send_signal(signal.SIGKILL)
    program.wait()
    program.stdout.close()
    wait_for(lambda: gone(servers["endless"]) == before + 1)


def test_a_job_that_is_cancelled_ends(servers, endless_url):
    before = gone(servers["endless"])
    client = Client(endless_url, verbose=False)
    asked = {"question": "Tell.", "passage": "A red circle.", "max_new_tokens": 4000}
    job = client.submit(**asked, api_name="/stream")
    next(state for state in job if "token" in state["status"])
    job.cancel()
    wait_for(lambda: gone(servers["endless"]) == before + 1)
    client.close()


def test_programs_wait_in_the_pages_own_queue(servers, endless_url):
    before = gone(servers["endless"])
    first, second = begun(endless_url, "compare"), begun(endless_url, "stream")
    client = Client(endless_url, verbose=False)
    asked = {"question": "Tell.", "passage": "A red circle."}
    with pytest.raises(AppError, match="(?i)queue|waiting|full"):
        client.predict(**asked, api_name="/compare")
    first.close()
    second.close()
    client.close()
    wait_for(lambda: gone(servers["endless"]) == before + 2)


@pytest.mark.parametrize("name", ["run", "api"])
def test_nobody_passes_the_queue_by(page_url, name):
    body = json.dumps({"data": ["What?", None, "A fox."]}).encode()
    url = f"{page_url.rstrip('/')}/gradio_api/{name}/compare"
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=30)
    assert refused.value.code == 404
