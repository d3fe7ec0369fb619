"""What happens on Ask and on Stop: inputs to events, and events to what the page shows."""

import json
import logging
import time
from collections.abc import Iterator, Sequence
from typing import Any

import gradio as gr
from gradio.processing_utils import save_bytes_to_cache

from app.shared.engine import Engine
from app.shared.events import (
    Answered,
    Failed,
    FilesReady,
    Heartbeat,
    LoadingModel,
    Progress,
    ReadingPrompt,
    Refused,
    Stopped,
    Waiting,
    Writing,
)
from app.shared.request import Variant, cache_for
from app.shared.stop_flag import StopFlag
from app.shared.ui import component_json, toast
from sinktrack.core.errors import SinkTrackError
from sinktrack.report.html import render

REPORT_NAME = "sinktrack-report.html"
TRACES_NAME = "sinktrack-traces.zip"
REPLAY_NAME = "sinktrack-comparison.json"
NUM_DOWNLOADS = 3  # report, traces and replay

_HINTS = {
    "baseline": "The plain model’s answer appears here.",
    "sinktrack": "The answer with SinkTrack appears here.",
}
_NOT_NUMBERS = "The settings hold something that is not a number: load the page again."

log = logging.getLogger(__name__)


class CompareHandlers:
    """The handlers of the page's events.

    Args:
        engine: Answers the questions.
        folder: Where what can be downloaded is kept.
        kept_files: Takes the path of every file kept there, which Gradio deletes in the end.
    """

    def __init__(self, engine: Engine, folder: str, kept_files: set[str]) -> None:
        self._engine = engine
        self._folder = folder
        self._kept_files = kept_files

    def idle(self, status: str = "Ready.") -> dict[str, Any]:
        """Return what the stage shows when nothing runs."""
        return _writing(status, self._engine.lane_titles(Variant()), busy=False)

    def begin(
        self, running: StopFlag | None, picture: str | None, question: str | None, *lanes: Any
    ) -> Any:
        """Refuse what is missing, or join the line.

        Returns:
            The stage, and the flag that stops this answer.

        Raises:
            gr.Error: If something is missing or does not fit the model.
        """
        refuse_while_answering(running)
        if not picture:
            raise toast("There is no picture yet: upload, paste or choose one.")
        if not (question or "").strip():
            raise toast("The question is blank: type one.")
        try:
            titles = self._engine.lane_titles(*_variants(lanes))
        except SinkTrackError as error:
            raise toast(str(error)) from error
        except (TypeError, ValueError, OverflowError) as error:
            raise toast(_NOT_NUMBERS) from error
        return component_json(_writing("Waiting for a turn.", titles) | {"began": True}), StopFlag()

    def answer(
        self,
        stop: StopFlag | None,
        picture: str | None,
        question: str | None,
        max_new_tokens: Any,
        do_sample: Any,
        temperature: Any,
        seed: Any,
        window: Any,
        sinks: Any,
        *lanes: Any,
    ) -> Iterator[tuple[Any, ...]]:
        """Answer, and yield the stage and what can be downloaded.

        Raises:
            gr.Error: With a sentence for the visitor.
        """
        began = time.monotonic()
        stop = stop or StopFlag()
        nothing = (None,) * NUM_DOWNLOADS
        unchanged = (gr.skip(),) * NUM_DOWNLOADS
        try:
            own, variants = _variants(lanes)
            request = self._engine.request(
                picture,
                question,
                max_new_tokens=int(max_new_tokens),
                sinktrack=own,
                variants=variants,
                do_sample=bool(do_sample),
                temperature=float(temperature),
                seed=int(seed or 0),
                cache=cache_for(int(window or 0), int(sinks or 0)),
            )
            titles = self._engine.lane_titles(own, variants)
        except (SinkTrackError, TypeError, ValueError, OverflowError) as error:
            stop.set()
            yield component_json(self.idle("No answer.")), *nothing
            known = isinstance(error, SinkTrackError)
            raise toast(str(error) if known else _NOT_NUMBERS) from error
        notices = list(request.notices)
        report: Any = None
        for event in self._engine.answer(request, stop):
            if isinstance(event, Heartbeat):
                yield gr.skip(), *unchanged  # a chance to notice that nobody listens any more
            elif isinstance(event, Answered):
                stage, report = self._finished(event, time.monotonic() - began, notices)
                yield stage, *unchanged
            elif isinstance(event, FilesReady):
                files = [
                    report,
                    self._keep(event.traces, TRACES_NAME),
                    self._keep(event.replay, REPLAY_NAME),
                ]
                yield (
                    gr.skip(),
                    *(gr.update(value=file, interactive=file is not None) for file in files),
                )
            elif isinstance(event, Refused | Failed):
                yield component_json(self.idle("No answer.")), *nothing
                raise toast(event.sentence)
            elif isinstance(event, Stopped):
                yield component_json(self.idle("Stopped before the answer began.")), *nothing
            else:
                state = _writing(_words(event), titles, event=event)
                yield component_json(state | {"notices": notices}), *unchanged

    def stop(self, stop: StopFlag | None) -> Any:
        """End the answer within one decode step, keep what was written, and switch Stop off."""
        if stop is not None:
            stop.set()
        return gr.update(interactive=False)

    def abandoned(self, stop: StopFlag | None) -> str:
        """Return the stage for an answer that never came, as when the queue is full."""
        self.stop(stop)
        return component_json(self.idle("No answer."))

    def _finished(
        self, event: Answered, seconds: float, notices: list[str]
    ) -> tuple[str, str | None]:
        """Return the finished stage and the report's file."""
        data = json.loads(event.payload)
        stopped = any(lane["finish"] == "stopped" for lane in data["lanes"])
        status = f"{'Stopped' if stopped else 'Done'} after {seconds:.1f} seconds."
        report = self._keep(render(data).encode(), REPORT_NAME)
        if report is None:
            notices = [*notices, "The files to download could not be written on the server."]
        for lane in data["lanes"]:
            large = event.large_maps.get(lane["name"])
            file = self._keep(large, "maps.bin")
            if file is not None:  # the page fetches them token by token, layer by layer
                lane["maps"] |= {"bytes": None, "layers": lane["layers"], "file": file}
        return _shown(status, data, notices), report

    def _keep(self, content: bytes | None, name: str) -> str | None:
        """Write a file for the visitor, in a folder whose name nobody can guess."""
        if content is None:
            return None
        try:
            path = str(save_bytes_to_cache(content, name, self._folder))
        except OSError as error:
            log.warning("%s could not be kept: %s", name, error)
            return None
        self._kept_files.add(path)
        return path


def refuse_while_answering(running: StopFlag | None) -> None:
    """Refuse what would disturb an answer that is being written.

    Raises:
        gr.Error: If one is.
    """
    if running is not None and not running.is_set():
        raise toast("An answer is being written: stop it, or wait for its end.")


def stored_comparison(comparison: dict[str, Any]) -> str:
    """Return the stage with a comparison that was made earlier."""
    model = comparison["model"]
    status = f"Stored with this page, answered by {model}. Ask to have it answered anew."
    return _shown(status, comparison, [])


def _shown(status: str, comparison: dict[str, Any], notices: list[str]) -> str:
    """Return the stage with a comparison."""
    payload = json.dumps(comparison, allow_nan=False)
    return component_json({"status": status, "busy": False, "notices": notices, "payload": payload})


def _variants(values: Sequence[Any]) -> tuple[Variant, tuple[Variant, ...]]:
    """Read the settings of SinkTrack's lane and of further ones.

    Args:
        values: Context and mask; then of each further lane whether it is wanted, its context, its
            mask and its interval.

    Raises:
        TypeError, ValueError, OverflowError: If an interval is no number.
    """
    context, causal, *more = values
    groups = [more[start : start + 4] for start in range(0, len(more), 4)]
    return Variant(context=context or None, causal=causal), tuple(
        Variant(context=context or None, causal=causal, every=int(every or 0))
        for wanted, context, causal, every in groups
        if wanted
    )


def _writing(
    status: str, titles: list[dict[str, str]], *, busy: bool = True, event: Progress | None = None
) -> dict[str, Any]:
    """Return the stage's state with cards whose answers are not finished."""
    written = event if isinstance(event, Writing) else None
    lanes = [
        lane
        | {
            "text": written.texts.get(lane["name"], "") if written else "",
            "hint": _HINTS.get(lane["name"], "") if not busy else "",
            "writing": busy and (written is None or lane["name"] in written.open_lanes),
        }
        for lane in titles
    ]
    return {"status": status, "busy": busy, "notices": [], "lanes": lanes}


def _words(event: Progress) -> str:
    """Say in plain words what is going on."""
    match event:
        case Waiting(ahead):
            return f"Waiting: {ahead} {'person is' if ahead == 1 else 'people are'} before you."
        case LoadingModel():
            return "The model is still loading; your question comes next."
        case ReadingPrompt():
            return "Reading the picture and the question."
        case Writing(token_count):
            return f"Writing token {token_count}."
