"""The inputs for files: they take what was uploaded here, as it is, and nothing else.

A visitor can send any path in place of an upload, and Gradio checks it only where the sender marks
it as a file. `app.shared.only_uploads` stands before all components; these check once more.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.data_classes import FileData, ImageData, ListFiles

from app.shared.toasts import toast


@dataclass(frozen=True)
class Upload:
    """A file that was uploaded, and what it is called where it came from."""

    path: Path
    name: str


def picture_input(first: Path | None = None) -> gr.Image:
    """Return an image input that hands over the path of the file as it was uploaded.

    Gradio would open and convert it; `sinktrack.core.images.load_picture` does that once, and says
    in a sentence what is wrong with a file that it refuses. An update of the component by Gradio
    would make another one without this, and `gr.skip` is one: whoever hides it hides what is around
    it, and whoever leaves it as it is returns its value.
    """
    picture = gr.Image(
        None if first is None else str(first),
        label="Picture",
        type="filepath",
        sources=["upload", "clipboard"],
        height=270,
        buttons=[],
        elem_id="picture",
    )

    def path(payload: ImageData | None) -> str | None:
        return None if payload is None else uploaded(payload.path, picture.GRADIO_CACHE)

    _hands_over(picture, path)
    return picture


def more_files_input() -> gr.File:
    """Return an input for pictures and a video that hands over their paths in the same way."""
    files = gr.File(
        label="More pictures, or a video",
        file_count="multiple",
        file_types=["image", "video"],
        height=130,
        allow_reordering=True,
        elem_id="more-files",
    )

    def paths(payload: ListFiles | FileData | None) -> list[str]:
        return [str(each.path) for each in _all_uploaded(payload, files.GRADIO_CACHE)]

    _hands_over(files, paths)
    return files


def question_files_input() -> gr.File:
    """Return an input for a file of questions and their pictures; it hands over `Upload`s."""
    files = gr.File(
        label="Questions (.jsonl), and their pictures",
        file_count="multiple",
        file_types=[".jsonl", "image"],
        height=120,
        elem_id="question-files",
    )

    def uploads(payload: ListFiles | FileData | None) -> list[Upload]:
        return _all_uploaded(payload, files.GRADIO_CACHE)

    _hands_over(files, uploads)
    return files


def _all_uploaded(payload: ListFiles | FileData | None, folder: str) -> list[Upload]:
    """Return several files that lie among the uploads.

    Raises:
        gr.Error: If one lies elsewhere, or is no file.
    """
    given: Any = [] if payload is None else payload
    given = given.root if isinstance(given, ListFiles) else given
    listed = given if isinstance(given, list) else [given]
    found = [(uploaded(file.path, folder), file.orig_name) for file in listed]
    return [Upload(Path(path), str(name or Path(path).name)) for path, name in found if path]


def comparison_input() -> gr.File:
    """Return an input for a file with a comparison that hands over its path in the same way."""
    file = gr.File(
        label="A report, a replay file, or an example’s data",
        file_count="single",
        file_types=[".html", ".json"],
        height=160,
        elem_id="open-file",
    )

    def path(payload: ListFiles | FileData | None) -> str | None:
        if payload is None:
            return None
        if not isinstance(payload, FileData):
            raise toast("Open one file at a time.")
        return uploaded(payload.path, file.GRADIO_CACHE)

    _hands_over(file, path)
    return file


def _hands_over(component: Any, read: Callable[[Any], Any]) -> None:
    """Let a component hand over what `read` makes of what the browser sent.

    On the object: beside a module that defines a component class Gradio writes a stub file.
    """
    component.preprocess = read


def uploaded(path: str | None, folder: str) -> str | None:
    """Return the path of a file that lies among the uploads.

    Raises:
        gr.Error: If it lies elsewhere, or is no file.
    """
    if path is None:
        return None
    file = Path(path).resolve()
    if not file.is_relative_to(Path(folder).resolve()) or not file.is_file():
        raise toast("That file was not uploaded here: upload it again.")
    return str(file)
