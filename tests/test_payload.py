"""What the viewer is given is what was recorded."""

import base64

import numpy as np
import pytest
import torch
from PIL import Image

import sinktrack
from sinktrack.core.trace import GENERATED, IMAGE, INSTRUCTION, PROMPT_REST
from sinktrack.report.payload import SINK_PATCH, map_bytes, payload


@pytest.fixture(scope="module")
def comparison(checkpoint):
    """Three lanes behind a window that both picture and question leave."""
    model = checkpoint[0]
    picture = Image.new("RGB", (168, 140), "white")
    picture.paste("blue", (30, 30, 54, 54))
    return sinktrack.compare(
        *checkpoint,
        image=picture,
        question="Count from ten to forty. Then say: red circle.",
        max_new_tokens=40,
        cache=sinktrack.SinkWindow(sinks=1, window=14),
        methods={
            "baseline": None,
            "sinktrack": sinktrack.SinkTrack.for_model(model),
            "both": sinktrack.SinkTrack.for_model(model, context="image+instruction"),
        },
    )


@pytest.fixture(scope="module")
def data(comparison):
    return payload(comparison)


def unpack(packed, *shape):
    steps = np.frombuffer(base64.b64decode(packed["bytes"]), np.uint8).astype(np.float32)
    steps[steps == 255] = np.nan
    return torch.from_numpy((steps * packed["scale"] / 254).reshape(shape))


def test_means_are_those_of_the_trace(comparison, data):
    parts = {
        "image": IMAGE, "instruction": INSTRUCTION, "rest": PROMPT_REST, "generated": GENERATED,
    }  # fmt: skip
    for lane in data["lanes"]:
        trace = comparison[lane["name"]].trace
        shape = (len(trace.tokens), lane["layers"])
        for name, part in parts.items():
            shown, recorded = unpack(lane["means"][name], *shape), trace.share[..., part].mean(2)
            assert (shown - recorded).abs().max() <= lane["means"][name]["scale"] / 508 + 1e-6
        shown = unpack(lane["means"]["delivered"], *shape)
        assert (shown - trace.delivered.nanmean(2)).abs().nan_to_num().max() < 0.01
        assert lane["ids"] == [token.id for token in trace.tokens]


def test_probabilities_are_the_models_own(checkpoint, comparison):
    answer = comparison["baseline"]
    assert len(answer.probabilities) == len(answer.token_ids)
    assert all(0 < each <= 1 for each in answer.probabilities)
    full = sinktrack.compare(
        *checkpoint,
        image=comparison.picture,
        question=comparison.question,
        methods={"baseline": None},
        max_new_tokens=1,
    )
    with torch.inference_mode():
        prompt = sinktrack.core.prompt.build_prompt(
            *checkpoint, comparison.question, [comparison.picture]
        )
        logits = checkpoint[0](**prompt.inputs).logits[0, -1]
    expected = logits.softmax(-1).max()
    assert full["baseline"].probabilities[0] == pytest.approx(float(expected), abs=1e-5)


def test_where_answers_part_and_what_leaves_the_view(comparison, data):
    ids = [answer.token_ids for answer in comparison.values()]
    at = data["parts_at"]
    assert at is None or len({each[at : at + 1] for each in ids}) > 1
    assert len({each[:at] for each in ids}) == 1
    for lane in data["lanes"]:
        share = comparison[lane["name"]].trace.share
        for part, index in (("image", IMAGE), ("instruction", INSTRUCTION)):
            left = lane["left"][part]
            if left is None:
                assert share[-1, ..., index].max() > 0
            else:
                assert share[left:, ..., index].max() == 0 < share[left - 1, ..., index].max()


def test_maps_can_be_read_inside_and_beside_the_payload(comparison, data):
    for lane in data["lanes"]:
        trace, maps = comparison[lane["name"]].trace, lane["maps"]
        assert (maps["rows"], maps["cols"]) == trace.image_map.shape[2:]
        assert base64.b64decode(maps["bytes"]) == map_bytes(comparison[lane["name"]])
        assert maps["scale"] == pytest.approx(trace.image_scale.tolist(), rel=1e-4)
        looked = trace.image_map.float() * trace.image_scale[:, None, None, None]
        mean = looked.mean((0, 1)).flatten()
        assert maps["sink_patches"] == [
            index for index, value in enumerate(mean) if value > SINK_PATCH * mean.median()
        ]


def test_maps_that_are_too_large_are_averaged_over_the_layers(comparison, monkeypatch):
    monkeypatch.setattr("sinktrack.report.payload._MOST_MAP_BYTES", 100)
    maps = payload(comparison)["lanes"][0]["maps"]
    grid = comparison["baseline"].trace.image_map.float().mean(1)
    shown = np.frombuffer(base64.b64decode(maps["bytes"]), np.uint8).astype(np.float32)
    assert maps["layers"] == 1
    assert np.abs(shown - grid.numpy().ravel()).max() <= 0.5


def test_what_was_written_into_the_sink(comparison, data):
    plain, image, both = (lane["absorbed"] for lane in data["lanes"])
    assert plain is None
    assert image["words"] is None and image["picture_share"] == pytest.approx([1.0] * 2, abs=1e-3)
    trace = comparison["both"].trace
    count = len(both["layers"])
    words = unpack(both["words"], count, len(both["texts"]))
    assert "".join(both["texts"]) == comparison.question
    assert words.sum(1).tolist() == pytest.approx(
        [1 - share for share in both["picture_share"]], abs=0.05
    )
    places = unpack(both["picture"], count, both["rows"] * both["cols"])
    assert (places - trace.context_attention.mean(1)[:, : places.shape[1]]).abs().max() < 0.01
