"""A study is a folder: study.yaml says how it is judged, items.jsonl what, prepared/ holds answers.

Reads and checks these files. Knows nothing about models, votes and pages.
"""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from sinktrack.core.cache import Cache, SinkWindow
from sinktrack.core.errors import SinkTrackError, StudyError
from sinktrack.core.files import whole_file
from sinktrack.core.messages import clean_question, clean_text, same_question
from sinktrack.core.names import exists
from sinktrack.methods import from_dict
from sinktrack.report.payload import upgraded
from sinktrack.study.fields import (
    check_known,
    count,
    file_name,
    lane_name,
    name_of_folder,
    one_of,
    study_name,
    text,
)
from sinktrack.study.items import StudyItem as StudyItem
from sinktrack.study.items import Use, read_items
from sinktrack.study.platform_link import PlatformLink, read_platform
from sinktrack.study.questions import Question, read_questions
from sinktrack.study.until import read_until
from sinktrack.study.yaml_file import read_yaml

Ask = Literal["hallucination", "comment"]
Reveal = Literal["at the end", "after vote", "never"]

MADE_ELSEWHERE = "made elsewhere"
"""What study.yaml says of a lane whose answers were imported."""
NOT_KNOWN = "not known"
"""The model of imported answers where nobody told it."""

Lane = Mapping[str, Any] | str | None
"""A method's kind and parameters, None for the plain model, or `MADE_ELSEWHERE`."""

KNOWN = ("title", "instructions", "model", "lanes", "votes_per_item", "ask", "reveal",
         "max_new_tokens", "window", "sinks", "name", "repeat", "questions", "until",
         "platform")  # fmt: skip
"""What study.yaml may say."""

MOST_VOTES = 100
"""On one item."""


@dataclass(frozen=True, kw_only=True)
class Study:
    """What is judged, and how.

    Args:
        folder: Where its files are.
        name: Its name in the database; by default the folder's.
        title: What annotators read first.
        instructions: What they are to do, as plain text.
        model: A hub name, or a folder; of imported answers whatever was told, or `NOT_KNOWN`.
        lanes: Two or more methods by name, which annotators compare in pairs: None for the plain
            model, else kind and parameters; without a kind SinkTrack and what differs from the
            model's own schedule. `MADE_ELSEWHERE` for each lane of a study that was imported.
        items: In the file's order.
        votes_per_item: How many people judge each item.
        ask: What is asked besides which answer is better.
        reveal: When annotators may see which answer was whose: once all votes are in, once they
            have voted, or never.
        max_new_tokens: The longest answer.
        cache: As for `sinktrack.compare`.
        repeat: How many of their items everybody judges once more.
        questions: What else is asked, in the order in which annotators see it.
        until: From when on it is closed, in UTC; None where only people close it.
        platform: How annotators come from a platform and go back; None where they do not.
    """

    folder: Path
    name: str
    title: str
    instructions: str
    model: str
    lanes: Mapping[str, Lane]
    items: tuple[StudyItem, ...]
    votes_per_item: int = 2
    ask: tuple[Ask, ...] = get_args(Ask)
    reveal: Reveal = "at the end"
    max_new_tokens: int = 256
    cache: Cache = "full"
    repeat: int = 0
    questions: tuple[Question, ...] = ()
    until: datetime | None = None
    platform: PlatformLink | None = None

    @property
    def judged(self) -> tuple[StudyItem, ...]:
        """The items that figures are made of."""
        return self.used_for("judged")

    def used_for(self, use: Use) -> tuple[StudyItem, ...]:
        """Return the items of one use, in the file's order."""
        return tuple(item for item in self.items if item.use == use)

    @property
    def imported(self) -> bool:
        """Whether its answers were made elsewhere, so that no model answers its items."""
        return MADE_ELSEWHERE in self.lanes.values()

    def prepared(self, item: StudyItem) -> Path:
        """Return the file that holds an item's answers."""
        return prepared_file(self.folder, item.name)

    def trace(self, item: StudyItem, lane: str) -> Path:
        """Return the file that holds the attention of one answer; imported ones have none."""
        name = f"{file_name(item.name)}@{file_name(lane)}.safetensors"
        return self.folder / "prepared" / name

    def read_prepared(self, item: StudyItem) -> dict[str, Any]:
        """Return an item's answers, as `sinktrack.report.payload` makes them.

        Raises:
            StudyError: If they are not there, or not whole.
        """
        path = self.prepared(item)
        command = "import" if self.imported else "prepare"
        again = f"run `sinktrack study {command} {shlex.quote(str(self.folder))}"
        again += " FILES...`" if self.imported else "`"
        try:
            found = upgraded(json.loads(path.read_text("utf-8")))
            texts = {lane["name"]: lane["text"] for lane in found["lanes"]}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StudyError(
                f"The item {item.name} has no answers yet ({path}): {again} first."
            ) from error
        if set(texts) != set(self.lanes):
            raise StudyError(
                f"The answers in {path} are of other lanes ({', '.join(texts)}): {again} again."
            )
        if not _answers_item(found, item, self.imported):
            raise StudyError(f"The answers in {path} are to another question: {again} again.")
        return found


def prepared_file(folder: Path, item: str) -> Path:
    """Return the file in a study's folder that holds the answers to an item of that name."""
    return folder / "prepared" / f"{file_name(item)}.json"


def read_study(folder: str | Path, *, pictures: bool = False) -> Study:
    """Read a study's folder.

    Args:
        folder: Holds study.yaml and items.jsonl.
        pictures: Whether every picture is opened as well, as before a model answers.

    Returns:
        The study.

    Raises:
        StudyError: If a file is missing or says something that cannot be used, with the line.
    """
    folder = Path(folder)
    file = folder / "study.yaml"
    said = read_yaml(file)
    check_known(said, KNOWN, file)
    reveal = said.get("reveal", Study.reveal)
    if reveal not in get_args(Reveal):
        raise StudyError(f"{file}: reveal is {reveal!r}, but must be {one_of(get_args(Reveal))}.")
    asked = said.get("ask", list(Study.ask))
    if not isinstance(asked, list) or any(each not in get_args(Ask) for each in asked):
        raise StudyError(
            f"{file}: ask is {asked!r}, but must be a list of {one_of(get_args(Ask))}."
        )
    lanes = _lanes(said.get("lanes"), file)
    imported = MADE_ELSEWHERE in lanes.values()
    return Study(
        folder=folder,
        name=study_name(said["name"], file)
        if "name" in said
        else name_of_folder(folder.resolve().name),
        title=text(said, "title", file),
        instructions=text(said, "instructions", file, ""),
        model=_model(text(said, "model", file, NOT_KNOWN if imported else None), folder),
        lanes=lanes,
        items=read_items(folder, tuple(lanes), pictures=pictures),
        votes_per_item=count(said, "votes_per_item", file, Study.votes_per_item, MOST_VOTES),
        ask=tuple(asked),
        reveal=reveal,
        max_new_tokens=count(said, "max_new_tokens", file, Study.max_new_tokens, 100_000),
        cache=_cache(said, file),
        repeat=count(said, "repeat", file, 0, MOST_VOTES) if "repeat" in said else 0,
        questions=read_questions(said.get("questions", []), lanes, file),
        until=read_until(said.get("until"), file),
        platform=read_platform(said.get("platform"), file),
    )


def check_new(folder: Path) -> None:
    """Refuse a folder that holds a study already.

    Raises:
        StudyError: If it does.
    """
    there = next((name for name in ("study.yaml", "items.jsonl") if (folder / name).exists()), None)
    if there is not None:
        raise StudyError(f"{folder} holds {there} already: choose another folder, or move it away.")


def write_files(
    folder: Path, about: Mapping[str, Any], items: Sequence[Mapping[str, Any]], told: str = ""
) -> Study:
    """Write study.yaml and items.jsonl, which ask for hallucinations and a comment.

    Args:
        folder: Where; it is there already.
        about: What study.yaml says of this study.
        items: What each line of items.jsonl says.
        told: Comments that study.yaml begins with.

    Returns:
        The study, read again.

    Raises:
        OutputError: If something cannot be written.
        StudyError: If something of it cannot be used.
    """
    said = {**about, "ask": ["hallucination", "comment"], "reveal": Study.reveal}
    with whole_file(folder / "items.jsonl", "The items") as part:
        lines = [json.dumps(item, ensure_ascii=False) + "\n" for item in items]
        part.write_text("".join(lines), "utf-8", newline="\n")
    with whole_file(folder / "study.yaml", "The study") as part:
        part.write_text(told + yaml.safe_dump(said, sort_keys=False, allow_unicode=True), "utf-8")
    return read_study(folder)


def _lanes(said: Any, file: Path) -> dict[str, Lane]:
    if not isinstance(said, dict) or len(said) < 2:
        raise StudyError(f"{file}: lanes has to name two or more, which annotators compare.")
    lanes: dict[str, Lane] = {}
    for name, lane in said.items():
        if lane is not None and lane != MADE_ELSEWHERE and not isinstance(lane, dict):
            raise StudyError(
                f"{file}: the lane {name!r} has to be empty for the plain model, or hold a method "
                "such as {kind: vcd, alpha: 1} or, of SinkTrack, {} or {context: image}; or say "
                f"{MADE_ELSEWHERE!r} of answers that were imported."
            )
        if lane != MADE_ELSEWHERE:
            try:
                from_dict(lane)
            except (SinkTrackError, TypeError) as error:
                raise StudyError(f"{file}: the lane {name!r} cannot be used: {error}") from error
        lanes[lane_name(name, file)] = lane
    if len(lanes) != len(said):
        raise StudyError(f"{file}: two lanes have the same name: give each its own.")
    made = next((name for name, lane in lanes.items() if lane != MADE_ELSEWHERE), None)
    if made is not None and MADE_ELSEWHERE in lanes.values():
        raise StudyError(
            f"{file}: the lane {made!r} is to be answered by a model, but others were made "
            "elsewhere: a study has lanes of one sort only."
        )
    return lanes


def _answers_item(found: Mapping[str, Any], item: StudyItem, imported: bool) -> bool:
    """Tell whether answers are to an item's question, after the turns that the model was told."""
    if not same_question(found.get("question"), clean_question(item.question)):
        return False
    turns = item.turns if imported else found.get("turns", [])
    return len(turns) == len(item.turns) and all(
        same_question(turn["text"], clean_text(own["text"], "turn"))
        for turn, own in zip(turns, item.turns, strict=True)
    )


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
