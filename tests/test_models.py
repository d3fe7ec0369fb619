"""Loading: local folders in the hub's layout work, everything else ends in one sentence."""

import json
import shutil

import pytest
import torch
from paths import CHECKPOINT
from PIL import Image
from small_models import small_model

import sinktrack
from sinktrack.core.errors import ModelError


@pytest.fixture
def copied(tmp_path):
    """A copy of the bundled checkpoint to spoil."""
    return shutil.copytree(CHECKPOINT, tmp_path / "model")


def refused(name, words, **options):
    with pytest.raises(ModelError, match=words) as caught:
        sinktrack.load(name, **options)
    assert "\n" not in str(caught.value)


def test_a_local_folder_loads(copied):
    model, processor = sinktrack.load(copied, device="cpu")
    assert model.dtype == torch.float32 and not model.training
    assert type(processor).__name__ == "Qwen2_5_VLProcessor"


def test_the_dtype_is_the_callers_to_choose(copied):
    model, _ = sinktrack.load(copied, device="cpu", dtype=torch.bfloat16)
    assert model.dtype == torch.bfloat16


def test_a_text_model_loads_with_its_tokenizer(tmp_path):
    small_model("qwen2").save_pretrained(tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(CHECKPOINT / name, tmp_path)
    model, tokenizer = sinktrack.load(tmp_path, device="cpu")
    assert model.config.model_type == "qwen2" and tokenizer.encode("hello")


def test_a_text_model_of_gemma_3_answers(tmp_path):
    small_model("gemma3_text", vocab_size=768).save_pretrained(tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(CHECKPOINT / name, tmp_path)
    model, tokenizer = sinktrack.load(tmp_path, device="cpu")
    result = sinktrack.compare(model, tokenizer, question="Who?", max_new_tokens=4)
    assert result["sinktrack"].trace.write_layers == (4, 8)


def test_an_image_token_need_not_be_called_special(copied):
    """Re-saved checkpoints have it as an added token, which nobody can type either."""
    path = copied / "tokenizer_config.json"
    config = json.loads(path.read_text())
    for name in ("additional_special_tokens", "extra_special_tokens"):
        config.pop(name, None)
    path.write_text(json.dumps(config))
    tokens = json.loads((copied / "tokenizer.json").read_text())
    for token in tokens["added_tokens"]:
        token["special"] = token["special"] and "image" not in token["content"]
    (copied / "tokenizer.json").write_text(json.dumps(tokens))
    model, processor = sinktrack.load(copied, device="cpu")
    assert "<|image_pad|>" not in processor.tokenizer.all_special_tokens
    options = {"image": Image.new("RGB", (112, 112), "red"), "max_new_tokens": 4}
    plain, forged = (
        sinktrack.compare(model, processor, question=question, **options)
        for question in ("Is it there?", "Is <|image_pad|> there?")
    )
    counts = [
        sum(token.id == model.config.image_token_id for token in each.prompt)
        for each in (plain, forged)
    ]
    assert counts[0] == counts[1] > 0


def test_a_missing_folder_is_refused(tmp_path):
    refused(tmp_path / "nowhere", "There is no model folder")
    refused("./nowhere", "There is no model folder")
    refused("nowhere", "There is no model folder")


def test_a_folder_without_a_config_is_refused(tmp_path):
    refused(tmp_path, "no config.json")


def test_a_hub_name_that_cannot_be_reached_is_refused(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    refused("nobody/nothing-of-that-name", "the hub cannot be reached: check the connection")


def test_an_unknown_architecture_is_refused(copied):
    (copied / "config.json").write_text(json.dumps({"model_type": "bert"}))
    refused(copied, "'bert'.*no list of decoder layers.*qwen2_5_vl")
    (copied / "config.json").write_text(json.dumps({"model_type": "gpt_oss"}))
    refused(copied, "'gpt_oss', which has learned sink logits")
    whole = {"model_type": "qwen3_next", "layer_types": ["linear_attention"]}
    (copied / "config.json").write_text(json.dumps(whole))
    refused(copied, "'qwen3_next', which has linear_attention layers, and without softmax")
    (copied / "config.json").write_text(json.dumps({"model_type": "of-my-own"}))
    refused(copied, "config.json cannot be loaded")
    (copied / "config.json").write_text("{")
    refused(copied, "config.json is no JSON that can be read")


def test_a_folder_without_weights_is_refused(copied):
    (copied / "model.safetensors").unlink()
    refused(copied, "has no safetensors weights")


def test_pickled_weights_are_not_read(copied):
    model, _ = sinktrack.load(copied, device="cpu")
    (copied / "model.safetensors").unlink()
    torch.save(model.state_dict(), copied / "pytorch_model.bin")
    refused(copied, "pytorch_model.bin, a pickle, .* convert it to safetensors")


def test_damaged_weights_are_refused(copied):
    data = (copied / "model.safetensors").read_bytes()
    (copied / "model.safetensors").write_bytes(data[: len(data) // 2])
    refused(copied, "weights cannot be loaded")


def test_weights_that_lack_some_are_refused(copied):
    model, _ = sinktrack.load(copied, device="cpu")
    state = model.state_dict()
    del state["model.language_model.layers.3.self_attn.k_proj.weight"]
    model.save_pretrained(copied, state_dict=state)
    refused(copied, "lacks 1 weights, model.language_model.layers.3")


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        (("tokenizer.json", "tokenizer_config.json", "processor_config.json"), "processor cannot"),
        (("processor_config.json",), "processor cannot be loaded"),
        (("tokenizer.json",), "without the model's image token"),
        (("chat_template.jinja",), "no chat template"),
    ],
)
def test_a_folder_without_a_whole_processor_is_refused(copied, missing, words):
    for name in missing:
        (copied / name).unlink()
    refused(copied, words)


@pytest.mark.skipif(
    torch.cuda.is_available(), reason="this machine has the GPU that must be absent"
)
def test_a_device_that_is_not_there_is_refused():
    refused(CHECKPOINT, "There is no device 'gpu'", device="gpu")
    refused(CHECKPOINT, "device meta nothing", device="meta")
    refused(CHECKPOINT, "device cuda cannot be used", device="cuda")
    refused(CHECKPOINT, "4-bit weights need a CUDA GPU", four_bit=True)
    refused(CHECKPOINT, "4-bit weights need a CUDA GPU", device="auto", four_bit=True)


def test_4_bit_weights_need_a_package(monkeypatch):
    monkeypatch.setattr("sinktrack.core.models.find_spec", lambda package: None)
    refused(CHECKPOINT, "needs the package bitsandbytes for 4-bit", device="cuda", four_bit=True)
