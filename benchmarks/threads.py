"""How fast the bundled model writes with one thread and with two, on a quiet and on a busy machine.

    .venv/bin/python benchmarks/threads.py

Other processes that multiply matrices keep the cores busy. Prints one table, in tokens a second of
each of two lanes with their trace.
"""

import subprocess
import sys
import time
from pathlib import Path

import torch
from tqdm import tqdm

import sinktrack

ASSETS = Path(__file__).parent.parent / "assets"
BUSY = "import torch\ntorch.set_num_threads(1)\nx = torch.randn(400, 400)\nwhile True: x @ x"
ROUNDS = 3


def main() -> None:
    """Print the table."""
    model, processor = sinktrack.load(ASSETS / "shapes-vl-anchored", device="cpu")

    def rate(threads: int) -> float:
        torch.set_num_threads(threads)
        started = time.perf_counter()
        both = sinktrack.compare(
            model,
            processor,
            image=ASSETS / "examples" / "describe-1.png",
            question="Describe the picture in detail.",
            max_new_tokens=40,
        )
        return len(both["baseline"].token_ids) / (time.perf_counter() - started)

    rate(1)
    print("| other busy processes | one thread | two threads |\n|---|---|---|")
    for busy in tqdm((0, 2, 4), leave=False):
        others = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(busy)]
        try:
            time.sleep(5 if busy else 0)
            rounds = [(rate(1), rate(2)) for _ in range(ROUNDS)]
        finally:
            for other in others:
                other.kill()
        one, two = (sorted(column)[ROUNDS // 2] for column in zip(*rounds, strict=True))
        print(f"| {busy} | {one:.1f} | {two:.1f} |", flush=True)


if __name__ == "__main__":
    main()
