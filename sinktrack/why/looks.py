"""Where every token of each answer looked, up to the one that is asked about.

That is of one layer and head, or of their mean. Read by columns it tells the other way round:
which later words looked at a place.
"""

from typing import Any

import torch

from sinktrack.core.architecture import decoder_layers, unwrapped
from sinktrack.core.comparison import Comparison
from sinktrack.core.errors import TraceError, shown
from sinktrack.why.again import writing_again


def looks(
    model: Any,
    processor: Any,
    comparison: Comparison,
    at: int,
    *,
    layer: int | None = None,
    head: int | None = None,
) -> dict[str, torch.Tensor]:
    """Return where each token up to `at` looked, of every answer that has one there.

    Args:
        model: That which answered.
        processor: As for `sinktrack.compare`.
        comparison: The answers.
        at: The last token, from 0.
        layer: Of this layer alone; None for the mean over layers.
        head: Of this head alone; None for the mean over heads.

    Returns:
        By method float32 (at + 1, N), a row a token: the tokens of the answer's own prompt, then
        those of the answer before `at`. NaN for what comes later, and for what a window has dropped
        from all that were asked about.

    Raises:
        TraceError: If no answer has so many tokens, or the model has no such layer or head.
        PromptError: As for `explain`.
    """
    model = unwrapped(model)
    _check("layer", layer, len(decoder_layers(model)))
    _check("head", head, model.config.get_text_config().num_attention_heads)
    generator = writing_again(model, processor, comparison, at)
    recorder = generator.recorder
    recorder.keeps_attention = True
    rows: list[list[torch.Tensor]] = [[] for _ in generator.places]
    for _ in generator.steps():
        for own, place in zip(rows, generator.places, strict=True):
            whole = recorder.attention(place)  # (L, H, N of now)
            if layer is not None:
                whole = whole[layer : layer + 1]
            if head is not None:
                whole = whole[:, head : head + 1]
            own.append(whole.nanmean((0, 1)))
    names = [row.name for row in generator.rows[0]]
    return {name: _square(own) for name, own in zip(names, rows, strict=True)}


def _square(rows: list[torch.Tensor]) -> torch.Tensor:
    """Return rows of growing lengths as one array, NaN where they have nothing."""
    longest = max(map(len, rows))
    pad = torch.nn.functional.pad
    return torch.stack([pad(row, (0, longest - len(row)), value=float("nan")) for row in rows])


def _check(name: str, value: int | None, count: int) -> None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if value is not None and not (whole and 0 <= value < count):
        raise TraceError(
            f"{name} is {shown(value)}, but the model has {count}: give one from 0 to {count - 1}, "
            "or None for their mean."
        )
