"""Other harnesses ask a model with one method: by their settings, with the library's answers.

What the plug-ins share is tested everywhere; a plug-in itself where its harness is installed.
"""

import ast
import json
import math
import re
from types import SimpleNamespace

import pytest
from asked import picture
from paths import ROOT

import sinktrack
from sinktrack.core.errors import MethodError, ModelError, PromptError
from sinktrack.harnesses import __main__ as command
from sinktrack.harnesses.answering import (
    Answering,
    Request,
    before_ends,
    decoding_of,
    method_text,
    one_process,
    seeds_of,
)

QUESTION = "Is there a red circle in the picture?"


def asking(**options):
    return Answering("shapes-vl-anchored", device="cpu", **options)


@pytest.fixture(scope="module")
def answering():
    """The method with arguments, on a checkpoint that reads its sink."""
    return asking(method="sinktrack", inject_at=[2, 5], batch_size=2)


def messages(question=QUESTION):
    return [
        {"role": "system", "content": "Answer briefly."},
        {"role": "user", "content": [{"type": "text", "text": "What is it?"}]},
        {"role": "assistant", "content": "A picture."},
        {
            "role": "user",
            "content": [
                {"type": "image", "image": picture(112, 84)},
                {"type": "text", "text": question},
            ],
        },
    ]


def test_settings_become_a_decoding():
    settings = {"max_gen_toks": 7, "until": ["\n", "."], "temperature": 0.5, "top_p": 0.9}
    decoding = decoding_of(settings | {"do_sample": None, "num_beams": 1}, longest=3, seed=5)
    assert (decoding.max_new_tokens, decoding.do_sample, decoding.seed) == (7, True, 5)
    assert (decoding.temperature, decoding.top_p) == (0.5, 0.9)
    assert decoding.stop_strings == ("\n", ".")
    assert decoding_of({"until": "Q:", "seed": 2}, longest=3, seed=5).stop_strings == ("Q:",)
    assert decoding_of({"seed": 2}, longest=3, seed=5).seed == 2


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"temperature": 0, "top_p": 0, "do_sample": True},
        {"temperature": 0.0, "until": []},
        {"do_sample": False, "temperature": 0.7, "top_k": 1},
    ],
)
def test_what_samples_nothing_is_greedy(settings):
    """Harnesses write top_p=0 beside temperature=0, which changes no likeliest token."""
    decoding = decoding_of(settings, longest=3)
    assert not decoding.do_sample and decoding.max_new_tokens == 3
    assert (decoding.temperature, decoding.top_p, decoding.stop_strings) == (None, None, None)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"num_beams": 4}, "num_beams is 4"),
        ({"image_aspect_ratio": "pad"}, "image_aspect_ratio is 'pad'"),
        ({"visual_cot": True}, "visual_cot=True has no counterpart"),
        ({"max_new_tokens": 8, "max_gen_toks": 9}, "give the longest answer once"),
        ({"max_new_tokens": "many"}, "max_new_tokens is 'many'"),
        ({"temperature": 200}, "temperature is 200"),
        ({"temperature": "0"}, "temperature is '0'"),
        ({"until": 5}, "until is 5"),
    ],
)
def test_what_cannot_be_mapped_is_refused(settings, said):
    with pytest.raises(MethodError, match=said):
        decoding_of(settings, longest=3)


def test_an_answer_ends_before_the_first_text_that_ends_it():
    assert before_ends(" Yes. No, it is", [",", "."]) == " Yes"
    assert before_ends("Yes", None) == before_ends("Yes", ["\n"]) == "Yes"


def test_a_method_is_written_as_on_the_command_line():
    given = {"inject_at": [2, 5], "normalize_context": True, "strength": 0.5}
    written = method_text("sinktrack", given, ())
    assert written == "sinktrack:inject_at=2+5,normalize_context=yes,strength=0.5"
    assert method_text("vcd:alpha=1", {"beta": 0.1}, ()) == "vcd:alpha=1,beta=0.1"
    assert method_text("baseline", {}, ("seed",)) == "baseline"


@pytest.mark.parametrize(
    ("method", "given", "taken", "said"),
    [
        ("none", {}, (), "no method 'none'"),
        ("all", {}, (), "one method at a time"),
        ("sinktrack", {"truncate": 5}, (), "no parameter 'truncate=5'"),
        ("baseline", {"alpha": 1}, (), "has no parameters"),
        ("vcd", {"alpha": -1}, (), "alpha is -1"),
        ("vcd", {}, ("seed",), "write method=vcd:seed=VALUE"),
    ],
)
def test_a_method_that_cannot_be_is_refused_before_a_model_is_loaded(method, given, taken, said):
    with pytest.raises(MethodError, match=said):
        Answering("no such model", method, taken=taken, **given)


def test_a_setting_that_a_method_has_too_is_told_apart():
    assert method_text("vcd:seed=3", {}, ("seed",)) == "vcd:seed=3"


@pytest.mark.parametrize("size", ["auto", 0, "1.5"])
def test_a_batch_size_is_a_number(size):
    with pytest.raises(MethodError, match="batch_size is"):
        asking(batch_size=size)


def test_other_model_arguments_are_checked(monkeypatch):
    with pytest.raises(ModelError, match="dtype is 'auto'"):
        asking(dtype="auto")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ModelError, match="WORLD_SIZE is 2"):
        one_process()


def test_answers_are_those_of_compare(answering):
    """In one batch with other settings and another length, with a picture and earlier turns."""
    asked = [messages(), messages("Describe the picture."), messages()]
    lengths = [6, 6, 3]
    requests = [
        Request(lambda each=each, n=n: answering.prompt(each, n), decoding_of({}, longest=n))
        for each, n in zip(asked, lengths, strict=True)
    ]
    found = answering.answers(requests, quiet=True)
    for each, n, written in zip(asked, lengths, found, strict=True):
        alone = sinktrack.compare(
            answering.model,
            answering.processor,
            messages=each,
            methods={"method": answering.method},
            max_new_tokens=n,
            record=False,
        )["method"]
        assert written.text.strip() == alone.text and written.tokens == len(alone.token_ids)
    assert answering.method.inject_at == {2, 5}


def test_the_same_seed_draws_the_same_whatever_stands_beside(answering):
    decodings = [decoding_of({"temperature": 2.0}, longest=5, seed=seed) for seed in (1, 2, 1)]
    prompt = answering.prompt(messages(), 5)
    found = answering.answers([Request(lambda: prompt, each) for each in decodings], quiet=True)
    assert found[0] == found[2] != found[1]


def test_items_have_noise_of_their_own_and_a_repeated_one_too():
    seeds = seeds_of([("task", "1"), ("task", "2"), ("task", "1"), ("other", "1")], 0)
    assert len(set(seeds)) == 4
    assert seeds_of([("task", "1")], 0)[0] == seeds[0] != seeds_of([("task", "1")], 1)[0]


def test_likelihoods_are_those_of_the_distributions_that_chose(answering):
    """The answer itself is the likeliest continuation, with the probabilities that it came with."""
    answer = sinktrack.compare(
        answering.model,
        answering.processor,
        messages=messages(),
        methods={"method": answering.method},
        max_new_tokens=4,
    )["method"]
    ids = list(answer.token_ids)
    prompt = answering.prompt(messages(), len(ids))
    whole, part, other = answering.likelihoods(prompt, [ids, ids[:2], [ids[0], 5]])
    assert whole[1] and part[1] and not other[1]
    assert whole[0] == pytest.approx(sum(map(math.log, answer.probabilities)), abs=1e-4)
    assert part[0] == pytest.approx(sum(map(math.log, answer.probabilities[:2])), abs=1e-4)
    assert other[0] < part[0]


def test_nothing_follows_the_end_of_an_answer(answering):
    end = answering.tokenizer.eos_token_id
    prompt = answering.prompt(messages(), 3)
    with pytest.raises(MethodError, match="one that ends the answer at place 1"):
        answering.likelihoods(prompt, [[end, 5, 5]])


def test_a_raw_text_is_the_instruction_and_must_fit(answering):
    ids = answering.tokenizer.encode("There is a red circle. Is there one?")
    prompt = answering.raw_prompt(ids, 4)
    assert prompt.inputs["input_ids"][0].tolist() == ids
    assert "instruction" in prompt.names and prompt.instruction_mask[0, 1:].all()
    context = answering.model.config.get_text_config().max_position_embeddings
    with pytest.raises(PromptError, match=f"context holds {context}"):
        answering.raw_prompt(ids, context)
    with pytest.raises(PromptError, match="no tokens"):
        answering.raw_prompt([], 4)
    with pytest.raises(PromptError, match="has no image"):
        answering.answers([Request(lambda: prompt, decoding_of({}, longest=2))], quiet=True)


def test_the_command_says_what_it_takes(capsys):
    assert command.main([]) == command.main(["vlmevalkit", "no-such-run.py"]) == 2
    assert "vlmevalkit and the path of its run.py" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore")  # of the harness
def test_lm_eval_answers_and_scores(answering, monkeypatch):
    pytest.importorskip("lm_eval", reason="lm-eval is not installed")
    from lm_eval.api.instance import Instance
    from lm_eval.api.registry import get_model

    from sinktrack.harnesses import lm_eval as plugin

    assert get_model("sinktrack") is plugin.SinkTrackLM
    monkeypatch.setattr(plugin, "Answering", lambda *_, **__: answering)
    model = plugin.SinkTrackLM()

    def instance(*arguments):
        return Instance("generate_until", {}, arguments, 0, ("task", 0, 1))

    chat = model.apply_chat_template([{"role": "user", "content": QUESTION}])
    assert json.loads(chat) == [{"role": "user", "content": QUESTION}]
    monkeypatch.setattr(answering, "method", None)  # texts have no picture to write
    (text,) = model.generate_until([instance(chat, {"until": ["."], "max_gen_toks": 4})])
    alone = answering.answers(
        [Request(lambda: answering.prompt(json.loads(chat), 4), decoding_of({}, longest=4))]
    )
    assert text == before_ends(alone[0].text, ["."])
    scores = model.loglikelihood(
        [instance(chat, "Yes"), instance("A red", " circle"), instance("", "Yes")]
    )
    assert len(scores) == 3 and all(score < 0 for score, _ in scores)
    with pytest.raises(PromptError, match="gen_prefix"):
        model.apply_chat_template([], add_generation_prompt=False)
    with pytest.raises(MethodError, match="perplexity"):
        model.loglikelihood_rolling([])


@pytest.mark.filterwarnings("ignore")  # of the harness
def test_lmms_eval_finds_the_model_and_answers(answering, monkeypatch):
    pytest.importorskip("lmms_eval", reason="lmms-eval is not installed")
    from lmms_eval.models.registry_v2 import ModelRegistryV2

    from sinktrack.harnesses import lmms_eval as plugin

    registry = ModelRegistryV2()
    registry.load_entrypoint_manifests()
    assert registry.get_model_class("sinktrack") is plugin.SinkTrackModel
    monkeypatch.setattr(plugin, "Answering", lambda *_, **__: answering)
    model = plugin.SinkTrackModel(system_prompt="Answer briefly.")
    asked = messages()
    shown = [
        {"type": "image", "url": asked[3]["content"][0]["image"]},
        {"type": "text", "text": QUESTION},
        {"type": "text", "text": " "},
    ]
    model.task_dict = {"task": {"test": [{}]}}
    turns = [{"role": "user", "content": shown}]
    arguments = ("", lambda document: turns, {"max_new_tokens": 4}, 0, "task", "test")
    (found,) = model.generate_until([SimpleNamespace(args=arguments)])
    alone = answering.prompt([asked[0], asked[3]], 4)
    (expected,) = answering.answers([Request(lambda: alone, decoding_of({}, longest=4))])
    assert found.text == expected.text and found.token_counts.output_tokens == expected.tokens
    with pytest.raises(PromptError, match="type 'audio'"):
        plugin.messages_of([{"role": "user", "content": [{"type": "audio", "url": "a.wav"}]}])
    with pytest.raises(MethodError, match="not for likelihoods"):
        model.loglikelihood([])


@pytest.mark.filterwarnings("ignore")  # of the harness
def test_vlmevalkit_knows_the_class_and_answers(answering, monkeypatch, tmp_path):
    pytest.importorskip("vlmeval", reason="VLMEvalKit is not installed")
    from vlmeval import config, vlm

    from sinktrack.harnesses import vlmevalkit as plugin

    monkeypatch.setattr(plugin, "Answering", lambda *_, **__: answering)
    plugin.register("mine", max_new_tokens=4, temperature=0)
    assert vlm.SinkTrackModel is plugin.SinkTrackModel
    model = config.supported_VLM["mine"]()
    path = tmp_path / "picture.png"
    picture(112, 84).save(path)
    asked = [{"type": "image", "value": str(path)}, {"type": "text", "value": QUESTION}]
    text = model.generate(asked)
    prompt = answering.prompt([messages()[3]], 4)
    (expected,) = answering.answers([Request(lambda: prompt, decoding_of({}, longest=4))])
    assert text == expected.text
    assert model.chat([{"role": "user", "content": asked}]) == text
    with pytest.raises(PromptError, match="type 'video'"):
        plugin.conversation_of([{"type": "video", "value": "film.mp4"}])
    with pytest.raises(MethodError, match="num_beams"):
        plugin.decoding_of({"num_beams": 2}, longest=4)


def test_lmms_eval_is_told_where_the_model_is():
    """The entry point names what is there; lmms-eval swallows its errors."""
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    (target,) = re.findall(r'entry-points."lmms_eval.models"\]\nsinktrack = "([\w.:]+)"', project)
    module, _, function = target.partition(":")
    tree = ast.parse((ROOT / f"{module.replace('.', '/')}.py").read_text("utf-8"))
    names = {each.name for each in tree.body if isinstance(each, ast.FunctionDef | ast.ClassDef)}
    assert {function, "SinkTrackModel"} <= names
