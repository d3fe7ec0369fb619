"""Text files as people's programs write them, and places that cannot be written to."""

import codecs
import json
import os
import stat

import pytest

from sinktrack.core.errors import OutputError, reason
from sinktrack.core.files import check_usable, check_writable, json_lines, read_text, whole_file

TEXT = 'eins\nzwei "ä 日"\n'


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode(),
        codecs.BOM_UTF8 + TEXT.encode(),
        codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"),
        codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
    ],
)
def test_text_is_read_whatever_mark_a_program_put_before_it(tmp_path, data):
    (tmp_path / "a").write_bytes(data)
    assert read_text(tmp_path / "a") == TEXT


def test_text_in_another_coding_is_an_error(tmp_path):
    (tmp_path / "a").write_bytes("ä".encode("latin-1"))
    with pytest.raises(UnicodeDecodeError):
        read_text(tmp_path / "a")


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\u0085", "\x0b", "\x0c", "\x1c"])
def test_only_a_line_feed_ends_a_line(separator):
    records = [{"a": f"one{separator}two"}, {"a": "three"}]
    for end in ("\n", "\r\n"):
        text = "".join(json.dumps(each, ensure_ascii=False) + end for each in records)
        raw = [line for line in json_lines(text) if line.strip()]
        # strict JSON forbids raw control characters below a space; separators above are legal
        if separator >= " ":
            assert [json.loads(line) for line in raw] == records
        assert len(raw) == 2


def test_what_could_not_be_written_is_refused_with_what_to_do(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"The report cannot .* it is a folder; name a file"):
        check_writable(tmp_path, "The report")
    with pytest.raises(OutputError, match="make its folder first"):
        check_writable(tmp_path / "no" / "out.html", "The report")
    with pytest.raises(OutputError, match="file is a file; choose another name"):
        check_usable(tmp_path / "file" / "deeper", "Results")
    check_writable(tmp_path / "file", "The report")
    check_usable(tmp_path / "new" / "deeper", "Results")
    monkeypatch.setattr("os.access", lambda *_: False)  # the tests may run as a user who may all
    with pytest.raises(OutputError, match="its folder is read-only"):
        check_writable(tmp_path / "file", "The report")
    with pytest.raises(OutputError, match="is read-only"):
        check_usable(tmp_path / "new", "Results")


def test_what_stands_at_the_place_is_replaced_only_where_it_is_a_file(tmp_path):
    """A report must not take the place of a device, and goes where a link points."""
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        for check in (check_writable, lambda *said: whole_file(*said).__enter__()):
            with pytest.raises(OutputError, match="it is no ordinary file"):
                check(tmp_path / "pipe", "The report")
        assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "real.part").write_text("somebody's own")
    with whole_file(tmp_path / "link", "The report") as part:
        part.write_text("new")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "real").read_text() == "new"
    assert (tmp_path / "real.part").read_text() == "somebody's own"
    with whole_file(tmp_path / ("界" * 80), "The report") as part:  # 240 bytes, as long as may be
        part.write_text("new")
    for name in ("x" * 5000, "a\0b"):
        with pytest.raises(OutputError, match="The report cannot be written to"):
            check_writable(tmp_path / name, "The report")
    with pytest.raises(OutputError, match="it is a folder"):
        check_writable(f"{tmp_path}/new.html/", "The report")


def test_another_librarys_error_becomes_one_line():
    assert reason(ValueError("a\n  b")) == "a b"
    assert reason(KeyError()) == "KeyError"
    assert len(reason(ValueError("x" * 999))) == 201
