"""Comparisons that were made before: by their address, from a file, and from the gallery."""

import io
import json
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import gradio as gr

from app.compare import stage
from app.compare.examples import Example
from app.compare.gallery import LONGEST_TITLE, Gallery
from app.compare.handlers import CompareHandlers, refuse_while_answering
from app.compare.inputs import Inputs, MethodInputs
from app.compare.opened import as_asked, opened
from app.compare.shelf import Kept
from app.compare.take import NUM_TAKEN, Take, said
from app.compare.uploads import comparison_input
from app.compare.viewer import gallery_list, shared_address
from app.shared.engine import Engine
from app.shared.request import Exchange
from app.shared.stop_flag import StopFlag
from app.shared.toasts import toast
from app.shared.ui import component_json
from sinktrack.core.cache import SinkWindow
from sinktrack.core.decoding import Decoding
from sinktrack.core.errors import SinkTrackError
from sinktrack.core.images import Picture
from sinktrack.report.replay import Replay
from sinktrack.report.words import lane_titles

_NO_RECORDING = (
    "A replay file holds answers without their heatmaps: ask, and they come with the answers."
)
_GONE = "There is no comparison at this address any more. {kept} Ask something, or open a file."

Filled = tuple[Inputs, tuple[Exchange, ...]]
"""What a file fills in, and the conversation before it."""


class Keeping:
    """Lays out what opens and keeps comparisons, and answers its events.

    Its fields hold the components: `came`, by which address a visitor came; `link` and `share`, of
    the address; `file`, of a file that is opened; and where there is a gallery `title`, `add` and
    `shelves`, else None.

    Args:
        engine: Answers the questions.
        compare: The page's other handlers.
        take: Makes files and addresses.
        gallery: None without one.
        met: The comparison of the example that a visitor meets; None without one.
    """

    def __init__(
        self,
        engine: Engine,
        compare: CompareHandlers,
        take: Take,
        gallery: Gallery | None,
        met: dict[str, Any] | None = None,
    ) -> None:
        self._engine, self._compare, self._take, self._gallery = engine, compare, take, gallery
        self._met = met
        self.came = gr.State()
        self.title: Any = None
        self.add: Any = None
        self.shelves: Any = None

    def lay_out_open(self) -> None:
        """Lay out where a file is opened, and the gallery; must be called inside a column."""
        with gr.Accordion("Open a comparison", open=False, elem_id="open"):
            self.file = comparison_input()
        if self._gallery is not None:
            self.shelves = gallery_list([])

    def lay_out_link(self) -> None:
        """Lay out the button that copies the address; must be called inside a row."""
        self.link = gr.Button(
            "Copy link", interactive=False, visible=not self._take.private, elem_id="link"
        )
        self.link.click(None, None, None, js="() => SinkTrackShare.copy()")

    def lay_out_share(self) -> None:
        """Lay out what is said of the address, and what keeps for the gallery."""
        # at once what is said of the example, so that nothing moves when its files are there
        met = () if self._met is None else self._take.stored_sentences(self._met)
        self.share = shared_address(said("", *met))
        if self._gallery is not None:
            with gr.Row(elem_id="into-gallery"):
                self.title = gr.Textbox(
                    min_width=140,
                    placeholder="Title, for the gallery",
                    max_length=LONGEST_TITLE,
                    show_label=False,
                    container=False,
                    elem_id="gallery-title",
                    html_attributes=gr.InputHTMLAttributes(autocomplete="off"),
                )
                self.add = gr.Button(
                    "Keep in the gallery", scale=0, min_width=170, elem_id="gallery-add"
                )

    def listed(self) -> str:
        """Return the value of `shelves`, for someone who opens the page."""
        return component_json([] if self._gallery is None else self._gallery.listed())

    def arriving(self, request: gr.Request) -> tuple[Any, ...]:
        """Return the viewer's value, what can be taken and `came`, for whoever opens the page."""
        name = dict(request.query_params).get("c") if request is not None else None
        if name is not None:
            found = self._take.shelf.get(name)
            if found is not None:
                return *self._shown(found, "Opened from a link, answered by {model}.", name), name
            kept = f"keeps them for {self._hours}" if not self._take.private else "keeps none"
            sentence = _GONE.format(kept=f"The server {kept}.")
            return component_json(self._compare.idle(sentence)), *self._take.nothing(), name
        if self._met is not None:
            return gr.skip(), *self._take.stored(self._met), gr.skip()
        # The viewer at once or not at all: a visitor may soon have asked, and it shows the answer.
        idle = component_json(self._compare.idle()) if self._engine.ready else gr.skip()
        return idle, *(gr.skip() for _ in range(NUM_TAKEN + 1))

    def nothing(self) -> list[Any]:
        """Return what can be taken while an answer is written."""
        return self._take.nothing()

    def example(self, example: Example) -> tuple[Any, ...]:
        """Return the viewer's value and what can be taken, for an example."""
        comparison = example.comparison()
        if comparison is None:
            return gr.skip(), *(gr.skip() for _ in range(NUM_TAKEN))
        return stage.stored(comparison, example.truth), *self._take.stored(comparison)

    def choose(self, running: StopFlag | None, event: gr.EventData) -> tuple[Any, ...]:
        """Show an entry of the gallery: the viewer's value, and what can be taken.

        Raises:
            gr.Error: If there is no such entry.
        """
        refuse_while_answering(running)
        kept = None if self._gallery is None else self._gallery.get(getattr(event, "entry", None))
        if kept is None:
            raise toast("The gallery has no such comparison any more: load the page again.")
        return self._shown(kept, "From the gallery, answered by {model}.")

    def keep(self, title: Any, shared: Any) -> tuple[Any, ...]:
        """Add the comparison that has an address to the gallery; return an empty title, the list.

        Args:
            title: As typed.
            shared: The value of `share`, as the browser sent it.

        Raises:
            gr.Error: If it cannot be kept.
        """
        content = self._take.shelf.content(shared_name(shared))
        if content is None:
            raise toast("There is no comparison to keep, or it is too old: ask, then keep it.")
        assert self._gallery is not None  # else there is no button
        try:
            today = datetime.now(timezone.utc).strftime("%Y-%m-%d")
            self._gallery.add(title, content, today)
        except SinkTrackError as error:
            raise toast(str(error)) from error
        return "", self.listed()

    def open(self, running: StopFlag | None, path: str | None) -> tuple[Any, Filled | None]:
        """Open a file.

        Args:
            running: Stops the answer that this visitor asked for last.
            path: Of the upload.

        Returns:
            The viewer's value and what can be taken; and what the file fills in, if it can.

        Raises:
            gr.Error: If the file cannot be used.
        """
        refuse_while_answering(running)
        if path is None:
            raise toast("Choose a file: a report, a replay file, or an example’s data.")
        try:
            found = opened(path)
        except SinkTrackError as error:
            raise toast(str(error)) from error
        remarks = list(found.remarks)
        filled = None
        if found.replay is not None:
            try:
                filled, more = self._filled(found.replay)
                remarks += more
            except SinkTrackError as error:
                remarks.append(f"It cannot be asked again here: {error}")
        told = found.payload or {"model": found.replay.model_name if found.replay else ""}
        again = " Ask to have it answered anew." if filled else ""
        status = f"From {Path(path).name}, answered by {told['model']}.{again}"
        if found.payload is not None:
            notices = [*found.payload["notices"], *remarks]
            value = stage.finished(status, found.payload, notices, opened=True)
            return (value, *self._take.stored(found.payload)), filled
        assert found.replay is not None  # a file is one or the other
        value = stage.saved(status, _answers(found.replay), remarks)
        return (value, *self._take.nothing(_NO_RECORDING)), filled

    @property
    def _hours(self) -> str:
        return f"{self._take.shelf.hours:g} hours"

    def _shown(self, kept: Kept, status: str, name: str = "") -> tuple[Any, ...]:
        comparison = kept.payload
        taken = self._take.stored(comparison, name)  # before maps go elsewhere
        self._take.place(comparison, kept.large_maps)
        sentence = status.format(model=comparison["model"])
        return stage.finished(sentence, comparison, comparison["notices"], opened=True), *taken

    def _filled(self, replay: Replay) -> tuple[Filled, list[str]]:
        """Return what a file fills in, and what the page cannot set.

        Raises:
            SinkTrackError: If it cannot be asked here.
        """
        system, history, asked = as_asked(replay, self._written)
        methods = tuple(self._method(method) for method in replay.methods.values())
        window = replay.cache if isinstance(replay.cache, SinkWindow) else None
        decoding, most = replay.decoding, self._engine.max_new_tokens
        inputs = Inputs(
            picture=asked.pictures[0] if asked.pictures else None,
            question=asked.question,
            more=asked.pictures[1:],
            passage=asked.passage or "",
            system=system or "",
            methods=methods,
            max_new_tokens=min(decoding.max_new_tokens, most),
            do_sample=bool(decoding.do_sample),
            temperature=min(2.0, max(0.1, decoding.temperature or 1.0)),
            seed=min(decoding.seed, 2**31 - 1),
            window=window.window if window else 0,
            first_tokens=window.sinks if window else 1,
        )
        return (inputs, history), _not_set(decoding, inputs, replay.model_name, self._engine.name)

    def _method(self, method: Any) -> MethodInputs:
        kind, _, parameters = self._engine.method_text(method).partition(":")
        return MethodInputs(kind=kind, parameters=parameters)

    def _written(self, picture: Picture) -> str:
        buffer = io.BytesIO()
        picture.image.save(buffer, "PNG")
        path = self._take.file(buffer.getvalue(), "picture.png")
        if path is None:
            raise SinkTrackError("The picture could not be written on the server.")
        return path


def shared_name(value: Any) -> str | None:
    """Return the name in the value of `Keeping.share`, which anybody can forge."""
    try:
        name = json.loads(value)["name"] if isinstance(value, str) and len(value) < 9999 else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return name if isinstance(name, str) else None


def _answers(replay: Replay) -> list[dict[str, str]]:
    titles = lane_titles(replay.methods)
    return [
        {"name": name, "title": title, "subtitle": subtitle, "text": replay.texts[name]}
        for name, (title, subtitle) in titles.items()
    ]


_NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "top_p": (None, 1.0),
    "top_k": (None, 0),
    "min_p": (None, 0.0),
    "repetition_penalty": (None, 1.0),
    "no_repeat_ngram_size": (None, 0),
    "bad_words_ids": (None,),
    "min_new_tokens": (None, 0),
    "stop_strings": (None,),
}
"""What of decoding the page has no field for, and the values that do nothing."""


def _not_set(decoding: Decoding, inputs: Inputs, model: str, here: str) -> list[str]:
    """Return sentences on what a new answer will not do as the file's did."""
    said = [] if model == here else [f"A new answer is {here}’s, not {model}’s."]
    for title, before, now in (
        ("longest answer", decoding.max_new_tokens, inputs.max_new_tokens),
        ("seed", decoding.seed, inputs.seed),
    ):
        if before != now:
            said.append(f"The {title} was {before}; {now} here.")
    if decoding.do_sample and (decoding.temperature or 1.0) != inputs.temperature:
        said.append(f"The temperature was {decoding.temperature:g}; {inputs.temperature:g} here.")
    others = [
        name.replace("_", " ")
        for name, neutral in _NEUTRAL.items()
        if getattr(decoding, name) not in neutral
    ]
    if others:
        said.append(f"The page has no field for {', '.join(others)}: the checkpoint’s own applies.")
    return said
