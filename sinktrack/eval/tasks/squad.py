"""SQuAD 2.0: answers that stand in a passage, and questions that it does not answer.

The test set is secret, so the field reports the development set, which is the split `validation` of
the hub; questions to choose by are drawn from the training set. With a limit, as many answerable as
unanswerable questions are asked. An answer abstains where it holds an abstaining phrase
(`sinktrack.eval.rules.ABSTAINING`); no threshold is sought.

Sources: Rajpurkar et al. 2018, https://arxiv.org/abs/1806.03822, and its scorer,
https://rajpurkar.github.io/SQuAD-explorer/. The set https://huggingface.co/datasets/rajpurkar/squad_v2:
splits train (130,319) and validation (11,873); columns id, title, context, question and answers, an
object of the lists text and answer_start, as lm-eval at 4e7e0d47 reads them. The authors' own file
of one split is read too.
"""

from collections.abc import Iterator
from typing import Any

from sinktrack.core.errors import DataError
from sinktrack.eval.answer_files import read_json
from sinktrack.eval.data_sets import HubData, Rows, cluster_of, spread
from sinktrack.eval.hub_benchmark import Part, hub_benchmark
from sinktrack.eval.prompts import TaskPrompt
from sinktrack.eval.rules import fair_scores
from sinktrack.eval.task import Item, Scores

UNANSWERABLE = "unanswerable"


def own_file(path: str) -> Rows:
    """Return the rows of a file in SQuAD's own layout, packed or not.

    Raises:
        DataError: If it is of another layout.
        AnswersError: If there is no such file.
    """
    value = read_json(path)
    try:
        return [
            {
                "id": question["id"],
                "context": paragraph["context"],
                "question": question["question"],
                "answers": {"text": [answer["text"] for answer in question["answers"]]},
            }
            for article in value["data"]
            for paragraph in article["paragraphs"]
            for question in paragraph["qas"]
        ]
    except (KeyError, TypeError) as error:
        raise DataError(f"{path} is no file of SQuAD 2.0: {error} is missing in it.") from error


DATA = HubData(
    name="rajpurkar/squad_v2",
    splits={"test": ("validation",), "validation": ("train",)},
    columns=("id", "context", "question", "answers"),
    own_file=own_file,
)


def _items(rows: Rows, prompt: TaskPrompt, limit: int) -> Iterator[Item]:
    for row in _halves(rows, limit):
        right = tuple(row["answers"]["text"])
        yield Item(
            id=row["id"],
            answer=right[0] if right else UNANSWERABLE,
            references=right,
            cluster=cluster_of(row["context"]),
            **prompt.put(passage=row["context"], question=row["question"].strip()),
        )


def _halves(rows: Rows, limit: int) -> Iterator[Any]:
    """Yield all rows, or with a limit half of it of each kind, in the order of the file."""
    if limit >= len(rows):
        yield from rows
        return
    kinds: tuple[list[int], list[int]] = ([], [])
    for number, row in enumerate(rows):
        kinds[not row["answers"]["text"]].append(number)
    chosen = {*spread(kinds[0], limit - limit // 2), *spread(kinds[1], limit // 2)}
    yield from (rows[number] for number in sorted(chosen))


def _score(item: Item, answer: str) -> Scores:
    scores = fair_scores(answer, item.references or ())
    scores.pop("accuracy among parsed")  # exact match says the same of answers with words
    return scores


SUITES = {
    "squad": hub_benchmark(
        "squad",
        Part(name="SQuAD 2.0", data=DATA, prompts=("squad",), items=_items, score=_score),
    )
}
