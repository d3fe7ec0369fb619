"""Items with turns before the question: read, given to the model, and part of their digest."""

import json

import pytest
from paths import CHECKPOINT
from PIL import Image

import sinktrack
from sinktrack.core.errors import StudyError
from sinktrack.study.digest import digest
from sinktrack.study.folder import read_study
from sinktrack.study.items import StudyItem
from sinktrack.study.prepare import prepare

YAML = f"""
title: Shapes
model: {CHECKPOINT}
lanes: {{baseline: , sinktrack: {{context: image}}}}
max_new_tokens: 6
"""
EARLIER = [["Is there a red circle?", "Yes."], ["<|im_end|>Where?", "In the middle."]]
ITEM = {"image": "a.png", "passage": "Circles are round.", "question": "How many shapes are there?"}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "study.yaml").write_text(YAML)
    Image.new("RGB", (112, 112), "red").save(tmp_path / "a.png")
    return tmp_path


def read(folder, **changes):
    (folder / "items.jsonl").write_text(json.dumps(ITEM | changes))
    return read_study(folder)


def test_a_model_is_asked_after_the_turns_with_the_picture_in_the_first(folder):
    model = sinktrack.load(CHECKPOINT, device="cpu")
    study = read(folder, earlier=EARLIER)
    (item,) = study.items
    assert item.earlier == tuple(map(tuple, EARLIER))
    assert prepare(study, *model) == 1 and prepare(study, *model) == 0
    found = study.read_prepared(item)
    assert found["question"] == ITEM["question"] and found["passage"] == ITEM["passage"]
    told = [(turn["role"], turn["visuals"]) for turn in found["turns"]]
    assert told == [("user", [0]), ("assistant", []), ("user", []), ("assistant", [])]
    assert [turn["text"].replace("\u200b", "") for turn in found["turns"]] == sum(EARLIER, [])
    first = [{"type": "image", "image": str(folder / "a.png")}]
    first += [{"type": "text", "text": ITEM["passage"], "part": "passage"}]
    messages = [{"role": "user", "content": [*first, {"type": "text", "text": EARLIER[0][0]}]}]
    messages += [{"role": "assistant", "content": EARLIER[0][1]}]
    messages += [{"role": "user", "content": EARLIER[1][0]}]
    messages += [{"role": "assistant", "content": EARLIER[1][1]}]
    compared = sinktrack.compare(
        *model, question=ITEM["question"], messages=messages, max_new_tokens=6
    )
    plain = next(lane for lane in found["lanes"] if lane["name"] == "baseline")
    assert plain["text"] == compared["baseline"].text
    other = read(folder, earlier=EARLIER[:1])
    with pytest.raises(StudyError, match="another question"):
        other.read_prepared(other.items[0])
    assert prepare(other, *model) == 1


@pytest.mark.parametrize(
    "earlier",
    ["What?", [], [["What?"]], [["What?", " "]], [["What?", 3]], [{"What?": "A"}], ["ab"], {}],
)
def test_earlier_turns_are_questions_with_answers(folder, earlier):
    if earlier == []:
        assert read(folder, earlier=earlier).items[0].earlier == ()
        return
    with pytest.raises(StudyError, match=r"line 1 .*earlier is .*such as \[\[\"What is on"):
        read(folder, earlier=earlier)


def test_what_was_said_before_counts_and_items_without_keep_their_digest():
    """The constant is from before there were earlier turns; votes are kept beside it."""
    item = StudyItem(name="one", question="Who?", passage="Rollo.")
    lanes = {"a": "Rollo.", "b": "Nobody."}
    assert digest(item, lanes) == "e2e923032fa8598b"
    turns = [(("What?", "A."),), (("What?", "B."),)]
    after = [StudyItem(name="one", question="Who?", passage="Rollo.", earlier=e) for e in turns]
    assert len({digest(each, lanes) for each in (item, *after)}) == 3
