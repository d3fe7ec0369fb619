"""What is measured, as Prometheus reads it: right, whole, and of nobody's words."""

import logging
import re

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from app.shared.guesses import FREE
from app.shared.logs import REQUESTS, Entry
from app.shared.measures import BOUNDS, FAMILIES, MINUTES, Measures
from app.shared.metrics import Metrics, exposition
from app.shared.owner_code import OwnerCode

LINE = re.compile(r'([a-z_]+)(\{[a-z]+="[^"]*"(?:,[a-z]+="[^"]*")*\})? (-?[0-9.e+-]+)')


@pytest.fixture
def measures(clock):
    handler, log = Measures(clock), logging.getLogger(REQUESTS)
    before = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    yield handler
    log.removeHandler(handler)
    log.setLevel(before)


def samples(measures):
    """Read the text as its format's description says; return values by name and labels."""
    found, kinds = {}, {}
    for line in exposition(measures).splitlines():
        if line.startswith("#"):
            _, what, name, rest = line.split(" ", 3)
            assert name in FAMILIES
            if what == "TYPE":
                assert name not in kinds, "A family stands together."
                kinds[name] = rest
            continue
        name, labels, value = LINE.fullmatch(line).groups()
        assert next(reversed(kinds)) == re.sub("_(bucket|sum|count)$", "", name)
        assert (name, labels) not in found
        found[name, labels] = float(value)
    return found


def test_requests_are_counted_by_how_they_ended(measures):
    Entry("ask").end("answered", methods=2, tokens=12)
    Entry("ask").end("answered", methods=2, tokens=30)
    Entry("ask").refuse(ValueError("my secret"))
    Entry("upload").end("refused", status=413)
    told = Entry("explain").fail(KeyError("my secret"))
    found = samples(measures)
    name = "sinktrack_requests_total"
    assert found[name, '{event="ask",outcome="answered"}'] == 2
    assert found[name, '{event="ask",outcome="refused"}'] == 1
    assert found[name, '{event="upload",outcome="refused"}'] == 1
    assert found["sinktrack_errors_total", '{error="KeyError"}'] == 1
    assert found["sinktrack_tokens_total", None] == 42
    assert found["process_resident_memory_bytes", None] > 10_000_000
    assert found["process_start_time_seconds", None] == 60_000_000
    assert "secret" not in exposition(measures)
    [error] = measures.errors
    assert error.id in told and (error.event, error.kind) == ("explain", "KeyError")


def test_times_fall_into_the_parts_where_they_belong(measures):
    for seconds in (0.1, 0.2, 3.0, 10_000.0):
        measures.turn("answer", seconds, 2 * seconds)
    found = samples(measures)
    parts = [
        found["sinktrack_waiting_seconds_bucket", f'{{le="{bound}"}}']
        for bound in (*map(str, BOUNDS), "+Inf")
    ]
    assert parts == sorted(parts)
    assert parts[:2] == [1, 2] and parts[-2:] == [3, 4]
    assert found["sinktrack_waiting_seconds_sum", None] == pytest.approx(10_003.3)
    assert found["sinktrack_waiting_seconds_count", None] == 4
    assert found["sinktrack_turn_seconds_count", '{kind="answer"}'] == 4


def test_what_cannot_be_known_is_left_out(measures):
    measures.gauge("sinktrack_gpu_memory_bytes", lambda: None, state="free")
    assert "gpu" not in exposition(measures)
    measures.gauge("sinktrack_gpu_memory_bytes", lambda: 7, state='"\\')
    assert 'state="\\"\\\\"} 7' in exposition(measures)


def test_the_last_hour_is_known_minute_by_minute(measures, clock):
    Entry("ask").end("answered")
    Entry("upload").end("refused")  # is nothing that the model is asked
    clock.now += 60 * (MINUTES - 1)
    Entry("survey").end("stopped")
    minutes = measures.minutes()
    assert len(minutes) == MINUTES
    assert (minutes[0], minutes[-1]) == ({"answered": 1}, {"stopped": 1})
    clock.now += 60
    assert sum(sum(each.values()) for each in measures.minutes()) == 1


def client(measures, code=None):
    return TestClient(Metrics(Starlette(), measures, code))


def test_metrics_are_told_to_everybody_where_there_is_no_owner(measures):
    answer = client(measures).get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert client(measures).get("/other").status_code == 404
    assert client(measures).post("/metrics").status_code == 404


def test_with_an_owner_they_are_told_to_whoever_has_the_code(measures):
    asked = client(measures, OwnerCode("correct horse battery"))

    def get(said):
        return asked.get("/metrics", headers={"Authorization": said} if said else {})

    assert get("Bearer correct horse battery").status_code == 200
    assert get(None).status_code == 401
    for _ in range(FREE + 1):
        refused = get("Bearer wrong")
        assert refused.status_code == 401 and "sinktrack" not in refused.text
    waits = get("Bearer correct horse battery")
    assert waits.status_code == 401 and "Too many wrong codes" in waits.text
