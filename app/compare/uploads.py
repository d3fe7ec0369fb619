"""The picture input: it takes files that were uploaded here, as they are, and nothing else.

`app.shared.only_uploads` stands before all components; this one checks once more.
"""

from pathlib import Path

import gradio as gr
from gradio.data_classes import ImageData

from app.shared.ui import toast


def picture_input() -> gr.Image:
    """Return an image input that hands over the path of the file as it was uploaded.

    Gradio would open and convert it; `sinktrack.core.images.load_picture` does that once, and says
    in a sentence what is wrong with a file that it refuses.
    """
    picture = gr.Image(
        label="Picture",
        type="filepath",
        sources=["upload", "clipboard"],
        height=270,
        buttons=[],
        elem_id="picture",
    )
    uploads = Path(picture.GRADIO_CACHE).resolve()

    def path(payload: ImageData | None) -> str | None:
        if payload is None or payload.path is None:
            return None
        file = Path(payload.path).resolve()
        if not file.is_relative_to(uploads) or not file.is_file():
            raise toast("That picture was not uploaded here: upload it again.")
        return str(file)

    # On the object: beside a module that defines a component class Gradio writes a stub file.
    picture.preprocess = path  # type: ignore[method-assign]
    return picture
