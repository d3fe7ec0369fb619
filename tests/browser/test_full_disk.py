"""A disk that is full while somebody sends a file: a sentence, and nothing half written."""

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from PIL import Image
from playwright.sync_api import expect
from real_page import CHECKPOINT, Server, Visitor
from test_hardened import ask

pytestmark = [
    pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full"),
    pytest.mark.usefixtures("collected"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
SENTENCE = "The server's disk is full, and nothing of this file was kept"
# As long as there is a file `full`, /dev/full takes the bytes of new files in place of the disk.
FULL_DISK = """
import os, pathlib, tempfile
make, write = tempfile._mkstemp_inner, pathlib.Path.write_bytes
def filled(path):
    return os.path.exists({full!r}) and str(path).startswith({data!r})
def make_on_it(folder, *others):
    handle, name = make(folder, *others)
    if filled(folder):
        os.dup2(os.open("/dev/full", os.O_RDWR), handle)
    return handle, name
def write_on_it(self, data):
    self.touch()
    return write(pathlib.Path("/dev/full") if filled(self) else self, data)
tempfile._mkstemp_inner, pathlib.Path.write_bytes = make_on_it, write_on_it
"""


class Disk:
    """What the page writes on; it can be filled.

    Args:
        folder: With everything that the page writes.
        full: The file that says that it is full.
    """

    def __init__(self, folder: Path, full: Path) -> None:
        self._folder, self.full, self._before = folder, full, set[Path]()

    def fill(self) -> None:
        self._before = self._files()
        self.full.touch()

    def empty(self) -> None:
        self.full.unlink(missing_ok=True)

    def gained(self) -> set[Path]:
        """Return the files that have come since it was filled."""
        return self._files() - self._before

    def _files(self) -> set[Path]:
        return {path for path in self._folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def page_on_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Disk]]:
    folder = tmp_path_factory.mktemp("disk")
    data = folder / "data"
    for name in ("uploads", "tmp"):
        (data / name).mkdir(parents=True)
    disk = Disk(data, folder / "full")
    code = FULL_DISK.format(full=str(disk.full), data=str(data))
    (folder / "sitecustomize.py").write_text(code)
    server = Server(
        folder / "log",
        SINKTRACK_MODEL=str(CHECKPOINT),
        SINKTRACK_DATA=str(data),
        GRADIO_TEMP_DIR=str(data / "uploads"),
        TMPDIR=str(data / "tmp"),
        PYTHONPATH=str(folder),
    )
    yield server.ready(), disk
    said = server.stop()
    assert "Traceback" not in said and "OSError" not in said.replace("reason=OSError", ""), said


def upload(url: str, *contents: bytes) -> tuple[int, str]:
    """Send files in one request, and return the status and the text of the answer."""
    head = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
    body = b"".join(head + content + b"\r\n" for content in contents) + b"--b--\r\n"
    kind = "multipart/form-data; boundary=b"
    return ask(f"{url}/gradio_api/upload", body, Content_Type=kind)[:2]


@pytest.fixture
def disk(page_on_disk: tuple[str, Disk]) -> Iterator[Disk]:
    yield page_on_disk[1]
    page_on_disk[1].empty()


@pytest.mark.parametrize("size", [10, 100_000, 5_000_000], ids="{:,} bytes".format)
def test_of_an_upload_that_finds_no_room_nothing_is_left(
    page_on_disk: tuple[str, Disk], disk: Disk, size: int
) -> None:
    """The smallest fails when its buffer is written, the largest long before its end."""
    url = page_on_disk[0]
    disk.fill()
    for files in ([b"x" * size], [b"x" * size, b"y" * size]):
        status, said = upload(url, *files)
        assert status == 507 and said.startswith(SENTENCE), said
        assert disk.gained() == set()
    disk.empty()
    status, said = upload(url, b"x" * size)
    assert status == 200
    assert {Path(path) for path in json.loads(said)} == disk.gained()


def test_a_visitor_is_told_and_the_next_upload_is_as_ever(
    page_on_disk: tuple[str, Disk],
    disk: Disk,
    visit: Callable[..., Any],
    tmp_path: Path,
    picture: Path,
) -> None:
    url = page_on_disk[0]
    noise = tmp_path / "noise.png"
    Image.effect_noise((2000, 2000), 90).save(noise)
    visitor: Visitor = visit(url)
    expect(visitor.page.locator("#report")).to_be_enabled()  # the example's files are there
    disk.fill()
    for file in (picture, noise):
        visitor.page.locator("#picture-tab-button").click()
        visitor.page.set_input_files("#picture input[type=file]", file)
        expect(visitor.toast()).to_contain_text(SENTENCE)
        expect(visitor.toast()).to_contain_text("try again later")
        assert disk.gained() == set()
        visitor.page.locator(".toast-close").first.click()
        expect(visitor.toast()).not_to_contain_text(SENTENCE)
    assert all("507" in trouble for trouble in visitor.troubles) and visitor.troubles
    visitor.troubles.clear()
    disk.empty()
    visitor.ask(picture, "What do you see in the picture?")
    visitor.finish()
    assert visitor.answer("baseline").inner_text()


def test_a_program_that_sends_a_picture_as_text_is_told(
    page_on_disk: tuple[str, Disk], disk: Disk, picture: Path
) -> None:
    url = page_on_disk[0]
    client = Client(url, verbose=False)
    asked = {"question": "What?", "max_new_tokens": 2, "api_name": "/compare"}
    asked["pictures"] = [base64.b64encode(picture.read_bytes()).decode()]
    disk.fill()
    with pytest.raises(AppError, match=r"disk is full.*try again later"):
        client.predict(**asked)
    assert disk.gained() == set()
    disk.empty()
    assert client.predict(**asked)["answers"][0]["text"]
    client.close()
