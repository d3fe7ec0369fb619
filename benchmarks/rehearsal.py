"""Qwen2.5-VL in its true shape with random weights, by every way that a visitor takes.

Builds the 3B's or 7B's configuration, writes it as a checkpoint of the hub's layout, and asks about
a photo through the command line and through the page's engine. What it says is nonsense; that it
runs, how long it takes and what it takes in memory is not:

    python benchmarks/rehearsal.py [--size 3b] [--tokenizer DIR] [--photo FILE] [--keep DIR]
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
import transformers
from PIL import Image
from transformers.initialization import no_init_weights

from sinktrack.core.names import BUNDLED

ROOT = Path(__file__).parent.parent
TEXT = {
    "3b": {
        "hidden_size": 2048,
        "intermediate_size": 11_008,
        "num_hidden_layers": 36,
        "num_attention_heads": 16,
        "num_key_value_heads": 2,
        "vocab_size": 151_936,
        "tie_word_embeddings": True,
    },
    "7b": {
        "hidden_size": 3584,
        "intermediate_size": 18_944,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
        "vocab_size": 152_064,
        "tie_word_embeddings": False,
    },
}
"""The numbers of the published config.json of each size."""

QUESTION = "What is in the picture?"
NEW = 16


def build(size: str, tokenizer: Path | None, folder: Path) -> int:
    """Write a checkpoint with random weights; return how many there are.

    Args:
        size: "3b" or "7b".
        tokenizer: A checkpoint of Qwen with its tokenizer and chat template; None for the one that
            comes along, of which the model then reads the first ids alone.
        folder: Where to.
    """
    processor = transformers.AutoProcessor.from_pretrained(BUNDLED)
    if tokenizer is not None:
        processor.tokenizer = transformers.AutoTokenizer.from_pretrained(tokenizer)
    # The photo is read as the published checkpoints read it.
    processor.image_processor.size = {"shortest_edge": 3136, "longest_edge": 12_845_056}
    ids = {
        f"{name}_id": processor.tokenizer.convert_tokens_to_ids(f"<|{text}|>")
        for name, text in {
            "image_token": "image_pad",
            "video_token": "video_pad",
            "vision_start_token": "vision_start",
            "vision_end_token": "vision_end",
        }.items()
    }
    config = transformers.Qwen2_5_VLConfig(
        text_config={
            "max_position_embeddings": 128_000,
            "rms_norm_eps": 1e-6,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 1e6,
                "mrope_section": [16, 24, 24],
            },
            **TEXT[size],
        },
        vision_config={
            "depth": 32,
            "hidden_size": 1280,
            "intermediate_size": 3420,
            "num_heads": 16,
            "out_hidden_size": TEXT[size]["hidden_size"],
            "fullatt_block_indexes": [7, 15, 23, 31],
            "window_size": 112,
        },
        tie_word_embeddings=bool(TEXT[size]["tie_word_embeddings"]),
        **ids,
    )
    torch.manual_seed(0)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    with no_init_weights():
        model = transformers.Qwen2_5_VLForConditionalGeneration(config)
    torch.set_default_dtype(before)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:
                weight.normal_(std=0.02)
            else:
                weight.fill_(1.0)
    model.tie_weights()
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return sum(weight.numel() for weight in model.parameters())


def run(*words: str) -> tuple[str, float, float]:
    """Run a command; return what it wrote, its seconds and its peak memory in GB."""
    began = time.perf_counter()
    done = subprocess.run(words, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    took = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    return done.stdout, took, peak


def engine(folder: str, photo: str) -> None:
    """Answer as the page does, and print what it gets."""
    import sinktrack
    from app.shared.engine import Engine
    from app.shared.events import Answered, Failed, FilesReady, Refused, Writing
    from app.shared.stop_flag import StopFlag

    began = time.perf_counter()
    served = Engine(*sinktrack.load(folder, dtype=torch.bfloat16), name="rehearsal")
    loaded = time.perf_counter() - began
    began, first, found = time.perf_counter(), 0.0, {}
    request = served.request(QUESTION, pictures=[photo], max_new_tokens=NEW)
    for event in served.answer(request, StopFlag()):
        if isinstance(event, Writing) and not first:
            first = time.perf_counter() - began
        if isinstance(event, Answered):
            found["answered"] = time.perf_counter() - began
            found["payload_mb"] = len(event.payload) / 2**20
        if isinstance(event, FilesReady):
            found["traces_mb"] = len(event.traces or b"") / 2**20
            found["replay_mb"] = len(event.replay or b"") / 2**20
        if isinstance(event, Refused | Failed):
            sys.exit(event.sentence)
    print(json.dumps({"loaded": loaded, "first_word": first, **found}))


def main() -> None:
    """Build, ask, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", choices=TEXT, default="3b")
    parser.add_argument("--tokenizer", type=Path, help="a Qwen checkpoint's folder")
    parser.add_argument("--photo", type=Path, help="by default a made one of 1,024 x 768")
    parser.add_argument("--keep", type=Path, help="build here, and leave it")
    parser.add_argument("--as-page", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.as_page:
        return engine(*options.as_page)
    folder = options.keep or Path(tempfile.mkdtemp(prefix="rehearsal-", dir="/var/tmp"))
    photo = options.photo or folder / "photo.png"
    try:
        began = time.perf_counter()
        # A process of its own, so that building takes no memory from what is measured.
        if not (folder / "config.json").exists():
            child = os.fork()
            if child == 0:
                print(f"{build(options.size, options.tokenizer, folder) / 1e9:.2f} billion weights")
                sys.stdout.flush()
                os._exit(0)
            if os.waitpid(child, 0)[1]:
                sys.exit("The checkpoint could not be built.")
        print(f"built and written in {time.perf_counter() - began:.0f} s")
        if options.photo is None:
            Image.effect_mandelbrot((1024, 768), (-2.2, -1.2, 1.0, 1.2), 60).save(photo)
        sinktrack = str(Path(sys.executable).with_name("sinktrack"))
        asked = [sinktrack, "ask", "--model", str(folder), "--dtype", "bfloat16", "--json"]
        report = folder / "report.html"
        asked += ["--max-new-tokens", str(NEW), "--report", str(report), str(photo), QUESTION]
        said, took, peak = run(*asked)
        size = report.stat().st_size / 2**20
        print(f"command line: {took:.0f} s with loading, {peak:.1f} GB at the peak")
        print(
            f"report: {size:.1f} MB; answers:\n{json.dumps(shape_of(json.loads(said)), indent=2)}"
        )
        said, took, peak = run(sys.executable, __file__, "--as-page", str(folder), str(photo))
        print(f"page: {took:.0f} s, {peak:.1f} GB at the peak of both: {said.strip()}")
    finally:
        if options.keep is None:
            shutil.rmtree(folder, ignore_errors=True)


def shape_of(answers: Any) -> Any:
    """Return an answer's numbers without its words."""
    if isinstance(answers, dict):
        return {name: shape_of(each) for name, each in answers.items() if name != "text"}
    return f"{len(answers)} of them" if isinstance(answers, list) and len(answers) > 8 else answers


if __name__ == "__main__":
    main()
