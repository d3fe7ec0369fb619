"""Nothing is the plain model without a word: a method acts, or a sentence says why it cannot."""

import copy

import accelerate
import peft
import pytest
import torch
import transformers
from PIL import Image
from small_models import small_inputs, small_model, stacked
from torch import nn
from transformers.models.llama import modeling_llama

import sinktrack
from sinktrack.api import stream_prompt
from sinktrack.core.errors import AttachError, MethodError, TraceError
from sinktrack.core.prompt import build_prompt
from sinktrack.core.upstream import cache_argument

GREEDY = {"max_new_tokens": 6, "do_sample": False}
TINY = {
    "vocab_size": 128,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": None,
}
IDS = torch.arange(5, 25)[None]


def tiny(kind, **config):
    """A random model of a family that has no published schedule."""
    torch.manual_seed(0)
    config = getattr(transformers, f"{kind}Config")(**TINY | config)
    model = transformers.AutoModelForCausalLM.from_config(config).eval()
    for name, weight in model.named_parameters():
        if weight.ndim > 1 and "embed" not in name:
            nn.init.normal_(weight, std=0.2)
    return model


def writing(**changes):
    return sinktrack.SinkTrack(inject_at={1, 2}, context="prompt", **changes)


# Who hands what to whom


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # PEFT's own
def test_adapters_of_peft_are_attached_to_as_when_merged(close):
    model = small_model("qwen2_5_vl")
    inputs = small_inputs(model)
    lora = peft.LoraConfig(r=4, target_modules=["q_proj", "k_proj"], init_lora_weights=False)
    wrapped = peft.get_peft_model(copy.deepcopy(model), lora).eval()
    merged = copy.deepcopy(wrapped).merge_and_unload()
    results = []
    for each in (wrapped, merged):
        method = sinktrack.SinkTrack.for_model(each)
        with sinktrack.attach(each, method) as recorder:
            ids = each.generate(**inputs, **GREEDY)
        results.append((ids, recorder.trace()))
    (ids, trace), (merged_ids, merged_trace) = results
    assert torch.equal(ids, merged_ids) and len(trace.sink) == 6
    close(trace.share, merged_trace.share, 1e-4)
    with torch.no_grad(), sinktrack.attach(wrapped, sinktrack.SinkTrack.for_model(wrapped)):
        written = wrapped(**inputs).logits
    assert (written - wrapped(**inputs).logits).abs().max() > 1e-3


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # PEFT's own
def test_lanes_of_a_peft_model_answer_as_when_merged(checkpoint):
    model, processor = checkpoint
    lora = peft.LoraConfig(r=8, target_modules=["v_proj"], init_lora_weights=False)
    wrapped = peft.get_peft_model(copy.deepcopy(model), lora).eval()
    merged = copy.deepcopy(wrapped).merge_and_unload()
    options = {"image": Image.new("RGB", (112, 112), "red"), "question": "Describe the picture."}
    found, expected, plain = (
        sinktrack.compare(each, processor, **options, max_new_tokens=8)
        for each in (wrapped, merged, model)
    )
    for lane in expected:
        assert found[lane].token_ids == expected[lane].token_ids
    # the adapter does something
    assert found["baseline"].probabilities != plain["baseline"].probabilities


def test_what_passes_hooks_by_is_refused():
    model = small_model("llama")
    in_place = small_model("llama")
    in_place.compile()
    one_layer = small_model("llama")
    one_layer.model.layers[3].compile()
    for wrapped, words in (
        (nn.DataParallel(model), "pass model.module"),
        (torch.compile(model), "before torch.compile"),
        (in_place, "before torch.compile"),
        (one_layer, "before torch.compile"),
        (nn.Sequential(model), "not a transformers model"),
    ):
        with pytest.raises(AttachError, match=words), sinktrack.attach(wrapped):
            pass
    with sinktrack.attach(model) as recorder:
        model(**small_inputs(model))
    assert len(recorder.trace().sink) == 1


def swallowing(attention):
    """An attention module's forward that drops what it does not know, as a patched model's may."""
    forward = attention.forward

    def patched(*args, **kwargs):
        kwargs.pop("attention_tap", None)
        return forward(*args, **kwargs)

    return patched


def test_a_layer_that_passes_the_method_by_is_an_error_that_names_it():
    model = small_model("llama")
    inputs = small_inputs(model)
    attention = model.model.layers[7].self_attn
    attention.forward = swallowing(attention)
    for method in (None, sinktrack.SinkTrack.for_model(model)):
        for record in (True, False):
            with (
                pytest.raises(AttachError, match="Decoder layer 7 .LlamaDecoderLayer. passed"),
                sinktrack.attach(model, method, record=record) as recorder,
            ):
                model.generate(**inputs, **GREEDY)
            with pytest.raises(TraceError):
                recorder.trace()
    del attention.forward
    with sinktrack.attach(model) as recorder:
        model(**inputs)
    assert len(recorder.trace().sink) == 1


def test_a_part_of_the_model_called_by_itself_is_refused():
    model = small_model("llama")
    inputs = small_inputs(model)
    method = sinktrack.SinkTrack.for_model(model)
    for call in (model.model, model.forward):
        with (
            pytest.raises(AttachError, match="call the model itself and not a part of it"),
            sinktrack.attach(model, method),
        ):
            call(**inputs)


def test_layers_that_run_again_for_their_gradients_are_refused():
    """Gradient checkpointing runs them without the context features, and gradients go wrong."""
    model = small_model("llama").train()
    later = getattr(model, "activation_checkpointing_enable", None)
    (later or model.gradient_checkpointing_enable)()
    with sinktrack.attach(model, sinktrack.SinkTrack.for_model(model), record=False):
        loss = model(**small_inputs(model)).logits.sum()
        with pytest.raises(AttachError, match="without gradient checkpointing"):
            loss.backward()


def test_lanes_refuse_a_layer_that_passes_the_method_by(checkpoint):
    model, processor = checkpoint
    attention = model.model.language_model.layers[2].self_attn
    attention.forward = swallowing(attention)
    picture = Image.new("RGB", (112, 112), "white")
    try:
        with pytest.raises(AttachError, match="Decoder layer 2"):
            sinktrack.compare(model, processor, image=picture, question="Is it red?")
    finally:
        del attention.forward


def test_layers_that_swallow_keywords_are_recorded_and_written_to():
    """StableLM's layer keeps what it does not know from its attention."""
    model = tiny("StableLm")
    with torch.no_grad():
        plain = model(IDS).logits
        with sinktrack.attach(model, writing()) as recorder:
            assert (model(IDS).logits - plain).abs().max() > 1e-3
    assert recorder.trace().write_layers == (1, 2)


@pytest.mark.parametrize(
    ("kind", "config", "words"),
    [
        ("StableLm", {"qk_layernorm": True}, "k_layernorm"),
        ("Olmo", {"clip_qkv": 1.0}, "clip_qkv"),
    ],
)
def test_keys_that_are_made_in_another_way_are_refused_to_a_method_and_recorded(
    kind, config, words
):
    model = tiny(kind, **config)
    with pytest.raises(MethodError, match=words), sinktrack.attach(model, writing()):
        pass
    plain = model(IDS).logits
    with sinktrack.attach(model) as recorder:
        torch.testing.assert_close(model(IDS).logits, plain)
    assert recorder.trace().sink.shape == (1, 4, 4)


def test_keys_that_are_normed_once_they_are_turned_are_recorded_but_not_cut():
    """A window would turn them back wrongly."""
    model = tiny("HunYuanDenseV1", head_dim=8)
    with sinktrack.attach(model) as recorder:
        model.generate(IDS, **GREEDY)
    assert len(recorder.trace().sink) == 6
    with (
        pytest.raises(AttachError, match="makes other keys or values"),
        sinktrack.attach(model, cache=sinktrack.SinkWindow(window=8)),
    ):
        model.generate(IDS, **GREEDY)


def test_a_multiplier_on_keys_is_found_out(monkeypatch):
    """As FalconH1's: no part of the attention module tells of it."""
    model = tiny("Llama")
    with sinktrack.attach(model, writing()):
        model(IDS)
    turned = modeling_llama.apply_rotary_pos_emb

    def scaled(query, key, *rotary, **options):
        query, key = turned(query, key, *rotary, **options)
        return query, 0.3 * key

    monkeypatch.setattr(modeling_llama, "apply_rotary_pos_emb", scaled)
    with (
        pytest.raises(AttachError, match="of layer 1 makes other keys or values"),
        sinktrack.attach(model, writing()),
    ):
        model(IDS)


def test_a_norm_that_is_not_there_is_not_left_out_silently():
    model = tiny("Olmo2")
    method = writing(normalize_context=True)
    with pytest.raises(MethodError, match="no input norm"), sinktrack.attach(model, method):
        pass


def test_scores_that_sdpa_would_change_are_refused():
    model = tiny("GptOss", head_dim=8, num_local_experts=2)
    with pytest.raises(AttachError, match="learned sink logit"), sinktrack.attach(model):
        model(IDS)


def test_layers_without_softmax_attention_are_refused():
    if not hasattr(transformers, "Qwen3NextConfig"):
        pytest.skip("this transformers has no family with linear attention")
    model = tiny("Qwen3Next", num_experts=2, moe_intermediate_size=16, head_dim=8)
    with pytest.raises(AttachError, match=r"Layer 0 .* has no softmax attention .*linear_attn"):
        sinktrack.attach(model).__enter__()


def test_an_encoder_decoder_is_refused():
    sizes = {"d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "vocab_size": 32}
    heads = {"encoder_attention_heads": 2, "decoder_attention_heads": 2}
    model = transformers.BartForConditionalGeneration(transformers.BartConfig(**sizes, **heads))
    with pytest.raises(AttachError, match="reads its prompt in an encoder"):
        sinktrack.attach(model).__enter__()


@pytest.mark.parametrize("how", ["cpu", "disk", "spread"])
def test_weights_that_accelerate_keeps_elsewhere_change_nothing(checkpoint, how, tmp_path):
    model, processor = checkpoint
    options = {"image": Image.new("RGB", (112, 112), "red"), "question": "Is there a red circle?"}
    expected = sinktrack.compare(model, processor, **options, max_new_tokens=6)
    moved = copy.deepcopy(model)
    if how == "cpu":
        accelerate.cpu_offload(moved, execution_device=torch.device("cpu"))
    elif how == "disk":
        accelerate.disk_offload(moved, str(tmp_path), execution_device=torch.device("cpu"))
    else:
        layers = {f"model.language_model.layers.{i}": "cpu" for i in range(12)}
        rest = ("model.visual", "model.language_model.embed_tokens", "model.language_model.norm")
        rest = {name: "cpu" for name in (*rest, "model.language_model.rotary_emb", "lm_head")}
        last = "model.language_model.layers.11"
        places = rest | layers | {last: "disk"}
        accelerate.dispatch_model(moved, places, main_device="cpu", offload_dir=str(tmp_path))
    found = sinktrack.compare(moved, processor, **options, max_new_tokens=6)
    for lane in expected:
        assert found[lane].token_ids == expected[lane].token_ids
        torch.testing.assert_close(found[lane].trace.share, expected[lane].trace.share)


# Generation without a cache, in pieces, from before


@pytest.mark.parametrize("window", [None, 6])
def test_a_generation_without_a_cache_is_refused(window):
    model = small_model("qwen2_5_vl")
    cache = "full" if window is None else sinktrack.SinkWindow(window=window)
    mask = torch.ones_like(small_inputs(model)["input_ids"], dtype=torch.bool)
    for context_mask in (None, mask):
        with (
            pytest.raises(AttachError, match=r"use_cache is False.*use_cache=True"),
            sinktrack.attach(model, cache=cache, context_mask=context_mask),
        ):
            model.generate(**small_inputs(model), **GREEDY, use_cache=False)
    model.generation_config.use_cache = False  # as fine-tuned checkpoints say
    with pytest.raises(AttachError, match="use_cache"), sinktrack.attach(model, cache=cache):
        model.generate(**small_inputs(model), **GREEDY)


def test_forward_passes_without_a_cache_are_prompts_of_their_own():
    model = small_model("llama")
    with sinktrack.attach(model) as recorder, torch.no_grad():
        for seed in range(2):
            model(**small_inputs(model, seed=seed), use_cache=False)
    assert len(recorder.trace().sink) == 1


@pytest.mark.parametrize("piece", [5, 8, 11, 16])
def test_a_prompt_with_a_picture_read_in_pieces_is_refused_at_once(piece):
    """Wherever the piece ends: before, inside or behind the picture."""
    model = small_model("qwen2_5_vl")
    with (
        pytest.raises(AttachError, match=r"must be read in one piece.*prefill_chunk_size"),
        sinktrack.attach(model, sinktrack.SinkTrack.for_model(model)),
    ):
        model.generate(**small_inputs(model, images=2), **GREEDY, prefill_chunk_size=piece)


def test_the_last_pictures_positions_do_not_move_the_next_prompt(checkpoint):
    """Qwen's models keep them between calls."""
    model, processor = checkpoint
    picture = Image.new("RGB", (112, 112), "white")
    prompt = build_prompt(model, processor, "Count from one to ten.", needs_picture=False)
    expected = model.generate(**prompt.inputs, **GREEDY)[0, prompt.inputs["input_ids"].shape[1] :]

    def lane():
        options = {"methods": {"plain": None}}
        *_, last = stream_prompt(model, processor.tokenizer, prompt, **options)
        return list(last.comparison["plain"].token_ids)[:6]

    assert lane() == expected.tolist()
    for pictures in (1, 3):
        sinktrack.compare(
            model, processor, image=[picture] * pictures, question="Is it red?", max_new_tokens=2
        )
        assert lane() == expected.tolist()


def test_lanes_leave_the_models_own_positions_as_they_were(checkpoint):
    model, processor = checkpoint
    model.model.rope_deltas = before = torch.tensor([[7]])
    picture = Image.new("RGB", (112, 112), "white")
    sinktrack.compare(model, processor, image=picture, question="Is it red?", max_new_tokens=2)
    assert model.model.rope_deltas is before


def test_several_caches_in_turn_are_not_one_answer():
    """By hand, or by guidance, where `generate` runs the model twice a step."""
    model = small_model("llama")
    inputs = small_inputs(model)
    first, second = (transformers.DynamicCache(config=model.config) for _ in range(2))
    name = cache_argument(model)
    with torch.no_grad(), sinktrack.attach(model):
        for cache in (first, second):
            model(**inputs, **{name: cache}, use_cache=True)
        with pytest.raises(AttachError, match="several caches in turn"):
            model(input_ids=torch.tensor([[5]]), **{name: first}, use_cache=True)
    with pytest.raises(AttachError, match="several caches in turn"), sinktrack.attach(model):
        model.generate(**inputs, **GREEDY, guidance_scale=1.5)


def test_what_is_no_method_is_refused():
    model = small_model("llama")
    for wrong in ("image", {"context": "image"}, 3):
        with pytest.raises(MethodError, match="is not a method"), sinktrack.attach(model, [wrong]):
            pass


# Traces


def test_a_trace_of_other_ids_is_refused():
    model = small_model("llama")
    inputs = stacked(small_inputs(model), small_inputs(model, seed=1))
    with sinktrack.attach(model) as recorder:
        ids = model.generate(**inputs, **GREEDY)
    answers = ids[:, inputs["input_ids"].shape[1] :]
    assert recorder.trace(1, token_ids=answers[1].tolist()).tokens == recorder.trace(1).tokens
    assert len(recorder.trace(1, token_ids=answers[1, :3].tolist()).sink) == 3
    for wrong in (ids[0], answers[0], answers[1].flip(0), answers[1].repeat(2)):
        with pytest.raises(TraceError, match=r"not the 6 tokens recorded"):
            recorder.trace(1, token_ids=wrong.tolist())
    with pytest.raises(TraceError, match="token_ids is empty"):
        recorder.trace(token_ids=[])


def test_beams_that_change_places_are_not_taken_for_one_answer():
    model = small_model("llama")
    with sinktrack.attach(model) as recorder:
        ids = model.generate(**small_inputs(model), **GREEDY, num_beams=3)
    answer = ids[0, small_inputs(model)["input_ids"].shape[1] :].tolist()
    for row in range(3):
        with pytest.raises(TraceError, match="not the 6 tokens"):
            recorder.trace(row, token_ids=answer)
