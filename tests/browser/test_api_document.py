"""The examples of docs/api.md do what it says, against a page with the bundled model."""

import json
import shutil
import subprocess

import pytest
from real_page import ROOT
from test_readme import blocks

pytestmark = [
    pytest.mark.usefixtures("collected"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
ADDRESS = "http://127.0.0.1:7860"
DOCUMENT = (ROOT / "docs" / "api.md").read_text("utf-8")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder beside the project's assets."""
    (tmp_path / "assets").symlink_to(ROOT / "assets")
    monkeypatch.chdir(tmp_path)


def test_the_python_of_the_document_runs(here, page_url, capsys):
    names = {}
    sources = blocks(DOCUMENT, "python")
    assert len(sources) >= 3
    for source in sources:
        own = source.replace(ADDRESS, page_url)
        exec(compile(own, "docs/api.md", "exec"), names)
    assert [a["method"] for a in names["found"]["answers"]] == [
        "baseline",
        "sinktrack",
        "vcd:alpha=0.5",
    ]
    assert names["state"]["done"] and names["state"]["answers"][0]["text"]
    said = capsys.readouterr().out
    assert names["found"]["answers"][0]["text"] in said
    assert "There is no method 'nope'" in said and "vcd ['alpha'" in said
    names["client"].close()


def test_the_fields_of_an_answer_are_those_of_the_document(here, page_url):
    names = {}
    exec(blocks(DOCUMENT, "python")[0].replace(ADDRESS, page_url), names)
    named = DOCUMENT.partition("## What comes back")[2].partition("\n## ")[0]
    cells = [row.split("|")[1] for row in named.splitlines() if row.startswith("| `")]
    fields = {each.strip("` ") for cell in cells for each in cell.split(",")}
    assert fields == set(names["found"]) | set(names["found"]["answers"][0])
    names["client"].close()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed here")
def test_the_curl_of_the_document_runs(here, page_url):
    (source,) = blocks(DOCUMENT, "bash")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", source.replace(ADDRESS, page_url.rstrip("/"))],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    *_, event, data = done.stdout.strip().splitlines()
    assert event == "event: complete", done.stdout
    (found,) = json.loads(data.removeprefix("data: "))
    assert found["done"] and all(answer["text"] for answer in found["answers"])
