"""Recorded steps: the same tokens as plain ones, wherever a step can be recorded.

A CUDA graph needs a GPU. Here a step is recorded by calling it again in its own memory, which is
all that differs from a plain step but for how its kernels are started.
"""

from types import SimpleNamespace

import pytest
import torch
from PIL import Image
from small_models import FAMILIES, small_inputs, small_model
from test_generator import Letters, as_prompt

import sinktrack
from sinktrack.core import captured as module
from sinktrack.core import roomy_cache
from sinktrack.core.decoding import Decoding
from sinktrack.core.generate import Generator
from sinktrack.core.images import Picture
from sinktrack.core.prompt import build_prompt
from sinktrack.methods import create

SLIDING = ("gemma2", "gemma3", "gemma3_text", "mistral")


class Recordings:
    """Records steps without a GPU, and counts."""

    def __init__(self, spoil=0.0):
        self.made = self.played = 0
        self.spoil = spoil

    def __call__(self, run):
        self.made += 1
        place = run()

        def play():
            self.played += 1
            place.copy_(run() + self.spoil)

        return place, play


def ids(model, prompts, methods, recordings=None, *, monkeypatch, tokens=24, **options):
    """What every row writes; its steps are recorded if there is something that does."""
    if recordings is not None:
        monkeypatch.setattr(module, "_has_own_gpu", lambda model: True)
        monkeypatch.setattr(module, "_cuda_graph", recordings)
    generator = Generator(
        model,
        Letters(),
        prompts,
        methods,
        decoding=Decoding(max_new_tokens=tokens),
        **{"record": False} | options,
    )
    generator.run()
    monkeypatch.undo()
    return [{row.name: row.ids for row in own} for own in generator.rows]


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_tokens_are_those_of_plain_steps(name, monkeypatch):
    model = small_model(name)
    prompts = [as_prompt(model, small_inputs(model, text_tokens=n, seed=n)) for n in (20, 9, 14)]
    methods = {
        "plain": None,
        "published": sinktrack.SinkTrack.for_model(model),
    }
    recordings = Recordings()
    for some in (prompts, prompts[:1]):
        plain = ids(model, some, methods, monkeypatch=monkeypatch)
        assert plain == ids(model, some, methods, recordings, monkeypatch=monkeypatch)
    if name in SLIDING:  # whose caches forget
        assert recordings.made == 0
    else:
        assert recordings.made == 2 and recordings.played > 20


def test_a_room_that_is_full_is_followed_by_another(monkeypatch):
    model = small_model("qwen2")
    prompt = as_prompt(model, small_inputs(model))
    plain = ids(model, [prompt], {"a": None}, monkeypatch=monkeypatch, tokens=60)
    monkeypatch.setattr(roomy_cache, "_ROOM", 16)
    recordings = Recordings()
    assert plain == ids(
        model, [prompt], {"a": None}, recordings, monkeypatch=monkeypatch, tokens=60
    )
    assert recordings.made >= 3


def test_rows_may_leave(monkeypatch):
    model = small_model("llama")
    prompts = [as_prompt(model, small_inputs(model, text_tokens=n, seed=n)) for n in (20, 9, 14)]
    free = ids(model, prompts, {"plain": None}, monkeypatch=monkeypatch, tokens=40)
    model.generation_config.eos_token_id = free[1]["plain"][-1]  # which no other row begins with
    plain = ids(model, prompts, {"plain": None}, monkeypatch=monkeypatch, tokens=40)
    assert 10 < len(plain[1]["plain"]) < 40
    recordings = Recordings()
    assert plain == ids(
        model, prompts, {"plain": None}, recordings, monkeypatch=monkeypatch, tokens=40
    )
    assert recordings.made >= 2  # once with all rows, and again with those that are left


def test_pictures_give_text_positions_of_their_own(checkpoint, monkeypatch):
    model, processor = checkpoint
    prompts = [
        build_prompt(model, processor, text, [Picture(Image.new("RGB", (size, 112), "white"))])
        for text, size in [("Is there a red circle?", 112), ("Describe the picture.", 140)]
    ]
    methods = {"plain": None, "x": sinktrack.SinkTrack.for_model(model), "vcd": create("vcd")}
    for some in (prompts, prompts[1:]):
        plain = ids(model, some, methods, monkeypatch=monkeypatch)
        monkeypatch.setattr(module, "_AFTER", 2)
        recordings = Recordings()
        assert plain == ids(model, some, methods, recordings, monkeypatch=monkeypatch)
        assert recordings.made and recordings.played > 3


@pytest.mark.parametrize(
    ("methods", "options"),
    [
        ({"plain": None}, {"record": True}),
        ({"pai": create("pai")}, {}),
        ({"plain": None}, {"cache": sinktrack.SinkWindow(sinks=1, window=16)}),
    ],
)
def test_nothing_is_recorded_that_somebody_looks_into(methods, options, monkeypatch):
    model = small_model("qwen2_5_vl")
    prompt = as_prompt(model, small_inputs(model))
    recordings = Recordings()
    plain = ids(model, [prompt], methods, monkeypatch=monkeypatch, **options)
    assert plain == ids(model, [prompt], methods, recordings, monkeypatch=monkeypatch, **options)
    assert recordings.made == 0


def broken(run):
    run()
    raise RuntimeError("operation not permitted when stream is capturing")


@pytest.mark.parametrize("capture", [Recordings(spoil=0.1), broken])
def test_a_recording_that_fails_or_differs_is_not_used(capture, monkeypatch):
    model = small_model("qwen2")
    prompt = as_prompt(model, small_inputs(model))
    plain = ids(model, [prompt], {"a": None}, monkeypatch=monkeypatch)
    assert plain == ids(model, [prompt], {"a": None}, capture, monkeypatch=monkeypatch)
    assert getattr(capture, "played", 1) == 1
    assert "forward" not in vars(model.model)


def test_on_a_cpu_and_on_a_lent_gpu_nothing_is_recorded(monkeypatch):
    model = small_model("qwen2")
    assert not module._has_own_gpu(model)
    weights = [SimpleNamespace(device=torch.device("cuda", 0))] * 2
    on_gpu = SimpleNamespace(parameters=lambda: weights)
    assert module._has_own_gpu(on_gpu)
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    assert not module._has_own_gpu(on_gpu)
