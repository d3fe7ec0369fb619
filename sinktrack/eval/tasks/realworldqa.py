"""RealWorldQA: 765 questions about pictures of streets and rooms: letters, yes or no, numbers.

Sources: xAI 2024, https://x.ai/news/grok-1.5v. The set
https://huggingface.co/datasets/lmms-lab/RealWorldQA: split `test`; columns as lmms-eval at 75571cfe
reads them (image, question, answer). Options stand inside the question, and its last sentence says
in which form to answer, one of `FORMS`. There is no id, so a row's place in the file is one.
"""

from collections.abc import Iterator

from sinktrack.eval.choices import score_choice
from sinktrack.eval.data_sets import HubData, Rows, spread
from sinktrack.eval.hub_benchmark import Part, hub_benchmark
from sinktrack.eval.prompts import TaskPrompt
from sinktrack.eval.task import Item

DATA = HubData(
    name="lmms-lab/RealWorldQA",
    splits={"test": ("test",)},
    columns=("question", "answer", "image"),
    revision="907c4e5228fd1703c710ed937601cb5f89ab8d5c",
)
PROMPTS = ("choices", "realworldqa")

FORMS = (
    "Please answer directly with only the letter of the correct option and nothing else.",
    "Please answer directly with a single word or number.",
)
"""What a question ends with; a prompt that asks for steps leaves it out."""


def _items(rows: Rows, prompt: TaskPrompt, limit: int) -> Iterator[Item]:
    for number, row in spread(list(enumerate(rows)), limit):
        question = bare = row["question"].strip()
        for form in FORMS:
            bare = bare.removesuffix(form).strip()
        yield Item(
            id=str(number),
            answer=row["answer"].strip(),
            images=[row["image"]],
            facts={"question": question},
            **prompt.put(question=question, bare=bare, options=""),
        )


SUITES = {
    "realworldqa": hub_benchmark(
        "realworldqa",
        Part(
            name="RealWorldQA",
            data=DATA,
            prompts=PROMPTS,
            items=_items,
            score=score_choice,
        ),
    )
}
