"""M3CoT: lettered choices about a picture that take several steps to make.

Sources: Chen et al. 2024, "M3CoT: A Novel Benchmark for Multi-Domain Multi-step Multi-modal
Chain-of-Thought", https://arxiv.org/abs/2405.16473. The set
https://huggingface.co/datasets/LightChen2333/M3CoT: its card lists the columns (id, category,
image_id, question, choices, context, answer, rationale, split, image, domain, topic) and the splits
train (7,863), validation (1,108) and test (2,318). `answer` is a letter, as the benchmark's
`utils/metric.py` (https://github.com/LightChen233/M3CoT at ee50d5a) and its published records have
it. The context is left out, as the public code of SinkTrack does; whether it is ever needed is not
confirmed.
"""

from collections.abc import Iterator

from sinktrack.eval.choices import lines_of, score_choice
from sinktrack.eval.data_sets import HubData, Rows, spread
from sinktrack.eval.hub_benchmark import Part, hub_benchmark
from sinktrack.eval.prompts import TaskPrompt
from sinktrack.eval.task import Item

DATA = HubData(
    name="LightChen2333/M3CoT",
    splits={"test": ("test",), "validation": ("validation",)},
    columns=("id", "question", "choices", "answer", "domain", "image"),
)
PROMPTS = ("choices",)


def _items(rows: Rows, prompt: TaskPrompt, limit: int) -> Iterator[Item]:
    # the public code asks of those with a picture alone
    for row in spread([row for row in rows if row["image"] is not None], limit):
        yield Item(
            id=row["id"],
            answer=row["answer"],
            images=[row["image"]],
            facts={
                "question": row["question"],
                "choices": row["choices"],
                "kinds": [row["domain"]],
            },
            **prompt.put(context="", question=row["question"], options=lines_of(row["choices"])),
        )


SUITES = {
    "m3cot": hub_benchmark(
        "m3cot",
        Part(
            name="M3CoT",
            data=DATA,
            prompts=PROMPTS,
            items=_items,
            score=score_choice,
        ),
    )
}
