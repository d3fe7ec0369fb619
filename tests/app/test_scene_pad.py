"""A scene that a visitor draws: what is refused, what is drawn, and which answers are known."""

import json
import random
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from PIL import Image, ImageChops

from app.compare.examples import read_examples
from app.compare.handlers import CompareHandlers
from app.compare.inputs import Inputs
from app.compare.known_answers import KnownAnswers
from app.compare.scene_pad import (
    MOST_THINGS,
    SCALE,
    ScenePad,
    chosen_question,
    png,
    read_scene,
)
from app.compare.scene_questions import HABIT, known_questions
from app.compare.shelf import Shelf
from app.compare.take import Take
from app.shared.engine import Engine
from app.shared.request import Asked, Exchange, Request
from app.shared.stop_flag import StopFlag
from sinktrack.eval.truth import Truth
from sinktrack.shapes.answered import answer_to
from sinktrack.shapes.questions import NUMBERS
from sinktrack.shapes.scenes import Item, Kind, Scene, draw, sample_scene

RED = {"row": 0, "column": 3, "colour": "red", "shape": "circle", "size": "small"}
SCENE = Scene((Item(0, 3, Kind("red", "circle"), "small"),), 7)


def sent(*cells: Any, **changes: Any) -> str:
    return json.dumps({"cells": cells, "seed": 7, "usual": False} | changes)


def test_what_the_browser_sends_becomes_a_scene_in_reading_order():
    blue = RED | {"row": 4, "colour": "blue"}
    scene, usual = read_scene(sent(blue, RED, usual=True))
    assert scene.items == (SCENE.items[0], Item(4, 3, Kind("blue", "circle"), "small"))
    assert scene.drawing_seed == 7 and usual


@pytest.mark.parametrize(
    "value",
    [
        None,
        7,
        "",
        "{",
        "[]",
        "null",
        "[" * 3000,
        " " * 5000,
        sent(None),
        sent("red circle"),
        sent({}),
        sent(RED | {"row": 5}),
        sent(RED | {"row": -1}),
        sent(RED | {"row": True}),
        sent(RED | {"row": 0.0}),
        sent(RED | {"row": "0"}),
        sent(RED | {"colour": "pink"}),
        sent(RED | {"shape": ["circle"]}),
        sent(RED | {"colour": {"red": 1}}),
        sent(RED | {"size": "huge"}),
        sent(RED, RED),
        sent(RED, seed=2**32),
        sent(RED, seed=-1),
        sent(RED, seed=None),
        sent(RED, usual=1),
        sent(RED, cells=5),
    ],
)
def test_whatever_the_pad_does_not_send_is_refused_with_a_sentence(value):
    with pytest.raises(gr.Error, match="could not be read: load the page again"):
        read_scene(value)


def test_more_things_than_the_model_knows_are_refused_with_the_limit():
    cells = [RED | {"column": at % 5, "row": at // 5} for at in range(MOST_THINGS + 1)]
    with pytest.raises(gr.Error, match=f"has {MOST_THINGS + 1} things.* at most {MOST_THINGS}"):
        read_scene(sent(*cells))
    assert len(read_scene(sent(*cells[1:]))[0].items) == MOST_THINGS


def test_every_question_about_any_scene_has_its_answer_with_it():
    rng = random.Random(3)
    for objects in range(1, MOST_THINGS + 1):
        for _ in range(20):
            found = known_questions(sample_scene(rng, objects, prior=0.0), rng)
            texts = [question.text for question, _ in found]
            assert len(texts) == len(set(texts)) >= 5
            assert all(question.answer for question, _ in found)


def test_the_first_question_asks_for_a_usual_companion_that_is_not_there():
    question, note = known_questions(SCENE, random.Random(0))[0]
    assert note == HABIT and "blue star" in question.text and question.answer.startswith("No")
    whole = Scene((*SCENE.items, Item(1, 1, SCENE.items[0].kind.companion)))
    assert all(note == "" for _, note in known_questions(whole, random.Random(0)))


@pytest.fixture
def known() -> KnownAnswers:
    return KnownAnswers()


@pytest.fixture
def drawn(known: KnownAnswers, tmp_path) -> Request:
    """A question with a known answer about a picture that was drawn."""
    (tmp_path / "scene.png").write_bytes(png(SCENE))
    known.remember(png(SCENE), "Where is the circle?", Truth(answer="There."))
    return Request(
        asked=Asked(question="Where is the circle?", pictures=(str(tmp_path / "scene.png"),))
    )


def ask(request: Request, **changes: Any) -> Request:
    asked = {**vars(request.asked), **changes}
    return Request(asked=Asked(**asked))


def test_the_answer_is_known_by_the_picture_and_the_question(known, drawn):
    assert known.truth(drawn) == Truth(answer="There.")
    assert known.truth(ask(drawn, question="  where is the  circle? ")) is not None
    assert known.truth(ask(drawn, question="Where is the star?")) is None


def test_whatever_is_typed_about_a_scene_is_answered_by_it(known, drawn):
    known.remember_scene(png(SCENE), SCENE)
    assert known.truth(drawn) == Truth(answer="There.")  # what is remembered comes first
    said = known.truth(ask(drawn, question="how many things are there"))
    assert said == Truth(answer="There is one shape.")
    assert known.truth(ask(drawn, question="Who painted it?")) is None
    again = Scene.of(json.loads(json.dumps(SCENE.things())))
    assert again.items == SCENE.items


def test_examples_tell_their_scenes():
    """So that a question of one's own about them has a known answer as well."""
    for example, _ in read_examples():
        assert example.scene is not None
        found = answer_to(example.scene, "How many things are there?")
        assert found is not None and NUMBERS[len(example.scene.items)] in found.answer


def test_the_answer_is_not_known_of_another_picture(known, drawn, tmp_path):
    Image.new("RGB", (560, 560)).save(tmp_path / "scene.png")
    assert known.truth(drawn) is None
    (tmp_path / "scene.png").unlink()
    assert known.truth(drawn) is None


def test_the_answer_is_not_known_where_more_was_given(known, drawn):
    earlier = Exchange(asked=drawn.asked, answer="x", by="x")
    assert known.truth(ask(drawn, passage="It is a square.")) is None
    assert known.truth(ask(drawn, pictures=drawn.asked.pictures * 2)) is None
    assert known.truth(ask(drawn, pictures=())) is None
    assert known.truth(Request(asked=drawn.asked, system="Lie.")) is None
    assert known.truth(Request(asked=drawn.asked, history=(earlier,))) is None


def test_only_so_many_pictures_are_remembered(known, drawn):
    for number in range(1000):
        known.remember(str(number).encode(), "?", Truth(answer="x"))
    assert known.truth(drawn) is None


@pytest.fixture
def pad(engine: Engine, known: KnownAnswers) -> ScenePad:
    return ScenePad(engine, known, gr.Image(type="filepath"))


def test_the_picture_that_is_drawn_is_the_scenes_and_its_questions_are_known(pad, known):
    path, offered = pad.drawn(sent(RED))
    with Image.open(path) as shown:
        assert ImageChops.difference(shown.convert("RGB"), draw(SCENE, SCALE)).getbbox() is None
    questions = json.loads(offered["offers"])
    for asked in (Asked(question=each["text"], pictures=(path,)) for each in questions):
        assert known.truth(Request(asked=asked)) is not None


def test_an_empty_scene_takes_the_picture_away(pad):
    path, offered = pad.drawn(sent())
    assert path is None and json.loads(offered["offers"]) == []


@pytest.mark.parametrize("usual", [True, False])
def test_a_random_scene_has_the_usual_companions_if_they_are_wanted(pad, usual):
    together = 0
    for _ in range(40):
        scene, kept = read_scene(pad.sample(sent(usual=usual))[1]["value"])
        assert 3 <= len(scene.items) <= MOST_THINGS and kept is usual
        together += any(kind.companion in scene.kinds for kind in scene.kinds)
    assert together > 30 if usual else together < 30


@pytest.mark.parametrize("question", [None, 7, {"a": 1}, "x" * 301])
def test_a_question_that_is_none_is_refused(question):
    with pytest.raises(gr.Error, match="no such question"):
        chosen_question(gr.EventData(None, {"question": question}))
    assert chosen_question(gr.EventData(None, {"question": "What?"})) == "What?"


def test_there_is_no_pad_for_another_model(checkpoint, known):
    engine = Engine(*checkpoint, name="another", bundled=False)
    assert ScenePad(engine, known, gr.Image()).box.visible is False


def judged(compare: CompareHandlers, inputs: Inputs) -> dict[str, Any]:
    """Return what the page shows with the finished answers."""
    values = [value for value, *_ in compare.answer(StopFlag(), inputs) if isinstance(value, str)]
    return [json.loads(value) for value in values if "payload" in value][-1]


def take(folder: Path) -> Take:
    return Take(str(folder / "reports"), set(), Shelf(folder / "kept"))


def test_the_right_answer_is_told_with_the_answers(engine, known, tmp_path):
    (tmp_path / "scene.png").write_bytes(png(SCENE))
    known.remember(png(SCENE), "Is there a red circle?", Truth(answer="Yes.", by="yes or no"))
    compare = CompareHandlers(engine, take(tmp_path), known)
    inputs = Inputs(picture=str(tmp_path / "scene.png"), question="Is there a red circle?")
    shown = judged(compare, inputs)
    assert shown["truth"] == "Yes." and shown["right"] == [True, True]


def test_an_answer_that_was_cut_off_is_not_judged(engine, known, tmp_path):
    (tmp_path / "scene.png").write_bytes(png(SCENE))
    known.remember(png(SCENE), "Is there a red circle?", Truth(answer="Yes.", by="yes or no"))
    compare = CompareHandlers(engine, take(tmp_path), known)
    inputs = Inputs(
        picture=str(tmp_path / "scene.png"), question="Is there a red circle?", max_new_tokens=2
    )
    shown = judged(compare, inputs)
    assert shown["truth"] == "Yes." and shown["right"] == [None, None]


def test_every_example_that_came_along_has_its_right_answer():
    found = [example for example, _ in read_examples()]
    assert found and all(example.truth is not None for example in found)
    for example in found:
        comparison = example.comparison()
        assert comparison is not None
        right = [example.truth.admits(lane["text"]) for lane in comparison["lanes"]]
        # the note says what the plain model does
        assert right[0] is (example.note == "right"), example.question
