"""Finds the words of a list in a text, singular or plural. Knows no grammar beyond that."""

import re
from collections.abc import Collection, Iterator

_IRREGULAR = {
    "people": "person",
    "men": "man",
    "women": "woman",
    "children": "child",
    "mice": "mouse",
    "geese": "goose",
    "feet": "foot",
    "teeth": "tooth",
    "oxen": "ox",
    "leaves": "leaf",
    "loaves": "loaf",
    "shelves": "shelf",
    "wolves": "wolf",
    "knives": "knife",
    "wives": "wife",
    "scarves": "scarf",
    "halves": "half",
    "calves": "calf",
}
_ENDINGS = (("ies", "y"), ("men", "man"), ("es", ""), ("s", ""))


def words_in(text: str) -> list[str]:
    """Return the words of a text in lower case; hyphens stay inside, apostrophes part words."""
    return re.findall(r"[a-z0-9]+(?:-[a-z0-9]+)*", text.lower())


def forms(word: str) -> Iterator[str]:
    """Yield a word, and what may be its singular, the likeliest first."""
    yield word
    if word in _IRREGULAR:
        yield _IRREGULAR[word]
    for ending, instead in _ENDINGS:
        if word.endswith(ending) and len(word) > len(ending) + 1:
            yield word.removesuffix(ending) + instead


def known_form(word: str, known: Collection[str]) -> str | None:
    """Return the form of a word that is in a list; None where none is."""
    return next((form for form in forms(word) if form in known), None)
