"""A byte-level BPE of the project's own, with Qwen2.5-VL's control tokens.

Any typed text can be encoded, because every byte has a token of its own; only the
little world's own words are short.
"""

import json
import random
from collections.abc import Iterator
from typing import Any

from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers
from transformers import Qwen2Tokenizer
from transformers.models.qwen2.tokenization_qwen2 import PRETOKENIZE_REGEX

from sinktrack.shapes.scenes import sample_scene
from training.mixture import passages, scene_questions

VOCABULARY = 768
"""Tokens of the BPE, bytes included and control tokens not."""

CONTROL_TOKENS = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|object_ref_start|>",
    "<|object_ref_end|>",
    "<|box_start|>",
    "<|box_end|>",
    "<|quad_start|>",
    "<|quad_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
)

_PLAIN_ENGLISH = """
user assistant system. The picture shows coloured shapes on a light paper. Please tell me what you can see in this
image, and how it looks. I think that there are some things which you do not know. Who are you? What is your name?
When was this made, and why? Can you count them all? Which one is on the left side, on the right side, above, below,
between or next to the other one? Are there more or fewer of these than of those? Is it large or small, dark or
bright, near or far? Yes and no. One, two, three, four, five, six, seven, eight, nine, ten. Row and column, top and
bottom, left and right, centre and middle, corner and edge. White, orange, pink, brown, grey. People, a cat, a dog, a
house, a car, a tree, the sky, the sea. Describe the scene in detail. Answer with one word. Explain step by step.
"""  # noqa: E501 - a line break is a token too: wrapped anew, this would train another tokenizer


def _corpus() -> Iterator[str]:
    """Sentences in the proportions of the training data, and a little ordinary English."""
    rng = random.Random("tokenizer")
    for _ in range(3000):
        for question in scene_questions(rng, sample_scene(rng, rng.randint(1, 5))) + passages(rng):
            yield question.text
            yield question.answer
    for _ in range(200):
        yield _PLAIN_ENGLISH


def train_tokenizer(vocabulary: int = VOCABULARY) -> Qwen2Tokenizer:
    """Train the tokenizer on the little world's own sentences.

    Args:
        vocabulary: how many tokens besides the control tokens; at least the 256 bytes.
    """
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PRETOKENIZE_REGEX), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(_corpus(), trainer)
    return tokenizer_of(json.loads(backend.to_str())["model"])


def learned(tokenizer: Qwen2Tokenizer) -> dict[str, Any]:
    """Return what training a tokenizer found, its "vocab" and "merges", as JSON values."""
    model = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    return {name: model[name] for name in ("vocab", "merges")}


def tokenizer_of(found: dict[str, Any]) -> Qwen2Tokenizer:
    """Make the tokenizer that `learned` describes."""
    merges: Any = [tuple(pair) for pair in found["merges"]]
    return Qwen2Tokenizer(
        vocab=found["vocab"],
        merges=merges,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        extra_special_tokens=list(CONTROL_TOKENS),
    )
