"""A picture and a question to a model's inputs, with the user's text made safe.

The chat template is rendered around a placeholder, the user's text is put in its place, and all is
encoded at once: so the ids are those of the tokenizer's own chat template. Control tokens in the
user's text, such as `<|im_end|>` or `<|image_pad|>`, are broken by an invisible character before,
so they are plain text to the model. Offsets tell which tokens are the instruction.
"""

import re
import threading
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from sinktrack.core.errors import PromptError, reason
from sinktrack.core.images import Picture

MAX_QUESTION_TOKENS = 2000
# No tokenizer packs more into a token on average; counting the tokens of megabytes takes minutes.
MAX_QUESTION_CHARACTERS = 20 * MAX_QUESTION_TOKENS

# Tokenizers keep settings of the call under way, and threads may share one.
_TOKENIZING = threading.Lock()

_PLACEHOLDER = "PLACEHOLDER-FOR-THE-QUESTION"
_ZERO_WIDTH_SPACE = "\u200b"
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
    if not cleaned.replace(_ZERO_WIDTH_SPACE, "").strip():
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
        question: Any text; it is cleaned, and control tokens in it lose their meaning.
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
    """Encode a clean question inside the chat template."""
    tokenizer = tokenizer_of(processor)
    parts = _rendered(processor, tokenizer, _PLACEHOLDER, len(pictures)).split(_PLACEHOLDER)
    if len(parts) != 2:
        raise PromptError(
            f"The model's chat template writes the question {len(parts) - 1} times or changes it, "
            "so its tokens cannot be told: give the model another chat template."
        )
    before, after = parts
    controls = control_tokens(model.config, tokenizer, before + after)
    question = without_control_tokens(question, controls)
    text = before + question + after
    if _rendered(processor, tokenizer, question, len(pictures)) != text:
        raise PromptError(
            "The model's chat template changes this question, so its tokens cannot be told: take "
            "unusual words such as '</think>' out of it, or give another chat template."
        )
    count, tail = _instruction_tokens(tokenizer, text, len(before), len(question))
    if count > max_question_tokens:
        raise PromptError(
            f"The question has {count} tokens; the limit is {max_question_tokens}: shorten it."
        )
    inputs = _encoded(processor, text, pictures)
    ids = inputs["input_ids"]
    start = ids.shape[1] - len(tail)
    # Pictures come before the question, so the encodings with and without them end alike. A
    # character that the tokenizer does not know may become its token for such.
    forged = (set(tail[:count]) & set(controls.values())) - {tokenizer.unk_token_id}
    if ids[0, start:].tolist() != tail or forged:
        raise PromptError(
            "The question cannot be told from the chat template's own tokens here: take unusual "
            "characters out of it."
        )
    mask = torch.zeros_like(ids, dtype=torch.bool)
    mask[:, start : start + count] = True
    image_token = getattr(model.config, "image_token_id", -1)
    return Prompt(
        inputs=inputs,
        instruction_mask=mask,
        question=question,
        image_tokens=int((inputs["input_ids"] == image_token).sum()),
        pictures=tuple(pictures),
    )


def control_tokens(config: Any, tokenizer: Any, template: str) -> dict[str, int]:
    """Return the texts and ids that mean something to the model when they come as one token.

    These are the special tokens, those that stand for pictures, and those that the chat template
    writes. A tokenizer's other added tokens, such as runs of spaces, are words like any other.

    Args:
        config: The model's config; names the ids that stand for pictures.
        tokenizer: The tokenizer.
        template: What the chat template writes around a question.
    """
    special = set(tokenizer.all_special_ids)
    special |= {at for at, token in tokenizer.added_tokens_decoder.items() if token.special}
    special |= {
        value
        for name, value in vars(config).items()
        if name.endswith(("_token_id", "_token_index")) and isinstance(value, int)
    }
    return {
        text: token_id
        for text, token_id in tokenizer.get_added_vocab().items()
        if text.strip() and (token_id in special or text in template)
    }


def same_question(one: Any, other: str) -> bool:
    """Tell whether two questions differ in nothing but how control tokens in them are broken."""
    return isinstance(one, str) and (
        one.replace(_ZERO_WIDTH_SPACE, "") == other.replace(_ZERO_WIDTH_SPACE, "")
    )


def without_control_tokens(text: str, controls: Iterable[str]) -> str:
    """Return a text in which an invisible character breaks every control token."""
    longest_first = sorted(controls, key=len, reverse=True)
    if not longest_first:
        return text
    found = re.compile("|".join(map(re.escape, longest_first)))
    while found.search(text):
        broken = found.sub(lambda token: token[0][0] + _ZERO_WIDTH_SPACE + token[0][1:], text)
        if len(broken) == len(text):
            break
        text = broken
    return text


def _instruction_tokens(
    tokenizer: Any, text: str, start: int, length: int
) -> tuple[int, list[int]]:
    """Find a question's tokens in the encoding of the whole text.

    Args:
        tokenizer: The tokenizer.
        text: The whole prompt.
        start: Where the question begins, in characters.
        length: How many characters it has.

    Returns:
        How many tokens hold some of it, and the ids from its first token to the text's end.
    """
    if not tokenizer.is_fast:
        raise PromptError(
            f"{type(tokenizer).__name__} does not tell which tokens a text became: load a fast "
            "tokenizer (tokenizer.json)."
        )
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    inside = [
        at
        for at, (begin, end) in enumerate(encoded["offset_mapping"])
        if begin < start + length and end > start and end > begin
    ]
    return len(inside), encoded["input_ids"][inside[0] :] if inside else []


def _rendered(processor: Any, tokenizer: Any, question: str, pictures: int) -> str:
    """Return the chat template's text around a question."""
    content: Any = question
    if pictures:
        content = [{"type": "image"}] * pictures + [{"type": "text", "text": question}]
    if not (getattr(processor, "chat_template", None) or tokenizer.chat_template):
        return str(tokenizer.bos_token or "") + question
    messages = [{"role": "user", "content": content}]
    try:
        text = processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    except Exception as error:  # a template is a program, which fails as it likes
        raise PromptError(f"The model's chat template fails: {reason(error)}.") from error
    return str(text)


def _encoded(processor: Any, text: str, pictures: Sequence[Picture]) -> dict[str, torch.Tensor]:
    """Return the processor's inputs for a prompt."""
    # The template has written the first token already where the tokenizer would add one.
    options = {"add_special_tokens": False, "return_tensors": "pt"}
    if pictures:
        encoded = processor(text=[text], images=[one.image for one in pictures], **options)
    else:
        encoded = processor(text=[text], **options)
    return dict(encoded)
