"""What happens on Ask and on Stop: inputs to events, and events to what the page shows."""

import html
import json
import logging
import time
from collections.abc import Iterator
from typing import Any

import gradio as gr
from gradio.processing_utils import save_bytes_to_cache

from app.engine import Engine, Event, kept
from app.heatmap import pack
from app.stop import StopFlag
from sinktrack.errors import SinkTrackError
from sinktrack.report import render

REPORT_NAME = "sinktrack-report.html"
_HINTS = {
    "baseline": "The plain model’s answer appears here.",
    "sinktrack": "The answer with SinkTrack appears here.",
}

_NOT_NUMBERS = "The settings hold something that is not a number: load the page again."

log = logging.getLogger(__name__)


def toast(sentence: str) -> gr.Error:
    """Return an error that shows a sentence as text; Gradio takes the message for HTML."""
    return gr.Error(html.escape(sentence), duration=12, print_exception=False)


class Compare:
    """The handlers of the page's events.

    Args:
        engine: Answers the questions.
        report_folder: Where reports are kept for download.
    """

    def __init__(self, engine: Engine, report_folder: str) -> None:
        self._engine = engine
        self._folder = report_folder

    def idle(self, status: str = "Ready.") -> dict[str, Any]:
        """Return what the stage shows when nothing runs."""
        method = self._engine.published
        return self._writing(status, method.context, method.causal, busy=False)

    def begin(self, picture: str | None, question: str | None, context: Any, causal: Any) -> Any:
        """Refuse what is missing, or take a place in the queue.

        Returns:
            The stage, and the flag that stops this answer.

        Raises:
            gr.Error: If the picture or the question is missing.
        """
        if not picture:
            raise toast("There is no picture yet: upload, paste or choose one.")
        if not (question or "").strip():
            raise toast("The question is blank: type one.")
        waiting = self._writing("Waiting for a turn.", context, causal) | {"began": True}
        return pack(waiting), StopFlag()

    def answer(
        self,
        stop: StopFlag | None,
        picture: str | None,
        question: str | None,
        max_new_tokens: Any,
        context: Any,
        causal: Any,
        do_sample: Any,
        temperature: Any,
        seed: Any,
        window: Any,
        sinks: Any,
    ) -> Iterator[tuple[Any, Any]]:
        """Answer, and yield the stage and the report's file.

        Raises:
            gr.Error: With a sentence for the visitor.
        """
        began = time.monotonic()
        stop = stop or StopFlag()
        try:
            request = self._engine.request(
                picture,
                question,
                max_new_tokens=int(max_new_tokens),
                context=context,
                causal=causal,
                do_sample=bool(do_sample),
                temperature=float(temperature),
                seed=int(seed or 0),
                cache=kept(int(window or 0), int(sinks or 0)),
            )
        except (SinkTrackError, TypeError, ValueError, OverflowError) as error:
            stop.set()
            yield pack(self.idle("No answer.")), None
            known = isinstance(error, SinkTrackError)
            raise toast(str(error) if known else _NOT_NUMBERS) from error
        notices = list(request.picture.notices)
        last: Event = {}
        for event in self._engine.answer(request, stop):
            if event is last:
                yield gr.skip(), gr.skip()  # a chance to notice that nobody listens any more
                continue
            last = event
            if event["kind"] == "done":
                yield self._finished(event["payload"], time.monotonic() - began, notices)
            elif event["kind"] in ("refused", "failed"):
                yield pack(self.idle("No answer.")), None
                raise toast(event["sentence"])
            elif event["kind"] == "stopped":
                yield pack(self.idle("Stopped before the answer began.")), None
            else:
                state = self._writing(_words(event), context, causal, event=event)
                yield pack(state | {"notices": notices}), gr.skip()

    def stop(self, stop: StopFlag | None) -> Any:
        """End the answer within one decode step, keep what was written, and switch Stop off."""
        if stop is not None:
            stop.set()
        return gr.update(interactive=False)

    def abandoned(self, stop: StopFlag | None) -> str:
        """Return the stage for an answer that never came, as when the queue is full."""
        self.stop(stop)
        return pack(self.idle("No answer."))

    def _writing(
        self,
        status: str,
        context: Any,
        causal: Any,
        *,
        busy: bool = True,
        event: Event | None = None,
    ) -> dict[str, Any]:
        """Return the stage's state with cards whose answers are not finished."""
        event = event or {}
        lanes = [
            lane
            | {
                "text": event.get("texts", {}).get(lane["name"], ""),
                "hint": _HINTS[lane["name"]] if not busy else "",
                "writing": busy and lane["name"] in event.get("writing", [lane["name"]]),
            }
            for lane in self._engine.lane_titles(context, causal)
        ]
        return {"status": status, "busy": busy, "notices": [], "lanes": lanes}

    def _finished(self, payload: str, seconds: float, notices: list[str]) -> tuple[Any, Any]:
        """Return the finished stage, and the report as a file to download."""
        data = json.loads(payload)
        stopped = any(lane["finish"] == "stopped" for lane in data["lanes"])
        status = f"{'Stopped' if stopped else 'Done'} after {seconds:.1f} seconds."
        report = None
        try:
            report = save_bytes_to_cache(render(data).encode(), REPORT_NAME, self._folder)
        except OSError as error:
            log.warning("no report: %s", error)
            reason = error.strerror or "unknown reason"
            notices = [*notices, f"The report could not be written on the server: {reason}."]
        state = {"status": status, "busy": False, "notices": notices, "payload": payload}
        return pack(state), gr.update(value=report, interactive=report is not None)


def _words(event: Event) -> str:
    """Say in plain words what is going on."""
    if event["kind"] == "waiting":
        return "Waiting for the model."
    if event["kind"] == "reading":
        return "Reading the picture and the question."
    return f"Writing token {event['count']}."
