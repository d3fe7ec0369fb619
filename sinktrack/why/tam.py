"""Token activation maps: where in the pictures a word's own logit is high, beside attention.

The output embedding reads every picture token as if it were the last one. What earlier words
explain is taken away, because their maps lie in it as well, and a filter takes single tokens out.

Source: Li et al. 2025, "Token Activation Map to Visually Explain Multimodal LLMs",
https://arxiv.org/abs/2506.23270, and xmed-lab/TAM, whose code says what the paper leaves open: maps
are cut below zero, a word's own repetitions are not taken away, and picture and text are brought to
0 and 1 together.
"""

from collections.abc import Sequence
from typing import Any

import torch

from sinktrack.core.architecture import as_said, decoder_layers, unwrapped
from sinktrack.core.comparison import Comparison
from sinktrack.core.errors import PromptError
from sinktrack.core.parts import Grid, is_of
from sinktrack.core.prompt import Prompt
from sinktrack.why.again import writing_again

_TEXTS = ("instruction", "passage", "system")
_WINDOW = 3


@torch.no_grad()
def activation_maps(
    model: Any, processor: Any, comparison: Comparison, at: int
) -> dict[str, tuple[torch.Tensor, ...]]:
    """Return the token activation maps of a word of every answer that has one there.

    Args:
        model: That which answered.
        processor: As for `sinktrack.compare`.
        comparison: The answers.
        at: Which token, from 0.

    Returns:
        By method, for each picture or video float32 (frames * rows, columns), from 0 to 1.

    Raises:
        PromptError: If there is no picture, or as for `explain`.
        TraceError: As for `explain`.
    """
    model = unwrapped(model)
    generator = writing_again(model, processor, comparison, at)
    if not generator.asked[0].image_tokens:
        raise PromptError("There is no picture on which a word could be shown: ask with one.")
    last, states = len(decoder_layers(model)) - 1, []

    def keep(layer: int, hidden: torch.Tensor) -> None:
        if layer == last:
            states.append(hidden.detach())

    generator.after_layer = keep
    generator.run()
    all_rows = generator.recorder.of_all_rows
    found = {}
    for row, place, prompt in zip(
        generator.rows[0], generator.places, generator.asked, strict=True
    ):
        hidden = torch.cat([all_rows(each)[place] for each in states])
        hidden = hidden[-(len(prompt.parts) + at) :]  # without padding, (T + at, D)
        own = _maps(model, prompt, model.get_decoder().norm(hidden), row.ids[: at + 1])
        found[row.name] = own
    return found


def _maps(
    model: Any, prompt: Prompt, normed: torch.Tensor, ids: Sequence[int]
) -> tuple[torch.Tensor, ...]:
    """Return the maps of the last of an answer's ids, of normed states (T + at, D)."""
    *earlier, word = ids
    of_part = [prompt.names[part] for part in prompt.parts.tolist()]
    seen = torch.tensor([at for at, name in enumerate(of_part) if is_of(name, "image")])
    texts = [at for at, name in enumerate(of_part) if any(is_of(name, kind) for kind in _TEXTS)]
    length = len(of_part)
    # A word's class, and where the query stands whose logit says how much it has to do with it.
    classes = [*prompt.inputs["input_ids"][0, texts].tolist(), *earlier]
    places = [*texts, *range(length - 1, length - 1 + len(earlier))]
    own = _activation(model, normed, [word])[:, 0]  # (T + at,)
    activation = own[seen]
    others = [at for at, each in enumerate(classes) if each != word]
    if others:
        maps = _activation(model, normed[seen], [classes[at] for at in others])  # (N, M)
        weights = own[[places[at] for at in others]]
        explained = maps @ (weights / (weights.sum() + 1e-8))
        scale = (activation @ explained) / (explained @ explained).clamp(min=1e-12)
        activation = (activation - scale * explained).clamp(min=0)
    together = torch.cat([activation, own[places]])
    low, high = together.min(), together.max()
    activation = (activation - low) / (high - low).clamp(min=1e-12)
    return tuple(_of_pictures(activation, prompt.grids))


def _activation(model: Any, normed: torch.Tensor, ids: Sequence[int]) -> torch.Tensor:
    """Return the logits of some words at states (N, D), (N, n), cut below zero."""
    head = model.get_output_embeddings()
    at = torch.tensor(ids, device=head.weight.device)
    bias = None if getattr(head, "bias", None) is None else head.bias[at]
    normed = normed.to(head.weight.device)
    logits = torch.nn.functional.linear(normed, head.weight[at], bias)
    return as_said(model, logits).float().clamp(min=0).cpu()


def _of_pictures(activation: torch.Tensor, grids: Sequence[Grid]) -> list[torch.Tensor]:
    """Lay the activation (N,) of all picture tokens out, frame below frame, and filter it."""
    maps, start = [], 0
    for grid in grids:
        frames = activation[start : start + grid.cells].view(grid.frames, grid.rows, grid.columns)
        maps.append(torch.cat([rank_gaussian(frame) for frame in frames]))
        start += grid.tokens
    return maps


def rank_gaussian(frame: torch.Tensor, window: int = _WINDOW) -> torch.Tensor:
    """Return a map (rows, columns) in which a token alone does not stand out.

    Around each token the values of a window are sorted and weighted by a Gaussian around the median
    one, as wide, in ranks, as their standard deviation over their mean.
    """
    around = window // 2
    rows, columns = frame.shape
    mode = "reflect" if min(rows, columns) > around else "replicate"
    padded = torch.nn.functional.pad(frame[None, None].double(), (around,) * 4, mode=mode)
    windows = torch.nn.functional.unfold(padded, window)[0].T.sort(-1).values  # (rows * columns, k)
    mean = windows.mean(-1, keepdim=True)
    spread = windows.std(-1, correction=0, keepdim=True) / mean.clamp(min=1e-12)
    ranks = torch.arange(window**2) - window**2 // 2
    weights = (-(ranks**2) / (2 * spread.clamp(min=1e-6) ** 2)).exp()
    filtered = (windows * weights).sum(-1) / weights.sum(-1)
    return filtered.where(mean[:, 0] > 0, torch.zeros_like(filtered)).view(rows, columns).float()
