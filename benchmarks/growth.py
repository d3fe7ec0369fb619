r"""How time and memory grow with the context and with the number of methods, with any text model.

    python benchmarks/growth.py --model DIR --tokens 1024 2048 4096 8192 --methods 1 2 4 8 \
        --json growth.json --figure growth.png

Every measurement has a process of its own, whose peak resident size it is. Contexts are measured
with two methods, with and without a trace; numbers of methods at the shortest context. What the
JSON file holds already is kept and not measured again.
"""

import argparse
import json
import statistics
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from figures import RUST, STONE, TEAL, plt
from own_process import in_own_process
from tqdm import tqdm

SENTENCE = "The library of the town has three floors, and the roof of the third one leaks. "
TWO = 2
CONTEXTS = [1024, 2048, 4096, 8192, 16384, 32600]


def measured(
    model_folder: str, tokens: int, methods: int, record: bool, new: int
) -> dict[str, Any]:
    """Return what one run took, without its memory."""
    import sinktrack
    from sinktrack.core.decoding import Decoding
    from sinktrack.core.generate import Generator
    from sinktrack.core.prompt import build_prompt
    from sinktrack.core.text_tokens import tokenizer_of

    model, processor = sinktrack.load(model_folder, device="cpu")
    model.generation_config.eos_token_id = None
    passage = SENTENCE * (tokens // 18 + 1)
    words = tokenizer_of(processor)(passage)["input_ids"][:tokens]
    prompt = build_prompt(
        model, processor, "Describe it.", passage=tokenizer_of(processor).decode(words)
    )
    lanes = {"baseline": None} | {
        f"sinktrack {number}": sinktrack.SinkTrack.for_model(model, strength=1 - number / 10)
        for number in range(methods - 1)
    }
    decoding = Decoding(max_new_tokens=new)
    generator = Generator(
        model, tokenizer_of(processor), [prompt], lanes, decoding=decoding, record=record
    )
    times = [time.perf_counter()]
    for _ in generator.steps():
        times.append(time.perf_counter())
    generator.comparisons()
    prefill, *steps = (after - before for before, after in pairwise(times))
    return {
        "prompt tokens": prompt.inputs["input_ids"].shape[1],
        "methods": methods,
        "trace": record,
        "first token, s": prefill,
        "a later token, ms": 1000 * statistics.median(steps),
        "dtype": str(model.dtype).removeprefix("torch."),
    }


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Draw a later token's time and the peak, by context and by number of methods."""
    figure, panels = plt.subplots(2, 2, figsize=(8.4, 5.6), dpi=150)
    shortest = min(row["prompt tokens"] for row in rows)
    chosen = {
        "prompt tokens": [row for row in rows if row["methods"] == TWO],
        "methods": [row for row in rows if row["prompt tokens"] == shortest],
    }
    for column, across in enumerate(chosen):
        for line, what in enumerate(("a later token, ms", "peak, GB")):
            axes = panels[line, column]
            for record, colour, mark in ((True, TEAL, "o"), (False, RUST, "s")):
                points = [
                    (row[across], row[what]) for row in chosen[across] if row["trace"] == record
                ]
                label = "with a trace" if record else "without"
                axes.plot(*zip(*sorted(points), strict=True), mark + "-", color=colour, label=label)
            axes.set_ylim(0, 1.1 * axes.get_ylim()[1])
            axes.set_xlabel(across, fontsize=8)
            axes.set_ylabel(what, fontsize=8)
            axes.tick_params(labelsize=8)
            axes.grid(color=STONE, alpha=0.25)
    panels[0, 0].set_title("two methods", fontsize=9)
    panels[0, 1].set_title(f"{shortest:,} tokens of prompt", fontsize=9)
    panels[0, 0].legend(fontsize=8, frameon=False)
    figure.tight_layout()
    figure.savefig(path)


def main() -> None:
    """Measure, print a table, and keep the numbers and the figure."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--tokens", nargs="+", type=int, default=CONTEXTS)
    parser.add_argument("--methods", nargs="+", type=int, default=[1, 2, 4, 8])
    parser.add_argument("--new-tokens", type=int, default=16)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--figure", type=Path)
    arguments = parser.parse_args()
    cells = dict.fromkeys(
        [(tokens, TWO) for tokens in arguments.tokens]
        + [(min(arguments.tokens), methods) for methods in arguments.methods]
    )
    kept = arguments.json is not None and arguments.json.exists()
    rows = json.loads(arguments.json.read_text()) if kept else []
    done = {(row["tokens"], row["methods"], row["trace"]) for row in rows}
    for tokens, methods in tqdm(cells):
        for record in (True, False):
            if (tokens, methods, record) in done:
                continue
            found, peak = in_own_process(
                measured, arguments.model, tokens, methods, record, arguments.new_tokens
            )
            rows.append({"tokens": tokens} | found | {"peak, GB": peak / 1e9})
            if arguments.json:
                arguments.json.write_text(json.dumps(rows, indent=1) + "\n")
    print("|", " | ".join(rows[0]), "|\n|" + "---|" * len(rows[0]))
    for row in rows:
        said = (
            f"{value:.2f}" if isinstance(value, float) else str(value) for value in row.values()
        )
        print("|", " | ".join(said), "|")
    if arguments.figure:
        draw(rows, arguments.figure)


if __name__ == "__main__":
    main()
