"""Texts that hardly anybody types, drawn by hypothesis: what fuzzing asks."""

from typing import Any

from hypothesis import strategies as st
from mutated import LINKS, TEXTS

_BIDI = "\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff\u200b"
_TEMPLATE = ("<|im_start|>", "<|im_end|>", "system\n", "assistant\n", "{{ messages }}", "{% raw %}")

# All of Unicode, lone surrogates among it, which hypothesis leaves out unless told otherwise.
anything = st.text(st.characters(exclude_categories=()), max_size=60)


def texts(tokens: list[str]) -> st.SearchStrategy[Any]:
    """Return texts made of everything at once, and a few things that are no texts.

    Args:
        tokens: The model's special tokens.
    """
    marks = st.text(st.sampled_from(_BIDI + "".join(map(chr, range(32))) + "\x7f\x9f"), max_size=8)
    piece = st.one_of(
        anything,
        marks,
        st.sampled_from([*tokens, *_TEMPLATE, *TEXTS[:-8], *LINKS]),
        st.sampled_from(tokens).map(lambda token: token[: len(token) // 2]),
        st.sampled_from(
            ["red circle?", "ﷺ" * 40, "e\u0301" * 50, "👩‍👩‍👧‍👦" * 9, "\n" * 99, "a" * 3000]
        ),
    )
    joined = st.lists(piece, min_size=1, max_size=5).map("".join)
    huge = st.builds(lambda text, times: (text or "x") * times, anything, st.just(9000))
    return st.integers(0, 29).flatmap(
        lambda drawn: (
            (huge, st.none(), st.none(), st.none(), st.none())[drawn] if drawn < 5 else joined
        )
    )


def numbers() -> st.SearchStrategy[Any]:
    """Return numbers, most of them out of range, and what is none."""
    extreme = st.sampled_from([0, -1, 2**31, 2**64, 10**400, 1e308, float("nan"), float("inf")])
    return st.one_of(st.integers(1, 8), st.integers(), st.floats(), extreme)


def methods() -> st.SearchStrategy[Any]:
    """Return texts of methods: as pages send them, and as no page does."""
    kinds = st.sampled_from(["baseline", "sinktrack", "vcd", "cad", "pai", "nothing", "", "vcd:"])
    parameters = st.builds(
        "{}={}".format, st.sampled_from(["alpha", "strength", "x", "", "sinks"]), numbers()
    )
    text = st.builds(lambda kind, said: f"{kind}:{said}", kinds, parameters)
    return st.lists(st.one_of(kinds, text, anything), max_size=7)
