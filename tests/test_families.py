"""Every family: recorded as its own eager code attends, and written to as its own modules say.

The slow reference asks the family's attention module itself for the context's keys and values: run
on the context alone with a rotation by nothing, it hands them to the attention function.
"""

from contextlib import contextmanager

import pytest
import torch
from applied import acted, answers_of
from paths import ROOT
from small_models import FAMILIES, TEXT, small_inputs, small_model
from transformers import AttentionInterface
from transformers.masking_utils import AttentionMaskInterface, eager_mask

import sinktrack
from sinktrack.core import families
from sinktrack.core.intervention import Hooks, Intervention

WINDOWED = [name for name in TEXT if name not in ("gemma2", "gemma3_text")]


def weights_of(query, key, mask, scaling, softcap):
    """The textbook's attention, in float64, one head after the other; (B, H, Q, K)."""
    query, key = query.double(), key.double()
    heads, shared = query.shape[1], key.shape[1]
    scores = torch.stack(
        [query[:, h] @ key[:, h * shared // heads].transpose(1, 2) for h in range(heads)], dim=1
    )
    scores = scores * scaling
    if softcap is not None:
        scores = softcap * torch.tanh(scores / softcap)
    if mask is None:
        length = scores.shape[-2:]
        mask = torch.full(length, float("-inf")).triu(length[1] - length[0] + 1)[None, None]
    return (scores + mask.double()[..., : key.shape[2]]).softmax(-1)


def received(weights, value):
    """What weights (B, H, Q, K) get of values (B, H_kv, K, d), (B, Q, H, d)."""
    heads, shared = weights.shape[1], value.shape[1]
    each = [weights[:, h] @ value[:, h * shared // heads].double() for h in range(heads)]
    return torch.stack(each, dim=2)


@contextmanager
def attending(model, function):
    """Run a model's decoder on an attention function of the test."""

    def forward(module, query, key, value, mask, scaling=None, softcap=None, **_):
        scaling = query.shape[-1] ** -0.5 if scaling is None else scaling
        output = function(module, query, key, value, mask, scaling, softcap)
        return output.to(query.dtype), None

    AttentionInterface.register("of-a-test", forward)
    AttentionMaskInterface.register("of-a-test", eager_mask)
    text = model.config.get_text_config()
    nested = text is not model.config
    before = text._attn_implementation
    model.set_attn_implementation({"text_config": "of-a-test"} if nested else "of-a-test")
    yield
    model.set_attn_implementation({"text_config": before} if nested else before)


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_what_is_recorded_is_the_textbooks_attention(name, close):
    model = small_model(name)
    inputs = small_inputs(model)
    seen = []

    def plain(module, query, key, value, mask, scaling, softcap):
        weights = weights_of(query, key, mask, scaling, softcap)
        seen.append(weights[0, :, -1])
        return received(weights, value)

    with torch.no_grad():
        with attending(model, plain):
            expected = model(**inputs).logits
        with sinktrack.attach(model) as recorder:
            close(model(**inputs).logits, expected, 1e-5)
            trace = recorder.trace()
    for layer, weights in enumerate(seen):
        parts = [weights[:, trace.prompt_segments == part] for part in range(len(trace.segments))]
        shares = torch.stack([part.sum(-1) for part in parts], dim=-1)
        close(trace.share[0, layer, :, : shares.shape[-1]], shares.float(), 1e-5)
    close(trace.share.sum(-1), torch.ones_like(trace.share[..., 0]), 1e-5)


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_what_is_written_is_what_the_familys_own_modules_make(name, padding, close):
    model = small_model(name)
    inputs = small_inputs(model, padding=padding)
    inputs["attention_mask"][:, :padding] = 0
    layer, sink = 6, padding
    method = sinktrack.SinkTrack(inject_at={layer}, refresh_after={layer - 1}, context="prompt")
    positions = inputs["attention_mask"][0].nonzero()[:, 0]
    decoder = model.get_decoder().layers
    states = {}

    def plain(module, query, key, value, mask, scaling, softcap):
        if states.get("asked") is module:  # the context alone, turned by nothing
            states["context"] = query, key, value
            return torch.zeros_like(query).transpose(1, 2)
        output = received(weights_of(query, key, mask, scaling, softcap), value)
        if module is decoder[layer].self_attn:
            _, keys, values = of_context(module, states["features"])
            own, _, _ = of_context(module, states["entering"][:, sink : sink + 1])
            nothing_hidden = torch.zeros(1, 1, 1, 1).expand(1, 1, 1, keys.shape[2])
            weights = weights_of(own, keys, nothing_hidden, scaling, softcap)
            output[:, sink] = received(weights, values)[:, 0]
        return output

    def of_context(module, features):
        states["asked"] = module
        rotary = states["rotary"][0]
        cos = torch.ones(*rotary.shape[:-2], features.shape[1], rotary.shape[-1])
        module(
            hidden_states=features,
            position_embeddings=(cos, torch.zeros_like(cos)),
            attention_mask=None,
        )
        states["asked"] = None
        return states["context"]

    def keep_features(_, args):
        states["features"] = args[0][:, positions]

    def keep_entering(_, args, kwargs):
        if states.get("asked") is None:
            states["entering"] = kwargs.get("hidden_states", args[0] if args else None)
            states["rotary"] = kwargs["position_embeddings"]

    hooks = [
        decoder[layer].register_forward_pre_hook(keep_features),
        decoder[layer].self_attn.register_forward_pre_hook(keep_entering, with_kwargs=True),
    ]
    with torch.no_grad():
        with attending(model, plain):
            expected = model(**inputs, use_cache=False).logits[:, padding:]
        for hook in hooks:
            hook.remove()
        with sinktrack.attach(model, method):
            close(model(**inputs).logits[:, padding:], expected, 1e-5)
        assert (model(**inputs).logits[:, padding:] - expected).abs().max() > 1e-3


@pytest.mark.parametrize("name", WINDOWED)
def test_keys_behind_a_window_are_those_of_their_new_places(name, close):
    """Keys of the first layer tell: they are made of the tokens alone."""
    own = {"sliding_window": None} if name == "mistral" else {}
    model = small_model(name, **own)
    inputs = small_inputs(model)
    with (
        torch.no_grad(),
        sinktrack.attach(model, cache=sinktrack.SinkWindow(sinks=2, window=9)),
    ):
        written = model.generate(
            **inputs, max_new_tokens=12, do_sample=False, return_dict_in_generate=True
        )
    kept = written.past_key_values.layers[0].keys
    ids = written.sequences[:, :-1]
    # The sinks, and the window's last nine: all that the last token saw.
    ids = torch.cat([ids[:, :2], ids[:, -9:]], dim=1)
    with torch.no_grad():
        fresh = model(input_ids=ids, use_cache=True)
    cache = fresh.get("past_key_values", fresh.get("cache"))
    close(kept, cache.layers[0].keys, 1e-5)


class Hears(Intervention):
    """Takes an early layer's logits for its own."""

    def start(self, prompts, rows, model):
        class Early(Hooks):
            lens = (4,)

            def logits(self, logits, lens):
                return lens(4)[:, 0]

        return Early()


@pytest.mark.parametrize("name", TEXT)
def test_an_early_layer_says_what_a_model_that_ends_there_says(name, close):
    """With the scales and caps that a family puts on its logits."""
    model = small_model(name)
    inputs = small_inputs(model)
    decoder = model.get_decoder()
    whole = decoder.layers
    with torch.no_grad():
        decoder.layers, decoder.config.num_hidden_layers = whole[:5], 5
        expected = model(**inputs).logits[0, -1]
        decoder.layers, decoder.config.num_hidden_layers = whole, len(whole)
        with sinktrack.attach(model, Hears(), record=False):
            close(model(**inputs).logits[0, -1], expected, 1e-5)


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_every_method_is_applied_or_refused_in_a_sentence(name):
    acting = set()
    for kind, answer in answers_of(name).items():
        if isinstance(answer, str):
            assert answer.endswith(".") and ":" in answer
        else:
            assert answer.trace.share.isfinite().all()
            assert kind != "strength-0" or not acted(answer)
        if acted(answer):
            acting.add(kind)
    seeing = {"crops", "hgai", "lcd", "m3id", "pai", "sid", "vaf", "var", "vcd", "vista"}
    reading = {"cad", "cover", "deco", "dola", "icd", "position-scale", "silence", "sinktrack"}
    assert acting >= reading | (seeing if name not in TEXT else set())
    assert acting.isdisjoint(seeing) == (name in TEXT)


def test_the_table_of_models_is_that_of_the_families():
    page = (ROOT / "docs" / "models.md").read_text("utf-8")
    for name, family in families.FAMILIES.items():
        assert f"| `{name}` | {family.models} |" in page, "run `make docs`"
    assert set(FAMILIES) == set(families.FAMILIES)
