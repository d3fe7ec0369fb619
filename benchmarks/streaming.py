"""Perplexity and memory over a conversation without end: `python streaming.py`.

Reads rounds of passages, questions and answers a token at a time, as a stream, with the full
cache, with a window and no sinks, and with sinks and a window: StreamingLLM's own comparison
(Xiao et al. 2023, https://arxiv.org/abs/2309.17453, figure 3), on a model that was trained on
single rounds. Perplexity is over the answers' tokens.
"""

import argparse
import json
import math
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm
from transformers import DynamicCache

import sinktrack
from sinktrack.core.cache import Cache
from sinktrack.core.upstream import cache_argument
from sinktrack.shapes.passages import passage
from training.checkpoint import prompt

Stream = list[tuple[int, bool]]
"""Token ids, and whether each belongs to an answer."""


def conversation(processor: Any, tokens: int) -> Stream:
    """Return held-out rounds one after the other, at least that many tokens."""
    rng = random.Random("streaming")
    encode = processor.tokenizer
    stream: Stream = []
    while len(stream) < tokens:
        question = passage(rng, "test", prior=0.0)
        asked = prompt(processor, question.text, 0)
        for text, answer in ((asked, False), (f"{question.answer}<|im_end|>", True), ("\n", False)):
            stream += [
                (token, answer) for token in encode(text, add_special_tokens=False).input_ids
            ]
    return stream[:tokens]


@torch.inference_mode()
def losses(model: Any, stream: Stream, cache: Cache) -> Iterator[tuple[float, int]]:
    """Read a stream token by token.

    Yields:
        The negative log-likelihood of each token of an answer, in nats, and the bytes of the
        model's cache then.
    """
    kept = DynamicCache(config=model.config.get_text_config())
    cached = {cache_argument(model): kept, "use_cache": True}
    with sinktrack.attach(model, cache=cache, record=False):
        for (token, _), (following, answer) in zip(stream, stream[1:], strict=False):
            ids = torch.tensor([[token]], device=model.device)
            logits = model(input_ids=ids, **cached).logits[0, -1]
            if answer:
                held = sum(
                    states.nbytes for layer in kept.layers for states in (layer.keys, layer.values)
                )
                yield -float(logits.log_softmax(-1)[following]), held


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--model", default="../assets/shapes-vl")
    parser.add_argument("--tokens", type=int, default=20_000)
    parser.add_argument("--window", type=int, default=128)
    parser.add_argument("--json", type=Path, help="a file for the figures")
    options = parser.parse_args()
    torch.set_num_threads(1)
    model, processor = sinktrack.load(options.model, device="cpu")
    stream = conversation(processor, options.tokens)
    caches: dict[str, Cache] = {
        "full cache": "full",
        "window, no sinks": sinktrack.SinkWindow(sinks=0, window=options.window),
        "1 sink and window": sinktrack.SinkWindow(sinks=1, window=options.window),
    }
    figures = []
    for name, cache in caches.items():
        measured = list(
            tqdm(
                losses(model, stream, cache),
                desc=name,
                unit="token",
                total=sum(answer for _, answer in stream[1:]),
            )
        )
        fifth = max(1, len(measured) // 5)
        first, last = measured[:fifth], measured[-fifth:]
        figures.append(
            {
                "cache": name,
                "perplexity of the first fifth": _perplexity(first),
                "perplexity of the last fifth": _perplexity(last),
                "cache in kB": measured[-1][1] / 1000,
            }
        )
    print(f"{options.tokens} tokens, window {options.window}, {model.name_or_path}, ", end="")
    print(f"torch {torch.__version__}, Python {sys.version.split()[0]}\n")
    print("| " + " | ".join(figures[0]) + " |\n" + "|---" * len(figures[0]) + "|")
    for row in figures:
        shown = (each if isinstance(each, str) else f"{each:.3g}" for each in row.values())
        print("| " + " | ".join(shown) + " |")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")


def _perplexity(measured: list[tuple[float, int]]) -> float:
    return math.exp(sum(loss for loss, _ in measured) / len(measured))


if __name__ == "__main__":
    main()
