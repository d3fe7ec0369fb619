"""What people write into a study's files: what is read, and the sentence on what is not."""

import json
import shutil

import pytest
from PIL import Image

from sinktrack import cli
from sinktrack.core.errors import StudyError
from sinktrack.study.fields import file_name, name_of_folder
from sinktrack.study.folder import read_study

YAML = """
title: Shapes
model: none
lanes:
  baseline:
  vcd: {kind: vcd}
"""
ITEM = {"id": "one", "image": "a.png", "question": "What is it?"}


def item(**changes):
    """Return a line of items.jsonl."""
    return json.dumps(ITEM | changes, ensure_ascii=False)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "study.yaml").write_text(YAML)
    (tmp_path / "items.jsonl").write_text(item())
    Image.new("RGB", (28, 28)).save(tmp_path / "a.png")
    return tmp_path


def sentence(folder, lines=None, yaml=None, **options):
    """Return what is said of a study with these files."""
    if lines is not None:
        (folder / "items.jsonl").write_text(lines, "utf-8")
    if yaml is not None:
        (folder / "study.yaml").write_text(yaml, "utf-8")
    with pytest.raises(StudyError) as caught:
        read_study(folder, **options)
    said = str(caught.value)
    assert "\n" not in said and said.endswith(".")
    return said


@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig"])
def test_a_separator_inside_a_text_and_a_mark_before_all_are_read(folder, coding):
    line = item(question="One\u2028two\u2029three")
    (folder / "items.jsonl").write_bytes(f"{line}\r\n{item(id='two')}\r\n".encode(coding))
    first, second = read_study(folder).items
    assert first.question == "One\u2028two\u2029three" and second.name == "two"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (item(qestion="?"), ["line 2 (id one)", "'qestion'", "write 'question'"]),
        (item(Images="?"), ["'Images'", "write 'image'"]),
        (item(colour="red"), ["'colour'", "leave it out"]),
        ('{"id": "x", "id": "y"}', ["line 2", "it says 'id' twice"]),
        ("id,image,question", ["line 2", "CSV", '{"id": "cat-1"']),
        ("cat;a.png;What?", ["CSV"]),
        ("{'id': 'x'}", ["double quotes"]),
        ('{"id": "x"},', ["comma"]),
        ("[", ["one line"]),
        ('[{"id": "x"}]', ["not a list"]),
        ('{"id": "x" "image"}', ["character 12"]),
        ('{"question": "?"}', ["(id 0002)", "neither image nor passage"]),
        ('{"image": "a.png"}', ["has no question"]),
        (item(image="b.png"), ["(id one)", "'b.png'", "copy it there"]),
        (item(id="x" * 201), ["1 to 200 characters"]),
        (item(id=" "), ["characters that can be printed"]),
        (item(id=True), ["id is True"]),
    ],
)
def test_a_wrong_line_is_named_with_what_to_write(folder, line, words):
    said = sentence(folder, f'{{"id": "0", "passage": "p", "question": "?"}}\n{line}\n')
    assert "items.jsonl, line 2" in said
    assert all(word in said for word in words), said


def test_all_wrong_lines_are_named_at_once(folder):
    lines = [item(id=str(n), **({} if n % 2 else {"image": "no.png"})) for n in range(30)]
    said = sentence(folder, "\n".join(lines))
    assert "line 1 (id 0)" in said
    assert said.endswith("look at lines 3, 5, 7, 9, 11, 13, 15, 17, 19, 21 and 4 more as well.")


@pytest.mark.parametrize(
    ("yaml", "words"),
    [
        (YAML.replace("model: none", "model: none\nmodel: x"), ["line 4", "'model' twice"]),
        (YAML.replace("title: Shapes", "title: Shapes: all"), ["line 2", "double quotes"]),
        (YAML.replace("title: Shapes", "title: @all"), ["line 2", "double quotes"]),
        (YAML.replace("  baseline:", "\tbaseline:"), ["line 5", "spaces in place of tabs"]),
        (YAML.replace("title: Shapes", "title: 'Shapes"), ["look from line 2 on"]),
        (YAML.replace("alpha", "beta").replace("title", "titel"), ["'titel'", "write 'title'"]),
        (YAML.replace("vcd}", "vcd, alhpa: 1}"), ["lane 'vcd'", "'alhpa'", "it has alpha"]),
        (YAML.replace("kind: vcd", "kind: [vcd]"), ["lane 'vcd'", "known are"]),
        (YAML.replace("vcd:", "tie:"), ["cannot be called 'tie'"]),
        (YAML.replace("vcd:", "<b>:"), ["'<b>' has to be named by"]),
        (YAML.replace("{kind: vcd}", "made elsewhere"), ["'baseline'", "one sort only"]),
        (YAML + "questions: [{ask: Why?, kind: text}]\n", ["line 7", "between double quotes"]),
        ("- a\n", ["has to name at least title"]),
    ],
)
def test_a_wrong_place_of_study_yaml_is_named_with_what_to_write(folder, yaml, words):
    said = sentence(folder, yaml=yaml)
    assert "study.yaml" in said
    assert all(word in said for word in words), said
    assert "Error" not in said and "argument" not in said


@pytest.mark.parametrize("name", ["Kätzchen", "a/b", "../up", "C:\\x", "1 + 1 = 2?", "猫" * 150])
def test_an_id_may_hold_any_text(folder, name):
    (folder / "items.jsonl").write_text(item(id=name), "utf-8")
    study = read_study(folder)
    path = study.prepared(study.items[0])
    path.parent.mkdir()
    path.write_text("{}")
    assert study.items[0].name == name
    assert path.parent == folder / "prepared" and path.name.isascii()
    assert study.trace(study.items[0], "vcd").parent == path.parent


def test_file_names_of_different_ids_differ_and_plain_ones_stay():
    names = ["a/b", "a%2Fb", "a_b", "ä", "ae", *("猫" * 150 + end for end in ("", "x", "y"))]
    assert len({file_name(name) for name in names}) == len(names)
    assert file_name("cat-1.b_2") == "cat-1.b_2"
    assert max(map(len, map(file_name, names))) < 150


@pytest.mark.parametrize("name", ["Zwei Käsestücke", "研究", "study?", "a#b"])
def test_a_folder_may_have_any_name(folder, name):
    other = folder.parent / f"{folder.name}-{name}" / name
    shutil.copytree(folder, other)
    study = read_study(other)
    assert study.name == name_of_folder(name) and study.name.isascii()
    assert "/" not in study.name and study.name != name_of_folder(name + "!")


def test_a_plain_folder_is_its_studys_name():
    assert name_of_folder("my-study_2.b") == "my-study_2.b"


def test_pictures_are_opened_before_any_answer(folder):
    whole = (folder / "a.png").read_bytes()
    (folder / "cut.png").write_bytes(whole[: len(whole) // 2])
    (folder / "page.png").write_text("<html>")
    lines = [item(), item(id="two", image="cut.png"), item(id="three", image="page.png")]
    (folder / "items.jsonl").write_text("\n".join(lines))
    assert len(read_study(folder).items) == 3
    said = sentence(folder, pictures=True)
    assert "line 2 (id two): cut.png is" in said and "look at line 3" in said


def test_prepare_says_so_before_a_model_is_loaded(folder, capsys, monkeypatch):
    monkeypatch.setattr("sinktrack.core.models.load", lambda *_, **__: pytest.fail("was loaded"))
    (folder / "a.png").write_text("<html>")
    assert cli.main(["study", "prepare", str(folder)]) == 2
    said = capsys.readouterr().err
    assert "line 1 (id one): a.png is not a picture" in said and said.count("\n") == 1


def test_a_link_that_leads_out_is_refused_by_name(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    shutil.copy(folder / "a.png", elsewhere / "b.png")
    (folder / "b.png").symlink_to(elsewhere / "b.png")
    (folder / "more").symlink_to(elsewhere)
    (folder / "c.png").symlink_to("a.png")
    (folder / "round.png").symlink_to("round.png")
    for name in ("b.png", "more/b.png"):
        assert "is a link to a file outside" in sentence(folder, item(image=name))
    assert "'round.png'" in sentence(folder, item(image="round.png"))
    (folder / "items.jsonl").write_text(item(image="c.png"))
    assert read_study(folder).items[0].images == (folder / "c.png",)


@pytest.mark.parametrize("name", ["items.csv", "items.json", None])
def test_what_stands_in_place_of_items_jsonl_is_named(folder, name):
    (folder / "items.jsonl").unlink()
    if name:
        (folder / name).write_text("id,image,question\n")
    said = sentence(folder)
    assert "has no items.jsonl" in said and '{"id": "cat-1"' in said
    assert (name or "write one") in said


def test_bytes_that_are_no_text_are_named_by_their_line(folder):
    (folder / "items.jsonl").write_bytes(item().encode() + b"\n\xff\xfe\n")
    assert "items.jsonl, line 2 is not text" in sentence(folder)
    (folder / "study.yaml").write_bytes(b"title: \xff")
    assert "save it as UTF-8" in sentence(folder)
