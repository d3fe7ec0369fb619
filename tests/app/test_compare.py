"""What a visitor is shown: sentences as text, and a page that stays usable."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from PIL import Image

from app.compare.examples import read_examples
from app.compare.handlers import CompareHandlers
from app.compare.inputs import Inputs, MethodInputs
from app.compare.shelf import Shelf
from app.compare.take import Take
from app.compare.talk import Finished
from app.compare.uploads import picture_input
from app.shared.engine import Engine
from app.shared.stop_flag import StopFlag
from app.shared.toasts import toast

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def compare(engine: Engine, tmp_path: Path) -> CompareHandlers:
    take = Take(str(tmp_path / "reports"), set(), Shelf(tmp_path / "kept"))
    return CompareHandlers(engine, take)


def ask(compare: CompareHandlers, picture: Any, **changes: Any) -> Any:
    asked = Inputs(picture=picture, question="What is it?", max_new_tokens=4)
    return compare.answer(StopFlag(), replace(asked, **changes))


def stage(value: str) -> dict[str, Any]:
    return json.loads(value)


def finished(answering: Any) -> tuple[dict[str, Any], list[Any]]:
    """Return the last stage, and what can be downloaded in the end."""
    rows = list(answering)
    return stage([value for value, *_ in rows if isinstance(value, str)][-1]), list(rows[-1][1:-1])


def test_a_message_is_text_and_never_html():
    assert HOSTILE not in toast(HOSTILE).message
    assert "&lt;img" in toast(HOSTILE).message


@pytest.mark.parametrize(
    ("picture", "question", "words"),
    [(None, "What?", "no picture"), ("a.png", " ", "blank"), ("a.png", None, "blank")],
)
def test_what_is_missing_is_said_before_the_queue(compare, picture, question, words):
    with pytest.raises(gr.Error, match=words):
        compare.begin(None, Inputs(picture=picture, question=question))


def test_a_second_question_waits_for_the_end_of_the_first(compare):
    running, inputs = StopFlag(), Inputs(picture="a.png", question="What?")
    with pytest.raises(gr.Error, match="An answer is being written"):
        compare.begin(running, inputs)
    running.set()
    _, flag, _ = compare.begin(running, inputs)
    assert not flag.is_set()
    flag.set()


BASELINE, SINKTRACK = MethodInputs(kind="baseline"), MethodInputs(kind="sinktrack")


@pytest.mark.parametrize(
    ("methods", "words"),
    [
        ((BASELINE, SINKTRACK, SINKTRACK), "Answers 2 and 3 are made in the same way"),
        ((BASELINE, MethodInputs(kind="vcd", parameters="alpha=99")), "from 0 to 10"),
        ((BASELINE, MethodInputs(kind="vcd", parameters="gamma=1")), "no parameter"),
        ((BASELINE, MethodInputs(kind="sinktrack", parameters="inject_at=40")), "12 layers"),
        ((BASELINE, MethodInputs(kind="sinktrack", parameters="inject_at=0-9999999999")), "layers"),
        ((BASELINE, MethodInputs(kind=HOSTILE)), "There is no method"),
        ((BASELINE, MethodInputs(kind="vcd", parameters="seed=1" * 200)), "the limit is 500"),
        ((BASELINE,), "There are 1 methods, but 2 to 6"),
        ((BASELINE,) * 7, "There are 7 methods, but 2 to 6"),
    ],
)
def test_methods_that_cannot_be_compared_are_refused_before_the_queue(compare, methods, words):
    with pytest.raises(gr.Error, match=words) as error:
        compare.begin(None, Inputs(picture="a.png", question="What?", methods=methods))
    assert "<" not in error.value.message


def test_an_answer_that_is_not_wanted_is_not_written(compare, picture):
    methods = (BASELINE, SINKTRACK, MethodInputs(), MethodInputs(kind="vcd", parameters="beta=0"))
    payload = json.loads(finished(ask(compare, picture, methods=methods))[0]["payload"])
    assert [lane["name"] for lane in payload["lanes"]] == ["baseline", "sinktrack", "vcd"]


def test_a_file_that_is_no_picture_is_refused_with_its_name_as_text(compare, tmp_path):
    path = tmp_path / "<b>.png"
    path.write_bytes(b"not a picture")
    answering = ask(compare, str(path))
    assert stage(next(answering)[0])["busy"] is False
    with pytest.raises(gr.Error, match="&lt;b&gt;.png is not a picture") as error:
        next(answering)
    assert "<b>" not in error.value.message


def test_an_answer_ends_in_a_stage_and_a_report_with_the_same_numbers(compare, picture):
    shown, (report, *_) = finished(ask(compare, picture))
    payload = json.loads(shown["payload"])
    page = Path(report["value"]).read_text("utf-8")
    assert all(lane["sink"] in page for lane in payload["lanes"])
    assert shown["status"].startswith("Done after ")


def test_no_tag_is_left_in_what_the_browser_gets(compare, picture):
    for value, *_ in ask(compare, picture, question=HOSTILE):
        assert not isinstance(value, str) or "<" not in value


def test_a_window_is_kept_to_and_named(compare, picture):
    payload = json.loads(finished(ask(compare, picture, max_new_tokens=20, window=6))[0]["payload"])
    assert payload["settings"]["cache"] == {"sinks": 1, "window": 6}


@pytest.mark.parametrize(
    ("window", "words"), [(1, "whole number of 2 or more"), (-3, "whole number"), ("x", "number")]
)
def test_a_window_out_of_range_is_refused(compare, picture, window, words):
    answering = ask(compare, picture, window=window)
    assert stage(next(answering)[0])["busy"] is False
    with pytest.raises(gr.Error, match=words):
        next(answering)


def test_notices_about_the_picture_are_shown(compare, tmp_path):
    path = tmp_path / "tiny.png"
    Image.new("RGB", (1, 1)).save(path)
    assert "1 x 1 pixels" in finished(ask(compare, str(path)))[0]["notices"][0]


def test_a_report_that_cannot_be_kept_leaves_the_answer(compare, picture, monkeypatch):
    def full(*args: Any) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("app.compare.take.save_bytes_to_cache", full)
    shown, files = finished(ask(compare, picture))
    assert "payload" in shown
    assert [file["interactive"] for file in files[:3]] == [False] * 3
    assert "could not be written on the server" in shown["notices"][0]


@pytest.fixture
def uploads(monkeypatch, tmp_path):
    """The folder in which Gradio keeps what visitors upload."""
    folder = tmp_path / "uploads"
    folder.mkdir()
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(folder))
    return folder


def test_the_upload_reaches_the_library_as_it_is(uploads):
    path = uploads / "upload.png"
    path.write_bytes(b"not a picture at all")
    component = picture_input()
    assert component.preprocess(component.data_model(path=str(path))) == str(path)
    assert component.preprocess(None) is None


@pytest.mark.parametrize("forged", ["../secret.png", "/etc/passwd", "pipe.png", "", "nowhere.png"])
def test_what_was_not_uploaded_here_is_not_opened(uploads, forged):
    Image.new("RGB", (9, 9)).save(uploads.parent / "secret.png")
    os.mkfifo(uploads / "pipe.png")
    component = picture_input()
    with pytest.raises(gr.Error, match="not uploaded here"):
        component.preprocess(component.data_model(path=str(uploads / forged)))


def test_a_link_to_the_upload_folder_does_not_lead_out(uploads):
    Image.new("RGB", (9, 9)).save(uploads.parent / "secret.png")
    (uploads / "link.png").symlink_to(uploads.parent / "secret.png")
    component = picture_input()
    with pytest.raises(gr.Error, match="not uploaded here"):
        component.preprocess(component.data_model(path=str(uploads / "link.png")))


@pytest.mark.parametrize(
    "changes",
    [
        {"max_new_tokens": "5 tokens"},
        {"max_new_tokens": None},
        {"temperature": None},
        {"seed": [1]},
    ],
)
def test_settings_that_are_no_numbers_are_refused_in_a_sentence(compare, picture, changes):
    answering = ask(compare, picture, **changes)
    next(answering)
    with pytest.raises(gr.Error, match="not a number"):
        next(answering)


def test_an_answer_without_a_flag_is_answered_all_the_same(compare, picture):
    inputs = Inputs(picture=picture, question="What?", max_new_tokens=2)
    assert "payload" in finished(compare.answer(None, inputs))[0]


def test_examples_that_cannot_be_read_are_left_out(tmp_path):
    assert read_examples(tmp_path) == []
    (tmp_path / "examples.json").write_text('[{"image": "gone.png", "question": "?"}, {}, 3]')
    assert read_examples(tmp_path) == []
    Image.new("RGB", (300, 200)).save(tmp_path / "here.png")
    entries = [{"image": "gone.png", "question": "?"}, {"image": "here.png", "question": HOSTILE}]
    (tmp_path / "examples.json").write_text(json.dumps(entries))
    [(example, thumbnail)] = read_examples(tmp_path)
    assert example.picture == tmp_path / "here.png" and example.question == HOSTILE
    assert (example.window, example.sinks) == (0, 1)
    assert thumbnail.startswith("data:image/png;base64,")


def test_an_example_may_bring_a_window_and_a_note(tmp_path):
    Image.new("RGB", (40, 40)).save(tmp_path / "a.png")
    entry = {"image": "a.png", "question": "?", "note": "forgets"}
    entries = [entry | {"cache": {"window": 16, "sinks": 2}}, entry | {"cache": {"window": "wide"}}]
    (tmp_path / "examples.json").write_text(json.dumps(entries))
    [(example, _)] = read_examples(tmp_path)
    assert (example.window, example.sinks, example.note) == (16, 2, "forgets")


def test_the_shipped_examples_tell_the_stories():
    """What the plain model invents, beside what it sees; and answers that outgrow their window."""
    notes = [example.note for example, _ in read_examples()]
    assert sum(note.startswith("invents") for note in notes) >= 2
    assert sum(note.startswith("forgets") for note in notes) >= 2
    assert all((ex.window > 0) == ex.note.startswith("forgets") for ex, _ in read_examples())


@pytest.fixture
def answered(compare: CompareHandlers, picture: str) -> Any:
    """What was answered, as the visitor's session keeps it."""
    return [
        row[-1] for row in ask(compare, picture, max_new_tokens=6) if isinstance(row[-1], Finished)
    ][-1]


def test_the_others_go_on_from_the_words_of_one(compare, answered):
    words = answered.words["sinktrack"]
    _, stop, _, request = compare.begin_forced(None, answered, {"lane": "sinktrack", "at": 2})
    assert dict(request.beginnings) == dict.fromkeys(("baseline", "sinktrack"), words[:3])
    payload = json.loads(finished(compare.answer_request(stop, request))[0]["payload"])
    assert [tuple(lane["ids"][:3]) for lane in payload["lanes"]] == [words[:3]] * 2
    assert [lane["told"] for lane in payload["lanes"]] == [3, 3]
    assert payload["settings"]["beginnings"] == {
        name: list(words[:3]) for name in ("baseline", "sinktrack")
    }
    assert tuple(payload["lanes"][1]["ids"]) == words  # by itself it says the same again


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (None, "ask first"),
        ("sinktrack", "ask first"),
        ({}, "no such word"),
        ({"lane": "nobody", "at": 0}, "no such word"),
        ({"lane": ["sinktrack"], "at": 0}, "no such word"),
        ({"lane": "sinktrack", "at": 900}, "no such word"),
        ({"lane": "sinktrack", "at": -1}, "no such word"),
        ({"lane": "sinktrack", "at": True}, "no such word"),
        ({"lane": "sinktrack", "at": "1"}, "no such word"),
    ],
)
def test_what_cannot_be_gone_on_from_is_refused(compare, answered, asked, words):
    with pytest.raises(gr.Error, match=words):
        compare.begin_forced(None, answered, asked)


def test_going_on_after_the_upload_was_deleted_is_refused_without_its_folder(
    compare, answered, picture
):
    Path(picture).unlink()
    with pytest.raises(gr.Error, match="picture.png is no longer on the server") as error:
        compare.begin_forced(None, answered, {"lane": "sinktrack", "at": 0})
    assert str(Path(picture).parent) not in error.value.message


def test_going_on_waits_for_the_end_of_an_answer_and_needs_room(compare, answered):
    asked = {"lane": "baseline", "at": 0}
    running = StopFlag()
    with pytest.raises(gr.Error, match="An answer is being written"):
        compare.begin_forced(running, answered, asked)
    running.set()
    with pytest.raises(gr.Error, match="ask first"):
        compare.begin_forced(running, None, asked)
    short = replace(answered, request=replace(answered.request, max_new_tokens=1))
    with pytest.raises(gr.Error, match="all of them would be told"):
        compare.begin_forced(running, short, asked)
