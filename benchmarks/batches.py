"""How many questions a second `sinktrack eval` answers in batches, on the bundled checkpoint.

    python benchmarks/batches.py [--questions 64] [--rounds 3]

Batches of 2 rows hold one question for the plain model and SinkTrack; the others 8 and 32 times as
many. Runs take turns.
"""

import argparse
import contextlib
import io
import statistics
import tempfile
import time

import sinktrack
from sinktrack.core.names import BUNDLED
from sinktrack.eval import tasks
from sinktrack.eval.runner import Run, evaluate
from sinktrack.machine import settle_threads
from sinktrack.methods.sinktrack import SinkTrack

BATCHES = (1, 8, 32)


def main() -> None:
    """Print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--questions", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tasks", nargs="+", default=["existence, random", "describe"])
    arguments = parser.parse_args()
    model, processor = sinktrack.load(BUNDLED, device="cpu")
    settle_threads(model)
    methods = {"baseline": None, "sinktrack": SinkTrack.for_model(model)}

    known = {task.name: task for task in tasks.find("shapes")}

    def seconds(task: str, batch: int) -> float:
        run = Run(tasks=[known[task]], methods=methods, limit=arguments.questions, batch=2 * batch)
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):
            began = time.perf_counter()
            evaluate(model, processor, run, folder)
            return time.perf_counter() - began

    print("| task |", " | ".join(f"batch {each}" for each in BATCHES), "| batch 32 / batch 1 |")
    print("|---|" + "---|" * (len(BATCHES) + 1))
    for task in arguments.tasks:
        taken: dict[int, list[float]] = {batch: [] for batch in BATCHES}
        for number in range(arguments.rounds + 1):
            for batch in BATCHES:
                own = seconds(task, batch)
                if number:
                    taken[batch].append(own)
        rates = [arguments.questions / statistics.median(taken[batch]) for batch in BATCHES]
        pairs = zip(taken[1], taken[32], strict=True)
        gain = statistics.median(alone / together for alone, together in pairs)
        print(f"| {task} |", " | ".join(f"{rate:.1f}" for rate in rates), f"| {gain:.1f} |")


if __name__ == "__main__":
    main()
