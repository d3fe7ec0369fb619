"""Prompts multiplied in float32: the same sums, and only where a CPU is faster at them."""

import pytest
import torch
from paths import CHECKPOINT
from small_models import small_inputs, small_model
from torch.nn.functional import linear

import sinktrack
from sinktrack.core import products as module
from sinktrack.core.products import fast_dtype, fast_products, faster_wide


@pytest.fixture
def fast(monkeypatch):
    """A CPU that is faster in float32."""
    monkeypatch.setattr(module, "faster_wide", lambda: True)


def logits(model, text_tokens):
    inputs = small_inputs(model, text_tokens=text_tokens)
    with torch.no_grad(), fast_products(model):
        return model(**inputs).logits


@pytest.mark.parametrize("bias", [None, torch.randn(24, dtype=torch.bfloat16)])
def test_a_product_is_that_of_float32_rounded_once(fast, bias, monkeypatch):
    monkeypatch.setattr(module, "_AT_ONCE", 100)
    model = small_model("qwen2").bfloat16()
    states = torch.randn(2, 300, 16, dtype=torch.bfloat16)
    weights = torch.randn(24, 16, dtype=torch.bfloat16)
    with torch.no_grad(), fast_products(model):
        mapped = linear(states, weights, bias)
    whole = linear(states.float(), weights.float(), None if bias is None else bias.float())
    assert torch.equal(mapped, whole.bfloat16())


def test_a_long_prompt_alone_is_multiplied_in_float32(fast, monkeypatch):
    model = small_model("qwen2").bfloat16()
    products = []
    wide = module._wide
    monkeypatch.setattr(module, "_wide", lambda *args: products.append(1) or wide(*args))
    short, long = logits(model, 40), logits(model, 400)
    assert len(products) >= 7 * model.config.num_hidden_layers  # all from the long one
    monkeypatch.setattr(module, "faster_wide", lambda: False)
    assert torch.equal(short, logits(model, 40))
    plain = logits(model, 400)
    assert 0 < (long - plain).norm() / plain.norm() < 0.02


def test_a_float32_model_stays_as_it_is(fast):
    model = small_model("qwen2")
    plain = model(**small_inputs(model, text_tokens=400)).logits
    assert torch.equal(logits(model, 400), plain)


def test_the_dtype_is_what_the_device_is_fast_in(monkeypatch):
    assert faster_wide() in (True, False)
    assert fast_dtype(torch.device("cpu")) in (torch.float32, torch.bfloat16)
    assert fast_dtype(torch.device("cuda")) == torch.bfloat16
    small, _ = sinktrack.load(CHECKPOINT, device="cpu")
    assert small.dtype == torch.float32
    monkeypatch.setattr("sinktrack.core.models.SMALL", 1000)
    monkeypatch.setattr("sinktrack.core.models.fast_dtype", lambda place: torch.bfloat16)
    large, _ = sinktrack.load(CHECKPOINT, device="cpu")
    assert large.dtype == torch.bfloat16
