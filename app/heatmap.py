"""The viewer of `sinktrack.report` as a Gradio component, with a line that says what happens now.

The component's value is JSON text. Gradio evaluates templates as JavaScript and does not escape
everything in them, so the template is fixed and all data goes through `textContent` in the browser.
"""

import json
from pathlib import Path
from typing import Any

import gradio as gr

from sinktrack.report.html import viewer_script, viewer_style

_STATIC = Path(__file__).parent / "static"


def pack(state: Any) -> str:
    """Return JSON text for a component's value; no "<" in it can be taken for a tag."""
    return json.dumps(state, allow_nan=False).replace("<", "\\u003c")


def stage(state: dict[str, Any]) -> gr.HTML:
    """Return the place where answers grow and are looked at.

    Args:
        state: "status", a sentence; "busy"; "notices", sentences; and either "lanes", as
            `SinkTrackViewer.progress` takes them, or "payload", the JSON of a finished comparison.
    """
    return gr.HTML(
        value=pack(state),
        html_template='<div class="st-stage"></div>',
        js_on_load="SinkTrackPage.stage(element.querySelector('.st-stage'), props, watch);",
        apply_default_css=False,
        elem_id="stage",
    )


def example_list(examples: list[dict[str, str]]) -> gr.HTML:
    """Return the examples as buttons; a click triggers the event "choose" with the index.

    Args:
        examples: "src", a data URL, "question" and "note" of each.
    """
    return gr.HTML(
        value=pack(examples),
        html_template='<div class="st-examples"></div>',
        js_on_load="SinkTrackPage.examples("
        "element.querySelector('.st-examples'), props, (data) => trigger('choose', data));",
        apply_default_css=False,
        elem_id="examples",
    )


def head() -> str:
    """Return what the page's head needs: the viewer, and the page's own style and script.

    They go here and not into `launch(css=, js=)`, because Gradio rewrites CSS given there.
    """
    style = viewer_style() + _static("page.css", "judge.css")
    script = viewer_script() + _static("page.js", "words.js", "judge.js")
    return f"<style>{style}</style>\n<script>{script}</script>"


def _static(*names: str) -> str:
    return "\n".join((_STATIC / name).read_text("utf-8") for name in names)
