"""Reads items.jsonl: what is asked, one line of JSON an item.

All lines are looked at before anything is said, so that one sentence names all wrong lines.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from sinktrack.core.errors import PictureError, StudyError, reason, shown
from sinktrack.core.files import json_lines, parsed_json, read_text
from sinktrack.core.images import load_picture
from sinktrack.core.names import exists
from sinktrack.study.fields import TIES, check_known, item_id, one_of, text

Use = Literal["judged", "training", "check"]
KNOWN = ("id", "image", "question", "passage", "reference", "tags", "use", "better", "why",
         "earlier")  # fmt: skip
"""What an item may say."""

EXAMPLE = '{"id": "cat-1", "image": "pictures/cat.jpg", "question": "What is on the sofa?"}'

_MOST_NAMED = 10  # lines, in one sentence


@dataclass(frozen=True, kw_only=True)
class StudyItem:
    """One question about pictures, a passage, or both.

    Args:
        name: Its id, which names its files and its votes.
        question: The question.
        images: The pictures' files, in order.
        passage: The text that the question is about; empty for none.
        reference: A right answer that annotators may look at; empty for none.
        tags: Groups that results are told for.
        use: Judged for the figures; training that everybody begins with, which tells them the right
            answer; or a check that everybody meets among the others. These two count in no figure
            but those of annotators.
        better: What is known to be right: a lane, "tie" or "both bad"; empty if nothing is.
        why: Why it is; told after training.
        earlier: What was asked and answered before the question, in order. Then pictures and
            passage stand in the first turn.
    """

    name: str
    question: str
    images: tuple[Path, ...] = ()
    passage: str = ""
    reference: str = ""
    tags: tuple[str, ...] = ()
    use: Use = "judged"
    better: str = ""
    why: str = ""
    earlier: tuple[tuple[str, str], ...] = ()

    @property
    def turns(self) -> list[dict[str, str]]:
        """What was said before the question, each with a role and a text."""
        return [
            {"role": role, "text": said}
            for exchange in self.earlier
            for role, said in zip(("user", "assistant"), exchange, strict=True)
        ]


def read_items(
    folder: Path, lanes: Collection[str], *, pictures: bool = False
) -> tuple[StudyItem, ...]:
    """Read the items of a study.

    Args:
        folder: The study's, which holds items.jsonl.
        lanes: The names of the study's lanes.
        pictures: Whether every picture is opened as well, as before a model answers.

    Returns:
        The items in the file's order.

    Raises:
        StudyError: If the file is missing or a line cannot be used; it says of the first one what
            to write, and names the others.
    """
    file = folder / "items.jsonl"
    if not file.is_file():
        raise StudyError(f"{folder} has no items.jsonl{_instead(folder)}.")
    try:
        lines = json_lines(read_text(file))
    except UnicodeDecodeError as error:
        at = file.read_bytes()[: error.start].count(b"\n") + 1
        raise StudyError(
            f"{file}, line {at} is not text that can be read: save the file as UTF-8."
        ) from error
    except OSError as error:
        raise StudyError(f"{file} cannot be read: {error.strerror or error}.") from error
    items: dict[str, StudyItem] = {}
    opened: dict[Path, str] = {}
    wrong: dict[int, StudyError] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            item = _item(folder, line, number, f"{file}, line {number}", items, lanes)
            items[item.name] = item
            if pictures:
                _check_pictures(item, f"{file}, line {number} (id {item.name})", opened)
        except StudyError as error:
            wrong[number] = error
    if wrong:
        raise StudyError(_all_of(wrong))
    if not any(item.use == "judged" for item in items.values()):
        raise StudyError(
            f"{file} holds no item that is judged: write one line of JSON each, such as {EXAMPLE}."
        )
    return tuple(items.values())


def _instead(folder: Path) -> str:
    """Return what to do in a folder without items.jsonl."""
    others = ("items.csv", "items.tsv", "items.xlsx", "items.json")
    there = next((name for name in others if (folder / name).is_file()), None)
    if there is None:
        return f": write one, with a line of JSON for each item, such as {EXAMPLE}"
    return (
        f", and {there} is not read: write its rows into items.jsonl, one line of JSON each, such "
        f"as {EXAMPLE}"
    )


def _all_of(wrong: Mapping[int, StudyError]) -> str:
    """Return one sentence on all lines that are wrong."""
    (_, first), *others = wrong.items()
    if not others:
        return str(first)
    named = ", ".join(str(number) for number, _ in others[:_MOST_NAMED])
    more = f" and {len(others) - _MOST_NAMED} more" if len(others) > _MOST_NAMED else ""
    lines = "line" if len(others) == 1 else "lines"
    return f"{str(first).removesuffix('.')}; look at {lines} {named}{more} as well."


def _item(
    folder: Path,
    line: str,
    number: int,
    where: str,
    before: Mapping[str, StudyItem],
    lanes: Collection[str],
) -> StudyItem:
    """Return the item of one line.

    Raises:
        StudyError: If it cannot be used, or has the id of an item before.
    """
    said = _object(line, number, where)
    name = item_id(said.get("id", f"{number:04}"), where)
    where = f"{where} (id {name})"
    check_known(said, KNOWN, where)
    if name in before:
        raise StudyError(f"{where}: an item before has this id already, so give it another one.")
    tags = said.get("tags", [])
    if not isinstance(tags, list) or not all(isinstance(tag, str) and tag for tag in tags):
        raise StudyError(
            f'{where}: tags is {shown(tags)}, but must be a list of words such as ["animals"].'
        )
    images, passage = _images(said, folder, where), text(said, "passage", where, "")
    if not images and not passage:
        raise StudyError(f"{where} has neither image nor passage: name what the question is about.")
    use, better = said.get("use", StudyItem.use), text(said, "better", where, "")
    if use not in get_args(Use):
        raise StudyError(f"{where}: use is {shown(use)}, but must be {one_of(get_args(Use))}.")
    if better and better not in (*lanes, *TIES):
        raise StudyError(
            f"{where}: better is {shown(better)}, but must be {one_of((*lanes, *TIES))}."
        )
    if use != "judged" and not better:
        raise StudyError(
            f"{where}: an item for {use} needs better, what is known to be right: "
            f"{one_of((*lanes, *TIES))}."
        )
    return StudyItem(
        name=name,
        question=text(said, "question", where),
        images=images,
        passage=passage,
        reference=text(said, "reference", where, ""),
        tags=tuple(dict.fromkeys(tags)),
        use=use,
        better=better,
        why=text(said, "why", where, ""),
        earlier=_earlier(said.get("earlier", []), where),
    )


def _earlier(said: Any, where: str) -> tuple[tuple[str, str], ...]:
    """Return the questions before the item's, each with its answer."""
    whole = isinstance(said, list) and all(
        isinstance(pair, list)
        and len(pair) == 2
        and all(isinstance(each, str) and each.strip() for each in pair)
        for pair in said
    )
    if not whole:
        raise StudyError(
            f"{where}: earlier is {shown(said)}, but must be a list of questions with their "
            'answers, such as [["What is on the sofa?", "A cat."]].'
        )
    return tuple((question.strip(), answer.strip()) for question, answer in said)


def _object(line: str, number: int, where: str) -> dict[str, Any]:
    """Return the JSON object of one line.

    Raises:
        StudyError: If it is none; says what it looks like.
    """
    try:
        said = parsed_json(line)
    except (ValueError, RecursionError) as error:
        raise StudyError(f"{where} is not JSON: {_hint(line, number, error)}.") from error
    if isinstance(said, list):
        raise StudyError(f"{where} has to be an object such as {EXAMPLE}, not a list of them.")
    if not isinstance(said, dict):
        raise StudyError(f"{where} has to be an object such as {EXAMPLE}.")
    return said


def _hint(line: str, number: int, error: Exception) -> str:
    """Return what is wrong with a line that is not JSON, and what to write."""
    start = line.strip()
    if not start.startswith(("{", "[", '"')) and any(mark in start for mark in ",;\t"):
        return f"it looks like a table (CSV); write each row as an object, such as {EXAMPLE}"
    if start in ("[", "{", "[{"):
        return f"an item has to stand in one line, without a list around all, such as {EXAMPLE}"
    if start.startswith("{'"):
        return f"names and texts stand between double quotes, as in {EXAMPLE}"
    if start.endswith("},"):
        return "leave the comma at its end out"
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at character {error.colno}; write an object such as {EXAMPLE}"
    return reason(error)


def _images(said: Mapping[str, Any], folder: Path, where: str) -> tuple[Path, ...]:
    """Return the files of an item's pictures, which must lie in the study's folder."""
    named = said.get("image", [])
    named = [named] if not isinstance(named, list) else named
    return tuple(_image(text({"image": each}, "image", where), folder, where) for each in named)


def _image(name: str, folder: Path, where: str) -> Path:
    image = folder / name
    try:
        below = [each for each in (image, *image.parents) if folder in each.parents]
        link = any(each.is_symlink() for each in below)
        inside = image.resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError, RuntimeError):  # too long, with a NUL, or a link to itself
        link, inside = False, False
    if inside and exists(image) and image.is_file():
        return image
    if link and not inside:
        raise StudyError(
            f"{where}: the picture {shown(name)} is a link to a file outside {folder}: copy the "
            "file there in its place."
        )
    raise StudyError(
        f"{where}: the picture {shown(name)} is not a file inside {folder}: copy it there."
    )


def _check_pictures(item: StudyItem, where: str, opened: dict[Path, str]) -> None:
    """Refuse pictures that cannot be read.

    Args:
        item: The item.
        where: Its file, line and id.
        opened: What was said of pictures that other items have as well; "" for a good one.
    """
    for image in item.images:
        if image not in opened:
            try:
                load_picture(image)
                opened[image] = ""
            except PictureError as error:
                opened[image] = str(error)
        if opened[image]:
            raise StudyError(f"{where}: {opened[image]}")
