"""Makes a study of answers that were made elsewhere. No model is loaded; there is no attention.

Reads them as `sinktrack score` does, and writes what `sinktrack study prepare` writes, without
traces.
"""

import hashlib
import json
import random
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from sinktrack.core.errors import AnswersError, PictureError, PromptError
from sinktrack.core.files import whole_file
from sinktrack.core.images import load_picture
from sinktrack.core.messages import clean_text
from sinktrack.eval.prediction_rows import NO_SEED, Prediction, text_of
from sinktrack.eval.predictions import AnsweredRun
from sinktrack.report.texts import payload_of_texts
from sinktrack.study.asked import Asked, asked_in_answer, matched, picture_file
from sinktrack.study.fields import item_id, lane_name
from sinktrack.study.folder import (
    MADE_ELSEWHERE,
    NOT_KNOWN,
    Study,
    check_new,
    prepared_file,
    write_files,
)


@dataclass(frozen=True, kw_only=True)
class Gathered:
    """What was answered elsewhere, as items that every lane answered.

    Args:
        answers: By lane and id.
        asked: By id, in order.
        notes: Whole sentences on what was left out.
    """

    answers: Mapping[str, Mapping[str, Prediction]]
    asked: Mapping[str, Asked]
    notes: tuple[str, ...]


def by_method_column(runs: Sequence[AnsweredRun], column: str) -> list[AnsweredRun]:
    """Return runs parted by a column that names each row's method.

    Raises:
        AnswersError: If a row has no such column.
    """
    found: dict[tuple[Any, str, str], AnsweredRun] = {}
    for run in runs:
        for answer in run.answers:
            method = text_of(answer.row.values.get(column)).strip()
            if not method:
                raise AnswersError(
                    f"{answer.row.place} (id {answer.id}) names no method in {column!r}: choose "
                    "the column that does."
                )
            key = (run.group, method, run.seed)
            found.setdefault(key, AnsweredRun(*key)).answers.append(answer)
    return list(found.values())


def by_answer_columns(reading: Mapping[str, Sequence[AnsweredRun]]) -> list[AnsweredRun]:
    """Return runs of tables whose rows hold the answers of several methods, a column each.

    Args:
        reading: What was read of each column, by its name.
    """
    return [
        AnsweredRun((*run.group, ("file", run.method)), column, run.seed, run.files, run.answers)
        for column, runs in reading.items()
        for run in runs
    ]


def gather(
    runs: Sequence[AnsweredRun],
    asked: Mapping[str, Asked] | None = None,
    *,
    limit: int | None = None,
    seed: int | None = None,
) -> Gathered:
    """Return the items that all methods answered.

    Args:
        runs: Each becomes a lane.
        asked: What a file of items says, by id; None for what the rows say alone. Items that the
            file lacks are left out.
        limit: The most items; None for all.
        seed: Draws them at random; None for items that are spread evenly over all.

    Raises:
        AnswersError: If there are fewer than two methods, or no item that all of them answered.
    """
    lanes = {name: run.first() for name, run in zip(_lanes(runs), runs, strict=True)}
    first, *others = lanes.values()
    ids = [id for id in first if all(id in other for other in others)]
    if not ids:
        raise AnswersError(
            f"No item was answered by all of {', '.join(lanes)}: check that the files are of the "
            "same items, and name their ids with --id."
        )
    notes = []
    every = {id for answers in lanes.values() for id in answers}
    if len(every) > len(ids):
        notes.append(f"Left out because not all methods answered them: {len(every) - len(ids)}.")
    for name, run in zip(lanes, runs, strict=True):
        again = len(run.answers) - len(lanes[name])
        if again:
            notes.append(f"Repeated answers of {name}, left out: {again}.")
    told = {id: _told(id, lanes.values()) for id in ids}
    if asked is not None:
        found = matched(asked, {id: each.question for id, each in told.items()})
        if not found:
            raise AnswersError(
                "The file of items has none of the answers' ids and questions: is it of the same "
                "items?"
            )
        if not any(id in asked for id in found):
            notes.append("The ids differ from those of the file of items: questions were compared.")
        if len(found) < len(told):
            notes.append(
                f"Left out because the file of items lacks them: {len(told) - len(found)}."
            )
        told = {id: found[id].or_else(told[id]) for id in told if id in found}
    chosen = _chosen(list(told), limit, seed)
    return Gathered(answers=lanes, asked={id: told[id] for id in chosen}, notes=tuple(notes))


def write_study(
    folder: Path,
    gathered: Gathered,
    *,
    title: str,
    instructions: str,
    model: str = "",
    votes_per_item: int = Study.votes_per_item,
    pictures: Path | None = None,
) -> Study:
    """Write a study's folder that can be served at once.

    Args:
        folder: To be; without a study in it.
        gathered: Items and answers.
        title: What annotators read first.
        instructions: What they are to do.
        model: What answered, for the record; empty where that is not known.
        votes_per_item: How many people judge each item.
        pictures: Where pictures are, by the names in rows or by ids; None for the rows' own folder.

    Returns:
        The study as it was written, read again.

    Raises:
        AnswersError: If an item has no question, or nothing that it is about.
        StudyError: If there is a study already, or an id or a method has no name that can be used.
        OutputError: If something cannot be written.
    """
    check_new(folder)
    lanes = {lane_name(name, "The answers"): MADE_ELSEWHERE for name in gathered.answers}
    readable: set[Path] = set()
    sources = {
        id: _sources(id, each, gathered, pictures, readable) for id, each in gathered.asked.items()
    }
    for name in ("prepared", *(["pictures"] if any(sources.values()) else [])):
        (folder / name).mkdir(parents=True, exist_ok=True)
    items = [_item(folder, id, each, sources[id]) for id, each in gathered.asked.items()]
    for item, id in tqdm(list(zip(items, gathered.asked, strict=True)), unit="item"):
        answers = {name: _said(answered[id]) for name, answered in gathered.answers.items()}
        shown = [load_picture(folder / name) for name in _names(item.get("image", []))]
        told = (item["question"], shown, item.get("passage", ""), model.strip() or NOT_KNOWN)
        found = payload_of_texts(answers, *told)
        with whole_file(prepared_file(folder, item["id"]), "The answers") as part:
            part.write_text(json.dumps(found, allow_nan=False) + "\n", "utf-8")
    about: dict[str, Any] = {"title": title, "instructions": instructions}
    about |= {"model": model} if model else {}
    about |= {"lanes": lanes, "votes_per_item": votes_per_item}
    return write_files(folder, about, items)  # last: what was interrupted is no study


def _names(said: str | list[str]) -> list[str]:
    return said if isinstance(said, list) else [said]


def _lanes(runs: Sequence[AnsweredRun]) -> list[str]:
    """Return a name for each run, of whatever tells them apart."""
    told = [
        dict(run.group)
        | {"method": run.method}
        | ({} if run.seed == NO_SEED else {"seed": run.seed})
        for run in runs
    ]
    names = dict.fromkeys(name for each in told for name in each)
    apart = [name for name in names if len({each.get(name) for each in told}) > 1]
    found = [" ".join(each[name] for name in apart if name in each) for each in told]
    twice = next((name for name, times in Counter(found).items() if times > 1), None)
    if len(runs) < 2 or twice is not None:
        methods = ", ".join(run.title for run in runs) or "none"
        raise AnswersError(
            f"A study compares two methods or more, but the files have {methods}: give a file of "
            "each, or name the columns that hold each method's answers with --answers."
        )
    return found


def _told(id: str, lanes: Any) -> Asked:
    """Return what the rows of all lanes tell of an item, the first lane first."""
    found = Asked()
    for answers in lanes:
        found = found.or_else(asked_in_answer(answers[id]))
    return found


def _chosen(ids: list[str], limit: int | None, seed: int | None) -> list[str]:
    """Return as many ids as are wanted, in order."""
    if limit is None or limit >= len(ids):
        return ids
    if seed is None:
        places = [at * len(ids) // limit for at in range(limit)]
    else:
        places = sorted(random.Random(seed).sample(range(len(ids)), limit))
    return [ids[at] for at in places]


def _sources(
    id: str, asked: Asked, gathered: Gathered, pictures: Path | None, readable: set[Path]
) -> list[Path]:
    """Return the files of an item's pictures, and refuse an item that lacks something.

    Args:
        id: Of the item.
        asked: What it asks.
        gathered: All answers.
        pictures: The folder that was given.
        readable: The pictures that were read already; grows.

    Raises:
        AnswersError: If it does; says the file and line of its first answer, and its id.
    """
    row = next(iter(gathered.answers.values()))[id].row
    where = f"{row.place} (id {id})"
    if not asked.question.strip():
        raise AnswersError(
            f"{where} has no question: give a file that has it by the id, with --items."
        )
    found: list[Path] = []
    names = asked.images or (("",) if pictures is not None else ())
    for name in names:
        file = picture_file(name, asked.folder, pictures, id)
        if file is not None:
            try:
                if file not in readable:
                    load_picture(file)
            except PictureError as error:
                raise AnswersError(f"{where}: {error}") from error
            readable.add(file)
            found.append(file)
        elif name and (pictures is not None or not asked.passage):
            folder = asked.folder if pictures is None else pictures
            raise AnswersError(
                f"{where}: there is no picture {name[:200]!r} in {folder}: name its folder with "
                "--pictures."
            )
    if not found and not asked.passage.strip():
        raise AnswersError(
            f"{where} has neither picture nor passage: give a folder with --pictures, or a file "
            "that has them by the id with --items."
        )
    return found


def _item(folder: Path, id: str, asked: Asked, files: Sequence[Path]) -> dict[str, Any]:
    """Copy an item's pictures into a study, and return the item as a line says it."""
    copies = []
    for file in files:
        data = file.read_bytes()
        name = f"pictures/{hashlib.sha256(data).hexdigest()[:16]}{file.suffix.lower()}"
        if not (folder / name).exists():
            with whole_file(folder / name, "The picture") as part:
                shutil.copyfile(file, part)
        copies.append(name)
    return {
        "id": item_id(id, "The answers"),
        **({"image": copies if len(copies) > 1 else copies[0]} if copies else {}),
        **({"passage": clean_text(asked.passage, "passage")} if asked.passage.strip() else {}),
        "question": clean_text(asked.question, "question"),
        **({"reference": clean_text(asked.reference, "reference")} if asked.reference else {}),
        **({"tags": list(asked.tags)} if asked.tags else {}),
    }


def _said(answer: Prediction) -> str:
    """Return what was answered, without what neither a page nor a database keeps."""
    try:
        return clean_text(answer.answer, "answer")
    except PromptError:  # blank: that is what was said
        return ""
