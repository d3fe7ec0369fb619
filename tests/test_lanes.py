"""Lanes: several methods, one batch, and every lane answers as if it were alone."""

import random
import threading

import pytest
import torch
from PIL import Image, ImageDraw
from small_models import FAMILIES, small_inputs, small_model

import sinktrack
from sinktrack.api import stream_prompt
from sinktrack.core.decoding import Decoding, Sampler
from sinktrack.core.errors import DeviceMemoryError, MethodError, PictureError, PromptError
from sinktrack.core.prompt import Prompt, build_prompt

COLOURS = ("red", "blue", "green", "yellow")
QUESTIONS = (
    "Is there a red circle?",
    "How many shapes are there?",
    "Describe the picture.",
    "What is at the top left?",
)


def drawing(seed):
    rng = random.Random(seed)
    image = Image.new("RGB", (112, 112), "white")
    for _ in range(3):
        x, y = (rng.randrange(0, 84, 28) for _ in range(2))
        box = (x + 4, y + 4, x + 24, y + 24)
        ImageDraw.Draw(image).ellipse(box, fill=rng.choice(COLOURS))
    return image


def prompts(count):
    return [(drawing(seed), QUESTIONS[seed % len(QUESTIONS)]) for seed in range(count)]


def solo(model, processor, image, question, method, max_new_tokens):
    """The answer of `generate` alone, attached to a single method or to none."""
    prompt = build_prompt(model, processor, question, [sinktrack.core.images.load_picture(image)])
    length = prompt.inputs["input_ids"].shape[1]
    options = {"max_new_tokens": max_new_tokens, "do_sample": False}
    if method is None:
        return model.generate(**prompt.inputs, **options)[0, length:].tolist()
    with sinktrack.attach(model, method, context_mask=prompt.instruction_mask):
        return model.generate(**prompt.inputs, **options)[0, length:].tolist()


def test_lanes_equal_solo_runs_over_20_prompts(checkpoint):
    model, processor = checkpoint
    method = sinktrack.SinkTrack.for_model(model)
    for image, question in prompts(20):
        both = sinktrack.compare(
            model, processor, image=image, question=question, max_new_tokens=24
        )
        for lane, one in (("baseline", None), ("sinktrack", method)):
            expected = solo(model, processor, image, question, one, 24)
            assert list(both[lane].token_ids) == expected, (lane, question)


def test_many_lanes_with_other_contexts_and_schedules_equal_solo_runs(checkpoint):
    model, processor = checkpoint
    methods = {
        "plain": None,
        "image": sinktrack.SinkTrack.for_model(model),
        "instruction": sinktrack.SinkTrack.for_model(model, context="instruction"),
        "both, official": sinktrack.SinkTrack.for_model(
            model, context="image+instruction", causal="official"
        ),
        "first layer": sinktrack.SinkTrack(inject_at={0}, context="prompt"),
        "last layer": sinktrack.SinkTrack(inject_at={11}, context="image", strength=0.7),
        "off": sinktrack.SinkTrack.for_model(model, strength=0.0),
    }
    for image, question in prompts(3):
        result = sinktrack.compare(
            model, processor, image=image, question=question, methods=methods, max_new_tokens=12
        )
        assert list(result) == list(methods)
        for lane, method in methods.items():
            expected = solo(model, processor, image, question, method, 12)
            assert list(result[lane].token_ids) == expected, lane


def test_traces_of_lanes_equal_those_of_solo_runs(checkpoint, close):
    model, processor = checkpoint
    method = sinktrack.SinkTrack.for_model(model)
    image, question = prompts(1)[0]
    both = sinktrack.compare(model, processor, image=image, question=question, max_new_tokens=8)
    prompt = build_prompt(model, processor, question, [sinktrack.core.images.load_picture(image)])
    for lane, one in (("baseline", None), ("sinktrack", method)):
        with sinktrack.attach(model, one, context_mask=prompt.instruction_mask) as recorder:
            model.generate(**prompt.inputs, max_new_tokens=8, do_sample=False)
        alone, trace = recorder.trace(), both[lane].trace
        assert [token.id for token in trace.tokens] == [token.id for token in alone.tokens]
        for name in ("sink", "share", "delivered", "context_attention", "image_scale"):
            close(getattr(trace, name), getattr(alone, name), 1e-5)
        assert torch.equal(trace.prompt_segments, alone.prompt_segments)


class Letters:
    """A tokenizer for the random models: every id is a letter of its own."""

    def decode(self, ids, **_):
        return "".join(chr(0x4E00 + i) for i in ids)


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_lanes_work_for_every_family(name):
    """Each family's caches, masks and positions survive the parting of the lanes."""
    model = small_model(name)
    inputs = small_inputs(model)
    inputs.pop("attention_mask")
    mask = torch.zeros_like(inputs["input_ids"], dtype=torch.bool)
    mask[:, -5:] = True
    prompt = Prompt.of_inputs(model.config, inputs, mask)
    methods = {"baseline": None, "sinktrack": sinktrack.SinkTrack.for_model(model)}
    decoding = Decoding(max_new_tokens=10)
    *_, last = stream_prompt(model, Letters(), prompt, methods=methods, decoding=decoding)
    result = last.comparison
    for lane, method in methods.items():
        with sinktrack.attach(model, method, context_mask=mask):
            ids = model.generate(**inputs, max_new_tokens=10, do_sample=False)
        assert list(result[lane].token_ids) == ids[0, -10:].tolist()


def test_recording_changes_no_token_of_any_lane(checkpoint):
    model, processor = checkpoint
    image, question = prompts(3)[2]
    options = {"image": image, "question": question, "max_new_tokens": 32}
    on, off = (sinktrack.compare(model, processor, record=record, **options) for record in (1, 0))
    assert {lane: on[lane].token_ids for lane in on} == {lane: off[lane].token_ids for lane in off}
    assert off["baseline"].trace is None and on["baseline"].trace is not None


def test_a_stream_gives_one_event_a_token_and_the_last_carries_the_comparison(checkpoint):
    model, processor = checkpoint
    image, question = prompts(3)[2]
    steps = list(
        sinktrack.stream(model, processor, image=image, question=question, max_new_tokens=40)
    )
    result = steps[-1].comparison
    assert [step.index for step in steps] == list(range(len(steps)))
    assert all(step.comparison is None for step in steps[:-1])
    for lane, answer in result.items():
        written = [step.tokens[lane] for step in steps if lane in step.tokens]
        assert tuple(token.id for token in written) == answer.token_ids
        assert "".join(token.text for token in written).strip() == answer.text
        assert steps[-1].texts[lane].strip() == answer.text
        assert len(answer.trace.tokens) == len(answer.trace.sink) == len(answer.token_ids)


def test_each_lane_ends_at_its_own_end(checkpoint, monkeypatch):
    """One lane is made to end early; the other goes on as if nothing had happened."""
    model, processor = checkpoint
    image, question = prompts(3)[2]
    options = {"image": image, "question": question}
    end = processor.tokenizer.convert_tokens_to_ids("<|im_end|>")
    free = sinktrack.compare(model, processor, max_new_tokens=16, **options)
    choose = Sampler.__call__

    def ending(self, ids, logits, plain):
        chosen = choose(self, ids, logits, plain)
        if ids.shape[1] == length + 3:
            chosen[0] = end
        return chosen

    length = len(free["baseline"].trace.prompt_ids)
    monkeypatch.setattr(Sampler, "__call__", ending)
    result = sinktrack.compare(model, processor, max_new_tokens=16, **options)
    assert result["baseline"].finish == "eos"
    assert result["baseline"].token_ids == (*free["baseline"].token_ids[:3], end)
    assert len(result["baseline"].trace.sink) == 4
    assert result["sinktrack"].token_ids == free["sinktrack"].token_ids


@pytest.mark.parametrize("after", [1, 3])
def test_stop_ends_all_lanes_within_a_step(checkpoint, after):
    model, processor = checkpoint
    image = drawing(1)
    seen = []
    for step in sinktrack.stream(
        model,
        processor,
        image=image,
        question="Describe the picture.",
        max_new_tokens=200,
        stop=lambda: len(seen) >= after - 1,
    ):
        seen.append(step)
    assert len(seen) == after
    for answer in seen[-1].comparison.values():
        assert answer.finish == "stopped" and len(answer.token_ids) == after


def test_closing_a_stream_frees_the_model_for_the_next(checkpoint):
    model, processor = checkpoint
    image, question = prompts(1)[0]
    steps = sinktrack.stream(model, processor, image=image, question=question)
    next(steps)
    steps.close()
    assert sinktrack.compare(model, processor, image=image, question=question, max_new_tokens=2)


def test_two_at_once_get_the_answers_of_solo_runs(checkpoint):
    model, processor = checkpoint
    jobs = prompts(4)
    options = {"max_new_tokens": 12}
    expected = [
        sinktrack.compare(model, processor, image=image, question=question, **options)
        for image, question in jobs
    ]
    results = {}

    def work(number):
        image, question = jobs[number]
        results[number] = sinktrack.compare(
            model, processor, image=image, question=question, **options
        )

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, one in enumerate(expected):
        for lane in one:
            assert results[number][lane].token_ids == one[lane].token_ids


SAMPLING = {"do_sample": True, "temperature": 1.5}


def test_sampling_depends_on_the_seed_alone(checkpoint):
    model, processor = checkpoint
    options = {"image": drawing(2), "question": "Describe the picture.", "max_new_tokens": 24}
    runs = [
        sinktrack.compare(model, processor, seed=seed, **options, **SAMPLING) for seed in (1, 1, 2)
    ]
    first, again, other = (run["baseline"].token_ids for run in runs)
    assert first == again and first != other
    assert runs[0].model_name == "shapes-vl"  # a report that is passed on tells no one's folders
    assert runs[0].settings["seed"] == 1 and runs[0].settings["temperature"] == 1.5


def test_lanes_with_equal_distributions_sample_equal_words(checkpoint):
    model, processor = checkpoint
    result = sinktrack.compare(
        model,
        processor,
        image=drawing(3),
        question="Describe the picture.",
        methods={"one": None, "two": None, "off": sinktrack.SinkTrack(inject_at=[3], strength=0)},
        max_new_tokens=24,
        **SAMPLING,
    )
    assert result["one"].token_ids == result["two"].token_ids == result["off"].token_ids


def test_shared_noise_draws_from_the_distribution():
    """Over many draws the frequencies are the probabilities, for both lanes at once."""
    model = small_model("llama")
    prompt = torch.ones(1, 4, dtype=torch.long)
    sampler = Sampler(Decoding(do_sample=True, seed=3, top_k=0), model, None, prompt)
    logits = torch.tensor([[1.0, 0.0, -1.0], [-1.0, 2.0, 0.0]])
    draws = torch.stack([sampler(torch.zeros(2, 1).long(), logits, logits) for _ in range(4000)])
    for lane in range(2):
        frequencies = torch.bincount(draws[:, lane], minlength=3) / len(draws)
        torch.testing.assert_close(frequencies, logits[lane].softmax(-1), atol=0.03, rtol=0)


def test_the_checkpoints_own_decoding_settings_are_kept(checkpoint):
    """Else the baseline lane would not be what the user's own generate gives."""
    model, processor = checkpoint
    image, question = prompts(3)[2]
    before = model.generation_config.repetition_penalty
    try:
        model.generation_config.repetition_penalty = 1.7
        result = sinktrack.compare(
            model, processor, image=image, question=question, max_new_tokens=24
        )
        expected = solo(model, processor, image, question, None, 24)
    finally:
        model.generation_config.repetition_penalty = before
    assert list(result["baseline"].token_ids) == expected
    assert result.settings["repetition_penalty"] == 1.7


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"max_new_tokens": 0}, MethodError, "max_new_tokens is 0"),
        ({"max_new_tokens": 2.5}, MethodError, "max_new_tokens is 2.5"),
        ({"do_sample": True, "seed": -1}, MethodError, "seed is -1"),
        ({"methods": {}}, MethodError, "no methods"),
        ({"do_sample": True, "temperature": 0.0}, MethodError, "temperature is 0.0"),
        ({"do_sample": True, "top_p": 1.5}, MethodError, "top_p is 1.5"),
        ({"do_sample": True, "top_k": -1}, MethodError, "top_k is -1"),
        ({"image": None}, PromptError, "no picture"),
        ({"image": b"GIF?"}, PictureError, "not a picture"),
        ({"question": " \n"}, PromptError, "blank"),
        ({"question": "red " * 3000}, PromptError, r"\d+ tokens; the limit is 2000"),
        ({"methods": {"x": sinktrack.SinkTrack(inject_at={99})}}, MethodError, "99"),
    ],
)
def test_bad_arguments_are_refused_in_a_sentence(checkpoint, arguments, error, words):
    model, processor = checkpoint
    good = {"image": drawing(0), "question": "Is there a red circle?", "max_new_tokens": 2}
    with pytest.raises(error, match=words):
        sinktrack.compare(model, processor, **good | arguments)
    assert sinktrack.compare(model, processor, **good)


def test_running_out_of_memory_says_what_to_lower(checkpoint, monkeypatch):
    model, processor = checkpoint
    good = {"image": drawing(0), "question": "Is there a red circle?", "max_new_tokens": 2}

    def full(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory")

    with monkeypatch.context() as patch:
        patch.setattr("sinktrack.core.generate._next_logits", full)
        with pytest.raises(
            DeviceMemoryError, match=r"\d+ image tokens and 2 methods: take a small"
        ):
            sinktrack.compare(model, processor, **good)
    assert sinktrack.compare(model, processor, **good)


def test_other_runtime_errors_are_not_disguised(checkpoint, monkeypatch):
    model, processor = checkpoint

    def broken(*_, **__):
        raise RuntimeError("mine")

    monkeypatch.setattr("sinktrack.core.generate._next_logits", broken)
    with pytest.raises(RuntimeError, match="mine"):
        sinktrack.compare(model, processor, image=drawing(0), question="Is it red?")


def test_rows_that_part_where_qwen3_vl_still_adds_picture_features_are_read_apart():
    """Picture features join after its first layers, when rows that began as one could not part."""
    model = small_model("qwen3_vl")
    inputs = small_inputs(model)
    prompt = Prompt.of_inputs(model.config, inputs, torch.zeros_like(inputs["input_ids"]).bool())
    methods = {"plain": None, "early": sinktrack.SinkTrack(inject_at={1}, context="image")}
    *_, both = stream_prompt(model, Letters(), prompt, methods=methods)
    for name, method in methods.items():
        *_, alone = stream_prompt(model, Letters(), prompt, methods={name: method})
        assert both.comparison[name].token_ids == alone.comparison[name].token_ids
    assert both.comparison["early"].trace.write_layers == (1,)
    assert both.comparison["early"].token_ids != both.comparison["plain"].token_ids


def test_a_padded_prompt_is_refused():
    model = small_model("llama")
    inputs = small_inputs(model, padding=4)
    mask = torch.ones_like(inputs["input_ids"], dtype=torch.bool)
    prompt = Prompt.of_inputs(model.config, inputs, mask)
    with pytest.raises(PromptError, match="padding"):
        next(stream_prompt(model, Letters(), prompt))
