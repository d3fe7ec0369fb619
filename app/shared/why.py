"""What a visitor can ask about a comparison that is kept, one question at a time for each.

What was answered stays for a while, so that nothing is worked out twice. Knows nothing about pages.
"""

import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, get_args

from app.shared.kept import Kept
from app.shared.turns import Turns
from sinktrack.core.comparison import Comparison
from sinktrack.core.errors import SinkTrackError, TraceError
from sinktrack.report.explained import (
    explained,
    looks_as_json,
    maps_as_json,
    reliance_as_json,
    without_as_json,
)

What = Literal["explain", "looks", "maps", "without", "reliance"]
_BUSY = "The server is still working out what you asked before: wait for its answer."
_GONE = "The server no longer has this answer: ask again."
_NOTHING = "The page asked for nothing that can be told: load it again."
_CACHED = 32_000_000  # characters of JSON that are kept for all comparisons together
_MOST_POSITIONS = 4096
_LONGEST_HEADS = 64  # characters


class BadQuestion(SinkTrackError):
    """What a page asked about a token makes no sense."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """A question about a token, or about all.

    Args:
        what: What is to be told: see `sinktrack.explain`, `looks`, `activation_maps`, `without`,
            `reliance`.
        key: Under which the comparison is kept.
        at: Which token, from 0; of `reliance` any.
        layer: Of `looks`: a layer; None for the mean.
        head: Of `looks`: a head; None for the mean.
        lane: Of `without`: whose words stand before the token.
        positions: Of `without`: tokens of the prompt to cover.
        heads: Of `without`: heads to silence.
    """

    what: What
    key: str
    at: int
    layer: int | None = None
    head: int | None = None
    lane: str = ""
    positions: tuple[int, ...] = ()
    heads: str = ""

    @classmethod
    def read(cls, asked: Any) -> "Question":
        """Return what a browser sent, checked as far as no model is needed.

        Raises:
            BadQuestion: If it is none.
        """
        if not isinstance(asked, dict) or asked.get("what") not in get_args(What):
            raise BadQuestion(_NOTHING)
        numbers = [asked.get("layer"), asked.get("head")]
        positions = asked.get("positions", [])
        texts = [asked.get("key"), asked.get("lane", ""), asked.get("heads", "")]
        good = (
            _number(asked.get("at"))
            and all(each is None or _number(each) for each in numbers)
            and isinstance(positions, list)
            and len(positions) <= _MOST_POSITIONS
            and all(map(_number, positions))
            and all(isinstance(each, str) for each in texts)
            and len(texts[2]) <= _LONGEST_HEADS
        )
        if not good:
            raise BadQuestion(_NOTHING)
        return cls(
            what=asked["what"],
            key=texts[0],
            at=asked["at"],
            layer=numbers[0],
            head=numbers[1],
            lane=texts[1],
            positions=tuple(sorted(set(positions))),
            heads=texts[2],
        )


class Why:
    """Answers questions about comparisons, each in its turn among the requests.

    Args:
        kept: The comparisons.
        turns: In front of the model.
    """

    def __init__(self, kept: Kept, turns: Turns) -> None:
        self._kept, self._turns = kept, turns
        self._busy: set[str] = set()
        self._cached: OrderedDict[Question, str] = OrderedDict()
        self._lock = threading.Lock()

    def answer(self, question: Question, model: Any, processor: Any) -> dict[str, Any]:
        """Return what there is to tell, as JSON values.

        Args:
            question: From `Question.read`.
            model: That which answered.
            processor: Its processor.

        Raises:
            SinkTrackError: If the comparison has gone or has no such thing, another question about
                it is being answered, there is no turn for it, or it takes too long.
        """
        comparison = self._kept.get(question.key)
        if comparison is None:
            raise TraceError(_GONE)

        def work(check: Callable[[], None]) -> dict[str, Any]:
            with _before_each_step(model, check):
                return _told(question, comparison, model, processor)

        with self._lock:
            if question in self._cached:
                self._cached.move_to_end(question)
                return _read(self._cached[question])
            if question.key in self._busy:
                raise TraceError(_BUSY)
            self._busy.add(question.key)
        try:
            found = self._turns.call(work)
            self._keep(question, found)
        finally:
            with self._lock:
                self._busy.discard(question.key)
        return found

    def _keep(self, question: Question, found: dict[str, Any]) -> None:
        """Keep an answer, and forget those that were not asked for longest."""
        text = json.dumps(found, allow_nan=False)
        with self._lock:
            self._cached[question] = text
            while sum(map(len, self._cached.values())) > _CACHED:
                self._cached.popitem(last=False)


@contextmanager
def _before_each_step(model: Any, check: Callable[[], None]) -> Iterator[None]:
    """Call something that may raise before every forward pass of a model."""
    hook = model.get_decoder().register_forward_pre_hook(lambda *_: check())
    try:
        yield
    finally:
        hook.remove()


def _told(question: Question, comparison: Comparison, model: Any, processor: Any) -> dict[str, Any]:
    # Here, so that the page is served before transformers' models are imported.
    from sinktrack.why.explain import explain
    from sinktrack.why.looks import looks
    from sinktrack.why.reliance import reliance
    from sinktrack.why.tam import activation_maps
    from sinktrack.why.without import without

    given, at = (model, processor, comparison), question.at
    match question.what:
        case "explain":
            return explained(comparison, at, explain(*given, at))
        case "looks":
            found = looks(*given, at, layer=question.layer, head=question.head)
            return looks_as_json(at, found)
        case "maps":
            return maps_as_json(at, activation_maps(*given, at))
        case "without":
            own = without(
                *given, question.lane, at, positions=question.positions, heads=question.heads
            )
            return without_as_json(at, own)
        case "reliance":
            return reliance_as_json(reliance(*given))


def _read(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text)
    return found


def _number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31
