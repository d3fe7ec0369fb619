"""A comparison has an address for a while, and nobody gets at another file through it."""

import json
import os
import stat
import time

import pytest
from gradio.utils import get_upload_folder

from app.compare.gallery import Gallery
from app.compare.shelf import Shelf, folder_of
from sinktrack.core.errors import OutputError, SinkTrackError

PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4//8/AAX+Av4N70a4AAAAAElFTkSuQmCC"
)
HOSTILE = "<img src=x onerror=alert(1)>"


def payload(question: str = "What is it?") -> str:
    visual = {"segment": "image", "frames": [f"data:image/png;base64,{PIXEL}"]}
    lanes = [{"name": "baseline", "title": "Plain model"}, {"name": "a/b", "title": HOSTILE}]
    return json.dumps({"question": question, "visuals": [visual], "lanes": lanes})


def test_what_was_kept_comes_back_whole_even_after_a_restart(tmp_path):
    name = Shelf(tmp_path / "kept").keep(payload(), {"a/b": {0: b"\x01\x02", 1: b""}})
    kept = Shelf(tmp_path / "kept").get(name)
    assert kept.payload == json.loads(payload())
    assert kept.large_maps == {"a/b": {0: b"\x01\x02", 1: b""}}


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="modes of files are those of Unix")
def test_what_is_kept_is_its_owners_alone(tmp_path):
    Shelf(tmp_path / "kept").keep(payload(), {})
    (file,) = (tmp_path / "kept").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_names_cannot_be_guessed_from_each_other(tmp_path):
    shelf = Shelf(tmp_path)
    names = {shelf.keep(payload(), {}) for _ in range(20)}
    assert len(names) == 20 and {len(name) for name in names} == {22}


@pytest.mark.parametrize(
    "name",
    [None, 3, "", "x" * 22, "../secret", "..%2fsecret", "a" * 100_000, "\x00" * 22, "ｘ" * 22]
    + ["x" * 21 + "\n", "x" * 21 + "/", {"a": 1}],
)
def test_any_other_name_is_nothing(tmp_path, name):
    (tmp_path / "secret.comparison").write_bytes(b"secret")
    (tmp_path / "kept").mkdir()
    assert Shelf(tmp_path / "kept").get(name) is None


def test_what_is_too_old_is_gone_from_the_disk(tmp_path):
    shelf = Shelf(tmp_path, seconds=60)
    old, new = shelf.keep(payload("old"), {}), shelf.keep(payload("new"), {})
    before = time.time() - 61
    os.utime(tmp_path / f"{old}.comparison", (before, before))
    assert shelf.get(old) is None and shelf.get(new) is not None
    assert len(list(tmp_path.iterdir())) == 1


def test_what_is_too_old_is_deleted_even_if_nobody_comes(tmp_path):
    shelf = Shelf(tmp_path, seconds=0.4)
    shelf.keep(payload(), {})
    deadline = time.monotonic() + 10
    while list(tmp_path.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not list(tmp_path.iterdir())


def test_the_oldest_go_first_where_there_are_too_many_or_they_are_too_large(tmp_path):
    for limits in ({"most": 2}, {"most_bytes": 2500}):
        folder = tmp_path / str(limits)
        shelf = Shelf(folder, **limits)
        names = []
        for at in range(4):
            names.append(shelf.keep(payload(), {"baseline": {0: os.urandom(600)}}))
            made = time.time() - 100 + at
            os.utime(folder / f"{names[-1]}.comparison", (made, made))
        assert [shelf.get(name) is not None for name in names] == [False, False, True, True]


def test_what_is_too_large_or_cannot_be_written_has_no_name(tmp_path):
    assert Shelf(tmp_path, largest=100).keep(payload(), {}) is None
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    assert Shelf(tmp_path / "file").keep(payload(), {}) is None
    assert Shelf(None).keep(payload(), {}) is None and Shelf(None).get("x" * 22) is None


def test_a_damaged_file_is_like_none(tmp_path):
    shelf = Shelf(tmp_path)
    name = shelf.keep(payload(), {})
    file = tmp_path / f"{name}.comparison"
    for content in (b"", b"no archive", file.read_bytes()[:-30]):
        file.write_bytes(content)
        assert shelf.get(name) is None


def test_a_folder_that_the_page_serves_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    assert str(tmp_path) in get_upload_folder()
    with pytest.raises(OutputError, match="outside GRADIO_TEMP_DIR"):
        folder_of(str(tmp_path / "kept"))
    assert folder_of(str(tmp_path.parent / "elsewhere")) == tmp_path.parent / "elsewhere"
    own = folder_of(None)
    assert own is not None and not own.is_relative_to(tmp_path)


def packed(folder, question="What is it?"):
    shelf = Shelf(folder)
    return shelf.content(shelf.keep(payload(question), {}))


def test_an_entry_of_the_gallery_has_what_its_list_shows(tmp_path):
    gallery = Gallery(tmp_path / "gallery")
    assert gallery.listed() == []
    gallery.add(f"  {HOSTILE}\n two ", packed(tmp_path, HOSTILE), "2026-01-31")
    gallery.add("Later", packed(tmp_path), "2026-02-01")
    later, first = gallery.listed()
    assert later["title"] == "Later" and first["title"] == f"{HOSTILE} two"
    assert (first["date"], first["question"]) == ("2026-01-31", HOSTILE)
    assert first["methods"] == f"Plain model, {HOSTILE}"
    assert first["src"].startswith("data:image/png;base64,")
    assert gallery.get(first["name"]).payload["question"] == HOSTILE


def test_an_entry_goes_with_its_folder_and_a_broken_one_is_left_out(tmp_path):
    gallery = Gallery(tmp_path / "gallery")
    for title in ("a", "b", "c"):
        gallery.add(title, packed(tmp_path), "2026-01-31")
    gone, broken, _ = sorted((tmp_path / "gallery").iterdir())
    for file in gone.iterdir():
        file.unlink()
    gone.rmdir()
    (broken / "entry.json").write_text("[")
    assert len(gallery.listed()) == 1 and gallery.get(gone.name) is None


@pytest.mark.parametrize("title", ["", "  ", "x" * 81, "x" * 10_000, "\u202e", None, 3])
def test_a_title_that_cannot_be_used_is_a_sentence(tmp_path, title):
    gallery = Gallery(tmp_path / "gallery")
    with pytest.raises(SinkTrackError, match="title"):
        gallery.add(title, packed(tmp_path), "2026-01-31")
    assert gallery.listed() == []


def test_a_full_gallery_says_so(tmp_path):
    for gallery in (Gallery(tmp_path / "a", most=1), Gallery(tmp_path / "b", most_bytes=900)):
        gallery.add("first", packed(tmp_path), "2026-01-31")
        with pytest.raises(OutputError, match="gallery is full"):
            gallery.add("second", packed(tmp_path), "2026-01-31")
        assert len(gallery.listed()) == 1


@pytest.mark.parametrize("name", [None, "", "../kept", "2026-01-31-" + "0" * 16, 3, "a" * 9999])
def test_no_other_name_opens_anything_in_the_gallery(tmp_path, name):
    assert Gallery(tmp_path).get(name) is None
