"""The page starts on machines as people have them: behind proxies, beside other users."""

import os
import platform
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from paths import ROOT

from app.shared.machine import own_temporary_folder, without_proxies

ARENAS = """
import ctypes, sys, threading
from app.shared.machine import share_freed_memory
if "shared" in sys.argv:
    share_freed_memory()
meet = threading.Barrier(8)
def take():
    taken = [bytearray(4000) for _ in range(1000)]
    meet.wait()
threads = [threading.Thread(target=take) for _ in range(8)]
for each in threads:
    each.start()
for each in threads:
    each.join()
libc = ctypes.CDLL(None)
libc.malloc_info(0, ctypes.c_void_p.in_dll(libc, "stdout"))
libc.fflush(None)
"""
# On a shared machine nobody answers there.
NOWHERE = "http://127.0.0.1:9"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def fetched(url):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=5) as answer:
        return answer.read().decode()


@pytest.mark.parametrize(
    "proxies",
    [
        {"http_proxy": NOWHERE, "HTTP_PROXY": NOWHERE, "HTTPS_PROXY": NOWHERE},
        {"ALL_PROXY": "socks5://127.0.0.1:9", "NO_PROXY": "example.org"},
    ],
    ids=["http", "socks"],
)
def test_the_page_starts_behind_a_proxy(proxies, tmp_path):
    port = free_port()
    command = [sys.executable, "app.py", "--port", str(port)]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "TMPDIR": str(tmp_path)} | proxies
    environment.pop("GRADIO_TEMP_DIR", None)  # importing the page here has set it
    with (tmp_path / "said").open("w+") as said:
        page = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=said, stderr=said)
        try:
            until = time.monotonic() + 120
            while page.poll() is None and time.monotonic() < until:
                try:
                    assert "SinkTrack" in fetched(f"http://127.0.0.1:{port}/")
                    break
                except OSError:
                    time.sleep(0.2)
            said.seek(0)
            assert page.poll() is None, said.read()
            with pytest.raises(urllib.error.HTTPError, match="404"):
                fetched(f"http://127.0.0.1:{port}/gradio_api/runs")  # what others asked
        finally:
            page.kill()
            page.wait()
    assert [path.name for path in tmp_path.glob("sinktrack-*")]  # and not /tmp/gradio
    assert not (tmp_path / "gradio").exists()


def test_proxies_are_there_again_afterwards(monkeypatch):
    monkeypatch.setenv("https_proxy", NOWHERE)
    with without_proxies():
        assert "https_proxy" not in os.environ
    assert os.environ["https_proxy"] == NOWHERE


def test_a_temporary_folder_of_another_user_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    mine = own_temporary_folder()
    assert mine == own_temporary_folder() and os.access(mine, os.W_OK)
    assert Path(mine).stat().st_mode & 0o077 == 0  # nobody else sees what was uploaded
    if not hasattr(os, "getuid"):
        return
    real = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: real + 1)
    (tmp_path / f"sinktrack-{real + 1}").mkdir()  # made by somebody who knew the name
    other = own_temporary_folder()
    assert other != str(tmp_path / f"sinktrack-{real + 1}") and Path(other).is_dir()


def test_without_any_temporary_folder_nothing_breaks_here(monkeypatch):
    def nowhere():
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr("tempfile.gettempdir", nowhere)
    assert own_temporary_folder() is None


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no arenas")
def test_threads_share_what_others_have_freed():
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    arenas = []
    for words in ([], ["shared"]):
        command = [sys.executable, "-c", ARENAS, *words]
        said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        arenas.append(said.stdout.count("<heap nr="))
    assert arenas[0] > 2 and arenas[1] == 2
