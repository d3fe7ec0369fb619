"""The cache with room holds what transformers' growing one holds, and a step copies nothing."""

import torch
from small_models import small_model
from transformers import DynamicCache

from sinktrack.core.roomy_cache import RoomyLayer, roomy_cache


def states(tokens: int, rows: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(rows, 2, tokens, 4), torch.randn(rows, 2, tokens, 4)


def test_it_holds_what_a_growing_cache_holds():
    config = small_model("qwen2").config
    roomy, growing = roomy_cache(config), DynamicCache(config=config)
    assert all(type(layer) is RoomyLayer for layer in roomy.layers)
    for number, tokens in enumerate([7, 1, 1, 300, 1, 1]):
        if number == 2:  # rows part
            rows = torch.tensor([0, 0, 1])
            for cache in (roomy, growing):
                cache.layers[0].batch_select_indices(rows)
        if number == 5:  # columns are forgotten
            for cache in (roomy, growing):
                cache.layers[0].keys = cache.layers[0].keys[:, :, 3:]
                cache.layers[0].values = cache.layers[0].values[:, :, 3:]
        more = states(tokens, rows=3 if number >= 2 else 2)
        for mine, theirs in zip(roomy.update(*more, 0), growing.update(*more, 0), strict=True):
            assert torch.equal(mine, theirs)
        assert roomy.get_seq_length() == growing.get_seq_length()


def test_a_step_copies_nothing():
    layer = RoomyLayer()
    layer.update(*states(50))
    first = layer.keys.data_ptr()
    for _ in range(200):
        layer.update(*states(1))
    assert layer.keys.data_ptr() == first and layer.get_seq_length() == 250


def test_sliding_layers_stay_as_they_are():
    config = small_model("gemma3_text").config
    kinds = [type(layer).__name__ for layer in roomy_cache(config).layers]
    plain = [type(layer).__name__ for layer in DynamicCache(config=config).layers]
    assert [kind.replace("Roomy", "Dynamic") for kind in kinds] == plain
    assert len(set(kinds)) == 2
