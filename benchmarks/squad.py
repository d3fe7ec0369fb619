r"""Methods on SQuAD 2.0, with any text model: `python benchmarks/squad.py dev-v2.0.json`.

Asks as many answerable as unanswerable questions, the first of each in the file, all with their
passage. An answer is scored by its words against each right answer, the best of which counts; an
unanswerable question scores 1 for an answer that says "unanswerable" and else 0. "abstains" is how
often an answer says so, on either kind of question. Goes on where it stopped.

    python benchmarks/squad.py dev-v2.0.json --model Qwen/Qwen2.5-Coder-1.5B-Instruct \
        --dtype bfloat16 --method all --method "all sinks=sinktrack:sinks=all"
"""

import argparse
import json
import lzma
from collections.abc import Iterator
from pathlib import Path

import torch

import sinktrack
from sinktrack.eval.results import table
from sinktrack.eval.runner import Run, evaluate, example_prompts
from sinktrack.eval.scorers import span
from sinktrack.eval.task import Item, Scores, Task

UNANSWERABLE = "unanswerable"
ASKED = (
    "\nAnswer with as few words from the text as possible. If the text does not tell, say: "
    f"{UNANSWERABLE}."
)
NEW_TOKENS = 16


def items(path: Path, limit: int) -> Iterator[Item]:
    """Yield questions of a file of SQuAD 2.0, shortest passage first, which pads batches least."""
    text = (lzma.open if path.suffix == ".xz" else open)(path, "rb").read()
    found: dict[bool, list[Item]] = {True: [], False: []}
    for article in json.loads(text)["data"]:
        for paragraph in article["paragraphs"]:
            for each in paragraph["qas"]:
                right = [answer["text"] for answer in each["answers"]]
                item = Item(
                    id=each["id"],
                    question=each["question"] + ASKED,
                    answer=right[0] if right else UNANSWERABLE,
                    passage=paragraph["context"],
                    facts={"right": right or [UNANSWERABLE]},
                )
                found[each["is_impossible"]].append(item)
    chosen = [*found[False][: limit // 2], *found[True][: limit // 2]]
    yield from sorted(chosen, key=lambda item: len(item.passage))


def score(item: Item, answer: str) -> Scores:
    """Score an answer by the right one that it is nearest to."""
    said = UNANSWERABLE if UNANSWERABLE in answer.lower() else answer
    return max((span(said, right, UNANSWERABLE) for right in item.facts["right"]), key=_f1)


def _f1(scores: Scores) -> float:
    return scores["F1"][0]


def main() -> None:
    """Measure and print one table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path, help="of SQuAD 2.0, as JSON or as JSON in .xz")
    parser.add_argument("--model", default="Qwen/Qwen2.5-Coder-1.5B-Instruct")
    parser.add_argument("--dtype", choices=("float32", "bfloat16", "float16"), default="bfloat16")
    parser.add_argument("--device")
    parser.add_argument("--method", action="append", help="as for `sinktrack ask`; all for all")
    parser.add_argument("--limit", type=int, default=200)
    parser.add_argument("--batch", type=int, default=12, help="rows at once")
    parser.add_argument("--out", type=Path, default=Path("runs/squad"), help="for the records")
    options = parser.parse_args()
    model, processor = sinktrack.load(
        options.model, device=options.device, dtype=getattr(torch, options.dtype)
    )
    task = Task("SQuAD 2.0", lambda _, limit: items(options.file, limit), score, NEW_TOKENS)
    methods, left_out = sinktrack.methods.parse_all(
        options.method or ["baseline", "sinktrack"],
        model,
        example_prompts(model, processor, [task], "test", options.limit),
    )
    for name, why in left_out.items():
        print(f"{name} is left out: {why}\n")
    run = Run(tasks=[task], methods=methods, limit=options.limit, batch=options.batch)
    print(table(evaluate(model, processor, run, options.out)))


if __name__ == "__main__":
    main()
