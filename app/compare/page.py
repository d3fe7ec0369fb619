"""The page's layout: what is asked and how on the left, answers on the right.

On a phone the answers stand between the two.
"""

import html
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder

from app.compare import stage
from app.compare.about import PRIVATE, what_is_kept
from app.compare.api import TOOLS, Api
from app.compare.card import model_card
from app.compare.chance import ChancePanel
from app.compare.controls import EMPTY, Controls
from app.compare.examples import Example
from app.compare.gallery import Gallery
from app.compare.handlers import CompareHandlers
from app.compare.inputs import Inputs
from app.compare.keeping import Keeping
from app.compare.known_answers import KnownAnswers
from app.compare.shelf import Shelf, folder_of
from app.compare.take import Take
from app.compare.talk import Finished
from app.compare.viewer import answer_viewer
from app.shared.about import lay_out_what_is_kept
from app.shared.engine import Engine
from app.shared.health import writable
from app.shared.only_uploads import only_uploads
from app.shared.request import Exchange, Request
from app.shared.settings import Settings
from app.shared.stop_flag import StopFlag, remove_stale_flags
from app.shared.toasts import toast
from app.shared.ui import COPY, FILE_AGE, QUEUED, QUICK, component_json, launch
from app.shared.visits import Visits

_STATIC = Path(__file__).parent / "static"


def build(engine: Engine, settings: Settings, visits: Visits | None = None) -> gr.Blocks:
    """Return the page.

    Args:
        engine: Answers the questions.
        settings: The limits to show.
        visits: What visitors have, which goes with them; None where things are kept for a while.

    Returns:
        The page, ready for `serve`.
    """
    known = KnownAnswers()
    page = gr.Blocks(title="SinkTrack", delete_cache=(600, FILE_AGE))
    with page:
        top = gr.HTML(_header(engine), apply_default_css=False, elem_id="top")
        if visits is not None:
            gr.HTML(
                f'<p class="st-banner">{PRIVATE}</p>', apply_default_css=False, elem_id="private"
            )
        downloads = [
            gr.DownloadButton(text, interactive=False, elem_id=name, render=False)
            for name, text in (
                ("report", "Report"),
                ("traces", "Traces"),
                ("replay", "Replay file"),
            )
        ]
        report = downloads[0]
        shelf = Shelf(None if visits is not None else folder_of(settings.keep))
        private = visits is not None
        take = Take(report.GRADIO_CACHE, report.temp_files, shelf, private=private)
        compare = CompareHandlers(engine, take, known)
        gallery = None if settings.gallery is None else Gallery(Path(settings.gallery))
        with gr.Row(elem_id="columns"):
            controls = Controls(engine, known)
            met = None if controls.first is None else controls.first.comparison()
            keeping = Keeping(engine, compare, take, gallery, met)
            with gr.Column(min_width=320, elem_id="answers"):
                with gr.Row(elem_id="take"):
                    for download in downloads:
                        download.render()
                    keeping.lay_out_link()
                keeping.lay_out_share()

                def why(asked: Any) -> dict[str, Any]:  # Gradio marks it, which no method admits
                    return compare.why(asked)

                viewer = answer_viewer(_begins(controls.first, met, compare), why)
                chance = ChancePanel(engine)
            controls.lay_out_setup()
            with controls.setup:
                keeping.lay_out_open()
        taken = [*downloads, keeping.link, keeping.share]
        _wire(compare, controls, viewer, taken, keeping)
        chance.connect(controls)
        page.load(
            # seen as a generator, which no lambda is
            partial(_arriving, engine, compare, [controls, chance], met=met is not None),
            None,
            [top, viewer, *controls.on_arrival, *chance.on_arrival],
            **QUEUED,
        )
        page.load(
            keeping.arriving,
            None,
            [viewer, *taken, keeping.came],
            **QUICK,
        )
        if keeping.shelves is not None:
            page.load(
                keeping.listed,
                None,
                keeping.shelves,
                **QUICK,
            )
        lay_out_what_is_kept(what_is_kept(settings))
        Api(engine, visits).offer()
        if visits is not None:
            _bring_uploads(page)
    only_uploads(page)
    if visits is not None:
        visits.watch(page)
    # Visitors wait in the engine's queue, which tells them how many are before them. Without
    # api_open=False each handler also answers plain POST requests that pass Gradio's queue by.
    page.queue(max_size=2 * settings.queue_size + 16, default_concurrency_limit=1, api_open=False)
    return page


def serve(engine: Engine, settings: Settings) -> gr.Blocks:
    """Serve the page, and return at once; `block_thread` of what is returned waits for its end."""
    remove_stale_flags()
    visits = Visits() if settings.private else None
    page = build(engine, settings, visits)
    if visits is not None:
        visits.sweep_now_and_then()
    styles = ("compare.css", "picker.css", "pad.css", "verdict.css", "chance.css")
    scripts = ("verdict.js", "compare.js", "picker.js", "pad.js", "chance.js", "share.js")
    launch(
        page,
        settings,
        engine.ending,
        checks={
            "model": lambda: engine.ready,
            "disk": lambda: writable([get_upload_folder(), *filter(None, [settings.keep])]),
        },
        styles=[_STATIC / name for name in styles],
        scripts=[COPY, *(_STATIC / name for name in scripts)],
        measures=engine.measures,
        limits=engine.limits,
        programs=True,
        tools=TOOLS,
        visits=visits,
    )
    return page


def _bring_uploads(page: gr.Blocks) -> None:
    """Let every upload come with an event at once, which says whose it is."""
    for component in list(page.blocks.values()):
        if isinstance(component, gr.Image | gr.File):
            component.upload(lambda _: None, component, None, **QUICK)


def _header(engine: Engine, state: str = "") -> str:
    """Return the page's head as HTML; all text from elsewhere is escaped."""
    banner = ""
    if engine.bundled:
        banner = (
            '<details class="st-banner"><summary><strong>The small bundled model answers.</strong>'
            " It knows coloured shapes on a grid and nothing else."
            ' <span class="st-more">More</span></summary>'
            f"<p>{html.escape(engine.notice)} For real pictures, on a GPU of 8 GB or more:"
            " <code>python app.py --model Qwen/Qwen2.5-VL-3B-Instruct</code></p>"
            f"{model_card(engine.folder, engine.anchored)}</details>"
        )
    elif engine.notice:
        banner = f'<p class="st-banner">{html.escape(engine.notice)}</p>'
    return (
        '<header class="st-top"><h1>SinkTrack</h1><p class="st-tagline">Did the model see that, or'
        " make it up? Compare its own answer with those of methods against hallucination.</p>"
        f'<p class="st-model">Model: <strong>{html.escape(engine.name)}</strong>{state}</p>'
        f"</header>{banner}"
    )


def _begins(
    example: Example | None, comparison: dict[str, Any] | None, compare: CompareHandlers
) -> str:
    """Return what the viewer shows at first: an example that is answered, if there is one."""
    if example is None or comparison is None:
        return component_json(compare.idle())
    return stage.stored(comparison, example.truth)


def _arriving(
    engine: Engine, compare: CompareHandlers, places: list[Controls | ChancePanel], *, met: bool
) -> Iterator[tuple[Any, ...]]:
    """Yield the page's head while the model loads and once it is there, and other places.

    Args:
        engine: Loads the model.
        compare: Says what an idle viewer shows.
        places: Get what the model brings along.
        met: Whether the visitor meets an example.
    """
    began = time.monotonic()
    unchanged = [gr.skip() for place in places for _ in place.on_arrival]
    yield _header(engine), gr.skip(), *unchanged
    while not engine.ready:
        doing = engine.loading and f"{html.escape(engine.loading)}, "
        head = _header(engine, f", loading: {doing}{time.monotonic() - began:.0f} seconds so far")
        yield head, gr.skip(), *unchanged
        time.sleep(1)
    none_met = met and not engine.reads_pictures
    idle = component_json(compare.idle()) if none_met else gr.skip()
    yield _header(engine), idle, *(update for place in places for update in place.arrived())


def _wire(
    compare: CompareHandlers,
    controls: Controls,
    viewer: gr.HTML,
    taken: list[Any],
    keeping: Keeping,
) -> None:
    """Connect Ask, Enter, Stop, going on from a lane's words, and the examples."""
    flag = gr.State()
    talk = controls.talk
    ask, stop = controls.ask, controls.stop

    def buttons(running: bool) -> list[Any]:
        return [gr.update(interactive=not running), gr.update(interactive=running)]

    def read(values: dict[Any, Any]) -> Inputs:
        return controls.read(values, values[talk.history])

    def begin(values: dict[Any, Any]) -> tuple[Any, ...]:
        *begun, titles = compare.begin(values[flag], read(values))
        return *begun, *buttons(True), *talk.announce(titles)

    def answer(values: dict[Any, Any]) -> Iterator[tuple[Any, ...]]:
        yield from compare.answer(values[flag], read(values))

    inputs = {flag, talk.history, *controls.inputs}  # a set: handlers get values by component
    forced = gr.State()

    def begin_forced(running: Any, finished: Any, event: gr.EventData) -> tuple[Any, ...]:
        asked = {name: getattr(event, name, None) for name in ("lane", "at")}
        *begun, titles, request = compare.begin_forced(running, finished, asked)
        return *begun, *buttons(True), *talk.announce(titles), request

    def begin_shorter(running: Any) -> tuple[Any, ...]:
        *begun, titles, request = compare.begin_shorter(running)
        return *begun, *buttons(True), *talk.announce(titles), request

    def answer_forced(stop: StopFlag | None, request: Request | None) -> Iterator[tuple[Any, ...]]:
        if stop is None or request is None:  # nothing has begun
            raise toast("There is no answer here that could be gone on from: ask first.")
        yield from compare.answer_request(stop, request)

    begins = [viewer, flag, ask, stop, *talk.offered]
    answers = [viewer, *taken, talk.finished]
    for begun, answering, given in (
        (
            gr.on([ask.click, controls.question.submit], begin, inputs, begins, **QUEUED),
            answer,
            inputs,
        ),
        (
            viewer.force(begin_forced, [flag, talk.finished], [*begins, forced], **QUEUED),
            answer_forced,
            [flag, forced],
        ),
        (
            viewer.shorter(begin_shorter, flag, [*begins, forced], **QUEUED),
            answer_forced,
            [flag, forced],
        ),
    ):
        answered = begun.success(answering, given, answers, **QUEUED)
        answered.success(
            lambda finished: [*buttons(False), *talk.offer(finished)],
            talk.finished,
            [ask, stop, *talk.offered],
            **QUICK,
        )
        # what was there before a refusal is there again
        answered.failure(
            lambda flag, finished: [
                compare.abandoned(flag),
                *buttons(False),
                *talk.offer(finished),
            ],
            [flag, talk.finished],
            [viewer, ask, stop, *talk.offered],
            **QUICK,
        )
    stop.click(compare.stop, flag, stop, **QUICK)

    def set_aside(
        running: StopFlag | None,
        example: Example | None,
        window: Any,
        finished: Finished | None = None,
        picture: str | None = None,
    ) -> list[Any]:
        """Take answers away that are about something else than what is there now."""
        late = finished is not None and picture in finished.request.asked.pictures
        if late or (running is not None and not running.is_set()):  # it was asked meanwhile
            return [gr.skip()] * len(aside)
        idle = component_json(compare.idle("Ask, and the answers appear here."))
        return [
            idle,
            *keeping.nothing(),
            *talk.offer(None),
            None,
            *controls.without(example, window),
        ]

    def set_example_aside(
        running: StopFlag | None, example: Example | None, window: Any, picture: Any, question: Any
    ) -> list[Any]:
        """Make room for a passage or files, which would else be asked about beside its picture."""
        if example is None:
            return [*[gr.skip()] * len(aside), picture, gr.skip()]
        own = "" if question == example.question else gr.skip()  # somebody may be typing
        return [*set_aside(running, example, window), None, own]

    window = controls.window[0]
    about = [flag, controls.example, window]
    aside = [viewer, *taken, *talk.offered, talk.finished, controls.example, window]
    for happens in (controls.picture.upload, controls.picture.clear, *controls.pad.draws):
        happens(set_aside, [*about, talk.finished, controls.picture], aside, **QUICK)
    brought = [controls.picture, controls.question]
    gr.on(
        [controls.passage_tab.select, controls.files.upload],
        set_example_aside,
        [*about, *brought],
        [*aside, *brought],
        **QUICK,
    )
    _wire_talk(controls, flag, viewer, taken, keeping)
    _wire_keeping(controls, flag, viewer, taken, keeping)


def _wire_talk(
    controls: Controls,
    flag: gr.State,
    viewer: gr.HTML,
    taken: list[Any],
    keeping: Keeping,
) -> None:
    """Connect what goes on from an answer, and what begins anew."""
    talk = controls.talk
    outputs = [*talk.shown, *controls.place, *controls.fresh]

    def go_on(*values: Any) -> tuple[Any, ...]:
        return *talk.go_on(*values), *controls.where(goes_on=True), *EMPTY

    def start_anew(running: StopFlag | None) -> tuple[Any, ...]:
        return *talk.start_anew(running), *controls.where(goes_on=False), *EMPTY

    def ask_again(
        running: StopFlag | None, history: tuple[Exchange, ...], event: gr.EventData
    ) -> tuple[Any, ...]:
        before, asked = talk.back_to(running, history, getattr(event, "index", None))
        goes_on = bool(before[0])
        again = controls.asked_again(asked, first=not goes_on)
        return *before, *controls.where(goes_on=goes_on), *again

    def choose(running: StopFlag | None, event: gr.EventData) -> tuple[Any, ...]:
        filled = controls.choose(running, event)
        shown = keeping.example(filled[-1])
        return *talk.start_anew(running), *controls.where(goes_on=False), *filled, *shown

    followed = talk.follow.click(go_on, [flag, talk.finished, talk.choice], outputs, **QUEUED)
    followed.success(None, None, None, js="() => SinkTrackPage.askNext()")
    talk.anew.click(start_anew, flag, outputs, **QUEUED)
    edited = talk.turns.edit(ask_again, [flag, talk.history], outputs, **QUEUED)
    edited.success(None, None, None, js="() => SinkTrackPage.askNext()")
    if controls.examples is not None:
        # a comparison that was stored is shown at once, whatever the model is doing
        shown = [*outputs, *controls.window, controls.example, viewer, *taken]
        controls.examples.choose(choose, flag, shown, **QUEUED)


def _wire_keeping(
    controls: Controls,
    flag: gr.State,
    viewer: gr.HTML,
    taken: list[Any],
    keeping: Keeping,
) -> None:
    """Connect what opens a file or an address, and the gallery."""
    talk = controls.talk
    places = [*controls.place, *talk.shown, controls.example]

    def open_file(running: StopFlag | None, path: str | None, *given: Any) -> tuple[Any, ...]:
        shown, found = keeping.open(running, path)
        if found is None:  # an input that is left as it is gets its value back
            return None, *shown, *[gr.skip()] * len(places), *given
        inputs, history = found
        where = controls.where(goes_on=bool(history))
        return None, *shown, *where, *talk.resume(history), None, *controls.filled(inputs)

    keeping.file.upload(
        open_file,
        [flag, keeping.file, *controls.inputs],
        [keeping.file, viewer, *taken, *places, *controls.inputs],
        **QUEUED,
    )
    # whoever comes by an address does not find the example's picture beside it
    keeping.came.change(
        lambda: [*EMPTY, None, 0],
        None,
        [*controls.fresh, controls.example, controls.window[0]],
        **QUICK,
    )
    if keeping.add is not None:
        keeping.shelves.choose(keeping.choose, flag, [viewer, *taken], **QUICK)
        kept = [keeping.title, keeping.shelves]
        for event in (keeping.add.click, keeping.title.submit):
            event(keeping.keep, [keeping.title, keeping.share], kept, **QUICK)
