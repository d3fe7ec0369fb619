"""What the page of runs answers about attention that was kept, was not, or is broken."""

import pytest

from app.results.browsing import Browsing
from sinktrack.eval.run_files import trace_files
from sinktrack.eval.runner import Run, evaluate
from sinktrack.eval.tasks.shapes import DESCRIPTIONS
from sinktrack.methods import create

TASK = DESCRIPTIONS[0]


@pytest.fixture(scope="module")
def folder(checkpoint, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    methods = {"baseline": None, "dola": create("dola")}
    evaluate(*checkpoint, Run(tasks=[TASK], methods=methods, limit=6, traces=True), folder)
    return folder


def ask(folder, what, **changes):
    asked = {"run": folder.name, "task": TASK.name, "first": "baseline", "second": "dola"}
    return Browsing(folder).answer(
        {"what": what, **asked, "by": "CHAIR_s", "kind": "all", **changes}
    )


def test_attention_that_was_kept_missing_or_broken(folder):
    item = ask(folder, "changes")["listed"][0]["item"]
    assert ask(folder, "item", item=item)["traced"] is True
    for pair in (["baseline", "dola"], ["dola", "baseline"]):
        found = ask(folder, "attention", item=item, first=pair[0], second=pair[1])
        assert [lane["name"] for lane in found["lanes"]] == pair
    (path,) = trace_files(folder, TASK.name, item, None)
    path.write_bytes(b"broken")
    assert "is no trace that sinktrack eval writes" in ask(folder, "attention", item=item)["error"]
    path.unlink()
    assert ask(folder, "item", item=item)["traced"] is False
    said = ask(folder, "attention", item=item)
    assert said == {"error": "What attention did in both of these answers was not kept."}
