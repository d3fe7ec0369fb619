"""What is counted while a page runs: how requests ended, how long they took, who waited.

No measure holds what somebody typed or uploaded. Knows nothing about models or pages.
"""

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from app.shared.memory import resident_bytes

Labels = tuple[tuple[str, str], ...]
"""Names and values that tell measures of one family apart."""
BOUNDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 640.0)
"""Seconds up to which the parts of a histogram reach."""
ASKED = ("ask", "survey", "explain", "looks", "maps", "without", "reliance")
"""What visitors ask the model, as the log calls it."""
MINUTES = 60
"""For so many minutes it is known how requests ended in each."""


@dataclass(frozen=True)
class Family:
    """Measures of one name.

    Args:
        kind: As Prometheus calls it.
        about: What is measured, for people.
    """

    kind: Literal["counter", "gauge", "histogram"]
    about: str


FAMILIES = {
    "sinktrack_requests_total": Family("counter", "Requests that have ended, by how."),
    "sinktrack_request_seconds": Family("histogram", "Seconds from a request to its end."),
    "sinktrack_waiting_seconds": Family("histogram", "Seconds that a request waited for its turn."),
    "sinktrack_turn_seconds": Family("histogram", "Seconds that the model worked in one turn."),
    "sinktrack_tokens_total": Family("counter", "Tokens that were written."),
    "sinktrack_turned_away_total": Family("counter", "Requests that met a limit, by which."),
    "sinktrack_errors_total": Family("counter", "Errors that nobody expected, by class."),
    "sinktrack_queue_waiting": Family("gauge", "Requests that wait for the model."),
    "sinktrack_queue_served": Family("gauge", "Requests that the model works on: 0 or 1."),
    "sinktrack_queue_addresses": Family("gauge", "Addresses with a request in the queue."),
    "sinktrack_queue_places": Family("gauge", "Requests that may wait."),
    "sinktrack_model_ready": Family("gauge", "Whether the model is loaded."),
    "sinktrack_gpu_memory_bytes": Family("gauge", "Memory of the GPU, by whether it is taken."),
    "process_resident_memory_bytes": Family("gauge", "Memory that the process takes."),
    "process_start_time_seconds": Family("gauge", "When the process began, in Unix time."),
}
"""All that is measured."""


@dataclass
class Histogram:
    """How often something took how long: `counts` up to each of `BOUNDS`, and beyond them."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    total: float = 0.0

    def observe(self, seconds: float) -> None:
        """Count one."""
        self.counts[sum(bound < seconds for bound in BOUNDS)] += 1
        self.total += seconds


@dataclass(frozen=True)
class Error:
    """An error that nobody expected: when, in which line of the log, of what, and its class."""

    when: float
    id: str
    event: str
    kind: str


class Measures(logging.Handler):
    """Counts; as a handler of the log `app.requests` it hears how every request ended.

    Args:
        clock: The time of day, in seconds.

    Attributes:
        began: When it began to count, in Unix time.
        errors: The last errors.
        waited: Of the last turns, when they began and how many seconds they had waited.
        answered: Of the last answers, when they ended and how many seconds they took.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        super().__init__()
        self._clock, self.began = clock, clock()
        self._counting = threading.Lock()
        self._counters: Counter[tuple[str, Labels]] = Counter()
        self._histograms: dict[tuple[str, Labels], Histogram] = {}
        self._minutes: dict[int, Counter[str]] = {}
        self._gauges: dict[tuple[str, Labels], Callable[[], float | None]] = {}
        self.errors: deque[Error] = deque(maxlen=20)
        self.waited: deque[tuple[float, float]] = deque(maxlen=1000)
        self.answered: deque[tuple[float, float]] = deque(maxlen=1000)
        self.gauge("process_resident_memory_bytes", resident_bytes)
        self.gauge("process_start_time_seconds", lambda: self.began)

    def gauge(self, name: str, read: Callable[[], float | None], **labels: str) -> None:
        """Measure something whenever somebody looks.

        Args:
            name: One of `FAMILIES`.
            read: Returns it, or None where it cannot be known.
            **labels: Which of several.
        """
        self._gauges[name, _labels(labels)] = read

    def add(self, name: str, amount: float = 1, **labels: str) -> None:
        """Count something; `name` is one of `FAMILIES`."""
        with self._counting:
            self._counters[name, _labels(labels)] += amount  # type: ignore[assignment]

    def turn(self, kind: str, waited: float, took: float) -> None:
        """Count a turn at the model: for how many seconds it was waited for, and it took."""
        with self._counting:
            self._observe("sinktrack_waiting_seconds", waited, {})
            self._observe("sinktrack_turn_seconds", took, {"kind": kind})
            self.waited.append((self._clock() - took, waited))

    def emit(self, record: logging.LogRecord) -> None:
        """Count a request that has ended."""
        fields: Mapping[str, Any] | None = getattr(record, "fields", None)
        if fields is None:
            return
        event, outcome, seconds = fields["event"], fields["outcome"], fields["seconds"]
        now = self._clock()
        with self._counting:
            self._counters["sinktrack_requests_total", _labels_of(event, outcome)] += 1
            self._observe("sinktrack_request_seconds", seconds, {"event": event})
            self._counters["sinktrack_tokens_total", ()] += fields.get("tokens", 0)
            if event in ASKED:
                self._in_minute(now)[outcome] += 1
            if event == "ask" and outcome == "answered":
                self.answered.append((now, seconds))
            if outcome == "failed":
                kind = str(fields.get("trace", "")).split(" ", 1)[0] or "unknown"
                self._counters["sinktrack_errors_total", (("error", kind),)] += 1
                self.errors.append(Error(now, fields["id"], event, kind))

    def minutes(self) -> list[Counter[str]]:
        """Return how requests to the model ended in each of the last minutes, the latest last."""
        this = int(self._clock() // 60)
        with self._counting:
            ended = [self._minutes.get(this - back, Counter()) for back in range(MINUTES)]
            return [Counter(each) for each in reversed(ended)]

    def values(self) -> dict[tuple[str, Labels], float]:
        """Return all counters, and the gauges as they are now."""
        with self._counting:
            found: dict[tuple[str, Labels], float] = dict(self._counters)
        read = {key: read() for key, read in self._gauges.items()}
        return found | {key: value for key, value in read.items() if value is not None}

    def histograms(self) -> dict[tuple[str, Labels], Histogram]:
        """Return all histograms."""
        with self._counting:
            return {k: Histogram(list(h.counts), h.total) for k, h in self._histograms.items()}

    def _observe(self, name: str, seconds: float, labels: Mapping[str, str]) -> None:
        self._histograms.setdefault((name, _labels(labels)), Histogram()).observe(seconds)

    def _in_minute(self, now: float) -> Counter[str]:
        minute = int(now // 60)
        for old in [each for each in self._minutes if each <= minute - MINUTES]:
            del self._minutes[old]
        return self._minutes.setdefault(minute, Counter())


def _labels(labels: Mapping[str, str]) -> Labels:
    return tuple(sorted(labels.items()))


def _labels_of(event: str, outcome: str) -> Labels:
    return (("event", event), ("outcome", outcome))
