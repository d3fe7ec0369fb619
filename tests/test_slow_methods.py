"""Every method does what its definition says, written out slowly in `slow_methods`."""

from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from slow_contrasts import Found, noise_of
from slow_methods import REFERENCES
from slow_model import SlowModel
from small_models import small_model
from small_prompts import ids_of, small_prompt

import sinktrack
from sinktrack.core.decoding import Decoding, Sampler
from sinktrack.core.generate import Generator
from sinktrack.core.intervention import fit

TOKENS = 5
SEEING = ("qwen2_5_vl", "qwen3_vl", "gemma3")
READING = ("qwen2", "llama", "gemma3_text")


@dataclass(frozen=True)
class Case:
    """One way to run a method.

    Args:
        kind: The method.
        given: Parameters under which it does all that it can.
        families: The models.
        wrong: Parameters, and the factor by which each is changed and must be found wrong.
    """

    kind: str
    given: dict[str, Any]
    families: tuple[str, ...]
    wrong: dict[str, float]


BOTH = (*SEEING, *READING)
FEW = ("gemma3", "qwen2")
CASES = (
    Case("cad", {"alpha": 0.7, "beta": 0.3}, READING, {"alpha": 1.01, "beta": 1.2}),
    Case("cad", {"context": "image"}, SEEING, {"alpha": 1.01}),
    Case(
        "crops",
        {"alpha": 0.8, "decay": 0.1, "threshold": 0.5, "keep": 0.4, "layer": 3},
        SEEING,
        {"alpha": 1.01, "beta": 1.2, "decay": 1.01, "threshold": 0.5, "keep": 1.5, "layer": 2},
    ),
    Case("deco", {"layers": {4, 7, 8}, "top_p": 0.4}, BOTH, {"alpha": 1.01, "top_p": 1.2}),
    Case("dola", {"early": "low"}, BOTH, {"alpha": 1.01, "beta": 1.2}),
    Case("dola", {"layers": {0, 3, 11}}, FEW, {"alpha": 1.01}),
    Case("dola", {"early": "high", "normed": True}, FEW, {"alpha": 1.01, "beta": 1.2}),
    Case("hgai", {"layers": {1, 4, 9}}, SEEING, {"alpha": 1.01}),
    Case("icd", {"alpha": 0.7}, BOTH, {"alpha": 1.01, "beta": 1.2}),
    Case("icd", {"place": "system", "disturbance": "Be wrong."}, READING, {"alpha": 1.01}),
    Case("lcd", {}, SEEING, {"alpha": 1.01, "beta": 1.2}),
    Case("lcd", {"entropy": False, "alpha": 0.5}, SEEING, {"alpha": 1.01, "beta": 1.2}),
    Case("m3id", {"threshold": 0.25}, SEEING, {"decay": 1.01, "threshold": 0.5}),
    Case("m3id", {"decay": 0.3, "first": 0, "beta": 0.1}, SEEING, {"decay": 1.01, "beta": 1.2}),
    Case("pai", {"layers": {1, 4, 9}}, SEEING, {"alpha": 1.01}),
    Case("pai", {"gamma": 1.4}, SEEING, {"alpha": 1.01, "gamma": 1.01}),
    Case("plausibility", {}, FEW, {"beta": 1.2}),
    Case("position-scale", {"dimension": 7, "layers": {1, 4, 9}}, BOTH, {"dimension": 2}),
    Case("position-scale", {"dimension": 30, "factor": -1.0}, SEEING, {"factor": 1.01}),
    Case("said-twice", {"times": 3}, FEW, {"times": 2}),
    Case("say-yes", {"bias": 2.0}, FEW, {"bias": 1.01}),
    Case("sid", {"alpha": 0.8, "layer": 3}, SEEING, {"alpha": 1.01, "beta": 1.2, "keep": 2}),
    Case("strength-0", {}, FEW, {}),
    Case("vaf", {"layers": {1, 4, 9}}, SEEING, {"enhance": 1.01, "suppress": 1.01}),
    Case("vaf", {"form": "additive"}, SEEING, {"enhance": 1.01, "suppress": 1.01}),
    Case(
        "var",
        {"tau": 12.0, "dimensions": {20, 21, 22}},
        SEEING,
        {"p": 1.01, "rho": 0.5, "theta": 2, "tau": 1.2},
    ),
    Case("vcd", {"alpha": 1.5, "beta": 0.2}, SEEING, {"alpha": 1.01, "beta": 1.2}),
    Case("vista", {}, FEW[:1], {"alpha": 1.01}),
    Case("vista", {"alpha": 0.0}, SEEING, {"strength": 1.01}),
    Case("vista", {"layers": {7, 8}}, SEEING, {"strength": 1.01, "alpha": 1.01}),
    Case("vista", {"normed": True, "layers": {5, 10}}, SEEING, {"strength": 1.01, "alpha": 1.01}),
)


@cache
def model_of(family: str, **text: Any) -> Any:
    """Return a model that is about as sure of its tokens as real ones are."""
    model = small_model(family, **text).double()
    head = model.get_output_embeddings()
    torch.manual_seed(0)
    head.weight = torch.nn.Parameter(0.3 * torch.randn_like(head.weight))
    return model


class Words:
    """Stands for the tokenizer that random models have not."""

    eos_token_id = None

    def decode(self, ids: Any, **_: Any) -> str:
        return " ".join(map(str, ids))

    def encode(self, text: str, **_: Any) -> list[int]:
        return list(ids_of(text))


@dataclass
class Fast:
    """What the library gave for one prompt: scores (5, V) that chose, tokens, and the trace."""

    scores: torch.Tensor
    tokens: list[int]
    trace: Any


def answered(
    model: Any, prompts: list[Any], method: Any, monkeypatch: Any, tokens: int = TOKENS
) -> list[Fast]:
    """Answer prompts as one batch, and keep what each token was chosen from."""
    chosen_from: list[torch.Tensor] = []
    choose = Sampler.__call__

    def watched(self: Any, ids: torch.Tensor, scores: torch.Tensor, plain: Any) -> torch.Tensor:
        chosen_from.append(scores.double().clone())
        return choose(self, ids, scores, plain)

    monkeypatch.setattr(Sampler, "__call__", watched)
    decoding = Decoding(max_new_tokens=tokens)
    generator = Generator(model, Words(), prompts, {"x": method}, decoding=decoding)
    generator.run()
    scores = torch.stack(chosen_from, dim=1)
    answers = [each["x"] for each in generator.comparisons()]
    return [
        Fast(own, list(each.token_ids), each.trace)
        for own, each in zip(scores, answers, strict=True)
    ]


def slow(model: Any, prompt: Any, method: Any, fast: Fast, **wrong: Any) -> Found:
    """Return what the definition gives for the tokens that the library chose."""
    given = {each.name: getattr(method, each.name) for each in method.parameters()} | wrong
    reference = REFERENCES[method.kind]
    reader = SlowModel(model, fast.tokens[:-1])
    return reference(reader, prompt, method.prompts(prompt), SimpleNamespace(**given))


def apart(found: Found, fast: Fast) -> float:
    """Return how far two ways to choose are apart; log-probabilities, since a constant is free."""
    expected = torch.stack(found.scores).log_softmax(-1)
    actual = fast.scores.log_softmax(-1)
    assert not expected.isnan().any() and not actual.isnan().any()
    allowed = expected.isfinite()
    if not torch.equal(allowed, actual.isfinite()):
        return float("inf")
    return float((expected - actual)[allowed].abs().max())


def shares(found: Found, prompt: Any) -> torch.Tensor:
    """Return where the query of each step looked, (steps, L, H, S), part by part."""
    prompt, reading = found.prompt or prompt, found.reading
    parts = prompt.parts.clone()
    parts[0] = 0
    attention = torch.stack([reading.attention[at] for at in sorted(reading.attention)])
    rows = attention[:, :, reading.first :].permute(2, 0, 1, 3)  # (steps, L, H, N)
    wanted = torch.full((rows.shape[-1],), len(prompt.names) - 1)
    wanted[: len(parts)] = parts
    return rows @ torch.nn.functional.one_hot(wanted, len(prompt.names)).double()


def prompts_of(model: Any) -> list[Any]:
    """Return two prompts of different lengths, the second with two pictures if it has any."""
    return [small_prompt(model), small_prompt(model, images=2, words=8, seed=1)]


def test_every_method_has_a_definition_and_a_case():
    # which test_reference and test_probes compare
    known = set(sinktrack.methods.available()) - {"sinktrack", "cover", "silence"}
    assert set(REFERENCES) == known == {case.kind for case in CASES}


@pytest.mark.parametrize(
    ("case", "family"),
    [(case, family) for case in CASES for family in case.families],
    ids=lambda each: each.kind if isinstance(each, Case) else each,
)
def test_a_padded_batch_is_what_the_definition_says(case, family, monkeypatch):
    monkeypatch.setattr("sinktrack.core.scores.AT_ONCE", 3)  # queries of a long prompt
    model = model_of(family)
    prompts = prompts_of(model)
    method = fit(sinktrack.methods.create(case.kind, **case.given), model)
    together = answered(model, prompts, method, monkeypatch)
    for prompt, fast in zip(prompts, together, strict=True):
        found = slow(model, prompt, method, fast)
        assert apart(found, fast) <= 1e-5
        assert (shares(found, prompt) - fast.trace.share).abs().max() <= 1e-5


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.kind)
def test_a_prompt_alone_is_what_the_definition_says_and_not_what_a_wrong_one_does(
    case, monkeypatch
):
    model = model_of(case.families[0])
    prompt = prompts_of(model)[1]
    method = fit(sinktrack.methods.create(case.kind, **case.given), model)
    (fast,) = answered(model, [prompt], method, monkeypatch)
    assert apart(slow(model, prompt, method, fast), fast) <= 1e-5
    for name, factor in case.wrong.items():
        value = getattr(method, name)
        wrong = {name: type(value)(value * factor)}
        assert apart(slow(model, prompt, method, fast, **wrong), fast) > 1e-4, wrong


@pytest.mark.parametrize(
    "case",
    [case for case in CASES if {"gemma3", "gemma3_text"} & set(case.families)],
    ids=lambda case: case.kind,
)
def test_layers_that_have_forgotten_the_picture_are_what_the_definition_says(case, monkeypatch):
    """Most layers of Gemma 3 see a window, and a long question leaves the picture out of it."""
    family = next(each for each in case.families if each.startswith("gemma3"))
    model = model_of(family, sliding_window=12)
    prompts = [small_prompt(model, words=words, seed=words) for words in (20, 5)]
    method = fit(sinktrack.methods.create(case.kind, **case.given), model)
    for prompt, fast in zip(prompts, answered(model, prompts, method, monkeypatch), strict=True):
        found = slow(model, prompt, method, fast)
        assert apart(found, fast) <= 1e-5
        assert (shares(found, prompt) - fast.trace.share).abs().max() <= 1e-5


def test_dola_looks_at_every_second_state_of_a_half():
    """State 0 is the embedding, which says nothing of its own where it is the head as well."""
    create = sinktrack.methods.create
    untied, tied = small_model("qwen2"), small_model("qwen2", tie_word_embeddings=True)
    assert fit(create("dola", early="low"), untied).layers == {0, 2, 4}
    assert fit(create("dola", early="low"), tied).layers == {2, 4}
    for model in (untied, tied):
        assert fit(create("dola", early="high"), model).layers == {6, 8, 10}
    small = small_model("qwen2", tie_word_embeddings=True, num_hidden_layers=4)
    assert fit(create("dola", early="low"), small).layers == {2}
    for count, low, high in ((40, 20, 20), (48, 20, 28)):
        deep = small_model("qwen2", num_hidden_layers=count)
        assert fit(create("dola", early="low"), deep).layers == set(range(0, low, 2))
        assert fit(create("dola", early="high"), deep).layers == set(range(high, count, 2))


def test_crops_shows_one_more_token_of_the_text_from_the_34th_token_on(monkeypatch):
    model = model_of("qwen2_5_vl")
    prompts = prompts_of(model)[:1]
    method = fit(sinktrack.methods.create("crops"), model)
    (fast,) = answered(model, prompts, method, monkeypatch, tokens=35)
    assert apart(slow(model, prompts[0], method, fast), fast) <= 1e-5


@pytest.mark.parametrize("family", SEEING)
def test_a_picture_is_diffused_by_the_schedule_with_normal_noise(family, close):
    """The same noise comes out at every step, so the schedule is right to the last factor."""
    prompt = small_prompt(model_of(family), images=2)
    noises = []
    for step in (999, 501, 500, 100):
        noised = sinktrack.methods.create("vcd", noise_step=step).prompts(prompt)[1]
        noises.append(noise_of(prompt, noised, step))
        close(noises[-1], noises[0], 1e-3)
    pixels = prompt.inputs["pixel_values"]
    assert abs(float(noises[0].mean())) < 0.05 and abs(float(noises[0].std()) - 1) < 0.05
    assert abs(float((noises[0] * pixels).mean())) < 0.05
    if family != "gemma3":
        frames = noises[-1].view(len(pixels), 3, 2, -1)
        close(frames[:, :, 0], frames[:, :, 1], 1e-5)  # a picture is stored twice in time
