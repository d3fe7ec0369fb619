"""Turns at the model: one for each visitor, within limits, and whatever goes wrong in them."""

import logging
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import torch

import app.shared.why
import sinktrack
from app.shared.engine import Engine
from app.shared.events import Answered, Failed, FilesReady, Refused, Waiting, Writing
from app.shared.limits import Limits
from app.shared.logs import answered
from app.shared.memory import is_out_of_memory, let_go
from app.shared.request_queue import ONE_PLACE, PUT_OUT
from app.shared.stop_flag import StopFlag
from app.shared.troubles import too_long
from app.shared.visitors import Visitor, asking
from app.shared.why import Question
from sinktrack.core.errors import DeviceMemoryError

QUESTION = "Describe the picture."
SOMEBODY = Visitor("8.8.8.8", "tab")


def last(engine, picture, visitor=SOMEBODY, **options):
    with asking(visitor):
        request = engine.request(QUESTION, pictures=[picture], **{"max_new_tokens": 2} | options)
        return list(engine.answer(request, StopFlag()))[-1]


def test_a_second_question_of_one_visitor_is_refused_and_others_wait(engine, picture):
    request = engine.request(QUESTION, pictures=[picture], max_new_tokens=2)
    with asking(SOMEBODY):
        first = engine.answer(request, StopFlag())
        next(first)
        assert last(engine, picture) == Refused(ONE_PLACE)
    with asking(Visitor("8.8.8.8", "another tab")):
        other = engine.answer(request, StopFlag())
        assert next(other) == Waiting(1)
    for each in (first, other):
        assert isinstance(list(each)[-1], FilesReady)
    assert isinstance(last(engine, picture), FilesReady)


def test_whoever_is_put_out_is_told_why_and_stops(checkpoint, picture):
    engine = Engine(*checkpoint, name="shapes-vl", queue_size=2)
    request = engine.request(QUESTION, pictures=[picture], max_new_tokens=2)
    answers = []
    for number in range(3):
        with asking(Visitor("9.9.9.9", f"session {number}")):
            answers.append(engine.answer(request, StopFlag()))
            next(answers[-1])
    with asking(SOMEBODY):
        modest = engine.answer(request, StopFlag())
        assert next(modest) == Waiting(1)  # goes before the others of that address
    assert list(answers[2])[-1] == Refused(PUT_OUT)
    list(answers[0])
    assert isinstance(list(modest)[-1], FilesReady)
    counted = engine.measures.values()
    assert counted["sinktrack_turned_away_total", (("limit", "put out"),)] == 1
    answers[1].close()
    assert engine.queue.served is None


def test_limits_hold_for_answers_and_for_what_is_asked_about_them(checkpoint, picture):
    engine = Engine(*checkpoint, name="shapes-vl", limits=Limits(questions=2, model_seconds=0))
    for session in ("a", "b"):
        assert isinstance(last(engine, picture, Visitor("8.8.8.8", session)), FilesReady)
    refused = last(engine, picture, Visitor("8.8.8.8", "c"))
    assert isinstance(refused, Refused) and "2 questions came" in refused.sentence
    assert engine.queue.served is None
    assert isinstance(last(engine, picture, Visitor("9.9.9.9", "a")), FilesReady)

    used = Engine(*checkpoint, name="shapes-vl", limits=Limits(model_seconds=1))
    request = used.request(QUESTION, pictures=[picture], max_new_tokens=2)
    with asking(SOMEBODY):
        events = list(used.answer(request, StopFlag()))
        [key] = [event.key for event in events if isinstance(event, Answered)]
        used.limits.used(SOMEBODY, 1)
        with pytest.raises(sinktrack.SinkTrackError, match="the model has worked 1 second"):
            used.why(Question(what="explain", key=key, at=0))
    assert used.why(Question(what="explain", key=key, at=0))["at"] == 0  # nobody in particular


def slowly(monkeypatch):
    plain = sinktrack.stream

    def stream(*given: Any, **options: Any) -> Iterator[Any]:
        for step in plain(*given, **options):
            time.sleep(0.05)
            yield step

    monkeypatch.setattr(sinktrack, "stream", stream)


def test_an_answer_that_takes_too_long_ends_and_keeps_what_was_written(
    endless, checkpoint, picture, monkeypatch
):
    slowly(monkeypatch)
    engine = Engine(*checkpoint, name="shapes-vl", longest=0.5)
    request = engine.request(QUESTION, pictures=[picture], max_new_tokens=500)
    events = list(engine.answer(request, StopFlag()))
    [told] = [event for event in events if isinstance(event, Answered)]
    assert any(isinstance(event, Writing) for event in events)
    assert '"finish": "stopped"' in told.payload
    assert "not come to its end within 0.5 seconds" in told.notices[-1]
    assert isinstance(events[-1], FilesReady)
    unhurried = Engine(*checkpoint, name="shapes-vl", longest=0)
    assert isinstance(last(unhurried, picture, max_new_tokens=20), FilesReady)


def test_an_answer_that_has_not_begun_in_time_is_refused(engine, picture, monkeypatch):
    def stuck(*given: Any, stop: Any, **options: Any) -> Iterator[Any]:
        while not stop():
            time.sleep(0.01)
        return
        yield

    monkeypatch.setattr(sinktrack, "stream", stuck)
    engine._turns._longest = 0.3
    refused = last(engine, picture)
    assert (
        isinstance(refused, Refused) and "Nothing was answered within 0.3 sec" in refused.sentence
    )


def test_an_answer_that_ended_by_itself_is_not_said_to_be_cut():
    """Though the time was over just before its end."""
    whole = Answered('{"lanes": [{"finish": "end"}]}', {})
    assert too_long(whole, 5) == whole
    cut = Answered('{"lanes": [{"finish": "end"}, {"finish": "stopped"}]}', {})
    assert "within 5 seconds" in too_long(cut, 5).notices[-1]


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        MemoryError(),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 9 bytes"),
    ],
)
def test_too_little_memory_is_said_with_what_to_lower(engine, picture, monkeypatch, error):
    def stream(*given: Any, **options: Any) -> Iterator[Any]:
        raise error
        yield

    freed = []
    monkeypatch.setattr("app.shared.engine.free_gpu", lambda: freed.append(1))
    with monkeypatch.context() as patch:
        patch.setattr(sinktrack, "stream", stream)
        failed = last(engine, picture)
    assert isinstance(failed, Failed) and freed == [1]
    assert "ran out of memory on 2 methods, answers of up to 2 tokens and 1 pict" in failed.sentence
    assert "choose fewer methods, shorter answers" in failed.sentence
    assert isinstance(last(engine, picture), FilesReady)


def test_what_the_library_says_of_memory_is_kept(engine, picture, monkeypatch):
    def stream(*given: Any, **options: Any) -> Iterator[Any]:
        raise DeviceMemoryError("The device ran out of memory on 16 image tokens.")
        yield

    monkeypatch.setattr(sinktrack, "stream", stream)
    failed = last(engine, picture)
    assert isinstance(failed, Failed) and failed.sentence.endswith("on 16 image tokens.")


def test_an_error_lets_go_of_what_filled_the_memory():
    class Large:
        pass

    gone = threading.Event()

    def work():
        large = Large()
        large.gone = type("Gone", (), {"__del__": lambda self: gone.set()})()
        raise MemoryError

    try:
        work()
    except MemoryError as error:
        assert not gone.is_set()
        let_go(error)
        assert gone.is_set()
    assert not is_out_of_memory(RuntimeError("shapes differ"))


def test_a_why_question_without_memory_says_so_and_does_not_lock(engine, picture, monkeypatch):
    request = engine.request(QUESTION, pictures=[picture], max_new_tokens=2)
    [key] = [e.key for e in engine.answer(request, StopFlag()) if isinstance(e, Answered)]
    question = Question(what="explain", key=key, at=0)

    def full(*given: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA")

    with monkeypatch.context() as patch:
        patch.setattr(app.shared.why, "_told", full)
        said = answered({"what": "explain"}, ("explain",), lambda: engine.why(question))
    assert said["error"].startswith("The device ran out of memory: choose fewer methods")
    assert engine.why(question)["at"] == 0


def test_what_happened_is_counted(engine, picture, caplog):
    caplog.set_level(logging.INFO, "app.requests")
    last(engine, picture)
    times = {name: each for (name, _), each in engine.measures.histograms().items()}
    assert sum(times["sinktrack_turn_seconds"].counts) == 1
    assert sum(times["sinktrack_waiting_seconds"].counts) == 1
    values = engine.measures.values()
    assert values["sinktrack_queue_waiting", ()] == values["sinktrack_queue_served", ()] == 0
    assert values["sinktrack_queue_places", ()] == 32 and values["sinktrack_model_ready", ()] == 1
