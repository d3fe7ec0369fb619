"""A GPU that is lent: for how long, what happens when that is over, and when there is none."""

import inspect
import os
import pickle
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import gradio as gr
import pytest
from paths import ROOT

import app.shared.zero_gpu
from app.shared.engine import Engine
from app.shared.events import Answered, Failed, NotLent, Refused
from app.shared.gpu_time import GpuTime
from app.shared.request import Asked, Exchange, Request
from app.shared.stop_flag import StopFlag
from app.shared.survey import Survey
from app.shared.zero_gpu import on_lent_gpu
from sinktrack.eval.task import Item

QUESTION = "Is there a red circle?"
REQUEST = Request(asked=Asked(question=QUESTION, pictures=("a.png",)))
SIX = replace(REQUEST, methods=("baseline", "sinktrack", "vcd", "cad", "dola", "visual_boost"))


class Lender:
    """Lends at once and to everybody, unless it raises."""

    def __init__(self, refusal: Exception | None = None) -> None:
        self.loans: list[int] = []
        self._refusal = refusal

    def GPU(self, duration: Callable[..., int]) -> Any:  # noqa: N802
        def wrap(task: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
            assert inspect.isgeneratorfunction(task)  # what spaces.GPU tells generators by

            def lend(*arguments: Any) -> Iterator[Any]:
                self.loans.append(duration(*arguments))
                if self._refusal is not None:
                    raise self._refusal
                for event in task(*pickle.loads(pickle.dumps(arguments))):
                    yield pickle.loads(pickle.dumps(event))

            return lend

        return wrap


@pytest.fixture
def lender(monkeypatch):
    def lend(refusal=None):
        found = Lender(refusal)
        monkeypatch.setattr(app.shared.zero_gpu, "spaces", found)
        return found

    return lend


def refused(lender, message, title, asked=REQUEST):
    lender(gr.Error(message, title=title, print_exception=False))
    answers = on_lent_gpu(lambda *_: iter(()), GpuTime())
    return list(answers(asked, StopFlag()))[-1]


def quota(requested, left):
    return f"You have exceeded your ZeroGPU quota ({requested}s requested vs. {left}s left). Try"


def test_every_answer_runs_inside_the_loan(checkpoint, picture, lender):
    platform = lender()
    engine = Engine(*checkpoint, name="shapes-vl")
    for tokens in (2, 100):
        request = engine.request(QUESTION, pictures=[picture], max_new_tokens=tokens)
        events = list(engine.answer(request, StopFlag()))
        assert sum(isinstance(event, Answered) for event in events) == 1
    assert 0 < platform.loans[0] < platform.loans[1] <= 20  # seconds


def test_an_answer_ends_before_the_loan_does_and_says_so(endless, picture, lender, monkeypatch):
    lender()
    monkeypatch.setattr(GpuTime, "of_work", lambda *_: 1.5)
    engine = Engine(endless._model, endless._processor, name="shapes-vl")
    request = engine.request(QUESTION, pictures=[picture], max_new_tokens=512)
    (answered,) = [e for e in engine.answer(request, StopFlag()) if isinstance(e, Answered)]
    assert "The GPU was lent for 4 s" in answered.notices[-1]
    assert '"finish": "stopped"' in answered.payload


def test_a_loan_too_short_for_a_word_is_a_sentence(engine, picture, lender, monkeypatch):
    lender()
    monkeypatch.setattr(GpuTime, "of_work", lambda *_: -1.0)
    other = Engine(engine._model, engine._processor, name="shapes-vl")
    request = other.request(QUESTION, pictures=[picture])
    last = list(other.answer(request, StopFlag()))[-1]
    assert isinstance(last, Refused) and "nothing was written by then" in last.sentence


def test_who_has_too_little_left_is_offered_what_fits(lender):
    seconds = GpuTime().to_ask(REQUEST)
    last = refused(lender, quota(round(1.5 * seconds), 12), "ZeroGPU quota exceeded")
    assert isinstance(last, NotLent)
    assert f"{seconds} s of a GPU were asked for, which count as {round(1.5 * seconds)} s" in (
        last.sentence
    )
    assert 1.5 * last.seconds <= 12
    assert last.shorter == replace(REQUEST, max_new_tokens=64)


def test_nothing_is_offered_where_nothing_fits(lender):
    last = refused(lender, quota(18, 1), "ZeroGPU quota exceeded")
    assert last.shorter is None and last.seconds == 0 and "1s left" in last.sentence


@pytest.mark.parametrize(
    ("message", "title", "offers"),
    [
        ("The requested GPU duration (90s) is larger than", "ZeroGPU illegal duration", True),
        ("Space app has reached its GPU limit.", "ZeroGPU quota exceeded", True),
        ("No GPU was available after 60s", "ZeroGPU queue timeout", True),
        ("GPU task aborted", "ZeroGPU worker error", True),
        ("Expired ZeroGPU proxy token", "ZeroGPU client error", False),
    ],
)
def test_what_else_the_platform_says_is_told(lender, message, title, offers):
    last = refused(lender, message, title, SIX)
    assert isinstance(last, NotLent) and message in last.sentence
    assert (last.shorter is not None) == offers
    if offers:
        assert last.seconds <= GpuTime().to_ask(SIX) / 2


def test_an_error_of_ours_in_the_loan_is_none_of_the_platform_s(lender):
    last = refused(lender, "PicklingError", "ZeroGPU worker error")
    assert isinstance(last, Failed) and "Pickling" not in last.sentence


def test_more_of_anything_needs_more_time():
    times = GpuTime()
    long = replace(REQUEST.asked, passage="word " * 20_000)
    more = [
        replace(REQUEST, max_new_tokens=256),
        SIX,
        replace(REQUEST, asked=long),
        replace(REQUEST, asked=replace(REQUEST.asked, pictures=("a.png", "b.png"))),
        replace(REQUEST, history=(Exchange(asked=long, answer="yes", by="x"),)),
    ]
    assert all(times.of_work(each) > times.of_work(REQUEST) for each in more)


def test_the_longest_that_is_left_is_offered_first():
    times = GpuTime()
    asked = replace(SIX, max_new_tokens=512)
    offered = times.shorter(asked, times.to_ask(asked) - 1)
    assert offered is not None
    assert times.to_ask(offered) <= times.to_ask(asked) - 1
    assert len(offered.methods) == 2 or offered.max_new_tokens == 256
    told = replace(REQUEST, beginnings=(("baseline", tuple(range(100))),))
    assert times.shorter(told, times.to_ask(told) - 1) is None  # 100 words are told already


def test_the_time_follows_what_was_seen_here():
    times = GpuTime()
    before = times.to_ask(REQUEST)
    times.saw(REQUEST, 1000.0, 3)  # too few steps to tell
    assert times.to_ask(REQUEST) == before
    slow = replace(REQUEST, seed=1)
    for steps in (16, 32):
        times.saw(slow, steps * 0.2, steps)
    after = times.to_ask(REQUEST)
    assert after > 2 * before
    for seed in range(8):
        times.saw(replace(REQUEST, seed=seed), 16 * 0.02, 16)
    assert times.to_ask(REQUEST) < before


def test_a_survey_asks_for_a_minute_at_most():
    items = tuple(Item(id=str(n), question="?", answer="yes") for n in range(200))
    many, few = (Survey(title="t", items=items[:n]) for n in (200, 20))
    times = GpuTime()
    assert times.to_ask(few) < times.to_ask(many) <= 63


def test_a_flag_rises_by_itself_when_its_time_is_over():
    flag = StopFlag()
    flag.end_after(60)
    assert not flag.is_set() and not flag.ran_out
    flag.end_after(0)
    time.sleep(0.001)
    assert flag.is_set() and flag.ran_out
    assert not pickle.loads(pickle.dumps(StopFlag())).is_set()
    flag.set()


@pytest.mark.parametrize(("more", "lends"), [({}, False), ({"SPACES_ZERO_GPU": "true"}, True)])
def test_a_space_with_hardware_of_its_own_borrows_nothing(more, lends):
    """The package is installed on every Space."""
    path = os.pathsep.join(map(str, (ROOT / "tests" / "zero_gpu", ROOT)))
    program = "from app.shared.zero_gpu import lends_gpu; print(lends_gpu())"
    own = os.environ | {"SPACE_ID": "someone/space", "PYTHONPATH": path} | more
    done = subprocess.run([sys.executable, "-c", program], env=own, capture_output=True, text=True)
    assert done.stdout.strip() == str(lends), done.stderr
