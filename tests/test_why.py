"""What is said of a token is what the model made of it, by slower ways."""

import base64

import numpy as np
import pytest
import torch
from PIL import Image
from slow_activation import slow_map

import sinktrack
from sinktrack.core.errors import MethodError, PromptError, TraceError
from sinktrack.methods import create
from sinktrack.report.explained import explained, looks_as_json, maps_as_json
from sinktrack.shapes.scenes import COLOURS, SHAPES
from sinktrack.why.again import prompt_of
from sinktrack.why.explain import explain
from sinktrack.why.looks import looks
from sinktrack.why.reliance import reliance
from sinktrack.why.tam import activation_maps, rank_gaussian
from sinktrack.why.without import without

QUESTION = "Describe the picture."


@pytest.fixture(scope="module")
def compared(checkpoint):
    model, processor = checkpoint
    methods = {
        "baseline": None,
        "sinktrack": sinktrack.SinkTrack.for_model(model),
        "vcd": create("vcd"),
        "pai": create("pai"),
    }
    picture = Image.open("assets/examples/describe-1.png")
    return sinktrack.compare(
        model, processor, image=picture, question=QUESTION, methods=methods, max_new_tokens=12
    )


@pytest.mark.parametrize("at", [0, 1, 9])
def test_candidates_are_those_of_the_answer(checkpoint, compared, at):
    found = explain(*checkpoint, compared, at)
    assert found.keys() == {name for name in compared if len(compared[name].token_ids) > at}
    for name, said in found.items():
        answer = compared[name]
        assert said.token.id == answer.token_ids[at]
        assert [each.id for each in said.candidates] == answer.trace.candidates[at].tolist()
        told = torch.tensor(said.probabilities)
        assert (told - answer.trace.candidate_probabilities[at]).abs().max() < 1e-5
        for other, probability in said.others.items():
            word = found[other].token.id
            known = dict(
                zip([each.id for each in said.candidates], said.probabilities, strict=True)
            )
            assert abs(known.get(word, probability) - probability) < 1e-6
            assert probability <= min(said.probabilities) or word in known


@pytest.mark.parametrize("at", [0, 5])
def test_lens_and_attention_equal_a_plain_forward(checkpoint, compared, at, close):
    """Layer by layer, from the hidden states and eager attention that transformers gives."""
    model, processor = checkpoint
    said = explain(model, processor, compared, at)["baseline"]
    prompt = prompt_of(model, processor, compared)
    ids = torch.tensor(
        [[*prompt.inputs["input_ids"][0].tolist(), *compared["baseline"].token_ids[:at]]]
    )
    inputs = prompt.inputs | {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    if "mm_token_type_ids" in inputs:
        kinds = inputs["mm_token_type_ids"]
        inputs["mm_token_type_ids"] = torch.nn.functional.pad(kinds, (0, at))
    before = model.config._attn_implementation
    model.set_attn_implementation("eager")
    with torch.no_grad():
        output = model(**inputs, output_hidden_states=True, output_attentions=True)
        hidden = [states[0, -1] for states in output.hidden_states[1:]]
        normed = [model.get_decoder().norm(each) for each in hidden[:-1]] + hidden[-1:]
        logits = torch.stack([model.lm_head(each) for each in normed])
    model.set_attn_implementation(before)
    likely, top = logits.softmax(-1).topk(3)
    assert [[each.id for each in layer] for layer in said.lens] == top.tolist()
    close(said.lens_probabilities, likely, 1e-4)
    order = logits.argsort(-1, descending=True)
    assert said.ranks.tolist() == (order == said.token.id).nonzero()[:, 1].add(1).tolist()
    close(said.attention, torch.stack([layer[0, :, -1] for layer in output.attentions]), 1e-4)


def test_attention_is_what_the_shares_sum_up(checkpoint, compared, close):
    for name, said in explain(*checkpoint, compared, 4).items():
        trace = compared[name].trace
        assert said.attention.shape[2] == len(trace.prompt_ids) + 4
        for part in range(len(trace.segments) - 1):
            at = trace.prompt_segments == part
            close(said.attention[..., : len(at)][..., at].sum(-1), trace.share[4, ..., part], 1e-4)


@pytest.mark.parametrize("at", [0, 3, 8])
def test_activation_maps_equal_the_slow_way(checkpoint, compared, at, close):
    model, processor = checkpoint
    maps = activation_maps(model, processor, compared, at)
    prompt = prompt_of(model, processor, compared)
    names = [prompt.names[part] for part in prompt.parts.tolist()]
    slow = slow_map(
        model,
        prompt.inputs,
        compared["baseline"].token_ids[: at + 1],
        [at for at, name in enumerate(names) if name == "image"],
        [at for at, name in enumerate(names) if name == "instruction"],
        (5, 5),
    )
    [found] = maps["baseline"]
    close(found, torch.tensor(slow).float(), 1e-4)
    assert found.min() >= 0 and found.max() <= 1
    assert maps.keys() == {name for name in compared if len(compared[name].token_ids) > at}


@pytest.mark.parametrize("beside", ["icd", "said-twice", "vista"])
def test_lanes_beside_it_change_no_explanation(checkpoint, compared, beside, close):
    """Longer prompts beside a lane pad it, and some methods read others before."""
    methods = {name: compared[name].method for name in ("baseline", "sinktrack")}
    more = sinktrack.compare(
        *checkpoint,
        image=Image.open("assets/examples/describe-1.png"),
        question=QUESTION,
        methods=methods | {"other": create(beside)},
        max_new_tokens=12,
    )
    alone, both = explain(*checkpoint, compared, 4), explain(*checkpoint, more, 4)
    maps, other_maps = (
        activation_maps(*checkpoint, compared, 4),
        activation_maps(*checkpoint, more, 4),
    )
    for name in methods:
        assert both[name].prompt == alone[name].prompt and both[name].lens == alone[name].lens
        close(both[name].attention, alone[name].attention, 1e-4)
        close(other_maps[name][0], maps[name][0], 1e-3)
    own = both["other"]
    assert own.attention.shape[2] == len(own.prompt) + 4 == len(own.parts) + 4


def test_what_a_window_has_dropped_is_no_number(checkpoint, close):
    model, processor = checkpoint
    window = sinktrack.SinkWindow(sinks=1, window=16)
    short = sinktrack.compare(
        model, processor, passage="The star is in the hall. The cross is in the attic.",
        question="Where is the star?", max_new_tokens=9, cache=window,
    )  # fmt: skip
    at = len(short["baseline"].token_ids) - 1
    said = explain(model, processor, short, at)["baseline"]
    seen = said.attention.isfinite()[0, 0]
    assert said.attention.shape[2] == len(said.prompt) + at
    assert seen.sum() == 17 and seen[0] and seen[-16:].all()
    trace = short["baseline"].trace
    close(said.attention[..., len(said.prompt) :].nansum(-1), trace.share[at, ..., -1], 1e-4)


@pytest.mark.parametrize(("layer", "head"), [(None, None), (7, 2), (3, None)])
def test_where_every_token_looked_is_what_each_explanation_says(
    checkpoint, compared, layer, head, close
):
    found = looks(*checkpoint, compared, 5, layer=layer, head=head)
    assert found.keys() == explain(*checkpoint, compared, 5).keys()
    for at in (0, 3, 5):
        for name, said in explain(*checkpoint, compared, at).items():
            own = said.attention if layer is None else said.attention[layer : layer + 1]
            own = own if head is None else own[:, head : head + 1]
            row = found[name][at]
            close(row[: own.shape[2]], own.mean((0, 1)), 1e-4)
            assert row[own.shape[2] :].isnan().all() and len(row) == len(said.prompt) + 5


def test_a_word_without_its_patches_or_a_head_is_that_of_a_forced_comparison(checkpoint, compared):
    """The probe is a method like any other, told the same words."""
    model, processor = checkpoint
    at, words = 5, compared["sinktrack"].token_ids
    prompt = prompt_of(model, processor, compared)
    image = [p for p, part in enumerate(prompt.parts.tolist()) if prompt.names[part] == "image"]
    for probe, given in (
        (create("cover", positions=image), {"positions": image}),
        (create("silence", heads="2.1+3.0"), {"heads": "2.1+3.0"}),
    ):
        found = without(model, processor, compared, "sinktrack", at, **given)
        told = sinktrack.compare(
            model,
            processor,
            image=Image.open("assets/examples/describe-1.png"),
            question=QUESTION,
            methods={"plain": None, "probe": probe},
            beginnings=dict.fromkeys(("plain", "probe"), words[: at + 1]),
            max_new_tokens=at + 1,
        )
        assert found.token.id == words[at]
        assert found.plain == pytest.approx(told["plain"].probabilities[at], abs=1e-5)
        assert found.without == pytest.approx(told["probe"].probabilities[at], abs=1e-5)
        likeliest = [token.id for token, _ in found.instead]
        assert likeliest == told["probe"].trace.candidates[at, : len(likeliest)].tolist()


def test_reliance_of_words_is_each_words_without_the_picture(checkpoint, compared):
    model, processor = checkpoint
    prompt = prompt_of(model, processor, compared)
    image = [p for p, part in enumerate(prompt.parts.tolist()) if prompt.names[part] == "image"]
    found = reliance(model, processor, compared)
    assert found.keys() == compared.keys()
    for name, own in found.items():
        assert len(own.plain) == len(own.covered) == len(compared[name].token_ids)
    for at in (0, 3, 9):
        one = without(model, processor, compared, "sinktrack", at, positions=image)
        assert float(found["sinktrack"].plain[at]) == pytest.approx(one.plain, abs=1e-5)
        assert float(found["sinktrack"].covered[at]) == pytest.approx(one.without, abs=1e-5)
    # colours and shapes are read off the picture, and what stands between them is not
    words = compared["baseline"].trace.tokens
    fell = found["baseline"].plain - found["baseline"].covered
    seen = [at for at, word in enumerate(words) if word.text.strip() in {*COLOURS, *SHAPES}]
    assert fell[seen].mean() > 0.3 > fell[[at for at in range(len(fell)) if at not in seen]].mean()


def test_what_is_about_nothing_relies_on_nothing(checkpoint):
    said = [("user", "Hello."), ("assistant", "Hello."), ("user", "How are you?")]
    turns = [{"role": role, "content": text} for role, text in said]
    said = sinktrack.compare(*checkpoint, messages=turns, max_new_tokens=4)
    with pytest.raises(PromptError, match="about no picture, video or passage"):
        reliance(*checkpoint, said)


def test_what_has_no_part_or_head_to_leave_out_is_refused(checkpoint, compared):
    with pytest.raises(TraceError, match="There is no token 99 of 'vcd'"):
        without(*checkpoint, compared, "vcd", 99, heads="1.0")
    with pytest.raises(TraceError, match="of 'nobody'"):
        without(*checkpoint, compared, "nobody", 0, heads="1.0")
    for both in ({}, {"positions": [3], "heads": "1.0"}):
        with pytest.raises(MethodError, match="either positions to cover or heads to silence"):
            without(*checkpoint, compared, "vcd", 0, **both)
    with pytest.raises(TraceError, match="layer is 12, but the model has 12"):
        looks(*checkpoint, compared, 0, layer=12)
    with pytest.raises(TraceError, match="head is -1"):
        looks(*checkpoint, compared, 0, head=-1)


def test_a_question_longer_than_the_limit_of_today_is_still_explained(checkpoint):
    asked = "Is there a red circle? " * 12
    long = sinktrack.compare(
        *checkpoint, passage="A red circle.", question=asked, max_new_tokens=1,
        max_question_tokens=5000,
    )  # fmt: skip
    assert len(explain(*checkpoint, long, 0)["baseline"].prompt) == len(long.prompt)


def test_what_the_browser_gets_is_what_was_found(checkpoint, compared, monkeypatch):
    """Bytes are numbers again to a step, and nothing is larger than was said."""

    def numbers(packed, steps="<u2", scale=65534):
        values = np.frombuffer(base64.b64decode(packed["bytes"]), steps).astype("float32")
        values[values == values.dtype.type(scale + 1)] = np.nan
        return torch.tensor(values / scale)

    found = looks(*checkpoint, compared, 4)
    told = looks_as_json(4, found)["lanes"]
    for name, each in found.items():
        shown = numbers(told[name]).view(told[name]["shape"])
        assert told[name]["from"] == 0 and torch.equal(shown.isnan(), each.isnan())
        assert (shown - each).abs().nan_to_num().max() < 1e-4
    maps = activation_maps(*checkpoint, compared, 4)
    for name, [packed] in maps_as_json(4, maps)["lanes"].items():
        shown = numbers(packed, "u1", 254) * packed["scale"]
        assert (shown - maps[name][0].flatten()).abs().max() < 1 / 254
    explanations = explain(*checkpoint, compared, 4)
    said = explained(compared, 4, explanations)
    for name, each in explanations.items():
        assert said["lanes"][name]["others"] == pytest.approx(each.others, rel=1e-3)
        assert said["lanes"][name]["lens"]["ranks"] == each.ranks.tolist()
    monkeypatch.setattr("sinktrack.report.explained.MOST_BYTES", 2000)
    said = explained(compared, 4, explanations)
    assert all(lane["attention"] is None for lane in said["lanes"].values())
    short = looks_as_json(4, found)["lanes"]
    assert sum(2 * np.prod(lane["shape"]) for lane in short.values()) <= 2000
    for name, lane in short.items():
        assert lane["from"] + lane["shape"][0] == 5
        kept = found[name][lane["from"] :]
        assert (numbers(lane).view(lane["shape"]) - kept).abs().nan_to_num().max() < 1e-4


def test_a_token_alone_does_not_stand_out():
    frame = torch.full((6, 5), 0.2)
    frame[2, 3] = 1.0
    filtered = rank_gaussian(frame)
    assert filtered.max() < 0.3
    assert torch.equal(rank_gaussian(torch.zeros(4, 4)), torch.zeros(4, 4))
    assert rank_gaussian(torch.rand(1, 7)).shape == (1, 7)


def test_without_a_picture_there_is_no_activation_map(checkpoint):
    text = sinktrack.compare(
        *checkpoint, passage="The star is in the hall.", question="Where is it?", max_new_tokens=2
    )
    with pytest.raises(PromptError, match="There is no picture on which a word could be shown"):
        activation_maps(*checkpoint, text, 0)


def test_what_cannot_be_explained_is_refused_in_a_sentence(checkpoint, compared):
    longest = max(len(answer.token_ids) for answer in compared.values())
    with pytest.raises(TraceError, match=f"There is no token 99: the longest answer has {longest}"):
        explain(*checkpoint, compared, 99)
    from dataclasses import replace

    other = replace(compared, model_name="another")
    with pytest.raises(PromptError, match="another answered this, and not"):
        explain(*checkpoint, other, 0)
    other = replace(compared, prompt=compared.prompt[:-1])
    with pytest.raises(PromptError, match="reads the question in other tokens than"):
        explain(*checkpoint, other, 0)
