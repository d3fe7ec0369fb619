"""What each method costs beside the plain model, on random weights in the shape of Qwen2.5-0.5B.

24 layers of 896, a vocabulary of 151,936, a prompt of 512 tokens of which 256 are a picture, 32 new
tokens, nothing recorded. Each run stands beside one of the plain model right before it, and the
table has the medians of the ratios:

    python benchmarks/methods.py [--rounds 3] [--dtype bfloat16] [--device cpu] [--method vcd]
"""

import argparse
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from speed import IMAGE_TOKEN, SIDE, Wordless, random_model

import sinktrack
from sinktrack.core.decoding import Decoding
from sinktrack.core.errors import MethodError
from sinktrack.core.generate import Generator
from sinktrack.core.parts import GENERATED, SINK, Grid
from sinktrack.core.prompt import Prompt

VOCABULARY, NEW = 151_936, 32
GIVEN: dict[str, dict[str, Any]] = {
    "cover": {"positions": [3, 4]},
    "position-scale": {"dimension": 0},
    "silence": {"heads": "2.1+5.0"},
    "var": {"dimensions": [0], "tau": 0.0},
}
"""What random weights have not: dimensions of their own; and what probes take away."""
SIZES = {"passage": 200, "image": SIDE**2 + 2, "instruction": 32, "rest": 21}


@dataclass(frozen=True, kw_only=True)
class RandomPrompt(Prompt):
    """A prompt of random ids, whose parts can be left out and said again."""

    @classmethod
    def of(cls, sizes: dict[str, int]) -> "RandomPrompt":
        """Return a prompt whose parts have these sizes."""
        rng = torch.Generator().manual_seed(0)
        names = (SINK, *sizes, GENERATED)
        parts = [torch.full((size,), names.index(name)) for name, size in sizes.items()]
        ids = {name: torch.randint(10, 900, (size,), generator=rng) for name, size in sizes.items()}
        inputs: dict[str, torch.Tensor] = {}
        if "image" in sizes:
            ids["image"][:] = IMAGE_TOKEN
            ids["image"][0], ids["image"][-1] = IMAGE_TOKEN + 2, IMAGE_TOKEN + 3
            side = 2 * SIDE
            inputs["image_grid_thw"] = torch.tensor([[1, side, side]])
            inputs["pixel_values"] = torch.randn(side**2, 1176, generator=rng)
        inputs["input_ids"] = torch.cat([torch.ones(1, dtype=torch.long), *ids.values()])[None]
        inputs["mm_token_type_ids"] = (inputs["input_ids"] == IMAGE_TOKEN).int()
        at = torch.cat([torch.full((1,), names.index("rest")), *parts])
        for place in (inputs["input_ids"][0] > IMAGE_TOKEN).nonzero()[:, 0].tolist():
            at[place] = names.index("rest")  # the marks around a picture
        grids = (Grid(1, SIDE, SIDE),) if "image" in sizes else ()
        return cls(inputs=inputs, parts=at, names=names, grids=grids)

    def without(self, kind: str) -> "RandomPrompt":
        """Leave a part out."""
        return self.of({name: size for name, size in SIZES.items() if name != kind})

    def saying(self, *, before: str = "", after: str = "") -> "RandomPrompt":
        """Ask once more, or with a disturbance as long as the question."""
        return self.of(SIZES | {"instruction": 2 * SIZES["instruction"]})


class OneWord(Wordless):
    """A tokenizer in which every word is one token."""

    def encode(self, text: str, **_: Any) -> list[int]:
        """Return its id."""
        return [5]


def measured(model: Any, prompt: Prompt, method: Any) -> dict[str, float]:
    """Return seconds of the prompt, seconds a token, and the memory at its peak in MB."""
    before = _memory("VmRSS", reset=True)
    decoding = Decoding(max_new_tokens=NEW)
    generator = Generator(
        model, OneWord(), [prompt], {"x": method}, decoding=decoding, record=False
    )
    generator.run()
    answer = generator.comparisons()[0]["x"]
    if model.device.type == "cuda":
        memory = torch.cuda.max_memory_allocated() / 2**20
        torch.cuda.reset_peak_memory_stats()
    else:
        memory = _memory("VmHWM") - before
    return {
        "prompt": answer.seconds_to_first_token,
        "token": 1 / answer.tokens_per_second,
        "memory": memory,
    }


def _memory(name: str, *, reset: bool = False) -> float:
    """Return a size of this process in MB, on Linux; `reset` begins a new peak."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    found = Path("/proc/self/status").read_text().partition(f"{name}:")[2]
    return int(found.split()[0]) / 1024


def row(model: Any, prompt: Prompt, kind: str, rounds: int) -> str:
    """Return one line of the table."""
    try:
        method = sinktrack.methods.kind(kind).for_model(model, **GIVEN.get(kind, {}))
    except MethodError as error:
        return f"| {kind} | {error} |"
    runs = [(measured(model, prompt, None), measured(model, prompt, method)) for _ in range(rounds)]

    def middle(name: str) -> float:
        return statistics.median(own[name] / plain[name] for plain, own in runs)

    extra = statistics.median(own["memory"] - plain["memory"] for plain, own in runs)
    before = len(method.readings(prompt))
    rows = f"{method.rows}, and {before} read before" if before else f"{method.rows}"
    return f"| {kind} | {rows} | {middle('token'):.2f} | {middle('prompt'):.2f} | {extra:+.0f} MB |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="bfloat16")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--method", action="append", help="a kind; all by default")
    options = parser.parse_args()
    model = random_model(24, vocabulary=VOCABULARY).to(
        options.device, getattr(torch, options.dtype)
    )
    prompt = RandomPrompt.of(SIZES)
    measured(model, prompt, None)  # the first one is slower
    print("| method | rows | a token | the prompt | memory |\n|---|---|---|---|---|")
    for kind in options.method or sinktrack.methods.available():
        print(row(model, prompt, kind, options.rounds), flush=True)


if __name__ == "__main__":
    main()
