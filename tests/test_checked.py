"""A payload from anywhere: what is whole comes back as it was, what is not is named."""

import base64
import copy
import io
import json

import pytest
from paths import DATA, ROOT
from PIL import Image

from sinktrack.core.errors import ReplayError
from sinktrack.report.checked import MOST_LANES, MOST_TOKENS, checked
from sinktrack.report.html import render

EXAMPLES = [
    path for path in sorted((ROOT / "assets/examples").glob("*.json")) if path.stem != "examples"
]
STORED = ROOT / "assets/examples/delayed-phrase-1.json"
LENGTH = len(json.loads(STORED.read_text("utf-8"))["lanes"][0]["ids"])
HOSTILE = "</script><img src=x onerror=alert(1)>"


@pytest.fixture
def whole() -> dict:
    return json.loads(STORED.read_text("utf-8"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_what_was_stored_comes_back_as_it_was(path):
    stored = json.loads(path.read_text("utf-8"))
    read = checked(copy.deepcopy(stored))
    assert {name: read[name] for name in stored} | {"lanes": None} == stored | {"lanes": None}
    for lane, before in zip(read["lanes"], stored["lanes"], strict=True):
        assert {name: lane[name] for name in before} == before
    assert checked(copy.deepcopy(read)) == read


def test_what_an_earlier_version_stored_is_read():
    old = json.loads((DATA / "payload-before.json").read_text("utf-8"))
    assert checked(old)["visuals"][0]["frames"][0].startswith("data:image/png;base64,")


def test_what_is_not_known_is_left_out(whole):
    whole["lanes"][0]["maps"][0] |= {"file": "/etc/passwd"}
    whole |= {"why": "x", "__proto__": {"a": 1}}
    read = checked(whole)
    assert "file" not in read["lanes"][0]["maps"][0]
    assert "why" not in read and "__proto__" not in read


def test_texts_stay_texts_and_halves_of_characters_do_not_break_a_file(whole):
    whole |= {"question": HOSTILE + "\ud800"}
    whole["lanes"][0]["tokens"][0] = HOSTILE
    page = render(checked(whole))
    assert HOSTILE not in page and page.encode("utf-8")


def set_at(data: dict, path: str, value: object) -> None:
    *before, last = path.split(".")
    for step in before:
        data = data[int(step)] if step.isdecimal() else data[step]
    data[int(last) if last.isdecimal() else last] = value


def url(kind: str, size: tuple[int, int] = (4, 4), said: str | None = None) -> str:
    buffer = io.BytesIO()
    Image.new("RGB", size).save(buffer, kind)
    text = base64.b64encode(buffer.getvalue()).decode()
    return f"data:image/{said or kind.lower()};base64,{text}"


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("question", 3, "question is 3, but must be a text"),
        ("question", "x" * 3_000_000, "limit is 2000000"),
        ("model", None, "must be a text"),
        ("lanes", [], "no answers"),
        ("lanes", [1], "must be an object"),
        ("lanes.0.finish", "constructor", "eos or length or stopped"),
        ("lanes.0.layers", 10**6, "whole number from 1"),
        ("lanes.0.layers", True, "whole number"),
        ("lanes.0.heads", 5, "shape asks for"),
        ("lanes.0.sink", "AAAA", "shape asks for"),
        ("lanes.0.sink", "!" * 4352, "shape asks for|base 64"),
        ("lanes.0.scale", "1", "must be a number"),
        ("lanes.0.scale", float("inf"), "must be a number"),
        ("lanes.0.tokens", ["x"] * (MOST_TOKENS + 1), f"limit is {MOST_TOKENS}"),
        ("lanes.0.tokens", ["x"], "must have 1"),
        ("lanes.0.ids", [1.5] * LENGTH, "whole number"),
        ("lanes.0.probabilities", [2.0] * LENGTH, "from 0 to 1"),
        ("lanes.0.shares", {"constructor": {"bytes": "", "scale": 1}}, "no part of the prompt"),
        ("lanes.0.method", {"kind": "x", "a": [[[[[1]]]]]}, "lists in lists"),
        ("lanes.0.method", {"kind": 3}, "must be a text"),
        ("lanes.0.maps.0.visual", 1, "whole number from 0 to 0"),
        ("lanes.0.maps.0.frames", 2, "has 2 frames"),
        ("lanes.0.maps.0.rows", 4, "shape asks for|whole number from 0 to 19"),
        ("lanes.0.maps.0.sink_patches", [99], "whole number"),
        ("lanes.0.moved_at", [{"kind": "output", "values": ["x"]}], "must be a number"),
        ("lanes.1.writes.into", "x", "output or value"),
        ("lanes.1.writes.sources.shares", [[1]], "must have 5"),
        ("segments.0.name", "constructor", "part of a prompt"),
        ("segments.1.name", "sink", "same name"),
        ("visuals.0.frames", [], "no frames"),
        ("visuals.0.frames.0", "https://example.org/x.png", "PNG or JPEG as data URL"),
        ("visuals.0.frames.0", "data:image/svg+xml;base64,PHN2Zy8+", "PNG or JPEG as data URL"),
        ("visuals.0.frames.0", "data:image/png;base64,PHN2Zy8+", "no PNG that can be read"),
        ("visuals.0.frames.0", url("GIF", said="png"), "no PNG that can be read"),
        ("visuals.0.frames.0", url("JPEG", said="png"), "no PNG that can be read"),
        ("visuals.0.frames.0", url("PNG")[:-40], "PNG that can be read|base 64"),
        ("visuals.0.frames.0", url("PNG", (9000, 8000)), "more than 64 megapixels"),
        ("settings", {"a": "x" * 300_000}, "limit is 200000"),
        ("settings", [], "must be an object"),
        ("parts_at", -1, "whole number"),
        ("turns", [{"role": "tool", "text": "", "visuals": []}], "system or user or assistant"),
        ("turns", [{"role": "user", "text": "", "visuals": [7]}], "whole number"),
    ],
)
def test_what_is_wrong_is_named(whole, path, value, words):
    set_at(whole, path, value)
    with pytest.raises(ReplayError, match=words) as error:
        checked(whole)
    assert len(str(error.value)) < 400


def test_too_many_answers_are_refused(whole):
    lane = whole["lanes"][0]
    whole["lanes"] = [lane | {"name": str(at)} for at in range(MOST_LANES + 1)]
    with pytest.raises(ReplayError, match="has 7 entries; the limit is 6"):
        checked(whole)


@pytest.mark.parametrize("name", ["question", "lanes", "settings", "visuals", "parts_at"])
def test_what_is_missing_is_named(whole, name):
    del whole[name]
    with pytest.raises(ReplayError, match="is missing|malformed"):
        checked(whole)


@pytest.mark.parametrize("data", [None, [], "x", 3, {}, {"lanes": 3}, {"lanes": [{}]}])
def test_what_is_no_payload_at_all_is_a_sentence(data):
    with pytest.raises(ReplayError):
        checked(data)
