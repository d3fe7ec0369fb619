"""Explanations of one token as plain data, for the viewer.

Knows nothing about models and nothing about pages.
"""

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch

from sinktrack.core.comparison import Comparison
from sinktrack.core.parts import is_of
from sinktrack.report.payload import rounded
from sinktrack.report.words import part_title

if TYPE_CHECKING:  # the page is served before what explains is imported, which takes seconds
    from sinktrack.why.explain import Explanation

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
    """
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
                "attention": {"bytes": packed(each.attention), "shape": list(each.attention.shape)},
            }
            for name, each in explanations.items()
        },
    }


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
