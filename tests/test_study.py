"""A study's folder: what is read, what is refused, and answers that are those of the library."""

import json
import shutil

import pytest
from paths import CHECKPOINT, ROOT
from PIL import Image

import sinktrack
from sinktrack import cli
from sinktrack.core.errors import StudyError
from sinktrack.core.trace import AttentionTrace
from sinktrack.report.payload import payload
from sinktrack.study import prepare as preparing
from sinktrack.study.folder import read_study
from sinktrack.study.prepare import prepare

YAML = """
title: Shapes
model: {model}
lanes:
  baseline:
  sinktrack: {{context: image}}
max_new_tokens: 12
"""
ITEMS = (
    {"id": "one", "image": "a.png", "question": "Is there a red circle?", "tags": ["existence"]},
    {"image": "b.png", "question": "Describe the picture, please.", "reference": "Nothing."},
    {"image": "a.png", "question": "How many shapes are there?"},
)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "study.yaml").write_text(YAML.format(model=CHECKPOINT))
    (tmp_path / "items.jsonl").write_text("\n".join(map(json.dumps, ITEMS)) + "\n\n")
    for name, colour in (("a", "white"), ("b", "red")):
        Image.new("RGB", (112, 112), colour).save(tmp_path / f"{name}.png")
    return tmp_path


@pytest.fixture(scope="module")
def bundled():
    return sinktrack.load(CHECKPOINT, device="cpu")


@pytest.mark.parametrize(
    ("said", "coding"),
    [
        ("What is\u2028in it?", "utf-8"),
        ("What is\u0085in it?", "utf-8"),
        ("Was ist drin?", "utf-8-sig"),
        ("Was ist drin, süß?", "utf-16"),
    ],
)
def test_files_are_read_as_peoples_programs_write_them(folder, said, coding):
    """Text from the web has separators of its own; Notepad, Excel and PowerShell write marks."""
    line = json.dumps({"image": "a.png", "question": said}, ensure_ascii=False)
    (folder / "items.jsonl").write_bytes((line + "\r\n" + line + "\r\n").encode(coding))
    yaml = (folder / "study.yaml").read_text()
    (folder / "study.yaml").write_bytes(yaml.replace("\n", "\r\n").encode(coding))
    study = read_study(folder)
    assert [item.question for item in study.items] == [said, said]
    assert study.title == "Shapes"


def test_a_folder_is_read(folder):
    study = read_study(folder)
    assert (study.title, study.name, study.reveal) == ("Shapes", folder.name, "at the end")
    assert study.lanes == {"baseline": None, "sinktrack": {"context": "image"}}
    assert [item.name for item in study.items] == ["one", "0002", "0003"]
    assert study.items[0].tags == ("existence",) and study.items[1].reference == "Nothing."
    assert study.votes_per_item == 2 and study.ask == ("hallucination", "comment")


def test_a_study_may_have_many_lanes(folder, bundled):
    yaml = (folder / "study.yaml").read_text() + "\nreveal: never\n"
    more = "lanes:\n  vcd: {kind: vcd}\n  again:\n"
    (folder / "study.yaml").write_text(yaml.replace("lanes:\n", more))
    study = read_study(folder)
    assert list(study.lanes) == ["vcd", "again", "baseline", "sinktrack"]
    assert prepare(study, *bundled) == 3
    texts = {lane["name"]: lane["text"] for lane in study.read_prepared(study.items[0])["lanes"]}
    assert list(texts) == list(study.lanes) and texts["again"] == texts["baseline"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("votes: 3", "'votes', which means nothing"),
        ("votes_per_item: 0", "from 1 to 100"),
        ("votes_per_item: yes", "from 1 to 100"),
        ("reveal: always", "'at the end' or 'after vote' or 'never'"),
        ("ask: everything", "must be a list"),
        ("name: ../up", "letters, digits"),
        ("window: 1", "window is 1"),
        ("title: ''", "title"),
        ("lanes: {a: }", "two or more"),
        ("lanes: {a: , 1: , '1': }", "two lanes have the same name"),
        ("lanes: {a: , b: {context: music}}", "must be prompt, or one or more of"),
        ("lanes: {a: , b: {colour: red}}", "cannot be used"),
        ("lanes: {a: , b: {5: red}}", "sinktrack has no parameter 5"),
        ("lanes: {a: , b: {kind: vcd}, b: {kind: pai}}", "it says 'b' twice in one place"),
        ("lanes: {a: , b: {kind: vcd, alpha: 1, alpha: 2}}", "it says 'alpha' twice"),
        ("lanes: {a: , b: plain}", "has to be empty"),
        ("title: [", "not YAML"),
        ("title: !!python/object/apply:os.getcwd []", "not YAML"),
    ],
)
def test_a_wrong_line_of_study_yaml_is_named(folder, line, words):
    file = folder / "study.yaml"
    kept = [old for old in file.read_text().splitlines() if old.split(":")[0] != line.split(":")[0]]
    if line.startswith("lanes"):
        kept = [old for old in kept if not old.startswith("  ")]
    file.write_text("\n".join([*kept, line]))
    with pytest.raises(StudyError, match=words) as caught:
        read_study(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "line 4 is not JSON"),
        ("[]", "has to be an object"),
        ('{"image": "c.png", "question": "?"}', "not a file inside"),
        ('{"image": "../a.png", "question": "?"}', "not a file inside"),
        ('{"image": "/etc/hostname", "question": "?"}', "not a file inside"),
        ('{"image": "a.png", "question": " "}', "question"),
        ('{"image": "a.png", "question": "?", "id": "one"}', "already"),
        ('{"image": "a.png", "question": "?", "id": "a\\nb"}', "characters that can be printed"),
        ('{"image": "a.png", "question": "?", "tags": "one"}', "list of words"),
    ],
)
def test_a_wrong_item_is_named_by_its_line(folder, line, words):
    (folder / "items.jsonl").write_text("\n".join([*map(json.dumps, ITEMS), line]))
    with pytest.raises(StudyError, match=words):
        read_study(folder)


def test_a_folder_that_is_none_is_a_sentence(tmp_path):
    with pytest.raises(StudyError, match=r"study\.yaml cannot be read"):
        read_study(tmp_path)


def test_answers_made_as_a_batch_are_those_of_the_library(folder, bundled):
    study = read_study(folder)
    assert prepare(study, *bundled, batch=4) == 3
    methods = {
        "baseline": None,
        "sinktrack": sinktrack.SinkTrack.for_model(bundled[0], context="image"),
    }
    for item in study.items:
        expected = sinktrack.compare(
            *bundled, images=item.images, question=item.question, methods=methods, max_new_tokens=12
        )
        stored = study.read_prepared(item)
        assert [lane["text"] for lane in stored["lanes"]] == [a.text for a in expected.values()]
        assert stored["parts_at"] == payload(expected)["parts_at"]
        for lane in stored["lanes"]:
            trace = AttentionTrace.load(study.trace(item, lane["name"]))
            assert trace.sink.allclose(expected[lane["name"]].trace.sink, atol=1e-4)
            assert lane["ids"] == list(expected[lane["name"]].token_ids)


def test_preparing_goes_on_where_it_stopped(folder, bundled, monkeypatch):
    study = read_study(folder)
    kept = preparing._write_answers
    calls = []

    def fails_at_the_second(study, item, *rest):
        calls.append(item.name)
        if len(calls) == 2:
            raise KeyboardInterrupt
        kept(study, item, *rest)

    monkeypatch.setattr(preparing, "_write_answers", fails_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        prepare(study, *bundled, batch=1)
    monkeypatch.setattr(preparing, "_write_answers", kept)
    assert prepare(study, *bundled) == 2
    assert prepare(study, *bundled) == 0
    study.trace(study.items[1], "sinktrack").unlink()
    assert prepare(study, *bundled) == 1
    shutil.copy(folder / "b.png", folder / "a.png")  # another picture under an old name
    assert prepare(study, *bundled) == 2


def test_a_question_that_holds_a_control_token_is_prepared_and_read(folder, bundled):
    """The model reads it broken by an invisible character; the item says it as typed."""
    line = json.dumps({"image": "a.png", "question": "Is <|im_end|> there?"})
    (folder / "items.jsonl").write_text(line)
    study = read_study(folder)
    assert prepare(study, *bundled) == 1
    assert study.read_prepared(study.items[0])["question"] == "Is <\u200b|im_end|> there?"


def test_what_is_not_prepared_is_said(folder, bundled):
    study = read_study(folder)
    with pytest.raises(StudyError, match="sinktrack study prepare"):
        study.read_prepared(study.items[0])
    prepare(study, *bundled)
    file = folder / "study.yaml"
    file.write_text(file.read_text().replace("baseline:", "plain:"))
    with pytest.raises(StudyError, match="of other lanes"):
        read_study(folder).read_prepared(study.items[0])


def test_the_command_prepares_and_says_how_to_go_on(folder, capsys):
    assert cli.main(["study", "prepare", str(folder), "--device", "cpu"]) == 0
    assert f"sinktrack study serve {folder}" in capsys.readouterr().out
    assert cli.main(["study", str(folder), "--device", "cpu"]) == 0
    assert "0 of 3 items" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["nowhere"], ["serve", "x"], ["prepare", "x", "--batch", "0"]])
def test_wrong_words_end_with_one_sentence(words, capsys):
    assert cli.main(["study", *words]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_study_that_comes_along_holds_what_its_model_says():
    study = read_study(ROOT / "assets" / "studies" / "shapes")
    model, processor = sinktrack.load(study.model, device="cpu")
    assert len(study.items) == 24
    kept = {item: study.read_prepared(item) for item in study.items}
    for item in study.items[::8]:  # one of each kind
        said = sinktrack.compare(
            model,
            processor,
            images=item.images,
            question=item.question,
            methods={"baseline": None, "sinktrack": sinktrack.SinkTrack.for_model(model)},
            cache=study.cache,
            max_new_tokens=study.max_new_tokens,
        )
        assert {lane["name"]: lane["text"] for lane in kept[item]["lanes"]} == {
            name: answer.text for name, answer in said.items()
        }
