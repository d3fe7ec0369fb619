"""What is said of a token is what the model made of it, by slower ways."""

import pytest
import torch
from PIL import Image
from slow_activation import slow_map

import sinktrack
from sinktrack.core.errors import PromptError, TraceError
from sinktrack.methods import create
from sinktrack.why.again import prompt_of
from sinktrack.why.explain import explain
from sinktrack.why.tam import activation_maps, rank_gaussian

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
