"""ScienceQA: lettered choices of school science, those that have a picture.

Sources: Lu et al. 2022, "Learn to Explain: Multimodal Reasoning via Thought Chains for Science
Question Answering", https://arxiv.org/abs/2209.09513. The set
https://huggingface.co/datasets/derek-thomas/ScienceQA: splits train, validation (4,241) and test
(4,241), of which 2,097 and 2,017 have a picture (the card of lmms-lab/ScienceQA, which has the same
columns: image, question, choices, answer, hint, task, grade, subject, topic, category, skill,
lecture, solution). `answer` is a place in `choices`, from 0. There is no id, so a row's place in
the file is one. How the published runs of SinkTrack put the hint is not known: the public code has
no such task.
"""

from collections.abc import Iterator

from sinktrack.eval.choices import lines_of, score_choice
from sinktrack.eval.data_sets import HubData, Rows, spread
from sinktrack.eval.hub_benchmark import Part, hub_benchmark
from sinktrack.eval.options import lettered
from sinktrack.eval.prompts import TaskPrompt
from sinktrack.eval.task import Item

DATA = HubData(
    name="derek-thomas/ScienceQA",
    splits={"test": ("test",), "validation": ("validation",)},
    columns=("image", "question", "choices", "answer", "hint", "subject"),
)
PROMPTS = ("choices",)


def _items(rows: Rows, prompt: TaskPrompt, limit: int) -> Iterator[Item]:
    seen = [(number, row) for number, row in enumerate(rows) if row["image"] is not None]
    for number, row in spread(seen, limit):
        yield Item(
            id=str(number),
            answer=list(lettered(row["choices"]))[row["answer"]],
            images=[row["image"]],
            facts={
                "question": row["question"],
                "choices": row["choices"],
                "kinds": [row["subject"]],
            },
            **prompt.put(
                context=f"Context: {row['hint']}\n" if row["hint"] else "",
                question=row["question"],
                options=lines_of(row["choices"]),
            ),
        )


SUITES = {
    "scienceqa": hub_benchmark(
        "scienceqa",
        Part(
            name="ScienceQA, with pictures",
            data=DATA,
            prompts=PROMPTS,
            items=_items,
            score=score_choice,
        ),
    )
}
