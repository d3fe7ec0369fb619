"""Every method and every control against the plain model: `python benchmarks/mitigation.py`.

Asks the tasks of shapes on both bundled checkpoints: greedily, and sampled at temperature 1 with
three seeds. Methods have their published defaults. Goes on where it stopped. Writes a table, the
numbers and two figures a checkpoint.

    python benchmarks/mitigation.py --measure 8      # says how long the whole would take
    python benchmarks/mitigation.py --questions 1000 --sampled 300
    python benchmarks/mitigation.py --draw           # the figures anew, from the numbers
"""

import argparse
import json
import os
import platform
import shlex
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import torch
import transformers

import sinktrack
from sinktrack.core.decoding import Decoding
from sinktrack.eval.asking import example_prompts
from sinktrack.eval.result_table import table
from sinktrack.eval.runner import Run, evaluate
from sinktrack.eval.tasks.shapes import DESCRIPTIONS, PASSAGE_PARTS, POPE
from sinktrack.machine import settle_threads
from sinktrack.methods import parse_all
from sinktrack.version import VERSION

HERE = Path(__file__).parent
RESULTS = HERE / "results"
ASSETS = HERE.parent / "assets"
CHECKPOINTS = ("shapes-vl", "shapes-vl-anchored")
PARTS = {"pictures": (*POPE, DESCRIPTIONS[0]), "passages": PASSAGE_PARTS}
"""What is asked together: a method that needs a picture is left out of the passages alone."""

GREEDY = Decoding()
SAMPLED = Decoding(do_sample=True, temperature=1.0, top_p=1.0, top_k=0)
"""From the whole distribution, whatever the checkpoint's own settings are."""
SEEDS = 3


@dataclass(frozen=True)
class Stage:
    """One run: how answers are decoded, what is asked, and what could not be asked.

    Args:
        decoding: "greedy" or "sampled".
        part: A key of PARTS.
        run: What to ask.
        left_out: The methods that do not suit it, each with a sentence that says why.
    """

    decoding: str
    part: str
    run: Run
    left_out: dict[str, str]


def stages(model: Any, processor: Any, options: argparse.Namespace) -> Iterator[Stage]:
    """Yield the runs of one checkpoint."""
    for part, tasks in PARTS.items():
        methods, left_out = parse_all(
            options.method or ["all"], model, example_prompts(model, processor, tasks, "test", 2)
        )
        run = Run(tasks=tasks, methods=methods, limit=options.questions, batch=options.batch)
        yield Stage("greedy", part, run, left_out)
        often = replace(run, limit=options.sampled, decoding=SAMPLED, seeds=SEEDS)
        yield Stage("sampled", part, often, left_out)


def measure(model: Any, processor: Any, options: argparse.Namespace) -> float:
    """Time a few questions of every run; return the seconds that the whole would take."""
    whole = 0.0
    for stage in stages(model, processor, options):
        few = replace(stage.run, limit=min(options.measure, stage.run.limit))
        with tempfile.TemporaryDirectory() as folder:
            evaluate(model, processor, replace(few, limit=1), Path(folder) / "warm")
            began = time.perf_counter()
            evaluate(model, processor, few, Path(folder) / "few")
            took = time.perf_counter() - began
        expected = took / few.limit * stage.run.limit
        whole += expected
        print(
            f"{stage.part}, {stage.decoding}: {took:.0f} s for {few.limit} questions a task, so "
            f"{expected / 60:.0f} minutes for {stage.run.limit}"
        )
    return whole


def report(checkpoint: str, model: Any, processor: Any, options: argparse.Namespace) -> None:
    """Ask everything of one checkpoint, and write its table and its numbers."""
    said = [f"# Methods against the plain model on {checkpoint}", _made_by(options, model)]
    numbers: dict[str, Any] = {"made by": said[1], "controls": controls()}
    for stage in stages(model, processor, options):
        folder = options.runs / f"{checkpoint}-{stage.decoding}-{stage.part}"
        found = evaluate(model, processor, stage.run, folder)
        numbers.setdefault(stage.decoding, {})[stage.part] = found
        how = f"{stage.run.limit} questions a task"
        if stage.decoding == "sampled":
            how += f", temperature 1, {stage.run.seeds} seeds"
        said += [f"## {stage.part.capitalize()}, {stage.decoding}: {how}", table(found).strip()]
        left_out = [f"- {name} is left out: {why}" for name, why in stage.left_out.items()]
        said += ["\n".join(left_out)] if left_out else []
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"mitigation-{checkpoint}"
    path.with_suffix(".md").write_text("\n\n".join(said) + "\n", encoding="utf-8")
    path.with_suffix(".json").write_text(json.dumps(numbers) + "\n", encoding="utf-8")


def controls() -> list[str]:
    """Return the kinds that are controls."""
    return [kind for kind, each in sinktrack.methods.available().items() if each.control]


def _made_by(options: argparse.Namespace, model: Any) -> str:
    """Say with what command, on what machine and with what versions numbers were made."""
    device = f"{os.cpu_count()} CPU cores, {torch.get_num_threads()} torch threads"
    if model.device.type == "cuda":
        device = torch.cuda.get_device_name(model.device)
    return (
        f"`python benchmarks/mitigation.py {shlex.join(sys.argv[1:])}`, finished on "
        f"{date.today().isoformat()}. {platform.system()} {platform.machine()}, {device}, "
        f"{str(model.dtype).removeprefix('torch.')}. sinktrack {VERSION}, torch "
        f"{torch.__version__}, transformers {transformers.__version__}, Python "
        f"{platform.python_version()}."
    )


def main() -> None:
    """Measure, write and draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--checkpoint", action="append", choices=CHECKPOINTS, help="default: both")
    parser.add_argument("--method", action="append", help="as for `sinktrack ask`; default: all")
    parser.add_argument("--questions", type=int, default=1000, help="a task, greedy")
    parser.add_argument("--sampled", type=int, default=300, help="questions a task, sampled")
    parser.add_argument("--batch", type=int, default=400, help="rows at once")
    parser.add_argument("--device", help="default: the best that is there")
    parser.add_argument("--runs", type=Path, default=Path("runs/mitigation"), help="for records")
    parser.add_argument("--measure", type=int, metavar="N", help="time N questions a task alone")
    parser.add_argument("--draw", action="store_true", help="draw the numbers that are there")
    options = parser.parse_args()
    whole = 0.0
    for checkpoint in options.checkpoint or CHECKPOINTS:
        if not options.draw:
            # float32 everywhere, so that another machine gives the same answers
            model, processor = sinktrack.load(
                ASSETS / checkpoint, device=options.device, dtype=torch.float32
            )
            settle_threads(model)
            if options.measure:
                print(checkpoint)
                whole += measure(model, processor, options)
                continue
            report(checkpoint, model, processor, options)
        from mitigation_figure import draw  # matplotlib is needed for nothing else

        numbers = json.loads((RESULTS / f"mitigation-{checkpoint}.json").read_text("utf-8"))
        for decoding in ("greedy", "sampled"):
            draw(numbers, checkpoint, decoding, ASSETS / "figures")
    if options.measure:
        print(f"The whole would take about {whole / 3600:.1f} hours on this machine.")


if __name__ == "__main__":
    main()
