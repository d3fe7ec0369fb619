"""The bundled checkpoint is a real Qwen2.5-VL that anybody's code can load, and it answers."""

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

from sinktrack.shapes.checkpoint import prompt
from sinktrack.shapes.evaluate import answer, description_figures, held_out
from sinktrack.shapes.scenes import GRID

FOLDER = Path(__file__).parents[2] / "assets" / "shapes-vl"


@pytest.fixture(scope="module")
def bundled() -> tuple[Any, Any]:
    """The checkpoint as a user loads it."""
    processor = AutoProcessor.from_pretrained(FOLDER)
    processor.tokenizer.padding_side = "left"
    return AutoModelForImageTextToText.from_pretrained(
        FOLDER, dtype=torch.float32
    ).eval(), processor


def test_it_is_a_real_small_qwen(bundled: tuple[Any, Any]) -> None:
    """The Auto classes find it, the published schedule fits into its depth, and it is small."""
    model, processor = bundled
    assert isinstance(model, Qwen2_5_VLForConditionalGeneration)
    assert isinstance(processor, Qwen2_5_VLProcessor)
    assert model.config.text_config.num_hidden_layers >= 12
    assert sum(file.stat().st_size for file in FOLDER.rglob("*") if file.is_file()) <= 25e6


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
    case = held_out("describe", 1, prior=0.0)[0]
    text = prompt(processor, case.question.text)
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


def test_existence_on_held_out_scenes(bundled: tuple[Any, Any]) -> None:
    """At least four of five answers are right, word for word, where companions are missing too."""
    cases = [
        case
        for task in ("random", "near", "companion")
        for case in held_out(f"existence, {task}", 20, prior=0.0)
    ]
    answered = answer(*bundled, cases)
    wrong = [(case.question, case.answer) for case in answered if not case.exact]
    assert len(wrong) <= 12, wrong


def test_descriptions_of_held_out_scenes(bundled: tuple[Any, Any]) -> None:
    """Most objects are mentioned and few are invented."""
    recall, invented = description_figures(answer(*bundled, held_out("describe", 20, prior=0.0)))
    assert recall >= 0.8
    assert invented <= 0.2
