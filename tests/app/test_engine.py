"""One model, one answer at a time, whatever visitors and models do."""

import base64
import io
import json
import pickle
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from paths import CHECKPOINT

import app.shared.engine
import sinktrack
from app.shared.engine import Engine
from app.shared.events import (
    Answered,
    Event,
    Failed,
    FilesReady,
    Heartbeat,
    LoadingModel,
    ReadingPrompt,
    Refused,
    Stopped,
    Waiting,
    Writing,
)
from app.shared.request import Request
from app.shared.settings import GIB, Settings
from app.shared.stop_flag import StopFlag
from app.shared.why import Question
from sinktrack.core.errors import ModelError, PictureError, PromptError, TraceError
from sinktrack.core.names import BUNDLED
from sinktrack.core.trace import AttentionTrace
from sinktrack.report.replay import read_replay

QUESTION = "Describe the picture."


def run(engine: Engine, request: Request, stop: StopFlag | None = None) -> list[Event]:
    return list(engine.answer(request, stop or StopFlag()))


def result(events: list[Event]) -> dict[str, Any]:
    *_, answered, files = (event for event in events if not isinstance(event, Heartbeat))
    assert isinstance(files, FilesReady), files
    assert isinstance(answered, Answered), answered
    return json.loads(answered.payload)


def workers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "answer"]


class Recorded:
    """Stands before `sinktrack.stream` and notes when each answer began, stepped and ended."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.log: list[tuple[str, str]] = []
        self._stream = sinktrack.stream
        monkeypatch.setattr(sinktrack, "stream", self)

    def __call__(self, *args: Any, question: str, **options: Any) -> Iterator[Any]:
        self.log.append(("begin", question))
        for step in self._stream(*args, question=question, **options):
            self.log.append(("step", question))
            yield step
        self.log.append(("end", question))


def test_an_explanation_is_that_of_the_library(engine, checkpoint, picture):
    events = run(engine, engine.request(QUESTION, pictures=[picture], max_new_tokens=6))
    [answered] = [event for event in events if isinstance(event, Answered)]
    comparison = sinktrack.compare(*checkpoint, image=picture, question=QUESTION, max_new_tokens=6)
    said = engine.why(Question(what="explain", key=answered.key, at=4))
    for name, expected in sinktrack.explain(*checkpoint, comparison, 4).items():
        lane = said["lanes"][name]
        assert lane["lens"]["ranks"] == expected.ranks.tolist()
        assert lane["lens"]["texts"][-1][0] == expected.lens[-1][0].text
        assert lane["attention"]["shape"] == list(expected.attention.shape)
        packed = np.frombuffer(base64.b64decode(lane["attention"]["bytes"]), "<u2")
        found = torch.tensor(packed.astype("float32") / 65534).view(expected.attention.shape)
        assert (found - expected.attention).abs().max() < 1e-4
        words = lane["prompt"]
        assert len(words["texts"]) == len(words["parts"]) == len(comparison.prompt)
        assert [text is None for text in words["texts"]] == [p == "image" for p in words["parts"]]
    json.dumps(said, allow_nan=False)
    with pytest.raises(TraceError, match="There is no token 6"):
        engine.why(Question(what="explain", key=answered.key, at=6))
    with pytest.raises(TraceError, match="The server no longer has this answer: ask again"):
        engine.why(Question(what="explain", key="another", at=0))


def test_the_answers_are_those_of_the_library(engine, checkpoint, picture):
    data = result(run(engine, engine.request(QUESTION, pictures=[picture], max_new_tokens=12)))
    expected = sinktrack.compare(*checkpoint, image=picture, question=QUESTION, max_new_tokens=12)
    assert {lane["name"]: lane["text"] for lane in data["lanes"]} == {
        name: answer.text for name, answer in expected.items()
    }
    assert data["model"] == "shapes-vl"


def test_events_survive_pickling_and_come_in_order(endless, picture):
    events = run(endless, endless.request(QUESTION, pictures=[picture], max_new_tokens=64))
    assert pickle.loads(pickle.dumps(events)) == events
    kinds = [type(event) for event in events if not isinstance(event, Heartbeat)]
    ranks = [[ReadingPrompt, Writing, Answered, FilesReady].index(kind) for kind in kinds]
    assert ranks == sorted(ranks) and Writing in kinds
    texts = [event.texts["baseline"] for event in events if isinstance(event, Writing)]
    assert all(later.startswith(earlier) for earlier, later in zip(texts, texts[1:], strict=False))


def test_the_methods_on_the_page_are_those_of_the_answer(engine, picture):
    methods = ("vcd:alpha=0.5", "sinktrack:context=instruction,inject_at=3+6", "sinktrack")
    request = engine.request(QUESTION, pictures=[picture], max_new_tokens=2, methods=methods)
    lanes = result(run(engine, request))["lanes"]
    promised = engine.lane_titles(methods)
    assert [{k: lane[k] for k in ("name", "title", "subtitle")} for lane in lanes] == promised
    assert [lane["title"] for lane in lanes] == [
        "VCD",
        "SinkTrack · context=instruction,inject_at=3+6",
        "SinkTrack",
    ]
    assert lanes[0]["method"]["alpha"] == 0.5
    assert lanes[1]["method"]["context"] == "instruction" and lanes[1]["injected"] == [3, 6]


def test_what_is_taken_away_holds_the_answers(engine, picture, tmp_path):
    request = engine.request(QUESTION, pictures=[picture], max_new_tokens=8)
    events = run(engine, request)
    answered = [lane["ids"] for lane in result(events)["lanes"]]
    with zipfile.ZipFile(io.BytesIO(events[-1].traces)) as archive:
        archive.extractall(tmp_path)
    traces = [AttentionTrace.load(path) for path in sorted(tmp_path.glob("*.safetensors"))]
    assert [[token.id for token in trace.tokens] for trace in traces] == answered
    (tmp_path / "replay.json").write_bytes(events[-1].replay)
    replay = read_replay(tmp_path / "replay.json")
    assert list(replay.token_ids.values()) == [tuple(ids) for ids in answered]


def test_files_that_cannot_be_written_leave_the_answer(engine, picture, monkeypatch):
    def full(*args: Any) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("app.shared.downloads._traces", full)
    events = run(engine, engine.request(QUESTION, pictures=[picture], max_new_tokens=2))
    assert result(events)["lanes"]
    assert events[-1] == FilesReady(traces=None, replay=None)


def test_a_question_waits_until_the_model_is_there(monkeypatch, picture):
    monkeypatch.setattr(app.shared.engine, "gpu_memory", lambda: None)
    engine = Engine.choose(Settings())
    assert not engine.ready and not engine.anchored
    assert [lane["subtitle"] for lane in engine.lane_titles()] == ["", ""]
    answering = engine.answer(
        engine.request(QUESTION, pictures=[picture], max_new_tokens=2), StopFlag()
    )
    assert next(answering) == LoadingModel()
    said: list[str] = []

    def say(doing: str) -> None:
        said.append(doing)
        assert engine.loading == doing and not engine.ready

    engine.load(say)
    assert said[-1].startswith("loading weights, ") and engine.loading == ""
    assert engine.anchored
    assert isinstance(list(answering)[-1], FilesReady)


def test_a_full_line_is_refused_and_everybody_knows_their_place(checkpoint, picture):
    engine = Engine(*checkpoint, name="shapes-vl", queue_size=1)
    request = engine.request(QUESTION, pictures=[picture], max_new_tokens=2)
    first = engine.answer(request, StopFlag())
    next(first)
    second = engine.answer(request, StopFlag())
    assert next(second) == Waiting(ahead=1)
    [refused] = engine.answer(request, StopFlag())
    assert isinstance(refused, Refused) and "Too many people" in refused.sentence
    list(first)
    assert isinstance(list(second)[-1], FilesReady)
    result(run(engine, request))


def test_sampling_is_repeated_by_its_seed(engine, picture):
    def texts(seed: int) -> list[str]:
        request = engine.request(
            QUESTION,
            pictures=[picture],
            max_new_tokens=12,
            do_sample=True,
            temperature=2.0,
            seed=seed,
        )
        return [lane["text"] for lane in result(run(engine, request))["lanes"]]

    first = texts(1)
    assert texts(1) == first
    assert any(texts(seed) != first for seed in (2, 3, 4))


def test_stop_ends_within_a_step_and_keeps_what_was_written(endless, picture, monkeypatch):
    recorded = Recorded(monkeypatch)
    stop, steps_at_stop = StopFlag(), -1
    events = []
    for event in endless.answer(
        endless.request(QUESTION, pictures=[picture], max_new_tokens=512), stop
    ):
        events.append(event)
        if isinstance(event, Writing) and steps_at_stop < 0:
            stop.set()
            steps_at_stop = recorded.log.count(("step", QUESTION))
    lanes = result(events)["lanes"]
    assert {lane["finish"] for lane in lanes} == {"stopped"}
    # One step may have been under way, and one may have ended just before the flag was seen.
    assert recorded.log.count(("step", QUESTION)) <= steps_at_stop + 2 < 512


def test_an_answer_that_never_began_is_stopped(engine, picture, monkeypatch):
    monkeypatch.setattr(sinktrack, "stream", lambda *_, **__: iter(()))
    assert run(engine, engine.request(QUESTION, pictures=[picture]))[-1] == Stopped()


def test_an_abandoned_answer_ends_before_the_next_begins(endless, picture, monkeypatch):
    recorded = Recorded(monkeypatch)
    abandoned = endless.answer(
        endless.request("first", pictures=[picture], max_new_tokens=512), StopFlag()
    )
    assert any(isinstance(event, Writing) for event in abandoned)
    abandoned.close()
    assert workers() == []
    result(run(endless, endless.request("second", pictures=[picture], max_new_tokens=2)))
    assert recorded.log.index(("end", "first")) < recorded.log.index(("begin", "second"))
    assert recorded.log.count(("step", "first")) < 512


def test_two_at_once_take_turns_and_get_their_own_answers(engine, draw, monkeypatch):
    pictures = [draw("a.png"), draw("b.png", "rectangle", "blue")]
    requests = [
        engine.request(question, pictures=[picture], max_new_tokens=16)
        for picture, question in zip(pictures, ("What is it?", QUESTION), strict=True)
    ]

    def shown(events: list[Event]) -> list[tuple[str, str]]:
        return [(lane["text"], lane["sink"]) for lane in result(events)["lanes"]]

    alone = [shown(run(engine, request)) for request in requests]
    recorded = Recorded(monkeypatch)
    together: dict[int, list[Event]] = {}

    def visit(index: int) -> None:
        together[index] = run(engine, requests[index])

    visitors = [threading.Thread(target=visit, args=(index,)) for index in (0, 1)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()
    assert [shown(together[index]) for index in (0, 1)] == alone
    kinds = [kind for kind, _ in recorded.log if kind != "step"]
    assert kinds == ["begin", "end", "begin", "end"]


def test_stop_while_waiting_ends_at_once(endless, picture):
    first = endless.answer(
        endless.request("first", pictures=[picture], max_new_tokens=512), StopFlag()
    )
    next(event for event in first if isinstance(event, Writing))
    stop = StopFlag()
    waiting = endless.answer(endless.request("second", pictures=[picture]), stop)
    assert isinstance(next(waiting), Waiting)
    stop.set()
    assert list(waiting)[-1] == Stopped()
    first.close()


def test_a_flag_reaches_another_process():
    flag = StopFlag()
    elsewhere = pickle.loads(pickle.dumps(flag))
    assert not elsewhere.is_set()
    flag.set()
    assert elsewhere.is_set()
    elsewhere.set()  # twice is no error


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"question": "  \n"}, PromptError, "blank"),
        ({"question": None}, PromptError, "blank"),
        ({"pictures": []}, PromptError, "no picture"),
        ({"pictures": ["/tmp/gone.png"]}, PictureError, "^gone.png is no longer on the server"),
        ({"max_new_tokens": 513}, PromptError, "1 to 512 tokens"),
        ({"max_new_tokens": 0}, PromptError, "1 to 512 tokens"),
        ({"do_sample": True, "temperature": 0.0}, PromptError, "above 0"),
    ],
)
def test_what_cannot_be_answered_is_refused_before_the_model(
    engine, picture, options, error, words
):
    with pytest.raises(error, match=words):
        engine.request(**({"pictures": [picture], "question": QUESTION} | options))


def failing(error: Exception) -> Callable[..., Iterator[Any]]:
    def stream(*args: Any, **options: Any) -> Iterator[Any]:
        raise error
        yield

    return stream


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (torch.OutOfMemoryError("CUDA"), Failed, "ran out of memory"),
        (PromptError("The question has 9 tokens."), Refused, "The question has 9 tokens."),
        (KeyError("secret"), Failed, "try again"),
    ],
)
def test_an_answer_that_fails_is_a_sentence_and_the_next_one_works(
    engine, picture, monkeypatch, error, kind, words
):
    request = engine.request(QUESTION, pictures=[picture], max_new_tokens=2)
    with monkeypatch.context() as patch:
        patch.setattr(sinktrack, "stream", failing(error))
        last = run(engine, request)[-1]
    assert isinstance(last, kind) and words in last.sentence and "secret" not in last.sentence
    result(run(engine, request))


def test_a_listener_hears_something_while_the_model_is_slow(engine, picture, monkeypatch):
    def slow(*args: Any, stop: Callable[[], bool], **options: Any) -> Iterator[Any]:
        while not stop():
            time.sleep(0.01)
        return
        yield

    monkeypatch.setattr(sinktrack, "stream", slow)
    answer = engine.answer(engine.request(QUESTION, pictures=[picture]), StopFlag())
    began = time.monotonic()
    heard = [type(next(answer)) for _ in range(4)]
    assert (
        heard == [ReadingPrompt, Heartbeat, Heartbeat, Heartbeat] and time.monotonic() - began < 2
    )
    answer.close()
    assert workers() == []


def started(settings: Settings) -> Engine:
    engine = Engine.choose(settings)
    engine.load()
    return engine


def loader(checkpoint: tuple[Any, Any], failing_name: str) -> Callable[..., tuple[Any, Any]]:
    def load(name: str, *, say: Callable[[str], None]) -> tuple[Any, Any]:
        if name == failing_name:
            raise ModelError(f"{name} cannot be reached.")
        return checkpoint

    return load


def test_without_a_gpu_the_bundled_model_says_that_it_is_one(checkpoint, monkeypatch):
    monkeypatch.setattr(app.shared.engine, "gpu_memory", lambda: None)
    monkeypatch.setattr(sinktrack, "load", loader(checkpoint, ""))
    engine = started(Settings())
    assert engine.bundled and engine.name == CHECKPOINT.name and "no CUDA GPU" in engine.notice


def test_an_unreachable_hub_leaves_the_bundled_model_and_the_reason(checkpoint, monkeypatch):
    chosen = "Qwen/Qwen2.5-VL-7B-Instruct"
    monkeypatch.setattr(app.shared.engine, "gpu_memory", lambda: 24 * GIB)
    monkeypatch.setattr(sinktrack, "load", loader(checkpoint, chosen))
    engine = started(Settings())
    assert engine.bundled and engine.name == CHECKPOINT.name
    assert f"{chosen} cannot be reached." in engine.notice


def test_a_model_that_was_asked_for_is_never_replaced(checkpoint, monkeypatch):
    monkeypatch.setattr(sinktrack, "load", loader(checkpoint, "some/model"))
    with pytest.raises(ModelError, match="some/model cannot be reached"):
        started(Settings(model="some/model"))
    assert not started(Settings(model="other/model")).bundled
    assert started(Settings(model=str(BUNDLED))).bundled
