"""The library equals the public code, whose outputs are in tests/data."""

import pytest
import torch
from packaging.version import Version

import sinktrack

VARIANTS = {"official": "official_sdpa", "corrected": "official_eager"}


def test_the_plain_model_equals_the_reference(reference, close):
    with torch.no_grad():
        logits = reference.model(**reference.inputs).logits
    # The vectors were made with torch 2.13 and AVX-512; other kernels round sums otherwise.
    alike = Version(torch.__version__) >= Version("2.13")
    alike &= torch.backends.cpu.get_cpu_capability() == "AVX512"
    tolerance = 1e-6 if alike else 5e-6
    close(logits, reference.expected["baseline_logits"], tolerance)


@pytest.mark.parametrize("causal", VARIANTS)
def test_logits_equal_the_reference(reference, close, causal):
    method = sinktrack.SinkTrack.for_model(reference.model, causal=causal)
    with torch.no_grad(), sinktrack.attach(reference.model, method):
        logits = reference.model(**reference.inputs).logits
    close(logits, reference.expected[f"{VARIANTS[causal]}/logits"], 1e-5)


@pytest.mark.parametrize("causal", [None, *VARIANTS])
def test_greedy_tokens_equal_the_reference(reference, causal):
    expected = reference.expected[f"{VARIANTS[causal]}/greedy" if causal else "baseline_greedy"]
    method = sinktrack.SinkTrack.for_model(reference.model, causal=causal) if causal else None
    with sinktrack.attach(reference.model, method):
        ids = reference.model.generate(**reference.inputs, max_new_tokens=16, do_sample=False)
    assert torch.equal(ids[:, -expected.shape[1] :], expected)


def test_the_two_causal_variants_differ(reference):
    """Else the two tests above could not tell them apart."""
    difference = (
        reference.expected["official_sdpa/logits"] - reference.expected["official_eager/logits"]
    ).abs()
    # Gemma3 gets a mask with every picture, so its public code is never shifted.
    assert (difference.max() > 0.1) == (reference.model.config.model_type != "gemma3")
