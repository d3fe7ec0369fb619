"""Reads right answers that stand in a file of their own, as those of SQuAD and QuAC do."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from sinktrack.core.errors import AnswersError
from sinktrack.eval.answer_files import read_answer_file, read_json
from sinktrack.eval.prediction_rows import GOLDS, IDS, Fields, Gold, gold_of, text_of

Read = TypeVar("Read")

CANNOT = "CANNOTANSWER"
"""QuAC's reference for a question that the text does not answer."""


def read_references(path: str, fields: Fields) -> dict[str, Gold]:
    """Return the right answers of a file by id.

    Args:
        path: SQuAD's or QuAC's own file; an object of ids and answers; or rows with an id and a
            right answer, in any format that answers come in.
        fields: Which names hold what, where the file has rows.

    Raises:
        AnswersError: If it cannot be read; says the line.
    """
    value = read_json(path) if ".json" in path.lower() else None
    if isinstance(value, dict):
        if isinstance(value.get("data"), list):
            found: dict[str, Gold] = dict(
                of_articles(path, value["data"], lambda _, question: right_of(question))
            )
            if found:
                return found
        elif value and not any(isinstance(each, dict) for each in value.values()):
            golds = {str(key): gold_of(each) for key, each in value.items()}
            return {key: gold for key, gold in golds.items() if gold is not None}
    references: dict[str, Gold] = {}
    for row in read_answer_file(path).rows:
        id_name = _name(row.values, fields.id, IDS)
        gold_name = _name(row.values, fields.gold, GOLDS)
        gold = gold_of(row.values[gold_name]) if id_name and gold_name else None
        if gold is None or id_name is None:
            raise AnswersError(
                f"{row.place} has no id or no right answer: name their fields with --id and --gold."
            )
        references.setdefault(text_of(row.values[id_name]), gold)
    if not references:
        raise AnswersError(f"{path} holds no right answers.")
    return references


def answerable(references: tuple[str, ...]) -> tuple[str, ...]:
    """Return the references that count; none for an unanswerable question.

    QuAC's annotators may disagree: where at least half say that the text does not answer, it does
    not. Source: the scorer of https://quac.ai.
    """
    spans = tuple(each for each in references if each != CANNOT)
    return () if len(references) - len(spans) >= max(1, len(spans)) else spans


def _name(values: Mapping[str, Any], asked: str | None, known: tuple[str, ...]) -> str | None:
    return next((name for name in ((asked,) if asked else known) if name in values), None)


def of_articles(
    path: str, articles: list[Any], read: Callable[[dict[str, Any], dict[str, Any]], Read]
) -> Iterator[tuple[str, Read]]:
    """Yield id and what is read of each of SQuAD's and QuAC's questions.

    Args:
        path: Of their file, for the message.
        articles: What it has as "data".
        read: Gets a question's paragraph and the question.

    Raises:
        AnswersError: If these are no such articles, or `read` misses something.
    """
    try:
        for article in articles:
            for paragraph in article["paragraphs"]:
                for question in paragraph["qas"]:
                    yield str(question["id"]), read(paragraph, question)
    except (KeyError, TypeError) as error:
        raise AnswersError(
            f"{path} has 'data', but not SQuAD's articles in it: {error} is missing."
        ) from error


def right_of(question: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the references of one of SQuAD's and QuAC's questions."""
    return tuple(str(answer["text"]) for answer in question["answers"])
