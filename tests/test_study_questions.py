"""A study's own questions: what is read, and the sentence on what is not."""

import json

import pytest

from sinktrack.core.errors import StudyError
from sinktrack.study.folder import read_study

YAML = """
title: Shapes
model: none
lanes: {baseline: , vcd: {kind: vcd}}
"""
FLUENT = 'name: fluent, ask: "Which reads better?", kind: choice, options: [Left, right, same]'
USEFUL = 'name: useful, ask: "How useful?", kind: scale, of: answer, points: 7, ends: [not, very]'
WHY = 'name: why, ask: "Why?", kind: text, required: false'


@pytest.fixture
def read(tmp_path):
    (tmp_path / "items.jsonl").write_text(json.dumps({"passage": "p", "question": "?"}))

    def read(*questions):
        lines = "\n".join(f"  - {{{each}}}" for each in questions)
        (tmp_path / "study.yaml").write_text(f"{YAML}questions:\n{lines}\n")
        return read_study(tmp_path)

    return read


def test_questions_are_read_in_order(read):
    fluent, useful, why = read(FLUENT, USEFUL, WHY).questions
    assert fluent.options == ("left", "right", "same") and fluent.of == "pair" and fluent.required
    assert (useful.of, useful.points, useful.ends) == ("answer", 7, ("not", "very"))
    assert why.kind == "text" and not why.required
    assert read(USEFUL.replace("points: 7, ", "")).questions[0].points == 5


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("fluent", ["question 1", "must be written such as {name: why"]),
        (FLUENT.replace("options", "optoins"), ["'optoins'", "write 'options'"]),
        (FLUENT.replace("name", "nmae"), ["'nmae'", "write 'name'"]),
        (FLUENT.replace("fluent", "so fluent"), ["name is 'so fluent'", "beginning with a letter"]),
        (FLUENT.replace('ask: "Which reads better?", ', ""), ["(fluent)", "has no ask: add one"]),
        (FLUENT.replace("kind: choice", "kind: radio"), ["'radio'", "'choice' or 'scale' or"]),
        (FLUENT.replace("kind: choice", "kind: text"), ["options belongs to a choice"]),
        (FLUENT.replace("right, ", ""), ["options has left but not right: add it"]),
        (FLUENT.replace("[Left, right, same]", "[yes, no]"), ["has True", '["yes", "no"]']),
        (FLUENT.replace("[Left, right, same]", "[a, a]"), ["different texts"]),
        (FLUENT.replace("same", "vcd"), ["'vcd' like a lane", "name it otherwise"]),
        (f"{FLUENT}, of: answer", ["left is no option", "write of: pair"]),
        (f"{FLUENT}, of: answers", ["of is 'answers'", "'pair' or 'answer'"]),
        (f"{FLUENT}, required: 'no'", ["required is 'no'", "true or false"]),
        (USEFUL.replace("7", "1"), ["2 to 11 points"]),
        (USEFUL.replace("7", "12"), ["from 1 to 11"]),
        (USEFUL.replace("[not, very]", "[not]"), ["each of its two ends"]),
        (USEFUL.replace(", ends: [not, very]", ""), ["ends is None", "[not at all, very]"]),
    ],
)
def test_a_wrong_question_is_named_with_what_to_write(read, question, words):
    with pytest.raises(StudyError) as caught:
        read(question) if ":" in question else read_plain(read, question)
    said = str(caught.value)
    assert "study.yaml, question 1" in said and "\n" not in said and said.endswith(".")
    assert all(word in said for word in words), said


def read_plain(read, word):
    folder = read(WHY).folder
    (folder / "study.yaml").write_text(f"{YAML}questions: [{word}]\n")
    return read_study(folder)


def test_names_are_given_once_and_questions_are_a_list(read):
    with pytest.raises(StudyError, match=r"question 2 is called 'why' like one before"):
        read(WHY, WHY)
    folder = read(WHY).folder
    (folder / "study.yaml").write_text(f"{YAML}questions: all\n")
    with pytest.raises(StudyError, match="must be a list of questions such as"):
        read_study(folder)
