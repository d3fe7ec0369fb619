"""Token ids to the text of a growing answer, in time that grows with its length alone."""

from collections.abc import Sequence
from typing import Any

_INCOMPLETE = "\ufffd"  # what decoders write for a character whose other bytes are still to come


class GrowingText:
    """The text of an answer whose tokens come one after the other.

    A token alone does not tell its text: bytes of one character may be spread over several, and
    some tokenizers drop a space at the start. So each is decoded behind the last few before it.

    Args:
        tokenizer: A transformers tokenizer.
        skip_special_tokens: Whether tokens such as the end of an answer have no text.
    """

    def __init__(self, tokenizer: Any, *, skip_special_tokens: bool = False) -> None:
        """Start with nothing written."""
        self._tokenizer = tokenizer
        self._skip = skip_special_tokens
        self._recent: list[int] = []  # the context of the next token, and those without text yet
        self._told = 0  # how many characters of the recent ones' text were told

    def take(self, token_id: int, *, last: bool = False) -> str:
        """Add a token and return what it adds to the text; "" while a character is incomplete.

        Args:
            token_id: The token.
            last: Whether nothing follows, so that what is incomplete stays so.
        """
        self._recent.append(token_id)
        text = self._decoded(self._recent)
        endless = len(self._recent) >= 4 * _MOST  # such as bytes that never make a character
        whole = text if last or endless else text.rstrip(_INCOMPLETE)
        added = whole[self._told :]
        self._told = max(self._told, len(whole))
        if endless:
            self._keep(_CONTEXT)
        elif len(self._recent) >= _MOST and whole == text:
            # Cut not inside a character, of which some decoders make other text without its start.
            sizes = range(_CONTEXT, _CONTEXT + 4)
            fit = (n for n in sizes if text.endswith(self._decoded(self._recent[-n:]) or "\0"))
            self._keep(next(fit, len(self._recent)))
        return added

    def _keep(self, count: int) -> None:
        """Forget all but the last tokens, whose text was told."""
        self._recent = self._recent[-count:]
        self._told = len(self._decoded(self._recent))

    def _decoded(self, ids: list[int]) -> str:
        text: str = self._tokenizer.decode(
            ids, skip_special_tokens=self._skip, clean_up_tokenization_spaces=False
        )
        return text


_MOST = 32
"""How many tokens are decoded at once: many more than one character takes."""
_CONTEXT = 8
"""How many of them stay to be decoded with the next ones."""


def token_texts(tokenizer: Any, ids: Sequence[int]) -> list[str]:
    """Return what each token adds to the decoded text; "" while a character is still incomplete.

    Args:
        tokenizer: A transformers tokenizer, or None for empty texts.
        ids: The token ids of one answer.
    """
    if tokenizer is None:
        return [""] * len(ids)
    text = GrowingText(tokenizer)
    return [text.take(each, last=at == len(ids)) for at, each in enumerate(ids, start=1)]
