"""The bundled checkpoints are real Qwen2.5-VLs that anybody's code can load, and they answer."""

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from transformers import (
    AutoModelForImageTextToText,
    AutoProcessor,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
)

import sinktrack
from sinktrack.core.cache import SinkWindow
from sinktrack.eval.runner import Run, evaluate
from sinktrack.eval.tasks.shapes import DESCRIPTIONS, MEMORY, POPE
from sinktrack.shapes.scenes import GRID
from training.anchor import METHOD
from training.checkpoint import prompt

ASSETS = Path(__file__).parents[2] / "assets"
NAMES = ("shapes-vl", "shapes-vl-anchored")


@pytest.fixture(scope="module", params=NAMES)
def bundled(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    """A checkpoint as a user loads it."""
    folder = ASSETS / request.param
    processor = AutoProcessor.from_pretrained(folder)
    return AutoModelForImageTextToText.from_pretrained(
        folder, dtype=torch.float32
    ).eval(), processor


def figures(model: Any, processor: Any, folder: Path, *tasks: Any, **options: Any) -> Any:
    """Measure the plain model and SinkTrack on a few items of each task."""
    methods = {"baseline": None, "sinktrack": sinktrack.SinkTrack.for_model(model)}
    run = Run(tasks=tasks, methods=methods, **{"limit": 40} | options)
    return evaluate(model, processor, run, folder)["tasks"]


def test_it_is_a_real_small_qwen(bundled: tuple[Any, Any]) -> None:
    """The Auto classes find it, the published schedule fits into its depth, and it is small."""
    model, processor = bundled
    assert isinstance(model, Qwen2_5_VLForConditionalGeneration)
    assert isinstance(processor, Qwen2_5_VLProcessor)
    assert model.config.text_config.num_hidden_layers >= 12
    folder = Path(model.name_or_path)
    assert sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) <= 25e6


def test_generation_is_greedy_and_stops_at_the_end_of_the_turn(bundled: tuple[Any, Any]) -> None:
    """No sampling and no repetition penalty, which would hide what the attention does."""
    model, processor = bundled
    settings = model.generation_config
    assert not settings.do_sample
    assert settings.repetition_penalty in (None, 1.0)
    assert processor.tokenizer.convert_tokens_to_ids("<|im_end|>") in settings.eos_token_id


def test_a_prompt_starts_with_the_turn_and_has_one_token_a_cell(bundled: tuple[Any, Any]) -> None:
    """Position 0, the sink, is `<|im_start|>`; a picture becomes GRID * GRID tokens."""
    model, processor = bundled
    text = prompt(processor, "Describe the picture.")
    inputs = processor(text=text, images=Image.new("RGB", (560, 560)), return_tensors="pt")
    ids = inputs["input_ids"][0]
    assert processor.tokenizer.convert_ids_to_tokens(int(ids[0])) == "<|im_start|>"
    assert int((ids == model.config.image_token_id).sum()) == GRID**2


@pytest.mark.parametrize("size", [(1, 1), (28, 28), (640, 480), (3000, 4000), (900, 10)])
def test_any_picture_and_any_question_get_some_answer(
    bundled: tuple[Any, Any], size: tuple[int, int]
) -> None:
    """Pictures are brought to the one scale that the model knows; unknown words are bytes."""
    model, processor = bundled
    text = prompt(processor, "¿Qué es esto? 😀 漢字 — and how is the weather?")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        inputs = processor(text=text, images=Image.new("RGB", size, "grey"), return_tensors="pt")
    assert int((inputs["input_ids"] == model.config.image_token_id).sum()) <= 2 * GRID**2
    with torch.inference_mode():
        tokens = model.generate(**inputs, max_new_tokens=8)
    assert tokens.shape[1] > inputs["input_ids"].shape[1]


@pytest.mark.parametrize(
    "text",
    ["Is there a red circle?", "naïve — 😀 漢字 \t\n x  y", "\x00\x7f\ufffd", "<b>&amp;</b>"],
)
def test_the_tokenizer_gives_any_text_back(bundled: tuple[Any, Any], text: str) -> None:
    """Byte-level: nothing a person types is unknown."""
    tokenizer = bundled[1].tokenizer
    assert tokenizer.decode(tokenizer(text).input_ids) == text


def test_existence_on_held_out_scenes(bundled: tuple[Any, Any], tmp_path: Path) -> None:
    """Most answers are right where nothing misleads, and fewer where something does."""
    measured = figures(*bundled, tmp_path, POPE[0], POPE[2])
    random, adversarial = (
        measured[f"existence, {negative}"]["baseline"]["accuracy"]["value"]
        for negative in ("random", "adversarial")
    )
    assert random >= 0.9 and 0.7 <= adversarial < random


def test_descriptions_of_held_out_scenes(bundled: tuple[Any, Any], tmp_path: Path) -> None:
    """Most objects are mentioned and few are invented."""
    measured = figures(*bundled, tmp_path, DESCRIPTIONS[0])["describe"]["baseline"]
    assert measured["recall"]["value"] >= 0.8
    assert measured["CHAIR_i"]["value"] <= 0.3


def test_the_anchored_one_remembers_what_has_left_the_window(tmp_path: Path) -> None:
    """With SinkTrack, as its config asks for it; the plain lane has forgotten."""
    model, processor = sinktrack.load(ASSETS / "shapes-vl-anchored", device="cpu")
    assert sinktrack.SinkTrack.for_model(model) == METHOD
    measured = figures(model, processor, tmp_path, *MEMORY, cache=SinkWindow(sinks=1, window=24))
    phrase, existence = measured["delayed phrase"], measured["delayed existence"]
    assert phrase["sinktrack"]["exact"]["value"] >= 0.95
    assert phrase["baseline"]["exact"]["value"] <= 0.2
    assert existence["sinktrack"]["accuracy"]["value"] >= 0.75
    assert existence["baseline"]["accuracy"]["value"] <= 0.65


def test_the_plain_one_was_never_shown_an_injection() -> None:
    """Its schedule is the one published for its family."""
    model, _ = sinktrack.load(ASSETS / "shapes-vl", device="cpu")
    method = sinktrack.SinkTrack.for_model(model)
    assert (sorted(method.inject_at), method.context) == ([5, 10], "image")


def test_both_have_a_sink(bundled: tuple[Any, Any]) -> None:
    """Writing a description, at least half of the layers give it 0.3 of their attention."""
    model, processor = bundled
    item = next(iter(DESCRIPTIONS[0].items("test", 1)))
    [image] = item.images
    both = sinktrack.compare(
        model, processor, image=image(), question=item.question, methods={"plain": None}
    )
    trace = both["plain"].trace
    assert trace is not None
    assert int((trace.sink.mean((0, 2)) >= 0.3).sum()) >= 6
