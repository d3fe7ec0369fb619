"""Finds the lettered options that stand inside a question.

They are read in all styles that data sets write: `A: x, B: y` in one line, lines of `A. x`, `A: x`,
`A) x` or `(A) x`, and a list of texts.
"""

import ast
import re
from collections.abc import Mapping, Sequence
from string import ascii_uppercase
from typing import Any

Options = Mapping[str, str]
"""Letter to text; empty where a question has none."""

_LIST = re.compile(r"(?:options|choices)\s*:?\s*(\[.*\])", re.IGNORECASE | re.DOTALL)


def find_options(question: str) -> Options:
    """Return the options inside a question: two or more, lettered from A on, in order.

    Where several runs of letters could be meant, the last one counts, because options stand at the
    end. The last option ends with its line, unless another option has several lines.
    """
    listed = _listed(question)
    if listed:
        return listed
    for start in reversed(list(_marker("A").finditer(question))):
        found = _walk(question, start)
        if len(found) > 1:
            return found
    return {}


def lettered(texts: Sequence[Any]) -> Options:
    """Return a list of options with its letters."""
    return {letter: str(text) for letter, text in zip(ascii_uppercase, texts, strict=False)}


def option_columns(row: Mapping[str, Any]) -> Options:
    """Return the options that stand in columns A, B, C and so on, empty ones left out."""
    found = {}
    for letter in ascii_uppercase:
        if letter not in row:
            break
        text = str(row[letter]) if row[letter] is not None else ""
        if text.strip() and text != "nan":
            found[letter] = text
    return found if len(found) > 1 else {}


def _marker(letter: str) -> re.Pattern[str]:
    """Return what matches "A:", "A.", "A)" and "(A)", with white space on both sides."""
    return re.compile(rf"(?<![^\s,;])(?:\({letter}\)|\[{letter}\]|{letter}[.:)])(?=\s)[ \t]*")


def _walk(question: str, start: re.Match[str]) -> dict[str, str]:
    """Return the options from one "A" on, as far as the alphabet goes on."""
    marks = [start]
    for letter in ascii_uppercase[1:]:
        following = _marker(letter).search(question, marks[-1].end())
        if following is None:
            break
        marks.append(following)
    ends = [mark.start() for mark in marks[1:]] + [len(question)]
    texts = [
        question[mark.end() : end].strip().rstrip(",;")
        for mark, end in zip(marks, ends, strict=True)
    ]
    if not any("\n" in text for text in texts[:-1]):
        texts[-1] = texts[-1].split("\n")[0].strip()
    return dict(zip(ascii_uppercase, texts, strict=False))


def _listed(question: str) -> Options:
    found = _LIST.search(question)
    if found is None:
        return {}
    try:
        value = ast.literal_eval(found.group(1))
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return {}
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        return {}
    # the letters may stand inside the list: ["A. left", "B. right"]
    texts = [
        re.sub(rf"^\(?{letter}[.:)]+\s*", "", text)
        for letter, text in zip(ascii_uppercase, value, strict=False)
    ]
    return lettered(texts) if len(texts) > 1 else {}
