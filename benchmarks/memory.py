"""Memory that recording takes, beside transformers' output_attentions=True with eager attention.

256 new tokens over a prompt of 2,048 on a 12-layer model. Each run has a process of its own; what
it took is its peak resident size above that of a plain run:

    python benchmarks/memory.py
"""

from collections.abc import Callable
from typing import Any

import torch
from own_process import in_own_process
from speed import random_model, random_prompt

from sinktrack.core.architecture import set_decoder_attention
from sinktrack.core.attach import attach
from sinktrack.core.trace import AttentionTrace

PROMPT, NEW, LAYERS, HIDDEN, HEADS = 2048, 256, 12, 512, 8


def _generate(model: Any, **options: Any) -> Any:
    model.generation_config.eos_token_id = None
    return model.generate(
        **random_prompt(model.config, PROMPT).inputs,
        max_new_tokens=NEW,
        do_sample=False,
        return_dict_in_generate=True,
        **options,
    )


def plain(model: Any) -> int:
    """Generate and keep nothing."""
    _generate(model)
    return 0


def recorded(model: Any) -> int:
    """Generate with a trace; return the bytes that the trace keeps."""
    with attach(model) as recorder:
        _generate(model)
    trace: AttentionTrace = recorder.trace()
    arrays = [value for value in vars(trace).values() if isinstance(value, torch.Tensor)]
    return sum(array.nbytes for array in [*arrays, *trace.image_maps])


def eager(model: Any) -> int:
    """Generate with all attention weights; return the bytes that they take."""
    set_decoder_attention(model, "eager")
    output = _generate(model, output_attentions=True)
    return sum(layer.nbytes for step in output.attentions for layer in step)


def on_random_weights(run: Callable[[Any], int]) -> int:
    """Return what a run keeps of a model with random weights, in bytes."""
    return run(random_model(LAYERS, HIDDEN, HEADS))


def main() -> None:
    """Print the table."""
    results = {
        run.__name__: in_own_process(on_random_weights, run) for run in (plain, recorded, eager)
    }
    base = results["plain"][1]
    extra = {name: peak - base for name, (_, peak) in results.items()}
    print(f"{PROMPT} prompt tokens, {NEW} new tokens, {LAYERS} layers, {HEADS} heads, float32\n")
    print("| run | arrays kept, MB | peak above a plain run, MB |\n|---|---|---|")
    for name in ("recorded", "eager"):
        print(f"| {name} | {results[name][0] / 1e6:.1f} | {extra[name] / 1e6:.1f} |")
    print(f"\nkept: {results['recorded'][0] / results['eager'][0]:.3%} of eager")
    print(f"peak: {extra['recorded'] / extra['eager']:.3%} of eager")


if __name__ == "__main__":
    main()
