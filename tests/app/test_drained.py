"""A page that is told to end lets work end, cuts what does not, and loses no vote."""

import contextlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest
from paths import ROOT

from app.shared.ending import Ending
from app.shared.engine import Engine
from app.shared.events import Answered, FilesReady, Refused
from app.shared.stop_flag import StopFlag
from app.shared.troubles import RESTARTS


@pytest.fixture(autouse=True)
def signals():
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def worker(ending: Ending, work: Callable[[], None]) -> threading.Thread:
    began = threading.Event()

    def run() -> None:
        with ending.under_way():
            began.set()
            work()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert began.wait(10)
    return thread


def test_work_under_way_ends_before_the_page_closes():
    ending, order = Ending(), []
    ending.last(lambda: order.append("last"))
    worker(ending, lambda: (time.sleep(0.3), order.append("work")))
    with ending.of(lambda: order.append("closed")):
        pass
    assert order == ["work", "closed", "last"]
    assert ending.begun and ending.left == 0


def test_work_that_goes_on_is_cut_and_then_left_alone():
    ending, gate = Ending(alone=0.2, cut=0.2), threading.Event()
    worker(ending, lambda: gate.wait(30))
    began = time.monotonic()
    with ending.of(lambda: None):
        pass
    assert time.monotonic() - began < 5
    assert ending.cut and ending.left == 1
    gate.set()


def test_a_page_that_does_not_close_holds_nothing_up():
    ending, gate = Ending(), threading.Event()
    began = time.monotonic()
    with ending.of(lambda: gate.wait(30)):
        pass
    assert time.monotonic() - began < 8
    gate.set()


def test_a_page_ends_well_when_its_model_cannot_be_loaded():
    closed = []
    with pytest.raises(OSError, match="no model"), Ending().of(lambda: closed.append(1)):
        raise OSError("no model")
    assert closed


def listen(engine: Engine, picture: str, events: list) -> threading.Thread:
    request = engine.request("What is there?", pictures=[picture], max_new_tokens=512)
    thread = threading.Thread(target=lambda: events.extend(engine.answer(request, StopFlag())))
    thread.start()
    return thread


def test_an_answer_is_cut_with_a_sentence_and_whoever_waits_is_told(endless, checkpoint, picture):
    first, second = [], []
    endless = Engine(*checkpoint, name="shapes-vl", ending=Ending(alone=1.0, cut=20))
    threads = [listen(endless, picture, first)]
    while not endless.ending.left:
        time.sleep(0.01)
    threads.append(listen(endless, picture, second))
    while endless.ending.left < 2:
        time.sleep(0.01)
    with endless.ending.of(lambda: None):
        pass
    for thread in threads:
        thread.join(30)
    (answered,) = [event for event in first if isinstance(event, Answered)]
    assert "about to restart" in answered.notices[-1]
    assert isinstance(first[-1], FilesReady)
    assert second[-1] == Refused(RESTARTS)
    request = endless.request("What is there?", pictures=[picture])
    assert list(endless.answer(request, StopFlag())) == [Refused(RESTARTS)]


FORKED = """
import os, signal, sys, time
from app.shared.ending import Ending
Ending().when_terminated()
child = os.fork()
if child == 0:
    try:
        print("forked", flush=True)
        time.sleep(60)
    finally:
        print("the child drained", flush=True)
    os._exit(0)
time.sleep(1)
os.kill(child, signal.SIGTERM)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
try:
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(60)
except KeyboardInterrupt:
    print("asked to end")
"""


DROPPED = """
import os, signal, time, weakref
from app.shared.ending import Ending
Ending().when_terminated()
class Thing: pass
thing = Thing()
kept = weakref.ref(thing, lambda _: os.kill(os.getpid(), signal.SIGTERM) or time.sleep(1))
try:
    del thing
    time.sleep(60)
except KeyboardInterrupt:
    print("asked to end")
"""


def test_an_end_that_python_drops_comes_again_without_a_traceback():
    done = subprocess.run(
        [sys.executable, "-c", DROPPED], cwd=ROOT, capture_output=True, text=True, timeout=30
    )
    assert (done.stdout, done.stderr) == ("asked to end\n", "")


def test_an_end_that_was_dropped_on_the_way_is_remembered(monkeypatch):
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    ending = Ending()
    ending.when_terminated()
    assert not ending.asked
    with contextlib.suppress(BaseException):  # as C code does that calls back
        signal.raise_signal(signal.SIGTERM)
    assert ending.asked


def test_a_forked_process_just_dies():
    """As those in which a ZeroGPU Space answers: the end of the page is its parent's business."""
    done = subprocess.run(
        [sys.executable, "-c", FORKED], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.splitlines() == ["forked", "-15", "asked to end"], done.stderr
