"""Does SinkTrack help: `python answers.py plain choose`, then the other stages.

`choose` tries variants of the method on validation scenes. None was better there than the schedule
of the checkpoint's family or config ("published"), so `report` measures that one beside the plain
model on test scenes, and `window` both behind a window that has left the prompt. Each goes on where
it stopped, and leaves its table in results/.
"""

import argparse
import hashlib
import json
from pathlib import Path
from typing import Any

import torch

import sinktrack
from sinktrack.eval.result_table import table
from sinktrack.eval.runner import Run, evaluate
from sinktrack.eval.task import Task
from sinktrack.eval.tasks import find
from sinktrack.eval.tasks.shapes import (
    CHOICES,
    DESCRIPTIONS,
    MEMORY,
    MEMORY_OF_PASSAGES,
    PASSAGES,
    POPE,
)
from sinktrack.eval.tasks.words import ANY, TWO_PICTURES
from sinktrack.shapes.everyday import KINDS_ASKED

RESULTS = Path(__file__).parent / "results"
ASSETS = Path(__file__).parent.parent / "assets"
CHECKPOINTS = {"plain": "shapes-vl", "anchored": "shapes-vl-anchored"}

STAGES = (
    *("choose", "official", "report", "window", "passages", "passage-window"),
    *("words", "inside", "outside", "card"),
)
TOLD = ("trained", "held out")
WINDOW = sinktrack.SinkWindow(sinks=1, window=24)
MEASURES: tuple[Task, ...] = (POPE[0], POPE[2], DESCRIPTIONS[0], *CHOICES)


def variants(model: Any) -> dict[str, sinktrack.SinkTrack | None]:
    """Return the plain model, the checkpoint's schedule, and changes of one thing at a time."""

    def changed(**changes: Any) -> sinktrack.SinkTrack:
        return sinktrack.SinkTrack.for_model(model, **changes)

    def every(step: int, last: int = 11) -> dict[str, Any]:
        layers = set(range(step, last + 1, step))
        return {"inject_at": layers, "refresh_after": layers}

    late = {"inject_at": {10}, "refresh_after": {9}}
    return {
        "baseline": None,
        "published": changed(),
        "instruction": changed(context="instruction"),
        "both": changed(context="image+instruction"),
        "every 2nd": changed(**every(2)),
        "every 3rd": changed(**every(3)),
        "up to 6": changed(**every(2, last=6)),
        "one late": changed(**late),
        "strength 0.5": changed(strength=0.5),
        "normalised": changed(normalize_context=not changed().normalize_context),
        "one late, normalised": changed(**late, normalize_context=True),
        "one late, both, normalised": changed(
            **late, normalize_context=True, context="image+instruction"
        ),
    }


def card(checkpoint: str) -> dict[str, Any]:
    """Return what the page tells of a checkpoint, from what the other stages have measured.

    Each figure is a share from 0 to 1; of two, the plain model's and SinkTrack's.
    """

    def tasks(stage: str) -> dict[str, dict[str, dict[str, Any]]]:
        found = json.loads((RESULTS / f"{checkpoint}-{stage}.json").read_text("utf-8"))
        measured: dict[str, dict[str, dict[str, Any]]] = found["tasks"]
        return measured

    def value(stage: str, task: str, measure: str, method: str = "baseline") -> float:
        return round(float(tasks(stage)[task][method][measure]["value"]), 3)

    words = {
        kind: {told: value("words", f"{kind}, {told} words", "exact") for told in TOLD}
        for kind in (*KINDS_ASKED, TWO_PICTURES)
    }
    remembered = {
        "the phrase, word for word": ("window", "delayed phrase", "exact", "published"),
        "whether a shape is there": ("window", "delayed existence", "accuracy", "published"),
        "a passage's fact": ("passage-window", "delayed fact", "exact", "passage"),
    }
    return {
        "words": words,
        "outside": value("outside", "outside, held out", "honest"),
        "refused": value("inside", f"{ANY}, held out words", "refused"),
        "existence": {
            each: value("report", f"existence, {each}", "accuracy")
            for each in ("random", "adversarial")
        },
        "remembered": {
            what: [value(*where[:3]), value(*where)] for what, where in remembered.items()
        },
    }


def main() -> None:
    """Measure and print one table."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("checkpoint", choices=CHECKPOINTS)
    parser.add_argument("stage", choices=STAGES)
    parser.add_argument("--limit", type=int, help="items a measure; default: the stage's own")
    parser.add_argument("--runs", type=Path, default=Path("runs/answers"), help="for the records")
    parser.add_argument("--threads", type=int, default=None, help="CPU threads (torch's choice)")
    options = parser.parse_args()
    if options.stage == "card":
        (ASSETS / CHECKPOINTS[options.checkpoint] / "card.json").write_text(
            json.dumps(card(options.checkpoint), indent=1) + "\n", encoding="utf-8"
        )
        return
    if options.threads:
        torch.set_num_threads(options.threads)
    folder = ASSETS / CHECKPOINTS[options.checkpoint]
    model, processor = sinktrack.load(folder)
    tried = variants(model)
    reported = {"baseline": None, "published": tried["published"]}
    passage = sinktrack.SinkTrack.for_model(model, context="passage+instruction")
    # the checkpoint that has learned to read its sink is shown with it, and must know as much
    known = reported if options.checkpoint == "anchored" else {"baseline": None}
    official = sinktrack.SinkTrack.for_model(model, causal="official")
    run = {
        "choose": Run(tasks=MEASURES, methods=tried, split="validation", limit=200, batch=200),
        "official": Run(
            tasks=MEASURES[:3],
            methods={"baseline": None, "official": official},
            split="validation",
            limit=200,
        ),
        "report": Run(tasks=(POPE[1], *MEASURES), methods=reported, limit=2000, batch=200),
        # which have no picture, so that the question is what can be written
        "passages": Run(
            tasks=PASSAGES,
            methods={"baseline": None, "instruction": tried["instruction"]},
            limit=2000,
            batch=200,
        ),
        "window": Run(tasks=MEMORY, methods=reported, limit=2000, cache=WINDOW, batch=200),
        "passage-window": Run(
            tasks=MEMORY_OF_PASSAGES,
            methods={"baseline": None, "passage": passage},
            limit=2000,
            cache=WINDOW,
            batch=200,
        ),
        # of the plain model alone: what it knows, and what it knows that it does not
        "words": Run(
            tasks=(*find("shapes-words"), *find("shapes-words-trained")),
            methods=known,
            limit=200,
            batch=200,
        ),
        "outside": Run(
            tasks=find("shapes-outside"), methods={"baseline": None}, limit=500, batch=100
        ),
        "inside": Run(tasks=find("shapes-inside"), methods=known, limit=2000, batch=200),
    }[options.stage]
    if options.limit:
        run = Run(**(vars(run) | {"limit": options.limit}))
    name = f"{options.checkpoint}-{options.stage}"
    # other weights give other answers, so a run of theirs is never gone on with
    weights = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()[:8]
    found = evaluate(model, processor, run, options.runs / f"{name}-{weights}")
    shown = table(found)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.md").write_text(shown, encoding="utf-8")
    (RESULTS / f"{name}.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(shown)


if __name__ == "__main__":
    main()
