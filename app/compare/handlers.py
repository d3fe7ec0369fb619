"""What happens on Ask and on Stop: inputs to events, and events to what the page shows."""

import json
import time
from collections.abc import Iterator
from typing import Any, get_args
from weakref import WeakKeyDictionary

import gradio as gr

from app.compare import stage
from app.compare.inputs import Inputs
from app.compare.known_answers import KnownAnswers
from app.compare.take import NUM_TAKEN, REPORT_NAME, Take
from app.compare.talk import Finished
from app.shared.checking import check_there
from app.shared.engine import Engine
from app.shared.events import (
    Answered,
    Failed,
    FilesReady,
    Heartbeat,
    LoadingModel,
    NotLent,
    ReadingPrompt,
    Refused,
    Stopped,
    Waiting,
    Writing,
)
from app.shared.logs import Entry, answered
from app.shared.request import Request, cache_for, given
from app.shared.stop_flag import StopFlag
from app.shared.toasts import toast
from app.shared.ui import component_json
from app.shared.visits import when_gone
from app.shared.why import Question, What
from sinktrack.core.errors import SinkTrackError
from sinktrack.eval.truth import Truth
from sinktrack.report.html import render

_UNCHANGED = (gr.skip(),) * (NUM_TAKEN + 1)  # what can be taken, and what was answered
_NOT_NUMBERS = "The settings hold something that is not a number: load the page again."
UNUSABLE = (SinkTrackError, TypeError, ValueError, OverflowError)
"""What inputs raise that cannot be used; the last three, where a number is none."""


class CompareHandlers:
    """The handlers of the page's events.

    Args:
        engine: Answers the questions.
        take: Makes what can be taken away.
        known: The right answers to some questions.
    """

    def __init__(self, engine: Engine, take: Take, known: KnownAnswers | None = None) -> None:
        self._engine, self._take = engine, take
        self._known = known or KnownAnswers()
        self._shorter: WeakKeyDictionary[StopFlag, Request] = WeakKeyDictionary()

    def idle(self, status: str = "Ready.") -> dict[str, Any]:
        """Return the viewer's state while nothing runs."""
        return stage.growing(status, self._engine.lane_titles(), busy=False)

    def begin(self, running: StopFlag | None, inputs: Inputs) -> tuple[str, StopFlag, list[str]]:
        """Refuse what is missing, or join the queue.

        Args:
            running: Stops the answer that this visitor asked for last; None if there was none.
            inputs: What the visitor has set.

        Returns:
            The viewer's value, the flag that stops this answer, and what the answers are called.

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
        except UNUSABLE as error:
            raise toast(sentence(error)) from error
        return _began(titles)

    def begin_forced(
        self, running: StopFlag | None, finished: Finished | None, asked: Any
    ) -> tuple[str, StopFlag, list[str], Request]:
        """Refuse what cannot be gone on from, or join the queue.

        Args:
            running: Stops the answer that this visitor asked for last; None if there was none.
            finished: What was answered.
            asked: "lane" and "at", as the browser sent them: whose words up to which are told.

        Returns:
            What `begin` returns, and what is asked.

        Raises:
            gr.Error: If there is nothing to go on from.
        """
        refuse_while_answering(running)
        if finished is None or not isinstance(asked, dict):
            raise toast("There is no answer here that could be gone on from: ask first.")
        request = finished.forced(asked.get("lane"), asked.get("at"))
        try:
            check_there(request.visuals)
        except SinkTrackError as error:
            raise toast(str(error)) from error
        return *_began(self._engine.lane_titles(request.methods, **request.has())), request

    def begin_shorter(self, running: StopFlag | None) -> tuple[str, StopFlag, list[str], Request]:
        """Join the queue with what was offered in place of what took too long.

        Args:
            running: The flag of what was refused.

        Returns:
            As `begin_forced`.

        Raises:
            gr.Error: If nothing was offered.
        """
        refuse_while_answering(running)
        request = None if running is None else self._shorter.get(running)
        if request is None:
            raise toast("There is nothing here that could be asked for: ask anew.")
        try:
            check_there(request.visuals)
        except SinkTrackError as error:
            raise toast(str(error)) from error
        return *_began(self._engine.lane_titles(request.methods, **request.has())), request

    def answer(self, stop: StopFlag | None, inputs: Inputs) -> Iterator[tuple[Any, ...]]:
        """Answer; yield the viewer's value, what can be taken, and what was answered.

        Args:
            stop: Stops this answer.
            inputs: What the visitor has set.

        Raises:
            gr.Error: With a sentence for the visitor.
        """
        stop, entry = stop or StopFlag(), Entry("ask")
        try:
            request = self._request(inputs)
        except UNUSABLE as error:
            stop.set()
            entry.refuse(error)
            yield self._no_answer(), *_UNCHANGED
            raise toast(sentence(error)) from error
        yield from self.answer_request(stop, request, entry)

    def answer_request(
        self, stop: StopFlag, request: Request, entry: Entry | None = None
    ) -> Iterator[tuple[Any, ...]]:
        """Answer what was checked; yield as `answer`.

        Args:
            stop: Stops this answer.
            request: From the engine.
            entry: Of the log; None begins one.

        Raises:
            gr.Error: With a sentence for the visitor.
        """
        entry = entry or Entry("ask")
        try:
            yield from self._answer(stop, request, entry)
        finally:
            entry.end("gone")  # unless it has ended already

    def _answer(self, stop: StopFlag, request: Request, entry: Entry) -> Iterator[tuple[Any, ...]]:
        began = time.monotonic()
        titles = self._engine.lane_titles(request.methods, **request.has())
        notices = list(request.notices)
        report: str | None = None
        for event in self._engine.answer(request, stop):
            match event:
                case Heartbeat():  # at a yield Gradio notices that the visitor has gone
                    yield gr.skip(), *_UNCHANGED
                case Answered():
                    comparison = json.loads(event.payload)
                    done = Finished.of(request, comparison)
                    seconds = time.monotonic() - began
                    entry.end(outcome(comparison), **facts(request, comparison))
                    truth = self._known.truth(request)
                    value, report = self._finished(event, comparison, seconds, notices, truth)
                    yield value, *_UNCHANGED[1:], done
                    # after the answer is shown, because large maps take a while to be kept
                    taken = self._take.answered(event.payload, event.large_maps)
                    yield gr.skip(), *taken, gr.skip()
                case FilesReady():
                    yield gr.skip(), *self._take.ready(report, event), gr.skip()
                case Refused(told):
                    entry.end("refused", **facts(request))
                    yield self._no_answer(), *_UNCHANGED
                    raise toast(told)
                case NotLent(told, shorter, gpu_seconds):
                    entry.end("refused", **facts(request))
                    yield self._offer(stop, told, shorter, gpu_seconds), *_UNCHANGED
                case Failed(told, trace):
                    yield self._no_answer(), *_UNCHANGED
                    raise toast(entry.fail(trace, told))
                case Stopped():
                    entry.end("stopped", **facts(request))
                    yield self._no_answer("Stopped before the answer began."), *_UNCHANGED
                case Waiting() | LoadingModel() | ReadingPrompt() | Writing():
                    state = stage.growing(stage.in_words(event), titles, event=event)
                    yield component_json(state | {"notices": notices}), *_UNCHANGED

    def _request(self, inputs: Inputs) -> Request:
        """Return what the engine is asked.

        Raises:
            One of UNUSABLE: If something is missing, out of range, or not a number.
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
            Entry("stop").end("done")
        return gr.update(interactive=False)

    def abandoned(self, stop: StopFlag | None) -> str:
        """Return the viewer's value for an answer that never came, as when the queue is full."""
        if stop is not None:
            stop.set()
        return self._no_answer()

    def _no_answer(self, status: str = "No answer.") -> str:
        """Return the viewer's value where none came: what was there before is there again."""
        return component_json(self.idle(status) | {"again": True})

    def _offer(self, stop: StopFlag, told: str, shorter: Request | None, seconds: int) -> str:
        """Return the viewer's value where no GPU is lent, and offer what may get one."""
        offered = None
        if shorter is not None:
            self._shorter[stop] = shorter
            kept = f"{len(shorter.methods)} methods, {shorter.max_new_tokens} tokens"
            offered = f"Ask for less: {kept}, {seconds} s of GPU"
        return component_json(self.idle(told) | {"again": True, "offered": offered})

    def why(self, asked: Any) -> dict[str, Any]:
        """Return what stands behind a token, or {"error": a sentence}.

        Args:
            asked: What the browser sent, see `Question`; "key" is of the viewer's value.
        """

        def why() -> dict[str, Any]:
            try:
                return self._engine.why(Question.read(asked))
            except SinkTrackError as error:
                return {"error": str(error)}

        return answered(asked, get_args(What), why)

    def _finished(
        self,
        event: Answered,
        comparison: dict[str, Any],
        seconds: float,
        notices: list[str],
        truth: Truth | None,
    ) -> tuple[str, str | None]:
        """Return the viewer's value with the answers, and the report's file."""
        how = "Done" if outcome(comparison) == "answered" else "Stopped"
        status = f"{how} after {seconds:.1f} seconds."
        report = self._take.file(render(comparison).encode(), REPORT_NAME)
        if report is None:
            notices = [*notices, "The files to download could not be written on the server."]
        when_gone(lambda: self._engine.forget(event.key))
        notices = [*notices, *event.notices]
        self._take.place(comparison, event.large_maps)
        return stage.finished(
            status, comparison, notices, key=event.key, forces=True, truth=truth
        ), report


def outcome(comparison: dict[str, Any]) -> str:
    """Return how an answer ended, in the log's word."""
    stopped = any(lane["finish"] == "stopped" for lane in comparison["lanes"])
    return "stopped" if stopped else "answered"


def facts(request: Request, comparison: dict[str, Any] | None = None) -> dict[str, float]:
    """Return what the log says of a question: numbers alone."""
    lanes = [] if comparison is None else comparison["lanes"]
    return {
        "methods": len(request.methods),
        "pictures": len(request.visuals),
        "tokens": sum(len(lane["tokens"]) for lane in lanes),
    }


def _began(lanes: list[dict[str, str]]) -> tuple[str, StopFlag, list[str]]:
    """Return what `begin` returns for a question that waits."""
    state = stage.growing("Waiting in the queue.", lanes) | {"began": True}
    flag = StopFlag()
    when_gone(flag.set)
    return component_json(state), flag, [lane["title"] for lane in lanes]


def refuse_while_answering(running: StopFlag | None) -> None:
    """Refuse what would disturb an answer that is being written.

    Raises:
        gr.Error: If one is.
    """
    if running is not None and not running.is_set():
        raise toast("An answer is being written: stop it, or wait for its end.")


def sentence(error: Exception) -> str:
    """Say why inputs cannot be used; error is one of UNUSABLE."""
    return str(error) if isinstance(error, SinkTrackError) else _NOT_NUMBERS
