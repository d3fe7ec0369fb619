"""Whether the page answers and can work is told without a page, and costs strangers no work."""

import threading
import time
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from app.shared import health
from app.shared.ending import Ending
from app.shared.health import Health, writable


def client(checks, ending=None):
    return TestClient(Health(Starlette(), checks, ending or Ending()))


def broken():
    raise OSError("the database has gone")


def test_a_process_that_answers_is_alive_whatever_is_missing():
    asked = client({"model": broken})
    assert asked.get("/healthz").status_code == 200
    assert asked.head("/healthz").status_code == 200
    assert asked.get("/elsewhere").status_code == 404
    assert asked.post("/healthz").status_code == 404


@pytest.mark.parametrize(
    ("check", "status"), [(lambda: True, 200), (lambda: False, 503), (broken, 503)]
)
def test_a_page_is_ready_when_all_is_there(check, status):
    answer = client({"disk": lambda: True, "model": check}).get("/readyz")
    assert answer.status_code == status
    ready = status == 200
    checks = {"open": True, "disk": True, "model": ready}
    assert answer.json() == {"ready": ready, "checks": checks}
    assert "gone" not in answer.text


def test_a_page_that_ends_is_not_ready():
    ending = Ending(alone=0, cut=0)
    asked = client({}, ending)
    assert asked.get("/readyz").status_code == 200
    with ending.of(lambda: None):
        pass
    assert asked.get("/readyz").json()["checks"] == {"open": False}
    assert asked.get("/healthz").status_code == 200


def test_many_who_ask_make_one_check():
    counted = []
    asked = client({"disk": lambda: counted.append(1) is None})
    for _ in range(20):
        assert asked.get("/readyz").status_code == 200
    assert len(counted) <= 2


def test_a_check_that_hangs_is_an_answer(monkeypatch):
    monkeypatch.setattr(health, "_PATIENCE", 0.2)
    gate = threading.Event()
    began = time.monotonic()
    answer = client({"database": lambda: gate.wait(20)}).get("/readyz")
    gate.set()
    assert answer.status_code == 503 and answer.json()["checks"]["database"] is False
    assert time.monotonic() - began < 10


def test_a_folder_that_takes_nothing_is_told(tmp_path: Path):
    assert writable([tmp_path / "new" / "er"])
    assert not list((tmp_path / "new" / "er").iterdir())
    (tmp_path / "file").write_text("")
    answer = client({"disk": lambda: writable([tmp_path / "file"])}).get("/readyz")
    assert answer.status_code == 503
    assert str(tmp_path) not in answer.text


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(health.tempfile, "TemporaryFile", lambda **_: open("/dev/full", "wb"))  # noqa: SIM115
    assert client({"disk": lambda: writable([tmp_path])}).get("/readyz").status_code == 503
