"""Training with the injection computes what inference does, and hides what it says it hides."""

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import sinktrack
from sinktrack.core.sinks import normed
from sinktrack.methods.sinktrack import SinkTrack
from sinktrack.shapes.scenes import sample_scene
from training.anchor import (
    COUNT_LIMITS,
    METHOD,
    TEXTS,
    Anchoring,
    Settings,
    _hide_from_answer,
    anchoring_batch,
    remembered_question,
)
from training.batches import Packer
from training.checkpoint import Size, build_model, build_processor
from training.injection import injected
from training.sink_loss import MASSIVE, SINKS, TARGET_SHARE, sink_loss, sink_measures
from training.tokenizer import train_tokenizer
from training.train import answer_loss

TOKENIZER = train_tokenizer()


@pytest.fixture(scope="module")
def model() -> Any:
    """A random model of twelve thin layers."""
    torch.manual_seed(0)
    size = Size(hidden=64, intermediate=64, vision_hidden=32)
    return build_model(size, TOKENIZER).eval()


@pytest.fixture(scope="module")
def packer(model: Any) -> Packer:
    """What makes the model's batches."""
    return Packer(model, build_processor(TOKENIZER))


@pytest.mark.parametrize("normalize_context", [True, False])
def test_the_injection_is_that_of_inference(
    model: Any, packer: Packer, normalize_context: bool
) -> None:
    """Hidden states equal those of `attach`, row by row, however long the questions are."""
    method = SinkTrack(
        inject_at={2, 5, 6},
        refresh_after={2, 4},
        context="image+instruction",
        normalize_context=normalize_context,
    )
    batch, context = anchoring_batch(packer, 0, 1, rows=4)
    causal = torch.ones_like(batch.attention_mask[0, 0]).tril()
    inputs = {
        "input_ids": batch.input_ids,
        "position_ids": batch.position_ids,
        "pixel_values": batch.pixel_values,
        "image_grid_thw": batch.image_grid_thw,
    }
    with torch.no_grad():
        plain = model.model(**inputs, use_cache=False).last_hidden_state
        with injected(model, method, context):
            trained = model.model(
                **inputs, attention_mask=causal.expand(4, 1, -1, -1), use_cache=False
            ).last_hidden_state
        instruction = context & (batch.input_ids != packer.image_token_id)
        pictured = (batch.input_ids == packer.image_token_id).any(1).tolist()
        assert len(set(pictured)) == 2  # the others are about a text
        pixels = {"pixel_values": batch.pixel_values, "image_grid_thw": batch.image_grid_thw}
        pictures = zip(*(each.chunk(sum(pictured)) for each in pixels.values()), strict=True)
        for row in range(4):
            shown = dict(zip(pixels, next(pictures), strict=True)) if pictured[row] else {}
            what = method if pictured[row] else replace(method, context="instruction")
            with sinktrack.attach(model, what, context_mask=instruction[row : row + 1]):
                alone = model(
                    input_ids=batch.input_ids[row : row + 1],
                    position_ids=batch.position_ids[:, row : row + 1],
                    output_hidden_states=True,
                    **shown,
                ).hidden_states[-1]
            assert (alone[0] - trained[row]).abs().max() < 1e-4
        assert (trained - plain).abs().max() > 1e-2


def test_what_is_hidden_is_not_seen() -> None:
    """The sink stays in view, and the question goes on reading the picture."""

    def mask(what: str) -> torch.Tensor:
        seen = torch.ones(20, 20, dtype=torch.bool).tril()
        _hide_from_answer(seen, what, start=6, end=10, tail=3, window=4)
        assert seen[:, 0].all()
        assert torch.equal(seen[:10], torch.ones(10, 20, dtype=torch.bool).tril())
        return seen

    assert mask("prompt")[15].nonzero()[:, 0].tolist() == [0, *range(10, 16)]
    assert mask("question")[15].nonzero()[:, 0].tolist() == [*range(6), *range(10, 16)]
    assert mask("window")[15].nonzero()[:, 0].tolist() == [0, *range(12, 16)]
    assert mask("window")[12].nonzero()[:, 0].tolist() == [*range(13)]  # the prompt is read whole
    assert mask("nothing")[15].sum() == 16


def test_the_context_is_the_picture_and_the_question(packer: Packer) -> None:
    """As at inference: neither the template nor the answer."""
    batch, context = anchoring_batch(packer, 0, 2, rows=6)
    rng = random.Random("0/anchor/2")
    scenes = [sample_scene(rng, rng.randint(1, 5)) for _ in range(6)]
    longest = rng.choice(COUNT_LIMITS)
    texts = 0
    for row, scene in enumerate(scenes):
        ids = batch.input_ids[row][context[row]]
        question = remembered_question(rng, scene, longest)
        pictured = 0 if question.task in TEXTS else 25
        assert int((ids == packer.image_token_id).sum()) == pictured
        assert packer.processor.tokenizer.decode(ids[pictured:]) == question.text
        texts += pictured == 0
    assert 0 < texts < 6
    again, _ = anchoring_batch(packer, 0, 2, rows=6)
    assert torch.equal(batch.attention_mask, again.attention_mask)


def test_the_sink_loss_measures_what_is_recorded(model: Any, packer: Packer) -> None:
    """The shares on the first token are those of a trace, and the term falls with them."""
    batch, _ = anchoring_batch(packer, 0, 3, rows=1)
    batch.attention_mask = torch.ones_like(batch.attention_mask).tril()
    with torch.no_grad():
        states = answer_loss(model, batch)[2]
        answering = (batch.targets[0] >= 0).nonzero()[:, 0]
        found = sink_measures(model, states, batch, queries=len(answering))
        term, few = sink_loss(model, states, batch)
        smaller, _ = sink_loss(model, states, batch, writable=True)
        large = [torch.cat([30 * state[:, :1], state[:, 1:]], dim=1) for state in states]
        drowning, _ = sink_loss(model, large, batch, writable=True)
        recorded = []
        for end in answering.tolist():
            with sinktrack.attach(model) as recorder:
                model(
                    input_ids=batch.input_ids[:, : end + 1],
                    position_ids=batch.position_ids[..., : end + 1],
                    pixel_values=batch.pixel_values,
                    image_grid_thw=batch.image_grid_thw,
                )
            recorded.append(recorder.trace().sink[0].mean(-1))
    assert (torch.stack(recorded).mean(0) - found.share[:, 0]).abs().max() < 1e-4
    same = few.share[:, 0]
    assert (same - found.share[:, 0]).abs().max() < 0.05  # of 24 tokens, not of all
    assert smaller > ((TARGET_SHARE[0] - same[2:]).relu() ** 2).sum()
    sizes = torch.stack([state.norm(dim=-1)[0] for state in states[:-1]])
    assert (sizes[:, list(SINKS)] / sizes.mean(1, keepdim=True) - found.norm).abs().max() < 1e-4
    massive = torch.stack([normed(state)[0, list(SINKS), MASSIVE] for state in states[:-1]])
    assert (massive - found.massive).abs().max() < 1e-3
    assert (found.value > 0).all()
    assert term >= smaller
    assert drowning > smaller + 0.1  # what is written there would be lost
    assert METHOD.layers[-1] < 12


def test_a_state_of_other_settings_is_refused() -> None:
    """A run never goes on with data that it was not started with; it may be lengthened."""
    start = Path(__file__).parents[2] / "assets" / "shapes-vl"
    state = Anchoring(Settings(steps=5), start, "cpu").state()
    Anchoring(Settings(steps=6), start, "cpu").restore(state)
    for other in (replace(Settings(steps=5), seed=7), Settings(steps=4)):
        with pytest.raises(ValueError, match="other settings"):
            Anchoring(other, start, "cpu").restore(state)
