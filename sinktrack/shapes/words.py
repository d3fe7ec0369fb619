"""How people type a question: in one of its phrasings, with courtesies and typing errors."""

import random
import re
import string

from sinktrack.shapes.phrasings import phrasings

_COURTESIES = (
    "Please tell me: {}",
    "Hello! {}",
    "{} Thank you.",
    "{} Please answer.",
    "Excuse me, {}",
    "Hi, {}",
    "A question: {}",
    "{} Thanks!",
)


def said(rng: random.Random, kind: str, held_out: bool, **words: str) -> str:
    """Return one of the phrasings of a kind that these words fill; its first letter is large."""
    fitting = [
        each
        for each in phrasings(kind, held_out)
        if all(name in words for _, name, *_ in string.Formatter().parse(each) if name)
    ]
    return filled(rng.choice(fitting), **words)


def filled(phrasing: str, **words: str) -> str:
    """Return a phrasing with words in it: its first letter large, and "an" before a vowel."""
    text = re.sub(r"\b([Aa]) (?=[aeiou])", r"\1n ", phrasing.format(**words))
    return text[0].upper() + text[1:]


def courtesies(held_out: bool = False) -> tuple[str, ...]:
    """Return words around a question that are trained, or those that are kept from training."""
    return _COURTESIES[int(held_out) :: 2]


def as_typed(rng: random.Random, text: str, held_out: bool = False) -> str:
    """Return a question as people type it: with courtesies, small letters, without its mark."""
    chance = rng.random()
    if chance < 0.15:
        around = rng.choice(courtesies(held_out))
        text = around.format(text if around.startswith("{") else text[0].lower() + text[1:])
    if rng.random() < 0.15:
        text = text.lower()
    if rng.random() < 0.15:
        text = text.rstrip("?.")
    if rng.random() < 0.1:
        text = mistyped(rng, text)
    return text


def mistyped(rng: random.Random, text: str) -> str:
    """Return a text with one typing error inside a word of four letters or more.

    The first and the last letter stay, so that a word remains the one that it is.
    """
    words = text.split(" ")
    long = [at for at, word in enumerate(words) if len(word) >= 5 and word.isalpha()]
    if not long:
        return text
    at = rng.choice(long)
    word, place = words[at], rng.randrange(1, len(words[at]) - 2)
    words[at] = rng.choice(
        (
            word[:place] + word[place + 1] + word[place] + word[place + 2 :],  # two letters swapped
            word[:place] + word[place + 1 :],  # one left out
            word[:place] + word[place] + word[place:],  # one twice
        )
    )
    return " ".join(words)
