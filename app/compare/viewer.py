"""The viewer of `sinktrack.report` as a Gradio component, with a line that says what happens now.

The component's value is JSON text. Gradio evaluates templates as JavaScript and does not escape
everything in them, so the template is fixed and all data goes through `textContent` in the browser.
"""

from collections.abc import Callable
from typing import Any

import gradio as gr

from app.shared.ui import component_json


def answer_viewer(state: str, why: Callable[[Any], dict[str, Any]]) -> gr.HTML:
    """Return the place where answers grow and are looked at.

    It triggers the event "force" with "lane" and "at": the others are to go on from a lane's words;
    and "shorter": what is offered in place of what was refused is to be asked.

    Args:
        state: What it shows at first: see `app.compare.stage`.
        why: Called from the browser, see `CompareHandlers.why`.
    """
    return gr.HTML(
        value=state,
        html_template='<div class="st-stage"></div>',
        js_on_load="SinkTrackPage.stage(element.querySelector('.st-stage'), props, watch, {"
        "why: (asked) => server.why(asked), force: (asked) => trigger('force', asked), "
        "shorter: () => trigger('shorter')});",
        server_functions=[why],
        apply_default_css=False,
        elem_id="stage",
    )


def example_list(examples: list[dict[str, str]]) -> gr.HTML:
    """Return the examples as buttons; a click triggers the event "choose" with the index.

    Args:
        examples: "src", a data URL, "question" and "note" of each.
    """
    return gr.HTML(
        value=component_json(examples),
        html_template='<div class="st-examples"></div>',
        js_on_load="SinkTrackPage.examples("
        "element.querySelector('.st-examples'), props, (data) => trigger('choose', data));",
        apply_default_css=False,
        elem_id="examples",
    )


def method_picker(value: str, offered: str) -> gr.HTML:
    """Return the place where methods are chosen; it triggers the event "fill" without data.

    Args:
        value: What is chosen, and what the visitor sends: see `app.compare.method_inputs`.
        offered: What can be chosen, as JSON.
    """
    return gr.HTML(
        value=value,
        html_template='<div class="st-picker"></div>',
        js_on_load="SinkTrackPicker.picker("
        "element.querySelector('.st-picker'), props, watch, () => trigger('fill'));",
        apply_default_css=False,
        elem_id="methods",
        cards=offered,
    )


def turn_list() -> gr.HTML:
    """Return the earlier turns of a conversation; its value is what `app.compare.talk` makes.

    It triggers the event "edit" with the index of a question that is to be asked anew.
    """
    return gr.HTML(
        value=component_json([]),
        html_template='<div class="st-turns"></div>',
        js_on_load="SinkTrackPage.turns("
        "element.querySelector('.st-turns'), props, watch, (data) => trigger('edit', data));",
        apply_default_css=False,
        elem_id="turns",
    )


def shared_address(value: str) -> gr.HTML:
    """Return the place that has the comparison's address.

    Args:
        value: What it says at first: see `app.compare.take`.
    """
    return gr.HTML(
        value=value,
        html_template='<div class="st-share"></div>',
        js_on_load="SinkTrackShare.share(element.querySelector('.st-share'), props, watch);",
        apply_default_css=False,
        elem_id="share",
    )


def gallery_list(entries: list[dict[str, Any]]) -> gr.HTML:
    """Return the gallery; a click triggers the event "choose" with the entry's name.

    Args:
        entries: See `app.compare.gallery`.
    """
    return gr.HTML(
        value=component_json(entries),
        html_template='<div class="st-gallery"></div>',
        js_on_load="SinkTrackShare.gallery("
        "element.querySelector('.st-gallery'), props, watch, (data) => trigger('choose', data));",
        apply_default_css=False,
        elem_id="gallery",
    )
