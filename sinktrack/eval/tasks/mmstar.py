"""MMStar: 1,500 lettered choices that cannot be answered without their picture.

Sources: Chen et al. 2024, "Are We on the Right Way for Evaluating Large Vision-Language Models?",
https://arxiv.org/abs/2403.20330. The set https://huggingface.co/datasets/Lin-Chen/MMStar: one file,
split `val`; columns as lmms-eval at 75571cfe reads them (index, question, image, answer, category,
l2_category) beside meta_info. The options stand inside the question: "Options: A: ..., B: ...".
"""

from collections.abc import Iterator

from sinktrack.eval.choices import score_choice
from sinktrack.eval.data_sets import HubData, Rows, spread
from sinktrack.eval.hub_benchmark import Part, hub_benchmark
from sinktrack.eval.prompts import TaskPrompt
from sinktrack.eval.task import Item

DATA = HubData(
    name="Lin-Chen/MMStar",
    splits={"test": ("val",)},
    columns=("index", "question", "answer", "category", "image"),
    revision="bc98d668301da7b14f648724866e57302778ab27",
)
PROMPTS = ("choices",)


def _items(rows: Rows, prompt: TaskPrompt, limit: int) -> Iterator[Item]:
    for row in spread(rows, limit):
        question = row["question"].strip()
        yield Item(
            id=str(row["index"]),
            answer=row["answer"],
            images=[row["image"]],
            facts={"question": question, "kinds": [row["category"]]},
            **prompt.put(context="", question=question, options=""),
        )


SUITES = {
    "mmstar": hub_benchmark(
        "mmstar",
        Part(
            name="MMStar",
            data=DATA,
            prompts=PROMPTS,
            items=_items,
            score=score_choice,
        ),
    )
}
