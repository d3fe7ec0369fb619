"""Measure a checkpoint on held-out scenes: `python -m sinktrack.shapes.evaluate`.

Answers are generated greedily, in batches, by the same processor and `generate` that a
user's own call goes through, and count only when they equal the reference word for word.
"""

import argparse
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from tqdm import tqdm

from sinktrack.shapes.checkpoint import load, prompt
from sinktrack.shapes.questions import Question, count, describe, existence, what_is_at, where_is
from sinktrack.shapes.scenes import COLOURS, SHAPES, Scene, draw, sample_scene

Ask = Callable[[random.Random, Scene, int], Question]

TASKS: dict[str, Ask] = {
    "existence, random": lambda rng, scene, index: existence(rng, scene, index % 2 == 0, "random"),
    "existence, near": lambda rng, scene, index: existence(rng, scene, index % 2 == 0, "near"),
    "existence, companion": lambda rng, scene, index: existence(
        rng, scene, index % 2 == 0, "companion"
    ),
    "count": lambda rng, scene, index: count(rng, scene),
    "what is at": lambda rng, scene, index: what_is_at(rng, scene),
    "where is": lambda rng, scene, index: where_is(rng, scene),
    "describe": lambda rng, scene, index: describe(rng, scene),
}
"""The table's rows; every second existence question is about a kind that is there."""

_KIND = re.compile(rf"\b({'|'.join(COLOURS)}) ({'|'.join(SHAPES)})\b")


@dataclass(frozen=True)
class Case:
    """A held-out scene, a question about it, and the model's answer."""

    scene: Scene
    question: Question
    answer: str = ""

    @property
    def exact(self) -> bool:
        """Whether the answer is the reference, word for word."""
        return self.answer == self.question.answer


def held_out(
    task: str, number: int, prior: float, split: str = "test", seed: int = 1
) -> list[Case]:
    """Make questions about held-out scenes of one to five objects.

    Args:
        task: a row of TASKS.
        number: how many.
        prior: how often companions stand together; 0 breaks what training taught.
        split: "validation" or "test".
        seed: of the scenes, which all tasks share, and of the questions.
    """
    scenes = random.Random(f"{seed}/{split}")
    asked = random.Random(f"{seed}/{split}/{task}")
    cases = []
    for index in range(number):
        scene = sample_scene(scenes, scenes.randint(1, 5), split, prior)
        cases.append(Case(scene, TASKS[task](asked, scene, index)))
    return cases


@torch.inference_mode()
def answer(
    model: Any,
    processor: Any,
    cases: Sequence[Case],
    batch: int = 50,
    bar: "tqdm[Any] | None" = None,
) -> list[Case]:
    """Have a model answer questions, greedily.

    Args:
        model: the model, on its device.
        processor: its processor, padding on the left.
        cases: the questions.
        batch: rows at once.
        bar: a progress bar to move by one a question.
    """
    answered: list[Case] = []
    for start in range(0, len(cases), batch):
        rows = cases[start : start + batch]
        inputs = processor(
            text=[prompt(processor, case.question.text) for case in rows],
            images=[draw(case.scene) for case in rows],
            padding=True,
            return_tensors="pt",
        ).to(model.device)
        tokens = model.generate(**inputs, max_new_tokens=96, do_sample=False)
        texts = processor.batch_decode(
            tokens[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True
        )
        answered += [
            Case(case.scene, case.question, text) for case, text in zip(rows, texts, strict=True)
        ]
        if bar is not None:
            bar.update(len(rows))
    return answered


def description_figures(cases: Sequence[Case]) -> tuple[float, float]:
    """Recall and CHAIR_i of descriptions.

    Recall is the share of the scenes' kinds that are mentioned; CHAIR_i the share of the
    mentioned kinds that are not in the scene (Rohrbach et al. 2018, "Object
    Hallucination in Image Captioning", https://arxiv.org/abs/1809.02156).
    """
    present = found = mentioned = invented = 0
    for case in cases:
        said = set(_KIND.findall(case.answer))
        shown = {tuple(kind) for kind in case.scene.kinds}
        present += len(shown)
        found += len(said & shown)
        mentioned += len(said)
        invented += len(said - shown)
    return found / max(1, present), invented / max(1, mentioned)


def main(arguments: list[str] | None = None) -> None:
    """Print a table of accuracies on held-out scenes."""
    parser = argparse.ArgumentParser(
        prog="python -m sinktrack.shapes.evaluate", description=main.__doc__
    )
    parser.add_argument("--model", default="assets/shapes-vl", help="folder of the checkpoint")
    parser.add_argument("--limit", type=int, default=200, help="questions a task")
    parser.add_argument(
        "--prior", type=float, default=0.0, help="how often companions stand together, 0 to 1"
    )
    parser.add_argument("--split", choices=("validation", "test"), default="test")
    parser.add_argument("--batch", type=int, default=50, help="questions at once")
    parser.add_argument("--threads", type=int, default=None, help="CPU threads (torch's choice)")
    parser.add_argument("--show", type=int, default=0, help="wrong answers of each task to print")
    options = parser.parse_args(arguments)
    if options.limit < 1:
        parser.error(f"--limit must be at least 1, not {options.limit}.")
    if options.threads:
        torch.set_num_threads(options.threads)
    model, processor = load(options.model, "cuda" if torch.cuda.is_available() else "cpu")
    lines, wrong = [], []
    with tqdm(total=options.limit * len(TASKS), unit="question") as bar:
        for task in TASKS:
            bar.set_description(task)
            cases = held_out(task, options.limit, options.prior, options.split)
            cases = answer(model, processor, cases, options.batch, bar)
            exact = sum(case.exact for case in cases) / len(cases)
            note = ""
            if task.startswith("existence"):
                yes = sum(case.answer.startswith("Yes") for case in cases) / len(cases)
                note = f"says yes {yes:.3f}"
            elif task == "describe":
                note = "recall {:.3f}, CHAIR_i {:.3f}".format(*description_figures(cases))
            lines.append(f"| {task} | {exact:.3f} | {note} |")
            wrong += [case for case in cases if not case.exact][: options.show]
    print(f"| task ({options.limit} questions each) | exact | |\n|---|---|---|")
    print("\n".join(lines))
    for case in wrong:
        print(f"\n{case.question.text}")
        print(f"  reference: {case.question.answer}\n  answer:    {case.answer}")


if __name__ == "__main__":
    main()
