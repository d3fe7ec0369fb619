"""What the viewer is given is what was recorded."""

import base64
import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from asked import PASSAGE, QUESTION, everything, picture
from paths import DATA
from PIL import Image

import sinktrack
from sinktrack.methods import create, from_dict
from sinktrack.report.html import render
from sinktrack.report.payload import (
    SINK_PATCH,
    lane_title,
    lane_titles,
    map_bytes,
    payload,
    upgraded,
)
from sinktrack.report.words import moved_in_words


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


def test_shares_are_those_of_the_trace(comparison, data):
    for lane in data["lanes"]:
        trace = comparison[lane["name"]].trace
        shape = (len(trace.tokens), lane["layers"])
        assert ["sink", *lane["shares"]] == [part["name"] for part in data["segments"]]
        for name, packed in lane["shares"].items():
            recorded = trace.share[..., trace.segments.index(name)].mean(2)
            assert (unpack(packed, *shape) - recorded).abs().max() <= packed["scale"] / 508 + 1e-6
        shown = unpack(lane["delivered"], *shape)
        assert (shown - trace.delivered.nanmean(2)).abs().nan_to_num().max() < 0.01
        assert lane["ids"] == [token.id for token in trace.tokens]


def test_what_each_head_delivered_is_that_of_the_trace(comparison, data, monkeypatch):
    for lane, answer in zip(data["lanes"], comparison.values(), strict=True):
        delivered = answer.trace.delivered
        shown = unpack(lane["delivered_heads"], *delivered.shape)
        assert (shown - delivered).abs().nan_to_num().max() < float(
            delivered.nan_to_num().max()
        ) / 254
    monkeypatch.setattr("sinktrack.report.payload._MOST_HEAD_BYTES", 10)
    for lane, answer in zip(payload(comparison)["lanes"], comparison.values(), strict=True):
        packed = lane["delivered_heads"]
        mean = answer.trace.delivered.nanmean(0)
        assert packed["mean"] and (unpack(packed, *mean.shape) - mean).abs().max() < 0.02


def test_probabilities_are_the_models_own(checkpoint, comparison):
    answer = comparison["baseline"]
    assert len(answer.probabilities) == len(answer.token_ids)
    assert all(0 < each <= 1 for each in answer.probabilities)
    full = sinktrack.compare(
        *checkpoint,
        image=comparison.pictures[0],
        question=comparison.question,
        methods={"baseline": None},
        max_new_tokens=1,
    )
    with torch.inference_mode():
        prompt = sinktrack.core.prompt.build_prompt(
            *checkpoint, comparison.question, [comparison.pictures[0]]
        )
        logits = checkpoint[0](**prompt.inputs).logits[0, -1]
    expected = logits.softmax(-1).max()
    assert full["baseline"].probabilities[0] == pytest.approx(float(expected), abs=1e-5)


def test_where_answers_part_and_what_leaves_the_view(comparison, data):
    ids = [answer.token_ids for answer in comparison.values()]
    at = data["parts_at"]
    assert at is None or len({each[at : at + 1] for each in ids}) > 1
    assert len({each[:at] for each in ids}) == 1
    assert any(lane["left"] for lane in data["lanes"])
    for lane in data["lanes"]:
        trace = comparison[lane["name"]].trace
        assert set(lane["left"]) <= {"image", "instruction"}
        for part in ("image", "instruction"):
            share = trace.share[..., trace.segments.index(part)]
            left = lane["left"].get(part)
            if left is None:
                assert share[-1].max() > 0
            else:
                assert share[left:].max() == 0 < share[left - 1].max()


def test_what_was_moved_at_each_token_is_the_most_over_layers(checkpoint):
    answers = everything(*checkpoint)
    lanes = {lane["name"]: lane["moved_at"] for lane in payload(answers)["lanes"]}
    assert lanes["baseline"] == lanes["off"] == []
    for name in ("sinktrack", "vcd", "pai"):
        trace = answers[name].trace
        assert {kind["kind"] for kind in lanes[name]} == set(trace.moved)
        for kind in lanes[name]:
            most, values = trace.moved[kind["kind"]].amax(1), kind["values"]
            assert values == pytest.approx(most[: len(values)].tolist(), rel=0.006)
            assert not most[len(values) :].any() and values[-1] != 0


def test_what_was_moved_beyond_any_number_is_still_json(comparison):
    answer = comparison["sinktrack"]
    moved = {"new": torch.tensor([[0.0], [float("inf")], [float("nan")]]), "kl": torch.zeros(3, 1)}
    moved["logits"] = torch.ones(3, 1)
    answer = replace(answer, trace=replace(answer.trace, moved=moved))
    told = payload(replace(comparison, answers={answer.name: answer}))
    assert told["lanes"][0]["moved_at"] == [
        {"kind": "logits", "title": "next word", "unit": "share", "values": [1.0, 1.0, 1.0]},
        {"kind": "new", "title": "new", "unit": "", "values": [0.0, None, None]},
    ]


def test_maps_can_be_read_inside_and_beside_the_payload(comparison, data):
    for lane in data["lanes"]:
        trace, (maps,) = comparison[lane["name"]].trace, lane["maps"]
        assert (maps["frames"] * maps["rows"], maps["cols"]) == trace.image_map.shape[2:]
        assert base64.b64decode(maps["bytes"]) == map_bytes(comparison[lane["name"]])
        assert maps["scale"] == pytest.approx(trace.image_scale.tolist(), rel=1e-4)
        looked = trace.image_map.float() * trace.image_scale[:, None, None, None]
        mean = looked.mean((0, 1)).flatten()
        assert maps["sink_patches"] == [
            index for index, value in enumerate(mean) if value > SINK_PATCH * mean.median()
        ]


def test_maps_that_are_too_large_are_averaged_over_the_layers(comparison, monkeypatch):
    monkeypatch.setattr("sinktrack.report.payload._MOST_MAP_BYTES", 100)
    maps = payload(comparison)["lanes"][0]["maps"][0]
    grid = comparison["baseline"].trace.image_map.float().mean(1)
    shown = np.frombuffer(base64.b64decode(maps["bytes"]), np.uint8).astype(np.float32)
    assert maps["layers"] == 1
    assert np.abs(shown - grid.numpy().ravel()).max() <= 0.5


def test_what_was_written_into_the_sink(comparison, data):
    plain, image, both = (lane["writes"] for lane in data["lanes"])
    assert plain is None
    assert image["words"] is None and image["starts"] == []
    pictured = image["sources"]["segments"].index("image")
    for shares in image["sources"]["shares"]:
        assert shares[pictured] == pytest.approx(1.0, abs=1e-3)
    trace = comparison["both"].trace
    count = len(both["layers"])
    words = unpack(both["words"], count, len(both["texts"]))
    assert "".join(both["texts"]) == comparison.question
    assert both["starts"] == [{"at": 0, "title": "Question"}]
    asked = both["sources"]["segments"].index("instruction")
    assert words.sum(1).tolist() == pytest.approx(
        [shares[asked] for shares in both["sources"]["shares"]], abs=0.05
    )
    places = unpack(both["visuals"][0], count, trace.image_map.shape[2] * trace.image_map.shape[3])
    assert (places - trace.context_attention.mean(1)[:, : places.shape[1]]).abs().max() < 0.01
    assert both["norms"] == pytest.approx(trace.write_norm.tolist(), rel=1e-3)
    assert both["into"] == "output"


@pytest.fixture(scope="module")
def mixed(checkpoint):
    return everything(*checkpoint)


def test_every_part_of_a_prompt_has_a_name_for_people(mixed):
    data = payload(mixed)
    assert [part["title"] for part in data["segments"]] == [
        *("BOS", "System prompt", "Earlier turns", "Passage", "Question"),
        *("Picture 1", "Picture 2", "Video", "Rest of the prompt", "Own words"),
    ]
    assert data["passage"] == PASSAGE and data["question"] == QUESTION
    assert [turn["role"] for turn in data["turns"]] == ["system", "user", "assistant"]
    assert [turn["visuals"] for turn in data["turns"]] == [[], [0], []]
    assert data["sinks"][0]["title"] == "BOS" and data["sinks"][0]["position"] == 0
    json.dumps(data, allow_nan=False)


def test_each_picture_and_video_has_its_frames_and_its_map(mixed):
    data = payload(mixed)
    assert [len(visual["frames"]) for visual in data["visuals"]] == [1, 1, 3]
    assert [visual["segment"] for visual in data["visuals"]] == ["image 1", "image 2", "video"]
    assert len(set(data["visuals"][2]["frames"])) == 3
    for lane in data["lanes"]:
        trace = mixed[lane["name"]].trace
        for maps, grid, name in zip(
            lane["maps"], trace.image_maps, ("image 1", "image 2", "video"), strict=True
        ):
            assert base64.b64decode(maps["bytes"]) == map_bytes(mixed[lane["name"]], maps["visual"])
            assert grid.shape[2:] == (maps["frames"] * maps["rows"], maps["cols"])
            # What the map of a part adds up to is that part's share.
            looked = grid.float().sum((2, 3)) * trace.image_scale[:, None] / 255
            share = trace.share[..., trace.segments.index(name)].mean(2)
            assert (looked - share).abs().max() < 0.02
    assert [maps["frames"] for maps in data["lanes"][0]["maps"]] == [1, 1, 3]
    assert map_bytes(mixed["baseline"], 3) == b""


def test_a_write_of_the_whole_prompt_is_told_part_by_part(mixed):
    writes = payload(mixed)["lanes"][1]["writes"]
    count = len(writes["layers"])
    assert all(writes["visuals"]) and len(writes["visuals"]) == 3
    for shares in writes["sources"]["shares"]:
        assert sum(shares) == pytest.approx(1.0, abs=1e-2)
    words = unpack(writes["words"], count, len(writes["texts"]))
    places = [unpack(packed, count, -1).sum(1) for packed in writes["visuals"]]
    assert (words.sum(1) + sum(places)).tolist() == pytest.approx([1.0] * count, abs=0.1)
    titles = [start["title"] for start in writes["starts"]]
    assert titles[0] == "BOS" and {"Passage", "Question", "Earlier turns"} <= set(titles)
    at = next(each["at"] for each in writes["starts"] if each["title"] == "Passage")
    assert "".join(writes["texts"][at:]).startswith("There is a red circle")


def test_a_context_without_some_patches_stays_in_its_place(checkpoint):
    """Where sinks are left out of the context, what is left must not slide together."""
    asked = {"images": [picture(112, 84)], "question": QUESTION, "max_new_tokens": 2}
    method = sinktrack.SinkTrack.for_model(checkpoint[0], context="image", exclude_sinks=True)
    comparison = sinktrack.compare(*checkpoint, methods={"x": method}, **asked)
    trace = comparison["x"].trace
    kept = torch.ones(trace.context_positions.shape[0], dtype=torch.bool)
    kept[3] = False
    cut = replace(
        trace,
        context_positions=trace.context_positions[kept],
        context_attention=trace.context_attention[..., kept],
    )
    answer = replace(comparison["x"], trace=cut)
    writes = payload(replace(comparison, answers={"x": answer}))["lanes"][0]["writes"]
    places = unpack(writes["visuals"][0], len(writes["layers"]), -1)
    assert places.shape[1] == len(kept) and places[:, 3].max() == 0
    expected = trace.context_attention.mean(1)[:, 4]
    assert (places[:, 4] - expected).abs().max() < 0.01


def test_how_far_a_method_moved_things_is_said(mixed):
    lanes = {lane["name"]: lane for lane in payload(mixed)["lanes"]}
    assert lanes["baseline"]["moved"] == {} and lanes["baseline"]["moved_words"] == ""
    assert lanes["sinktrack"]["moved_words"].startswith("Changed an attention output by up to ")
    assert re.fullmatch(
        r"Moved up to [\d.]+ % of the next token’s probability\.", lanes["vcd"]["moved_words"]
    )
    assert re.fullmatch(
        r"Moved up to [\d.]+ % of a token’s attention\.", lanes["pai"]["moved_words"]
    )
    assert lanes["off"]["moved_words"] == "" and lanes["baseline"]["notice"] is None
    assert lanes["off"]["notice"].startswith("SinkTrack · off moved nothing in this answer")


def test_sizes_of_what_was_moved_read_well():
    assert moved_in_words({}) == "" == moved_in_words({"logits": 0.0})
    assert (
        moved_in_words({"values": 0.031}) == "Changed a cached value by up to 3.1 % of its length."
    )
    assert moved_in_words({"output": 5.61, "logits": 1.0}) == (
        "Changed an attention output by up to 5.6 times its length, "
        "and moved up to all of the next token’s probability."
    )


def test_lanes_are_called_by_their_method_and_apart(checkpoint):
    plain, other = sinktrack.SinkTrack(inject_at={2}), sinktrack.SinkTrack(inject_at={3})
    titles = lane_titles(
        {"baseline": None, "sinktrack": plain, "late": other, "vcd": create("vcd"), "again": None}
    )
    assert [title for title, _ in titles.values()] == [
        *("Plain model", "SinkTrack", "SinkTrack · late", "VCD", "Plain model · again")
    ]
    assert lane_title("sinktrack", None)[0] == "SinkTrack"  # before the method is known
    assert lane_title("late", other)[0] == "SinkTrack"


def test_what_was_stored_before_prompts_had_parts_is_read():
    old = json.loads((DATA / "payload-before.json").read_text("utf-8"))
    new = upgraded(old)
    assert [part["name"] for part in new["segments"]] == [
        *("sink", "image", "instruction", "rest", "generated")
    ]
    assert new["visuals"][0]["frames"] == [old["picture"]]
    lane, before = new["lanes"][1], old["lanes"][1]
    assert lane["shares"]["image"] == before["means"]["image"]
    assert lane["delivered"] == before["means"]["delivered"]
    assert lane["maps"][0]["bytes"] == before["maps"]["bytes"] and lane["maps"][0]["frames"] == 1
    assert lane["writes"]["layers"] == before["absorbed"]["layers"]
    assert lane["writes"]["sources"]["shares"][0][0] == before["absorbed"]["picture_share"][0]
    assert from_dict(lane["method"]).as_dict()["kind"] == "sinktrack"
    assert new["lanes"][0]["writes"] is None
    assert upgraded(new) == new and "means" in old["lanes"][0]


def test_what_is_no_payload_is_not_upgraded():
    for nothing in ([], None, "text", {}, {"lanes": ["x"]}):
        with pytest.raises((TypeError, KeyError, ValueError)):
            upgraded(nothing)


def test_a_comparison_of_texts_alone_has_nothing_of_pictures(checkpoint):
    """Neither to colour by, nor to look at, nor drawn or named in its report."""
    comparison = sinktrack.compare(
        *checkpoint,
        passage="There is a red circle.",
        question="Is there a red circle?",
        max_new_tokens=4,
        methods={
            "baseline": None,
            "sinktrack": sinktrack.SinkTrack.for_model(checkpoint[0], context="passage"),
        },
    )
    data = payload(comparison)
    assert not {"image", "video"} & {part["kind"] for part in data["segments"]}
    assert data["visuals"] == [] and all(lane["maps"] == [] for lane in data["lanes"])
    assert data["lanes"][1]["writes"]["visuals"] == []
    assert {"image", "video"}.isdisjoint(data["lanes"][1]["writes"]["sources"]["segments"])
    page = render(data)
    body = page[page.index("<main>") : page.index("<script")]
    assert "<img" not in body and "picture" not in body.lower()
