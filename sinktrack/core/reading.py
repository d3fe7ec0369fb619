"""Lets the plain model read prompts: the inputs of a forward pass, and what its layers make of it.

Knows nothing about methods, rows that share a prompt, or recording.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch

from sinktrack.core.architecture import decoder_layers, input_device
from sinktrack.core.batch import left_pad
from sinktrack.core.lock import model_lock
from sinktrack.core.pieces import in_pieces
from sinktrack.core.products import fast_products
from sinktrack.core.prompt import Prompt


@torch.no_grad()
def last_states(model: Any, prompts: Sequence[Sequence[Prompt]]) -> torch.Tensor:
    """Return what each layer makes of the last token of prompts.

    Args:
        model: Nothing may be attached to it by this thread.
        prompts: P lists of k prompts.

    Returns:
        float (P, k, L, D), the residual stream after each layer, on the CPU.
    """
    inputs, _ = left_pad([each for several in prompts for each in several])
    device = input_device(model)
    states: list[torch.Tensor] = [torch.empty(0)] * len(decoder_layers(model))

    def keep(layer: int, hidden: torch.Tensor) -> None:
        states[layer] = hidden[:, -1].cpu()

    with (
        model_lock(model),
        fresh_positions(model),
        fast_products(model),
        in_pieces(model),
        after_each_layer(model, keep),
    ):
        given = {name: value.to(device) for name, value in inputs.items()}
        model(**with_positions(given), use_cache=False, logits_to_keep=1)
    found = torch.stack(states, dim=1)  # (P k, L, D)
    return found.view(len(prompts), -1, *found.shape[1:])


@contextmanager
def after_each_layer(model: Any, take: Callable[[int, torch.Tensor], None]) -> Iterator[None]:
    """Hand over the number of each decoder layer that runs, and its output (B, T, D)."""

    def hook(layer: int, module: Any, args: Any, output: Any) -> None:
        take(layer, output[0] if isinstance(output, tuple) else output)

    with ExitStack() as undo:
        for index, layer in enumerate(decoder_layers(model)):
            undo.callback(layer.register_forward_hook(partial(hook, index)).remove)
        yield


def with_positions(inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return a model's inputs with positions where its rows are padded, without a needless mask."""
    inputs = dict(inputs)
    mask = inputs.pop("attention_mask")
    if not mask.all():
        inputs["attention_mask"] = mask
        if not any(name.endswith("grid_thw") for name in inputs):
            # With pictures in the prompts a model makes positions of its own.
            inputs["position_ids"] = (mask.long().cumsum(1) - 1).clamp(min=0)
    return inputs


@contextmanager
def fresh_positions(model: Any) -> Iterator[None]:
    """Put aside what the model keeps of the last picture's positions, and put it back.

    Qwen's models keep `rope_deltas` between calls; without it a prompt without a picture would
    begin where the last picture made the text begin.
    """
    keeping = [module for module in model.modules() if hasattr(module, "rope_deltas")]
    before = [module.rope_deltas for module in keeping]
    for module in keeping:
        module.rope_deltas = None
    try:
        yield
    finally:
        for module, kept in zip(keeping, before, strict=True):
            module.rope_deltas = kept
