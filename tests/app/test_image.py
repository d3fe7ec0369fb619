"""The container image: what it copies is all that the page needs, and only its data is written."""

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from paths import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")


def last(word: str) -> str:
    """Return what the last line with an instruction says."""
    return re.findall(rf"^{word} (.*)$", DOCKERFILE, re.MULTILINE)[-1]


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """The image's /app."""
    stage = DOCKERFILE[DOCKERFILE.rindex("FROM ") :]
    for source, target in re.findall(r"^COPY (\S+) (\S+)$", stage, re.MULTILINE):
        place = tmp_path / "app" / ("" if target == "./" else target)
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, place, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            place.mkdir(exist_ok=True)
            shutil.copy(ROOT / source, place)
    return tmp_path / "app"


def files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


def ready(url: str) -> dict[str, object]:
    try:
        return json.load(urllib.request.urlopen(f"{url}/readyz", timeout=30))
    except urllib.error.HTTPError as error:
        return json.load(error)
    except OSError:
        return {}


def test_the_image_runs_by_itself_and_writes_below_one_folder(image: Path, tmp_path: Path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data, home = tmp_path / "data", tmp_path / "home"
    home.mkdir()
    own = dict(each.split("=", 1) for each in shlex.split(last("ENV")) if "=" in each)
    own |= {"SINKTRACK_DATA": str(data), "HOME": str(home), "GRADIO_SERVER_NAME": "127.0.0.1"}
    own |= {"GRADIO_SERVER_PORT": str(port), "CUDA_VISIBLE_DEVICES": "", "PATH": os.environ["PATH"]}
    before, url = files(image), f"http://127.0.0.1:{port}"
    command = [sys.executable, *json.loads(last("CMD"))[1:]]
    with subprocess.Popen(command, cwd=image, env=own, stderr=subprocess.PIPE, text=True) as page:
        until = time.monotonic() + 120
        while not ready(url).get("ready"):
            assert page.poll() is None and time.monotonic() < until, ready(url)
            time.sleep(0.5)
        check = json.loads(last("HEALTHCHECK").split("CMD", 1)[1])
        assert subprocess.run([sys.executable, *check[1:]], env=own).returncode == 0
        page.terminate()
        assert page.wait(30) == 0
        said = page.stderr.read()
    assert "Traceback" not in said
    assert files(image) == before, "something was written beside the code"
    assert not files(home), "something was written at home"
    assert {each.name for each in data.iterdir()} >= {"uploads", "models", "tmp"}


def test_the_check_fails_where_nothing_answers():
    check = json.loads(last("HEALTHCHECK").split("CMD", 1)[1])
    own = os.environ | {"GRADIO_SERVER_PORT": "9"}
    done = subprocess.run([sys.executable, *check[1:]], env=own, capture_output=True)
    assert done.returncode != 0


def test_it_runs_as_a_user_that_owns_none_of_the_code():
    assert last("USER") == "1000" and last("EXPOSE") == "7860"
    assert "useradd --uid 1000" in DOCKERFILE and "--chown" not in DOCKERFILE


def test_a_data_folder_that_cannot_be_used_is_a_sentence(tmp_path: Path):
    (tmp_path / "file").write_text("")
    done = subprocess.run(
        [sys.executable, "app.py"],
        cwd=ROOT,
        env=os.environ | {"SINKTRACK_DATA": str(tmp_path / "file" / "data")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "is a file; choose another name" in done.stderr and "Traceback" not in done.stderr
