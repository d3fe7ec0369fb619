"""What every method promises: one table of all of them runs through the same tests.

A new method needs one row here, and nothing else.
"""

import json
import threading
from typing import Any

import pytest
import torch
from PIL import Image, ImageDraw
from small_models import small_inputs, small_model
from small_prompts import small_prompt
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

import sinktrack
from sinktrack.core.attach import attach
from sinktrack.core.decoding import Decoding
from sinktrack.core.errors import AttachError, MethodError, ModelError, PromptError
from sinktrack.core.generate import Generator
from sinktrack.core.intervention import Intervention, fit, share_of_depth
from sinktrack.core.prompt import Prompt, build_prompt
from sinktrack.core.upstream import merged_axes

PICTURE = Image.new("RGB", (140, 140), "white")
ImageDraw.Draw(PICTURE).ellipse((40, 40, 80, 80), fill="red")
ASKED: dict[str, Any] = {
    "image": PICTURE,
    "passage": "The blue star is in the hall. The red circle is in the attic.",
    "question": "Is there a red circle in the picture?",
}
TOKENS = 10

# Kind: parameters under which it acts, and those under which it must be the plain model; None for
# a probe, which has to be told what to take away.
ROWS: dict[str, tuple[dict[str, Any], dict[str, Any] | None]] = {
    "cad": ({"alpha": 2.0}, {"alpha": 0.0}),
    "cover": ({"positions": frozenset(range(3, 12))}, None),
    "crops": ({"threshold": 1.0}, {"alpha": 0.0, "beta": 0.0, "decay": 0.0}),
    "deco": ({}, {"alpha": 0.0, "top_p": 1.0, "top_k": 0}),
    "dola": ({}, {"alpha": 0.0, "beta": 0.0}),
    "hgai": ({"alpha": 2.0}, {"alpha": 0.0}),
    "icd": ({"alpha": 2.0}, {"alpha": 0.0, "beta": 0.0}),
    "lcd": ({}, {"alpha": 0.0, "beta": 0.0}),
    "m3id": ({"decay": 0.1, "threshold": 1.0}, {"decay": 0.0}),
    "pai": ({"alpha": 0.7}, {"alpha": 0.0}),
    "position-scale": ({"dimension": 5, "factor": -4.0}, {"dimension": 5, "factor": 1.0}),
    "plausibility": ({"beta": 0.5}, {"beta": 0.0}),
    "said-twice": ({}, {"times": 1}),
    "say-yes": ({"bias": 5.0}, {"bias": 0.0}),
    "sid": ({"alpha": 2.0}, {"alpha": 0.0, "beta": 0.0}),
    "silence": ({"heads": "1.0+1.1+4.2+4.3+6.0"}, None),
    "sinktrack": ({}, {"strength": 0.0}),
    "strength-0": ({}, {}),
    "vaf": ({"enhance": 2.0}, {"enhance": 1.0, "suppress": 1.0}),
    "var": ({"theta": 0.0, "rho": 1.0, "tau": 10.0}, {"p": 1.0}),
    "vista": ({}, {"strength": 0.0, "alpha": 0.0}),
    "vcd": ({"alpha": 2.0, "noise_step": 900}, {"alpha": 0.0, "beta": 0.0}),
}
EVERY = pytest.mark.parametrize("kind", sorted(ROWS))


@pytest.fixture(scope="module")
def model_and_processor(checkpoint):
    return checkpoint


def acting(kind: str, model: Any) -> Intervention:
    return sinktrack.methods.kind(kind).for_model(model, **ROWS[kind][0])


def answered(model, processor, method, **options):
    return sinktrack.compare(
        model,
        processor,
        **ASKED | options.pop("asked", {}),
        methods={"x": method},
        max_new_tokens=TOKENS,
        **options,
    )["x"]


def test_every_method_has_a_row():
    assert set(sinktrack.methods.available()) == set(ROWS)


@EVERY
def test_neutral_parameters_are_the_plain_model_and_say_so(kind, checkpoint):
    model, processor = checkpoint
    if ROWS[kind][1] is None:
        with pytest.raises(MethodError, match=f"^{kind} does not say which"):
            sinktrack.methods.kind(kind).for_model(model)
        return
    neutral = sinktrack.methods.kind(kind).for_model(model, **ROWS[kind][1])
    both = sinktrack.compare(
        model,
        processor,
        **ASKED,
        methods={"plain": None, "x": neutral},
        max_new_tokens=TOKENS,
    )
    assert both["x"].token_ids == both["plain"].token_ids
    assert torch.equal(both["x"].trace.share, both["plain"].trace.share)
    assert both["x"].notice.startswith("x moved nothing") and both["plain"].notice is None
    assert both["x"].notice in both.notices


@EVERY
def test_a_method_that_acts_says_how_far(kind, checkpoint):
    model, processor = checkpoint
    answer = answered(model, processor, acting(kind, model))
    if ROWS[kind][0] == ROWS[kind][1]:  # a control that does nothing, and says so
        assert answer.notice and not answer.moved
        return
    assert answer.notice is None and max(answer.moved.values()) > 0
    assert {name: float(each.max()) for name, each in answer.trace.moved.items()} == pytest.approx(
        answer.moved
    )
    for each in answer.trace.moved.values():
        assert len(each) == len(answer.token_ids) and each.isfinite().all()


@EVERY
def test_recording_changes_no_token(kind, checkpoint):
    model, processor = checkpoint
    method = acting(kind, model)
    on, off = (answered(model, processor, method, record=record) for record in (True, False))
    assert on.token_ids == off.token_ids and on.moved == off.moved and off.trace is None


@EVERY
def test_shares_stay_whole_and_the_trace_names_the_method(kind, checkpoint, close, tmp_path):
    model, processor = checkpoint
    trace = answered(model, processor, acting(kind, model)).trace
    close(trace.share.sum(-1), torch.ones(trace.share.shape[:-1]), 1e-5)
    assert trace.method == acting(kind, model).as_dict()
    trace.save(tmp_path / "x.safetensors")
    again = sinktrack.AttentionTrace.load(tmp_path / "x.safetensors")
    assert again.segments == trace.segments and again.moved.keys() == trace.moved.keys()
    assert sinktrack.methods.from_dict(again.method) == acting(kind, model)


@EVERY
def test_a_batch_equals_solo_runs(kind, checkpoint, close):
    model, processor = checkpoint
    methods = {"plain": None, "x": acting(kind, model)}
    asked = [ASKED | {"question": text} for text in ("What is it?", "Where is the red circle now?")]
    prompts = [
        build_prompt(model, processor, each["question"], [PICTURE], passage=each["passage"])
        for each in asked
    ]
    decoding = Decoding(max_new_tokens=TOKENS)
    generator = Generator(model, processor.tokenizer, prompts, methods, decoding=decoding)
    generator.run()
    for each, together in zip(asked, generator.comparisons(), strict=True):
        alone = sinktrack.compare(model, processor, **each, methods=methods, max_new_tokens=TOKENS)
        for name in methods:
            assert together[name].token_ids == alone[name].token_ids
            close(together[name].trace.share, alone[name].trace.share, 1e-4)
            assert together[name].moved == pytest.approx(alone[name].moved, abs=1e-3, rel=1e-3)


@pytest.fixture(scope="module")
def all_together(checkpoint):
    return together(checkpoint)


def together(checkpoint):
    model, processor = checkpoint
    methods = {each: acting(each, model) for each in ROWS}
    return sinktrack.compare(
        model, processor, **ASKED, methods={"plain": None} | methods, max_new_tokens=TOKENS
    )


@EVERY
def test_rows_beside_it_change_nothing(kind, checkpoint, all_together):
    """Every other method stands beside it, so each kind of row meets every other."""
    model, processor = checkpoint
    alone = answered(model, processor, acting(kind, model))
    assert all_together[kind].token_ids == alone.token_ids


@EVERY
def test_json_gives_it_back_equal(kind, checkpoint):
    method = acting(kind, checkpoint[0])
    said = json.loads(json.dumps(method.as_dict()))
    again = sinktrack.methods.from_dict(said)
    assert again == method and hash(again) == hash(method) and said["kind"] == kind


@EVERY
def test_attach_and_the_generator_agree(kind, checkpoint):
    model, processor = checkpoint
    method = acting(kind, model)
    prompt = build_prompt(model, processor, ASKED["question"], [PICTURE], passage=ASKED["passage"])
    if method.needs_prompts:
        with pytest.raises(MethodError, match="prompts of its own"), attach(model, method):
            pass
        return
    with attach(model, method, context_mask=prompt.instruction_mask) as recorder:
        ids = model.generate(**prompt.inputs, max_new_tokens=TOKENS, do_sample=False)
        trace = recorder.trace()
    answer = answered(model, processor, method)
    new = ids[0, prompt.inputs["input_ids"].shape[1] :].tolist()
    assert tuple(new) == answer.token_ids
    assert trace.moved.keys() == answer.trace.moved.keys()


@EVERY
def test_two_threads_get_what_they_get_alone(kind, checkpoint):
    model, processor = checkpoint
    method, found = acting(kind, model), {}

    def work(question: str) -> None:
        asked = {"question": question}
        found[question] = answered(model, processor, method, asked=asked).token_ids

    questions = ("What is it?", "Is there a blue star in the picture?")
    threads = [threading.Thread(target=work, args=(each,)) for each in questions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for question in questions:
        alone = answered(model, processor, method, asked={"question": question})
        assert found[question] == alone.token_ids


@EVERY
def test_nothing_stays_behind_after_an_exception(kind, checkpoint):
    model, processor = checkpoint

    def state():
        hooks = [
            len(module._forward_hooks) + len(module._forward_pre_hooks)
            for module in model.modules()
        ]
        return sum(hooks), model.config.get_text_config()._attn_implementation

    before = state()
    stream = sinktrack.stream(
        model, processor, **ASKED, methods={"x": acting(kind, model)}, max_new_tokens=TOKENS
    )
    next(stream)
    assert state() != before
    with pytest.raises(RuntimeError, match="on the way"):
        stream.throw(RuntimeError("on the way"))
    assert state() == before


@EVERY
def test_what_it_needs_is_asked_for_by_name(kind, checkpoint):
    model, processor = checkpoint
    method = acting(kind, model)
    if method.needs is None:
        return
    missing = "passage" if method.needs == "passage" else "image"
    asked = {name: value for name, value in ASKED.items() if name != missing}
    with pytest.raises(PromptError, match=f"x needs .* has no {missing}"):
        sinktrack.compare(model, processor, **asked, methods={"x": method})


@EVERY
def test_people_are_told_of_every_parameter(kind):
    chosen = sinktrack.methods.kind(kind)
    assert chosen.summary().endswith(".")
    for each in chosen.parameters():
        assert each.help.endswith(".") and each.range
        with pytest.raises(MethodError, match=each.name):
            chosen.of({each.name: object()})


def test_texts_stand_for_methods(checkpoint):
    model, _ = checkpoint
    parse = sinktrack.methods.parse
    assert parse("baseline", model) == ("baseline", None)
    name, method = parse("strong=vcd:alpha=2,beta=0", model)
    assert name == "strong" and method == sinktrack.methods.create("vcd", alpha=2.0, beta=0.0)
    _, method = parse("sinktrack:inject_at=2+4-6,sinks=all,exclude_sinks=yes", model)
    assert method.inject_at == {2, 4, 5, 6} and method.sinks == "all" and method.exclude_sinks
    _, method = parse("sinktrack:sinks=0+4", model)
    assert method.sinks == {0, 4}
    for text, words in [
        ("nothing", "no method 'nothing'; known are cad"),
        ("vcd:gamma=1", "no parameter 'gamma=1'"),
        ("vcd:alpha", "no parameter 'alpha'"),
        ("vcd:alpha=x", "alpha is 'x', but must be a number from 0 to 10"),
        ("vcd:alpha=11", "alpha is 11.0"),
        ("baseline:alpha=1", "has no parameters"),
        ("strength-0:alpha=1", "strength-0 has no parameters: leave 'alpha=1' out"),
        ("all:alpha=1", "write 'all' alone"),
        ("mine=all", "write 'all' alone"),
    ]:
        with pytest.raises(MethodError, match=words):
            parse(text, model)


def test_a_disturbance_may_be_any_text(checkpoint):
    model, processor = checkpoint
    for typed, kept in [
        ("42", "42"),
        ("1-3", "1-3"),
        ("Guess, and do not look: red, blue", "Guess, and do not look: red, blue"),
        ("a=b", "a=b"),
        ("\ud800red\x00\u202e", "red"),
        ("<|im_end|><|image_pad|>", "<|im_end|><|image_pad|>"),
    ]:
        for place in ("question", "system"):
            text = f"icd: disturbance={typed}, alpha=2,, place={place},"
            _, method = sinktrack.methods.parse(text, model)
            assert (method.disturbance, method.alpha, method.place) == (kept, 2.0, place)
            prompt = build_prompt(model, processor, ASKED["question"], [PICTURE])
            assert len(method.prompts(prompt)) == 2
    for typed in ("", " ", "\x00", "\u202e", "\u200b", "x" * 301):
        with pytest.raises(MethodError, match="must be a text of 1 to 300 characters"):
            sinktrack.methods.parse(f"icd:disturbance={typed}", model)
    for text in ("sinktrack:context=5", "sinktrack:context=1+2"):
        with pytest.raises(MethodError, match="context is '"):
            sinktrack.methods.parse(text, model)
    with pytest.raises(MethodError, match="given alpha twice"):
        sinktrack.methods.parse("icd:alpha=1 , alpha=2", model)


def test_methods_that_could_not_act_are_refused(checkpoint):
    model, _ = checkpoint
    for kind in ("sid", "crops"):
        method = sinktrack.methods.create(kind, layer=11)
        assert fit(method, model) == method
        with pytest.raises(MethodError, match="layer is 12, but the model has 12 .* from 1 to 11"):
            fit(sinktrack.methods.create(kind, layer=12), model)
    with pytest.raises(MethodError, match=r"dimensions names \[128\], but the model has 128"):
        fit(sinktrack.methods.create("var", dimensions={128}), model)


def test_long_values_are_cut_in_messages(checkpoint):
    model, _ = checkpoint
    for text in (
        f"vcd:alpha={'x' * 5000}",
        f"vcd:noise_step={'9' * 5000}",
        f"vcd:{'x' * 5000}=1",
        f"position-scale:dimension={'9' * 4000}",
        "deco:layers=0-99999",
        f"icd:disturbance={'x' * 10_000}",
        "x" * 5000,
        "=" + "x" * 5000,
    ):
        with pytest.raises(MethodError) as error:
            sinktrack.methods.parse(text, model)
        assert 40 < len(str(error.value)) < 400, text[:20]
    with pytest.raises(MethodError, match="alpha is a number of thousands of digits, but must be"):
        sinktrack.methods.create("vcd", alpha=16**9000)


def test_depth_is_kept_as_a_share():
    assert share_of_depth(2, 31, 32, 32) == frozenset(range(2, 32))
    assert share_of_depth(2, 31, 32, 28) == frozenset(range(2, 28))
    assert share_of_depth(9, 14, 32, 28) == frozenset(range(8, 13))


# Slow references: what two of them compute, written out on eager attention and whole prompts.


def test_vcd_is_its_formula(checkpoint, close):
    model, processor = checkpoint
    method = sinktrack.methods.create("vcd", alpha=1.5, beta=0.2)
    prompt = build_prompt(model, processor, ASKED["question"], [PICTURE])
    main, noised = method.prompts(prompt)
    assert not torch.equal(main.inputs["pixel_values"], noised.inputs["pixel_values"])
    halves = noised.inputs["pixel_values"].view(-1, 3, 2, 14 * 14)
    assert torch.equal(halves[:, :, 0], halves[:, :, 1])  # one noise for both copies in time
    answer = sinktrack.compare(
        model, processor, image=PICTURE, question=ASKED["question"],
        methods={"x": method}, max_new_tokens=6,
    )["x"]  # fmt: skip
    ids: list[int] = []
    for _ in answer.token_ids:
        logits = []
        for each in (main, noised):
            inputs = dict(each.inputs)
            more = torch.tensor([ids], dtype=torch.long)
            inputs["input_ids"] = torch.cat([inputs["input_ids"], more], dim=1)
            for name in ("attention_mask", "mm_token_type_ids"):
                fill = torch.full_like(more, int(name == "attention_mask"))
                inputs[name] = torch.cat([inputs[name], fill.to(inputs[name].dtype)], dim=1)
            with torch.no_grad():
                logits.append(model(**inputs).logits[0, -1])
        z = 2.5 * logits[0] - 1.5 * logits[1]
        kept = logits[0].softmax(-1) >= 0.2 * logits[0].softmax(-1).max()
        z[~kept] = float("-inf")
        ids.append(int(z.argmax()))
    assert tuple(ids) == answer.token_ids


def test_pai_is_its_formula(close):
    """The last query's attention on picture tokens is that of scores raised by their size."""
    model = small_model("qwen2_5_vl")
    inputs = small_inputs(model)
    image = inputs["input_ids"][0] == 310
    plain, raised = {}, {}
    method = sinktrack.methods.create("pai", alpha=0.5, layers={7})

    def keep(into):
        def hook(module, args, kwargs, output):
            into["hidden"] = kwargs["hidden_states"].detach()
            into["rotary"] = kwargs["position_embeddings"]

        return hook

    attention = model.model.language_model.layers[7].self_attn
    handle = attention.register_forward_hook(keep(plain), with_kwargs=True)
    with torch.no_grad(), attach(model) as recorder:
        model(**inputs)
        before = recorder.trace()
    handle.remove()
    with torch.no_grad(), attach(model, method) as recorder:
        model(**inputs)
        after = recorder.trace()
    assert torch.equal(before.share[0, :7], after.share[0, :7])
    # From the recorded shares alone the scores are unknown, so work them out again.
    hidden = plain["hidden"]
    shape = (*hidden.shape[:2], -1, 16)
    query, key = (
        proj(hidden).view(shape).transpose(1, 2) for proj in (attention.q_proj, attention.k_proj)
    )
    config = model.config.get_text_config()
    cos, sin = (merged_axes(part, config) for part in plain["rotary"])
    query, key = apply_rotary_pos_emb(query, key, cos, sin)
    scores = query[0, :, -1:] @ key[0].repeat_interleave(2, dim=0).transpose(1, 2) * 16**-0.5
    scores[..., image] += 0.5 * scores[..., image].abs()
    raised["on image"] = scores.softmax(-1)[:, 0, image].sum(-1)
    close(after.on("image")[0, 7], raised["on image"], 1e-5)


def test_cad_reads_the_question_without_its_passage(checkpoint):
    model, processor = checkpoint
    prompt = build_prompt(model, processor, "Where is it?", passage=ASKED["passage"])
    main, other = sinktrack.methods.create("cad").prompts(prompt)
    assert main is prompt and other.question == prompt.question and not other.passage
    bare = build_prompt(model, processor, "Where is it?", needs_picture=False)
    assert torch.equal(other.inputs["input_ids"], bare.inputs["input_ids"])


def test_a_prompt_of_ones_own_cannot_lose_a_part():
    model = small_model("llama")
    prompt = Prompt.of_inputs(model.config, small_inputs(model))
    with pytest.raises(PromptError, match="no passage that could be left out"):
        prompt.without("passage")


def test_a_method_that_changes_layers_before_its_first_is_found_out():
    from sinktrack.core.intervention import Hooks

    class Early(Hooks):
        act_at = (2,)

        def residual(self, layer, hidden, prefill):
            return hidden + 1

    class Wrong(Intervention):
        def first_layer(self, num_layers):
            return 5

        def start(self, prompts, rows, model):
            return Early()

    model = small_model("llama")
    with pytest.raises(MethodError, match="changes layer 2, but says"), attach(model, Wrong()):
        model(**small_inputs(model))


def test_every_hook_reaches_the_model(close):
    """A method of one's own may change any place, in attach and in later steps alike."""
    from sinktrack.core.intervention import Hooks

    class All(Hooks):
        lens = (3,)

        def residual(self, layer, hidden, prefill):
            return hidden * 1.01 if layer == 4 else None

        def after_mlp(self, layer, output, prefill):
            return output * 0.9 if layer == 5 else None

        def values(self, call, prefill):
            return call.value * 1.1 if call.layer == 6 and prefill else None

        def scores(self, call, prefill):
            return torch.ones_like(call.scores()) * call.of_kind("rest")[:, None, None]

        def attention(self, call, output, prefill):
            return output * 1.2 if call.layer == 7 else None

        def logits(self, logits, lens):
            assert lens(3).shape == logits.shape
            return logits[:, 0] * 2

    class Everything(Intervention):
        def first_layer(self, num_layers):
            return 4

        def start(self, prompts, rows, model):
            return All()

    model = small_model("llama")
    inputs = small_inputs(model)
    with attach(model, Everything()) as recorder:
        model.generate(**inputs, max_new_tokens=4, do_sample=False)
        trace = recorder.trace()
    assert set(trace.moved) == {"residual", "mlp", "values", "output", "logits", "kl", "attention"}
    assert all(trace.moved["residual"][:, 4] > 0.009) and not trace.moved["residual"][:, 5].any()
    assert trace.moved["values"][0, 6] > 0.09 and not trace.moved["values"][1:].any()


def test_scores_of_more_queries_than_were_said_are_refused():
    from sinktrack.core.intervention import Hooks

    class Wide(Hooks):
        def scores(self, call, prefill):
            return torch.zeros(len(call.rows), 1, call.query.shape[2], call.key.shape[2])

    class Wrong(Intervention):
        def first_layer(self, num_layers):
            return 0

        def start(self, prompts, rows, model):
            return Wide()

    model = small_model("llama")
    with pytest.raises(MethodError, match="set `queries` to how many"), attach(model, Wrong()):
        model(**small_inputs(model))


# What a second reader found.


def rows_of(model, prompts, methods, tokens=8, **options):
    decoding = Decoding(max_new_tokens=tokens)
    generator = Generator(model, Wordless(), prompts, methods, decoding=decoding, **options)
    generator.run()
    return generator


class Wordless:
    """A tokenizer for models without one."""

    def decode(self, ids, **_):
        return ""


def test_pai_leaves_hidden_keys_hidden():
    """Behind a sliding window the picture is out of view, and -inf plus inf is no number."""
    model = small_model("gemma3", sliding_window=8)
    prompt = Prompt.of_inputs(model.config, small_inputs(model))
    generator = rows_of(model, [prompt], {"x": sinktrack.methods.create("pai", alpha=0.7)})
    comparison = generator.comparisons()[0]["x"]
    assert all(0 < each <= 1 for each in comparison.probabilities)
    assert comparison.trace.share.isfinite().all() and comparison.notice is None


def test_a_short_row_of_a_windowed_batch_answers_as_it_does_alone():
    """Shorter than the first tokens that are kept, so that it forgets nothing for a while."""
    model = small_model("llama")
    window = sinktrack.SinkWindow(sinks=16, window=8)
    prompts = [
        Prompt.of_inputs(model.config, small_inputs(model, text_tokens=n, seed=n)) for n in (40, 5)
    ]
    together = rows_of(model, prompts, {"x": None}, tokens=32, cache=window)
    for prompt, (row,) in zip(prompts, together.rows, strict=True):
        alone = rows_of(model, [prompt], {"x": None}, tokens=32, cache=window)
        assert row.ids == alone.rows[0][0].ids


def test_attach_refuses_what_the_prompt_lacks_and_what_it_cannot_reach():
    model = small_model("qwen2_5_vl")
    inputs = small_inputs(model, images=0)
    inputs = {name: inputs[name] for name in ("input_ids", "attention_mask")}
    pai = sinktrack.methods.create("pai")
    with pytest.raises(PromptError, match="no image"), attach(model, pai):
        model(**inputs)
    padded = {name: torch.nn.functional.pad(each, (0, 3)) for name, each in inputs.items()}
    cut = sinktrack.methods.create("plausibility", beta=1.0)
    with (
        pytest.raises(PromptError, match="padding on the right"),
        attach(model, cut, record=False),
    ):
        model(**padded)
    with pytest.raises(AttachError, match="return_dict=True"), attach(model, cut):
        model(**inputs, return_dict=False)


def test_a_model_that_gives_no_numbers_is_not_answered_with_token_zero():
    model = small_model("llama")
    with torch.no_grad():
        model.model.layers[3].mlp.down_proj.weight.fill_(float("nan"))
    prompt = Prompt.of_inputs(model.config, small_inputs(model))
    with pytest.raises(ModelError, match="no numbers in torch.float32"):
        rows_of(model, [prompt], {"plain": None})


def test_cad_leaves_videos_out_with_the_pictures(checkpoint):
    prompt = build_prompt(*checkpoint, "What is it?", [PICTURE], video=[PICTURE] * 4)
    assert set(prompt.without("image").names) == {"sink", "instruction", "rest", "generated"}


def test_what_moved_is_kept_once_where_nothing_is_recorded():
    """An answer of any length takes constant memory."""
    model = small_model("qwen2_5_vl")
    prompt = Prompt.of_inputs(model.config, small_inputs(model))
    generator = rows_of(
        model, [prompt], {"x": sinktrack.methods.create("pai")}, tokens=12, record=False
    )
    running = generator._attachment.running_of(0)
    assert len(running._moved) == 1 and generator.rows[0][0].moved["attention"] > 0


def test_every_token_of_the_context_may_be_read_where_the_first_write_is():
    model = small_model("llama")
    method = sinktrack.SinkTrack(inject_at={0, 4}, context="prompt", exclude_sinks=True)
    with torch.no_grad(), attach(model, method) as recorder:
        model(**small_inputs(model))
        assert 0 not in recorder.trace().context_positions


def test_numbers_beyond_all_bounds_are_refused():
    with pytest.raises(MethodError, match="alpha is 1"):
        sinktrack.methods.create("vcd", alpha=10**400)
    for text in ("sinktrack:inject_at=9-2", "pai:layers="):
        with pytest.raises(MethodError, match="must be layers"):
            sinktrack.methods.check(text)


def test_deco_may_be_asked_for_more_tokens_than_there_are():
    model = small_model("qwen2")
    prompt = Prompt.of_inputs(model.config, small_inputs(model))
    texts = {"some": "deco:top_k=1000,top_p=1", "all": "deco:top_k=0,top_p=1"}
    methods = {name: sinktrack.methods.parse(text, model)[1] for name, text in texts.items()}
    some, everything = rows_of(model, [prompt], methods, tokens=3).rows[0]
    assert some.ids == everything.ids


def test_where_a_mask_leaves_only_what_may_not_be_said_the_plain_model_chooses():
    """The mask may leave the end of an answer alone, where the answer must not end yet."""
    model = small_model("qwen2")
    prompt = Prompt.of_inputs(model.config, small_inputs(model))
    first = rows_of(model, [prompt], {"plain": None}, tokens=1).rows[0][0].ids
    mask = sinktrack.methods.create("plausibility", beta=1.0)
    for sampled in (False, True):
        decoding = Decoding(max_new_tokens=1, bad_words_ids=[first], do_sample=sampled)
        methods = {"plain": None, "mask": mask}
        generator = Generator(model, Wordless(), [prompt], methods, decoding=decoding)
        generator.run()
        plain, masked = generator.rows[0]
        assert masked.ids == plain.ids != [0]


def test_padding_counts_for_nothing_that_was_moved():
    model = small_model("qwen2_5_vl")
    prompts = [small_prompt(model, words=1), small_prompt(model, words=40, seed=10)]
    methods = {"x": sinktrack.methods.kind("vista").for_model(model)}
    alone, padded = (
        rows_of(model, some, methods, tokens=1).rows[0][0].moved for some in (prompts[:1], prompts)
    )
    assert padded["mlp"] == pytest.approx(alone["mlp"], rel=1e-3)


def test_more_is_said_right_beside_the_question_wherever_it_stands(checkpoint):
    model, processor = checkpoint
    content = [
        {"type": "text", "text": "Look at this."},
        {"type": "image", "image": PICTURE},
        {"type": "text", "text": "Is it red?"},
    ]
    prompt = build_prompt(model, processor, messages=[{"role": "user", "content": content}])
    for kind, said in [("icd", "object detector. Is it red?"), ("said-twice", "Is it red?\n\n")]:
        other = sinktrack.methods.create(kind).prompts(prompt)[-1]
        first, picture, last = other.turns[-1].content
        assert first.text == "Look at this." and picture == prompt.turns[-1].content[1]
        assert said in last.text
