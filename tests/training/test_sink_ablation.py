"""The siblings differ in what they are said to differ in, and are watched alike."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from training import sink_ablation
from training.checkpoint import Size
from training.sink_ablation import SETTINGS, SIBLINGS, sigmoid_attention, sigmoid_weights, watch
from training.train import Training

TINY = replace(
    SETTINGS,
    size=Size(layers=2, hidden=32, intermediate=32, vision_layers=1, vision_hidden=32),
    see_steps=1,
    place_steps=1,
    steps=4,
    scenes=1,
)


@pytest.mark.parametrize("sibling", SIBLINGS, ids=lambda sibling: sibling.name)
def test_a_sibling_trains_and_is_watched(
    sibling: sink_ablation.Sibling, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every look tells a share for each layer, and the weights have moved between two looks."""
    monkeypatch.setattr(sink_ablation, "EVERY", 2)
    looks = watch(replace(sibling, settings=TINY))
    assert [look["step"] for look in looks] == [0, 2, 4]
    assert all(0 < share < 1 for look in looks for share in look["shares"])
    assert len({look["loss"] for look in looks}) == 3


def test_the_sink_token_comes_first_and_moves_the_rest() -> None:
    """The same rows, one token and one position later."""
    training = Training(TINY, "cpu")
    before, positions = list(training.packer.prefix), training.packer.prefix_positions
    sink_ablation._put_before(training, "<|object_ref_start|>")
    assert training.packer.prefix[1:] == before
    assert training.packer.prefix[0] not in before
    assert torch.equal(training.packer.prefix_positions[:, 1:], positions + 1)


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
