"""A method is data: published schedules, its own checks, nothing else."""

import pytest
from small_models import small_config

from sinktrack import SinkTrack, methods
from sinktrack.core.errors import MethodError

# By hand from the rules of the public code: the layers for a 28-layer model.
PUBLISHED = {
    "qwen2_5_vl": ([5, 10, 15, 20, 25], [5, 10, 15, 20, 25], "image"),
    "gemma3": ([4, 8, 12, 16, 20, 24], [4, 8, 12, 16, 20, 24], "image"),
    "qwen2": ([5, 10, 15, 20, 25], [4, 9, 14, 19, 24], "prompt"),
    "llama": ([4, 8, 12, 16, 20, 24], [3, 7, 11, 15, 19, 23], "prompt"),
}


@pytest.mark.parametrize("family", PUBLISHED)
def test_published_schedules(family):
    method = SinkTrack.for_model(small_config(family, num_hidden_layers=28))
    assert (sorted(method.inject_at), sorted(method.refresh_after), method.context) == (
        PUBLISHED[family]
    )
    assert method.causal == "corrected" and method.strength == 1.0


def test_the_cap_is_the_familys():
    deep = {"num_hidden_layers": 40}
    assert max(SinkTrack.for_model(small_config("qwen2_5_vl", **deep)).inject_at) == 25
    assert max(SinkTrack.for_model(small_config("llama", **deep)).inject_at) == 36


def test_text_models_do_not_refresh_after_their_last_layer():
    method = SinkTrack.for_model(small_config("qwen2", num_hidden_layers=10))
    assert sorted(method.refresh_after) == [4]


def test_changes_replace_published_values():
    method = SinkTrack.for_model(small_config("qwen2_5_vl"), context="instruction", strength=0.5)
    assert (method.context, method.strength, sorted(method.inject_at)) == (
        "instruction",
        0.5,
        [5, 10],
    )


def test_a_method_is_frozen_hashable_and_survives_json():
    method = SinkTrack(inject_at=[10, 5], refresh_after={5}, context="prompt", causal="official")
    assert methods.from_dict(method.as_dict()) == method
    assert len({method, methods.from_dict(method.as_dict())}) == 1
    with pytest.raises(AttributeError):
        method.strength = 0.5


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"inject_at": {-1}}, "counted from 0"),
        ({"inject_at": {1.5}}, "whole numbers"),
        ({"inject_at": 5}, "inject_at is 5, but must be a set"),
        ({"inject_at": {5}, "strength": "1"}, "strength is '1'"),
        ({"inject_at": {5}, "refresh_after": {"5"}}, "whole numbers"),
        ({"inject_at": {5}, "context": "film"}, "'film'.*instruction, image"),
        ({"inject_at": {5}, "causal": "shifted"}, "'shifted'.*corrected or official"),
        ({"inject_at": {5}, "strength": 1.1}, "1.1"),
        ({"inject_at": {5}, "strength": float("nan")}, "nan"),
    ],
)
def test_what_is_not_valid_is_refused_in_a_sentence(arguments, words):
    with pytest.raises(MethodError, match=words):
        SinkTrack(**arguments)


def test_a_family_without_a_published_schedule_takes_that_of_its_kind():
    for other, published in (("phi3", "llama"), ("qwen2_vl", "qwen2_5_vl")):
        assert SinkTrack.for_model(small_config(other)) == SinkTrack.for_model(
            small_config(published)
        )
    qwen3 = SinkTrack.for_model(small_config("qwen3"))
    assert qwen3 == SinkTrack.for_model(small_config("qwen2"))
    assert qwen3 != SinkTrack.for_model(small_config("llama"))


def test_a_checkpoint_may_bring_its_own_schedule():
    """What it was trained with wins over its family's, and must be a method."""
    config = small_config("qwen2_5_vl")
    own = SinkTrack(inject_at={2}, refresh_after={1}, context="instruction")
    config.sinktrack = own.as_dict()
    assert SinkTrack.for_model(config) == own
    assert SinkTrack.for_model(config, context="image").context == "image"
    for wrong in ("every layer", {"layers": [2]}, {"inject_at": [-1], "refresh_after": []}):
        config.sinktrack = wrong
        with pytest.raises(MethodError):
            SinkTrack.for_model(config)
