"""What `attach` promises: it changes what it should, and leaves no trace behind."""

import threading

import pytest
import torch
import transformers
from small_models import small_inputs, small_model, stacked

import sinktrack
from sinktrack.core.errors import AttachError, MethodError, PromptError
from sinktrack.core.upstream import cache_argument, cache_of


def logits_of(model, inputs):
    with torch.no_grad():
        return model(**inputs).logits


def schedule(model, **changes):
    return sinktrack.SinkTrack.for_model(model, **changes)


@pytest.mark.parametrize("strength", [None, 0.0])
def test_only_recording_and_strength_zero_are_the_plain_model_bit_for_bit(family, strength):
    model, prompt = family
    inputs = prompt()
    plain = logits_of(model, inputs)
    for causal in ("corrected", "official"):
        method = None if strength is None else schedule(model, strength=strength, causal=causal)
        with sinktrack.attach(model, method):
            assert torch.equal(logits_of(model, inputs), plain)


def test_every_family_is_changed_by_its_published_schedule(family):
    model, prompt = family
    inputs = prompt()
    with sinktrack.attach(model, schedule(model)):
        assert (logits_of(model, inputs) - logits_of_plain(model, inputs)).abs().max() > 1e-3


def logits_of_plain(model, inputs):
    """The plain logits, from a copy, since `model` is attached."""
    twin = type(model)(model.config).eval()
    twin.load_state_dict(model.state_dict())
    twin.set_attn_implementation("sdpa" if twin._supports_sdpa else "eager")
    return logits_of(twin, inputs)


def test_strength_moves_the_logits_steadily():
    model = small_model("qwen2_5_vl")
    inputs = small_inputs(model)
    plain = logits_of(model, inputs)
    moved = []
    for strength in (0.25, 0.5, 1.0):
        with sinktrack.attach(model, schedule(model, strength=strength)):
            moved.append((logits_of(model, inputs) - plain).abs().mean())
    assert 0 < moved[0] < moved[1] < moved[2]


def state_of(model):
    hooks = [
        len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules()
    ]
    text = model.config.get_text_config()
    return hooks, model.config._attn_implementation, text._attn_implementation, set(vars(model))


@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
def test_everything_is_restored_on_exit(family, implementation):
    model, prompt = family
    if implementation == "sdpa" and not model._supports_sdpa:
        pytest.skip("transformers has no SDPA for this family")
    model.set_attn_implementation(implementation)
    inputs = prompt()
    plain, before = logits_of(model, inputs), state_of(model)
    with sinktrack.attach(model, schedule(model)):
        assert state_of(model) != before
        logits_of(model, inputs)
    assert state_of(model) == before
    assert torch.equal(logits_of(model, inputs), plain)


def test_everything_is_restored_after_an_exception():
    model = small_model("qwen2_5_vl")
    inputs = small_inputs(model)
    plain, before = logits_of(model, inputs), state_of(model)
    with pytest.raises(RuntimeError, match="mine"), sinktrack.attach(model, schedule(model)):
        logits_of(model, inputs)
        raise RuntimeError("mine")
    with pytest.raises(RuntimeError), sinktrack.attach(model, schedule(model)):
        model(**inputs | {"pixel_values": inputs["pixel_values"][:1]})
    assert state_of(model) == before
    assert torch.equal(logits_of(model, inputs), plain)


def test_a_failed_forward_inside_the_block_does_not_spoil_the_next():
    model = small_model("qwen2_5_vl")
    inputs = small_inputs(model)
    with sinktrack.attach(model, schedule(model)):
        expected = logits_of(model, inputs)
    with sinktrack.attach(model, schedule(model)):
        with pytest.raises(RuntimeError):
            model(**inputs | {"pixel_values": inputs["pixel_values"][:1]})
        assert torch.equal(logits_of(model, inputs), expected)


def test_two_models_attached_in_turn_and_at_once_do_not_meet():
    first, second = small_model("qwen2_5_vl"), small_model("llama")
    one, two = small_inputs(first), small_inputs(second)
    with sinktrack.attach(first, schedule(first)):
        expected_one = logits_of(first, one)
    with sinktrack.attach(second, schedule(second)):
        expected_two = logits_of(second, two)
    with sinktrack.attach(first, schedule(first)), sinktrack.attach(second, schedule(second)):
        assert torch.equal(logits_of(second, two), expected_two)
        assert torch.equal(logits_of(first, one), expected_one)


def test_the_same_thread_cannot_attach_twice():
    model = small_model("llama")
    with (
        sinktrack.attach(model),
        pytest.raises(AttachError, match="attached to already"),
        sinktrack.attach(model),
    ):
        pass
    with sinktrack.attach(model):
        pass


def test_another_thread_waits_for_its_turn():
    model = small_model("llama")
    order = []

    def second():
        with sinktrack.attach(model):
            order.append("second")

    thread = threading.Thread(target=second)
    with sinktrack.attach(model):
        thread.start()
        thread.join(timeout=0.2)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_a_thread_that_ended_holds_nothing_against_a_new_one():
    model = small_model("llama")
    blocks = []

    def enter():
        blocks.append(sinktrack.attach(model))
        blocks[0].__enter__()

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    order = []

    def wait():
        with sinktrack.attach(model):
            order.append("second")

    thread = threading.Thread(target=wait)
    thread.start()
    thread.join(timeout=0.2)
    order.append("first")
    blocks[0].__exit__(None, None, None)
    thread.join()
    assert order == ["first", "second"]


@pytest.mark.parametrize("name", ["qwen2_5_vl", "gemma3", "llama"])
def test_a_left_padded_batch_equals_the_solo_runs(name, close):
    model = small_model(name)
    solo = [small_inputs(model, text_tokens=n, seed=n) for n in (24, 17, 9)]
    padded = [small_inputs(model, text_tokens=n, seed=n, padding=24 - n) for n in (24, 17, 9)]
    batch = stacked(*padded)
    method = schedule(model)
    options = {"max_new_tokens": 12, "do_sample": False}
    with sinktrack.attach(model, method) as recorder:
        logits = logits_of(model, batch)
        ids = model.generate(**batch, **options)
        traces = [recorder.trace(row) for row in range(3)]
    for row, inputs in enumerate(solo):
        with sinktrack.attach(model, method) as recorder:
            close(logits[row, -1], logits_of(model, inputs)[0, -1], 1e-4)
            alone = model.generate(**inputs, **options)
        assert torch.equal(ids[row, -12:], alone[0, -12:])
        close(traces[row].sink, recorder.trace().sink, 1e-4)
        close(traces[row].share, recorder.trace().share, 1e-4)
        close(traces[row].context_attention, recorder.trace().context_attention, 1e-4)
        assert torch.equal(traces[row].prompt_ids, inputs["input_ids"][0])
        assert torch.equal(traces[row].context_positions, recorder.trace().context_positions)


def test_one_method_a_row(close):
    model = small_model("qwen2_5_vl")
    prompts = [small_inputs(model, seed=seed) for seed in (1, 2, 3)]
    methods = [None, schedule(model), schedule(model, causal="official", strength=0.5)]
    batch = stacked(*prompts)
    batch.pop("attention_mask")
    with sinktrack.attach(model, methods):
        logits = logits_of(model, batch)
    for row, method in enumerate(methods):
        prompts[row].pop("attention_mask")
        with sinktrack.attach(model, method):
            close(logits[row], logits_of(model, prompts[row])[0], 1e-5)


@pytest.mark.parametrize("context", ["instruction", "image+instruction", "prompt"])
def test_the_context_is_what_was_asked_for(context):
    model = small_model("qwen2_5_vl")
    inputs = small_inputs(model)
    mask = torch.zeros_like(inputs["input_ids"], dtype=torch.bool)
    mask[:, -6:-2] = True
    with sinktrack.attach(model, schedule(model, context=context), context_mask=mask) as recorder:
        logits_of(model, inputs)
        trace = recorder.trace()
    image = (inputs["input_ids"][0] == 310).nonzero()[:, 0].tolist()
    instruction = mask[0].nonzero()[:, 0].tolist()
    expected = {
        "instruction": instruction,
        "image+instruction": image + instruction,
        "prompt": list(range(inputs["input_ids"].shape[1])),
    }[context]
    assert trace.context_positions.tolist() == expected
    assert trace.context_attention.shape == (2, 4, len(expected))
    torch.testing.assert_close(trace.context_attention.sum(-1), torch.ones(2, 4))


def test_features_reach_the_sink_alone_and_only_through_the_residual_stream():
    """Before the first injected layer nothing differs; at it, only the sink does."""
    model = small_model("qwen2_5_vl")
    inputs = small_inputs(model)

    def states(method):
        with torch.no_grad(), sinktrack.attach(model, method):
            return model(**inputs, output_hidden_states=True).hidden_states

    plain, written = states(None), states(schedule(model))
    for layer in range(6):
        assert torch.equal(plain[layer], written[layer])
    moved = (plain[6] != written[6]).any(-1)[0]
    assert moved.tolist() == [True] + [False] * (len(moved) - 1)


def test_normalised_context_is_another_method():
    model = small_model("qwen2_5_vl")
    inputs = small_inputs(model)
    with sinktrack.attach(model, schedule(model)):
        published = logits_of(model, inputs)
    with sinktrack.attach(model, schedule(model, normalize_context=True)):
        assert (logits_of(model, inputs) - published).abs().max() > 1e-3


def test_several_images_are_one_context():
    model = small_model("qwen2_5_vl")
    inputs = small_inputs(model, images=3)
    with sinktrack.attach(model, schedule(model)) as recorder:
        logits_of(model, inputs)
    trace = recorder.trace()
    assert [tuple(grid.shape[2:]) for grid in trace.image_maps] == [(2, 4)] * 3
    assert trace.context_attention.shape[-1] == 24


def test_training_through_an_injection_gives_gradients():
    model = small_model("qwen2_5_vl")
    with sinktrack.attach(model, schedule(model)):
        model(**small_inputs(model)).logits.sum().backward()
    gradient = model.model.language_model.layers[5].self_attn.q_proj.weight.grad
    assert gradient is not None and gradient.abs().sum() > 0


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"method": sinktrack.SinkTrack(inject_at={40})}, MethodError, r"\[40\].*12 layers"),
        ({"method": [None]}, MethodError, "1 methods for a batch of 2 rows"),
        (
            {"method": sinktrack.SinkTrack(inject_at={5}, context="instruction")},
            PromptError,
            "context_mask",
        ),
        ({"context_mask": torch.ones(2, 3, dtype=torch.bool)}, PromptError, r"\(2, 3\)"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(arguments, error, words):
    model = small_model("qwen2_5_vl")
    inputs = stacked(small_inputs(model), small_inputs(model, seed=1))
    with pytest.raises(error, match=words), sinktrack.attach(model, **arguments):
        logits_of(model, inputs)


def test_an_image_context_without_an_image_is_refused():
    model = small_model("llama")
    method = sinktrack.SinkTrack(inject_at={4}, context="image")
    with pytest.raises(PromptError, match="no image"), sinktrack.attach(model, method):
        logits_of(model, small_inputs(model))


def test_a_prompt_that_was_read_outside_the_block_is_refused():
    model = small_model("llama")
    inputs = small_inputs(model)
    with torch.no_grad():
        cache = cache_of(model(**inputs, use_cache=True))
    with pytest.raises(AttachError, match="leave out a cache"), sinktrack.attach(model):
        model(input_ids=torch.tensor([[5]]), **{cache_argument(model): cache})


def test_a_prompt_that_is_read_in_pieces_is_refused():
    model = small_model("llama")
    options = {"max_new_tokens": 4, "do_sample": False, "prefill_chunk_size": 8}
    with pytest.raises(AttachError, match="in one piece"), sinktrack.attach(model):
        model.generate(**small_inputs(model), **options)


def test_padding_on_the_right_is_refused_where_its_query_would_be_recorded(close):
    model = small_model("llama")
    inputs = small_inputs(model)
    with sinktrack.attach(model, schedule(model)):
        expected = logits_of(model, inputs)
    padded = {name: torch.nn.functional.pad(value, (0, 4)) for name, value in inputs.items()}
    with pytest.raises(PromptError, match="padding_side"), sinktrack.attach(model):
        logits_of(model, padded)
    with sinktrack.attach(model, schedule(model), record=False):
        close(logits_of(model, padded)[:, :-4], expected, 1e-5)


@pytest.mark.parametrize("name", ["qwen2_5_vl", "gemma3", "llama"])
def test_a_static_cache_gives_the_same_answer_and_trace(name, close):
    model = small_model(name)
    inputs = small_inputs(model, padding=5)
    results = []
    for cache in (None, "static"):
        with sinktrack.attach(model, schedule(model)) as recorder:
            ids = model.generate(
                **inputs,
                max_new_tokens=6,
                do_sample=False,
                cache_implementation=cache,
                disable_compile=True,
            )
        results.append((ids, recorder.trace()))
    (ids, trace), (static_ids, static_trace) = results
    assert torch.equal(ids, static_ids)
    assert torch.equal(trace.prompt_ids, static_trace.prompt_ids)
    close(static_trace.share, trace.share, 1e-5)
    close(static_trace.sink, trace.sink, 1e-5)


def test_a_prompt_of_one_token_has_nothing_to_write():
    model = small_model("llama")
    with sinktrack.attach(model, schedule(model)) as recorder:
        logits_of(model, {"input_ids": torch.tensor([[1]])})
    assert recorder.trace().write_layers == ()


def test_half_precision_keeps_the_promises():
    model = small_model("qwen2_5_vl").bfloat16()
    inputs = small_inputs(model)
    inputs["pixel_values"] = inputs["pixel_values"].bfloat16()
    plain = logits_of(model, inputs)
    with sinktrack.attach(model, schedule(model, strength=0.0)):
        assert torch.equal(logits_of(model, inputs), plain)
    with sinktrack.attach(model, schedule(model)) as recorder:
        assert not torch.equal(logits_of(model, inputs), plain)
    share = recorder.trace().share
    assert share.dtype == torch.float32
    torch.testing.assert_close(share.sum(-1), torch.ones(1, 12, 4), atol=1e-4, rtol=0)


def test_under_autocast_the_trace_stays_exact():
    model = small_model("llama")
    with torch.autocast("cpu", torch.bfloat16), sinktrack.attach(model) as recorder:
        logits_of(model, small_inputs(model))
    share = recorder.trace().share
    assert share.dtype == torch.float32
    torch.testing.assert_close(share.sum(-1), torch.ones(1, 12, 4), atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", ["qwen2_5_vl", "qwen2_vl"])
@pytest.mark.parametrize("with_generate", [True, False])
def test_images_and_videos_are_one_context_with_a_map_each(name, with_generate):
    model = small_model(name)
    inputs = small_inputs(model)
    ids = inputs["input_ids"]
    video = torch.tensor([[312] + [311] * 12 + [313]])  # 3 frames of 2 x 2 merged tokens
    inputs["input_ids"] = torch.cat([ids[:, :11], video, ids[:, 11:]], dim=1)
    inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
    kinds = (inputs["input_ids"] == 310).int() + 2 * (inputs["input_ids"] == 311).int()
    inputs["mm_token_type_ids"] = kinds
    inputs["video_grid_thw"] = torch.tensor([[3, 4, 4]])
    inputs["pixel_values_videos"] = torch.randn(48, 1176)
    with sinktrack.attach(model, schedule(model)) as recorder:
        if with_generate:
            model.generate(**inputs, max_new_tokens=1, do_sample=False)
        else:
            logits_of(model, inputs)
    trace = recorder.trace()
    assert [tuple(one.shape[2:]) for one in trace.image_maps] == [(2, 4), (6, 2)]
    assert trace.context_attention.shape[-1] == 8 + 12


def test_a_step_that_failed_leaves_nothing_in_the_trace():
    model = small_model("llama")
    with sinktrack.attach(model) as recorder, torch.no_grad():
        cache = cache_of(model(**small_inputs(model), use_cache=True))
        hook = model.model.layers[6].register_forward_pre_hook(lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            model(input_ids=torch.tensor([[5]]), **{cache_argument(model): cache})
        hook.remove()
    trace = recorder.trace()
    assert len(trace.sink) == len(trace.tokens) == 1


def test_a_model_without_attention_projections_is_refused():
    config = transformers.GPT2Config(n_layer=1, n_embd=16, n_head=2, vocab_size=32)
    with (
        pytest.raises(AttachError, match="GPT2LMHeadModel"),
        sinktrack.attach(transformers.GPT2LMHeadModel(config)),
    ):
        pass
