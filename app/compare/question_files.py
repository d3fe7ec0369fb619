"""Questions with right answers that a visitor gives: JSON Lines and pictures, unchecked until here.

{"image": "cat.jpg", "question": "How many cats are there?", "answer": "Two."}
"""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image

from app.compare.uploads import Upload
from sinktrack.core.errors import PromptError, reason
from sinktrack.core.files import decoded, json_lines
from sinktrack.core.images import load_picture
from sinktrack.eval.task import Item
from sinktrack.eval.truth import Truth

MOST_LINES = 200
MOST_BYTES = 1_000_000
_LONGEST = 2000  # characters of a question or an answer
_TOLD = 5  # lines whose errors are named; of more only their number is
_KEYS = ("image", "question", "answer")


def read_questions(uploads: Sequence[Upload], pictures: Sequence[str]) -> tuple[Item, ...]:
    """Return the questions of a file, each with its `Truth` among its facts, as "truth".

    Args:
        uploads: One file of JSON Lines, and the pictures that it names.
        pictures: What a line without image asks about; empty for no picture.

    Raises:
        PromptError: With everything that is wrong with the lines, each by its number.
    """
    file, named = _parted(uploads)
    lines = [(at, line) for at, line in enumerate(_lines(file), start=1) if line.strip()]
    if not lines:
        raise PromptError(f"{file.name} holds no question: one line of JSON each.")
    if len(lines) > MOST_LINES:
        raise PromptError(
            f"{file.name} has {len(lines)} questions; the limit is {MOST_LINES}: leave some out."
        )
    items, wrong = [], []
    for number, line in lines:
        try:
            items.append(_item(line, number, named, pictures))
        except PromptError as error:
            wrong.append(f"Line {number} {error}")
    if wrong:
        more = f" {len(wrong) - _TOLD} more lines are wrong." if len(wrong) > _TOLD else ""
        raise PromptError(" ".join(wrong[:_TOLD]) + more)
    return tuple(items)


def _parted(uploads: Sequence[Upload]) -> tuple[Upload, dict[str, Path]]:
    """Return the file of questions, and the pictures by their names."""
    texts = [each for each in uploads if Path(each.name).suffix.lower() in (".jsonl", ".json")]
    if len(texts) != 1:
        raise PromptError(
            f"{len(texts) or 'None'} of the files ends in .jsonl: give one file of questions, and "
            "the pictures that it names."
        )
    return texts[0], {each.name: each.path for each in uploads if each is not texts[0]}


def _lines(file: Upload) -> list[str]:
    try:
        size = file.path.stat().st_size
        if size > MOST_BYTES:
            raise PromptError(
                f"{file.name} has {size / 1e6:.1f} MB; the limit is {MOST_BYTES / 1e6:.0f} MB: "
                "leave some questions out."
            )
        return json_lines(decoded(file.path.read_bytes()))
    except UnicodeDecodeError as error:
        raise PromptError(f"{file.name} is not text: save it as UTF-8.") from error
    except OSError as error:
        raise PromptError(f"{file.name} is no longer on the server: upload it again.") from error


def _item(line: str, number: int, named: Mapping[str, Path], pictures: Sequence[str]) -> Item:
    """Return one line's question; raises PromptError with what stands after "Line N"."""
    try:
        said = json.loads(line, object_pairs_hook=_each_once)
    except (ValueError, RecursionError) as error:
        raise PromptError(f"is not JSON: {reason(error)}.") from error
    if not isinstance(said, dict):
        raise PromptError("has to be an object with question and answer.")
    unknown = sorted(said.keys() - set(_KEYS))
    if unknown:
        raise PromptError(
            f"says {unknown[0][:40]!r}, which means nothing; known are image, question and answer."
        )
    question, answer = (_text(said, name) for name in ("question", "answer"))
    files = pictures
    if said.get("image") is not None:
        image = _text(said, "image")
        if image not in named:
            raise PromptError(f"names the picture {image[:80]!r}, which was not uploaded with it.")
        files = (str(named[image]),)
    return Item(
        id=str(number),
        question=question,
        answer=answer,
        images=[partial(_opened, file) for file in files],
        facts={"truth": Truth.of_reference(answer)},
    )


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"it says {name[:40]!r} twice")
        found[name] = value
    return found


def _text(said: Mapping[str, Any], name: str) -> str:
    text = said.get(name)
    if not isinstance(text, str) or not text.strip():
        raise PromptError(f"has no {name}: give one, as text.")
    if len(text) > _LONGEST:
        raise PromptError(f"has {len(text)} characters of {name}; the limit is {_LONGEST}.")
    return text


def _opened(file: str) -> Image.Image:
    return load_picture(file).image
