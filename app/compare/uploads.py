"""The picture input: it takes files that were uploaded here, as they are, and nothing else.

A visitor can send any path or address in place of an upload. Gradio checks a path only where the
sender marks it as a file, and fetches addresses by itself, so both are refused here.
"""

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

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


def refuse_links(page: gr.Blocks) -> None:
    """Keep every component of a page from fetching addresses that a visitor sends."""
    for block in page.blocks.values():
        if isinstance(block, gr.components.Component):
            guarded = _without_links(block.async_move_resource_to_block_cache)
            block.async_move_resource_to_block_cache = guarded  # type: ignore[assignment, method-assign]


def _without_links(
    fetch: Callable[[str | Path | None], Coroutine[Any, Any, str | None]],
) -> Callable[[str | Path | None], Coroutine[Any, Any, str | None]]:
    async def move(url_or_file_path: str | Path | None) -> str | None:
        if str(url_or_file_path).strip().lower().startswith(("http:", "https:")):
            raise toast("Links are not opened here: upload the file.")
        return await fetch(url_or_file_path)

    return move
