"""Whatever component of a page a file is sent to, only an upload is let through."""

from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from awaiting import awaited

from app.shared.only_uploads import only_uploads

MARK = {"meta": {"_type": "gradio.FileData"}}
KINDS = (gr.Textbox, gr.Image, gr.File, gr.DownloadButton, gr.HTML, gr.Dropdown)


@pytest.fixture
def send(monkeypatch, tmp_path):
    """Return what sends a value to a component of a page, as Gradio does it."""
    (tmp_path / "uploads").mkdir()
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    components = {kind: kind() for kind in KINDS}
    passed: list[Any] = []

    async def preprocess(block_fn: Any, inputs: list[Any]) -> None:
        passed.extend(inputs)

    page = SimpleNamespace(preprocess_data=preprocess)
    only_uploads(page)

    def send(kind: type, value: Any) -> list[Any]:
        passed.clear()
        awaited(page.preprocess_data(SimpleNamespace(inputs=[components[kind]]), [value]))
        return list(passed)

    return send


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("link", ["http://a.b/c", "data:,x", "file:///etc/passwd", " FTP://a"])
def test_no_address_is_let_through(send, kind, link):
    for file in ({"path": link} | MARK, {"path": link}, {"url": link}, {"path": "", "url": link}):
        for value in (file, [file], {"deep": [{"down": file}]}):
            with pytest.raises(gr.Error, match="Links are not opened"):
                send(kind, value)


@pytest.mark.parametrize("path", ["/etc/passwd", "uploads/../secret", "\0", "x" * 5000, "rel.png"])
def test_no_file_from_elsewhere_is_let_through(send, path):
    for kind in KINDS:
        with pytest.raises(gr.Error, match="not uploaded here"):
            send(kind, {"path": path} | MARK)


def test_an_upload_and_a_text_are_let_through(send, tmp_path):
    upload = {"path": str(tmp_path / "uploads" / "a" / "b.png"), "url": "http://here/b.png"} | MARK
    assert send(gr.File, [upload]) == [[upload]]
    assert send(gr.Textbox, "http://is.a/text") == ["http://is.a/text"]
    assert send(gr.Image, None) == [None]
    unmarked = {name: upload[name] for name in ("path", "url")}
    with pytest.raises(gr.Error, match="not uploaded here"):
        send(gr.File, [unmarked])
