"""Which tokens are sinks, and what SinkTrack can do with more than the first of them."""

import pytest
import torch
from small_models import FAMILIES, small_inputs, small_model

import sinktrack
from sinktrack.core.attach import attach
from sinktrack.core.errors import MethodError
from sinktrack.core.sinks import massive, massive_dimensions

GREEDY = {"max_new_tokens": 4, "do_sample": False}


def with_massive(model, positions, layer=2, size=4000.0):
    """Give a random model massive activations at some positions, from a layer on."""

    def hook(_, args):
        hidden = args[0]
        if hidden.shape[1] > 1:
            hidden = hidden.clone()
            hidden[:, positions, 7] += size
        return (hidden, *args[1:])

    return model.get_decoder().layers[layer].register_forward_pre_hook(hook)


def test_massive_activations_are_found_where_they_are():
    hidden = torch.randn(2, 12, 64, generator=torch.Generator().manual_seed(0))
    hidden[:, [0, 5], 7] += 300
    hidden[1, 3, 7] += 300
    attended = torch.ones(2, 12, dtype=torch.bool)
    found = massive(hidden, attended)
    assert found[0].nonzero()[:, 0].tolist() == [0, 5]
    assert found[1].nonzero()[:, 0].tolist() == [0, 3, 5]


def test_a_dimension_that_is_large_everywhere_makes_no_sinks():
    hidden = torch.randn(1, 12, 64, generator=torch.Generator().manual_seed(0))
    hidden[:, :, 7] += 300
    assert massive(hidden, torch.ones(1, 12, dtype=torch.bool))[0].nonzero().tolist() == [[0]]


def test_padding_is_no_sink_and_the_first_token_always_is():
    hidden = torch.randn(1, 12, 64, generator=torch.Generator().manual_seed(0))
    hidden[:, [0, 4, 8], 7] += 300
    attended = torch.arange(12)[None] >= 4
    assert massive(hidden, attended)[0].nonzero()[:, 0].tolist() == [4, 8]
    assert massive(torch.randn(1, 12, 64), attended)[0, 4]


def test_the_trace_names_the_sinks_and_what_each_write_was_made_of(close):
    """By hand: the shares of the weights on the first token, on other sinks, and on the rest."""
    model = small_model("qwen2")
    handle = with_massive(model, [0, 5, 9])
    method = sinktrack.SinkTrack(inject_at={3, 5}, context="prompt")
    with attach(model, method) as recorder:
        model.generate(**small_inputs(model), **GREEDY)
        trace = recorder.trace()
    handle.remove()
    assert trace.sinks.tolist() == [0, 5, 9]
    weights = trace.context_attention.mean(1)  # (I, N), of every token of the prompt
    rest = [at for at in range(weights.shape[1]) if at not in (0, 5, 9)]
    for name, places in (("sink", [0]), ("other sinks", [5, 9]), ("rest", rest)):
        column = trace.source_names.index(name)
        close(trace.write_sources[:, column], weights[:, places].sum(1), 1e-6)
    close(trace.write_sources.sum(1), torch.ones(2), 1e-5)
    assert (trace.write_norm > 0).all()


def test_the_norm_is_that_of_what_joins_the_residual(close):
    """At strength 1 the write is all that attention adds to the sink."""
    model = small_model("llama")
    method = sinktrack.SinkTrack(inject_at={4}, context="prompt")
    layer, seen = model.model.layers[4], {}
    before = layer.register_forward_pre_hook(lambda _, args: seen.update(residual=args[0][0, 0]))
    after = layer.self_attn.register_forward_hook(
        lambda _, args, output: seen.update(added=output[0][0, 0])
    )
    with torch.no_grad(), attach(model, method) as recorder:
        model(**small_inputs(model))
        trace = recorder.trace()
    before.remove()
    after.remove()
    close(trace.write_norm[0], seen["added"].norm() / seen["residual"].norm(), 1e-5)


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_all_sinks_are_written_to(name):
    """Each gets what it would get alone, and other tokens keep their attention output."""
    model = small_model(name)
    inputs = small_inputs(model)
    handle = with_massive(model, [0, 3])
    with torch.no_grad(), attach(model) as recorder:
        model(**inputs)
        found = set(recorder.trace().sinks.tolist())
    assert {0, 3} <= found and len(found) < 5  # a random model may have one of its own
    outputs = {}
    for sinks in ("first", "all", found, {3}):
        method = sinktrack.SinkTrack(inject_at={6}, context="prompt", sinks=sinks)
        attention = model.get_decoder().layers[6].self_attn
        into = attention.o_proj.register_forward_pre_hook(
            lambda _, args, sinks=sinks: outputs.update({str(sinks): args[0][0].detach()})
        )
        with torch.no_grad(), attach(model, method, record=False):
            model(**inputs)
        into.remove()
    handle.remove()
    first, every, named, third = outputs.values()
    assert torch.equal(every, named)
    assert torch.equal(every[0], first[0]) and torch.equal(every[3], third[3])
    others = [at for at in range(len(every)) if at not in found]
    assert not torch.equal(every[3], first[3]) and torch.equal(every[others], first[others])


def test_sinks_can_be_left_out_of_the_context():
    model = small_model("llama")
    handle = with_massive(model, [0, 5])
    method = sinktrack.SinkTrack(inject_at={4}, context="prompt", exclude_sinks=True)
    with torch.no_grad(), attach(model, method) as recorder:
        model(**small_inputs(model))
        trace = recorder.trace()
    handle.remove()
    assert not {0, 5} & set(trace.context_positions.tolist())
    assert trace.write_sources[0, :2].sum() == 0
    alone = torch.zeros(1, len(trace.prompt_ids), dtype=torch.bool)
    alone[0, 0] = True
    only = sinktrack.SinkTrack(inject_at={4}, context="instruction", exclude_sinks=True)
    with (
        pytest.raises(MethodError, match="Every token of the context is a sink"),
        torch.no_grad(),
        attach(model, only, context_mask=alone),
    ):
        model(**small_inputs(model))


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_a_written_value_stays_in_the_cache_and_is_read(name, close):
    model = small_model(name)
    inputs = small_inputs(model)
    method = sinktrack.SinkTrack(inject_at={5}, context="prompt", write="value", value_norm=2.0)
    with torch.no_grad():
        with attach(model) as recorder:
            plain = model(**inputs, use_cache=True)
            before = recorder.trace()
        with attach(model, method) as recorder:
            written = model(**inputs, use_cache=True)
            trace = recorder.trace()
    values = [
        next(getattr(each, key) for key in ("cache", "past_key_values") if key in each)
        .layers[5]
        .values[0]
        for each in (plain, written)
    ]
    assert torch.equal(values[0][:, 1:], values[1][:, 1:])
    median = values[0].norm(dim=-1).median(-1).values  # by head
    close(values[1][:, 0].norm(dim=-1), 2 * median, 1e-4)
    close(trace.share[0, 5], before.share[0, 5], 1e-6)  # it looks where it looked
    assert not torch.allclose(trace.delivered[0, 5], before.delivered[0, 5])
    assert trace.moved["values"][0, 5] > 0 and trace.write_layers == (5,)
    assert not torch.equal(plain.logits, written.logits)


def test_sinks_of_batches_are_found_row_by_row():
    model = small_model("llama")
    handle = with_massive(model, [4, 9])  # the first attended token of one row, and another
    both = {
        key: torch.cat([small_inputs(model, padding=4)[key], small_inputs(model, padding=4)[key]])
        for key in ("input_ids", "attention_mask")
    }
    method = sinktrack.SinkTrack(inject_at={3}, context="prompt", sinks="all")
    with torch.no_grad(), attach(model, [method, None]) as recorder:
        model(**both)
        first, second = recorder.trace(0), recorder.trace(1)
    handle.remove()
    assert first.sinks.tolist() == second.sinks.tolist() == [0, 5]
    assert first.write_layers == (3,) and second.write_layers == ()


def test_massive_dimensions_are_the_models_own_and_found_once(monkeypatch):
    model = small_model("qwen2")
    head = model.model.embed_tokens.weight.data
    head[:, 7] = 4000.0  # every token is massive there from the start
    found = massive_dimensions(model, 20.0)
    assert 7 in found
    monkeypatch.setattr("sinktrack.core.sinks.last_states", None)  # nothing is read again
    assert massive_dimensions(model, 20.0) == found
    assert massive_dimensions(model, 1000.0) == frozenset()
