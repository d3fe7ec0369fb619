"""Every way to bring a model: a folder, shards, a GGUF file, an adapter, a family not yet known."""

import gc
import json
import shutil
import tempfile
import time
from pathlib import Path

import gguf
import numpy as np
import peft
import pytest
import torch
from paths import CHECKPOINT
from PIL import Image
from safetensors.torch import load_file, save_file
from small_models import small_model
from small_processors import small_checkpoint

import sinktrack
from app.compare.page import _header
from app.shared.engine import Engine
from app.shared.settings import Settings
from sinktrack.core.checkpoint import find_checkpoint
from sinktrack.core.decoding import Decoding
from sinktrack.core.errors import ModelError, PromptError
from sinktrack.core.generate import Generator
from sinktrack.core.models import remarks
from sinktrack.core.parts import Grid
from sinktrack.core.prompt import build_prompt

QUESTION = "Is there a red circle?"
WORDS = 768


def saved(folder, family="qwen2", **text):
    """A small random text model, with the tokenizer that comes along."""
    model = small_model(family, vocab_size=WORDS, **text)
    model.save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(CHECKPOINT / name, folder)
    return model


def answer_of(name, **options):
    model, tokenizer = sinktrack.load(name, device="cpu", **options)
    found = sinktrack.compare(model, tokenizer, question=QUESTION, max_new_tokens=8)
    return [found[lane].token_ids for lane in ("baseline", "sinktrack")]


def written_as_gguf(folder, path):
    """Write a checkpoint of Qwen2 as llama.cpp would."""
    config = json.loads((folder / "config.json").read_text())
    words = json.loads((folder / "tokenizer.json").read_text())
    known = {**words["model"]["vocab"], **{t["content"]: t["id"] for t in words["added_tokens"]}}
    by_id = {number: word for word, number in known.items()}
    added = {token["id"] for token in words["added_tokens"]}
    writer = gguf.GGUFWriter(path, "qwen2")
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    writer.add_vocab_size(WORDS)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list([by_id.get(number, f"<unused{number}>") for number in range(WORDS)])
    kinds = [gguf.TokenType.CONTROL if n in added else gguf.TokenType.NORMAL for n in range(WORDS)]
    writer.add_token_types(kinds)
    merges = words["model"]["merges"]
    writer.add_token_merges([each if isinstance(each, str) else " ".join(each) for each in merges])
    writer.add_eos_token_id(2)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.QWEN2, config["num_hidden_layers"])
    for name, tensor in load_file(folder / "model.safetensors").items():
        plain = name.removesuffix(".weight").removesuffix(".bias")
        ending = name[len(plain) :]
        writer.add_tensor(f"{names.get_name(plain)}{ending}", tensor.float().numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def test_a_gguf_file_answers_as_the_folder_that_it_was_made_of(tmp_path):
    folder, file = tmp_path / "folder", tmp_path / "file" / "small.gguf"
    file.parent.mkdir()
    saved(folder)
    written_as_gguf(folder, file)
    plain, _ = sinktrack.load(folder, device="cpu")
    model, tokenizer = sinktrack.load(file, device="cpu")
    assert model.config.model_type == "qwen2" and model.dtype == torch.float32
    for name, weight in plain.state_dict().items():
        torch.testing.assert_close(model.state_dict()[name], weight)
    assert len(tokenizer) >= WORDS
    found = sinktrack.compare(model, tokenizer, question=QUESTION, max_new_tokens=8)
    ids = torch.tensor([[token.id for token in found.prompt]])
    expected = plain.generate(ids, max_new_tokens=8, do_sample=False)[0, ids.shape[1] :]
    assert list(found["baseline"].token_ids) == expected.tolist()


def adapter_of(folder, base):
    """A PEFT adapter that changes what is said."""
    model, _ = sinktrack.load(base, device="cpu")
    torch.manual_seed(0)
    config = peft.LoraConfig(target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    adapted = peft.get_peft_model(model, config)
    adapted.save_pretrained(folder)
    return adapted.merge_and_unload()


@pytest.mark.parametrize("named", ["../base", "absolute"])
def test_an_adapter_is_loaded_with_its_base_model(tmp_path, named):
    base, folder = tmp_path / "base", tmp_path / "adapter"
    saved(base)
    merged = adapter_of(folder, base)
    config = json.loads((folder / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = named if named == "../base" else str(base)
    (folder / "adapter_config.json").write_text(json.dumps(config))
    model, tokenizer = sinktrack.load(folder, device="cpu")
    found = sinktrack.compare(model, tokenizer, question=QUESTION, max_new_tokens=8)
    expected = sinktrack.compare(merged, tokenizer, question=QUESTION, max_new_tokens=8)
    assert found["sinktrack"].token_ids == expected["sinktrack"].token_ids
    assert found["baseline"].token_ids == expected["baseline"].token_ids
    assert found["baseline"].token_ids != answer_of(base)[0]


def test_shards_are_one_checkpoint(tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    model = saved(whole)
    shutil.copytree(whole, parts)
    (parts / "model.safetensors").unlink()
    model.save_pretrained(parts, max_shard_size="200KB")
    assert len(list(parts.glob("*.safetensors"))) > 2
    assert answer_of(parts) == answer_of(whole)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_every_dtype_answers(tmp_path, dtype):
    saved(tmp_path)
    model, tokenizer = sinktrack.load(tmp_path, device="cpu", dtype=dtype)
    assert model.dtype == dtype
    found = sinktrack.compare(model, tokenizer, question=QUESTION, max_new_tokens=4)
    assert found["sinktrack"].trace.share.isfinite().all()


def test_a_model_that_is_spread_answers_as_one_that_is_not(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    saved(tmp_path)
    model, tokenizer = sinktrack.load(tmp_path, device="auto", dtype=torch.float32)
    found = sinktrack.compare(model, tokenizer, question=QUESTION, max_new_tokens=8)
    assert [found[lane].token_ids for lane in found] == answer_of(tmp_path)
    folders = [each for each in Path(tempfile.gettempdir()).glob("sinktrack-offload-*")]
    del model, found
    gc.collect()
    assert any(folders) and not any(each.exists() for each in folders)


def test_a_family_that_nobody_tried_is_tried_when_it_is_loaded(tmp_path, monkeypatch):
    saved(tmp_path, "arcee")
    assert answer_of(tmp_path)[0] != answer_of(tmp_path)[1]
    said = " ".join(remarks(*sinktrack.load(tmp_path, device="cpu")))
    assert "'arcee' is not among those that are tested" in said and "no chat template" in said
    from transformers.models.arcee import modeling_arcee

    monkeypatch.setattr(
        modeling_arcee.ArceeAttention, "forward", lambda *_, **__: (torch.zeros(1, 32, 64), None)
    )
    with pytest.raises(ModelError, match="'arcee', which was not known, and tried here"):
        sinktrack.load(tmp_path, device="cpu")


def spoilt(folder, spoil):
    """A whole checkpoint of which `spoil` takes or changes something."""
    saved(folder)
    spoil(folder)
    return folder


def shard_lost(folder):
    model = small_model("qwen2", vocab_size=WORDS)
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder, max_shard_size="200KB")
    next(iter(sorted(folder.glob("model-00002*")))).unlink()


def only(name, text):
    """Leave one file of a folder."""

    def spoil(folder):
        for path in folder.iterdir():
            path.unlink()
        (folder / name).write_text(text)

    return spoil


def with_config(**values):
    def spoil(folder):
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | values))

    return spoil


def pickled(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


ADAPTER = {"base_model_name_or_path": "nowhere/else/at-all", "peft_type": "LORA"}
WRONG = {
    "nothing in it": (lambda f: only("readme.txt", "x")(f), "no config.json: give a folder"),
    "GGUF files": (only("small.gguf", ""), "holds GGUF files: give one of them, .*small.gguf"),
    "no JSON": (only("config.json", "{"), "no JSON that can be read"),
    "a list": (only("config.json", "[]"), "no JSON object"),
    "no model_type": (only("config.json", "{}"), "names no model_type"),
    "no weights": (lambda f: (f / "model.safetensors").unlink(), "no safetensors weights"),
    "a pickle": (pickled, "in pytorch_model.bin, a pickle"),
    "a shard lost": (shard_lost, "lacks 1 of [0-9]+ files of weights, model-00002"),
    "learned sinks": (with_config(model_type="gpt_oss"), "learned sink logits"),
    "latent attention": (with_config(model_type="deepseek_v3"), "latent vector"),
    "latent by its rank": (with_config(kv_lora_rank=512), "latent vector"),
    "linear layers": (with_config(layer_types=["linear_attention"]), "linear_attention layers"),
    "an encoder": (with_config(model_type="t5", is_encoder_decoder=True), "in an encoder"),
    "crossed": (
        with_config(model_type="mllama", cross_attention_layers=[3]),
        "layers of their own",
    ),
    "an adapter of nothing": (only("adapter_config.json", "{}"), "names no base model"),
    "an adapter without weights": (
        only("adapter_config.json", json.dumps(ADAPTER)),
        "no adapter_model.safetensors",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_the_folder_tells_is_said_at_once(tmp_path, what):
    spoil, words = WRONG[what]
    folder = spoilt(tmp_path / "model", spoil)
    began = time.monotonic()
    with pytest.raises(ModelError, match=words) as caught:
        find_checkpoint(folder)
    assert time.monotonic() - began < 5
    assert "\n" not in str(caught.value) and str(caught.value).endswith(".")


def bert(folder):
    with_config(model_type="bert")(folder)


def unknown(folder):
    with_config(model_type="of-my-own")(folder)


def cut_gguf(folder):
    (folder / "cut.gguf").write_bytes(b"GGUF" + bytes(20))


def adapter_lost(folder):
    only("adapter_config.json", json.dumps(ADAPTER))(folder)
    save_file({"x": torch.zeros(1)}, folder / "adapter_model.safetensors")


LATER = {
    "bert": (bert, "", "no list of decoder layers"),
    "unknown": (unknown, "", "its config.json cannot be loaded"),
    "GGUF cut short": (cut_gguf, "cut.gguf", "its config.json cannot be loaded"),
    "base model lost": (adapter_lost, "", "is a PEFT adapter of nowhere/else/at-all, which"),
    "a file": (lambda folder: None, "config.json", "is a file: give the folder"),
    "a quantised checkpoint": (
        with_config(quantization_config={"quant_method": "gptq", "bits": 4}),
        "",
        "its weights, quantised with gptq, cannot be loaded",
    ),
}


@pytest.mark.parametrize("what", LATER)
def test_what_only_loading_tells_is_one_sentence(tmp_path, what):
    spoil, file, words = LATER[what]
    name = spoilt(tmp_path / "model", spoil) / file
    with pytest.raises(ModelError, match=words) as caught:
        sinktrack.load(name, device="cpu")
    assert "\n" not in str(caught.value)


def test_what_a_machine_lacks_is_named(tmp_path, monkeypatch):
    saved(tmp_path)
    (tmp_path / "x.gguf").write_bytes(np.zeros(8, np.uint8).tobytes())
    monkeypatch.setattr("sinktrack.core.models.find_spec", lambda _: None)
    with pytest.raises(ModelError, match="needs the package gguf .* pip install gguf"):
        sinktrack.load(tmp_path / "x.gguf", device="cpu")


SHAPES = dict.fromkeys(("llava", "llava_next", "llava_onevision", "paligemma"), (4, 4))
SHAPES |= dict.fromkeys(("internvl", "idefics3", "smolvlm"), (2, 2))
"""How the tokens of a picture lie, or those of its overview."""


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # PaliGemma's
@pytest.mark.parametrize("family", sorted(SHAPES))
def test_pictures_are_read_in_one_view(tmp_path, family):
    # Without a sign that this tokenizer would join with the newline that PaliGemma adds.
    question = QUESTION.rstrip("?")
    for part in small_checkpoint(family):
        part.save_pretrained(tmp_path)
    model, reader = sinktrack.load(tmp_path, device="cpu")
    said = " ".join(remarks(model, reader))
    assert ("in one view" in said) == (SHAPES[family] == (2, 2))
    assert ("as an overview and as tiles" in said) == (family in ("llava_next", "llava_onevision"))
    pictures = [Image.new("RGB", (150, 90), "red"), Image.new("RGB", (90, 150), "blue")]
    for given in (pictures[:1], pictures):
        found = sinktrack.compare(model, reader, question=question, images=given, max_new_tokens=4)
        trace = found["sinktrack"].trace
        assert trace.write_layers == (5, 10) and "instruction" in trace.segments
        names = [name for name in trace.segments if name.startswith("image")]
        assert names == (["image"] if len(given) == 1 else ["image 1", "image 2"])
        assert {each.shape[-2:] for each in trace.image_maps} == {SHAPES[family]}
    mark = "<IMG_CONTEXT>" if family == "internvl" else "<image>"
    forged = sinktrack.compare(
        model, reader, question=f"{mark} {question}", images=given, max_new_tokens=4
    )
    assert len(forged["sinktrack"].trace.image_maps) == len(pictures)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # PaliGemma's
@pytest.mark.parametrize("family", sorted(SHAPES))
def test_prompts_with_any_pictures_are_one_batch(family):
    model, processor = small_checkpoint(family)
    wide, tall, square = (Image.effect_noise(size, 90) for size in ((150, 90), (90, 150), (56, 56)))
    asked = [{"pictures": each} for each in ([wide], [tall, square], [square])]
    if family == "paligemma":
        with pytest.raises(PromptError, match="cannot read this prompt: .images. are expected"):
            build_prompt(model, processor, "What moves", needs_picture=False)
    else:
        asked.append({})
    if family == "llava_onevision":
        asked.append({"video": [square, tall, square, tall]})
    prompts = [
        build_prompt(model, processor, "What moves", needs_picture=False, **each) for each in asked
    ]

    def answers(prompts):
        decoding = Decoding(max_new_tokens=4)
        generator = Generator(
            model, processor.tokenizer, prompts, {"plain": None}, decoding=decoding
        )
        generator.run()
        return [each["plain"] for each in generator.comparisons()]

    for prompt, answer in zip(prompts, answers(prompts), strict=True):
        assert answer.token_ids == answers([prompt])[0].token_ids
        assert [each.shape[-2:] for each in answer.trace.image_maps] == [
            (grid.frames * grid.rows, grid.columns) for grid in prompt.grids
        ]
    shapes = {(grid.rows, grid.columns) for prompt in prompts[:3] for grid in prompt.grids}
    assert shapes == {SHAPES[family]}
    if family == "llava_onevision":
        assert prompts[-1].grids == (Grid(frames=4, rows=2, columns=2, more=1),)


def test_the_page_says_what_should_be_known_of_a_model(tmp_path):
    saved(tmp_path)
    engine = Engine.choose(Settings.read(["--model", str(tmp_path)], {}))
    engine.load()
    assert engine.notice.startswith("It has no chat template, so it goes on with the text")
    assert engine.notice in _header(engine)


def test_code_that_comes_with_a_checkpoint_is_never_run(tmp_path):
    """Whoever owns a repository of weights would else own the machine."""
    folder = tmp_path / "model"
    folder.mkdir()
    for source in CHECKPOINT.iterdir():
        (folder / source.name).symlink_to(source)
    ran = tmp_path / "ran"
    (folder / "theirs.py").write_text(
        f"open({str(ran)!r}, 'w')\nclass Config: pass\nModel = Config\n"
    )
    kinds = {"AutoConfig": "theirs.Config", "AutoProcessor": "theirs.Config"}
    kinds |= dict.fromkeys(("AutoModelForImageTextToText", "AutoTokenizer"), "theirs.Model")
    for name in ("config.json", "tokenizer_config.json", "processor_config.json"):
        if (folder / name).exists():
            said = json.loads((CHECKPOINT / name).read_text())
            (folder / name).unlink()
            (folder / name).write_text(json.dumps(said | {"auto_map": kinds}))
    sinktrack.load(folder)
    assert not ran.exists()
    config = json.loads((folder / "config.json").read_text()) | {"model_type": "theirs"}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError):
        sinktrack.load(folder)
    assert not ran.exists()
