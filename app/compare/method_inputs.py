"""What is compared: one method an answer, with its parameters. No method is known here by name."""

import html
from collections.abc import Mapping
from typing import Any

import gradio as gr

from app.compare.inputs import DEFAULT, MethodInputs
from app.shared.engine import Engine
from app.shared.methods import MOST_METHODS, MethodHelp, ParameterHelp, method_choices
from app.shared.ui import toast
from sinktrack.core.errors import MethodError

_NUMBERS = ("First", "Second", "Third", "Fourth")


class MethodControls:
    """Lays out a choice of method for each answer; must be made inside a column of a page.

    Its fields hold the components: `inputs`, all from which `read` takes a value, and `helps`, what
    is told of each method.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._rows: list[tuple[gr.Dropdown, gr.Textbox]] = []
        self.helps: list[gr.HTML] = []
        for number in range(MOST_METHODS):
            self._row(number)
        self.inputs: list[Any] = [component for row in self._rows for component in row]

    def read(self, values: Mapping[Any, Any]) -> tuple[MethodInputs, ...]:
        """Return the chosen methods, those of answers that are not wanted included.

        Args:
            values: By component, for all of `inputs`.
        """
        return tuple(
            MethodInputs(kind=values[kind] or "", parameters=values[parameters] or "")
            for kind, parameters in self._rows
        )

    def arrived(self) -> list[str]:
        """Return what is told of the methods chosen at first, once the model is there."""
        kinds = [method.kind for method in DEFAULT]
        return [self._help(kind) for kind in kinds] + [""] * (MOST_METHODS - len(kinds))

    def _row(self, number: int) -> None:
        needed = number < len(DEFAULT)
        choices = method_choices()
        first = DEFAULT[number].kind if needed else ""
        with gr.Group(elem_classes="st-method"):
            kind = gr.Dropdown(
                choices if needed else [("None", ""), *choices],
                value=first,
                label=f"{_NUMBERS[number]} answer",
                filterable=False,
                elem_id=f"method-{number + 1}",
            )
            parameters = gr.Textbox(
                label="Parameters",
                placeholder=self._example(first),
                max_length=400,
                visible=bool(self._example(first)),
                elem_id=f"parameters-{number + 1}",
            )
            told = gr.HTML(
                self._help(first),
                apply_default_css=False,
                elem_id=f"told-{number + 1}",
                elem_classes="st-told",
            )
        # Gradio's own check logs a traceback and repeats what was sent as HTML; the engine checks.
        kind.preprocess = _as_text  # type: ignore[method-assign]
        kind.change(
            self._changed,
            kind,
            [parameters, told],
            queue=False,
            show_progress="hidden",
            api_visibility="private",
        )
        self._rows.append((kind, parameters))
        self.helps.append(told)

    def _changed(self, kind: str) -> tuple[Any, str]:
        """Return an empty line for the parameters of another method, and what is told of it."""
        try:
            example, told = self._example(kind), self._help(kind)
        except MethodError as error:
            raise toast(str(error)) from error
        return gr.update(value="", placeholder=example, visible=bool(example)), told

    def _example(self, kind: str) -> str:
        return self._engine.method_help(kind).example if kind else ""

    def _help(self, kind: str) -> str:
        return _told(self._engine.method_help(kind)) if kind else ""


def _as_text(payload: Any) -> str:
    return "" if payload is None else str(payload)[:100]


def _told(method: MethodHelp) -> str:
    """Return what is told of a method as HTML."""
    summary = f"<p>{html.escape(method.summary)}</p>"
    if not method.parameters:
        return summary
    names = ", ".join(each.name for each in method.parameters)
    rows = "".join(map(_row, method.parameters))
    return (
        f"{summary}<details><summary>Can be set: {html.escape(names)}</summary>"
        f"<p>As they are when nothing is typed:</p><dl>{rows}</dl></details>"
    )


def _row(parameter: ParameterHelp) -> str:
    default = f"={parameter.default}" if parameter.default else ""
    return (
        f"<dt><code>{html.escape(parameter.name + default)}</code> "
        f"{html.escape(parameter.range)}</dt><dd>{html.escape(parameter.help)}</dd>"
    )
