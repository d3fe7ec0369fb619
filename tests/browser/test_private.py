"""A private page keeps nothing of a visitor: no file, no link, no line about a question."""

import os
import re
import time
from pathlib import Path

import pytest
from gradio_client import Client, handle_file
from playwright.sync_api import expect
from real_page import CHECKPOINT, ROOT, Server

pytestmark = [
    pytest.mark.usefixtures("collected"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
EXAMPLES = ROOT / "assets" / "examples"
SECRET = "Is there a red circle, Rumpelstilzchen?"


@pytest.fixture(scope="module")
def private(tmp_path_factory):
    """A private page that writes everything below one folder."""
    data = tmp_path_factory.mktemp("data")
    for name in ("uploads", "tmp"):
        (data / name).mkdir()
    folders = {
        "SINKTRACK_DATA": str(data),
        "GRADIO_TEMP_DIR": str(data / "uploads"),
        "SINKTRACK_KEEP": str(data / "kept"),
        "TMPDIR": str(data / "tmp"),
    }
    log = tmp_path_factory.mktemp("page") / "log"
    server = Server(log, SINKTRACK_PRIVATE="1", SINKTRACK_MODEL=str(CHECKPOINT), **folders)
    server.loaded()
    yield server, data
    server.stop()


def files(data):
    # what goes meanwhile is no error to os.walk
    return {Path(folder, name) for folder, _, names in os.walk(data) for name in names}


def wait_until_only(own, data):
    deadline = time.monotonic() + 30
    while files(data) - own:
        assert time.monotonic() < deadline, files(data) - own
        time.sleep(0.1)


def test_nothing_of_a_visitor_is_left_when_the_tab_is_closed(private, visit, picture):
    server, data = private
    url = server.ready()
    own = files(data)
    visitor, other = visit(url), visit(url)
    page = visitor.page
    expect(page.locator("#private")).to_contain_text("it keeps nothing of yours")
    expect(page.locator("#link")).to_have_count(0)
    page.click(".st-kept summary")
    expect(page.locator(".st-kept")).to_contain_text("no links and no gallery")
    visitor.ask(picture, SECRET)
    visitor.finish()
    expect(page.locator("#traces")).to_be_enabled()
    names = {path.name for path in files(data) - own}
    assert picture.name in names and any("traces" in name for name in names)
    assert list((data / "kept").iterdir()) == []
    with page.expect_response("**/run/predict"):  # by which an answer ends
        visitor.ask(None, SECRET)  # the picture is there as long as the tab is
    visitor.finish()
    other.give(picture, "What?")
    page.close()
    deadline = time.monotonic() + 30
    while any("traces" in path.name for path in files(data)):
        assert time.monotonic() < deadline, files(data)
        time.sleep(0.1)
    assert picture.name in {path.name for path in files(data)}  # the other one has it as well
    other.page.close()
    wait_until_only(own, data)
    late = visit(url)  # the page's own pictures are still there
    expect(late.page.locator("#picture img")).to_be_visible()
    late.ask(picture, "What do you see in the picture?")
    late.finish()
    late.page.close()
    wait_until_only(own, data)


def test_nothing_of_a_program_is_left_with_its_answer(private, picture):
    server, data = private
    url = server.ready()
    wait_until = files(data)
    client = Client(url, verbose=False)
    for endpoint in ("/compare", "/stream"):
        found = client.predict(
            question=SECRET, pictures=[handle_file(str(picture))], api_name=endpoint
        )
        assert found["answers"][0]["text"]
        wait_until_only(wait_until, data)
    client.close()


def test_a_link_leads_to_a_sentence(private, visit):
    visitor = visit(private[0].ready() + "/?c=" + "a" * 22)
    expect(visitor.status()).to_contain_text("The server keeps none")


def test_the_log_counts_and_says_nothing_else(private, picture):
    """The last of this file: the page has ended, and has counted everything before."""
    server, data = private
    server.ready()
    said = server.stop()
    assert server.status() == 0
    assert re.search(r"info: counted: .*\b[1-9]\d* ask answered", said), said
    assert not re.search(r" ask [0-9a-f]{8} ", said), said
    for word in ("Rumpelstilzchen", "red circle", picture.name):
        assert word not in said
    # what is left is the page's own
    assert {path.name for path in files(data)} <= {path.name for path in EXAMPLES.iterdir()}
