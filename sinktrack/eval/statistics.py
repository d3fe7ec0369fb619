"""How sure a figure is, and whether two lanes differ. Works on numerators and denominators alone.

A measure is a ratio of sums over items. Its interval comes from drawing items again with
repetition (the percentile bootstrap: Efron & Tibshirani 1993, chapter 13). Two lanes answered
the same items, so their difference is tested by exchanging the two answers of an item at random
(Noreen 1989, approximate randomization).
"""

from collections.abc import Sequence

import torch

Pair = tuple[float, float]


def ratio(scores: Sequence[Pair]) -> float | None:
    """Return the sum of numerators over the sum of denominators; None where that is zero."""
    above, below = torch.tensor(scores, dtype=torch.float64).view(-1, 2).sum(0).tolist()
    return float(above / below) if below else None


def interval(scores: Sequence[Pair], draws: int = 2000, seed: int = 0) -> tuple[float, float]:
    """Return the 95 % interval of a ratio.

    Args:
        scores: One numerator and denominator an item, some denominator above 0.
        draws: How often the items are drawn again.
        seed: Of the draws.
    """
    values = torch.tensor(scores, dtype=torch.float64)
    chance = torch.Generator().manual_seed(seed)
    drawn = [
        values[torch.randint(len(values), (len(values),), generator=chance)].sum(0)
        for _ in range(draws)
    ]
    above, below = torch.stack(drawn).unbind(1)
    ratios = (above / below)[below > 0]
    low, high = torch.quantile(ratios, torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
    return low, high


def paired_p(
    first: Sequence[Pair], second: Sequence[Pair], draws: int = 5000, seed: int = 0
) -> float:
    """Return the two-sided p-value of no difference between two lanes' ratios.

    Args:
        first: One lane's scores.
        second: The other lane's, of the same items in the same order.
        draws: How often the lanes are exchanged at random; no p-value is below 1 / (draws + 1).
        seed: Of the draws.
    """
    lanes = torch.tensor([first, second], dtype=torch.float64).view(2, -1, 2)
    differs = (lanes[0] != lanes[1]).any(1)
    fixed, moved = lanes[:, ~differs].sum(1), lanes[:, differs]  # (2, 2), (2, N, 2)
    chance = torch.Generator().manual_seed(seed)
    observed = _difference(fixed + moved.sum(1))
    as_far = 0
    for _ in range(draws):
        swap = torch.rand(moved.shape[1], generator=chance) < 0.5
        mixed = torch.where(swap[None, :, None], moved.flip(0), moved)
        as_far += bool(_difference(fixed + mixed.sum(1)) >= observed - 1e-12)
    return (as_far + 1) / (draws + 1)


def _difference(sums: torch.Tensor) -> float:
    above, below = sums.unbind(1)
    return float((above / below.clamp(min=1e-12)).diff().abs())
