"""Finds the attention sinks of a prompt: the tokens whose residual carries a massive activation.

Sources: Sun et al. 2024, "Massive Activations in Large Language Models",
https://arxiv.org/abs/2402.17762; Kang et al. 2025, https://arxiv.org/abs/2503.03321, section 3,
whose threshold of 20 at a width of 4,096 is scaled with the width, because no value can exceed the
square root of the width.
"""

import math
import weakref
from typing import Any

import torch

from sinktrack.core.prompt import Prompt
from sinktrack.core.reading import last_states

_THRESHOLD = 20 / math.sqrt(4096)  # of the largest value that the width allows


def massive(hidden: torch.Tensor, attended: torch.Tensor) -> torch.Tensor:
    """Tell which positions carry a massive activation.

    The first token says which dimensions count: those where it exceeds the threshold and most
    other tokens do not.

    Args:
        hidden: float (B, T, D), the residual stream between two layers.
        attended: bool (B, T), False where there is padding.

    Returns:
        bool (B, T); the first attended token is always among them.
    """
    hidden, attended = hidden.detach(), attended.to(hidden.device)
    threshold = _THRESHOLD * math.sqrt(hidden.shape[-1])
    first = attended.int().argmax(1)
    found = torch.zeros_like(attended)
    for row, states in enumerate(hidden):  # one after the other, as prompts may be long
        sizes = normed(states)
        usual = sizes[attended[row]].median(0).values
        counts = (sizes[first[row]] > threshold) & (usual < threshold)
        found[row] = (sizes[:, counts] > threshold).any(-1)
    found &= attended
    found[torch.arange(len(found), device=found.device), first] = True
    return found


def normed(hidden: torch.Tensor) -> torch.Tensor:
    """Return the sizes of a residual stream (..., D) after RMS normalisation, float32."""
    sizes = hidden.float().abs()
    return sizes / sizes.square().mean(-1, keepdim=True).add(1e-6).sqrt()


_DIMENSIONS: "weakref.WeakKeyDictionary[Any, torch.Tensor]" = weakref.WeakKeyDictionary()


def massive_dimensions(model: Any, tau: float) -> frozenset[int]:
    """Return in which dimensions a first token is massive, over the middle of a model's layers.

    The first token sees nothing but itself, so this is the model's own and depends on no prompt. It
    is worked out once a model, by reading prompts of one token each, and is the median of them:
    some models' BOS, which their chats do not begin with, is massive elsewhere.

    Args:
        model: The model.
        tau: The least mean size after RMS normalisation in a model that is 4,096 wide.

    Returns:
        Those that exceed it; none in a model without massive activations.
    """
    if model not in _DIMENSIONS:
        words = model.config.get_text_config().vocab_size
        ids = (torch.tensor([[words * part // 16]]) for part in range(1, 8))
        prompts = [[Prompt.of_inputs(model.config, {"input_ids": each})] for each in ids]
        states = last_states(model, prompts)[:, 0]  # (7, L, D)
        count = states.shape[1]
        middle = states[:, count // 3 : max(count * 2 // 3, count // 3 + 1)]
        _DIMENSIONS[model] = normed(middle).mean(1).median(0).values
    sizes = _DIMENSIONS[model]
    found = (sizes > tau * math.sqrt(len(sizes) / 4096)).nonzero()[:, 0].tolist()
    return frozenset(found)
