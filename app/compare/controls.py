"""What a visitor can give, ask and set."""

from collections.abc import Mapping
from typing import Any

import gradio as gr

from app.compare.examples import Example, read_examples
from app.compare.handlers import refuse_while_answering
from app.compare.inputs import Inputs
from app.compare.known_answers import KnownAnswers
from app.compare.method_inputs import MethodControls, chosen
from app.compare.scene_pad import ScenePad
from app.compare.talk_controls import TalkControls
from app.compare.uploads import more_files_input, picture_input
from app.compare.viewer import example_list
from app.shared.engine import Engine
from app.shared.request import Asked, Exchange
from app.shared.stop_flag import StopFlag
from app.shared.toasts import toast
from app.shared.ui import QUEUED, QUICK

EMPTY = (None, "", "", None)
"""What `Controls.fresh` holds before anything is given."""

_PICTURE, _PASSAGE, _MORE = "picture-tab", "passage-tab", "more-tab"


class Controls:
    """Lays out what is asked, and after it how; must be made inside a row of a page.

    Its fields hold the components: `picture`, `pad`, `passage_tab`, `files`, `question`, `ask` and
    `stop`; `talk`, those of the conversation; `examples`, None without any; `window`, how many of
    the last and of the first tokens are kept; `example`, the one that is filled in, None after
    something of one's own; `setup`, a column; `fresh`, what a question is about, which the next one
    begins without;
    `inputs`, all from which `read` takes a value; and `on_arrival`, what `arrived` tells once the
    model is there. `first` is the example that a visitor meets, None without any.
    """

    def __init__(self, engine: Engine, known: KnownAnswers) -> None:
        self._engine, self._known = engine, known
        sees = engine.reads_pictures
        self._found = read_examples() if sees else []
        self.first = self._found[0][0] if self._found else None
        with gr.Column(min_width=300, elem_id="inputs"):
            self._lay_out_question(sees)

    def lay_out_setup(self) -> None:
        """Lay out what is compared, and the settings."""
        with gr.Column(min_width=300, elem_id="setup") as self.setup:
            self._methods = MethodControls(self._engine)
            with gr.Accordion("Settings", open=False, elem_id="settings"):
                self._lay_out_settings(self._engine, self.first.window if self.first else 0)
        self.fresh: list[Any] = [self.picture, self.question, self._passage, self.files]
        self.inputs: list[Any] = [
            *self.fresh,
            self._system,
            *self._decoding.values(),
            *self.window,
            self._methods.picker,
        ]
        self.on_arrival: list[Any] = [
            *self.place,
            self._files_box,
            self._examples_box,
            self.question,
            self._methods.picker,
            self.pad.box,
        ]
        self._wire_methods_and_window()

    def _lay_out_question(self, sees: bool) -> None:
        self.talk = TalkControls()
        with gr.Tabs(selected=_PICTURE if sees else _PASSAGE, elem_id="about") as self._about:
            self._lay_out_what_is_asked_about(sees)
        self.question = gr.Textbox(
            self.first.question if self.first else None,
            label="Question",
            placeholder="What do you want to know?",
            lines=1,
            max_lines=6,
            elem_id="question",
        )
        self.pad.connect(self.question)
        window = self.first.window if self.first else 0
        self._unwindow = gr.Button(
            _in_view(window), visible=window > 0, size="sm", elem_id="unwindow"
        )
        with gr.Row(elem_id="actions"):
            self.ask = gr.Button("Ask", variant="primary", scale=3, min_width=120, elem_id="ask")
            self.stop = gr.Button("Stop", interactive=False, scale=1, min_width=80, elem_id="stop")
        self.talk.lay_out_follow_up()
        with gr.Column(visible=sees) as self._examples_box:
            self._lay_out_examples()

    @property
    def place(self) -> list[Any]:
        """What `where` sets: the picture's tab, and which tab is in front."""
        return [self._picture_tab, self._about]

    def read(self, values: Mapping[Any, Any], history: tuple[Exchange, ...] | None) -> Inputs:
        """Return what a visitor has set.

        Args:
            values: By component, for all of `inputs`.
            history: The conversation so far, from the visitor's session.
        """
        window, first_tokens = self.window
        return Inputs(
            # the example's is still there where a model came that reads none
            picture=values[self.picture] if self._engine.reads_pictures else None,
            question=values[self.question],
            more=tuple(values[self.files] or ()),
            passage=values[self._passage],
            system=values[self._system],
            history=history or (),
            methods=self._methods.read(values[self._methods.picker]),
            window=values[window],
            first_tokens=values[first_tokens],
            **{name: values[component] for name, component in self._decoding.items()},
        )

    def filled(self, inputs: Inputs) -> list[Any]:
        """Return the values of `inputs` from which `read` gives these, all but the history."""
        decoding = [getattr(inputs, name) for name in self._decoding]
        return [
            inputs.picture,
            inputs.question,
            inputs.passage,
            list(inputs.more) or None,
            inputs.system,
            *decoding,
            inputs.window,
            inputs.first_tokens,
            chosen(inputs.methods),
        ]

    def arrived(self) -> list[Any]:
        """Return the updates of `on_arrival` for the model that is there now."""
        sees = self._engine.reads_pictures
        boxes = [gr.update(visible=sees)] * 2
        unchanged = [gr.skip()] * 3
        begins = unchanged if sees else [*self.where(goes_on=False), ""]
        last = [begins[2], self._methods.arrived(), self.pad.arrived()]
        return [*begins[:2], *boxes, *last]

    def where(self, *, goes_on: bool) -> list[Any]:
        """Return the updates of `place`.

        Args:
            goes_on: Whether the conversation has its picture already; another can be given.
        """
        shown = self._engine.reads_pictures and not goes_on
        front = _PICTURE if shown else (_MORE if self._engine.reads_pictures else _PASSAGE)
        return [gr.update(visible=shown), gr.update(selected=front)]

    def choose(self, running: StopFlag | None, event: gr.EventData) -> tuple[Any, ...]:
        """Fill in an example: `fresh`, `window`, `example`."""
        refuse_while_answering(running)
        index = getattr(event, "index", None)
        if not isinstance(index, int) or not 0 <= index < len(self._found):
            raise toast("There is no such example: choose one of those shown.")
        example = self._found[index][0]
        filled = str(example.picture), example.question, "", None
        window = example.window, example.sinks, example
        return *filled, *window

    def asked_again(self, asked: Asked, *, first: bool) -> tuple[Any, ...]:
        """Fill in a question of earlier: what `fresh` holds.

        Args:
            asked: The question.
            first: Whether the conversation begins with it, where its picture has a place.
        """
        files = [*asked.pictures, *([asked.video] if asked.video else [])]
        picture = files.pop(0) if first and asked.pictures else None
        return picture, asked.question, asked.passage or "", files or None

    def without(self, example: Example | None, window: Any) -> list[Any]:
        """Return what `example` and the window are after something of one's own was given."""
        brought = example is not None and example.window and window == example.window
        return [None, 0 if brought else gr.skip()]

    def _fill(self, values: Mapping[Any, Any]) -> str:
        """Choose methods that fit what a visitor is about to ask."""
        asked = Inputs(
            picture=values[self.picture],
            more=tuple(values[self.files] or ()),
            passage=values[self._passage],
            history=values[self.talk.history] or (),
        )
        return self._methods.filled(**asked.has())

    def _lay_out_what_is_asked_about(self, sees: bool) -> None:
        tab: dict[str, Any] = {"render_children": True}  # else one never opened has no values
        with gr.Tab("Picture", visible=sees, id=_PICTURE, elem_id=_PICTURE, **tab) as shown:
            self.picture = picture_input(self.first.picture if self.first else None)
            self.pad = ScenePad(self._engine, self._known, self.picture)
        self._picture_tab = shown
        with gr.Tab("Passage", id=_PASSAGE, elem_id=_PASSAGE, **tab) as self.passage_tab:
            self._passage = gr.Textbox(
                label="Passage",
                placeholder="A text that the question is about; beside a picture, or alone.",
                lines=9,
                max_lines=14,
                elem_id="passage",
            )
        with gr.Tab("More", id=_MORE, elem_id=_MORE, **tab):
            with gr.Column(visible=sees) as self._files_box:
                self.files = more_files_input()
            self._system = gr.Textbox(
                label="System prompt",
                placeholder="How the model is to behave; empty for its own.",
                lines=2,
                max_lines=6,
                elem_id="system",
            )

    def _lay_out_examples(self) -> None:
        for example, _ in self._found:
            picture = example.picture.read_bytes()
            if example.truth is not None:
                self._known.remember(picture, example.question, example.truth)
            if example.scene is not None:
                self._known.remember_scene(picture, example.scene)
        self.examples: Any = None
        if self._found:
            self.examples = example_list(
                [
                    {"src": thumbnail, "question": example.question, "note": example.note}
                    for example, thumbnail in self._found
                ]
            )

    def _lay_out_settings(self, engine: Engine, in_view: int) -> None:
        length = gr.Slider(
            1,
            engine.max_new_tokens,
            value=min(128, engine.max_new_tokens),
            step=1,
            label="Longest answer (tokens)",
        )
        with gr.Row():
            window = gr.Number(
                value=in_view,
                precision=0,
                minimum=0,
                label="Window (tokens)",
                info="0 keeps everything in view. Else this many of the last tokens, and the "
                "first ones.",
            )
            first = gr.Number(value=1, precision=0, minimum=0, label="First tokens kept")
        self.example = gr.State(self.first)
        sample = gr.Checkbox(
            label="Sample",
            info="Off: the most likely token each time. On: all answers share their noise.",
        )
        with gr.Row():
            heat = gr.Slider(0.1, 2.0, value=1.0, step=0.1, label="Temperature", interactive=False)
            seed = gr.Number(
                value=0, precision=0, minimum=0, maximum=2**31 - 1, label="Seed", interactive=False
            )
        _switches(sample, [heat, seed])
        self.window = [window, first]
        self._decoding = {
            "max_new_tokens": length,
            "do_sample": sample,
            "temperature": heat,
            "seed": seed,
        }

    def _wire_methods_and_window(self) -> None:
        self._methods.picker.fill(
            self._fill,
            {*self.fresh, self.talk.history},
            self._methods.picker,
            **QUEUED,
        )
        window = self.window[0]
        window.change(
            lambda tokens: gr.update(value=_in_view(tokens or 0), visible=(tokens or 0) > 0),
            window,
            self._unwindow,
            **QUICK,
        )
        self._unwindow.click(lambda: 0, None, window, **QUICK)


def _in_view(tokens: int) -> str:
    """Say what a window does, and what a click on it does."""
    return f"Only the last {tokens} tokens stay in view: keep everything"


def _switches(switch: gr.Checkbox, others: list[Any]) -> None:
    """Let a checkbox decide whether other inputs can be set."""
    switch.change(
        lambda on: [gr.update(interactive=on)] * len(others),
        switch,
        others,
        **QUICK,
    )
