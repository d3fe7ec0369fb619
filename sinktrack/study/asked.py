"""What answers made elsewhere were about: question, passage, picture, reference and tags.

Read from the answers' own rows, and from a file of items, whose word counts first. Knows nothing
about what was answered.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sinktrack.core.errors import AnswersError
from sinktrack.core.files import file_inside
from sinktrack.eval.answer_files import Row, read_answer_file, read_json
from sinktrack.eval.options import Options
from sinktrack.eval.prediction_rows import GOLDS, IDS, QUESTIONS, Gold, Prediction, gold_of, text_of
from sinktrack.eval.references import answerable, of_articles, right_of

PASSAGES = ("passage", "context", "paragraph", "document", "story", "background")
PICTURES = ("image", "image_path", "image_file", "picture", "img", "images")
PICTURE_ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif")

UNANSWERABLE = "The passage does not answer this."
"""The reference of a question without an answer."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What one item asks.

    Args:
        question: Empty where it is not known.
        passage: Likewise.
        images: Names of pictures, as they were written.
        folder: Where names of pictures begin.
        reference: A right answer for people; empty where none is known.
        tags: The groups that it counts in.
    """

    question: str = ""
    passage: str = ""
    images: tuple[str, ...] = ()
    folder: Path = Path()
    reference: str = ""
    tags: tuple[str, ...] = ()

    def or_else(self, other: "Asked") -> "Asked":
        """Return this with what it does not say from another."""
        pictured = self if self.images else other
        return Asked(
            question=self.question or other.question,
            passage=self.passage or other.passage,
            images=pictured.images,
            folder=pictured.folder,
            reference=self.reference or other.reference,
            tags=self.tags or other.tags,
        )


def asked_in_answer(answer: Prediction) -> Asked:
    """Return what the row of an answer tells of its item."""
    question = answer.question
    listed = [f"{letter}. {option}" for letter, option in answer.options.items()]
    if listed and not all(option in question for option in answer.options.values()):
        question = "\n".join([question, *listed])
    told = _asked_in(answer.row)
    return Asked(
        question=question,
        passage=told.passage,
        images=told.images,
        folder=told.folder,
        reference=_reference(answer.gold, answer.options),
        tags=told.tags or answer.categories,
    )


def read_asked(path: str) -> dict[str, Asked]:
    """Return what a file of items says, by id.

    Args:
        path: SQuAD's or QuAC's own file, or rows with an id and a question, passage, image,
            reference or tags, in any format that answers come in.

    Raises:
        AnswersError: If it cannot be read, or says an id twice; says the line.
    """
    value = read_json(path) if ".json" in path.lower() else None
    if isinstance(value, dict) and isinstance(value.get("data"), list):
        found = dict(of_articles(path, value["data"], _of_paragraph))
        if found:
            return found
    items: dict[str, Asked] = {}
    for row in read_answer_file(path).rows:
        name = next((name for name in IDS if text_of(row.values.get(name)).strip()), None)
        if name is None:
            raise AnswersError(f"{row.place} has no id: name it in one of {', '.join(IDS)}.")
        id = text_of(row.values[name])
        if id in items:
            raise AnswersError(f"{row.place} says the id {id} again: leave one of the lines out.")
        items[id] = _asked_in(row)
    if not items:
        raise AnswersError(f"{path} holds no items: write an id and a question in each row.")
    return items


def matched(asked: Mapping[str, Asked], questions: Mapping[str, str]) -> dict[str, Asked]:
    """Return what is asked by the ids of the answers.

    Args:
        asked: By the ids of a file of items.
        questions: What the answers' rows ask, by their ids.

    Returns:
        The items of ids that both have. Where they have none in common, those whose question
        stands once on either side: data sets come with ids of their own in some copies.
    """
    common = {id: asked[id] for id in questions if id in asked}
    if common:
        return common
    there, here = _once({id: each.question for id, each in asked.items()}), _once(questions)
    return {id: asked[there[said]] for said, id in here.items() if said in there}


def _once(questions: Mapping[str, str]) -> dict[str, str]:
    """Return the id of each question that only one id has."""
    ids: dict[str, list[str]] = {}
    for id, question in questions.items():
        ids.setdefault(" ".join(question.split()).casefold(), []).append(id)
    return {said: named[0] for said, named in ids.items() if said and len(named) == 1}


def picture_file(name: str, folder: Path, pictures: Path | None, id: str) -> Path | None:
    """Return the file of a picture; None if there is none.

    Args:
        name: As a row has it; empty for the item's id.
        folder: Where the row's file lies.
        pictures: The folder of pictures that was given; None for the row's.
        id: Of the item.
    """
    within = folder if pictures is None else pictures
    wanted = [name, Path(name).name] if name else []
    if pictures is not None:
        wanted += [id, *(id + ending for ending in PICTURE_ENDINGS)]
    return next((file for each in wanted if (file := file_inside(within, each))), None)


def _asked_in(row: Row) -> Asked:
    """Return what a row tells, without options and right answers that need a reader of answers."""
    doc = row.values.get("doc")
    places: list[Mapping[str, Any]] = [row.values, *([doc] if isinstance(doc, dict) else [])]

    def first(names: Sequence[str]) -> Any:
        return next((at[name] for at in places for name in names if at.get(name)), None)

    # an empty list says that there is no answer
    right = next((at[name] for at in places for name in GOLDS if at.get(name) is not None), None)
    passage = first(PASSAGES)
    images = first(PICTURES)
    named = images if isinstance(images, list) else [images]
    return Asked(
        question=text_of(first(QUESTIONS)),
        passage=passage if isinstance(passage, str) else "",
        images=tuple(each for each in named if isinstance(each, str) and each),
        folder=Path(row.file).absolute().parent,
        reference=_reference(gold_of(right), {}),
        tags=_tags(first(("tags",))),
    )


def _tags(said: Any) -> tuple[str, ...]:
    """Return tags of a list, or of a text with commas."""
    each = said if isinstance(said, list) else text_of(said).split(",")
    tags = ("".join(filter(str.isprintable, text_of(one))).strip() for one in each)
    return tuple(dict.fromkeys(tag for tag in tags if tag))


def _reference(gold: Gold | None, options: Options) -> str:
    """Return a right answer as people read it."""
    if gold is None:
        return ""
    if isinstance(gold, tuple):
        return " / ".join(dict.fromkeys(answerable(gold))) or UNANSWERABLE
    return f"{gold}. {options[gold]}" if gold in options else gold


def _of_paragraph(paragraph: Mapping[str, Any], question: Mapping[str, Any]) -> Asked:
    return Asked(
        question=str(question["question"]),
        passage=str(paragraph["context"]),
        reference=_reference(right_of(question), {}),
    )
