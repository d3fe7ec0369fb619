"""What a process leaves that was killed goes at the next start, and nothing of one that lives."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from paths import ROOT

from app.shared.own_folder import own_folder, own_folders, sweep

LIVES = """
import sys, time
from pathlib import Path
from app.shared.own_folder import own_folder
with own_folder(Path(sys.argv[1])) as folder:
    (folder / "upload.png").write_bytes(b"x")
    print(folder, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def start(tmp_path):
    """Start a process that has put a file into a folder of its own."""
    started = []

    def start() -> tuple[subprocess.Popen, Path]:
        command = [sys.executable, "-c", LIVES, str(tmp_path)]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        started.append(process)
        return process, Path(process.stdout.readline().strip())

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def test_what_a_killed_process_left_is_swept_and_what_a_living_one_has_stays(start, tmp_path):
    dead, left = start()
    _, kept = start()
    assert left != kept and (left / "upload.png").exists()
    dead.send_signal(signal.SIGKILL)
    dead.wait()
    assert (left / "upload.png").exists()
    with own_folder(tmp_path) as own:
        assert not left.exists()
        assert (kept / "upload.png").exists()
        (own / "mine").write_bytes(b"x")
        sweep(tmp_path)  # nor does a process sweep its own
        assert (own / "mine").exists()
    assert not own.exists()
    assert sorted(each.name for each in tmp_path.iterdir()) == [kept.name, f"{kept.name}.lock"]


def test_files_of_others_in_the_same_place_stay(tmp_path):
    (tmp_path / "server-of-mine").mkdir()
    (tmp_path / "note.lock").write_text("x")
    with own_folder(tmp_path):
        pass
    assert sorted(os.listdir(tmp_path)) == ["note.lock", "server-of-mine"]


def test_temporary_files_get_a_folder_only_where_the_place_is_the_pages(tmp_path):
    environment = {"GRADIO_TEMP_DIR": str(tmp_path / "uploads"), "TMPDIR": str(tmp_path)}
    with own_folders(environment):
        assert Path(environment["GRADIO_TEMP_DIR"]).parent == tmp_path / "uploads"
        assert environment["TMPDIR"] == str(tmp_path)
    environment["SINKTRACK_DATA"] = str(tmp_path)
    with own_folders(environment):
        assert Path(environment["TMPDIR"]).parent == tmp_path
    assert environment["TMPDIR"] == str(tmp_path)


def test_a_place_that_takes_nothing_is_left_as_it_is(tmp_path):
    (tmp_path / "file").write_text("x")
    environment = {"GRADIO_TEMP_DIR": str(tmp_path / "file")}
    with own_folders(environment):
        assert environment["GRADIO_TEMP_DIR"] == str(tmp_path / "file")
