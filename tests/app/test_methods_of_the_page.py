"""Any method that the library has can be chosen, under a name of its own."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import pytest

from app.shared.methods import lane_methods, lane_titles, method_choices, method_help, suited
from sinktrack.core.errors import MethodError
from sinktrack.core.intervention import KINDS, Intervention, parameter


def test_every_method_of_the_library_can_be_chosen():
    kinds = [kind for _, kind in method_choices()]
    assert kinds[0] == "baseline" and {"sinktrack", "vcd", "cad", "pai"} < set(kinds)


@pytest.fixture
def loud() -> Iterator[type[Intervention]]:
    """A method that somebody else has written."""

    @dataclass(frozen=True, kw_only=True)
    class Loud(Intervention):
        """Says it loudly."""

        kind: ClassVar[str] = "loud"
        gain: float = parameter(2.0, "How loudly.", low=0.0, high=11.0)

    yield Loud
    del KINDS["loud"]


def test_a_new_method_needs_no_other_line(loud, checkpoint):
    assert ("LOUD", "loud") in method_choices()
    told = method_help("loud", checkpoint[0])
    assert told.summary == "Says it loudly." and told.example == "gain=2"
    assert told.parameters[0].range == "a number from 0 to 11"
    assert lane_methods(checkpoint[0], ["baseline", "loud:gain=11"])["loud"] == loud(gain=11.0)


def test_help_shows_the_models_own_defaults_as_they_are_typed(checkpoint):
    model = checkpoint[0]
    for _, kind in method_choices():
        typed = [f"{p.name}={p.default}" for p in method_help(kind, model).parameters if p.default]
        text = f"{kind}:{','.join(typed)}"
        with pytest.raises(MethodError, match="made in the same way"):
            lane_methods(model, [kind, text])


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
