"""A lane answers as `generate` does, whatever the checkpoint's generation config asks for."""

import copy
import json

import pytest
import torch
from PIL import Image
from small_models import small_model
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

import sinktrack
from sinktrack.core.decoding import Decoding, Sampler
from sinktrack.core.errors import MethodError
from sinktrack.core.images import load_picture
from sinktrack.core.prompt import build_prompt
from sinktrack.core.row import Row
from sinktrack.core.text import GrowingText, token_texts
from sinktrack.report.replay import read_replay, record

PICTURE = Image.new("RGB", (112, 112), "white")
QUESTION = "Describe the picture."
TOKENS = 24


@pytest.fixture
def configured(checkpoint):
    """The bundled model, whose generation config may be changed."""
    model, processor = checkpoint
    own = model.generation_config
    model.generation_config = copy.deepcopy(own)
    yield model, processor
    model.generation_config = own


def lane(configured, **options):
    model, processor = configured
    return sinktrack.compare(
        model,
        processor,
        image=PICTURE,
        question=QUESTION,
        methods={"plain": None},
        **{"max_new_tokens": TOKENS} | options,
    )


def generated(configured):
    """What `generate` answers by the same generation config."""
    model, processor = configured
    prompt = build_prompt(model, processor, QUESTION, [load_picture(PICTURE)])
    ids = model.generate(
        **prompt.inputs, max_new_tokens=TOKENS, do_sample=False, tokenizer=processor.tokenizer
    )
    return ids[0, prompt.inputs["input_ids"].shape[1] :].tolist()


STEPS = {
    "no_repeat_ngram_size": 2,
    "bad_words_ids": [[262], [9, 12]],
    "suppress_tokens": list(range(5, 40)),
    "begin_suppress_tokens": list(range(5, 400)),
    "min_new_tokens": 20,
    "min_length": 60,
    "forced_eos_token_id": 7,
    "sequence_bias": [[[262], -90.0]],
    "exponential_decay_length_penalty": (4, 50.0),
    "repetition_penalty": 1.4,
    "stop_strings": ["a"],
    "eos_token_id": [3, 4, 11, 12, 13, 14, 15, 16, 17, 18],
}


@pytest.mark.parametrize("name", STEPS)
def test_what_the_generation_config_asks_for_is_done_and_named(configured, name):
    model, _ = configured
    free = generated(configured)
    setattr(model.generation_config, name, STEPS[name])
    result = lane(configured)
    assert list(result["plain"].token_ids) == generated(configured)
    if name not in ("eos_token_id", "min_length", "begin_suppress_tokens", "forced_eos_token_id"):
        assert generated(configured) != free  # else the test could not tell
    if name != "eos_token_id":
        assert result.settings[name] == STEPS[name]


def test_a_stop_string_is_an_end_that_the_model_wrote(configured):
    model, _ = configured
    assert lane(configured)["plain"].finish in ("eos", "length")
    model.generation_config.stop_strings = ["e"]
    result = lane(configured)["plain"]
    assert result.finish == "eos" and "e" in result.text[-3:]


def test_min_p_narrows_what_is_sampled(configured):
    model, _ = configured
    greedy = lane(configured)["plain"].token_ids
    options = {"do_sample": True, "temperature": 4.0, "seed": 1}
    assert lane(configured, **options)["plain"].token_ids != greedy
    model.generation_config.min_p = 1.0  # only the likeliest token is left
    result = lane(configured, **options)
    assert result["plain"].token_ids == greedy and result.settings["min_p"] == 1.0


def test_generates_own_limit_on_sampling_is_kept_and_can_be_lifted(configured):
    """Without a word from the checkpoint `generate` samples from the 50 likeliest tokens."""
    model, _ = configured
    model.generation_config.top_k = None
    assert lane(configured, do_sample=True).settings["top_k"] == 50
    assert lane(configured, do_sample=True, top_k=0).settings["top_k"] == 0


@pytest.mark.parametrize(
    ("name", "value", "options"),
    [
        ("top_k", -1, {"do_sample": True}),
        ("temperature", 0.0, {"do_sample": True}),
        ("repetition_penalty", 0.0, {}),
        ("no_repeat_ngram_size", 2.5, {}),
        ("stop_strings", 7, {}),
    ],
)
def test_impossible_values_are_refused_in_a_sentence(configured, name, value, options):
    model, _ = configured
    setattr(model.generation_config, name, value)
    with pytest.raises(MethodError, match="decoding asked for is impossible"):
        lane(configured, **options)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"num_beams": 4}, "beam search"),
        ({"num_beams": 2, "do_sample": True}, "beam"),
        ({"prompt_lookup_num_tokens": 3}, "assisted generation"),
        ({"guidance_scale": 1.5}, "guidance_scale=1.5"),
        ({"token_healing": True}, "token_healing=True"),
    ],
)
def test_more_than_one_token_after_the_other_is_refused_by_name(configured, changes, words):
    model, _ = configured
    for name, value in changes.items():
        setattr(model.generation_config, name, value)
    with pytest.raises(MethodError, match=words):
        lane(configured)


def test_asking_generate_runs_no_model_and_changes_nothing(checkpoint):
    model, processor = checkpoint
    ids = torch.ones(1, 5, dtype=torch.long)
    before = model.generation_config.to_dict()

    def run(*_, **__):
        pytest.fail("the model was run")

    hook = model.register_forward_pre_hook(run)
    Sampler(Decoding(max_new_tokens=3), model, processor.tokenizer, ids)
    hook.remove()
    assert model.generation_config.to_dict() == before


def test_every_end_is_told_for_its_own_row():
    model = small_model("llama")
    model.generation_config.eos_token_id = [7, 9]
    sampler = Sampler(Decoding(max_new_tokens=2), model, None, torch.ones(1, 4).long())
    ids = torch.ones(3, 5, dtype=torch.long)
    ids[1, -1] = 9
    assert sampler.ended(ids) == [None, "eos", None]
    ids = torch.cat([ids, torch.tensor([[1], [1], [7]])], dim=1)
    assert sampler.ended(ids) == ["length", "length", "eos"]


# The text of a growing answer


def byte_tokenizer():
    """Every byte is a token, so most characters are spread over several."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<end>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    backend.train_from_iterator(["the red circle is there"] * 9, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<end>")


def metaspace_tokenizer():
    """As Llama's: a space at the start of what is decoded is dropped."""
    backend = Tokenizer(models.BPE(unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.decoder = decoders.Metaspace()
    trainer = trainers.BpeTrainer(vocab_size=200, special_tokens=["<unk>", "<end>"])
    backend.train_from_iterator(["the red circle is there, naïve 日本 👩"] * 9, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<end>")


def fallback_tokenizer():
    """As Llama 2's and Gemma 3's: characters that it does not know become tokens of bytes."""
    backend = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True))
    backend.normalizer = normalizers.Replace(" ", "▁")
    backend.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    every_byte = [f"<0x{byte:02X}>" for byte in range(256)]
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=["<unk>", "<end>", *every_byte], limit_alphabet=40
    )
    backend.train_from_iterator(
        ["the red circle is there, na ve two  spaces and lines"] * 9, trainer
    )
    return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<end>")


@pytest.mark.parametrize("make", [byte_tokenizer, metaspace_tokenizer, fallback_tokenizer])
@pytest.mark.parametrize(
    "text",
    [
        "the red circle is there " * 9,
        "naïve 日本 👩‍👩‍👧 é " * 9,
        "日本" * 40,
        "日本語 ሰላም 👩‍👩‍👧 " * 12,
        "  two  spaces\n\nand lines\t" * 6,
        "the<end> red<end><end> circle " * 9,
    ],
)
def test_pieces_add_up_to_what_the_tokenizer_decodes_at_once(make, text):
    tokenizer = make()
    ids = tokenizer.encode(text)
    for skip in (True, False):
        growing = GrowingText(tokenizer, skip_special_tokens=skip)
        pieces = [growing.take(each, last=each is ids[-1]) for each in ids]
        assert "".join(pieces) == tokenizer.decode(ids, skip_special_tokens=skip)
    assert "".join(token_texts(tokenizer, ids)) == tokenizer.decode(ids)


def test_bytes_that_never_make_a_character_do_not_pile_up():
    tokenizer = byte_tokenizer()
    broken = tokenizer.convert_tokens_to_ids("Ģ")  # a byte that only continues a character
    growing = GrowingText(tokenizer)
    pieces = [growing.take(broken, last=at == 199) for at in range(200)]
    assert "".join(pieces) == "\ufffd" * 200


class Counting:
    """Counts how many ids are decoded."""

    def __init__(self, tokenizer):
        self.tokenizer, self.decoded = tokenizer, 0

    def decode(self, ids, **options):
        self.decoded += len(ids)
        return self.tokenizer.decode(ids, **options)


def test_the_work_grows_with_the_answers_length_alone():
    tokenizer = byte_tokenizer()
    ids = tokenizer.encode("the red circle naïve 日本 " * 60)
    works = []
    for count in (len(ids) // 4, len(ids)):
        counting = Counting(tokenizer)
        growing = GrowingText(counting)
        for each in ids[:count]:
            growing.take(each)
        works.append(counting.decoded / count)
    assert works[1] <= works[0] * 1.1 and works[1] <= 40


def test_a_lane_decodes_its_answer_in_linear_time():
    counting = Counting(byte_tokenizer())
    lane = Row("x", None, counting)
    for token_id in counting.tokenizer.encode("the red circle " * 60):
        lane.take(token_id, 1.0, None, 0.0)
    assert lane.text == ("the red circle " * 60) and counting.decoded <= 40 * len(lane.ids)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("no_repeat_ngram_size", 2),
        ("bad_words_ids", [[262], [9, 12]]),
        ("min_new_tokens", 20),
        ("repetition_penalty", 1.4),
        ("stop_strings", ["a"]),
    ],
)
def test_what_the_caller_asks_for_is_what_generate_does(configured, name, value):
    answer = lane(configured, **{name: value})["plain"]
    plain = generated(configured)
    setattr(configured[0].generation_config, name, value)
    assert list(answer.token_ids) == generated(configured) != plain


def test_a_replay_decodes_as_was_asked(configured, tmp_path):
    asked = {"no_repeat_ngram_size": 3, "stop_strings": ["xyz"], "min_p": 0.1, "do_sample": True}
    comparison = lane(configured, **asked)
    (tmp_path / "saved.json").write_text(json.dumps(record(comparison)))
    decoding = read_replay(tmp_path / "saved.json").decoding
    assert {name: getattr(decoding, name) for name in asked} == asked


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"min_p": 1.5}, "min_p is 1.5"),
        ({"repetition_penalty": 0}, "repetition_penalty is 0, but must be above 0"),
        ({"no_repeat_ngram_size": -1}, "no_repeat_ngram_size is -1"),
        ({"min_new_tokens": 9, "max_new_tokens": 8}, "shortest answer is no longer"),
        ({"stop_strings": "x"}, "must be a list of texts"),
    ],
)
def test_impossible_decoding_is_refused_in_a_sentence(configured, arguments, words):
    with pytest.raises(MethodError, match=words):
        lane(configured, **arguments)
