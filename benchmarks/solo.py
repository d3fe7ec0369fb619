"""Whether answers of a batch are those that are given alone, for every method.

    python benchmarks/solo.py [--questions 200] > benchmarks/results/solo.md

The bundled anchored checkpoint in float32 answers each question twice: one row at a time (a method
that contrasts takes what rows it needs), and a hundred rows at once, of all methods together.
"""

import argparse
import json
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

import sinktrack
from sinktrack.core.decoding import Decoding
from sinktrack.core.generate import Generator
from sinktrack.core.intervention import Intervention
from sinktrack.core.names import BUNDLED
from sinktrack.eval.asking import example_prompts
from sinktrack.eval.runner import Run, evaluate
from sinktrack.eval.task import Item, Task
from sinktrack.eval.tasks.shapes import PASSAGE_PARTS, POPE
from sinktrack.machine import settle_threads
from sinktrack.methods import parse_all

ASKED = (POPE[0], PASSAGE_PARTS[0])
TOGETHER = 100
METHODS = [
    "all",  # whose own settings suit, and then those that have none
    "cover:positions=4-8",
    "silence:heads=3.1+5.0",
    "position-scale:dimension=5",
]


def main() -> None:
    """Print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--questions", type=int, default=200)
    questions = parser.parse_args().questions
    model, processor = sinktrack.load(BUNDLED, device="cpu", dtype=torch.float32)
    settle_threads(model)
    equal: dict[str, dict[str, int]] = {task.name: {} for task in ASKED}
    others = []
    for task in ASKED:
        shown = example_prompts(model, processor, [task], "test", 2)
        methods, _ = parse_all(METHODS, model, shown)
        run = Run(tasks=[task], methods=methods, limit=questions, batch=TOGETHER)
        alone, together = (
            answers(model, processor, replace(run, batch=batch)) for batch in (1, TOGETHER)
        )
        same = Counter(key[1] for key in alone if alone[key] == together[key])
        equal[task.name] = {method: same[method] for method in methods}
        items = {item.id: item for item in run.items(task)}
        others += [
            f"{task.name}, {id}, {name}: {together[id, name]!r} in place of {alone[id, name]!r}, "
            f"of which two tokens were {closest(model, processor, items[id], methods[name]):.0e} "
            "apart when it was given alone."
            for id, name in alone
            if alone[id, name] != together[id, name]
        ]
    print("# Answers given together are those given alone\n")
    print(
        f"`python benchmarks/solo.py --questions {questions}` writes this table: how many answers "
        f"of {TOGETHER} rows at once equal those given alone, of {questions} (float32, greedy, "
        f"bundled anchored checkpoint, torch {torch.__version__}). A dash: the method needs what "
        "the task's prompts lack.\n"
    )
    print("| method | " + " | ".join(equal) + " |\n|---|" + "---|" * len(equal))
    for method in dict.fromkeys(method for found in equal.values() for method in found):
        row = (str(found.get(method, "–")) for found in equal.values())
        print(f"| {method} | {' | '.join(row)} |")
    if others:
        print(
            "\nThe others, with the least that the logarithms of the two likeliest tokens' "
            "probabilities were apart:\n"
        )
        print("\n".join(f"- {each}" for each in others))


def closest(model: Any, processor: Any, item: Item, method: Intervention | None) -> float:
    """Return how near the second likeliest token of an answer came to the likeliest, in nats."""
    task = Task("alone", lambda split, limit: [item], lambda item, answer: {})
    (prompt,) = example_prompts(model, processor, [task], "test", 1)
    generator = Generator(
        model, processor.tokenizer, [prompt], {"alone": method}, decoding=Decoding()
    )
    apart = []
    for _ in generator.steps():
        first, second = generator.recorder.distribution(generator.places[0]).topk(2).values
        apart.append(float(first - second))
    return min(apart)


def answers(model: Any, processor: Any, run: Run) -> dict[tuple[str, str], str]:
    """Return every answer of a run, by item and method; none may have failed."""
    with tempfile.TemporaryDirectory() as folder:
        evaluate(model, processor, run, folder)
        lines = [
            json.loads(line)
            for path in Path(folder).glob("records*.jsonl")
            for line in path.read_text("utf-8").splitlines()
        ]
    assert not any("error" in line for line in lines)
    return {(line["item"], line["name"]): line["answer"] for line in lines}


if __name__ == "__main__":
    main()
