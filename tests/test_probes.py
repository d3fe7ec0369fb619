"""Probes ask again without something: the same numbers as a model that never had it."""

import pytest
import torch
from small_models import small_inputs, small_model

import sinktrack
from sinktrack.core.errors import MethodError
from sinktrack.methods.probes import Cover, Silence

FAMILIES = ("llama", "llava", "qwen3", "phi3")


def logits(model, inputs, method):
    with torch.no_grad(), sinktrack.attach(model, method, record=False):
        return model(**inputs).logits


@pytest.mark.parametrize("name", FAMILIES)
def test_what_is_covered_is_seen_by_nobody(name, close):
    model = small_model(name)
    inputs = small_inputs(model)
    length = inputs["input_ids"].shape[1]
    hidden = [3, 5, 6, length - 4]
    seen = torch.ones(length, length, dtype=torch.bool).tril()
    seen[:, hidden] = False
    with torch.no_grad():
        masked = model(**inputs | {"attention_mask": seen[None, None]}).logits
        plain = model(**inputs).logits
    covered = logits(model, inputs, Cover(positions=hidden))
    close(covered, masked, 1e-4)
    assert (covered - plain).abs().max() > 1e-2


@pytest.mark.parametrize("name", FAMILIES)
def test_a_silenced_head_gives_nothing(name, close):
    model = small_model(name)
    inputs = small_inputs(model)
    silenced = {2: [1], 5: [0, 3]}

    def without(layer):
        def hook(_, args):
            states = args[0].unflatten(-1, (4, -1)).clone()
            states[..., silenced[layer], :] = 0
            return (states.flatten(-2), *args[1:])

        return hook

    layers = model.get_decoder().layers
    handles = [layers[n].self_attn.o_proj.register_forward_pre_hook(without(n)) for n in silenced]
    with torch.no_grad():
        ablated = model(**inputs).logits
    for handle in handles:
        handle.remove()
    close(logits(model, inputs, Silence(heads="2.1+5.0+5.3")), ablated, 1e-4)


def test_padding_does_not_count(close):
    """Positions are those of the row's own prompt."""
    model = small_model("llama")
    alone = small_inputs(model)
    padded = small_inputs(model, padding=4)
    method = Cover(positions={2, 7})
    close(logits(model, padded, method)[:, 4:], logits(model, alone, method), 1e-4)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda: Cover(), "cover does not say which tokens of the prompt to hide: give positions"),
        (lambda: Silence(), "silence does not say which heads to take away: give heads"),
        (lambda: Cover(positions={900}), "positions names \\[900\\], but the prompt has"),
        (lambda: Silence(heads="12.0"), "heads names 12.0, but the model has 12 layers of 4 heads"),
        (lambda: Silence(heads="1.7"), "heads names 1.7, but the model has"),
        (lambda: Silence(heads="1"), "must name heads by layer and number, such as 3.1"),
        (lambda: Silence(heads=[1]), "must name heads by layer and number, such as 3.1"),
        (lambda: Cover(positions={-1}), "must be a set of positions, counted from 0"),
    ],
)
def test_what_is_not_there_is_refused(made, said):
    model = small_model("llama")
    with pytest.raises(MethodError, match=said):
        logits(model, small_inputs(model), made())
