"""What only a GPU does: recorded steps, compiled scores, and the same answers as on a CPU."""

import pytest
import torch
from asked import everything, picture
from paths import CHECKPOINT
from test_captured import ids
from test_score_kernel import kernel, masks, states

import sinktrack
from sinktrack.core import captured, last_query
from sinktrack.core.images import Picture
from sinktrack.core.prompt import build_prompt
from sinktrack.core.scores import query_scores

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")


@pytest.fixture(scope="module")
def on_gpu():
    return sinktrack.load(CHECKPOINT, device="cuda", dtype=torch.float32)


def test_answers_and_traces_are_those_of_a_cpu(checkpoint, on_gpu, close):
    plain, found = everything(*checkpoint), everything(*on_gpu)
    for lane, answer in plain.answers.items():
        assert found[lane].token_ids == answer.token_ids
        for name in ("share", "delivered", "image_scale"):
            close(getattr(found[lane].trace, name), getattr(answer.trace, name), 1e-3)


def test_recorded_steps_are_played_and_change_no_token(on_gpu):
    model, processor = on_gpu
    methods = {"plain": None, "sinktrack": sinktrack.SinkTrack.for_model(model)}
    prompts = [
        build_prompt(model, processor, text, [Picture(picture(112, 112))])
        for text in ("Is there a red circle?", "Describe the picture.")
    ]

    def written(some, after):
        played = []
        play = captured._Step.played
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(model.generation_config, "eos_token_id", None)
            patch.setattr(captured, "_AFTER", after)
            patch.setattr(captured._Step, "played", lambda *a: played.append(1) or play(*a))
            return ids(model, some, methods, monkeypatch=pytest.MonkeyPatch(), tokens=40), played

    for some in (prompts, prompts[:1]):
        plain, none = written(some, after=1_000_000)
        found, played = written(some, after=8)
        assert found == plain
        assert len(played) > 20 and not none


@pytest.mark.parametrize("name", ["none", "bool", "additive"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_compiled_kernel_gives_the_plain_scores(name, dtype, close):
    place = torch.device("cuda")
    assert last_query.has_kernel(place)
    query, key = (each.to(place) for each in states(dtype=dtype))
    mask = masks(len(key), key.shape[2])[name]
    mask = None if mask is None else mask.to(place)
    own = None if mask is None else mask[:, 0, 0]
    found = kernel.last_scores(query, key, own, 0.3, None)
    plain = query_scores(query[:, :, None], key, mask, 0.3, None)[:, :, 0]
    assert torch.equal(found.isneginf(), plain.isneginf())
    close(found.nan_to_num(neginf=0.0), plain.nan_to_num(neginf=0.0), 1e-4)
