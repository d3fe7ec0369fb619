"""On a ZeroGPU Space a GPU is lent for one call at a time, in a forked process.

Must be imported before torch, so that no CUDA is initialised in the parent process.
"""

import os
import re
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from contextvars import copy_context
from dataclasses import replace
from typing import Any

# what the package itself goes by; on a Space with hardware of its own there is nothing to borrow
if os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true"):
    try:
        import spaces
    except ImportError:
        spaces = None
else:
    spaces = None

# isort: split
from app.shared.events import Answered, Event, Failed, Heartbeat, NotLent, Refused, Stopped, Writing
from app.shared.gpu_time import GpuTime
from app.shared.heartbeat import with_heartbeat
from app.shared.logs import trace_of
from app.shared.request import Request
from app.shared.stop_flag import StopFlag
from app.shared.survey import Survey

_ABORTED = "GPU task aborted"
_NO_GPU = "ZeroGPU client error"
_QUOTA = re.compile(r"\((\d+)s requested vs\. (\d+)s left\)")
_TOO_SHORT = "The GPU was lent for {seconds} s, and {what}: ask for a shorter answer."
_BROKEN = "Something went wrong while answering. The page still works: please try again."


def lends_gpu() -> bool:
    """Whether the page runs on such a Space."""
    return spaces is not None


def on_lent_gpu(
    method: Callable[[Any, StopFlag], Iterator[Event]], gpu_time: GpuTime
) -> Callable[[Any, StopFlag], Iterator[Event]]:
    """Return what runs a method while a GPU is lent; elsewhere the method itself.

    Answers are cut a little before the platform would abort them, so that what was written is
    kept. Where the platform refuses, the last event is `NotLent`.

    Args:
        method: A bound generator method. Its arguments and what it yields are pickled.
        gpu_time: For how long the GPU is needed; learns from what it sees.
    """
    if spaces is None:
        return method

    def seconds(asked: Request | Survey, _: StopFlag) -> int:
        return gpu_time.to_ask(asked)

    # spaces.GPU tells by the function itself whether it is a generator function
    def events(asked: Request | Survey, stop: StopFlag) -> Iterator[Event]:
        stop.end_after(gpu_time.of_work(asked))
        for event in method(asked, stop):
            yield _cut(event, gpu_time.to_ask(asked)) if stop.ran_out else event

    lent: Callable[..., Generator[Event, None, None]] = spaces.GPU(duration=seconds)(events)

    def lend(
        asked: Request | Survey,
        stop: StopFlag,
        abandoned: threading.Event,
        report: Callable[[Event], None],
    ) -> None:
        first: tuple[float, int] | None = None
        try:
            with closing(lent(asked, stop)) as arriving:
                for event in arriving:
                    if abandoned.is_set():
                        return
                    if isinstance(event, Writing):
                        now = time.monotonic(), event.token_count
                        first = first or now
                        gpu_time.saw(asked, now[0] - first[0], now[1] - first[1])
                    if not isinstance(event, Heartbeat):
                        report(event)
        except _refusals() as error:
            report(_not_lent(error, asked, gpu_time))
        except Exception as error:
            report(Failed(_BROKEN, trace_of(error)))

    def answers(asked: Request | Survey, stop: StopFlag) -> Iterator[Event]:
        context = copy_context()  # by which the platform knows the visitor
        # what arrives faster than it is shown is not kept, or Stop would wait until all is shown
        yield from with_heartbeat(
            lambda abandoned, report: context.run(lend, asked, stop, abandoned, report),
            give_up=stop.set,
        )

    return answers


def _refusals() -> type[Exception]:
    """Return what the platform raises where it lends no GPU, or takes it back."""
    import gradio  # which the platform's package has imported already

    return gradio.Error


def _not_lent(error: Any, asked: Request | Survey, gpu_time: GpuTime) -> Event:
    """Say what the platform refused, and what it may not refuse."""
    told, title = str(error.message), getattr(error, "title", "")
    if title == "ZeroGPU worker error" and told != _ABORTED:
        return Failed(_BROKEN, trace_of(error))
    seconds = gpu_time.to_ask(asked)
    counted = _QUOTA.search(told)
    requested, left = map(int, counted.groups()) if counted else (seconds, None)
    sentence = f"{seconds} s of a GPU were asked for"
    if requested > seconds:
        sentence += f", which count as {requested} s"
    sentence += f". ZeroGPU says: {told.strip()}"
    shorter = None
    if isinstance(asked, Request) and title != _NO_GPU:
        fits = seconds // 2 if left is None else left * seconds // max(1, requested)
        shorter = gpu_time.shorter(asked, fits)
    return NotLent(sentence, shorter, 0 if shorter is None else gpu_time.to_ask(shorter))


def _cut(event: Event, seconds: int) -> Event:
    """Return an event of an answer that had no time to end, with a word on why."""
    match event:
        case Answered():
            why = _TOO_SHORT.format(seconds=seconds, what="what was not written by then is missing")
            return replace(event, notices=(*event.notices, why))
        case Stopped():
            return Refused(_TOO_SHORT.format(seconds=seconds, what="nothing was written by then"))
    return event
