"""All methods at once: each kind as published, and a sentence for each that is left out."""

import pytest
from PIL import Image

import sinktrack
from sinktrack import methods
from sinktrack.core.errors import MethodError
from sinktrack.core.images import Picture
from sinktrack.core.prompt import build_prompt


@pytest.fixture(scope="module")
def prompts(checkpoint):
    picture = Picture(Image.new("RGB", (140, 140), "white"))
    text = "The red circle is in the attic."
    return {
        "picture": build_prompt(*checkpoint, "What is it?", [picture]),
        "both": build_prompt(*checkpoint, "What is it?", [picture], passage=text),
        "passage": build_prompt(*checkpoint, "What is it?", passage=text, needs_picture=False),
    }


def test_every_kind_is_there_or_says_why_not(checkpoint, prompts):
    """The plain model comes first, and each method is the one that the model was published with."""
    model = checkpoint[0]
    found, left_out = methods.preset(model, [prompts["both"]])
    kinds = methods.available()
    assert list(found) == ["baseline", *(kind for kind in kinds if kind not in left_out)]
    assert found["baseline"] is None and found["sinktrack"] == sinktrack.SinkTrack.for_model(model)
    assert all(found[kind] == kinds[kind].for_model(model) for kind in found if kind != "baseline")


def test_what_one_prompt_lacks_leaves_a_kind_out(checkpoint, prompts):
    """A run asks all methods the same, so a single prompt without a picture is enough."""
    model = checkpoint[0]
    some, left_out = methods.preset(model, [prompts["both"], prompts["picture"]])
    assert "cad" not in some and "vcd" in some
    assert left_out["cad"].startswith("cad needs the context 'passage', but the prompt has no")
    fewer, left_out = methods.preset(model, [prompts["both"], prompts["passage"]])
    assert "cad" in fewer and "vcd" not in fewer and "has no image" in left_out["vcd"]
    none, _ = methods.preset(model, prompts.values())
    assert none.keys().isdisjoint({"cad", "vcd"})


def test_what_is_written_follows_what_is_asked(checkpoint, prompts):
    """SinkTrack's published context is the picture; without one it writes what there is."""
    model = checkpoint[0]

    def context(*kinds):
        return methods.preset(model, [prompts[kind] for kind in kinds])[0]["sinktrack"].context

    assert context("picture", "both") == "image"
    assert context("passage") == context("both", "passage") == "passage"
    assert context("picture", "passage") == "prompt"


def test_probes_are_left_out_because_they_must_be_told_what_to_take_away(checkpoint, prompts):
    found, left_out = methods.preset(checkpoint[0], [prompts["both"]])
    assert found.keys().isdisjoint({"cover", "silence"})
    assert left_out["cover"].startswith("cover does not say which tokens of the prompt to hide")
    assert left_out["silence"].startswith("silence does not say which heads to take away")


def test_what_cannot_be_used_with_the_model_is_left_out(checkpoint, prompts, monkeypatch):
    def refuse(model, **parameters):
        raise MethodError("This model has no eyes.")

    monkeypatch.setattr(methods.kind("pai"), "for_model", refuse)
    found, left_out = methods.preset(checkpoint[0], [prompts["both"]])
    assert "pai" not in found and left_out["pai"] == "This model has no eyes."


def test_texts_may_add_to_all_but_not_say_it_twice(checkpoint, prompts):
    model, asked = checkpoint[0], [prompts["picture"]]
    found, left_out = methods.parse_all(["all", "mild=vcd:alpha=0.2"], model, asked)
    assert list(found)[0] == "baseline" and list(found)[-1] == "mild"
    assert found["mild"].alpha == 0.2 and "cad" in left_out
    for texts in (["all", "vcd:alpha=2"], ["vcd", "all"], ["pai", "pai"]):
        with pytest.raises(MethodError, match="Two methods are called '(vcd|pai)'"):
            methods.parse_all(texts, model, asked)


def test_prompts_are_built_for_all_alone(checkpoint):
    """They may take long to make."""

    def prompts():
        pytest.fail("a prompt was built")
        yield

    assert list(methods.parse_all(["vcd"], checkpoint[0], prompts())[0]) == ["vcd"]
