"""The left column: what a visitor can set, ask and choose."""

from collections.abc import Mapping
from typing import Any

import gradio as gr

from app.compare.examples import read_examples
from app.compare.handlers import NUM_DOWNLOADS, refuse_while_answering, stored_comparison
from app.compare.inputs import Inputs, LaneInputs
from app.compare.uploads import picture_input
from app.compare.viewer import example_list
from app.shared.engine import Engine
from app.shared.stop_flag import StopFlag
from app.shared.ui import toast

_CONTEXTS = [
    ("The model’s own", ""),
    ("Picture", "image"),
    ("Question", "instruction"),
    ("Both", "image+instruction"),
]
_MASKS = [("Corrected", "corrected"), ("As in the public code", "official")]
_OTHER_CONTEXTS = ("instruction", "image")  # of the third and the fourth lane, at first


class Controls:
    """Lays out the left column; must be made inside a column of a page.

    Its fields hold the components: `picture`, `question`, `ask`, `stop`; `examples`, None without
    any; `window`, how many of the last and of the first tokens are kept; and `inputs`, all from
    which `read` takes a value.
    """

    def __init__(self, engine: Engine) -> None:
        self.picture = picture_input()
        self.question = gr.Textbox(
            label="Question",
            placeholder="What do you want to know about it?",
            lines=1,
            max_lines=6,
            elem_id="question",
        )
        with gr.Row(elem_id="actions"):
            self.ask = gr.Button("Ask", variant="primary", scale=3, min_width=120, elem_id="ask")
            self.stop = gr.Button("Stop", interactive=False, scale=1, min_width=80, elem_id="stop")
        self._found = read_examples()
        self.examples: Any = None
        if self._found:
            self.examples = example_list(
                [
                    {"src": thumbnail, "question": example.question, "note": example.note}
                    for example, thumbnail in self._found
                ]
            )
        with gr.Accordion("Settings", open=False, elem_id="settings"):
            self._settings(engine)
        self.inputs: list[Any] = [
            self.picture,
            self.question,
            *self._decoding.values(),
            *self.window,
            *(component for lane in self._lanes for component in lane.values()),
        ]

    def read(self, values: Mapping[Any, Any]) -> Inputs:
        """Return what a visitor has set.

        Args:
            values: By component, for all of `inputs`.
        """
        lanes = [
            LaneInputs(**{name: values[component] for name, component in lane.items()})
            for lane in self._lanes
        ]
        window, first_tokens = self.window
        return Inputs(
            picture=values[self.picture],
            question=values[self.question],
            window=values[window],
            first_tokens=values[first_tokens],
            sinktrack=lanes[0],
            more_lanes=tuple(lanes[1:]),
            **{name: values[component] for name, component in self._decoding.items()},
        )

    def choose(self, running: StopFlag | None, event: gr.EventData) -> tuple[Any, ...]:
        """Fill in an example: picture, question, window, and its stored comparison, if any."""
        refuse_while_answering(running)
        index = getattr(event, "index", None)
        if not isinstance(index, int) or not 0 <= index < len(self._found):
            raise toast("There is no such example: choose one of those shown.")
        example = self._found[index][0]
        filled = (str(example.picture), example.question, example.window, example.sinks)
        comparison = example.comparison()
        if comparison is None:
            return *filled, gr.skip(), *(gr.skip() for _ in range(NUM_DOWNLOADS))
        downloads = [gr.update(interactive=False)] * NUM_DOWNLOADS
        return *filled, stored_comparison(comparison), *downloads

    def _settings(self, engine: Engine) -> None:
        length = gr.Slider(
            1,
            engine.max_new_tokens,
            value=min(128, engine.max_new_tokens),
            step=1,
            label="Longest answer (tokens)",
        )
        context = gr.Radio(_CONTEXTS, value="", label="Written into the first token")
        causal = gr.Radio(_MASKS, value="corrected", label="Causal mask where it writes")
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
        self._lanes = [{"context": context, "causal": causal}, *self._more_lanes()]

    def _more_lanes(self) -> list[dict[str, Any]]:
        """Lay out what a third and a fourth lane would do differently; return them by field."""
        found: list[dict[str, Any]] = []
        for number in range(len(_OTHER_CONTEXTS)):
            wanted = gr.Checkbox(
                label=f"Add {'another' if number else 'a third'} answer",
                info="SinkTrack in another way, beside the others.",
                elem_id=f"lane-{number + 3}",
            )
            with gr.Group(visible=False) as group:
                context = gr.Radio(_CONTEXTS, value=_OTHER_CONTEXTS[number], label="It writes")
                causal = gr.Radio(_MASKS, value="corrected", label="With the mask")
                every = gr.Number(
                    value=0,
                    precision=0,
                    minimum=0,
                    label="At every how many layers",
                    info="0: at the model’s own.",
                )
            wanted.change(
                lambda on: gr.update(visible=on),
                wanted,
                group,
                queue=False,
                show_progress="hidden",
                api_visibility="private",
            )
            found.append({"wanted": wanted, "context": context, "causal": causal, "every": every})
        return found


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
