"""The page's layout: inputs on the left, answers on the right; one above the other on a phone."""

import html
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from app.compare.card import model_card
from app.compare.controls import EMPTY, Controls
from app.compare.gallery import Gallery
from app.compare.handlers import CompareHandlers
from app.compare.inputs import Inputs
from app.compare.keeping import Keeping
from app.compare.shelf import Shelf, folder_of
from app.compare.take import Take
from app.compare.viewer import answer_viewer
from app.shared.engine import Engine
from app.shared.only_uploads import only_uploads
from app.shared.settings import Settings
from app.shared.stop_flag import StopFlag, remove_stale_flags
from app.shared.ui import FILE_AGE, launch

_STATIC = Path(__file__).parent / "static"


def build(engine: Engine, settings: Settings) -> gr.Blocks:
    """Return the page.

    Args:
        engine: Answers the questions.
        settings: The limits to show.

    Returns:
        The page, ready for `serve`.
    """
    page = gr.Blocks(title="SinkTrack", delete_cache=(600, FILE_AGE))
    with page:
        top = gr.HTML(_header(engine), apply_default_css=False, elem_id="top")
        downloads = [
            gr.DownloadButton(text, interactive=False, elem_id=name, render=False)
            for name, text in (
                ("report", "Report"),
                ("traces", "Traces"),
                ("replay", "Replay file"),
            )
        ]
        report = downloads[0]
        take = Take(report.GRADIO_CACHE, report.temp_files, Shelf(folder_of(settings.keep)))
        compare = CompareHandlers(engine, take)
        gallery = None if settings.gallery is None else Gallery(Path(settings.gallery))
        keeping = Keeping(engine, compare, take, gallery)
        with gr.Row(elem_id="columns"):
            with gr.Column(scale=4, min_width=300, elem_id="inputs"):
                controls = Controls(engine)
                keeping.lay_out_open()
            with gr.Column(scale=9, min_width=320, elem_id="answers"):
                with gr.Row(elem_id="take"):
                    for download in downloads:
                        download.render()
                    keeping.lay_out_link()
                keeping.lay_out_share()

                def why(asked: Any) -> dict[str, Any]:  # Gradio marks it, which no method admits
                    return compare.why(asked)

                viewer = answer_viewer(compare.idle(), why)
        taken = [*downloads, keeping.link, keeping.share]
        _wire(compare, controls, viewer, taken, keeping)
        page.load(
            # seen as a generator, which no lambda is
            partial(_arriving, engine, controls),
            None,
            [top, *controls.on_arrival],
            concurrency_limit=None,
            show_progress="hidden",
            api_visibility="private",
        )
        page.load(
            keeping.arriving,
            None,
            [viewer, *taken],
            queue=False,
            show_progress="hidden",
            api_visibility="private",
        )
        if keeping.shelves is not None:
            page.load(
                keeping.listed,
                None,
                keeping.shelves,
                queue=False,
                show_progress="hidden",
                api_visibility="private",
            )
    only_uploads(page)
    # Visitors wait in the engine's queue, which tells them how many are before them. Without
    # api_open=False each handler also answers plain POST requests that pass Gradio's queue by.
    page.queue(max_size=2 * settings.queue_size + 16, default_concurrency_limit=1, api_open=False)
    return page


def serve(engine: Engine, settings: Settings) -> gr.Blocks:
    """Serve the page, and return at once; `block_thread` of what is returned waits for its end."""
    remove_stale_flags()
    page = build(engine, settings)
    styles, scripts = ("compare.css", "picker.css"), ("compare.js", "picker.js", "share.js")
    launch(
        page,
        settings,
        styles=[_STATIC / name for name in styles],
        scripts=[_STATIC / name for name in scripts],
    )
    return page


def _header(engine: Engine, state: str = "") -> str:
    """Return the page's head as HTML; all text from elsewhere is escaped."""
    banner = ""
    if engine.bundled:
        banner = (
            '<aside class="st-banner"><p><strong>This is the small bundled model.</strong> It has'
            " only seen coloured shapes on a grid: ask it about pictures like the examples."
            f" {html.escape(engine.notice)}</p>"
            "<p>For real pictures, on a GPU of 8 GB or more:"
            " <code>python app.py --model Qwen/Qwen2.5-VL-3B-Instruct</code></p>"
            f"{model_card(engine.folder, engine.anchored)}</aside>"
        )
    elif engine.notice:
        banner = f'<aside class="st-banner"><p>{html.escape(engine.notice)}</p></aside>'
    return (
        '<header class="st-top"><h1>SinkTrack</h1><p class="st-tagline">One question, several'
        " answers: the plain model beside the same model with SinkTrack or another method.</p>"
        f'<p class="st-model">Model: <strong>{html.escape(engine.name)}</strong>{state}</p>'
        f"</header>{banner}"
    )


def _arriving(engine: Engine, controls: Controls) -> Iterator[tuple[Any, ...]]:
    """Yield the page's head while the model loads and once it is there, and controls."""
    began = time.monotonic()
    unchanged = [gr.skip()] * len(controls.on_arrival)
    while not engine.ready:
        doing = engine.loading and f"{html.escape(engine.loading)}, "
        head = _header(engine, f", loading: {doing}{time.monotonic() - began:.0f} seconds so far")
        yield head, *unchanged
        time.sleep(1)
    yield _header(engine), *controls.arrived()


def _wire(
    compare: CompareHandlers,
    controls: Controls,
    viewer: gr.HTML,
    taken: list[Any],
    keeping: Keeping,
) -> None:
    """Connect Ask, Enter, Stop and the examples."""
    flag = gr.State()
    talk = controls.talk
    ask, stop = controls.ask, controls.stop
    quick: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}

    def buttons(running: bool) -> list[Any]:
        return [gr.update(interactive=not running), gr.update(interactive=running)]

    def read(values: dict[Any, Any]) -> Inputs:
        return controls.read(values, values[talk.history])

    def begin(values: dict[Any, Any]) -> tuple[Any, ...]:
        begun = compare.begin(values[flag], read(values))
        return *begun, *buttons(True), *keeping.nothing(), None, *talk.offer(None)

    def answer(values: dict[Any, Any]) -> Iterator[tuple[Any, ...]]:
        yield from compare.answer(values[flag], read(values))

    inputs = {flag, talk.history, *controls.inputs}  # a set: handlers get values by component
    begun = gr.on(
        [ask.click, controls.question.submit],
        begin,
        inputs,
        [viewer, flag, ask, stop, *taken, talk.finished, *talk.offered],
        concurrency_limit=None,  # in the queue, where a refusal reaches the visitor as a message
        show_progress="hidden",
        api_visibility="private",
    )
    answered = begun.success(
        answer,
        inputs,
        [viewer, *taken, talk.finished],
        concurrency_limit=None,
        show_progress="hidden",
        api_visibility="private",
    )
    answered.success(
        lambda finished: [*buttons(False), *talk.offer(finished)],
        talk.finished,
        [ask, stop, *talk.offered],
        **quick,
    )
    answered.failure(
        lambda flag: [compare.abandoned(flag), *buttons(False)], flag, [viewer, ask, stop], **quick
    )
    stop.click(compare.stop, flag, stop, **quick)
    _wire_talk(controls, flag, viewer, taken, keeping)
    _wire_keeping(controls, flag, viewer, taken, keeping)


def _wire_talk(
    controls: Controls, flag: gr.State, viewer: gr.HTML, taken: list[Any], keeping: Keeping
) -> None:
    """Connect what goes on from an answer, and what begins anew."""
    talk = controls.talk
    quick: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
    outputs = [*talk.shown, controls.picture_box, *controls.fresh]

    def go_on(*values: Any) -> tuple[Any, ...]:
        # another picture can still be given, among "more"
        return *talk.go_on(*values), gr.update(visible=False), *EMPTY

    def start_anew(running: StopFlag | None) -> tuple[Any, ...]:
        return *talk.start_anew(running), controls.picture_shown(), *EMPTY

    def choose(running: StopFlag | None, event: gr.EventData) -> tuple[Any, ...]:
        *filled, comparison = controls.choose(running, event)
        shown = keeping.example(comparison)
        return *talk.start_anew(running), controls.picture_shown(), *filled, *shown

    followed = talk.follow.click(go_on, [flag, talk.finished, talk.choice], outputs, **quick)
    followed.success(None, None, None, js="() => SinkTrackPage.askNext()")
    talk.anew.click(start_anew, flag, outputs, **quick)
    if controls.examples is not None:
        # a comparison that was stored is shown at once, whatever the model is doing
        shown = [*outputs, *controls.window, viewer, *taken]
        controls.examples.choose(choose, flag, shown, **quick)


def _wire_keeping(
    controls: Controls, flag: gr.State, viewer: gr.HTML, taken: list[Any], keeping: Keeping
) -> None:
    """Connect what opens a file, and the gallery."""
    talk = controls.talk
    quick: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
    filled = [controls.picture_box, *talk.shown, *controls.inputs]

    def open_file(running: StopFlag | None, path: str | None) -> tuple[Any, ...]:
        shown, found = keeping.open(running, path)
        if found is None:
            return None, *shown, *[gr.skip()] * len(filled)
        inputs, history = found
        values = controls.filled(inputs)
        return None, *shown, controls.picture_shown(), *talk.resume(history), *values

    keeping.file.upload(
        open_file,
        [flag, keeping.file],
        [keeping.file, viewer, *taken, *filled],
        concurrency_limit=None,  # in the queue, where a refusal reaches the visitor as a message
        show_progress="hidden",
        api_visibility="private",
    )
    if keeping.add is not None:
        keeping.shelves.choose(keeping.choose, flag, [viewer, *taken], **quick)
        kept = [keeping.title, keeping.shelves]
        for event in (keeping.add.click, keeping.title.submit):
            event(keeping.keep, [keeping.title, keeping.share], kept, **quick)
