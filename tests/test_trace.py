"""A trace says what the model really attended to."""

import pytest
import torch
from small_models import IMAGE_TOKEN, small_inputs, small_model

import sinktrack
from sinktrack.core.errors import TraceError
from sinktrack.core.recorder import CANDIDATES
from sinktrack.core.upstream import cache_of

NEW_TOKENS = 8


def generate(model, inputs, **options):
    return model.generate(**inputs, max_new_tokens=NEW_TOKENS, do_sample=False, **options)


def recorded(model, inputs, method=None, mask=None):
    with sinktrack.attach(model, method, context_mask=mask) as recorder:
        ids = generate(model, inputs)
    return recorder.trace(), ids


def eager_rows(model, inputs):
    """The last query's attention at every step and layer, from transformers' eager code."""
    before = model.config._attn_implementation
    model.set_attn_implementation("eager")
    output = generate(model, inputs, output_attentions=True, return_dict_in_generate=True)
    model.set_attn_implementation(before)
    return [[layer[0, :, -1] for layer in step] for step in output.attentions]


def test_shares_equal_eager_attention(family, close):
    model, prompt = family
    inputs = prompt(text_tokens=24)
    mask = torch.zeros_like(inputs["input_ids"], dtype=torch.bool)
    mask[:, -10:-4] = True
    trace, _ = recorded(model, inputs, mask=mask)
    ids, length = inputs["input_ids"][0], inputs["input_ids"].shape[1]
    image = ids == IMAGE_TOKEN
    rest = ~image & ~mask[0]
    rest[0] = False
    for t, layers in enumerate(eager_rows(model, inputs)):
        for layer, row in enumerate(layers):
            prompt_part = row[:, :length]
            close(trace.sink[t, layer], row[:, 0], 1e-5)
            close(trace.on("image")[t, layer], prompt_part[:, image].sum(-1), 1e-5)
            close(trace.on("instruction")[t, layer], prompt_part[:, mask[0]].sum(-1), 1e-5)
            close(trace.on("rest")[t, layer], prompt_part[:, rest].sum(-1), 1e-5)
            close(trace.on("generated")[t, layer], row[:, length:].sum(-1), 1e-5)


def test_the_image_map_equals_eager_attention_within_its_quantisation(close):
    model = small_model("qwen2_5_vl")
    inputs = small_inputs(model)
    trace, _ = recorded(model, inputs)
    image = inputs["input_ids"][0] == IMAGE_TOKEN
    for t, layers in enumerate(eager_rows(model, inputs)):
        expected = torch.stack([row[:, : len(image)][:, image].mean(0) for row in layers])
        actual = trace.image_map[t].flatten(1).float() * trace.image_scale[t] / 255
        close(actual, expected, float(trace.image_scale[t]) / 255)
        close(trace.image_scale[t], expected.max(), 1e-5)


def test_shares_sum_to_one_with_and_without_a_method(family, close):
    model, prompt = family
    for method in (None, sinktrack.SinkTrack.for_model(model)):
        trace, _ = recorded(model, prompt(), method)
        assert trace.share.shape == (NEW_TOKENS, 12, 4, len(trace.segments))
        close(trace.share.sum(-1), torch.ones(NEW_TOKENS, 12, 4), 1e-4)
        assert torch.equal(trace.sink, trace.share[..., 0])


def test_the_delivered_share_is_that_of_the_values(close):
    model = small_model("llama")
    inputs = small_inputs(model)
    seen = {}

    def keep(layer):
        def hook(_, args, kwargs, output):
            # Before o_proj: its input is the concatenated heads' outputs.
            seen["output", layer] = args[0][0, -1].view(4, 16)

        return hook

    layers = model.model.layers
    hooks = [
        layer.self_attn.o_proj.register_forward_hook(keep(i), with_kwargs=True)
        for i, layer in enumerate(layers)
    ]
    with torch.no_grad(), sinktrack.attach(model) as recorder:
        cache = cache_of(model(**inputs, use_cache=True))
    for hook in hooks:
        hook.remove()
    trace = recorder.trace()
    for i in range(len(layers)):
        values = cache.layers[i].values[0, :, 0].repeat_interleave(2, dim=0)  # (H, d) of the sink
        expected = trace.sink[0, i] * values.norm(dim=-1) / seen["output", i].norm(dim=-1)
        close(trace.delivered[0, i], expected, 1e-5)


def test_a_shifted_query_does_not_see_itself():
    """At injected layers of the official variant, the prompt's last token lacks its own key."""
    model = small_model("qwen2_5_vl")
    inputs = small_inputs(model)
    inputs.pop("attention_mask")
    mask = torch.zeros_like(inputs["input_ids"], dtype=torch.bool)
    mask[:, -1] = True  # make a segment of the last token alone
    method = sinktrack.SinkTrack.for_model(model, causal="official")
    trace, _ = recorded(model, inputs, method, mask)
    injected = [layer in method.inject_at for layer in range(12)]
    own = trace.on("instruction")[0]
    assert own[injected].max() == 0
    assert own[[not one for one in injected]].min() > 0


def test_a_sliding_window_that_left_the_sink_behind_records_nan():
    model = small_model("gemma3", sliding_window=16)
    inputs = small_inputs(model, text_tokens=40)
    trace, _ = recorded(model, inputs)
    sliding = [kind == "sliding_attention" for kind in model.config.text_config.layer_types]
    assert any(sliding) and not all(sliding)
    assert trace.sink[:, sliding].isnan().all() and trace.delivered[:, sliding].isnan().all()
    assert not trace.sink[:, [not one for one in sliding]].isnan().any()
    torch.testing.assert_close(trace.share.sum(-1), torch.ones(NEW_TOKENS, 12, 4))


def test_recording_changes_no_token(family):
    model, prompt = family
    inputs = prompt()
    for method in (None, sinktrack.SinkTrack.for_model(model)):
        tokens = []
        for record in (True, False):
            with sinktrack.attach(model, method, record=record):
                tokens.append(generate(model, inputs))
        assert torch.equal(*tokens)


def test_the_trace_names_the_tokens_that_were_generated():
    model = small_model("qwen2_5_vl")
    inputs = small_inputs(model)
    trace, ids = recorded(model, inputs)
    assert [token.id for token in trace.tokens] == ids[0, -NEW_TOKENS:].tolist()


def test_the_trace_of_a_row_ends_where_its_answer_does():
    model = small_model("llama")
    inputs = small_inputs(model)
    free = generate(model, inputs)[0, -NEW_TOKENS:].tolist()
    model.generation_config.eos_token_id = [free[3]]
    trace, _ = recorded(model, inputs)
    assert [token.id for token in trace.tokens] == free[: free.index(free[3]) + 1]
    assert len(trace.sink) == len(trace.tokens)


def test_candidates_are_the_likeliest_of_what_was_chosen_from(close):
    model = small_model("qwen2")
    inputs = small_inputs(model)
    trace, ids = recorded(model, inputs)
    length = inputs["input_ids"].shape[1]
    with torch.no_grad():
        logits = model(ids[:, :-1]).logits[0, length - 1 :]
    likely, candidates = logits.softmax(-1).topk(CANDIDATES)
    assert torch.equal(trace.candidates, candidates)
    close(trace.candidate_probabilities, likely, 1e-5)
    assert torch.equal(trace.candidates[:, 0], ids[0, length:])  # greedy


def test_a_model_that_returns_tuples_has_no_candidates():
    model = small_model("qwen2")
    with sinktrack.attach(model) as recorder:
        model(**small_inputs(model), return_dict=False)
    assert recorder.trace(token_ids=[5]).candidates.shape == (1, 0)


def test_only_the_last_generation_is_kept():
    model = small_model("llama")
    with sinktrack.attach(model) as recorder:
        generate(model, small_inputs(model, seed=1))
        generate(model, small_inputs(model, seed=2))
    alone, _ = recorded(model, small_inputs(model, seed=2))
    assert torch.equal(recorder.trace().sink, alone.sink)


def test_saving_and_loading_gives_the_same_trace(tmp_path):
    model = small_model("qwen2_5_vl")
    method = sinktrack.SinkTrack.for_model(model, causal="official")
    trace, _ = recorded(model, small_inputs(model, images=2), method)
    trace.save(tmp_path / "one.safetensors")
    loaded = sinktrack.AttentionTrace.load(tmp_path / "one.safetensors")
    assert sinktrack.methods.from_dict(loaded.method) == method
    assert loaded.tokens == trace.tokens and loaded.write_layers == trace.write_layers
    assert len(loaded.image_maps) == 2
    for name, value in vars(trace).items():
        if isinstance(value, torch.Tensor):
            assert torch.equal(getattr(loaded, name), value), name
    for ours, theirs in zip(trace.image_maps, loaded.image_maps, strict=True):
        assert torch.equal(ours, theirs)


def test_a_file_that_is_no_trace_is_refused_in_a_sentence(tmp_path, request):
    (tmp_path / "text.safetensors").write_text("hello")
    for path in (tmp_path / "none.safetensors", tmp_path / "text.safetensors"):
        with pytest.raises(TraceError, match="No trace could be read"):
            sinktrack.AttentionTrace.load(path)
    foreign = request.path.parent / "data" / "llama.safetensors"
    with pytest.raises(TraceError, match="not one that this version saved"):
        sinktrack.AttentionTrace.load(foreign)


def test_asking_for_what_was_not_recorded_is_refused_in_a_sentence():
    model = small_model("llama")
    with sinktrack.attach(model) as recorder:
        with pytest.raises(TraceError, match="run generate or forward"):
            recorder.trace()
        generate(model, small_inputs(model))
        with pytest.raises(TraceError, match="no row 1"):
            recorder.trace(1)
    with sinktrack.attach(model, record=False) as recorder:
        generate(model, small_inputs(model))
    with pytest.raises(TraceError, match="Recording is off"):
        recorder.trace()


def test_layers_measured_at_once_are_those_measured_alone(monkeypatch):
    model = small_model("qwen2_5_vl")
    inputs = small_inputs(model, images=1)

    def recorded():
        with sinktrack.attach(model) as recorder:
            model.generate(**inputs, max_new_tokens=5, do_sample=False)
            return recorder.trace()

    together = recorded()
    monkeypatch.setattr("sinktrack.core.last_query._AT_ONCE", 0)
    alone = recorded()
    for name in ("share", "delivered", "sink"):
        assert torch.allclose(getattr(together, name), getattr(alone, name), atol=1e-6)
    for mine, other in zip(together.image_maps, alone.image_maps, strict=True):
        assert (mine.int() - other.int()).abs().max() <= 1
