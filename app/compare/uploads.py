"""The inputs for files: they take what was uploaded here, as it is, and nothing else.

A visitor can send any path in place of an upload, and Gradio checks it only where the sender marks
it as a file. `app.shared.only_uploads` stands before all components; these check once more.
"""

from pathlib import Path
from typing import Any

import gradio as gr
from gradio.data_classes import FileData, ImageData, ListFiles

from app.shared.ui import toast


def picture_input() -> gr.Image:
    """Return an image input that hands over the path of the file as it was uploaded.

    Gradio would open and convert it; `sinktrack.core.images.load_picture` does that once, and says
    in a sentence what is wrong with a file that it refuses. An update of the component by Gradio
    would make another one without this: whoever hides it hides a column around it.
    """
    picture = gr.Image(
        label="Picture",
        type="filepath",
        sources=["upload", "clipboard"],
        height=270,
        buttons=[],
        elem_id="picture",
    )

    def path(payload: ImageData | None) -> str | None:
        return None if payload is None else _uploaded(payload.path, picture.GRADIO_CACHE)

    # On the object: beside a module that defines a component class Gradio writes a stub file.
    picture.preprocess = path  # type: ignore[method-assign]
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
        given: Any = [] if payload is None else payload
        given = given.root if isinstance(given, ListFiles) else given
        listed = given if isinstance(given, list) else [given]
        found = [_uploaded(file.path, files.GRADIO_CACHE) for file in listed]
        return [file for file in found if file is not None]

    files.preprocess = paths  # type: ignore[method-assign]
    return files


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
        return _uploaded(payload.path, file.GRADIO_CACHE)

    file.preprocess = path  # type: ignore[method-assign]
    return file


def _uploaded(path: str | None, folder: str) -> str | None:
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
