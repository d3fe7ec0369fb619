"""run.json: what must stay the same in a run, and what each start ran with."""

import json
import platform
import shutil
import subprocess
from dataclasses import replace

import pytest
import torch
from evaluated import counting_task, read_records

import sinktrack
from sinktrack.core.decoding import Decoding
from sinktrack.core.errors import OutputError
from sinktrack.eval import manifest
from sinktrack.eval.runner import Run, evaluate
from sinktrack.eval.tasks.shapes import PASSAGE_PARTS


def told(folder):
    return json.loads((folder / "run.json").read_text())


def test_a_run_tells_what_it_ran_with(checkpoint, tmp_path):
    model, processor = checkpoint
    warm = Decoding(do_sample=True, temperature=0.7, seed=5)
    run = Run(
        tasks=[counting_task([]), *PASSAGE_PARTS],
        methods={"sinktrack": sinktrack.SinkTrack(context="instruction")},
        limit=2,
        decoding=warm,
    )
    evaluate(model, processor, run, tmp_path)
    found = told(tmp_path)
    assert found["model"] == "shapes-vl" and found["dtype"] == "float32"
    assert found["revision"] is None and found["quantised"] is None
    assert found["decoding"] == {"do_sample": True, "temperature": 0.7} and found["seeds"] == [5]
    assert found["max_new_tokens"] == {"counting": 4, PASSAGE_PARTS[0].name: 16}
    ran = found["methods"]["sinktrack"]  # with what the model settles, as records have it
    assert ran == read_records(tmp_path)[0]["method"] and ran["inject_at"] is not None
    (start,) = found["starts"]
    assert start["versions"]["torch"] == torch.__version__
    assert start["versions"]["python"] == platform.python_version()
    assert start["versions"]["sinktrack"] == sinktrack.__version__
    assert (start["device"], start["processes"], start["batch"]) == ("cpu", 1, 100)
    (prompt,) = start["prompts"]["counting"]
    assert "Is there a red circle? " in prompt and "<|vision_start|>" in prompt
    (prompt,) = start["prompts"][PASSAGE_PARTS[0].name]
    item = next(iter(PASSAGE_PARTS[0].items("test", 2)))
    assert item.passage in prompt and item.question in prompt
    if shutil.which("git") and (manifest._ROOT / ".git").exists():
        assert len(start["commit"].removesuffix(", changed")) == 40


def test_what_may_differ_between_starts_is_kept_and_told(checkpoint, tmp_path, monkeypatch):
    asked = []
    run = Run(tasks=[counting_task(asked)], methods={"baseline": None}, limit=4)
    first = evaluate(*checkpoint, run, tmp_path)
    assert evaluate(*checkpoint, run, tmp_path) == first and len(told(tmp_path)["starts"]) == 1
    monkeypatch.setattr(manifest, "VERSION", "9.9.9")
    monkeypatch.setattr(manifest, "own_commit", lambda: "1a2b3c, changed")
    again = evaluate(*checkpoint, replace(run, batch=7), tmp_path)
    note = "This run was answered in several starts, which differ in versions, commit, batch."
    assert again["notes"] == [*first["notes"], note] and len(asked) == 4
    assert note in (tmp_path / "results.md").read_text()
    assert [start["commit"] for start in told(tmp_path)["starts"]][1] == "1a2b3c, changed"
    assert [start["versions"]["sinktrack"] for start in again["starts"]][1] == "9.9.9"
    with pytest.raises(OutputError, match=r"run.json has another limit\)"):
        evaluate(*checkpoint, replace(run, limit=3), tmp_path)


def test_a_checkout_has_a_commit_and_any_other_folder_none(tmp_path, monkeypatch):
    assert manifest.commit(tmp_path) is None
    if shutil.which("git") is None:
        pytest.skip("there is no git")

    def git(*words):
        who = ("-c", "user.name=x", "-c", "user.email=x@example.org")
        subprocess.run(["git", "-C", tmp_path, *who, *words], check=True, capture_output=True)

    git("init")
    assert manifest.commit(tmp_path) is None  # nothing is committed yet
    (tmp_path / "sinktrack").mkdir()
    (tmp_path / "sinktrack" / "x.py").write_text("1")
    git("add", ".")
    git("commit", "-m", "x")
    found = manifest.commit(tmp_path)
    assert len(found) == 40
    (tmp_path / "sinktrack" / "x.py").write_text("2")
    assert manifest.commit(tmp_path) == f"{found}, changed"
    monkeypatch.setenv("PATH", "")
    assert manifest.commit(tmp_path) is None
