"""What releases of transformers name differently is read under every name."""

import pytest
import torch
import transformers
from small_models import small_inputs, small_model
from torch import nn

import sinktrack
from sinktrack.core.errors import AttachError
from sinktrack.core.upstream import cache_argument, cache_of


@pytest.mark.parametrize("name", ["past_key_values", "cache"])
def test_the_cache_is_found_under_both_names(name):
    """5.24 renamed past_key_values to cache; who reads one name takes each step for a prompt."""
    cache = transformers.DynamicCache()
    assert cache_of({name: cache, "input_ids": None}) is cache
    assert cache_of({name: None}) is None and cache_of({}) is None


def test_the_cache_is_passed_under_the_name_that_the_model_takes():
    class Old(nn.Module):
        def forward(self, input_ids, past_key_values=None):
            pass

    class New(nn.Module):
        def forward(self, input_ids, cache=None, **kwargs):
            pass

    class Neither(nn.Module):
        def forward(self, input_ids, memory=None):
            pass

    assert cache_argument(Old()) == "past_key_values"
    assert cache_argument(New()) == "cache"
    with pytest.raises(AttachError, match=r"Neither takes no key-value cache.*constraints\.txt"):
        cache_argument(Neither())


def test_every_step_of_a_generation_is_recorded(family):
    """One row a token: the installed transformers hands its cache over as it is read here."""
    model, prompt = family
    for method in (None, sinktrack.SinkTrack.for_model(model)):
        with sinktrack.attach(model, method) as recorder:
            model.generate(**prompt(), max_new_tokens=5, do_sample=False)
        assert len(recorder.trace().sink) == 5


@pytest.mark.filterwarnings("ignore:`past_key_values` is deprecated:FutureWarning")
@pytest.mark.parametrize("name", ["past_key_values", "cache"])
def test_a_loop_of_ones_own_may_use_either_name_that_the_model_takes(name):
    model = small_model("llama")
    cache = transformers.DynamicCache(config=model.config)
    inputs = small_inputs(model)
    window = sinktrack.SinkWindow(window=6)
    with torch.no_grad(), sinktrack.attach(model, cache=window) as recorder:
        try:
            logits = model(**inputs, **{name: cache}, use_cache=True).logits
        except TypeError:
            pytest.skip(f"this transformers does not know {name}")
        if cache.get_seq_length() == 0:
            pytest.skip(f"this transformers ignores {name}")
        for _ in range(3):
            token = logits[:, -1:].argmax(-1)
            logits = model(input_ids=token, **{name: cache}, use_cache=True).logits
    assert len(recorder.trace().sink) == 4
    assert cache.get_seq_length() == 7  # the sink and the window, which the next step cuts again
