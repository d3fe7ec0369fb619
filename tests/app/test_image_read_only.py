"""The Dockerfile's last stage, as an unprivileged user and with nothing but /data writable.

There need not be any Docker: a mount namespace makes the rest of the machine read-only.
"""

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
import urllib.request
import venv
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from paths import ROOT

USER = 1000
DOCKERFILE = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
# All but one folder is read-only; then root becomes the user that the Dockerfile names.
READ_ONLY = """
mount --make-rprivate /
mount --bind "$DATA" "$DATA"
mount -o remount,bind,ro /
for place in /tmp /dev/shm /var/tmp "$BASE"; do
    mountpoint -q "$place" && mount -o remount,bind,ro "$place"
done
exec setpriv --reuid={user} --regid={user} --clear-groups --no-new-privs "$@"
"""


def why_not() -> str | None:
    """Return why a machine cannot do this; None if it can."""
    if os.name != "posix" or os.geteuid() != 0:
        return "only root can make a machine read-only for a process"
    if not all(map(shutil.which, ("unshare", "setpriv", "mountpoint"))):
        return "unshare and setpriv of util-linux are not installed here"
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode:
        return "this machine allows no mount namespaces"
    reads = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", sys.executable]
    if subprocess.run([*reads, "-c", "import gradio"], capture_output=True).returncode:
        return "another user cannot read the packages that are installed here"
    return None


WHY = why_not()
pytestmark = pytest.mark.skipif(WHY is not None, reason=str(WHY))


@pytest.fixture
def base() -> Iterator[Path]:
    """A folder that other users may enter."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def required() -> list[str]:
    """Return the packages that requirements.txt installs here."""
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    waiting = [Requirement(line) for line in lines if line and not line.startswith("#")]
    found: dict[str, str] = {}
    while waiting:
        each = waiting.pop()
        name = re.sub(r"[-_.]+", "-", each.name).lower()
        if each.extras or name not in found:
            try:
                asked = distribution(name).requires or []
            except PackageNotFoundError:  # of another system
                continue
            found[name] = name
            for line in map(Requirement, asked):
                wanted = [{"extra": extra} for extra in (*each.extras, "")]
                if line.marker is None or any(map(line.marker.evaluate, wanted)):
                    waiting += [line] if line.name != each.name else []
    return sorted(found)


def linked(folder: Path) -> Path:
    """Make a virtual environment with what requirements.txt installs, and nothing else of here."""
    venv.create(folder, symlinks=True)
    here = Path(sysconfig.get_path("purelib"))
    there = next(folder.glob("lib/python*/site-packages"))
    for name in required():
        for file in distribution(name).files or ():
            top = file.parts[0]
            if top not in ("..", "__pycache__") and not (there / top).exists():
                (there / top).symlink_to(here / top)
    return folder / "bin" / "python"


def copied(folder: Path) -> Path:
    """Do what the last stage's COPY does."""
    stage = DOCKERFILE[DOCKERFILE.rindex("FROM ") :]
    folder.mkdir()
    for source, target in re.findall(r"^COPY (\S+) (\S+)$", stage, re.MULTILINE):
        if (ROOT / source).is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "votes.sqlite*", "codes.json", "ledger")
            shutil.copytree(ROOT / source, folder / target, ignore=ignored)
        else:
            shutil.copy(ROOT / source, folder)
    return folder


def last(word: str) -> str:
    return re.findall(rf"^{word} (.*)$", DOCKERFILE, re.MULTILINE)[-1]


def test_nothing_but_the_data_folder_has_to_be_writable(base):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    python, app, data = linked(base / "venv"), copied(base / "app"), base / "data"
    data.mkdir()
    os.chown(data, USER, USER)
    own = dict(each.split("=", 1) for each in shlex.split(last("ENV")) if "=" in each)
    own |= {"SINKTRACK_DATA": str(data), "DATA": str(data), "HOME": str(data), "BASE": str(base)}
    own |= {"GRADIO_SERVER_NAME": "127.0.0.1", "GRADIO_SERVER_PORT": port}
    own |= {"CUDA_VISIBLE_DEVICES": "", "PATH": f"{python.parent}:/usr/sbin:/usr/bin:/sbin:/bin"}
    inside = ["unshare", "--mount", "sh", "-c", READ_ONLY.format(user=USER), "sh"]

    touch = "import pathlib; pathlib.Path({!r}).touch()"
    for place, kept in ((app / "x", False), (base / "x", False), (data / "x", True)):
        done = subprocess.run(
            [*inside, str(python), "-c", touch.format(str(place))], env=own, capture_output=True
        )
        assert (done.returncode == 0) == kept, done.stderr
    (data / "x").unlink()
    beside = subprocess.run([str(python), "-c", "import pytest"], env=own, capture_output=True)
    assert b"ModuleNotFoundError" in beside.stderr, "more is installed than requirements.txt says"

    name, *arguments = json.loads(last("CMD"))
    assert name == "python"
    with (base / "said").open("w") as said:
        page = subprocess.Popen(
            [*inside, str(python), *arguments], cwd=app, env=own, stdout=said, stderr=said
        )
    try:
        deadline = time.monotonic() + 180
        while not ready(f"http://127.0.0.1:{port}/readyz"):
            ended = page.poll() is not None or time.monotonic() > deadline
            assert not ended, (base / "said").read_text()
            time.sleep(0.5)
        check = json.loads(last("HEALTHCHECK").split("CMD", 1)[1])
        assert subprocess.run([str(python), *check[1:]], env=own).returncode == 0
        who = Path(f"/proc/{page.pid}/status").read_text()
        assert f"Uid:\t{USER}\t{USER}" in who
    finally:
        page.terminate()
        status = page.wait(60)
    text = (base / "said").read_text()
    assert status == 0 and "Traceback" not in text and "Read-only" not in text, text
    assert {each.name for each in data.iterdir()} >= {"uploads", "models", "tmp"}


def ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return bool(json.load(answer)["ready"])
    except OSError:
        return False
