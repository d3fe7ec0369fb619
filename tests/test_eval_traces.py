"""What attention did while a run was answered: kept where answers differ, and read with care."""

import gzip
import json
from dataclasses import replace

import pytest
from evaluated import read_records, records_of

import sinktrack
from sinktrack import cli
from sinktrack.core.errors import OutputError
from sinktrack.eval import traces
from sinktrack.eval.run_files import TRACES, trace_files, trace_name
from sinktrack.eval.runner import Run, evaluate
from sinktrack.eval.tasks.shapes import DESCRIPTIONS
from sinktrack.methods import create

TASK = DESCRIPTIONS[0]
METHODS = ["dola", "baseline"]


@pytest.fixture(scope="module")
def run(checkpoint):
    methods = {"baseline": None, "dola": create("dola"), "again": create("strength-0")}
    return Run(tasks=[TASK], methods=methods, limit=6, traces=True)


@pytest.fixture(scope="module")
def folder(checkpoint, run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("traced")
    evaluate(*checkpoint, run, folder)
    return folder


def answers_of(folder):
    answers = {}
    for record in read_records(folder):
        answers.setdefault(record["item"], {})[record["name"]] = record["answer"]
    return answers


def test_traces_are_kept_where_answers_differ(checkpoint, run, folder):
    answers = answers_of(folder)
    differ = {item for item, own in answers.items() if len(set(own.values())) > 1}
    assert 0 < len(differ) < len(answers)
    assert {item for item in answers if trace_files(folder, TASK.name, item, None)} == differ
    for item in differ:
        found = traces.read(folder, TASK.name, item, None, METHODS)
        assert [lane["title"] for lane in found["lanes"]] == METHODS
        for lane in found["lanes"]:
            assert "".join(lane["tokens"]).startswith(answers[item][lane["name"]])
            assert lane["layers"] == 12 and lane["sink"]
        ids = [lane["ids"] for lane in found["lanes"]]
        at = found["parts_at"]
        assert ids[0][:at] == ids[1][:at] and ids[0][at] != ids[1][at]
        same = traces.read(folder, TASK.name, item, None, ["baseline", "again"])
        assert same["parts_at"] is None
        assert traces.read(folder, TASK.name, item, None, ["baseline", "other"]) is None


def test_keeping_them_changes_no_answer(checkpoint, run, folder, tmp_path):
    evaluate(*checkpoint, replace(run, traces=False), tmp_path / "plain")
    assert records_of(tmp_path / "plain") == records_of(folder)
    assert not (tmp_path / "plain" / TRACES).exists()


def test_methods_that_answer_in_several_batches_are_read_as_one(checkpoint, run, folder, tmp_path):
    evaluate(*checkpoint, replace(run, batch=1), tmp_path / "one")
    for item, own in answers_of(folder).items():
        assert len(trace_files(tmp_path / "one", TASK.name, item, None)) == 3
        found = traces.read(tmp_path / "one", TASK.name, item, None, METHODS)
        assert [lane["text"] for lane in found["lanes"]] == [own[name] for name in METHODS]


def test_no_difference_between_two_batches_is_lost(checkpoint, run, folder, tmp_path):
    """Two methods that agree answer in one batch, and the third in one of its own."""
    methods = {name: run.methods[name] for name in ("baseline", "again", "dola")}
    evaluate(*checkpoint, replace(run, methods=methods, batch=2), tmp_path / "two")
    for item, own in answers_of(folder).items():
        found = traces.read(tmp_path / "two", TASK.name, item, None, METHODS)
        assert [lane["text"] for lane in found["lanes"]] == [own[name] for name in METHODS]


def test_files_that_do_not_belong_together_are_refused(checkpoint, run, tmp_path):
    one = replace(run, batch=1, limit=1)
    evaluate(*checkpoint, one, tmp_path)
    (item,) = answers_of(tmp_path)
    for path in trace_files(tmp_path, TASK.name, item, None)[1:]:
        data = json.loads(gzip.decompress(path.read_bytes()))
        path.write_bytes(gzip.compress(json.dumps({**data, "visuals": []}).encode()))
    with pytest.raises(OutputError, match="is no trace that sinktrack eval writes"):
        traces.read(tmp_path, TASK.name, item, None, METHODS)


def test_an_id_is_no_path(checkpoint, run, tmp_path):
    odd = "../../up/\x00" + "long" * 100
    items = [replace(next(iter(TASK.items("test", 1))), id=odd)]
    one = replace(TASK, items=lambda split, limit: items)
    evaluate(*checkpoint, replace(run, tasks=[one], batch=1), tmp_path / "run")
    assert traces.read(tmp_path / "run", TASK.name, odd, None, METHODS) is not None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]


@pytest.mark.parametrize(
    "content",
    [
        b"no gzip",
        gzip.compress(b"no JSON"),
        gzip.compress(b"[1]"),
        gzip.compress(b"{}"),
        gzip.compress(b'{"lanes": [{"name": "dola"}, {"name": "baseline"}]}'),
        gzip.compress(b"[" * 100_000),
        gzip.compress(json.dumps({"lanes": []}).encode())[:-9],
    ],
    ids=["packed", "JSON", "list", "empty", "lanes", "deep", "cut"],
)
def test_a_file_that_is_no_trace_is_refused(tmp_path, content):
    (tmp_path / TRACES).mkdir()
    name = f"{trace_name('describe', 'x', None)}-0.json.gz"
    (tmp_path / TRACES / name).write_bytes(content)
    with pytest.raises(OutputError, match=rf"{TRACES}/{name} is no trace that .* Delete it"):
        traces.read(tmp_path, "describe", "x", None, METHODS)


def test_a_file_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(traces, "LARGEST", 1000)
    (tmp_path / TRACES).mkdir()
    name = f"{trace_name('describe', 'x', None)}-0.json.gz"
    (tmp_path / TRACES / name).write_bytes(gzip.compress(b" " * 10_000))
    with pytest.raises(OutputError, match="it has more than 1,000 bytes"):
        traces.read(tmp_path, "describe", "x", None, METHODS)


def test_a_link_that_leads_out_of_the_run_is_not_followed(folder, tmp_path):
    item = next(item for item in answers_of(folder) if trace_files(folder, TASK.name, item, None))
    (path,) = trace_files(folder, TASK.name, item, None)
    (tmp_path / TRACES).mkdir()
    (tmp_path / TRACES / path.name).symlink_to(path)
    assert trace_files(tmp_path, TASK.name, item, None) == []
    assert traces.read(tmp_path, TASK.name, item, None, METHODS) is None


def test_the_command_line_keeps_them(tmp_path, capsys):
    words = ["eval", "shapes-chair", "--limit", "6", "--method", "baseline", "--method", "dola"]
    assert cli.main([*words, "--traces", "--out", str(tmp_path)]) == 0
    assert any((tmp_path / TRACES).iterdir())
    assert sinktrack.__version__ in (tmp_path / "run.json").read_text()
