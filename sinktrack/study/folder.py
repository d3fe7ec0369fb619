"""A study is a folder: study.yaml says how it is judged, items.jsonl what, prepared/ holds answers.

Reads and checks these files. Knows nothing about models, votes and pages.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from sinktrack.core.cache import Cache, SinkWindow
from sinktrack.core.errors import SinkTrackError, StudyError, reason
from sinktrack.core.files import json_lines, read_text
from sinktrack.core.messages import clean_question, same_question
from sinktrack.core.names import exists
from sinktrack.methods import from_dict
from sinktrack.report.payload import upgraded

Ask = Literal["hallucination", "comment"]
Reveal = Literal["after vote", "never"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_MOST_VOTES = 100


@dataclass(frozen=True, kw_only=True)
class StudyItem:
    """One question about pictures, a passage, or both.

    Args:
        name: Names the item's files and its votes.
        question: The question.
        images: The pictures' files, in order.
        passage: The text that the question is about; empty for none.
        reference: A right answer that annotators may look at; empty for none.
        tags: Groups that results are told for.
    """

    name: str
    question: str
    images: tuple[Path, ...] = ()
    passage: str = ""
    reference: str = ""
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Study:
    """What is judged, and how.

    Args:
        folder: Where its files are.
        name: Its name in the database; by default the folder's.
        title: What annotators read first.
        instructions: What they are to do, as plain text.
        model: A hub name, or a folder.
        lanes: Two or more methods by name, which annotators compare in pairs: None for the plain
            model, else kind and parameters; without a kind SinkTrack and what differs from the
            model's own schedule.
        items: In the file's order.
        votes_per_item: How many people judge each item.
        ask: What is asked besides which answer is better.
        reveal: Whether annotators may see which answer was whose, once they have voted.
        max_new_tokens: The longest answer.
        cache: As for `sinktrack.compare`.
    """

    folder: Path
    name: str
    title: str
    instructions: str
    model: str
    lanes: Mapping[str, Mapping[str, Any] | None]
    items: tuple[StudyItem, ...]
    votes_per_item: int = 2
    ask: tuple[Ask, ...] = get_args(Ask)
    reveal: Reveal = "never"
    max_new_tokens: int = 256
    cache: Cache = "full"

    def prepared(self, item: StudyItem) -> Path:
        """Return the file that holds an item's answers."""
        return self.folder / "prepared" / f"{item.name}.json"

    def trace(self, item: StudyItem, lane: str) -> Path:
        """Return the file that holds the attention of one answer."""
        return self.folder / "prepared" / f"{item.name}@{lane}.safetensors"

    def read_prepared(self, item: StudyItem) -> dict[str, Any]:
        """Return an item's answers, as `sinktrack.report.payload` makes them.

        Raises:
            StudyError: If they are not there, or not whole.
        """
        path = self.prepared(item)
        try:
            found = upgraded(json.loads(path.read_text("utf-8")))
            texts = {lane["name"]: lane["text"] for lane in found["lanes"]}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StudyError(
                f"The item {item.name} has no answers yet ({path}): run `sinktrack study prepare "
                f"{self.folder}` first."
            ) from error
        if set(texts) != set(self.lanes):
            raise StudyError(
                f"The answers in {path} are of other lanes ({', '.join(texts)}): run `sinktrack "
                f"study prepare {self.folder}` again."
            )
        if not same_question(found.get("question"), clean_question(item.question)):
            raise StudyError(
                f"The answers in {path} are to another question: run `sinktrack study prepare "
                f"{self.folder}` again."
            )
        return found


class _EachOnce(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML has no types
    """Refuses what YAML libraries take the last of: a lane or a parameter that is given twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Return a mapping whose keys are all different."""
        keys = [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        names = [(key.tag, key.value) for key in keys]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise yaml.YAMLError(f"it says {twice[1]!r} twice in one place: say it once")
        found: dict[Any, Any] = super().construct_mapping(node, deep)
        return found


def read_study(folder: str | Path) -> Study:
    """Read a study's folder.

    Args:
        folder: Holds study.yaml and items.jsonl.

    Returns:
        The study.

    Raises:
        StudyError: If a file is missing or says something that cannot be used, with the line.
    """
    folder = Path(folder)
    file = folder / "study.yaml"
    try:
        said = yaml.load(read_text(file), _EachOnce)
    except OSError as error:
        raise StudyError(
            f"{folder} is no study, because {file} cannot be read: {error.strerror or error}."
        ) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise StudyError(f"{file} is not YAML: {reason(error)}.") from error
    if not isinstance(said, dict):
        raise StudyError(f"{file} has to name at least title, model and lanes.")
    known = {"name", "title", "instructions", "model", "lanes", "votes_per_item", "ask", "reveal",
             "max_new_tokens", "window", "sinks"}  # fmt: skip
    unknown = said.keys() - known
    if unknown:
        raise StudyError(
            f"{file} says {sorted(map(str, unknown))[0]!r}, which means nothing; known are "
            f"{', '.join(sorted(known))}."
        )
    name = said.get("name", folder.resolve().name)
    reveal = said.get("reveal", Study.reveal)
    if reveal not in get_args(Reveal):
        raise StudyError(f"{file}: reveal is {reveal!r}, but must be {_or(get_args(Reveal))}.")
    asked = said.get("ask", list(Study.ask))
    if not isinstance(asked, list) or any(each not in get_args(Ask) for each in asked):
        raise StudyError(f"{file}: ask is {asked!r}, but must be a list of {_or(get_args(Ask))}.")
    return Study(
        folder=folder,
        name=_name(name, f"{file}: name"),
        title=_text(said, "title", file),
        instructions=_text(said, "instructions", file, ""),
        model=_model(_text(said, "model", file), folder),
        lanes=_lanes(said.get("lanes"), file),
        items=_items(folder),
        votes_per_item=_count(said, "votes_per_item", file, Study.votes_per_item, _MOST_VOTES),
        ask=tuple(asked),
        reveal=reveal,
        max_new_tokens=_count(said, "max_new_tokens", file, Study.max_new_tokens, 100_000),
        cache=_cache(said, file),
    )


def _items(folder: Path) -> tuple[StudyItem, ...]:
    file = folder / "items.jsonl"
    try:
        lines = json_lines(read_text(file))
    except (OSError, UnicodeDecodeError) as error:
        raise StudyError(f"{file} cannot be read: {error}.") from error
    items: dict[str, StudyItem] = {}
    for number, line in enumerate(lines, start=1):
        if line.strip():
            item = _item(folder, line, number, f"{file}, line {number}")
            if item.name in items:
                raise StudyError(f"{file}, line {number}: there is an item {item.name!r} already.")
            items[item.name] = item
    if not items:
        raise StudyError(f"{file} holds no item: one line of JSON each, with image and question.")
    return tuple(items.values())


def _item(folder: Path, line: str, number: int, where: str) -> StudyItem:
    try:
        said = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise StudyError(f"{where} is not JSON: {reason(error)}.") from error
    if not isinstance(said, dict):
        raise StudyError(f"{where} has to be an object with image and question.")
    unknown = said.keys() - {"id", "image", "question", "passage", "reference", "tags"}
    if unknown:
        raise StudyError(
            f"{where} says {min(unknown)!r}, which means nothing; known are id, image, question, "
            "passage, reference and tags."
        )
    tags = said.get("tags", [])
    if not isinstance(tags, list) or not all(isinstance(tag, str) and tag for tag in tags):
        raise StudyError(f"{where}: tags is {tags!r}, but must be a list of words.")
    images, passage = _images(said, folder, where), _text(said, "passage", where, "")
    if not images and not passage:
        raise StudyError(f"{where} has neither image nor passage: name what the question is about.")
    return StudyItem(
        name=_name(said.get("id", f"{number:04}"), f"{where}: id"),
        question=_text(said, "question", where),
        images=images,
        passage=passage,
        reference=_text(said, "reference", where, ""),
        tags=tuple(dict.fromkeys(tags)),
    )


def _images(said: Mapping[str, Any], folder: Path, where: str) -> tuple[Path, ...]:
    """Return the files of an item's pictures, which must lie in the study's folder."""
    named = said.get("image", [])
    named = [named] if not isinstance(named, list) else named
    images = []
    for name in named:
        image = folder / _text({"image": name}, "image", where)
        inside = exists(image) and image.resolve().is_relative_to(folder.resolve())
        if not inside or not image.is_file():
            raise StudyError(
                f"{where}: the picture {name!r} is not a file inside {folder}: copy it there."
            )
        images.append(image)
    return tuple(images)


def _lanes(said: Any, file: Path) -> dict[str, Mapping[str, Any] | None]:
    if not isinstance(said, dict) or len(said) < 2:
        raise StudyError(f"{file}: lanes has to name two or more, which annotators compare.")
    lanes: dict[str, Mapping[str, Any] | None] = {}
    for name, changes in said.items():
        if changes is not None and not isinstance(changes, dict):
            raise StudyError(
                f"{file}: the lane {name!r} has to be empty for the plain model, or hold a method "
                "such as {kind: vcd, alpha: 1} or, of SinkTrack, {} or {context: image}."
            )
        try:
            from_dict(changes)
        except (SinkTrackError, TypeError) as error:
            raise StudyError(f"{file}: the lane {name!r} cannot be used: {error}") from error
        lanes[_name(name, f"{file}: a lane")] = changes
    if len(lanes) != len(said):
        raise StudyError(f"{file}: two lanes have the same name: give each its own.")
    return lanes


def _model(name: str, folder: Path) -> str:
    """Return a model's name; one that is a folder beside the study is taken from there."""
    beside = folder / name
    return str(beside) if exists(beside) and beside.is_dir() else name


def _cache(said: Mapping[str, Any], file: Path) -> Cache:
    if said.get("window") is None:
        if "sinks" in said:
            raise StudyError(
                f"{file}: sinks is for a window alone: name a window, or leave it out."
            )
        return "full"
    try:
        return SinkWindow(window=said["window"], sinks=said.get("sinks", 1))
    except SinkTrackError as error:
        raise StudyError(f"{file}: {error}") from error


def _name(said: Any, where: str) -> str:
    if not isinstance(said, str | int) or not _NAME.fullmatch(str(said)):
        raise StudyError(
            f"{where} is {said!r}, but must be up to 80 letters, digits, dots, dashes and "
            "underscores."
        )
    return str(said)


def _text(said: Mapping[str, Any], key: str, where: Any, default: str | None = None) -> str:
    text = said.get(key, default)
    if not isinstance(text, str) or (default is None and not text.strip()):
        raise StudyError(f"{where}: {key} is {text!r}, but must be a text.")
    return text.strip()


def _count(said: Mapping[str, Any], key: str, where: Any, default: int, most: int) -> int:
    number = said.get(key, default)
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= most:
        raise StudyError(f"{where}: {key} is {number!r}, but must be a number from 1 to {most}.")
    return number


def _or(words: tuple[str, ...]) -> str:
    return " or ".join(map(repr, words))
