"""A file that a visitor opens fills the page in, or is a sentence; nothing in it is believed."""

import base64
import io
import json

import gradio as gr
import pytest
from paths import ROOT
from PIL import Image

import sinktrack
from app.compare.examples import read_examples
from app.compare.handlers import CompareHandlers
from app.compare.keeping import Keeping, shared_name
from app.compare.opened import LARGEST, opened
from app.compare.shelf import Shelf
from app.compare.take import NUM_TAKEN, Take
from app.shared.engine import Engine
from app.shared.events import FilesReady
from app.shared.stop_flag import StopFlag
from sinktrack.core.errors import ReplayError
from sinktrack.core.images import load_picture
from sinktrack.report.html import render
from sinktrack.report.payload import payload
from sinktrack.report.replay import record

EXAMPLE = ROOT / "assets" / "examples" / "delayed-phrase-1.json"
HOSTILE = "</script><img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def answered(checkpoint):
    """A conversation of two pictures, sampled, behind a window."""
    turns = [
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": [
                {"type": "image", "image": Image.new("RGB", (84, 56), "red")},
                {"type": "text", "text": "What is it?"},
            ],
        },
        {"role": "assistant", "content": "A red picture."},
    ]
    return sinktrack.compare(
        *checkpoint,
        messages=turns,
        image=Image.new("RGB", (56, 84), "blue"),
        passage="Something blue.",
        question="And this?",
        max_new_tokens=6,
        do_sample=True,
        temperature=0.7,
        seed=3,
        cache=sinktrack.SinkWindow(sinks=2, window=20),
        methods={
            "baseline": None,
            "sinktrack": sinktrack.SinkTrack.for_model(checkpoint[0]),
            "weak": sinktrack.methods.create("vcd", alpha=0.25),
        },
    )


@pytest.fixture
def keeping(engine, tmp_path):
    take = Take(str(tmp_path / "files"), set(), Shelf(tmp_path / "kept"))
    return Keeping(engine, CompareHandlers(engine, take), take, None)


@pytest.fixture
def keeping_anchored(tmp_path):
    """With the model that answered the stored examples."""
    loaded = sinktrack.load(ROOT / "assets" / "shapes-vl-anchored", device="cpu")
    engine = Engine(*loaded, name="shapes-vl-anchored", bundled=True)
    take = Take(str(tmp_path / "files"), set(), Shelf(tmp_path / "kept"))
    return Keeping(engine, CompareHandlers(engine, take), take, None)


def write(tmp_path, content, name="comparison.json") -> str:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return str(path)


@pytest.mark.parametrize("kind", ["replay", "report", "data"])
def test_a_file_fills_in_what_was_asked_and_how(keeping, answered, tmp_path, kind):
    files = {
        "replay": record(answered),
        "report": render(payload(answered)).encode(),
        "data": payload(answered),
    }
    name = "report.html" if kind == "report" else "file.json"
    shown, filled = keeping.open(None, write(tmp_path, files[kind], name))
    stage = json.loads(shown[0])
    assert stage["status"].startswith(f"From {name}, answered by shapes-vl")
    assert ("payload" in stage) == (kind != "replay") and len(shown) == NUM_TAKEN + 1
    if kind == "replay":
        assert [lane["text"] for lane in stage["lanes"]] == [e.text for e in answered.values()]
    inputs, history = filled
    assert (inputs.question, inputs.passage) == ("And this?", "Something blue.")
    assert (inputs.system, inputs.window, inputs.first_tokens) == ("Be brief.", 20, 2)
    assert (inputs.do_sample, inputs.temperature, inputs.seed) == (True, 0.7, 3)
    assert inputs.max_new_tokens == 6
    assert load_picture(inputs.picture).image.size == (56, 84)
    assert inputs.method_texts()[:2] == ("baseline", "sinktrack")
    assert inputs.method_texts()[2].startswith("vcd:alpha=0.25")
    (before,) = history
    assert (before.asked.question, before.answer) == ("What is it?", "A red picture.")
    assert load_picture(before.asked.pictures[0]).image.size == (84, 56)


def test_what_a_file_fills_in_is_asked_again_to_the_same_answers(keeping_anchored):
    keeping = keeping_anchored
    shown, (inputs, history) = keeping.open(None, str(EXAMPLE))
    stored = json.loads(json.loads(shown[0])["payload"])
    rows = list(keeping._compare.answer(StopFlag(), inputs))
    anew = json.loads(
        json.loads([row[0] for row in rows if isinstance(row[0], str)][-1])["payload"]
    )
    assert history == ()
    assert [lane["text"] for lane in anew["lanes"]] == [lane["text"] for lane in stored["lanes"]]


def test_what_the_page_cannot_set_is_said(keeping, answered, tmp_path):
    data = payload(answered) | {"model": "other/model"}
    data["settings"] |= {"max_new_tokens": 100_000, "temperature": 9.0, "repetition_penalty": 1.3}
    shown, _ = keeping.open(None, write(tmp_path, data))
    said = " ".join(json.loads(shown[0])["notices"])
    assert "not other/model" in said and "longest answer was 100000; 512 here" in said
    assert "temperature was 9; 2 here" in said and "no field for top k, repetition penalty" in said


def test_hostile_texts_of_a_file_reach_the_browser_as_text(keeping, answered, tmp_path):
    data = payload(answered) | {"question": HOSTILE, "model": HOSTILE}
    data["lanes"][0] |= {"title": HOSTILE, "text": HOSTILE}
    shown, (inputs, _) = keeping.open(None, write(tmp_path, data))
    assert "<" not in shown[0] and inputs.question == HOSTILE


def png(*size: int) -> str:
    buffer = io.BytesIO()
    Image.new("1", size).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def test_more_pictures_than_a_page_can_hold_are_refused_before_they_are_decoded(answered, tmp_path):
    data = record(answered)
    item = {"type": "image", "png": png(8000, 4500)}
    for content in ([item] * 2, [{"type": "image", "png": png(2, 2)}] * 65):
        data["messages"][-1]["content"] = [*content, {"type": "text", "text": "What?"}]
        with pytest.raises(ReplayError, match="more pictures than can be opened"):
            opened(write(tmp_path, data))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "No saved comparison could be read"),
        (b"\xff\xfe\x00", "No saved comparison could be read"),
        (b"<html><p>{}</p></html>", "no report"),
        (b"[" * 100_000, "could be read"),
        (b"[]", "not a comparison"),
        (b'{"lanes": 3}', "holds no comparison"),
        (b'{"format": "sinktrack-comparison-2", "lanes": {}}', "damaged"),
        (b'{"format": "sinktrack-comparison-2", "lanes": [], "messages": [1]}', "damaged"),
        (b" " * (LARGEST + 1), "the limit is 32"),
    ],
)
def test_a_file_that_is_none_of_ours_is_a_sentence(keeping, tmp_path, content, words):
    path = write(tmp_path, content, "<b>.json")
    with pytest.raises(gr.Error, match=words) as error:
        keeping.open(None, path)
    assert "<b>" not in error.value.message


def test_too_many_answers_and_too_long_ones_are_refused(answered, tmp_path):
    data = record(answered)
    lane = data["lanes"]["baseline"]
    for lanes in ({str(at): lane for at in range(7)}, {"a": lane | {"token_ids": [1] * 5000}}):
        with pytest.raises(ReplayError, match="limit"):
            opened(write(tmp_path, data | {"lanes": lanes}))


def test_no_file_is_opened_while_an_answer_is_written(keeping):
    running = StopFlag()
    with pytest.raises(gr.Error, match="being written"):
        keeping.open(running, str(EXAMPLE))
    running.set()
    with pytest.raises(gr.Error, match="Choose a file"):
        keeping.open(running, None)


def test_a_stored_example_offers_what_can_be_made_of_it_and_says_why_not_the_rest(keeping):
    _, report, traces, replay, link, said = keeping.example(read_examples()[0][0])
    assert report["interactive"] and replay["interactive"]
    assert not traces["interactive"] and not link["interactive"]
    assert "Traces are recorded while" in " ".join(json.loads(said)["sentences"])
    assert opened(replay["value"]).replay is not None


class Visitor:
    """As much of a request as an arrival looks at."""

    def __init__(self, name):
        self.query_params = {} if name is None else {"c": name}


def test_an_address_shows_its_comparison_without_a_model(keeping, engine, monkeypatch):
    data = EXAMPLE.read_text()
    *_, said = keeping._take.answered(data, {"baseline": {0: b"\x00" * 20400}})
    name = json.loads(said)["name"]
    monkeypatch.setattr(engine, "_model", None)
    value, report, traces, replay, link, said, came = keeping.arriving(Visitor(name))
    assert came == name
    stage = json.loads(value)
    assert stage["status"] == "Opened from a link, answered by shapes-vl-anchored."
    shown = json.loads(stage["payload"])
    assert shown["lanes"][0]["maps"][0]["file"].endswith("maps.bin")
    assert shown["lanes"][1]["maps"][0]["bytes"]
    assert report["interactive"] and link["interactive"] and not traces["interactive"]
    assert json.loads(said)["name"] == name and "for 2 hours" in json.loads(said)["sentences"][0]


@pytest.mark.parametrize("name", ["", "x" * 22, "../../etc/passwd", "\x00", "x" * 10_000, "ü" * 22])
def test_an_address_without_a_comparison_says_so_and_the_page_works(keeping, name):
    value, *taken = keeping.arriving(Visitor(name))
    stage = json.loads(value)
    assert stage["status"].startswith("There is no comparison at this address any more.")
    assert len(stage["lanes"]) == 2 and [each["interactive"] for each in taken[:4]] == [False] * 4


def test_without_an_address_the_page_is_as_ever(keeping):
    assert json.loads(keeping.arriving(Visitor(None))[0])["status"] == "Ready."


def test_a_comparison_that_is_too_large_to_keep_has_no_link_and_says_so(engine, tmp_path):
    take = Take(str(tmp_path), set(), Shelf(tmp_path / "kept", largest=10))
    *_, link, said = take.answered(EXAMPLE.read_text(), {})
    assert not link["interactive"] and "too large" in said and json.loads(said)["name"] == ""
    assert take.ready(None, FilesReady())[0]["interactive"] is False


@pytest.mark.parametrize(
    "value", [None, 3, "", "[", "[]", '{"name": 3}', '{"name": "x"' + " " * 99_999 + "}"]
)
def test_a_forged_name_is_none(value):
    assert shared_name(value) is None


def test_an_entry_that_is_not_there_is_a_sentence(keeping):
    class Event:
        entry = "../kept"

    with pytest.raises(gr.Error, match="no such comparison"):
        keeping.choose(None, Event())
    with pytest.raises(gr.Error, match="no comparison to keep"):
        keeping.keep("title", '{"name": "x"}')
