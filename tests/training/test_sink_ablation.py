"""Each variant of the small model differs in what its name says; all are measured alike."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from training import sink_ablation
from training.batches import SQUARE, Packer
from training.checkpoint import Size
from training.sink_ablation import (
    SETTINGS,
    VARIANTS,
    sigmoid_attention,
    sigmoid_weights,
    train_and_measure,
)
from training.train import Training

TINY = replace(
    SETTINGS,
    size=Size(layers=2, hidden=32, intermediate=32, vision_layers=1, vision_hidden=32),
    see_steps=1,
    place_steps=1,
    steps=4,
    scenes=1,
)


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_a_variant_trains_and_is_measured(
    variant: sink_ablation.Variant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every measurement has a share for each layer; the weights move between two measurements."""
    monkeypatch.setattr(sink_ablation, "MEASURE_EVERY", 2)
    measurements = train_and_measure(replace(variant, settings=TINY))
    assert [measurement["step"] for measurement in measurements] == [0, 2, 4]
    assert all(0 < share < 1 for measurement in measurements for share in measurement["shares"])
    assert len({measurement["loss"] for measurement in measurements}) == 3


def test_the_sink_token_comes_first_and_moves_the_rest() -> None:
    """The same rows, one token and one position later."""
    training = Training(TINY, "cpu")
    before, positions = training.packer.prefix(SQUARE)
    ids, later = Packer(training.model, training.processor, "<|object_ref_start|>").prefix(SQUARE)
    assert ids[1:] == before and ids[0] not in before
    assert torch.equal(later[:, 1:], positions + 1)


def test_sigmoid_attention_is_causal_and_need_not_sum_to_one() -> None:
    """Every key counts by itself; nothing behind the query does."""
    torch.manual_seed(0)
    query, key, value = torch.randn(1, 4, 5, 8), torch.randn(1, 2, 5, 8), torch.randn(1, 2, 5, 8)
    output, _ = sigmoid_attention(nn.Identity(), query, key, value, None, 0.3)
    score = (query[0, 3, 2] * key[0, 1, :3]).sum(-1) * 0.3
    weights = (score - torch.tensor(5.0).log()).sigmoid()
    assert torch.allclose(output[0, 2, 3], weights @ value[0, 1, :3], atol=1e-6)
    compared = sigmoid_weights(torch.tensor([[0.3, float("-inf"), -1.0]]))
    assert compared[0, 1] == 0
    assert compared.sum() == pytest.approx(1)
