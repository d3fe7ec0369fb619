"""The GPU's kernel of scores against the plain version, in Triton's interpreter."""

import pytest
import torch
from asked import everything

from sinktrack.core import last_query
from sinktrack.core.scores import query_scores

kernel = pytest.importorskip(
    "sinktrack.core.score_kernel", reason="Triton comes with PyTorch for GPUs"
)


def states(keys=150, size=16, heads=6, key_heads=2, rows=3, dtype=torch.float32):
    torch.manual_seed(keys + size)
    query = torch.randn(rows, heads, 2, size, dtype=dtype)[:, :, -1]
    room = torch.randn(rows, key_heads, keys + 40, size, dtype=dtype)
    return query, room[:, :, :keys]  # the beginning of a cache that has room


def masks(rows, keys):
    seen = torch.rand(rows, 1, 1, keys + 7) > 0.3
    seen[..., keys - 1] = True
    additive = torch.where(seen, 0.5, torch.finfo(torch.float32).min)
    return {"none": None, "bool": seen, "additive": additive, "shared": seen[:1]}


@pytest.mark.parametrize("name", ["none", "bool", "additive", "shared"])
@pytest.mark.parametrize("softcap", [None, 5.0])
@pytest.mark.parametrize("size", [16, 24])
def test_scores_are_those_of_the_plain_version(name, softcap, size, close):
    query, key = states(size=size)
    mask = masks(len(key), key.shape[2])[name]
    own = None if mask is None else mask[:, 0, 0]
    found = kernel.last_scores(query, key, own, 0.3, softcap)
    plain = query_scores(query[:, :, None], key, mask, 0.3, softcap)[:, :, 0]
    assert torch.equal(found.isneginf(), plain.isneginf())
    close(found.nan_to_num(neginf=0.0), plain.nan_to_num(neginf=0.0), 1e-5)


@pytest.mark.parametrize("keys", [1, 64, 65])
def test_bfloat16_keys_are_summed_in_float32(keys, close):
    query, key = states(keys=keys, dtype=torch.bfloat16, heads=4, key_heads=4)
    found = kernel.last_scores(query, key, None, 1.0, None)
    close(found, query_scores(query[:, :, None], key, None, 1.0)[:, :, 0], 1e-5)


def test_a_trace_is_the_same_by_the_kernel(monkeypatch, checkpoint, close):
    """With padded rows, as on a GPU: every layer is measured by the kernel, and all at once."""
    plain = everything(*checkpoint)
    monkeypatch.setattr(last_query, "has_kernel", lambda place: True)
    measured = []
    look = last_query.look
    monkeypatch.setattr(
        "sinktrack.core.recorder.look", lambda last: measured.append(len(last)) or look(last)
    )
    fused = everything(*checkpoint)
    assert max(measured) == checkpoint[0].config.get_text_config().num_hidden_layers
    for lane, answer in plain.answers.items():
        assert fused[lane].token_ids == answer.token_ids
        for name in ("share", "delivered", "image_scale"):
            close(getattr(fused[lane].trace, name), getattr(answer.trace, name), 1e-5)


def test_a_kernel_that_fails_or_differs_is_not_used(monkeypatch):
    monkeypatch.setattr(last_query, "_by_kernel", lambda *_: 1 / 0)
    assert not last_query.has_kernel.__wrapped__(torch.device("cpu"))
    monkeypatch.setattr(last_query, "_by_kernel", lambda query, *_: query.sum() + torch.zeros(1))
    assert not last_query.has_kernel.__wrapped__(torch.device("cpu"))


def test_a_kernel_that_agrees_is_used_on_a_gpu_alone(monkeypatch):
    assert last_query.has_kernel.__wrapped__(torch.device("cpu")) is False
    monkeypatch.setattr(last_query, "_HAS_KERNELS", ("cpu",))
    assert last_query.has_kernel.__wrapped__(torch.device("cpu")) is True
