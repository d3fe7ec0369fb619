"""Many questions: what is asked, what is refused, what comes out, and that it can be stopped."""

import json
import pickle
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from PIL import Image

from app.compare.chance import ChancePanel
from app.compare.inputs import Inputs, MethodInputs
from app.compare.kinds_asked import COUNT, OFFERED, kind_like, kinds, questions_of
from app.compare.question_files import MOST_LINES, read_questions
from app.compare.surveys import SAME_KIND, about_scenes, of_files
from app.compare.talk import Finished
from app.compare.uploads import Upload
from app.shared.chance import ROWS
from app.shared.engine import Engine
from app.shared.events import Refused, Stopped, Surveyed, Surveying, Waiting
from app.shared.request import DEFAULT_METHODS, Asked, Request
from app.shared.stop_flag import StopFlag
from app.shared.survey import Survey
from sinktrack.core.errors import PromptError
from sinktrack.eval.statistics import interval, paired_p
from sinktrack.eval.truth import Truth


def survey(count: int = 8, kind: str = OFFERED, **changes: Any) -> Survey:
    items = questions_of(kind)[:count]
    return Survey(title=kind, items=items, max_new_tokens=24, **changes)


def events(engine: Engine, asked: Survey, stop: StopFlag | None = None) -> list[Any]:
    return list(engine.survey(asked, stop or StopFlag()))


def result(found: list[Any]) -> dict[str, Any]:
    assert isinstance(found[-1], Surveyed), found[-1]
    return json.loads(found[-1].result)


# what is asked


def test_every_kind_has_held_out_questions_whose_answers_are_right():
    for kind in kinds():
        items = questions_of(kind)
        assert len({item.id for item in items}) == COUNT
        assert all(item.facts["truth"].admits(item.answer) for item in items)
    with pytest.raises(PromptError, match="no kind of question 'x'"):
        questions_of("x")


def test_the_kind_is_that_of_the_question_that_was_answered(engine):
    finished = answered("How many red shapes are there?")
    inputs = Inputs(question="Who are you?", methods=())
    assert about_scenes(engine, inputs, finished, SAME_KIND).title == "count"
    assert about_scenes(engine, inputs, finished, "rows").title == "rows"
    assert kind_like("Is there a red star?") == OFFERED


def test_a_question_of_no_kind_is_refused_with_one_to_choose(engine):
    with pytest.raises(gr.Error, match=f"choose one, such as {OFFERED}"):
        about_scenes(engine, Inputs(question="Who are you?"), None, SAME_KIND)


@pytest.mark.parametrize("kind", ["x", 7, ["rows"], {"a": 1}])
def test_a_forged_kind_is_refused(engine, kind):
    with pytest.raises(gr.Error, match="There is no kind of question"):
        about_scenes(engine, Inputs(question="x"), None, kind)


def test_the_methods_are_those_of_the_comparison(engine):
    typed = Inputs(question="x", methods=(MethodInputs(kind="baseline"),) * 2)
    finished = answered("Is there a star?", ("sinktrack", "vcd"))
    assert about_scenes(engine, typed, finished, SAME_KIND).methods == ("sinktrack", "vcd")
    with pytest.raises(gr.Error, match="made in the same way"):
        about_scenes(engine, typed, None, OFFERED)


def test_scenes_are_drawn_for_the_bundled_model_alone(checkpoint):
    other = Engine(*checkpoint, name="another")
    with pytest.raises(gr.Error, match="questions of your own"):
        about_scenes(other, Inputs(question="Is there a star?"), None, OFFERED)


def answered(question: str, methods: tuple[str, ...] = DEFAULT_METHODS) -> Finished:
    return answered_request(Asked(question=question), methods)


def answered_request(asked: Asked, methods: tuple[str, ...] = DEFAULT_METHODS) -> Finished:
    return Finished(request=Request(asked=asked, methods=methods), answers=(), words={})


# a visitor's own questions


@pytest.fixture
def uploaded(tmp_path: Path) -> Any:
    """Return what makes the uploads of some lines, and of a picture called cat.png."""
    Image.new("RGB", (60, 60), "white").save(tmp_path / "saved.png")

    def write(*lines: str | dict[str, Any], encoding: str = "utf-8") -> list[Upload]:
        text = "\n".join(each if isinstance(each, str) else json.dumps(each) for each in lines)
        (tmp_path / "questions.jsonl").write_bytes(text.encode(encoding))
        return [
            Upload(tmp_path / "saved.png", "cat.png"),
            Upload(tmp_path / "questions.jsonl", "questions.jsonl"),
        ]

    return write


LINE = {"question": "Is there a cat?", "answer": "Yes"}


def test_lines_name_their_pictures_or_ask_about_the_one_above(uploaded, picture):
    own, above = read_questions(uploaded(LINE | {"image": "cat.png"}, "", LINE), [picture])
    assert own.images[0]().size == (60, 60) and above.images[0]().size == (112, 112)
    assert own.facts["truth"] == Truth(answer="Yes", by="yes or no")
    assert read_questions(uploaded(LINE), [])[0].images == []


def test_a_file_is_read_as_programs_write_it(uploaded):
    odd = LINE | {"question": "Line\u2028break?"}
    for encoding in ("utf-8-sig", "utf-16"):
        lines = (json.dumps(odd, ensure_ascii=False) + "\r", LINE, "")
        items = read_questions(uploaded(*lines, encoding=encoding), [])
        assert items[0].question == "Line\u2028break?" and len(items) == 2


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "Line 2 is not JSON"),
        ("[" * 9000, "Line 2 is not JSON"),
        ("[]", "Line 2 has to be an object"),
        ({"question": "x"}, "Line 2 has no answer"),
        (LINE | {"answer": 3}, "Line 2 has no answer"),
        (LINE | {"question": " "}, "Line 2 has no question"),
        (LINE | {"question": "x" * 2001}, "2001 characters of question; the limit is 2000"),
        (LINE | {"anwser": "x"}, "says 'anwser', which means nothing"),
        (LINE | {"image": "dog.png"}, "'dog.png', which was not uploaded"),
        (LINE | {"image": "/etc/passwd"}, "which was not uploaded"),
        (LINE | {"image": "http://x/y.png"}, "which was not uploaded"),
        (LINE | {"image": "../saved.png"}, "which was not uploaded"),
        (LINE | {"image": ["cat.png"]}, "Line 2 has no image"),
        ('{"question": "x", "question": "y", "answer": "z"}', "'question' twice"),
    ],
)
def test_whatever_is_wrong_with_a_line_is_named(uploaded, line, words):
    with pytest.raises(PromptError, match=words):
        read_questions(uploaded(LINE, line), [])


def test_several_wrong_lines_are_named_and_the_rest_is_counted(uploaded):
    with pytest.raises(PromptError, match=r"Line 1 .*Line 2 .*Line 5 .* 3 more lines are wrong"):
        read_questions(uploaded(*["{"] * 8), [])


def test_files_that_are_too_large_or_no_text_are_refused(uploaded, tmp_path):
    with pytest.raises(PromptError, match=f"{MOST_LINES + 1} questions; the limit is {MOST_LINES}"):
        read_questions(uploaded(*[LINE] * (MOST_LINES + 1)), [])
    with pytest.raises(PromptError, match=r"1\.2 MB; the limit is 1 MB"):
        read_questions(uploaded("x" * 1_200_000), [])
    with pytest.raises(PromptError, match="holds no question"):
        read_questions(uploaded(""), [])
    uploads = uploaded(LINE)
    uploads[1].path.write_bytes(b"\xff\xff\xff")
    with pytest.raises(PromptError, match="is not text"):
        read_questions(uploads, [])
    with pytest.raises(PromptError, match="None of the files"):
        read_questions(uploads[:1], [])


def test_a_visitors_questions_are_asked_about_the_picture_that_was_asked_about(
    engine, uploaded, picture
):
    finished = answered_request(Asked(question="x", pictures=(picture,)))
    asked = of_files(engine, Inputs(max_new_tokens=9), finished, uploaded(LINE))
    assert asked.items[0].images[0]().size == (112, 112) and asked.max_new_tokens == 9
    with pytest.raises(gr.Error, match="no file of questions yet"):
        of_files(engine, Inputs(), finished, [])
    with pytest.raises(gr.Error, match="Line 1 is not JSON"):
        of_files(engine, Inputs(), finished, uploaded("<b>"))
    with pytest.raises(gr.Error, match="not a number"):
        of_files(engine, Inputs(max_new_tokens="x"), finished, uploaded(LINE))


# what comes out


def test_shares_intervals_and_tests_are_those_of_eval(engine):
    found = events(engine, survey(12))
    told = result(found)
    assert [each.answers for each in found if isinstance(each, Surveying)][-1] <= 24
    first, second = told["methods"]
    assert told["count"] == told["asked"] == 12 and first["against"] is None
    for method in (first, second):
        pairs = [(1.0, 1.0)] * method["right"] + [(0.0, 1.0)] * (12 - method["right"])
        assert (method["low"], method["high"]) == pytest.approx(interval(pairs))
    against = second["against"]
    assert second["right"] - first["right"] == against["better"] - against["worse"]
    kept, turned = 12 - against["better"] - against["worse"], against
    plain = [(0, 1)] * turned["better"] + [(1, 1)] * turned["worse"] + [(1, 1)] * kept
    other = [(1, 1)] * turned["better"] + [(0, 1)] * turned["worse"] + [(1, 1)] * kept
    assert against["p"] == pytest.approx(paired_p(plain, other))
    assert len(told["changed"]) == against["better"] + against["worse"]


def test_what_changed_is_told_with_both_answers(engine):
    never = Truth(answer="x y z.")
    items = questions_of(OFFERED)[:4]
    for item in items:
        item.facts["truth"] = never
    asked = Survey(title="x", items=items, max_new_tokens=8)
    told = result(events(engine, asked))
    assert [method["right"] for method in told["methods"]] == [0, 0] and told["changed"] == []


def test_a_survey_is_stopped_within_one_batch_and_keeps_what_is_answered(engine):
    stop, seen = StopFlag(), []
    for event in engine.survey(survey(40), stop):
        seen.append(event)
        if isinstance(event, Surveying) and event.answers:
            stop.set()
    told = result(seen)
    after = [each for each in seen if isinstance(each, Surveying) and each.answers]
    assert 0 < told["count"] < 40 and told["asked"] == 40
    assert told["count"] * 2 <= after[0].answers + 2 * ROWS


def test_a_survey_that_takes_too_long_says_so_and_keeps_what_is_answered(checkpoint):
    engine = Engine(*checkpoint, name="shapes-vl", bundled=True, longest=0.05)
    told = events(engine, survey(40))
    assert 0 < result(told)["count"] < 40
    assert "It was ended" in told[-1].notices[0] and "0.05 seconds" in told[-1].notices[0]
    panel = ChancePanel.__new__(ChancePanel)
    panel._engine = engine
    (*_, shown) = panel.answers(survey(40), StopFlag())
    assert "It was ended" in json.loads(shown)["status"]


def test_a_survey_waits_for_its_turn_and_can_be_given_up_there(engine):
    ticket = engine.queue.join()
    stop = StopFlag()
    waiting = engine.survey(survey(), stop)
    assert next(waiting) == Waiting(1)
    stop.set()
    assert [each for each in waiting][-1] == Stopped()
    with ticket:
        pass


def test_a_picture_that_cannot_be_read_is_refused_with_a_sentence(engine, uploaded):
    uploads = uploaded(LINE | {"image": "cat.png"})
    uploads[0].path.write_bytes(b"nothing")
    items = read_questions(uploads, [])
    last = events(engine, Survey(title="x", items=items))[-1]
    assert isinstance(last, Refused) and "is not a picture" in last.sentence


def test_a_method_that_needs_a_picture_is_refused_where_there_is_none(engine, uploaded):
    items = read_questions(uploaded(LINE), [])
    last = events(engine, Survey(title="x", items=items, methods=("baseline", "vcd")))[-1]
    assert isinstance(last, Refused) and "has no image" in last.sentence


def test_a_survey_can_travel_to_a_forked_process():
    asked = survey(2)
    again = pickle.loads(pickle.dumps(asked))
    assert again.items[0].images[0]().tobytes() == asked.items[0].images[0]().tobytes()
    assert again.items[0].facts == asked.items[0].facts
