"""HallusionBench: questions of yes or no about pictures, some of them altered, or about none.

The same question is put about several pictures, and several questions about the same picture. A
question pair is right where all answers to one question are, and a figure where all answers about
one picture are. Of the questions that need no picture, put without one, an answer that says neither
yes nor no counts as right, as the benchmark counts "uncertain".

The benchmark lets GPT-4 judge; here the rule fair reads yes or no, and nothing else is judged.

Sources: Guan et al. 2024, https://arxiv.org/abs/2310.14566, and `utils.py` of
https://github.com/tianyi-lab/HallusionBench at 744007c (`assign_correctness`, `get_eval_fig`,
`get_eval_pair_all`, `get_eval_pair_easy`, `get_eval_pair_hard`). The set
https://huggingface.co/datasets/lmms-lab/HallusionBench: its card lists the columns, all texts but
the image, and the splits image (951) and non_image (178), which together are the benchmark's file.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from sinktrack.eval.choices import by_kind
from sinktrack.eval.data_sets import HubData, Rows, spread
from sinktrack.eval.hub_benchmark import Part, hub_benchmark
from sinktrack.eval.prompts import TaskPrompt
from sinktrack.eval.rules import fair_scores
from sinktrack.eval.task import Benchmark, Item, Scores, Together

DATA = HubData(
    name="lmms-lab/HallusionBench",
    splits={"test": ("image", "non_image")},
    columns=(
        "category",
        "subcategory",
        "visual_input",
        "set_id",
        "figure_id",
        "question_id",
        "question",
        "gt_answer",
        "image",
    ),
)
PROMPTS = ("yes_no",)


def _items(rows: Rows, prompt: TaskPrompt, limit: int) -> Iterator[Item]:
    sets: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        name = "_".join((row["category"], row["subcategory"], row["set_id"]))
        sets.setdefault(name, []).append(row)
    for row in _whole_sets(list(sets.values()), limit):
        question = "_".join(
            (row["category"], row["subcategory"], row["set_id"], row["question_id"])
        )
        figure = "_".join((row["category"], row["subcategory"], row["set_id"], row["figure_id"]))
        alone = row["category"] == "VS" and row["figure_id"] == "0"
        yield Item(
            id=f"{figure}_{row['question_id']}",
            answer="yes" if row["gt_answer"] == "1" else "no",
            images=[] if row["image"] is None else [row["image"]],
            cluster="_".join((row["category"], row["subcategory"], row["set_id"])),
            facts={
                "pair": question,
                "figure": None if alone else figure,
                "uncertain counts": alone,
                "altered": row["visual_input"] == "2",
            },
            **prompt.put(question=row["question"]),
        )


def _whole_sets(sets: list[list[Mapping[str, Any]]], limit: int) -> Iterator[Mapping[str, Any]]:
    """Yield that many rows at most, as whole sets, so that no pair or figure lacks a question."""
    total = sum(map(len, sets))
    wanted = len(sets) if limit >= total else limit * len(sets) // total
    left = limit
    for rows in spread(sets, wanted):
        if len(rows) <= left:
            left -= len(rows)
            yield from rows


def _score(item: Item, answer: str) -> Scores:
    scores = fair_scores(answer, item.answer)
    if item.facts["uncertain counts"] and scores["unparsed"][0] and answer.strip():
        scores |= {"accuracy": (1.0, 1.0), "unparsed": (0.0, 1.0)}
        scores["accuracy among parsed"] = (1.0, 1.0)
    kept = ("accuracy", "accuracy among parsed", "unparsed", "yes ratio")
    found = {measure: scores[measure] for measure in kept}
    return found | by_kind(found, ["altered" if item.facts["altered"] else "unaltered"])


TOGETHER = {
    "question pairs": Together("accuracy", lambda item: item.facts["pair"]),
    "figures": Together("accuracy", lambda item: item.facts["figure"]),
    "easy questions": Together(
        "accuracy", lambda item: None if item.facts["altered"] else item.facts["pair"]
    ),
    "hard questions": Together(
        "accuracy", lambda item: item.facts["pair"] if item.facts["altered"] else None
    ),
}
"""qAcc, fAcc, "easy aAcc" and "hard aAcc" of the benchmark; aAcc is accuracy."""


def _suite(place: str, name: str, data: HubData) -> Benchmark:
    return hub_benchmark(
        place,
        Part(
            name=name,
            data=data,
            prompts=PROMPTS,
            items=_items,
            score=_score,
            together=TOGETHER,
        ),
    )


SUITES = {
    "hallusion-bench": _suite("hallusion-bench", "HallusionBench", DATA),
    "hallusion-bench-pictures": _suite(
        "hallusion-bench-pictures",
        "HallusionBench, with pictures",
        replace(DATA, splits={"test": ("image",)}),
    ),
}
"""The second is for methods that need a picture, and what lmms-eval asks."""
