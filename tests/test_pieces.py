"""Long prompts in pieces: what a method reads and writes is that of the prompt read whole."""

import pytest
import torch
from small_models import FAMILIES, small_inputs, small_model
from test_generator import as_prompt, check_equal, compared

import sinktrack
from sinktrack.core import pieces as module
from sinktrack.core.architecture import decoder_layers
from sinktrack.core.pieces import in_pieces
from sinktrack.core.prompt import Prompt
from sinktrack.core.reading import last_states
from sinktrack.methods import create


def widths(model):
    """How many tokens pass the first MLP at once, filled as the model is called."""
    seen = []
    parts = decoder_layers(model)[0].mlp.modules()
    inner = next(each for each in parts if isinstance(each, torch.nn.Linear))
    inner.register_forward_pre_hook(lambda _, args: seen.append(args[0][..., 0].numel()))
    return seen


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_methods_answer_as_over_a_prompt_read_whole(name, close, monkeypatch):
    model = small_model(name)
    prompts = [as_prompt(model, small_inputs(model, text_tokens=n, seed=n)) for n in (30, 23)]
    methods = {
        "plain": None,
        "published": sinktrack.SinkTrack.for_model(model),
        "all of it": sinktrack.SinkTrack(inject_at={3, 6}, refresh_after={3}, context="prompt"),
        "value": sinktrack.SinkTrack(inject_at={4}, context="instruction", write="value"),
    }
    if name in ("olmo2", "cohere", "stablelm"):
        del methods["value"]
    seen = widths(model)
    whole = compared(model, prompts, methods)
    monkeypatch.setattr(module, "AT_ONCE", 14)
    parted = compared(model, prompts, methods)
    assert seen[0] > 14 and max(seen[seen.index(14) :]) <= 14
    for mine, other in zip(parted, whole, strict=True):
        check_equal(mine, other, close)


@pytest.mark.parametrize("kind", ["pai", "var", "dola", "vcd"])
def test_whoever_looks_into_layers_sees_the_whole_prompt(kind, close, monkeypatch):
    model = small_model("qwen2_5_vl")
    prompt = as_prompt(model, small_inputs(model, text_tokens=30))
    methods = {"plain": None, "x": create(kind)}
    whole = compared(model, [prompt], methods)
    monkeypatch.setattr(module, "AT_ONCE", 9)
    check_equal(compared(model, [prompt], methods)[0], whole[0], close)


def test_what_is_read_before_is_the_same(close, monkeypatch):
    model = small_model("llama")
    inputs = small_inputs(model, text_tokens=40)
    prompts = [[Prompt.of_inputs(model.config, inputs)]]
    whole = last_states(model, prompts)
    monkeypatch.setattr(module, "AT_ONCE", 9)
    close(last_states(model, prompts), whole, 1e-5)


def test_an_mlp_that_says_more_or_loads_itself_is_called_as_ever(monkeypatch):
    class Routed(torch.nn.Module):
        def forward(self, states):
            return states, states.shape

    monkeypatch.setattr(module, "AT_ONCE", 4)
    model = small_model("qwen2")
    routed, lazy = model.model.layers[0], model.model.layers[1]
    routed.mlp = Routed()
    lazy.mlp.forward = own = lambda states: states
    with in_pieces(model):
        states, shape = routed.mlp(torch.ones(2, 9, 3))
        assert shape == (2, 9, 3) and states.shape == shape
        assert lazy.mlp.forward is own
    assert "forward" not in vars(routed.mlp) and "forward" not in vars(model.model.layers[2].mlp)
