"""A picture and a question to a model's inputs, with the user's text made safe.

The chat template is rendered around a placeholder, and the user's text is encoded on its own with
special tokens split. So `<|im_end|>` or `<|image_pad|>` in a question are plain text to the model,
and the instruction's tokens are known exactly.
"""

import threading
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from sinktrack.errors import PromptError
from sinktrack.images import Picture

MAX_QUESTION_TOKENS = 2000
# No tokenizer packs more into a token on average; counting the tokens of megabytes takes minutes.
MAX_QUESTION_CHARACTERS = 20 * MAX_QUESTION_TOKENS

# Splitting special tokens is a switch on the tokenizer itself, which threads may share.
_TOKENIZING = threading.Lock()

_PLACEHOLDER = "PLACEHOLDER-FOR-THE-QUESTION"
# Marks that reorder or hide neighbouring text when shown, beside Unicode's control characters.
_BIDI = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """One prompt, ready for a model.

    Args:
        inputs: Keyword arguments of the model's forward, batch size 1; input_ids is int64 (1, T).
        instruction_mask: bool (1, T), True on the user's text: `attach`'s context_mask.
        question: The user's text as the model reads it.
        image_tokens: How many tokens the pictures take.
        pictures: As the model sees them.
    """

    inputs: dict[str, torch.Tensor]
    instruction_mask: torch.Tensor
    question: str
    image_tokens: int = 0
    pictures: tuple[Picture, ...] = ()


def reads_pictures(config: Any) -> bool:
    """Tell whether a model with this config understands pictures."""
    return getattr(config, "vision_config", None) is not None


def tokenizer_of(processor: Any) -> Any:
    """Return a processor's tokenizer; that of a text-only model is its own."""
    return getattr(processor, "tokenizer", processor)


def clean_question(text: str) -> str:
    """Return `text` without control characters, lone surrogates and marks that reorder it.

    Raises:
        PromptError: If nothing is left, or it is far too long.
    """
    if not isinstance(text, str):
        raise PromptError(f"The question is a {type(text).__name__}: give it as text.")
    if len(text) > MAX_QUESTION_CHARACTERS:
        raise PromptError(
            f"The question has {len(text)} characters; the limit is {MAX_QUESTION_CHARACTERS}: "
            "shorten it."
        )
    kept = (
        char
        for char in text.replace("\r\n", "\n").replace("\r", "\n")
        if char in "\n\t" or (unicodedata.category(char) not in ("Cc", "Cs") and char not in _BIDI)
    )
    cleaned = "".join(kept).strip()
    if not cleaned:
        raise PromptError("The question is blank: type one.")
    return cleaned


def build_prompt(
    model: Any,
    processor: Any,
    question: str,
    pictures: Sequence[Picture] = (),
    *,
    max_question_tokens: int = MAX_QUESTION_TOKENS,
    needs_picture: bool = True,
) -> Prompt:
    """Turn a question and its pictures into one model prompt.

    Args:
        model: Tells whether pictures are understood, and which token ids stand for them.
        processor: The model's processor, or the tokenizer of a text-only model.
        question: Any text; it is cleaned, and special tokens in it lose their meaning.
        pictures: The pictures, in the order in which the model sees them; a text-only model takes
            none.
        max_question_tokens: The longest question.
        needs_picture: Refuse a prompt without a picture for a vision-language model, which a person
            has more likely forgotten than left out.

    Returns:
        The prompt on the CPU.

    Raises:
        PromptError: If the question is blank or too long, or pictures and model do not go together.
    """
    question = clean_question(question)
    sees = reads_pictures(model.config)
    if sees and needs_picture and not pictures:
        raise PromptError("There is no picture: give one with the question.")
    if pictures and not sees:
        raise PromptError(
            f"The model type {model.config.model_type!r} reads text only: leave the picture out or "
            "choose a vision-language model."
        )
    with _TOKENIZING:
        return _build(model, processor, question, pictures, max_question_tokens)


def _build(
    model: Any,
    processor: Any,
    question: str,
    pictures: Sequence[Picture],
    max_question_tokens: int,
) -> Prompt:
    """Encode a clean question between the two halves of the chat template."""
    tokenizer = tokenizer_of(processor)
    question_ids = tokenizer.encode(question, add_special_tokens=False, split_special_tokens=True)
    if len(question_ids) > max_question_tokens:
        raise PromptError(
            f"The question has {len(question_ids)} tokens; the limit is {max_question_tokens}: "
            "shorten it."
        )
    before, after = _rendered(processor, tokenizer, len(pictures)).split(_PLACEHOLDER)
    inputs = _encoded(processor, before, pictures)
    head = inputs["input_ids"]
    tail = [question_ids, tokenizer.encode(after, add_special_tokens=False)]
    added = torch.tensor([sum(tail, [])], dtype=head.dtype)
    length = head.shape[1]
    inputs["input_ids"] = torch.cat([head, added], dim=1)
    for name, value in inputs.items():
        # mm_token_type_ids and token_type_ids mark pictures, so text is 0 in them.
        if name != "input_ids" and value.shape == head.shape:
            fill = torch.full_like(added, 1 if name == "attention_mask" else 0, dtype=value.dtype)
            inputs[name] = torch.cat([value, fill], dim=1)
    mask = torch.zeros_like(inputs["input_ids"], dtype=torch.bool)
    mask[:, length : length + len(question_ids)] = True
    image_token = getattr(model.config, "image_token_id", -1)
    return Prompt(
        inputs=inputs,
        instruction_mask=mask,
        question=question,
        image_tokens=int((inputs["input_ids"] == image_token).sum()),
        pictures=tuple(pictures),
    )


def _rendered(processor: Any, tokenizer: Any, pictures: int) -> str:
    """Return the chat template's text with one placeholder for the question."""
    content: Any = _PLACEHOLDER
    if pictures:
        content = [{"type": "image"}] * pictures + [{"type": "text", "text": _PLACEHOLDER}]
    if not (getattr(processor, "chat_template", None) or tokenizer.chat_template):
        return str(tokenizer.bos_token or "") + _PLACEHOLDER
    messages = [{"role": "user", "content": content}]
    text = processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    return str(text)


def _encoded(processor: Any, text: str, pictures: Sequence[Picture]) -> dict[str, torch.Tensor]:
    """Return the processor's inputs for the template's text up to the question."""
    # The template has written the first token already where the tokenizer would add one.
    options = {"add_special_tokens": False, "return_tensors": "pt"}
    if pictures:
        encoded = processor(text=[text], images=[one.image for one in pictures], **options)
    else:
        encoded = processor(text=[text], **options)
    return dict(encoded)
