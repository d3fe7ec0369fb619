"""One loop for all answers: every row of a batch answers, and is recorded, as if it were alone."""

import pytest
import torch
from PIL import Image
from small_models import FAMILIES, IMAGE_TOKEN, TEXT, small_inputs, small_model

import sinktrack
from sinktrack.core.answer_batch import answer_batch
from sinktrack.core.batch import batch_size, filled, method_groups
from sinktrack.core.decoding import Decoding
from sinktrack.core.errors import MethodError, PromptError
from sinktrack.core.generate import Generator
from sinktrack.core.images import Picture
from sinktrack.core.prompt import Prompt, build_prompt
from sinktrack.methods import create


class Letters:
    """A tokenizer for the random models: every id is a letter of its own."""

    def decode(self, ids, **_):
        return "".join(chr(0x4E00 + i) for i in ids)


def as_prompt(model, inputs):
    mask = torch.zeros_like(inputs["input_ids"], dtype=torch.bool)
    mask[:, -4:] = True
    return Prompt.of_inputs(model.config, inputs, mask)


def compared(model, prompts, methods, tokens=6, **options):
    generator = Generator(
        model, Letters(), prompts, methods, decoding=Decoding(max_new_tokens=tokens), **options
    )
    generator.run()
    return generator.comparisons()


def check_equal(together, alone, close):
    for lane in alone:
        found, expected = together[lane], alone[lane]
        assert found.token_ids == expected.token_ids and found.finish == expected.finish
        for name in ("share", "sink", "delivered", "context_attention", "image_scale"):
            close(getattr(found.trace, name), getattr(expected.trace, name), 1e-4)
        for name in ("prompt_ids", "prompt_segments", "context_positions"):
            assert torch.equal(getattr(found.trace, name), getattr(expected.trace, name)), name


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_every_row_of_a_batch_answers_as_it_does_alone(name, close):
    """Of different lengths, in three prompts, which are as many as the axes of a picture."""
    model = small_model(name)
    prompts = [as_prompt(model, small_inputs(model, text_tokens=n, seed=n)) for n in (20, 9, 14)]
    methods = {
        "plain": None,
        "published": sinktrack.SinkTrack.for_model(model),
        "instruction": sinktrack.SinkTrack(inject_at={3, 6}, context="instruction"),
    }
    together = compared(model, prompts, methods)
    for prompt, comparison in zip(prompts, together, strict=True):
        check_equal(comparison, compared(model, [prompt], methods)[0], close)


@pytest.mark.parametrize("name", [each for each in sorted(FAMILIES) if each not in TEXT])
def test_pictures_in_some_rows_only(name, close):
    model = small_model(name)
    texts = small_model("gemma3_text" if name == "gemma3" else "qwen2")
    without = small_inputs(texts, text_tokens=12, seed=5)
    prompts = [
        as_prompt(model, small_inputs(model, seed=1)),
        as_prompt(model, without),
        as_prompt(model, small_inputs(model, images=2, seed=2)),
    ]
    methods = {"plain": None, "x": sinktrack.SinkTrack(inject_at={4}, context="prompt")}
    together = compared(model, prompts, methods)
    for prompt, comparison in zip(prompts, together, strict=True):
        check_equal(comparison, compared(model, [prompt], methods)[0], close)
    maps = [len(comparison["x"].trace.image_maps) for comparison in together]
    assert maps == [1, 0, 2]


@pytest.mark.parametrize("name", ["qwen2_5_vl", "llama"])
def test_a_window_is_cut_for_every_row_as_alone(name, close):
    model = small_model(name)
    prompts = [as_prompt(model, small_inputs(model, text_tokens=n, seed=n)) for n in (20, 5)]
    methods = {"plain": None, "x": sinktrack.SinkTrack.for_model(model)}
    window = sinktrack.SinkWindow(sinks=2, window=7)
    together = compared(model, prompts, methods, tokens=14, cache=window)
    for prompt, comparison in zip(prompts, together, strict=True):
        alone = compared(model, [prompt], methods, tokens=14, cache=window)[0]
        check_equal(comparison, alone, close)


def test_recording_changes_no_token_of_a_batch():
    model = small_model("qwen2_5_vl")
    prompts = [as_prompt(model, small_inputs(model, text_tokens=n, seed=n)) for n in (12, 7)]
    methods = {"plain": None, "x": sinktrack.SinkTrack.for_model(model)}
    on, off = (compared(model, prompts, methods, record=record) for record in (True, False))
    for recorded, plain in zip(on, off, strict=True):
        for lane in plain:
            assert recorded[lane].token_ids == plain[lane].token_ids and plain[lane].trace is None


def test_sampled_rows_draw_what_they_draw_alone():
    """Each prompt gets the noise of a run of its own, so a batch changes no answer."""
    model = small_model("llama")
    prompts = [as_prompt(model, small_inputs(model, text_tokens=n, seed=n)) for n in (12, 7)]
    decoding = Decoding(max_new_tokens=8, do_sample=True, temperature=1.5, seed=3)

    def sampled(prompts):
        generator = Generator(model, Letters(), prompts, {"x": None}, decoding=decoding)
        generator.run()
        return [comparison["x"].token_ids for comparison in generator.comparisons()]

    together = sampled(prompts)
    assert together == [sampled([prompt])[0] for prompt in prompts]
    assert together[0] != together[1]


def test_padding_counts_for_no_repetition_penalty():
    model = small_model("llama")
    model.generation_config.repetition_penalty = 1.8
    prompts = [as_prompt(model, small_inputs(model, text_tokens=n, seed=n)) for n in (16, 5)]
    together = compared(model, prompts, {"x": None})
    for prompt, comparison in zip(prompts, together, strict=True):
        alone = compared(model, [prompt], {"x": None})[0]
        assert comparison["x"].token_ids == alone["x"].token_ids


def test_a_batch_equals_generate(checkpoint):
    model, processor = checkpoint
    picture = Picture(Image.new("RGB", (140, 140), "white"))
    questions = ["Describe the picture.", "Is there a red circle in the picture?", "What is it?"]
    prompts = [build_prompt(model, processor, each, [picture]) for each in questions]
    methods = {"plain": None, "x": sinktrack.SinkTrack.for_model(model)}
    texts = answer_batch(model, processor, prompts, methods, decoding=Decoding(max_new_tokens=16))
    for prompt, found in zip(prompts, texts, strict=True):
        for lane, method in methods.items():
            with sinktrack.attach(model, method, context_mask=prompt.instruction_mask):
                ids = model.generate(**prompt.inputs, max_new_tokens=16, do_sample=False)
            new = ids[0, prompt.inputs["input_ids"].shape[1] :]
            expected = processor.tokenizer.decode(new, skip_special_tokens=True).strip()
            assert {row.name: row.whole_text for row in found}[lane] == expected


def test_what_is_sampled_for_a_prompt_does_not_depend_on_those_beside_it():
    """Each prompt has noise of its own, which its methods share."""
    model = small_model("llama")
    prompts = [as_prompt(model, small_inputs(model, text_tokens=n, seed=n)) for n in (12, 12, 7)]
    methods = {"plain": None, "again": None}
    decoding = Decoding(max_new_tokens=6, do_sample=True, temperature=1.0, top_k=0)

    def sampled(prompts, seeds):
        generator = Generator(
            model, Letters(), prompts, methods, decoding=decoding, record=False, seeds=seeds
        )
        generator.run()
        return [[row.ids for row in rows] for rows in generator.rows]

    together = sampled(prompts, [5, 6, 7])
    assert together == [
        sampled([prompt], [seed])[0] for prompt, seed in zip(prompts, (5, 6, 7), strict=True)
    ]
    assert all(plain == again for plain, again in together)
    assert together[0] != together[1]  # one prompt twice, with two seeds
    assert sampled(prompts[:2], [5, 5])[0] == sampled(prompts[:2], [5, 5])[1] == together[0]


def test_methods_are_parted_so_that_their_rows_fit(checkpoint):
    """A contrast takes two rows a prompt, and a method that bears no padding stands apart."""
    model = checkpoint[0]
    methods = {
        "plain": None,
        "official": sinktrack.SinkTrack.for_model(model, causal="official"),
        "vcd": sinktrack.methods.create("vcd"),
        "pai": sinktrack.methods.kind("pai").for_model(model),
    }

    def names(rows):
        return [list(group) for group in method_groups(methods, rows)]

    assert names(4) == [["plain", "vcd", "pai"], ["official"]]
    assert names(3) == [["plain", "vcd"], ["pai"], ["official"]]
    assert names(1) == [["plain"], ["vcd"], ["pai"], ["official"]]
    together = method_groups(methods, 9)[0]
    assert [batch_size(together, rows) for rows in (3, 4, 7, 8)] == [1, 1, 1, 2]


def test_each_prompt_ends_at_its_own_end():
    model = small_model("llama")
    prompts = [as_prompt(model, small_inputs(model, text_tokens=n, seed=n)) for n in (12, 7)]
    free = compared(model, prompts, {"x": None}, tokens=8)
    end = free[0]["x"].token_ids[2]
    model.generation_config.eos_token_id = end
    first, second = compared(model, prompts, {"x": None}, tokens=8)
    ids = free[0]["x"].token_ids
    assert first["x"].finish == "eos" and first["x"].token_ids == ids[: ids.index(end) + 1]
    assert len(first["x"].trace.sink) == len(first["x"].token_ids)
    other = free[1]["x"].token_ids
    cut = other.index(end) + 1 if end in other else 8
    assert second["x"].token_ids == other[:cut]


def written(model, tokenizer, prompts, methods, tokens, **options):
    """What every row wrote without recording, and how many rows each forward pass read."""
    rows = []

    def count(module, args, kwargs):
        rows.append(len(kwargs["input_ids"]))

    generator = Generator(
        model,
        tokenizer,
        prompts,
        methods,
        decoding=Decoding(max_new_tokens=tokens, repetition_penalty=1.2),
        record=False,
        **options,
    )
    with model.register_forward_pre_hook(count, with_kwargs=True):
        generator.run()
    return [{row.name: row.ids for row in own} for own in generator.rows], rows


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_rows_that_have_ended_are_read_no_longer(name):
    model = small_model(name)
    prompts = [as_prompt(model, small_inputs(model, text_tokens=n, seed=n)) for n in (20, 9, 14)]
    methods = {"plain": None, "x": sinktrack.SinkTrack(inject_at={3, 6}, context="instruction")}
    free, rows = written(model, Letters(), prompts, methods, 12)
    assert rows == [3] + 11 * [6]
    ends = [free[0]["plain"][2], free[1]["x"][4]]
    model.generation_config.eos_token_id = ends
    ended, rows = written(model, Letters(), prompts, methods, 12)
    assert min(rows) < 6 and sorted(rows[1:], reverse=True) == rows[1:]
    for own, whole in zip(ended, free, strict=True):
        for lane, ids in own.items():
            cut = [at for at, each in enumerate(whole[lane]) if each in ends]
            assert ids == (whole[lane][: cut[0] + 1] if cut else whole[lane])


def test_rows_that_have_ended_take_no_picture_along(checkpoint):
    """Of pictures of several sizes, behind which text has positions of its own."""
    model, processor = checkpoint
    asked = [("Is there a red circle?", 112), ("Describe the picture.", 140), ("What is it?", 84)]
    prompts = [
        build_prompt(model, processor, text, [Picture(Image.new("RGB", (size, 112), "white"))])
        for text, size in asked
    ]
    for methods in (
        {"plain": None, "x": sinktrack.SinkTrack.for_model(model)},
        {"plain": None, "vcd": create("vcd")},
    ):
        together, rows = written(model, processor.tokenizer, prompts, methods, 40)
        assert min(rows[1:]) < max(rows[1:])
        for prompt, own in zip(prompts, together, strict=True):
            assert own == written(model, processor.tokenizer, [prompt], methods, 40)[0][0]


def test_rows_stay_where_something_knows_them_by_their_number(checkpoint):
    model, processor = checkpoint
    asked = ["Is there a red circle?", "Describe the picture."]
    picture = Picture(Image.new("RGB", (112, 112), "white"))
    prompts = [build_prompt(model, processor, each, [picture]) for each in asked]
    window = sinktrack.SinkWindow(sinks=1, window=48)
    for methods, options in (({"pai": create("pai")}, {}), ({"plain": None}, {"cache": window})):
        _, rows = written(model, processor.tokenizer, prompts, methods, 40, **options)
        assert set(rows) == {2}


@pytest.mark.parametrize("record", [True, False])
def test_a_step_calls_nothing_in_a_layer_unless_it_is_recorded(record):
    model = small_model("qwen2")
    prompt = as_prompt(model, small_inputs(model, text_tokens=12))
    methods = {"plain": None, "x": sinktrack.SinkTrack(inject_at={3}, context="instruction")}
    generator = Generator(
        model, Letters(), [prompt], methods, decoding=Decoding(max_new_tokens=4), record=record
    )
    hooks = []
    for _ in generator.steps():
        parts = [each for layer in model.model.layers for each in layer.modules()]
        hooks.append(sum(len(each._forward_hooks) + len(each._forward_pre_hooks) for each in parts))
    layers = model.config.num_hidden_layers
    assert hooks[1:] == [layers if record else 0] * 3
    assert (model.config._attn_implementation == "sdpa") or record


def test_an_answer_that_begins_as_it_would_is_the_same(close):
    """The first words told, and those of another method, on which each goes on by itself."""
    model = small_model("qwen2_5_vl")
    prompts = [as_prompt(model, small_inputs(model, text_tokens=n, seed=n)) for n in (20, 9)]
    methods = {"plain": None, "x": sinktrack.SinkTrack(inject_at={3, 6}, context="instruction")}
    [free, alone] = compared(model, prompts, methods, tokens=8)
    own = {name: answer.token_ids[:5] for name, answer in free.items()}
    [told, _] = compared(model, prompts, methods, tokens=8, beginnings=[own, {}])
    check_equal(told, free, close)
    for name in methods:
        assert told[name].probabilities == free[name].probabilities
        assert torch.equal(told[name].trace.candidates, free[name].trace.candidates)
    [swapped, other] = compared(
        model,
        prompts,
        methods,
        tokens=8,
        beginnings=[{"plain": free["x"].token_ids[:3]}, {"x": alone["x"].token_ids[:5]}],
    )
    check_equal(other, alone, close)
    assert other.settings["beginnings"] == {"x": list(alone["x"].token_ids[:5])}
    assert swapped["plain"].token_ids[:3] == free["x"].token_ids[:3] != own["plain"][:3]
    assert swapped["x"].token_ids == free["x"].token_ids
    given = small_inputs(model, text_tokens=20, seed=20)
    begun = torch.cat([given["input_ids"], torch.tensor([free["x"].token_ids[:3]])], dim=1)
    grown = {"input_ids": begun, "mm_token_type_ids": (begun == IMAGE_TOKEN).int()}
    going = model.generate(
        **given | grown | {"attention_mask": torch.ones_like(begun)},
        max_new_tokens=5,
        do_sample=False,
    )
    assert tuple(going[0, begun.shape[1] :].tolist()) == swapped["plain"].token_ids[3:]


def test_a_beginning_of_no_method_is_refused():
    model = small_model("llama")
    prompt = as_prompt(model, small_inputs(model))
    with pytest.raises(MethodError, match="There is a beginning for 'y', which does not answer"):
        compared(model, [prompt], {"x": None}, beginnings=[{"y": [3]}])
    for ids in ([320], [-1], [2.5]):
        with pytest.raises(MethodError, match="'x' must hold token ids from 0 to 319"):
            compared(model, [prompt], {"x": None}, beginnings=[{"x": ids}])


def test_the_shifted_mask_is_not_lost_to_padding():
    """The public code shifts the mask without padding alone, so a batch would change the method."""
    model = small_model("llama")
    prompts = [as_prompt(model, small_inputs(model, text_tokens=n, seed=n)) for n in (12, 12, 7)]
    methods = {"x": sinktrack.SinkTrack.for_model(model, causal="official")}
    with pytest.raises(MethodError, match="cannot be one batch: answer them one by one"):
        compared(model, prompts, methods)
    assert batch_size(methods, 8) == 1
    assert batch_size({"plain": None}, 8) == 8
    together = compared(model, prompts[:2], methods)
    for prompt, comparison in zip(prompts, together, strict=False):
        alone = compared(model, [prompt], methods)[0]
        assert comparison["x"].token_ids == alone["x"].token_ids


def test_a_rotation_that_stretches_is_no_other_family():
    """YaRN, as Qwen's checkpoints use it for long contexts."""
    yarn = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64}
    model = small_model("qwen2", rope_parameters=yarn | {"rope_theta": 1e4})
    prompt = as_prompt(model, small_inputs(model))
    methods = {"plain": None, "x": sinktrack.SinkTrack.for_model(model)}
    window = sinktrack.SinkWindow(window=8)
    for cache in ("full", window):
        assert compared(model, [prompt], methods, cache=cache)[0]["x"].trace.write_layers


def test_a_generator_answers_once():
    model = small_model("llama")
    prompt = as_prompt(model, small_inputs(model))
    generator = Generator(
        model, Letters(), [prompt], {"x": None}, decoding=Decoding(max_new_tokens=2)
    )
    assert len(list(generator.steps())) == 2
    with pytest.raises(PromptError, match="written already"):
        next(generator.steps())
    with pytest.raises(PromptError, match="no prompt"):
        compared(model, [], {"x": None})


def test_no_methods_and_padded_prompts_are_refused():
    model = small_model("llama")
    prompt = as_prompt(model, small_inputs(model))
    with pytest.raises(MethodError, match="no methods"):
        compared(model, [prompt], {})
    with pytest.raises(PromptError, match="padding"):
        compared(model, [as_prompt(model, small_inputs(model, padding=3))], {"x": None})


def test_a_batch_is_filled_by_tokens(monkeypatch):
    model = small_model("llama")
    inputs = [small_inputs(model, text_tokens=count) for count in (9, 99)]
    short, long = (as_prompt(model, each) for each in inputs)
    methods = {"plain": None, "sinktrack": sinktrack.SinkTrack.for_model(model)}

    def sizes(prompts, rows):
        return [len(each) for each in filled(prompts, methods, rows)]

    assert sizes([short] * 5, 4) == [2, 2, 1]
    tokens = long.inputs["input_ids"].shape[1]
    monkeypatch.setattr("sinktrack.core.batch.AT_ONCE", 2 * 2 * tokens)
    assert sizes([long, long, long, short, short], 100) == [2, 2, 1]
    assert sizes([short] * 3 + [long], 100) == [3, 1]
    monkeypatch.setattr("sinktrack.core.batch.AT_ONCE", 1)
    assert sizes([short, long], 100) == [1, 1]
