"""The search for the dimension that tells positions."""

import itertools
import json
import random

import numpy as np
import pytest
import torch
from small_models import small_inputs, small_model

import sinktrack
from sinktrack.core.attach import attach
from sinktrack.core.errors import PromptError
from sinktrack.core.upstream import cache_argument, cache_of
from sinktrack.eval import find_dimension
from sinktrack.eval.positional import SKIPPED, AnswerJudge, HiddenSums, candidates

TOKENS = SKIPPED + 100


def test_sums_are_those_of_the_hidden_states(close):
    model = small_model("llama")
    generator = torch.Generator().manual_seed(0)
    texts = torch.randint(3, 300, (2, 12), generator=generator)
    sums = HiddenSums(model, 10)
    for each in texts:
        sums.add(each.tolist())
    with torch.no_grad():
        states = [model(each[None, :10], output_hidden_states=True).hidden_states for each in texts]
    assert sums.texts == 2
    for layer, mean in enumerate(list(sums.means())[:-1]):  # the last one given is normed
        close(torch.tensor(mean), (states[0][layer + 1] + states[1][layer + 1])[0] / 2, 1e-5)


def made_up(curves):
    """Return sums of a model with eight layers, whose dimensions follow curves in some layers."""
    rng = np.random.default_rng(0)
    sums = HiddenSums(small_model("llama", num_hidden_layers=8), TOKENS)
    sums.texts = 1
    for layer, total in enumerate(sums.sums):
        total += torch.tensor(rng.normal(size=total.shape))
        total[:, 40:] = 1.0  # never moves
        for dimension, (curve, layers) in curves.items():
            if layer in layers:
                total[:, dimension] = torch.tensor(curve)
    return sums


def test_candidates_are_monotone_in_more_than_a_quarter_of_the_layers_and_smooth():
    x = np.linspace(0, 1, TOKENS)
    rough = x + 0.02 * np.random.default_rng(1).normal(size=TOKENS)
    found = candidates(
        made_up(
            {
                3: (x, {2, 3, 4}),
                5: (-7 * rough, {3, 4, 5}),
                9: (x, {2, 3}),  # a quarter is not enough
                11: (x, {0, 1, 7}),  # which do not count
                13: (np.sin(12 * x), {2, 3, 4, 5}),
                15: (np.where(np.arange(TOKENS) < SKIPPED, -x, x), {2, 3, 4}),
            }
        )
    )
    smoothest = [each.dimension for each in found]
    assert smoothest[0] == 3 and found[0].smoothness < 1e-4 and found[0].monotone >= 3 / 8
    assert {5, 15} <= set(smoothest) and not {9, 11, 13, *range(40, 64)} & set(smoothest)
    assert [each.smoothness for each in found] == sorted(each.smoothness for each in found)
    assert len(candidates(made_up({n: (x, {2, 3, 4}) for n in range(20)}))) == 10


@pytest.mark.parametrize("name", ["llama", "gemma3_text", "qwen3_vl"])
def test_answers_are_judged_as_they_are_written_one_by_one(name):
    """What reading the prompt once for all methods gives is what each method gives by itself."""
    model = small_model(name, **({"sliding_window": 8} if name == "gemma3_text" else {}))
    prompt = small_inputs(model, images=0)["input_ids"][0]
    answer = [7, 99, 12, 4]
    methods = [
        None,
        *(
            sinktrack.methods.kind("position-scale").for_model(model, dimension=n, factor=f)
            for n, f in ((5, -3.0), (5, 0.0), (8, 0.0))
        ),
    ]
    layers = set(methods[1].layers)
    judge = AnswerJudge(model, prompt, answer, layers)
    losses = []
    for method in methods:
        logits = []
        with torch.no_grad(), attach(model, method, record=False):
            output = model(input_ids=prompt[None], use_cache=True)
            cache = cache_of(output)
            logits.append(output.logits[0, -1])
            for token in answer[:-1]:
                step = {cache_argument(model): cache, "use_cache": True}
                output = model(input_ids=torch.tensor([[token]]), **step)
                logits.append(output.logits[0, -1])
        expected = torch.nn.functional.cross_entropy(torch.stack(logits), torch.tensor(answer))
        losses.append(float(expected))
    judged = judge.judge(methods)
    assert [each.loss for each in judged] == pytest.approx(losses, abs=1e-5)
    assert judge.judge(methods[1:2])[0].loss == pytest.approx(losses[1], abs=1e-5)
    assert len({round(each, 4) for each in losses}) == len(losses)
    said = torch.stack(logits).argmax(-1).tolist()[:1]
    assert AnswerJudge(model, prompt, said, layers).judge(methods[-1:])[0].right
    assert not any(each.right for each in judged)


def search(tmp_path, *words, texts=None, model=None):
    """Run the search on a small model that reads a character a token."""
    file = tmp_path / "texts.txt"
    file.write_text(texts or "".join(random.Random(0).choices("abcdefghij ", k=9000)), "utf-8")
    find_dimension.main(
        ["small", "--texts", str(file), "--cache", str(tmp_path / "kept"), "--count", "3",
         "--tokens", "400", "--samples", "2", "--pairs", "10", *words]
    )  # fmt: skip


@pytest.fixture
def loaded(monkeypatch, checkpoint):
    """The bundled checkpoint, whose first dimensions are made to rise along a text."""
    model, processor = checkpoint
    monkeypatch.setattr(find_dimension, "load", lambda *_, **__: checkpoint)
    return model, processor


def test_the_search_goes_on_where_it_stopped_and_says_how_sure_it_is(
    loaded, tmp_path, capsys, monkeypatch
):
    search(tmp_path)
    first = capsys.readouterr().out
    results = json.loads((tmp_path / "kept" / "result.json").read_text("utf-8"))
    chosen = results["chosen"]
    assert f"--method position-scale:dimension={chosen}" in first and "| plain |" in first
    assert min(results["candidates"], key=lambda each: each["loss"])["dimension"] == chosen
    assert "The second, " in first and "95 % intervals" in first
    for each in results["candidates"]:
        low, high = each["difference_interval"]
        assert low <= each["difference"] <= high
        assert each["loss"] - results["plain"]["loss"] == pytest.approx(each["difference"])

    lines = (tmp_path / "kept" / "losses.jsonl").read_text("utf-8")
    (tmp_path / "kept" / "losses.jsonl").write_text(lines[:-9], "utf-8")  # interrupted
    read: list[int] = []
    monkeypatch.setattr(HiddenSums, "add", lambda self, ids: read.append(len(ids)))
    search(tmp_path)
    assert capsys.readouterr().out == first and not read
    assert (tmp_path / "kept" / "losses.jsonl").read_text("utf-8") == lines
    with pytest.raises(SystemExit) as stopped:
        search(tmp_path, "--factor", "0.5")
    assert stopped.value.code == 2
    assert "holds a run with other settings" in capsys.readouterr().err
    for name in ("losses.jsonl", "sums.safetensors"):
        (tmp_path / "kept" / name).write_text('{"item": 1}\n', "utf-8")
        with pytest.raises(SystemExit) as stopped:
            search(tmp_path)
        assert stopped.value.code == 2
        assert "of this program" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--tokens", "300"], "--tokens is 300, but must be 400 or more"),
        (["--factor", "nan"], "factor is nan, but must be a number from -10 to 10"),
        (["--count", "50"], "but 50 texts of 400 tokens need 20,000: give more text"),
        (["--texts", "nowhere.txt"], "nowhere.txt cannot be read as texts"),
    ],
)
def test_what_cannot_be_searched_is_said_in_a_sentence(loaded, tmp_path, capsys, words, sentence):
    with pytest.raises(SystemExit) as stopped:
        search(tmp_path, *words)
    assert stopped.value.code == 2 and sentence in capsys.readouterr().err


def test_a_wrong_number_is_refused_before_a_model_is_loaded(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(find_dimension, "load", lambda *_, **__: pytest.fail("it is loaded"))
    with pytest.raises(SystemExit):
        search(tmp_path, "--pairs", "0")
    assert "--pairs is 0, but must be 10 or more" in capsys.readouterr().err


def test_a_model_in_which_nothing_tells_positions_is_not_given_a_dimension(
    loaded, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(HiddenSums, "add", lambda self, ids: None)  # all means are 0
    with pytest.raises(SystemExit):
        search(tmp_path)
    assert "position-scale has nothing to scale" in capsys.readouterr().err


def test_texts_come_from_a_file_or_from_pythons_documentation(tmp_path):
    lines = tmp_path / "texts.jsonl"
    lines.write_text('"one"\n{"text": "two"}\n', "utf-8")
    assert list(find_dimension.read_texts(lines)) == ["one\n\ntwo\n\n"]
    lines.write_text('{"words": "two"}\n', "utf-8")
    with pytest.raises(PromptError, match="JSON Lines of strings"):
        list(find_dimension.read_texts(lines))
    documentation = "".join(itertools.islice(find_dimension.read_texts(None), 40))
    assert len(documentation) > 20_000 and "Return " in documentation
