"""Which methods a small model of a family can be asked with, found out by asking."""

from typing import Any

from small_models import small_model
from small_prompts import small_prompt

import sinktrack
from sinktrack.core.comparison import Answer
from sinktrack.core.decoding import Decoding
from sinktrack.core.errors import SinkTrackError
from sinktrack.core.generate import Generator

GIVEN: dict[str, dict[str, Any]] = {
    "cover": {"positions": {3, 4}},
    "position-scale": {"dimension": 3},
    "silence": {"heads": "2.1+5.0"},
    "var": {"dimensions": {3}, "tau": 8.0, "theta": 0.0, "rho": 1.0},
}
"""What random weights have not: dimensions of their own, and heads that look at a picture. Probes
must be told what to take away."""


class Words:
    """A tokenizer for random models: every word is a token."""

    def decode(self, ids, **_):
        return " ".join(map(str, ids))

    def encode(self, text, **_):
        return [7]


def answers_of(family: str) -> dict[str, Answer | str]:
    """Return by kind the answer of each method, or the sentence with which it was refused."""
    model = small_model(family)
    found: dict[str, Answer | str] = {}
    for kind, method in sinktrack.methods.available().items():
        try:
            generator = Generator(
                model,
                Words(),
                [small_prompt(model)],
                {"plain": None, "x": method.for_model(model, **GIVEN.get(kind, {}))},
                decoding=Decoding(max_new_tokens=4),
            )
            generator.run()
            found[kind] = generator.comparisons()[0]["x"]
        except SinkTrackError as error:
            found[kind] = str(error)
    return found


def acted(answer: Answer | str) -> bool:
    """Tell whether a method was applied and moved something."""
    return not isinstance(answer, str) and any(moved > 0 for moved in answer.moved.values())
