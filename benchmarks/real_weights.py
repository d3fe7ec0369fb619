"""Real weights by every way that a researcher takes: ask, passage, trace, report, plain generate.

    python benchmarks/real_weights.py DIR [DIR ...] [--gguf FILE DIR ...]

Prints a row a model, and whether a GGUF file and the folder made of it write the same tokens.
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

import sinktrack
from sinktrack.core.comparison import Comparison
from sinktrack.core.prompt import build_prompt
from sinktrack.report.html import write_report

PASSAGE = (
    "The library of the town has three floors. Children's books stand on the first floor, maps "
    "and newspapers on the second. The third floor was closed in 2019, because its roof leaks, "
    "and is to open again when the roof is mended."
)
QUESTION = "Why is the third floor closed?"
NEW = 24
HEADS = (
    "model",
    "asked",
    "loading, s",
    "both answers, s",
    "as plain generate",
    "shares apart from 1",
    "SinkTrack moved outputs by",
    "report, kB",
    "plain model",
    "SinkTrack",
)


def rows_of(name: str, dtype: torch.dtype) -> list[list[str]]:
    """Return a row for a bare question and one for a question about a passage."""
    began = time.perf_counter()
    model, tokenizer = sinktrack.load(name, device="cpu", dtype=dtype)
    loading = time.perf_counter() - began
    rows = []
    for passage in (None, PASSAGE):
        question = "Name three colours." if passage is None else QUESTION
        began = time.perf_counter()
        answers = sinktrack.compare(
            model, tokenizer, question=question, passage=passage, max_new_tokens=NEW
        )
        seconds = time.perf_counter() - began
        plain, injected = answers["baseline"], answers["sinktrack"]
        prompt = build_prompt(model, tokenizer, question, passage=passage)
        same = generated(model, prompt.inputs) == list(plain.token_ids)
        shares = [answer.trace.share for answer in (plain, injected) if answer.trace is not None]
        apart = max(float((each.sum(-1) - 1).abs().max()) for each in shares)
        rows.append(
            [
                Path(name).name,
                "a question" if passage is None else "about a passage",
                f"{loading:.1f}",
                f"{seconds:.1f}",
                "yes" if same else "**no**",
                f"{apart:.0e}",
                f"{max(injected.moved.values()):.0f}",
                f"{report_size(answers) / 1e3:.0f}",
                plain.text,
                injected.text,
            ]
        )
    return rows


def generated(model: Any, inputs: dict[str, torch.Tensor]) -> list[int]:
    """Return what transformers' own greedy search writes."""
    ids = model.generate(**inputs, do_sample=False, max_new_tokens=NEW, repetition_penalty=1.0)
    return list(ids[0, inputs["input_ids"].shape[1] :].tolist())


def report_size(answers: Comparison) -> int:
    """Return how many bytes a report has."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.html"
        write_report(answers, path)
        return path.stat().st_size


def written(name: str) -> list[tuple[int, ...]]:
    """Return what plain model and SinkTrack write, by their ids."""
    model, tokenizer = sinktrack.load(name, device="cpu", dtype=torch.bfloat16)
    answers = sinktrack.compare(
        model, tokenizer, question=QUESTION, passage=PASSAGE, max_new_tokens=NEW
    )
    return [answer.token_ids for answer in answers.values()]


def main() -> None:
    """Print tables in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("models", nargs="*", metavar="DIR")
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--gguf", nargs=2, action="append", default=[], metavar=("FILE", "DIR"))
    arguments = parser.parse_args()
    print("|", " | ".join(HEADS), "|\n|", " | ".join(["---"] * len(HEADS)), "|")
    for name in arguments.models:
        for row in rows_of(name, getattr(torch, arguments.dtype)):
            print("|", " | ".join(" ".join(each.split()) for each in row), "|", flush=True)
    for file, folder in arguments.gguf:
        same = written(file) == written(folder)
        print(
            f"\n{Path(file).name} writes {'' if same else '**not** '}as {Path(folder).name} does."
        )


if __name__ == "__main__":
    main()
