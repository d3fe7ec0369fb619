"""Is it chance: the methods of a comparison over many questions, below the answers.

What is asked is held-out questions of the same kind about drawn scenes, for the bundled model, or
those of a file that the visitor gives.
"""

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

import gradio as gr

from app.compare import stage
from app.compare.handlers import refuse_while_answering
from app.compare.inputs import Inputs
from app.compare.kinds_asked import COUNT, kinds
from app.compare.question_files import MOST_LINES
from app.compare.surveys import SAME_KIND, about_scenes, of_files
from app.compare.talk import Finished
from app.compare.uploads import question_files_input
from app.shared.engine import Engine
from app.shared.events import (
    Failed,
    Heartbeat,
    LoadingModel,
    NotLent,
    Refused,
    Stopped,
    Surveyed,
    Surveying,
    Waiting,
)
from app.shared.logs import Entry
from app.shared.stop_flag import StopFlag
from app.shared.survey import Survey
from app.shared.toasts import toast
from app.shared.ui import QUEUED, QUICK, component_json

_ABOUT = (
    "One answer proves little. Let the same methods answer many questions whose right answers are "
    "known, and see which of them a method turns right or wrong."
)
_FORMAT = (
    f'A file of at most {MOST_LINES} lines like <code>{{"image": "cat.jpg", "question": "How many '
    'cats?", "answer": "Two."}</code>. Without image a line asks about the picture above. An '
    "answer is right if it says the same sentences, or the same yes or no."
)
_WHOLE = (
    "Whole benchmarks: <code>sinktrack eval</code> asks thousands of questions, and "
    "<code>python app.py --results DIR</code> shows them as these are shown."
)


class ChancePanel:
    """Lays out the panel; must be made inside a column of a page.

    Its field `on_arrival` holds what `arrived` tells once the model is there.

    Args:
        engine: Answers the questions.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        sees = engine.bundled
        with gr.Accordion("Is it chance?", open=False, elem_id="chance"):
            gr.HTML(f'<p class="st-small">{_ABOUT}</p>', apply_default_css=False)
            self._kind = gr.Dropdown(
                [("like the question asked", SAME_KIND), *((each, each) for each in kinds())],
                value=SAME_KIND,
                label="Kind of question",
                visible=sees,
                elem_id="chance-kind",
            )
            with gr.Row(elem_id="chance-actions"):
                self._ask = gr.Button(
                    f"Ask {COUNT}", variant="primary", visible=sees, scale=3, elem_id="ask-many"
                )
                self._stop = gr.Button("Stop", interactive=False, scale=1, elem_id="chance-stop")
            with gr.Accordion("Ask questions of your own", open=not sees, elem_id="chance-own"):
                gr.HTML(f'<p class="st-small">{_FORMAT}</p>', apply_default_css=False)
                self._files = question_files_input()
                self._ask_own = gr.Button("Ask these", elem_id="ask-own")
            self._shown = gr.HTML(
                value=component_json(_state("")),
                html_template='<div class="st-chance"></div>',
                js_on_load="SinkTrackChance.chance("
                "element.querySelector('.st-chance'), props, watch);",
                apply_default_css=False,
                elem_id="chance-result",
            )
            gr.HTML(f'<p class="st-small">{_WHOLE}</p>', apply_default_css=False)
        self.on_arrival: list[Any] = [self._kind, self._ask]

    def arrived(self) -> list[Any]:
        """Return the updates of `on_arrival` for the model that is there now."""
        return [gr.update(visible=self._engine.bundled)] * 2

    def connect(self, controls: Any) -> None:
        """Let the panel ask with what a visitor has set in `app.compare.controls.Controls`."""
        flag = gr.State()
        talk = controls.talk
        inputs = {flag, talk.history, talk.finished, self._kind, self._files, *controls.inputs}
        survey = gr.State()
        buttons = [self._ask, self._ask_own, self._stop]

        def meant(values: Mapping[Any, Any]) -> tuple[Inputs, Finished | None]:
            return controls.read(values, values[talk.history]), values[talk.finished]

        def drawn(values: dict[Any, Any]) -> tuple[Any, ...]:
            inputs, finished = meant(values)
            return self._begin(
                values[flag], about_scenes(self._engine, inputs, finished, values[self._kind])
            )

        def own(values: dict[Any, Any]) -> tuple[Any, ...]:
            inputs, finished = meant(values)
            return self._begin(
                values[flag], of_files(self._engine, inputs, finished, values[self._files] or ())
            )

        for button, begin in ((self._ask, drawn), (self._ask_own, own)):
            begun = button.click(begin, inputs, [self._shown, flag, survey, *buttons], **QUEUED)
            asked = begun.success(self.answers, [survey, flag], self._shown, **QUEUED)
            asked.success(lambda: _buttons(False), None, buttons, **QUICK)
            asked.failure(self._ended, flag, [self._shown, *buttons], **QUICK)
        self._stop.click(_stopped, flag, self._stop, **QUICK)

    def _begin(self, running: StopFlag | None, survey: Survey) -> tuple[Any, ...]:
        """Join the queue."""
        refuse_while_answering(running)
        return (
            component_json(_state("Waiting in the queue.", busy=True)),
            StopFlag(),
            survey,
            *_buttons(True),
        )

    def answers(self, survey: Survey | None, stop: StopFlag | None) -> Iterator[Any]:
        """Ask; yield what the panel shows.

        Args:
            survey: What is asked; None where nothing has begun.
            stop: Ends it.

        Raises:
            gr.Error: With a sentence for the visitor.
        """
        if survey is None:
            raise toast("No questions were drawn: ask them first.")
        entry = Entry("survey")
        try:
            yield from self._answers(survey, stop or StopFlag(), entry)
        finally:
            entry.end("gone")  # unless it has ended already

    def _answers(self, survey: Survey, stop: StopFlag, entry: Entry) -> Iterator[Any]:
        began: float | None = None
        facts = {"methods": len(survey.methods), "questions": len(survey.items)}
        for event in self._engine.survey(survey, stop):
            match event:
                case Heartbeat():
                    yield gr.skip()
                case Surveying(answers, of):
                    began = began or time.monotonic()
                    yield component_json(_progress(survey, answers, of, time.monotonic() - began))
                case Surveyed(result, notices):
                    entry.end("stopped" if stop.is_set() else "answered", **facts)
                    yield component_json(_state(" ".join(notices), result=json.loads(result)))
                case Refused(told) | NotLent(told):
                    entry.end("refused", **facts)
                    raise toast(told)
                case Failed(told, trace):
                    raise toast(entry.fail(trace, told))
                case Stopped():
                    entry.end("stopped", **facts)
                    yield component_json(_state("Stopped before the first answers were there."))
                case Waiting() | LoadingModel():
                    yield component_json(_state(stage.in_words(event), busy=True))

    def _ended(self, flag: StopFlag | None) -> list[Any]:
        _stopped(flag)
        return [component_json(_state("Nothing was asked.")), *_buttons(False)]


def _progress(survey: Survey, answers: int, of: int, seconds: float) -> dict[str, Any]:
    """Return the panel's state while questions are answered."""
    asked = answers * len(survey.items) // of
    status = f"{asked} of {len(survey.items)} questions are answered."
    if answers:
        left = seconds / answers * (of - answers)
        status += f" About {max(1, round(left))} s are left."
    return _state(status, busy=True, share=answers / of)


def _state(
    status: str,
    *,
    busy: bool = False,
    share: float | None = None,
    result: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return what `static/chance.js` shows.

    Args:
        status: A sentence.
        busy: Whether it goes on.
        share: How much is done, 0 to 1; None where that is not known.
        result: What `app.shared.chance` found.
    """
    return {"status": status, "busy": busy, "share": share, "result": result}


def _buttons(running: bool) -> list[Any]:
    return [
        gr.update(interactive=not running),
        gr.update(interactive=not running),
        gr.update(interactive=running),
    ]


def _stopped(flag: StopFlag | None) -> Any:
    """End it within one batch, keep what was answered, and switch Stop off."""
    if flag is not None:
        flag.set()
    return gr.update(interactive=False)
