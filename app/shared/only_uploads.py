"""No page of ours opens an address or a file that a visitor names, but what was uploaded to it.

Gradio fetches addresses by itself, and checks a path only where the sender marks it as a file. A
component that was updated is another object than before, so this stands before all components.
"""

import re
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder

from app.shared.logs import Entry
from app.shared.toasts import toast
from app.shared.visits import files_in

_ADDRESS = re.compile(r"\s*[a-z][a-z0-9+.-]+:", re.IGNORECASE)  # no drive letter of a path


def only_uploads(page: gr.Blocks) -> None:
    """Refuse everything that a visitor sends in the place of an upload to a page."""
    preprocess = page.preprocess_data

    async def guarded(block_fn: Any, inputs: list[Any], *others: Any, **options: Any) -> Any:
        for component, value in zip(block_fn.inputs, inputs, strict=False):
            # a component that holds files has a model of their data
            takes_files = getattr(component, "data_model", None) is not None
            if takes_files and isinstance(value, str):
                _refuse(value)
            for file in files_in(value):
                _check(file)
        return await preprocess(block_fn, inputs, *others, **options)

    page.preprocess_data = guarded  # type: ignore[method-assign]


def _check(file: dict[str, Any]) -> None:
    """Refuse what is no upload; beside its path its address is not read."""
    path, meta = file.get("path"), file.get("meta")
    if not isinstance(path, str) or not path or _ADDRESS.match(path):
        _refuse(str(path or file.get("url")))
    marked = isinstance(meta, dict) and meta.get("_type") == "gradio.FileData"
    if not marked or not _is_below(str(path), get_upload_folder()):
        _refuse(str(path))


def _is_below(path: str, folder: str) -> bool:
    try:
        return Path(path).resolve().is_relative_to(Path(folder).resolve())
    except (OSError, ValueError):  # no possible path
        return False


def _refuse(sent: str) -> None:
    Entry("upload").end("refused", reason="no upload of this page")
    if _ADDRESS.match(sent):
        raise toast("Links are not opened here: upload the file.")
    raise toast("That file was not uploaded here: upload it again.")
