"""Explanations of one token as plain data, for the viewer.

Knows nothing about models and nothing about pages.
"""

from collections.abc import Mapping
from typing import Any

from sinktrack.core.comparison import Comparison
from sinktrack.core.parts import is_of
from sinktrack.report.payload import packed, rounded
from sinktrack.report.words import part_title
from sinktrack.why.explain import Explanation


def explained(
    comparison: Comparison, at: int, explanations: Mapping[str, Explanation]
) -> dict[str, Any]:
    """Return what stood behind token `at` of every answer, as JSON values.

    Args:
        comparison: The answers.
        at: Which token, from 0.
        explanations: By method, as `sinktrack.explain` gives them.
    """
    return {
        "at": at,
        "prompt": _prompt(comparison),
        "lanes": {
            name: {
                "others": {other: float(f"{p:.4g}") for other, p in each.others.items()},
                "lens": {
                    "texts": [[token.text for token in layer] for layer in each.lens],
                    "probabilities": rounded(each.lens_probabilities),
                    "ranks": each.ranks.tolist(),
                },
                "attention": packed(each.attention) | {"shape": list(each.attention.shape)},
            }
            for name, each in explanations.items()
        },
    }


def _prompt(comparison: Comparison) -> dict[str, Any]:
    """Return the prompt's words and the parts that they are of; picture tokens have no words."""
    trace = next(each.trace for each in comparison.values() if each.trace is not None)
    names = [trace.segments[part] for part in trace.prompt_segments.tolist()]
    texts = [token.text for token in comparison.prompt] or [""] * len(names)
    return {
        "texts": [
            None if is_of(name, "image") else text for name, text in zip(names, texts, strict=True)
        ],
        "parts": names,
        "titles": {name: part_title(name) for name in trace.segments},
        "sinks": trace.sinks.tolist(),
    }
