"""What one row of a file means: which item was answered, what was said, and what is right.

Field names of common programs are known: this program's records, VLMEvalKit's tables, the samples
of lmms-eval and lm-eval, QuAC's lists. Knows neither formats nor rules of scoring.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Any

from sinktrack.core.errors import AnswersError, shown
from sinktrack.eval.answer_files import Row
from sinktrack.eval.options import Options, find_options, lettered, option_columns

IDS = ("id", "index", "doc_id", "question_id", "qid", "item", "idx", "uid")
PREDICTIONS = (
    "prediction",
    "pred",
    "predicted_answer",
    "filtered_resps",
    "resps",
    "best_span_str",
    "response",
    "output",
    "generated_text",
    "text",
)
GOLDS = (
    "gold",
    "target",
    "reference",
    "references",
    "ground_truth_answers",
    "ground_truth",
    "label",
    "answers",
    "answer",
)
QUESTIONS = ("question", "prompt", "query", "input")
NO_SEED = "-"
"""The seed of a run that names none."""

_RECORD = {"task", "name", "item", "seed", "reference", "answer"}
"""What tells a record of `sinktrack eval`."""

Gold = str | tuple[str, ...]
"""The right answer; of a question about a text its references, none where it is unanswerable."""


@dataclass(frozen=True)
class Fields:
    """Which names hold what; None for the first known name that a row has.

    Args:
        id: Of the item.
        prediction: Of the answer.
        gold: Of the right answer.
        cluster: Of what several items share, such as the picture.
    """

    id: str | None = None
    prediction: str | None = None
    gold: str | None = None
    cluster: str | None = None


KNOWN_FIELDS = Fields()
"""The names that common programs write."""


@dataclass(frozen=True)
class Prediction:
    """One answer to one item.

    Args:
        id: Of the item, unique in a run unless the file holds duplicates.
        answer: What was said; empty where nothing was.
        gold: What is right; None where no file says it.
        question: What was asked; empty where no file says it.
        options: The lettered options.
        categories: Those that the item counts in.
        cluster: What items that are not independent share.
        row: Where it was read.
    """

    id: str
    answer: str
    gold: Gold | None
    question: str
    options: Options
    categories: tuple[str, ...]
    cluster: str
    row: Row


def names_in(row: Row) -> dict[str, str]:
    """Return what a row itself tells of method, seed and group."""
    values = row.values
    if values.keys() >= _RECORD:
        seed = values["seed"]
        return {
            "task": str(values["task"]),
            "method": str(values["name"]),
            "seed": NO_SEED if seed is None else str(seed),
        }
    if "doc_id" in values and isinstance(values.get("filter"), str):
        return {"filter": values["filter"]}  # lm-eval writes a row for each way to read an answer
    return {}


def answers_in(
    row: Row, fields: Fields, references: Mapping[str, Gold] | None
) -> Iterator[Prediction]:
    """Yield the answers of a row: one, or one for each place of its lists.

    Args:
        row: As it stands in a file.
        fields: Which names hold what.
        references: The right answers by id, where they stand in a file of their own.

    Raises:
        AnswersError: If the row lacks something; says file and line.
    """
    values = row.values
    record = values.keys() >= _RECORD
    id_name = fields.id or ("item" if record else _name(row, IDS, "id"))
    said_name = fields.prediction or ("answer" if record else _prediction_name(row))
    for name, option in ((id_name, "--id"), (said_name, "--prediction")):
        if name not in values:
            raise AnswersError(
                f"{row.place} has no {name!r}: choose one of {_known(row)} with {option}."
            )
    ids, said = values[id_name], values[said_name]
    if not isinstance(ids, list):
        yield _answer(row, fields, text_of(ids), said, references, said_name)
        return
    if not isinstance(said, list) or len(said) != len(ids):
        raise AnswersError(
            f"{row.place} has {len(ids)} ids in {id_name!r}, but {shown(said)} in {said_name!r}: "
            "both must be lists of one length."
        )
    for place, (one, answer) in enumerate(zip(ids, said, strict=True)):
        at = {
            name: value[place]
            for name, value in values.items()
            if isinstance(value, list) and len(value) == len(ids)
        }
        part = Row(row.file, row.line, {**values, **at})
        dialogue = text_of(ids[0])
        yield _answer(part, fields, text_of(one), answer, references, said_name, dialogue)


def gold_of(value: Any) -> Gold | None:
    """Return a right answer as it is scored; None where a value says none.

    Args:
        value: A text, a number, a list of references, or an object with such a list as "text".
    """
    if isinstance(value, dict):
        return gold_of(value["text"]) if "text" in value else None
    if isinstance(value, str) and value.startswith("[") and value.endswith("]"):
        try:
            value = ast.literal_eval(value)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return str(value)
    if isinstance(value, list | tuple):
        return tuple(str(each["text"] if isinstance(each, dict) else each) for each in value)
    said = text_of(value)
    return said if said.strip() else None


def text_of(value: Any) -> str:
    """Return a value as text: a whole number without ".0", nothing for None and NaN."""
    if value is None or value != value:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _answer(
    row: Row,
    fields: Fields,
    id: str,
    said: Any,
    references: Mapping[str, Gold] | None,
    said_name: str,
    dialogue: str | None = None,
) -> Prediction:
    """Return one answer.

    Raises:
        AnswersError: If it has no id, or what was said is no text.
    """
    if not id.strip():
        raise AnswersError(f"{row.place} has an empty id: give each item one.")
    values = row.values
    doc = values["doc"] if isinstance(values.get("doc"), dict) else {}
    question = next(
        (str(place[name]) for place in (values, doc) for name in QUESTIONS if place.get(name)), ""
    )
    options = _options(values, doc, question)
    right = _right_value(row, fields, id, said_name, references)
    if isinstance(said, list) and len(said) > 1 and all(map(_is_likelihood, said)):
        said, gold = _by_likelihood(row, id, said, right, options)
    else:
        said, gold = _one_text(said), _as_letter(right, options, values)
    if isinstance(said, list | dict):
        raise AnswersError(
            f"{row.place} (id {id}) has {shown(said)} for an answer, but it must be a text: name "
            "another field with --prediction."
        )
    category = text_of(values.get("category"))
    cluster = id if dialogue is None else dialogue
    if values.keys() >= _RECORD and values.get("cluster"):
        cluster = text_of(values["cluster"])
    if fields.cluster is not None:
        if fields.cluster not in values:
            raise AnswersError(
                f"{row.place} (id {id}) has no {fields.cluster!r}, which --cluster asks for: it "
                f"has {_known(row)}."
            )
        cluster = text_of(values[fields.cluster])
    return Prediction(
        id=id,
        answer=text_of(said),
        gold=gold,
        question=question,
        options=options,
        categories=tuple(each.strip() for each in category.split(",") if each.strip()),
        cluster=cluster,
        row=row,
    )


def _right_value(
    row: Row,
    fields: Fields,
    id: str,
    said_name: str,
    references: Mapping[str, Gold] | None,
) -> Any:
    """Return what is right as it is written, in the row or in a file of its own."""
    if references is not None:
        if id not in references:
            raise AnswersError(
                f"{row.place} (id {id}) has no right answer in the file of --gold-file: is it of "
                "the same items?"
            )
        return references[id]
    if fields.gold is not None:
        if fields.gold not in row.values:
            raise AnswersError(
                f"{row.place} (id {id}) has no {fields.gold!r}: choose one of {_known(row)} with "
                "--gold, or give a file with --gold-file."
            )
        return row.values[fields.gold]
    doc = row.values.get("doc")
    answers = doc.get("answers") if isinstance(doc, dict) else None
    if isinstance(answers, dict) and isinstance(answers.get("text"), list):
        return answers  # all references of SQuAD, of which lm-eval's target is the first
    name = next((name for name in GOLDS if name in row.values and name != said_name), None)
    return None if name is None else row.values[name]


def _options(values: Mapping[str, Any], doc: Mapping[str, Any], question: str) -> Options:
    for place in (values, doc):
        for name in ("choices", "options"):
            listed = place.get(name)
            if isinstance(listed, dict) and isinstance(listed.get("text"), list):
                listed = listed["text"]  # as in ARC
            if isinstance(listed, list) and len(listed) > 1:
                return lettered(listed)
    return option_columns(values) or find_options(question)


def _as_letter(right: Any, options: Options, values: Mapping[str, Any]) -> Gold | None:
    """Return what is right; an option given by its text, or its place in a list, as its letter."""
    gold = gold_of(right)
    if not isinstance(gold, str) or gold.strip().upper() in options:
        return gold
    listed = isinstance(values.get("choices"), list) or isinstance(values.get("doc"), dict)
    small = listed and gold.isdecimal() and len(gold) < 4
    place = int(gold) if small and int(gold) < len(options) else None
    if place is not None and isinstance(right, int | float):
        return list(options)[place]  # even where an option's text is this number
    for letter, text in options.items():
        if text.strip().lower() == gold.strip().lower():
            return letter
    return gold if place is None else list(options)[place]


def _is_likelihood(value: Any) -> bool:
    """Tell whether this is what the harnesses write: a logarithm, and whether it was greedy."""
    if not isinstance(value, list) or len(value) != 2 or str(value[1]) not in ("True", "False"):
        return False
    try:
        float(value[0])
    except (TypeError, ValueError):
        return False
    return True


def _by_likelihood(
    row: Row, id: str, pairs: Sequence[Sequence[Any]], right: Any, options: Options
) -> tuple[str, Gold | None]:
    """Return the likeliest option's letter, and the right one's.

    Raises:
        AnswersError: If the right answer tells none of the options.
    """
    letters = tuple(ascii_uppercase[: len(pairs)])
    gold = gold_of(right)
    if isinstance(gold, tuple) and len(gold) == 1:
        gold = gold[0]
    if isinstance(gold, str):
        plain = gold.strip().strip("().").upper()
        place = int(plain) if plain.isdecimal() and len(plain) < 4 else len(letters)
        gold = letters[place] if place < len(letters) else plain if plain in letters else gold
    gold = _as_letter(gold, options, {})
    likeliest = max(range(len(pairs)), key=lambda place: float(pairs[place][0]))
    if likeliest >= len(letters) or not (gold is None or gold in letters):
        raise AnswersError(
            f"{row.place} (id {id}) has the likelihoods of {len(pairs)} options, but "
            f"{shown(right)} for the right one: name a field with its letter or its place, counted "
            "from 0, with --gold, or give --gold-file."
        )
    return letters[likeliest], gold


def _one_text(said: Any) -> Any:
    """Return the one text inside lists; beside it lm-eval may have asked for a likelihood."""
    while isinstance(said, list):
        texts = [each for each in said if not _is_likelihood(each)]
        if len(texts) != 1:
            return said
        said = texts[0]
    return said


def _name(row: Row, names: Sequence[str], what: str) -> str:
    found = next((name for name in names if name in row.values), None)
    if found is None:
        raise AnswersError(
            f"{row.place} has no {what} that is known: choose one of {_known(row)} with --{what}."
        )
    return found


def _prediction_name(row: Row) -> str:
    """Return which field holds what was said; "answer" does where another one holds the gold.

    Raises:
        AnswersError: If there is none, or if POPE's own fields leave it open.
    """
    others = [name for name in GOLDS if name in row.values and name != "answer"]
    known = [name for name in PREDICTIONS if name in row.values]
    if not known and "answer" in row.values and others:
        return "answer"
    if known == ["text"] and row.values.keys() >= {"label", "answer"}:  # POPE's text is a question
        raise AnswersError(
            f"{row.place} has a 'text' and an 'answer' beside its 'label': name the one that holds "
            "what was said with --prediction."
        )
    return _name(row, PREDICTIONS, "prediction")


def _known(row: Row) -> str:
    names = [str(name) for name in row.values]
    return ", ".join(names[:20]) + (" and others" if len(names) > 20 else "") or "no field at all"
