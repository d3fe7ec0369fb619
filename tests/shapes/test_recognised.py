"""Which kind a question is: the little world's are told, and what lies outside is none of them."""

import random

import pytest

from sinktrack.shapes import outside
from sinktrack.shapes.everyday import KINDS_ASKED
from sinktrack.shapes.long_answers import describe, in_detail, rows
from sinktrack.shapes.recognised import kind_of
from sinktrack.shapes.scenes import sample_scene
from sinktrack.shapes.words import courtesies

NOT_ONE_PHRASING = {"follow-up", "two parts"}
"""They are made of the words of other kinds."""


@pytest.mark.parametrize("held_out", [False, True])
@pytest.mark.parametrize("kind", sorted(KINDS_ASKED.keys() - NOT_ONE_PHRASING))
def test_nearly_all_phrasings_of_a_kind_are_recognised(kind, held_out):
    rng = random.Random(kind)
    asked = [
        question
        for _ in range(200)
        if (question := KINDS_ASKED[kind](rng, sample_scene(rng, rng.randint(2, 5)), held_out))
    ]
    # "What is in row two?" may mean its cells or all of it, and no words can tell
    right = sum(kind_of(question.text) == kind for question in asked)
    assert right >= 0.75 * len(asked) > 0


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("Is there a red star?", "existence"),
        ("is there any purple cross", "existence"),
        ("Please tell me: is there a red star?", "existence"),
        ("How many LARGE shapes are there?", "count"),
        ("What is in the bottom left corner?", "what is at"),
        ("Is the blue cross left of the star?", "relation"),
        ("Go row by row and name only the red shapes.", "rows of a colour"),
        ("Count from three to forty. Then tell: is there a red star?", "delayed existence"),
        ("Count from one to forty. Then say: red star.", "delayed phrase"),
    ],
)
def test_a_question_is_recognised_whatever_it_asks_about(question, kind):
    assert kind_of(question) == kind


def test_the_three_ways_to_ask_for_everything_are_told_apart():
    rng = random.Random(0)
    scene = sample_scene(rng, 3)
    kinds = [kind_of(ask(rng, scene).text) for ask in (describe, in_detail, rows)]
    assert kinds == ["describe", "in detail", "rows"]


def test_courtesies_change_no_kind():
    for held_out in (False, True):
        for around in courtesies(held_out):
            assert kind_of(around.format("where is the star?")) == "where is"


@pytest.mark.parametrize("ask", [lambda rng: outside.question(rng, True), outside.another_thing])
def test_what_lies_outside_is_no_kind(ask):
    rng = random.Random(5)
    assert {kind_of(ask(rng).text) for _ in range(300)} == {None}


@pytest.mark.parametrize("text", ["", "?", "_", "P", "red", "\0" * 9, "a the an"])
def test_odd_texts_do_no_harm(text):
    assert kind_of(text) is None or text == "red"
