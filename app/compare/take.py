"""What can be taken away from a comparison: a report, traces, a replay file, and its address.

Knows nothing about models.
"""

import json
import logging
from typing import Any

import gradio as gr
from gradio.processing_utils import save_bytes_to_cache

from app.compare.shelf import LargeMaps, Shelf
from app.shared.events import FilesReady
from app.shared.ui import component_json
from app.shared.visits import until_gone
from sinktrack.report.html import render
from sinktrack.report.replay import whole_pictures

REPORT_NAME = "sinktrack-report.html"
TRACES_NAME = "sinktrack-traces.zip"
REPLAY_NAME = "sinktrack-comparison.json"
NUM_TAKEN = 5
"""Of the components that are updated here: three files, the button that copies the address, and
what is said about them."""

NO_TRACES = "Traces are recorded while an answer is written: ask anew to get them."
_NO_REPLAY = (
    "There is no replay file, because the picture or video is not here as the model saw it: ask "
    "anew to get one."
)

log = logging.getLogger(__name__)


class Take:
    """Makes files and addresses, and the updates of the components that offer them.

    Args:
        folder: Where what can be downloaded is kept.
        kept_files: Takes the path of every file kept there, which Gradio deletes in the end.
        shelf: Where comparisons that have an address are kept.
        private: Whether none is to be kept.
    """

    def __init__(
        self, folder: str, kept_files: set[str], shelf: Shelf, *, private: bool = False
    ) -> None:
        self.shelf, self.private = shelf, private
        self._folder, self._kept_files = folder, kept_files

    def file(self, content: bytes | None, name: str) -> str | None:
        """Write a file for the visitor, in a folder whose name cannot be guessed."""
        if content is None:
            return None
        try:
            path = str(save_bytes_to_cache(content, name, self._folder))
        except OSError as error:
            log.warning("%s could not be kept: %s", name, error)
            return None
        self._kept_files.add(path)
        until_gone(path)
        return path

    def place(self, comparison: dict[str, Any], large_maps: LargeMaps) -> None:
        """Let the page fetch large maps of a payload token by token, layer by layer."""
        for lane in comparison["lanes"]:
            large = large_maps.get(lane["name"], {})
            for shown in lane["maps"]:
                file = self.file(large.get(shown["visual"]), "maps.bin")
                if file is not None:
                    shown |= {"bytes": None, "layers": lane["layers"], "file": file}

    def nothing(self, *sentences: str) -> list[Any]:
        """Return updates that offer nothing."""
        return [*[gr.update(interactive=False)] * (NUM_TAKEN - 1), said("", *sentences)]

    def answered(self, payload: str, large_maps: LargeMaps) -> list[Any]:
        """Keep a fresh comparison, and return updates that offer its address; files follow."""
        name = self.shelf.keep(payload, large_maps)
        files = [gr.skip()] * (NUM_TAKEN - 2)
        if name is None:
            sentence = _PRIVATE if self.private else _NO_ADDRESS
            return [*files, gr.update(interactive=False), said("", sentence)]
        return [*files, gr.update(interactive=True), said(name, self.kept())]

    def ready(self, report: str | None, files: FilesReady) -> list[Any]:
        """Return updates that offer the files of a fresh comparison."""
        traces, replay = self.file(files.traces, TRACES_NAME), self.file(files.replay, REPLAY_NAME)
        return [*map(_offered, (report, traces, replay)), gr.skip(), gr.skip()]

    def stored(self, comparison: dict[str, Any], name: str = "") -> list[Any]:
        """Return updates that offer what can be made of a comparison without a model.

        Args:
            comparison: A payload, with all of its maps.
            name: Under which the shelf has it; "" where it has no address.
        """
        whole = whole_pictures(comparison)
        replay = json.dumps(comparison, allow_nan=False).encode() if whole else None
        sentences = self.stored_sentences(comparison, name)
        return [
            _offered(self.file(render(comparison).encode(), REPORT_NAME)),
            gr.update(interactive=False),
            _offered(self.file(replay, REPLAY_NAME)),
            gr.update(interactive=bool(name)),
            said(name, *sentences),
        ]

    def stored_sentences(self, comparison: dict[str, Any], name: str = "") -> list[str]:
        """Say what can be made of a comparison without a model: see `stored`."""
        replay = [] if whole_pictures(comparison) else [_NO_REPLAY]
        return [*([self.kept()] if name else []), NO_TRACES, *replay]

    def kept(self) -> str:
        """Say what an address shows, where that is kept, and for how long."""
        return (
            "Whoever has the link sees the question, the picture and the answers, which this "
            f"server keeps on its disk for {self.shelf.hours:g} hours and then deletes."
        )


_PRIVATE = (
    "This page is private and makes no links: download the report or the replay file to keep this "
    "comparison."
)
_NO_ADDRESS = (
    "This comparison has no link: it is too large to be kept, or the server’s disk is full. Send "
    "its report."
)


def said(name: str, *sentences: str) -> str:
    """Return the value of the place that has the address and says what stands beside it."""
    return component_json({"name": name, "sentences": sentences})


def _offered(path: str | None) -> Any:
    return gr.update(value=path, interactive=path is not None)
