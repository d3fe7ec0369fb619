"""Any method that the library has can be chosen, under a name of its own."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import gradio as gr
import pytest

import sinktrack.methods as known_methods
from app.compare.inputs import MethodInputs
from app.compare.method_inputs import MethodControls, chosen
from app.shared.engine import Engine
from app.shared.method_cards import fitting, in_words, method_cards
from app.shared.methods import MOST_METHODS, lane_methods, lane_titles, suited
from sinktrack.core.errors import MethodError, SinkTrackError
from sinktrack.core.intervention import KINDS, Intervention, parameter


def card_of(kind: str, model: Any) -> Any:
    (card,) = (card for card in method_cards(model) if card.kind == kind)
    return card


def test_every_method_of_the_library_has_a_card(checkpoint):
    for model in (None, checkpoint[0]):
        cards = method_cards(model)
        assert cards[0].group == "plain"
        assert {card.kind for card in cards[1:]} == set(known_methods.available())
        assert all(card.summary.endswith(".") for card in cards)


@pytest.fixture
def loud() -> Iterator[type[Intervention]]:
    """A method that somebody else has written."""

    @dataclass(frozen=True, kw_only=True)
    class Loud(Intervention):
        """Says it loudly."""

        kind: ClassVar[str] = "loud"
        rows: ClassVar[int] = 3
        source: ClassVar[str] = "https://example.org/loud"
        gain: float = parameter(2.0, "How loudly.", low=0.0, high=11.0)
        tone: str = parameter("low", "Which tone.", choices=("low", "high"))
        softly: bool = parameter(False, "Whether to whisper.")

    yield Loud
    KINDS.pop("loud", None)


def test_a_number_without_a_default_is_as_whole_as_the_method_takes_it(checkpoint):
    (dimension,) = (
        each
        for each in card_of("position-scale", checkpoint[0]).parameters
        if each.name == "dimension"
    )
    assert (dimension.default, dimension.number) == ("", "whole")


def test_a_new_method_needs_no_other_line(loud, checkpoint):
    card = card_of("loud", checkpoint[0])
    assert (card.title, card.summary, card.group) == ("LOUD", "Says it loudly.", "method")
    assert (card.rows, card.needs, card.source) == (3, "fits anything", "https://example.org/loud")
    gain, tone, softly = card.parameters
    assert (gain.default, gain.number, gain.low, gain.high) == ("2", "any", 0.0, 11.0)
    assert (tone.choices, tone.number) == (("low", "high"), "")
    assert (softly.choices, softly.default) == (("yes", "no"), "no")
    assert lane_methods(checkpoint[0], ["baseline", "loud:gain=11"])["loud"] == loud(gain=11.0)


def test_a_control_stands_behind_the_methods_and_is_not_filled_in(loud, checkpoint):
    loud.control = True
    groups = {card.kind: card.group for card in method_cards(checkpoint[0])}
    assert groups["loud"] == "control" and list(groups.values()) == sorted(
        groups.values(), key=["plain", "method", "control"].index
    )
    assert card_of("loud", None).group == "control"
    assert "loud" not in fitting(checkpoint[0], visuals=True, passage=True)


def test_a_source_that_is_no_address_of_a_page_is_not_linked(loud):
    for hostile in ("javascript:alert(1)", "data:text/html,x", "//elsewhere", ""):
        loud.source = hostile
        assert card_of("loud", None).source == ""


def test_rows_that_depend_on_parameters_are_those_of_the_published_ones(loud, checkpoint):
    loud.rows = property(lambda self: 2 if self.gain else 1)
    assert card_of("loud", checkpoint[0]).rows == 2
    assert card_of("loud", None).rows == 2


def test_help_shows_the_models_own_defaults_as_they_are_typed(checkpoint):
    model = checkpoint[0]
    for card in method_cards(model):
        typed = [f"{each.name}={each.default}" for each in card.parameters if each.default]
        first = card.needs == "needs settings first"  # a dimension, or what a probe takes away
        told = "does not (know|say) which" if first else "made in the same way"
        with pytest.raises(MethodError, match=told):
            lane_methods(model, [card.kind, f"{card.kind}:{','.join(typed)}"])


def test_the_second_of_a_kind_is_named_by_its_parameters(checkpoint):
    texts = ["cad", "cad:alpha=2", "vcd", "vcd:alpha=2"]
    names = list(lane_methods(checkpoint[0], texts))
    assert names == ["cad", "alpha=2", "vcd", "vcd:alpha=2"]
    assert [lane["name"] for lane in lane_titles(None, texts)] == names


def test_without_a_picture_a_method_takes_the_context_that_is_there(checkpoint):
    model = checkpoint[0]

    def fitting(*texts, **has):
        return suited(model, texts, **has)

    bare, told = {"visuals": False, "passage": False}, {"visuals": False, "passage": True}
    assert fitting("baseline", "sinktrack", **told) == ("baseline", "sinktrack:context=passage")
    assert fitting("sinktrack:strength=0.5", **bare) == ("sinktrack:strength=0.5,context=prompt",)
    assert fitting("sinktrack", visuals=True, passage=True) == ("sinktrack",)
    # what the visitor chose, and what takes no other context, is left alone and refused later
    for text in ("sinktrack:context=image", "vcd", "cad", "sinktrack:context = image"):
        assert fitting(text, **told) == (text,)


HAS = [{"visuals": v, "passage": p} for v, p in ((True, False), (False, True), (True, True))]


@pytest.mark.parametrize("has", HAS, ids=lambda has: in_words(**has))
def test_what_fits_can_be_asked_and_the_rest_is_refused(checkpoint, picture, has):
    """The engine, which knows the prompt, agrees with what the page says of it."""
    engine = Engine(*checkpoint, name="shapes-vl")
    asked = {
        "pictures": [picture] if has["visuals"] else [],
        "passage": "There is a red circle." if has["passage"] else None,
    }
    found = engine.fitting(**has)
    for card in engine.method_cards()[1:]:
        if card.group == "control":
            continue
        try:
            engine.request("What is there?", methods=["baseline", card.kind], **asked)
        except SinkTrackError:
            assert card.kind not in found
        else:
            assert card.kind in found


def test_the_best_fit_comes_first(checkpoint, loud):
    loud.rows = 1
    found = fitting(checkpoint[0], visuals=True, passage=False)
    needs = [card_of(kind, checkpoint[0]).needs for kind in found]
    assert "needs a picture" in needs and needs == sorted(needs, reverse=True)
    loud.needs = property(lambda self: "image")
    loud.rows = 9
    found = fitting(checkpoint[0], visuals=True, passage=False)
    pictured = [k for k in found if card_of(k, checkpoint[0]).needs == "needs a picture"]
    assert pictured[-1] == "loud"


def test_filling_respects_the_limit_and_says_what_was_left(checkpoint):
    controls = MethodControls(Engine(*checkpoint, name="shapes-vl"))
    controls._engine.fitting = lambda **has: [f"m{n}" for n in range(9)]
    filled = json.loads(controls.filled(visuals=True, passage=False))
    assert len(filled["chosen"]) == MOST_METHODS
    assert filled["said"].startswith("9 methods fit a picture; 5 that")
    controls._engine.fitting = lambda **has: ["only"]
    filled = json.loads(controls.filled(visuals=False, passage=True))
    assert [each["kind"] for each in filled["chosen"]] == ["baseline", "only"]
    assert filled["said"] == "1 method fits a passage."


def test_what_fits_is_not_told_while_the_model_loads():
    controls = MethodControls(Engine(name="shapes-vl"))
    with pytest.raises(gr.Error, match="still loading"):
        controls.filled(visuals=True, passage=False)


def test_what_was_picked_is_read_as_the_command_line_takes_it(checkpoint):
    controls = MethodControls(Engine(*checkpoint, name="shapes-vl"))
    value = {"chosen": [{"kind": "a", "set": {"x": " 1 ", "y": "", "z": "2+3"}}], "said": ""}
    (method,) = controls.read(json.dumps(value))
    assert method.text() == "a:x=1, z=2+3"
    both = (MethodInputs(kind="a"), MethodInputs(kind="b"))
    assert controls.read(chosen(both)) == both


@pytest.mark.parametrize(
    "sent",
    [
        *(None, 3, "", "[]", "{}", '{"chosen": 3}', '{"chosen": [{"kind": "a"}]}'),
        *('{"chosen": [{"kind": "a", "set": "b"}]}', "[" * 9000, " " * 30_000),
    ],
)
def test_what_no_picker_sends_is_refused_in_a_sentence(checkpoint, sent):
    controls = MethodControls(Engine(*checkpoint, name="shapes-vl"))
    with pytest.raises(gr.Error, match="load the page again"):
        controls.read(sent)
