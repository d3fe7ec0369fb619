"""Several processes answer one run, and processes that are killed lose nothing."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest
import torch
from evaluated import counting_task, records_of
from paths import ROOT

import sinktrack
from sinktrack import cli
from sinktrack.core.errors import ModelError, OutputError
from sinktrack.eval.processes import Processes, own_device
from sinktrack.eval.run_files import RECORDS
from sinktrack.eval.runner import Run, evaluate

ANCHORED = ROOT / "assets" / "shapes-vl-anchored"
WORDS = ["eval", "shapes-passages", "--limit", "8", "--context", "instruction", "--batch", "2"]
WORDS += ["--model", str(ANCHORED), "--device", "cpu", "--out"]
SECONDS = 600


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The folder of the same run in one process."""
    folder = tmp_path_factory.mktemp("alone")
    assert cli.main([*WORDS, str(folder)]) == 0
    return folder


def environment(**more):
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": path} | more


def started(folder, count):
    """Start so many processes, as a launcher does; alone for one."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1])}
    return [
        subprocess.Popen(
            [sys.executable, "-m", "sinktrack", *WORDS, str(folder)],
            env=environment(**meeting, RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(count)),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(count)
    ]


def killed_in_the_middle(process, path):
    """Kill a process as soon as it has written a record; return how many it has written."""
    end = time.monotonic() + SECONDS
    while not (path.exists() and path.stat().st_size) and time.monotonic() < end:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.communicate()  # closes what it wrote to
    return path.read_bytes().count(b"\n")


def same(folder, alone):
    """Check that a folder holds what one process found."""
    assert records_of(folder) == records_of(alone)
    found, expected = (json.loads((each / "results.json").read_text()) for each in (folder, alone))
    assert found["tasks"] == expected["tasks"] and found["moved"] == expected["moved"]
    assert not list(folder.glob("records-*"))


def own_words(text):
    """Return a text without the lines that older versions of torch and transformers add."""
    theirs = ("[Gloo]", "[transformers]")
    return "".join(line for line in text.splitlines(True) if not line.startswith(theirs))


def test_two_processes_find_what_one_finds(tmp_path, alone):
    processes = started(tmp_path, 2)
    said = [map(own_words, process.communicate(timeout=SECONDS)) for process in processes]
    said = [tuple(each) for each in said]
    assert [process.returncode for process in processes] == [0, 0], said
    same(tmp_path, alone)
    assert said[0][0] == (alone / "results.md").read_text()
    assert "16/16" in said[0][1]  # the first shows the progress of both
    assert said[1] == ("", "")
    (start,) = json.loads((tmp_path / "run.json").read_text())["starts"]
    assert start["processes"] == 2


def test_what_a_killed_process_was_to_do_is_done_by_the_next_run(tmp_path, alone):
    first, second = started(tmp_path, 2)
    own = killed_in_the_middle(second, tmp_path / "records-1.jsonl")
    said = first.communicate(timeout=SECONDS)[1]
    assert own < 8 and first.returncode == 2
    assert "Another process of this run has ended early: run the same command again" in said
    assert not (tmp_path / "results.json").exists()
    assert cli.main([*WORDS, str(tmp_path)]) == 0
    same(tmp_path, alone)
    notes = json.loads((tmp_path / "results.json").read_text())["notes"]
    assert "This run was answered in several starts, which differ in processes." in notes


def test_a_run_that_is_killed_goes_on(tmp_path, alone):
    (process,) = started(tmp_path, 1)
    assert killed_in_the_middle(process, tmp_path / RECORDS) < 16
    assert cli.main([*WORDS, str(tmp_path)]) == 0
    same(tmp_path, alone)


@pytest.mark.slow(reason="four processes and two launchers import torch")
@pytest.mark.parametrize(
    "launcher",
    [
        ["torch.distributed.run", "--nproc-per-node", "4"],
        ["accelerate.commands.launch", "--multi_gpu", "--num_processes", "4"],
    ],
    ids=["torchrun", "accelerate"],
)
def test_launchers_start_four_processes(tmp_path, alone, launcher):
    words = [sys.executable, "-m", *launcher, "-m", "sinktrack", *WORDS, str(tmp_path)]
    ran = subprocess.run(words, env=environment(), capture_output=True, text=True, timeout=900)
    assert ran.returncode == 0, ran.stderr
    same(tmp_path, alone)
    (start,) = json.loads((tmp_path / "run.json").read_text())["starts"]
    assert start["processes"] == 4 and ran.stdout == (alone / "results.md").read_text()


def test_a_share_is_answered_once_and_the_rest_by_whoever_comes(checkpoint, tmp_path, monkeypatch):
    """The second of three processes has ended without a word, and then there is one."""
    asked = []
    methods = {"baseline": None, "sinktrack": sinktrack.SinkTrack.for_model(checkpoint[0])}
    run = Run(tasks=[counting_task(asked, 7)], methods=methods, limit=7, batch=4)
    monkeypatch.setattr(Processes, "wait", lambda self: None)
    monkeypatch.setattr(Processes, "joined", lambda: Processes(2, 3))
    with pytest.raises(FileNotFoundError):  # results that only the first process writes
        evaluate(*checkpoint, run, tmp_path)
    assert len(asked) == 4 and len((tmp_path / "records-2.jsonl").read_text().splitlines()) == 4
    monkeypatch.setattr(Processes, "joined", lambda: Processes(0, 3))
    with pytest.raises(OutputError, match="of 14 answers have no record, though all were asked"):
        evaluate(*checkpoint, run, tmp_path)
    monkeypatch.setattr(Processes, "joined", Processes)
    found = evaluate(*checkpoint, run, tmp_path)
    assert sorted(asked) == sorted(2 * [f"test/{number}" for number in range(7)])
    assert found["tasks"]["counting"]["baseline"]["words"]["items"] == 7
    assert [path.name for path in tmp_path.glob("records*")] == [RECORDS]


def test_each_process_takes_a_gpu_of_its_own(monkeypatch):
    chosen = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    assert own_device(None) is None and own_device("auto") == "auto"
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert own_device(None) == own_device("cuda") == "cuda:1" and chosen == [1, 1]
    assert own_device("cpu") == "cpu" and own_device("cuda:0") == "cuda:0"
    with pytest.raises(ModelError, match="auto, which spreads one model over all GPUs, but 4 pro"):
        own_device("auto")
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(ModelError, match="Process 3 of this machine finds 2 GPUs, but each takes"):
        own_device(None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert own_device(None) is None
