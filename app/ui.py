"""The page's layout: inputs on the left, answers on the right; one above the other on a phone."""

import html
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.themes.utils.colors import Color

from app.compare import Compare, toast
from app.engine import Engine
from app.examples import read_examples
from app.heatmap import example_list, head, stage
from app.settings import Settings
from app.stop import sweep
from app.uploads import raw_picture, refuse_links

_FAVICON = Path(__file__).parent / "static" / "favicon.svg"
_LARGEST_UPLOAD = "64mb"
_REPORT_AGE = 24 * 60 * 60  # seconds until an upload or a report is deleted

_TEAL = Color(
    *("#eef7f5", "#d8ece8", "#b3dad3", "#83c3b9", "#4fa79b", "#2a8a7f"),
    *("#0b6b63", "#0a5952", "#094843", "#083a36", "#052522"),
    name="teal",
)
_STONE = Color(
    *("#fafaf7", "#f3f4f1", "#e0e4e1", "#c9cfcc", "#96a09f", "#6b777a"),
    *("#4d595e", "#37424a", "#252d32", "#171c20", "#101417"),
    name="stone",
)
_FONTS = ("-apple-system", "Segoe UI", "Inter", "Roboto", "Liberation Sans", "sans-serif")
_MONO = ("ui-monospace", "SF Mono", "Cascadia Mono", "Liberation Mono", "monospace")


def theme() -> gr.themes.Base:
    """Return the page's colours and type, for light and dark."""
    look = gr.themes.Base(
        primary_hue=_TEAL, secondary_hue=_TEAL, neutral_hue=_STONE, font=_FONTS, font_mono=_MONO
    )
    return look.set(
        body_background_fill="#f6f6f2",
        body_background_fill_dark="*neutral_950",
        body_text_color="#1b2327",
        body_text_color_dark="#e9ecea",
        body_text_color_subdued="#58646a",
        body_text_color_subdued_dark="#a3aeb2",
        block_background_fill="white",
        block_background_fill_dark="*neutral_900",
        block_border_color="*neutral_200",
        block_border_color_dark="#2c353a",
        block_border_width="1px",
        block_radius="12px",
        block_shadow="none",
        block_title_text_color="*body_text_color",
        block_title_text_weight="600",
        block_label_background_fill="transparent",
        block_label_border_width="0px",
        input_background_fill="*neutral_50",
        input_background_fill_dark="#1f262b",
        input_border_color_focus="*primary_600",
        input_border_color_focus_dark="*primary_300",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_300",
        button_primary_background_fill_hover_dark="*primary_200",
        button_primary_text_color="white",
        button_primary_text_color_dark="*primary_950",
        button_secondary_background_fill="white",
        button_secondary_background_fill_hover="*neutral_100",
        button_secondary_background_fill_dark="*neutral_800",
        button_secondary_background_fill_hover_dark="*neutral_700",
        button_secondary_border_color="*neutral_300",
        button_secondary_border_color_dark="*neutral_700",
        slider_color="*primary_600",
        slider_color_dark="*primary_300",
        checkbox_background_color_selected="*primary_600",
        checkbox_background_color_selected_dark="*primary_400",
        checkbox_label_background_fill_selected="*primary_50",
        checkbox_label_background_fill_selected_dark="*primary_900",
    )


def build(engine: Engine, settings: Settings) -> gr.Blocks:
    """Return the page.

    Args:
        engine: Answers the questions.
        settings: The limits to show.

    Returns:
        The page, ready for `launch`.
    """
    page = gr.Blocks(title="SinkTrack", delete_cache=(3600, _REPORT_AGE))
    with page:
        gr.HTML(_header(engine), apply_default_css=False, elem_id="top")
        with gr.Row(elem_id="columns"):
            with gr.Column(scale=4, min_width=300, elem_id="inputs"):
                inputs, ask, stop_button = _inputs(engine)
            with gr.Column(scale=9, min_width=320, elem_id="answers"):
                download = gr.DownloadButton(
                    "Download the report", interactive=False, elem_id="report", render=False
                )
                compare = Compare(engine, download.GRADIO_CACHE)
                shown = stage(compare.idle())
                download.render()
        _wire(compare, inputs, ask, stop_button, shown, download)
    refuse_links(page)
    # Without api_open=False each handler also answers plain POST requests that pass the queue by.
    page.queue(max_size=settings.queue_size, default_concurrency_limit=1, api_open=False)
    return page


def launch(page: gr.Blocks, settings: Settings, **options: Any) -> Any:
    """Serve the page; returns when it ends, or at once with prevent_thread_lock=True."""
    sweep()
    return page.launch(
        server_name=settings.host,
        server_port=settings.port,
        theme=theme(),
        head=head(),
        favicon_path=_FAVICON,
        footer_links=[],
        max_file_size=_LARGEST_UPLOAD,
        enable_monitoring=False,
        **options,
    )


def _header(engine: Engine) -> str:
    """Return the page's head as HTML; everything that is not ours is escaped."""
    banner = ""
    if engine.bundled:
        learned = (
            " It was trained to read what SinkTrack writes into its first token, which large models"
            " were not: it shows how the method works, and not how much it helps them."
        )
        banner = (
            '<aside class="st-banner"><p><strong>This is the small bundled model.</strong> It has'
            " only ever seen coloured shapes on a grid, so ask it about pictures like the examples."
            f"{learned if engine.anchored else ''} {html.escape(engine.notice)}</p>"
            "<p>For real pictures, on a GPU of 8 GB or more:"
            " <code>python app.py --model Qwen/Qwen2.5-VL-3B-Instruct</code></p></aside>"
        )
    return (
        '<header class="st-top"><h1>SinkTrack</h1><p class="st-tagline">One question, two answers:'
        " the plain model, and the same model with the context written into its first token.</p>"
        f'<p class="st-model">Model: <strong>{html.escape(engine.name)}</strong></p></header>'
        f"{banner}"
    )


def _inputs(engine: Engine) -> tuple[list[gr.components.Component], gr.Button, gr.Button]:
    """Lay out the left column; the inputs are in the order in which `Compare.answer` takes them."""
    picture = raw_picture()
    question = gr.Textbox(
        label="Question",
        placeholder="What do you want to know about it?",
        lines=1,
        max_lines=6,
        elem_id="question",
    )
    with gr.Row(elem_id="actions"):
        ask = gr.Button("Ask", variant="primary", scale=3, min_width=120, elem_id="ask")
        stop = gr.Button("Stop", interactive=False, scale=1, min_width=80, elem_id="stop")
    window = gr.Number(
        value=0,
        precision=0,
        minimum=0,
        label="Window (tokens)",
        info="0 keeps everything in view. Else this many of the last tokens, and the first ones.",
        render=False,
    )
    first = gr.Number(value=1, precision=0, minimum=0, label="First tokens kept", render=False)
    _examples([picture, question, window, first])
    with gr.Accordion("Settings", open=False, elem_id="settings"):
        published = engine.published
        length = gr.Slider(
            1,
            engine.max_new_tokens,
            value=min(128, engine.max_new_tokens),
            step=1,
            label="Longest answer (tokens)",
        )
        context = gr.Radio(
            [("Picture", "image"), ("Question", "instruction"), ("Both", "image+instruction")],
            value=published.context,
            label="Written into the first token",
        )
        causal = gr.Radio(
            [("Corrected", "corrected"), ("As in the public code", "official")],
            value=published.causal,
            label="Causal mask where it writes",
        )
        with gr.Row():
            window.render()
            first.render()
        sample = gr.Checkbox(
            label="Sample",
            info="Off: the most likely token each time. On: both answers share their noise.",
        )
        with gr.Row():
            heat = gr.Slider(0.1, 2.0, value=1.0, step=0.1, label="Temperature", interactive=False)
            seed = gr.Number(
                value=0, precision=0, minimum=0, maximum=2**31 - 1, label="Seed", interactive=False
            )
        sample.change(
            lambda on: [gr.update(interactive=on)] * 2,
            sample,
            [heat, seed],
            queue=False,
            show_progress="hidden",
            api_visibility="private",
        )
    asked = [picture, question, length, context, causal, sample, heat, seed, window, first]
    return asked, ask, stop


def _examples(filled: list[gr.components.Component]) -> None:
    """Add the examples, if there are any; a click fills in picture, question, window and sinks."""
    found = read_examples()
    if not found:
        return
    shown = [
        {"src": thumbnail, "question": example.question, "note": example.note}
        for example, thumbnail in found
    ]
    examples = example_list(shown)

    def choose(event: gr.EventData) -> tuple[str, str, int, int]:
        index = getattr(event, "index", None)
        if not isinstance(index, int) or not 0 <= index < len(found):
            raise toast("There is no such example: choose one of those shown.")
        example = found[index][0]
        return str(example.picture), example.question, example.window, example.sinks

    examples.choose(
        choose,
        None,
        filled,
        queue=False,
        show_progress="hidden",
        api_visibility="private",
    )


def _wire(
    compare: Compare,
    inputs: list[gr.components.Component],
    ask: gr.Button,
    stop: gr.Button,
    shown: gr.HTML,
    download: gr.DownloadButton,
) -> None:
    """Connect Ask, Enter and Stop."""
    flag = gr.State()
    picture, question, _, context, causal, *_ = inputs
    quick: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}

    def buttons(running: bool) -> list[Any]:
        return [gr.update(interactive=not running), gr.update(interactive=running)]

    begun = gr.on(
        [ask.click, question.submit],  # type: ignore[attr-defined]
        lambda *asked: (*compare.begin(*asked), *buttons(True), gr.update(interactive=False)),
        [picture, question, context, causal],
        [shown, flag, ask, stop, download],
        concurrency_limit=None,  # in the queue, where a refusal reaches the visitor as a message
        show_progress="hidden",
        api_visibility="private",
    )
    answered = begun.success(
        compare.answer,
        [flag, *inputs],
        [shown, download],
        concurrency_limit=1,
        show_progress="hidden",
        api_visibility="private",
    )
    answered.success(lambda: buttons(False), None, [ask, stop], **quick)
    answered.failure(
        lambda flag: [compare.abandoned(flag), *buttons(False)], flag, [shown, ask, stop], **quick
    )
    stop.click(compare.stop, flag, stop, **quick)
