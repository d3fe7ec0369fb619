"""The card of the bundled model: every figure of its file, and nothing without one."""

import json
import re

import pytest

from app.compare.card import model_card

TOLD = {
    "words": {
        "existence": {"trained": 0.981, "held out": 0.972},
        "where <b>": {"trained": 0.4, "held out": 0.95},
    },
    "outside": 0.966,
    "refused": 0.004,
    "existence": {"random": 0.979, "adversarial": 0.904},
    "remembered": {"a passage's fact": [0.111, 0.833]},
}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "card.json").write_text(json.dumps(TOLD))
    return tmp_path


@pytest.mark.parametrize("anchored", [True, False])
def test_it_says_what_was_measured(folder, anchored):
    said = model_card(folder, anchored)
    for figure in ("96.6 %", "0.4 %", "97.9 %", "90.4 %", "2 kinds of questions"):
        assert figure in said
    assert ("a passage&#x27;s fact 83.3 % (plain 11.1 %)" in said) == anchored
    assert ("training-free" in said) != anchored
    assert "It says nothing" in said and "<b>" not in said


def test_kinds_stand_where_their_shares_are(folder):
    said = model_card(folder, anchored=False)
    trained, held_out = (
        [float(x) for x in re.findall(rf'st-{name}" cx="([\d.]+)"', said)]
        for name in ("trained", "held-out")
    )
    assert len(trained) == len(held_out) == 2
    assert (
        trained[0] > held_out[0] > held_out[1] > trained[1]
    )  # below one half it stands at the edge
    assert "existence: 98.1 % in trained words, 97.2 % in others" in said


def test_a_checkpoint_without_a_card_has_none(tmp_path):
    assert model_card(tmp_path, anchored=True) == "" == model_card(None, anchored=False)
