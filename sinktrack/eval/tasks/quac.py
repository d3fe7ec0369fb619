"""QuAC: questions in a conversation about a section of Wikipedia, some of which it does not answer.

Earlier turns are turns of the chat with their right answers, or text, as the prompt has it. So each
question is asked by itself; the public code of SinkTrack puts the model's own earlier answers
there, which makes a mistake last. A run with a limit asks whole conversations.

F1 and HEQ-Q leave out questions whose annotators agree less than `LEAST_HUMAN_F1`, as the official
scorer does; HEQ-D is how many conversations have no question that fails HEQ-Q. An answer abstains
where it holds an abstaining phrase (`sinktrack.eval.rules.ABSTAINING`), "CANNOTANSWER" among them.

Sources: Choi et al. 2018, https://arxiv.org/abs/1808.07036, and the scorer of https://quac.ai. The
set https://huggingface.co/datasets/allenai/quac: splits train (11,567 conversations) and validation
(1,000, 7,354 questions by the paper); its card lists the columns dialogue_id, context, turn_ids,
questions, answers (texts and answer_starts) and others. The hub has it as a program, which
`datasets` runs no more, so it is read from the hub's Parquet branch. The authors' own file
(val_v0.2.json) is read too.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from sinktrack.core.errors import DataError
from sinktrack.eval.answer_files import read_json
from sinktrack.eval.data_sets import PARQUET, HubData, Rows, spread
from sinktrack.eval.hub_benchmark import Part, hub_benchmark
from sinktrack.eval.prompts import TaskPrompt
from sinktrack.eval.references import CANNOT, answerable
from sinktrack.eval.rules import Rule
from sinktrack.eval.scorers import quac
from sinktrack.eval.task import Item, Scores, Together


def own_file(path: str) -> Rows:
    """Return the rows of a file in QuAC's own layout, one a conversation.

    Raises:
        DataError: If it is of another layout.
        AnswersError: If there is no such file.
    """
    value = read_json(path)
    try:
        return [
            {
                "dialogue_id": paragraph["id"],
                "context": paragraph["context"],
                "turn_ids": [each["id"] for each in paragraph["qas"]],
                "questions": [each["question"] for each in paragraph["qas"]],
                "answers": [
                    {"texts": [answer["text"] for answer in each["answers"]]}
                    for each in paragraph["qas"]
                ],
                "orig_answers": {
                    "texts": [each["orig_answer"]["text"] for each in paragraph["qas"]]
                },
            }
            for article in value["data"]
            for paragraph in article["paragraphs"]
        ]
    except (KeyError, TypeError) as error:
        raise DataError(f"{path} is no file of QuAC: {error} is missing in it.") from error


DATA = HubData(
    name="allenai/quac",
    splits={"test": ("validation",), "validation": ("train",)},
    columns=("dialogue_id", "context", "turn_ids", "questions", "answers", "orig_answers"),
    revision=PARQUET,
    own_file=own_file,
)


def _items(rows: Rows, prompt: TaskPrompt, limit: int) -> Iterator[Item]:
    for row in _conversations(rows, limit):
        passage = row["context"].removesuffix(CANNOT).strip()
        earlier: list[tuple[str, str]] = []
        turns = zip(
            row["turn_ids"],
            row["questions"],
            _texts(row["answers"]),
            _texts(row["orig_answers"]),
            strict=True,
        )
        for turn, question, references, own in turns:
            history = "\n".join(f"Q: {asked}\nA: {said}" for asked, said in earlier)
            put = prompt.put(passage=passage, question=question, history=history)
            yield Item(
                id=turn,
                answer=own,
                references=tuple(references),
                earlier=() if prompt.has("history") else tuple(earlier),
                cluster=row["dialogue_id"],
                **put,
            )
            earlier.append((question, own))


def _texts(answers: Any) -> list[Any]:
    """Return the texts of each turn: the hub has an object of lists, or a list of objects."""
    if isinstance(answers, Mapping):
        return list(answers["texts"])
    return [each["texts"] for each in answers]


def _conversations(rows: Rows, limit: int) -> Iterator[Mapping[str, Any]]:
    """Yield whole conversations with that many questions at most."""
    total = sum(len(row["questions"]) for row in rows)
    left = limit
    for row in spread(rows, len(rows) if limit >= total else limit * len(rows) // total):
        if len(row["questions"]) <= left:
            left -= len(row["questions"])
            yield row


def _score(item: Item, answer: str) -> Scores:
    references = answerable(item.references or ())
    return quac(answer, references, Rule().abstains(answer))


SUITES = {
    "quac": hub_benchmark(
        "quac",
        Part(
            name="QuAC",
            data=DATA,
            prompts=("quac",),
            items=_items,
            score=_score,
            together={"HEQ-D": Together("HEQ-Q", lambda item: item.cluster)},
        ),
    )
}
