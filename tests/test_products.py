"""Linear maps made as a CPU is fastest at them: the same sums, and only where it is faster."""

from pathlib import Path

import pytest
import torch
from paths import CHECKPOINT
from small_models import small_inputs, small_model
from torch.nn.functional import linear

import sinktrack
from sinktrack.core import products as module
from sinktrack.core.decoding import Decoding
from sinktrack.core.generate import Generator
from sinktrack.core.products import fast_dtype, fast_products, faster_wide
from sinktrack.core.prompt import Prompt
from sinktrack.machine import free_memory


@pytest.fixture
def fast(monkeypatch):
    """A CPU that is faster in float32."""
    monkeypatch.setattr(module, "faster_wide", lambda: True)


def logits(model, text_tokens):
    inputs = small_inputs(model, text_tokens=text_tokens)
    with torch.no_grad(), fast_products(model):
        return model(**inputs).logits


@pytest.mark.parametrize("bias", [None, torch.randn(24, dtype=torch.bfloat16)])
def test_a_product_is_that_of_float32_rounded_once(bias, monkeypatch):
    monkeypatch.setattr(module, "_AT_ONCE", 100)
    states = torch.randn(2, 300, 16, dtype=torch.bfloat16)
    weights = torch.randn(24, 16, dtype=torch.bfloat16)
    mapped = module._wide(states, weights, bias)
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


@pytest.fixture
def packing(monkeypatch):
    """A CPU that is faster with packed weights; what it packs is listed."""
    packed = []
    pack = module._packed
    try:
        pack(torch.ones(2, 2, dtype=torch.bfloat16))
    except (AttributeError, RuntimeError) as error:
        pytest.skip(f"weights cannot be packed here: {error}")
    monkeypatch.setattr(module, "faster_wide", lambda: False)
    monkeypatch.setattr(module, "faster_packed", lambda: True)
    monkeypatch.setattr(module, "_packed", lambda weights: packed.append(weights) or pack(weights))
    return packed


class Silent:
    """A tokenizer whose ids are no words."""

    def decode(self, ids, **_):
        return ""


def generated(model, tokens=12):
    """The ids and the bits of every step's logits, of two rows."""
    inputs = small_inputs(model, text_tokens=9)
    prompt = Prompt.of_inputs(model.config, inputs, torch.ones_like(inputs["input_ids"]).bool())
    logits = []
    with model.register_forward_hook(lambda *given: logits.append(given[2].logits)):
        generator = Generator(
            model,
            Silent(),
            [prompt],
            {"a": None, "b": None},
            decoding=Decoding(max_new_tokens=tokens),
        )
        generator.run()
    return [row.ids for row in generator.rows[0]], logits


def test_packed_weights_change_no_bit(packing, monkeypatch):
    model = small_model("qwen2").bfloat16()
    ids, logits = generated(model)
    linear_maps = [each for each in model.modules() if isinstance(each, torch.nn.Linear)]
    assert len(packing) == len(linear_maps) > 7 * model.config.num_hidden_layers
    assert not any("forward" in vars(each) for each in linear_maps)
    monkeypatch.setattr(module, "faster_packed", lambda: False)
    plain_ids, plain = generated(model)
    assert len(packing) == len(linear_maps) and ids == plain_ids
    assert all(torch.equal(mine, other) for mine, other in zip(logits, plain, strict=True))


def test_weights_are_packed_while_there_is_room_and_it_pays(packing, monkeypatch):
    model = small_model("qwen2").bfloat16()
    generated(model, tokens=module._USES - 1)
    assert not packing
    first = next(each for each in model.modules() if isinstance(each, torch.nn.Linear))
    free = module._OF_MEMORY * (first.weight.numel() * 2 + 1)
    monkeypatch.setattr(module, "free_memory", lambda: free)
    generated(model)
    assert [each.data_ptr() for each in packing] == [first.weight.data_ptr()]


def test_weights_that_changed_are_packed_anew(packing):
    model = small_model("qwen2").bfloat16()
    generated(model)
    with torch.no_grad():
        for weights in model.parameters():
            weights.data *= 0.5
    halved = generated(model)
    again = small_model("qwen2").bfloat16()
    again.load_state_dict(model.state_dict())
    assert halved[0] == generated(again)[0]


def test_free_memory_is_what_a_container_has(monkeypatch):
    whole = free_memory()
    assert whole > 0
    said = {"memory.max": "3000\n", "memory.current": "1000\n"}
    monkeypatch.setattr(Path, "read_text", lambda path: said[path.name])
    assert free_memory() == 2000
    said["memory.max"] = "max\n"
    assert free_memory() > 2000


def test_a_float32_model_stays_as_it_is(fast):
    model = small_model("qwen2")
    plain = model(**small_inputs(model, text_tokens=400)).logits
    assert torch.equal(logits(model, 400), plain)


def test_the_dtype_is_what_the_device_is_fast_in(monkeypatch):
    threads = torch.get_num_threads()
    faster_wide.cache_clear()
    fast_dtype.cache_clear()
    assert faster_wide() in (True, False)
    assert torch.get_num_threads() == threads
    assert fast_dtype(torch.device("cpu")) in (torch.float32, torch.bfloat16)
    assert fast_dtype(torch.device("cuda")) == torch.bfloat16
    small, _ = sinktrack.load(CHECKPOINT, device="cpu")
    assert small.dtype == torch.float32
    monkeypatch.setattr("sinktrack.core.models.SMALL", 1000)
    monkeypatch.setattr("sinktrack.core.models.fast_dtype", lambda place: torch.bfloat16)
    large, _ = sinktrack.load(CHECKPOINT, device="cpu")
    assert large.dtype == torch.bfloat16
