"""Which tokens a text inside a prompt became, and which texts would be more than text.

Works on a tokenizer's offsets and on ids; knows nothing about conversations.
"""

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from sinktrack.core.errors import PromptError
from sinktrack.core.messages import ZERO_WIDTH_SPACE

_PIECE = 10_000  # characters


@dataclass(frozen=True, kw_only=True)
class TextSpan:
    """A user's text inside the prompt: characters `begin` to `end`, as a part of a kind."""

    begin: int
    end: int
    kind: str


def tokenizer_of(processor: Any) -> Any:
    """Return a processor's tokenizer; that of a text-only model is its own."""
    return getattr(processor, "tokenizer", processor)


def control_tokens(config: Any, tokenizer: Any, template: str) -> dict[str, int]:
    """Return the texts and ids that mean something to the model when they come as one token.

    These are the special tokens, those that stand for pictures, and those that the chat template
    writes. A tokenizer's other added tokens, such as runs of spaces, are words like any other.

    Args:
        config: The model's config; names the ids that stand for pictures.
        tokenizer: The tokenizer.
        template: What the chat template writes around the texts.
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


def without_control_tokens(text: str, controls: Iterable[str]) -> str:
    """Return a text in which an invisible character breaks every control token."""
    # One of a single character cannot be broken; a text that holds it is refused later.
    longest_first = sorted((each for each in controls if len(each) > 1), key=len, reverse=True)
    if not longest_first:
        return text
    found = re.compile("|".join(map(re.escape, longest_first)))
    while found.search(text):
        broken = found.sub(lambda token: token[0][0] + ZERO_WIDTH_SPACE + token[0][1:], text)
        if len(broken) == len(text):
            break
        text = broken
    return text


def exceeds(tokenizer: Any, texts: Iterable[str], most: int) -> bool:
    """Tell whether texts have more than `most` tokens, without reading much more than that.

    Texts of megabytes would take minutes and gigabytes. Where a text is cut a token more may count.
    """
    count = 0
    for text in texts:
        for start in range(0, len(text), _PIECE):
            piece = tokenizer(text[start : start + _PIECE], add_special_tokens=False)
            count += len(piece["input_ids"])
            if count > most:
                return True
    return False


@dataclass(frozen=True)
class FoundTokens:
    """The ids of a rendered text, and for each span the indices of its tokens."""

    ids: list[int]
    inside: list[list[int]]

    def count(self, spans: Sequence[TextSpan], kind: str) -> int:
        """Return how many tokens the spans of a kind have together."""
        both = zip(spans, self.inside, strict=True)
        return sum(len(inside) for span, inside in both if span.kind == kind)


def tokens_of(tokenizer: Any, text: str, spans: Sequence[TextSpan]) -> FoundTokens:
    """Find the tokens that hold some of each span."""
    if not tokenizer.is_fast:
        raise PromptError(
            f"{type(tokenizer).__name__} does not tell which tokens a text became: load a fast "
            "tokenizer (tokenizer.json)."
        )
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    offsets = encoded["offset_mapping"]
    inside, at = [], 0
    for span in spans:
        own = []
        while at < len(offsets) and offsets[at][0] < span.end:
            begin, end = offsets[at]
            if end > span.begin and end > begin:
                own.append(at)
            at += 1
        inside.append(own)
    return FoundTokens(encoded["input_ids"], inside)


def places_of(written: Sequence[int], read: Sequence[int], visual: torch.Tensor) -> dict[int, int]:
    """Tell where the tokens of a text stand among those that the processor made of it.

    A processor puts many tokens in the place of a picture, and some put marks around them.

    Args:
        written: The text's own ids, one for a picture.
        read: The processor's ids.
        visual: bool (len(read),), which of them stand for pictures and videos.

    Returns:
        Indices into `written` to indices into `read`, of tokens that are in both.
    """
    kept = [at for at, is_visual in enumerate(visual.tolist()) if not is_visual]
    visual_ids = {read[at] for at in range(len(read))} - {read[at] for at in kept}
    words = [at for at, token_id in enumerate(written) if token_id not in visual_ids]
    ours, theirs = [written[at] for at in words], [read[at] for at in kept]
    if ours == theirs:
        return dict(zip(words, kept, strict=True))
    # Marks stand around pictures alone, so most of it is equal: only what lies between is compared.
    least = min(len(ours), len(theirs))
    start = next((at for at in range(least) if ours[at] != theirs[at]), least)
    end = next(
        (at for at in range(least - start) if ours[-1 - at] != theirs[-1 - at]), least - start
    )
    found = {words[at]: kept[at] for at in range(start)}
    found |= {words[-1 - at]: kept[-1 - at] for at in range(end)}
    matcher = difflib.SequenceMatcher(
        None, ours[start : len(ours) - end], theirs[start : len(theirs) - end], autojunk=False
    )
    for block in matcher.get_matching_blocks():
        for step in range(block.size):
            found[words[start + block.a + step]] = kept[start + block.b + step]
    return found
