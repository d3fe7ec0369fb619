"""What a visitor has set on the page, as the browser sent it: nothing in it is checked yet."""

from dataclasses import dataclass
from typing import Any

from app.shared.request import Variant


@dataclass(frozen=True, kw_only=True)
class LaneInputs:
    """How SinkTrack is to be done in one lane.

    Args:
        wanted: Whether the lane is wanted at all.
        context: Whose features it writes; "" for the model's own schedule.
        causal: With which mask.
        every: It injects at every so many layers; 0 or None for the model's own schedule.
    """

    wanted: Any = True
    context: Any = ""
    causal: Any = "corrected"
    every: Any = 0

    def variant(self) -> Variant:
        """Return it as the engine takes it.

        Raises:
            TypeError, ValueError, OverflowError: If the interval is no number.
        """
        return Variant(context=self.context or None, causal=self.causal, every=int(self.every or 0))


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """Everything that a question comes with.

    Args:
        picture: The uploaded file; None if there is none.
        question: The text as typed.
        max_new_tokens: The longest answer.
        do_sample: Whether to sample.
        temperature: Used when sampling.
        seed: Of the sampling noise.
        window: How many of the last tokens stay in view; 0 or None for all.
        first_tokens: How many of the first tokens stay beside them.
        sinktrack: How SinkTrack is done in its own lane.
        more_lanes: How it is done in further lanes, the unwanted ones included.
    """

    picture: str | None = None
    question: str | None = None
    max_new_tokens: Any = 128
    do_sample: Any = False
    temperature: Any = 1.0
    seed: Any = 0
    window: Any = 0
    first_tokens: Any = 1
    sinktrack: LaneInputs = LaneInputs()
    more_lanes: tuple[LaneInputs, ...] = ()

    def variants(self) -> tuple[Variant, ...]:
        """Return the wanted further lanes as the engine takes them.

        Raises:
            TypeError, ValueError, OverflowError: If an interval is no number.
        """
        return tuple(lane.variant() for lane in self.more_lanes if lane.wanted)
