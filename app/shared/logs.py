"""What the server says of itself on stderr: one line for each request that matters.

No line holds what somebody typed or uploaded. The words of an unexpected error may repeat that, so
of such an error only its class and the places in the code are logged. Knows nothing about models or
pages.
"""

import json
import logging
import secrets
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from app.shared.memory import is_out_of_memory, memory_sentence

_COUNTED = 60 * 60  # seconds between two lines of counts
_DEEPEST = 8  # places in the code, of one error
_FAILED = "Something went wrong here: please try again."

REQUESTS = "app.requests"
"""The log of requests."""
log = logging.getLogger(REQUESTS)


class Entry:
    """A request that is logged once, when it has ended.

    Args:
        what: What was asked for, such as "ask".

    Attributes:
        id: Eight hexadecimal digits. Whoever is told of an error is told them as well.
    """

    def __init__(self, what: str) -> None:
        self.id = secrets.token_hex(4)
        self._what, self._began, self._ended = what, time.monotonic(), False

    def end(self, outcome: str, **facts: str | float) -> None:
        """Log how it ended; only the first call counts.

        Args:
            outcome: Such as "answered", "refused" or "failed".
            **facts: Numbers and names of ours, never what a visitor gave.
        """
        if self._ended:
            return
        self._ended = True
        seconds = round(time.monotonic() - self._began, 3)
        fields = {"event": self._what, "id": self.id, "outcome": outcome, "seconds": seconds}
        level = logging.ERROR if outcome == "failed" else logging.INFO
        log.log(level, outcome, extra={"fields": fields | facts})

    def refuse(self, error: BaseException) -> None:
        """Log that it was refused, and by which kind of error."""
        self.end("refused", reason=type(error).__name__)

    def fail(self, error: BaseException | str, sentence: str = _FAILED) -> str:
        """Log what went wrong, and return the sentence for the visitor, with the id.

        Args:
            error: What was raised, or what `trace_of` made of it.
            sentence: What to do.
        """
        self.end("failed", trace=error if isinstance(error, str) else trace_of(error))
        return f"{sentence} The page's owner finds this in the log as {self.id}."


def answered(
    request: Any, logged: Collection[str], answer: Callable[[], dict[str, Any]]
) -> dict[str, Any]:
    """Answer a page's request to a server function, and log it.

    Args:
        request: What the browser sent, with "what".
        logged: Values of "what" that are logged however they end; of others only failures are.
        answer: Returns the answer, or {"error": a sentence}.

    Returns:
        The answer; {"error": a sentence} also where something went wrong that nobody expected.
    """
    what = request.get("what") if isinstance(request, dict) else None
    known = isinstance(what, str) and what in logged
    entry = Entry(str(what) if known else "request")
    try:
        found = answer()
    except Exception as error:  # whatever it is, the visitor gets a sentence
        return {"error": entry.fail(error, what_to_do(error))}
    if known:
        kept = found.get("kept", True)
        entry.end("refused" if "error" in found else "done" if kept else "not kept")
    return found


def what_to_do(error: BaseException) -> str:
    """Return what a visitor is told of an error that nobody expected."""
    return memory_sentence(error) if is_out_of_memory(error) else _FAILED


def trace_of(error: BaseException) -> str:
    """Return an error's class and the places in the code that it came through, on one line."""
    places = [
        f"{'/'.join(Path(frame.filename).parts[-3:])}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)[-_DEEPEST:]
    ]
    own = f"{type(error).__name__} at {' < '.join(reversed(places)) or 'nowhere'}"
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return f"{own}, from {trace_of(before)}" if before is not None else own


class Counts(logging.Filter):
    """Counts requests in place of logging each; those that failed are logged as well.

    Args:
        seconds: After how long a line says the counts.
    """

    def __init__(self, seconds: float = _COUNTED) -> None:
        super().__init__()
        self._seconds, self._lock = seconds, threading.Lock()
        self._since, self._counts = time.monotonic(), Counter[str]()

    def filter(self, record: logging.LogRecord) -> bool:
        """Count a record of a request; whether it is logged."""
        fields = getattr(record, "fields", None)
        if fields is None:
            return True
        with self._lock:
            self._counts[f"{fields['event']} {fields['outcome']}"] += 1
            due = time.monotonic() - self._since > self._seconds
        if due:
            self.say()
        return bool(fields["outcome"] == "failed")

    def say(self) -> None:
        """Log the counts since they were last said, if there are any."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
            self._since = time.monotonic()
        if counts:
            said = ", ".join(f"{count} {what}" for what, count in sorted(counts.items()))
            log.info("counted: %s", said)


def set_up_logs(*, as_json: bool, private: bool = False) -> Callable[[], None]:
    """Log to stderr from now on.

    Args:
        as_json: One JSON object a line; else a line for people.
        private: Whether requests are only counted.

    Returns:
        What says in the end what was counted and not yet said.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if as_json else _Readable())
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    logging.getLogger("app").setLevel(logging.INFO)
    if not private:
        return lambda: None
    counts = Counts()
    handler.addFilter(counts)  # and not the log, where measures listen as well
    return counts.say


def take_over(name: str) -> None:
    """Let another library's logger log as we do."""
    other = logging.getLogger(name)
    other.handlers.clear()
    other.propagate = True


def _fields(record: logging.LogRecord) -> Mapping[str, Any]:
    """Return what a record says, by name."""
    own = getattr(record, "fields", None)
    said = own if own is not None else {"event": "note", "message": record.getMessage()}
    if record.exc_info and record.exc_info[1] is not None:
        return said | {"trace": trace_of(record.exc_info[1])}
    return dict(said)


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        when = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        head = {"time": f"{when}.{int(record.msecs):03}Z", "level": record.levelname.lower()}
        return json.dumps(head | dict(_fields(record)))


class _Readable(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields = dict(_fields(record))
        said = [time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.created))]
        trace = fields.pop("trace", None)
        if fields["event"] == "note":
            said.append(f"{record.levelname.lower()}: {fields['message']}")
        else:
            said += [str(fields.pop(name)) for name in ("event", "id", "outcome")]
            said.append(f"{fields.pop('seconds')} s")
            said += [f"{name}={value}" for name, value in fields.items()]
        said += [f"Traceback: {trace}"] if trace else []
        return " ".join(" ".join(said).split())
