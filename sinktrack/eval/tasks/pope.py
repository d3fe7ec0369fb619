"""POPE: is there such a thing in the picture, asked of three choices of things that are not there.

500 pictures of COCO's validation set, six questions each, half of them yes. The answer is read by
the rule fair, where the benchmark's own script looks for "No" and "not" in the first sentence.

Sources: Li et al. 2023, "Evaluating Object Hallucination in Large Vision-Language Models",
https://arxiv.org/abs/2305.10355. The set https://huggingface.co/datasets/lmms-lab/POPE: its split
`test` has 9,000 rows (its viewer), with the columns of public code that prints a row (id,
question_id, question, answer, image_source, category, image).
"""

from collections.abc import Iterator
from functools import partial

from sinktrack.eval.data_sets import HubData, Rows, spread
from sinktrack.eval.hub_benchmark import Part, hub_benchmark
from sinktrack.eval.prompts import TaskPrompt
from sinktrack.eval.rules import fair_scores
from sinktrack.eval.task import Item, Scores

DATA = HubData(
    name="lmms-lab/POPE",
    splits={"test": ("test",)},
    columns=("question_id", "question", "answer", "category", "image"),
    revision="4db1276663dfa5eb8ad16a52d24c31a09e470896",
)
PROMPTS = ("pope",)
CATEGORIES = ("random", "popular", "adversarial")


def _items(category: str, rows: Rows, prompt: TaskPrompt, limit: int) -> Iterator[Item]:
    for row in spread([row for row in rows if row["category"] == category], limit):
        yield Item(
            id=str(row["question_id"]),
            answer=row["answer"],
            images=[row["image"]],
            cluster=str(row.get("image_source") or ""),
            **prompt.put(question=row["question"]),
        )


def _score(item: Item, answer: str) -> Scores:
    return fair_scores(answer, item.answer)


SUITES = {
    "pope": hub_benchmark(
        "pope",
        *(
            Part(
                name=f"POPE, {category}",
                data=DATA,
                prompts=PROMPTS,
                items=partial(_items, category),
                score=_score,
            )
            for category in CATEGORIES
        ),
    )
}
