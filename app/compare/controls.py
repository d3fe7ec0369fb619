"""The left column: what a visitor can give, ask and set."""

from collections.abc import Mapping
from typing import Any

import gradio as gr

from app.compare.examples import read_examples
from app.compare.handlers import refuse_while_answering
from app.compare.inputs import Inputs
from app.compare.method_inputs import MethodControls, chosen
from app.compare.talk_controls import TalkControls
from app.compare.uploads import more_files_input, picture_input
from app.compare.viewer import example_list
from app.shared.engine import Engine
from app.shared.request import Exchange
from app.shared.stop_flag import StopFlag
from app.shared.ui import toast

EMPTY = (None, "", "", None)
"""What `Controls.fresh` holds before anything is given."""


class Controls:
    """Lays out the left column; must be made inside a column of a page.

    Its fields hold the components: `question`, `ask`, `stop`; `talk`, those of the conversation;
    `examples`, None without any; `window`, how many of the last and of the first tokens are kept;
    `fresh`, what a question is about, which the next one begins without; `inputs`, all from which
    `read` takes a value; and `on_arrival`, what `arrived` tells once the model is there.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        sees = engine.reads_pictures
        self.talk = TalkControls()
        with gr.Column(visible=sees) as self.picture_box:
            self.picture = picture_input()
        self.question = gr.Textbox(
            label="Question",
            placeholder="What do you want to know?",
            lines=1,
            max_lines=6,
            elem_id="question",
        )
        with gr.Row(elem_id="actions"):
            self.ask = gr.Button("Ask", variant="primary", scale=3, min_width=120, elem_id="ask")
            self.stop = gr.Button("Stop", interactive=False, scale=1, min_width=80, elem_id="stop")
        self.talk.lay_out_follow_up()
        with gr.Accordion(
            "More than one picture and a question", open=not sees, elem_id="more"
        ) as self._more:
            self._lay_out_more(sees)
        self._methods = MethodControls(engine)
        with gr.Column(visible=sees) as self._examples_box:
            self._lay_out_examples()
        with gr.Accordion("Settings", open=False, elem_id="settings"):
            self._lay_out_settings(engine)
        self.fresh: list[Any] = [self.picture, self.question, self._passage, self._files]
        self.inputs: list[Any] = [
            *self.fresh,
            self._system,
            *self._decoding.values(),
            *self.window,
            self._methods.picker,
        ]
        self.on_arrival: list[Any] = [
            self.picture_box,
            self._files_box,
            self._examples_box,
            self._more,
            self._methods.picker,
        ]
        self._methods.picker.fill(
            self._fill,
            {*self.fresh, self.talk.history},
            self._methods.picker,
            queue=False,
            show_progress="hidden",
            api_visibility="private",
        )

    def read(self, values: Mapping[Any, Any], history: tuple[Exchange, ...] | None) -> Inputs:
        """Return what a visitor has set.

        Args:
            values: By component, for all of `inputs`.
            history: The conversation so far, from the visitor's session.
        """
        window, first_tokens = self.window
        return Inputs(
            picture=values[self.picture],
            question=values[self.question],
            more=tuple(values[self._files] or ()),
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
        boxes = [gr.update(visible=sees)] * 3
        return [*boxes, gr.skip() if sees else gr.update(open=True), self._methods.arrived()]

    def picture_shown(self) -> Any:
        """Return the update of `picture_box` at the beginning of a conversation."""
        return gr.update(visible=self._engine.reads_pictures)

    def choose(self, running: StopFlag | None, event: gr.EventData) -> tuple[Any, ...]:
        """Fill in an example: what `fresh` holds, window, and its stored comparison, if any."""
        refuse_while_answering(running)
        index = getattr(event, "index", None)
        if not isinstance(index, int) or not 0 <= index < len(self._found):
            raise toast("There is no such example: choose one of those shown.")
        example = self._found[index][0]
        filled = (str(example.picture), example.question, "", None, example.window, example.sinks)
        return *filled, example.comparison()

    def _fill(self, values: Mapping[Any, Any]) -> str:
        """Choose methods that fit what a visitor is about to ask."""
        asked = Inputs(
            picture=values[self.picture],
            more=tuple(values[self._files] or ()),
            passage=values[self._passage],
            history=values[self.talk.history] or (),
        )
        return self._methods.filled(**asked.has())

    def _lay_out_more(self, sees: bool) -> None:
        self._passage = gr.Textbox(
            label="Passage",
            placeholder="A text that the question is about.",
            lines=5,
            max_lines=14,
            elem_id="passage",
        )
        with gr.Column(visible=sees) as self._files_box:
            self._files = more_files_input()
        self._system = gr.Textbox(
            label="System prompt",
            placeholder="How the model is to behave; empty for its own.",
            lines=2,
            max_lines=6,
            elem_id="system",
        )

    def _lay_out_examples(self) -> None:
        self._found = read_examples()
        self.examples: Any = None
        if self._found:
            self.examples = example_list(
                [
                    {"src": thumbnail, "question": example.question, "note": example.note}
                    for example, thumbnail in self._found
                ]
            )

    def _lay_out_settings(self, engine: Engine) -> None:
        length = gr.Slider(
            1,
            engine.max_new_tokens,
            value=min(128, engine.max_new_tokens),
            step=1,
            label="Longest answer (tokens)",
        )
        with gr.Row():
            window = gr.Number(
                value=0,
                precision=0,
                minimum=0,
                label="Window (tokens)",
                info="0 keeps everything in view. Else this many of the last tokens, and the "
                "first ones.",
            )
            first = gr.Number(value=1, precision=0, minimum=0, label="First tokens kept")
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


def _switches(switch: gr.Checkbox, others: list[Any]) -> None:
    """Let a checkbox decide whether other inputs can be set."""
    switch.change(
        lambda on: [gr.update(interactive=on)] * len(others),
        switch,
        others,
        queue=False,
        show_progress="hidden",
        api_visibility="private",
    )
