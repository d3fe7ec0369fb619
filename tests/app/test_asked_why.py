"""What visitors ask about a token: checked, answered one at a time, and never worked out twice."""

import threading
from collections.abc import Callable, Iterator
from typing import Any, get_args

import pytest

import app.shared.why
import sinktrack
import sinktrack.why.explain
from app.compare.handlers import CompareHandlers
from app.compare.shelf import Shelf
from app.compare.take import Take
from app.shared.engine import Engine
from app.shared.events import Answered
from app.shared.stop_flag import StopFlag
from app.shared.why import BadQuestion, Question, What
from sinktrack.core.errors import SinkTrackError, TraceError

ASKED: dict[str, Any] = {"what": "explain", "key": "k", "at": 0}


@pytest.fixture
def key(engine: Engine, picture: str) -> str:
    """A comparison that the engine has kept."""
    request = engine.request("What is it?", pictures=[picture], max_new_tokens=4)
    events = engine.answer(request, StopFlag())
    [answered] = [event for event in events if isinstance(event, Answered)]
    assert answered.key is not None
    return answered.key


@pytest.mark.parametrize(
    "changes",
    [
        {"what": "run"},
        {"what": ["explain"]},
        {"key": None},
        {"key": 3},
        {"at": True},
        {"at": -1},
        {"at": 1.5},
        {"at": 2**40},
        {"layer": "1"},
        {"head": -1},
        {"lane": 3},
        {"positions": "3"},
        {"positions": [3, "4"]},
        {"positions": [-1]},
        {"positions": list(range(5000))},
        {"heads": 3.1},
        {"heads": "1.0+" * 40},
    ],
)
def test_what_is_no_question_is_refused_before_anything_runs(changes):
    with pytest.raises(BadQuestion, match="load it again"):
        Question.read(ASKED | changes)


@pytest.mark.parametrize("asked", [None, [], "explain", {}, 3])
def test_what_is_no_question_at_all_is_an_error_in_a_sentence(engine, tmp_path, asked):
    compare = CompareHandlers(engine, Take(str(tmp_path), set(), Shelf(tmp_path / "kept")))
    assert compare.why(asked) == {
        "error": "The page asked for nothing that can be told: load it again."
    }


def test_every_kind_of_question_is_answered_as_the_library_does(engine, checkpoint, key, tmp_path):
    compare = CompareHandlers(engine, Take(str(tmp_path), set(), Shelf(tmp_path / "kept")))

    def ask(**changes: Any) -> dict[str, Any]:
        return compare.why(ASKED | {"key": key, "at": 1} | changes)

    assert ask()["lanes"].keys() == {"baseline", "sinktrack"}
    looked = ask(what="looks", layer=3, head=1)["lanes"]["baseline"]
    assert looked["shape"][0] == 2 and looked["from"] == 0
    assert len(ask(what="maps")["lanes"]["baseline"]) == 1
    covered = ask(what="without", lane="baseline", positions=[5, 6])
    silenced = ask(what="without", lane="baseline", heads="2.1")
    assert covered["plain"] == pytest.approx(silenced["plain"], abs=1e-5)
    assert len(covered["instead"]) == 3
    relied = ask(what="reliance")["lanes"]
    assert relied.keys() == {"baseline", "sinktrack"}
    assert relied["baseline"]["plain"][1] == pytest.approx(covered["plain"], abs=1e-5)
    assert (
        "99.0, but the model has 12 layers"
        in ask(what="without", lane="baseline", heads="99.0")["error"]
    )
    assert "give heads" not in ask(what="without", lane="nobody", heads="2.1")["error"]
    assert "must name heads" in ask(what="without", lane="baseline", heads="__import__")["error"]
    assert "positions names [900]" in ask(what="without", lane="baseline", positions=[900])["error"]


def test_what_was_asked_is_not_worked_out_again(engine, key, monkeypatch):
    question = Question(what="explain", key=key, at=1)
    first = engine.why(question)
    monkeypatch.setattr(sinktrack.why.explain, "explain", None)  # nobody may call it
    again = engine.why(question)
    assert again == first and again is not first


def test_one_question_at_a_time_is_answered_about_a_comparison(engine, key, monkeypatch):
    """A page that asks a thousand times has one of them worked out, and waits for nothing."""
    begun, go = threading.Event(), threading.Event()
    plain = sinktrack.explain

    def slow(*given: Any) -> Any:
        begun.set()
        assert go.wait(20)
        return plain(*given)

    monkeypatch.setattr(sinktrack.why.explain, "explain", slow)
    question = Question(what="explain", key=key, at=1)
    told: list[dict[str, Any]] = []
    asking = threading.Thread(target=lambda: told.append(engine.why(question)))
    asking.start()
    assert begun.wait(20)
    with pytest.raises(TraceError, match="still working out what you asked before"):
        engine.why(Question(what="explain", key=key, at=2))
    go.set()
    asking.join()
    assert told[0]["at"] == 1
    assert engine.why(Question(what="explain", key=key, at=2))["at"] == 2


def test_a_question_that_fails_does_not_lock_the_comparison(engine, key):
    for _ in range(2):
        with pytest.raises(SinkTrackError, match="There is no token 50"):
            engine.why(Question(what="explain", key=key, at=50))


def test_answers_to_questions_do_not_fill_the_memory(engine, key, monkeypatch):
    monkeypatch.setattr(app.shared.why, "_CACHED", 60_000)
    for at in range(3):
        engine.why(Question(what="explain", key=key, at=at))
    kept = engine._why._cached
    assert sum(map(len, kept.values())) <= 60_000


@pytest.fixture
def after_a_step(checkpoint: tuple[Any, Any]) -> Iterator[Callable[..., list[int]]]:
    """Return what does something after every forward pass, and the list of those passes."""
    steps: list[int] = []
    hooks = []

    def add(work: Callable[[], Any]) -> list[int]:
        def hook(*_: Any) -> None:
            steps.append(1)
            work()

        hooks.append(checkpoint[0].get_decoder().register_forward_hook(hook))
        return steps

    yield add
    for each in hooks:
        each.remove()


@pytest.mark.parametrize("what", get_args(What))
def test_what_takes_too_long_ends_before_its_next_step(engine, key, after_a_step, what):
    longest = iter([1e-9])

    def late() -> None:
        engine._turns._longest = next(longest, 0)

    steps = after_a_step(late)
    positions = (5,) if what == "without" else ()
    question = Question(what=what, key=key, at=2, lane="baseline", positions=positions)
    with pytest.raises(SinkTrackError, match="was not worked out within 1e-09 seconds"):
        engine.why(question)
    assert len(steps) == 1
    engine._turns._longest = 0
    assert engine.why(question)  # and the next one is as ever
    assert len(steps) > 2


def test_what_is_under_way_ends_with_the_page(engine, key, after_a_step):
    steps = after_a_step(engine.ending._cut.set)
    with pytest.raises(SinkTrackError, match="about to restart"):
        engine.why(Question(what="explain", key=key, at=2))
    assert len(steps) == 1
