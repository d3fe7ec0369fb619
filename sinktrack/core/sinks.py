"""Finds the attention sinks of a prompt: the tokens whose residual carries a massive activation.

Sources: Sun et al. 2024, "Massive Activations in Large Language Models",
https://arxiv.org/abs/2402.17762; Kang et al. 2025, https://arxiv.org/abs/2503.03321, section 3,
whose threshold of 20 at a width of 4,096 is scaled with the width, because no value can exceed the
square root of the width.
"""

import math

import torch

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
        normed = states.float().abs()
        normed = normed / normed.square().mean(-1, keepdim=True).add(1e-6).sqrt()
        usual = normed[attended[row]].median(0).values
        counts = (normed[first[row]] > threshold) & (usual < threshold)
        found[row] = (normed[:, counts] > threshold).any(-1)
    found &= attended
    found[torch.arange(len(found), device=found.device), first] = True
    return found
