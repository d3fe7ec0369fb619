"""What happens on Ask and on Stop: inputs to events, and events to what the page shows."""

import json
import logging
import time
from collections.abc import Iterator
from typing import Any

import gradio as gr

from app.compare import stage
from app.compare.inputs import Inputs
from app.compare.take import NUM_TAKEN, REPORT_NAME, Take
from app.compare.talk import Finished
from app.shared.engine import Engine
from app.shared.events import (
    Answered,
    Failed,
    FilesReady,
    Heartbeat,
    Refused,
    Stopped,
)
from app.shared.request import Request, cache_for, given
from app.shared.stop_flag import StopFlag
from app.shared.ui import component_json, toast
from sinktrack.core.errors import SinkTrackError
from sinktrack.report.html import render

_NOT_NUMBERS = "The settings hold something that is not a number: load the page again."
_UNUSABLE = (SinkTrackError, TypeError, ValueError, OverflowError)
"""What inputs raise that cannot be used; the last three, where a number is none."""

log = logging.getLogger(__name__)


class CompareHandlers:
    """The handlers of the page's events.

    Args:
        engine: Answers the questions.
        take: Makes what can be taken away.
    """

    def __init__(self, engine: Engine, take: Take) -> None:
        self._engine, self._take = engine, take

    def idle(self, status: str = "Ready.") -> dict[str, Any]:
        """Return the viewer's state while nothing runs."""
        return stage.growing(status, self._engine.lane_titles(), busy=False)

    def begin(self, running: StopFlag | None, inputs: Inputs) -> tuple[str, StopFlag]:
        """Refuse what is missing, or join the queue.

        Args:
            running: Stops the answer that this visitor asked for last; None if there was none.
            inputs: What the visitor has set.

        Returns:
            The viewer's value, and the flag that stops this answer.

        Raises:
            gr.Error: If something is missing or does not fit the model.
        """
        refuse_while_answering(running)
        if self._engine.reads_pictures and not any(inputs.has().values()):
            raise toast("There is no picture yet: upload, paste or choose one, or give a passage.")
        if not given(inputs.question):
            raise toast("The question is blank: type one.")
        try:
            titles = self._engine.lane_titles(inputs.method_texts(), **inputs.has())
        except _UNUSABLE as error:
            raise toast(_sentence(error)) from error
        state = stage.growing("Waiting in the queue.", titles) | {"began": True}
        return component_json(state), StopFlag()

    def answer(self, stop: StopFlag | None, inputs: Inputs) -> Iterator[tuple[Any, ...]]:
        """Answer; yield the viewer's value, what can be taken, and what was answered.

        Args:
            stop: Stops this answer.
            inputs: What the visitor has set.

        Raises:
            gr.Error: With a sentence for the visitor.
        """
        began = time.monotonic()
        stop = stop or StopFlag()
        nothing = (*self._take.nothing(), None)
        unchanged = (gr.skip(),) * (NUM_TAKEN + 1)
        try:
            request = self._request(inputs)
            titles = self._engine.lane_titles(request.methods, **request.has())
        except _UNUSABLE as error:
            stop.set()
            yield component_json(self.idle("No answer.")), *nothing
            raise toast(_sentence(error)) from error
        notices = list(request.notices)
        report: str | None = None
        for event in self._engine.answer(request, stop):
            match event:
                case Heartbeat():  # at a yield Gradio notices that the visitor has gone
                    yield gr.skip(), *unchanged
                case Answered():
                    comparison = json.loads(event.payload)
                    answered = Finished.of(request, comparison)
                    seconds = time.monotonic() - began
                    value, report = self._finished(event, comparison, seconds, notices)
                    yield value, *unchanged[1:], answered
                    # after the answer is shown, because large maps take a while to be kept
                    taken = self._take.answered(event.payload, event.large_maps)
                    yield gr.skip(), *taken, gr.skip()
                case FilesReady():
                    yield gr.skip(), *self._take.ready(report, event), gr.skip()
                case Refused() | Failed():
                    yield component_json(self.idle("No answer.")), *nothing
                    raise toast(event.sentence)
                case Stopped():
                    yield component_json(self.idle("Stopped before the answer began.")), *nothing
                case _:
                    state = stage.growing(stage.in_words(event), titles, event=event)
                    yield component_json(state | {"notices": notices}), *unchanged

    def _request(self, inputs: Inputs) -> Request:
        """Return what the engine is asked.

        Raises:
            One of _UNUSABLE: If something is missing, out of range, or not a number.
        """
        return self._engine.request(
            inputs.question,
            pictures=inputs.pictures,
            video=inputs.video(),
            passage=inputs.passage,
            system=inputs.system,
            history=inputs.history,
            methods=inputs.method_texts(),
            max_new_tokens=int(inputs.max_new_tokens),
            do_sample=bool(inputs.do_sample),
            temperature=float(inputs.temperature),
            seed=int(inputs.seed or 0),
            cache=cache_for(int(inputs.window or 0), int(inputs.first_tokens or 0)),
        )

    def stop(self, stop: StopFlag | None) -> Any:
        """End the answer within one decode step, keep what was written, and switch Stop off."""
        if stop is not None:
            stop.set()
        return gr.update(interactive=False)

    def abandoned(self, stop: StopFlag | None) -> str:
        """Return the viewer's value for an answer that never came, as when the queue is full."""
        self.stop(stop)
        return component_json(self.idle("No answer."))

    def why(self, asked: Any) -> dict[str, Any]:
        """Return what stood behind a token, or {"error": a sentence}.

        Args:
            asked: "key", of the viewer's value, and "at", which token, from 0.
        """
        key, at = (asked.get("key"), asked.get("at")) if isinstance(asked, dict) else (None, None)
        if not isinstance(key, str) or isinstance(at, bool) or not isinstance(at, int):
            return {"error": "The page asked for no token: load it again."}
        try:
            return self._engine.explain(key, at)
        except SinkTrackError as error:
            return {"error": str(error)}
        except Exception:  # whatever it is, the visitor gets a sentence
            log.exception("an explanation failed")
            return {"error": "Something went wrong here. The answers are still there."}

    def _finished(
        self, event: Answered, comparison: dict[str, Any], seconds: float, notices: list[str]
    ) -> tuple[str, str | None]:
        """Return the viewer's value with the answers, and the report's file."""
        stopped = any(lane["finish"] == "stopped" for lane in comparison["lanes"])
        status = f"{'Stopped' if stopped else 'Done'} after {seconds:.1f} seconds."
        report = self._take.file(render(comparison).encode(), REPORT_NAME)
        if report is None:
            notices = [*notices, "The files to download could not be written on the server."]
        self._take.place(comparison, event.large_maps)
        return stage.finished(status, comparison, notices, event.key), report


def refuse_while_answering(running: StopFlag | None) -> None:
    """Refuse what would disturb an answer that is being written.

    Raises:
        gr.Error: If one is.
    """
    if running is not None and not running.is_set():
        raise toast("An answer is being written: stop it, or wait for its end.")


def _sentence(error: Exception) -> str:
    """Say why inputs cannot be used; error is one of _UNUSABLE."""
    return str(error) if isinstance(error, SinkTrackError) else _NOT_NUMBERS
