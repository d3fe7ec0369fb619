"""LongBench's question answering in English: six sets of questions about long texts.

F1 of words against the nearest reference. The benchmark's own script cuts the middle out of a text
that is longer than the model reads; nothing is cut here, and a model that reads too little refuses.

Sources: Bai et al. 2023, https://arxiv.org/abs/2308.14508, and https://github.com/THUDM/LongBench
at 2e00731: prompts and lengths (LongBench/config), scorer (LongBench/metrics.py), columns (input,
context, answers, length, dataset, language, all_classes, _id), 150 questions of multifieldqa_en and
200 of each other set (LongBench/task.md). The set https://huggingface.co/datasets/THUDM/LongBench
is a program, which `datasets` runs no more; whether the hub has a Parquet branch of it is not
confirmed. Its `data.zip`, unpacked, is read with --data, and so is Xnhyacinth/LongBench, a Parquet
copy that lm-eval at 4e7e0d47 reads, whose question stands in the column `question`.
"""

from collections.abc import Iterator
from functools import partial

from sinktrack.eval.data_sets import PARQUET, HubData, Rows, cluster_of, spread
from sinktrack.eval.hub_benchmark import Part, hub_benchmark
from sinktrack.eval.prompts import TaskPrompt
from sinktrack.eval.scorers import best_reference
from sinktrack.eval.task import Item, Scores

SETS = {
    "narrativeqa": "narrativeqa",
    "qasper": "qasper",
    "multifieldqa_en": "multifieldqa_en",
    "hotpotqa": "passages",
    "2wikimqa": "passages",
    "musique": "passages",
}
"""Each set's prompts."""


def _items(name: str, rows: Rows, prompt: TaskPrompt, limit: int) -> Iterator[Item]:
    for number, row in spread(list(enumerate(rows)), limit):
        question = row["question"] if "question" in row else row["input"]
        yield Item(
            id=str(row.get("_id") or f"{name}/{number}"),
            answer=row["answers"][0],
            references=tuple(row["answers"]),
            cluster=cluster_of(row["context"]),
            **prompt.put(passage=row["context"], question=question),
        )


def _score(item: Item, answer: str) -> Scores:
    return best_reference(answer, item.references or ())


def _part(name: str, prompts: str) -> Part:
    return Part(
        name=f"LongBench, {name}",
        data=HubData(
            name="THUDM/LongBench",
            config=name,
            splits={"test": ("test",)},
            columns=("context", "answers"),
            revision=PARQUET,
        ),
        prompts=(f"longbench_{prompts}",),
        items=partial(_items, name),
        score=_score,
    )


SUITES = {"longbench": hub_benchmark("longbench", *(_part(*each) for each in SETS.items()))}
