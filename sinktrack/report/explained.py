"""What stood behind one token as plain data of a bounded size, for the viewer.

Knows nothing about models and nothing about pages.
"""

import base64
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch

from sinktrack.core.comparison import Comparison
from sinktrack.core.parts import is_of
from sinktrack.report.payload import packed as one_byte
from sinktrack.report.payload import rounded
from sinktrack.report.words import part_title

if TYPE_CHECKING:  # the page is served before what explains is imported, which takes seconds
    from sinktrack.why.explain import Explanation
    from sinktrack.why.reliance import Reliance
    from sinktrack.why.without import Without

MOST_BYTES = 4_000_000
"""What the attention of all lanes may weigh in one answer of the server, before base 64. Above it
an explanation goes without its heads, which are asked for one by one, and of `looks` the last rows
alone are told."""

_STEPS = 65_534  # 0..65534 are probabilities
_HIDDEN = 65_535  # stands for NaN


def explained(
    comparison: Comparison, at: int, explanations: "Mapping[str, Explanation]"
) -> dict[str, Any]:
    """Return what stood behind token `at` of every answer, as JSON values.

    Args:
        comparison: The answers.
        at: Which token, from 0.
        explanations: By method, as `sinktrack.explain` gives them.

    Returns:
        "at" and "lanes", by method; a lane's "attention" is None where that of all lanes would
        weigh more than `MOST_BYTES`.
    """
    weight = sum(2 * each.attention.numel() for each in explanations.values())
    return {
        "at": at,
        "lanes": {
            name: {
                "prompt": _prompt(comparison, name, each),
                "lens": {
                    "texts": [[token.text for token in layer] for layer in each.lens],
                    "probabilities": rounded(each.lens_probabilities),
                    "ranks": each.ranks.tolist(),
                },
                "others": {
                    other: float(f"{probability:.4g}") for other, probability in each.others.items()
                },
                "attention": None
                if weight > MOST_BYTES
                else {"bytes": packed(each.attention), "shape": list(each.attention.shape)},
            }
            for name, each in explanations.items()
        },
    }


def looks_as_json(at: int, looked: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    """Return where every token up to `at` looked, as JSON values.

    Args:
        at: The last token.
        looked: By method float32 (at + 1, N), as `sinktrack.why.looks.looks` gives it.

    Returns:
        "at" and "lanes": of each "bytes" as `packed` gives them, "shape", and "from", the first
        token that is told: all are, unless that would weigh more than `MOST_BYTES`.
    """
    width = sum(2 * each.shape[1] for each in looked.values())
    first = max(0, at + 1 - max(1, MOST_BYTES // width))
    return {
        "at": at,
        "lanes": {
            name: {
                "from": first,
                "shape": list(each[first:].shape),
                "bytes": packed(each[first:]),
            }
            for name, each in looked.items()
        },
    }


def maps_as_json(at: int, maps: Mapping[str, Sequence[torch.Tensor]]) -> dict[str, Any]:
    """Return token activation maps as JSON values.

    Args:
        at: Which token.
        maps: By method, for each picture or video, as `sinktrack.activation_maps` gives them.

    Returns:
        "at" and "lanes": of each a list of what `sinktrack.report.payload.packed` gives.
    """
    lanes = {name: [one_byte(each) for each in own] for name, own in maps.items()}
    return {"at": at, "lanes": lanes}


def without_as_json(at: int, found: "Without") -> dict[str, Any]:
    """Return what became of a token as JSON values."""
    return {
        "at": at,
        "plain": found.plain,
        "without": found.without,
        "instead": [{"text": token.text, "probability": share} for token, share in found.instead],
    }


def reliance_as_json(found: Mapping[str, "Reliance"]) -> dict[str, Any]:
    """Return how much words rely on what was asked about, as JSON values by method."""
    lanes = {
        name: {"plain": own.plain.tolist(), "covered": own.covered.tolist()}
        for name, own in found.items()
    }
    return {"lanes": lanes}


def packed(attention: torch.Tensor) -> str:
    """Return probabilities as base 64 of two bytes each, little-endian: 65534 is 1, 65535 is NaN.

    One byte would not do: a sink takes nearly all of what many heads give, and what is left for a
    word of a long prompt is less than a step.
    """
    steps = (attention.nan_to_num(0.0).clamp(0, 1) * _STEPS).round()
    steps = steps.masked_fill(attention.isnan(), _HIDDEN)
    return base64.b64encode(steps.numpy().astype("<u2").tobytes()).decode("ascii")


def _prompt(comparison: Comparison, name: str, explanation: "Explanation") -> dict[str, Any]:
    """Return the words that a row read and the parts they are of; picture tokens have no words."""
    trace = comparison[name].trace
    parts = explanation.parts
    return {
        "texts": [
            None if is_of(part, "image") else token.text
            for part, token in zip(parts, explanation.prompt, strict=True)
        ],
        "parts": list(parts),
        "titles": {part: part_title(part) for part in dict.fromkeys(parts)},
        "sinks": [] if trace is None else trace.sinks.tolist(),
    }
