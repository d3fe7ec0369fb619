"""Where sinks come from, in small: `python -m training.sink_ablation`.

Trains four small models on the same questions and watches how much their answers look at the
first token: with plain softmax attention, with a token of its own before the prompt (the
learnable sink of Xiao et al. 2023, section 3.3), with sigmoid attention, whose weights need not
sum to one (Ramapuram et al. 2024, https://arxiv.org/abs/2409.04431), and with the term of the
loss that the bundled checkpoint has (see sink_loss).
"""

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm
from transformers import AttentionInterface
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

from sinktrack.core.architecture import set_decoder_attention
from training.batches import Packer, training_batch
from training.checkpoint import Size
from training.sink_loss import Normalize, sink_measures, softmax
from training.train import Settings, Training, answer_loss

SETTINGS = Settings(
    size=Size(layers=6),
    see_steps=100,
    place_steps=100,
    steps=600,
    scenes=6,
    sink_from=1.0,
)
MEASURE_EVERY = 50
"""Steps of answering between two measurements."""

SIGMOID = "shapes_sigmoid"


@dataclass(frozen=True)
class Variant:
    """One of the four models, and how it differs."""

    name: str
    settings: Settings = SETTINGS
    sink_token: bool = False
    sigmoid: bool = False


VARIANTS = (
    Variant("softmax"),
    Variant("softmax, sink token", sink_token=True),
    Variant("sigmoid", sigmoid=True),
    Variant("softmax, sink term", settings=replace(SETTINGS, sink_from=0.5)),
)


def sigmoid_weights(scores: torch.Tensor) -> torch.Tensor:
    """Return sigmoid attention divided by its sum, to compare it with softmax attention."""
    weights = _sigmoid(scores)
    return weights / weights.sum(-1, keepdim=True).clamp(min=1e-12)


def _sigmoid(scores: torch.Tensor) -> torch.Tensor:
    # the bias keeps the sum near one at the start, whatever the length
    return (scores - math.log(scores.shape[-1])).sigmoid()


def sigmoid_attention(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Attend with a sigmoid for each key, as transformers' AttentionInterface calls it."""
    groups = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(groups, dim=1), value.repeat_interleave(groups, dim=1)
    scores = query @ key.transpose(-1, -2) * scaling
    if attention_mask is None:
        shape = scores.shape[-2:]
        attention_mask = torch.ones(shape, dtype=torch.bool, device=scores.device).tril(
            shape[1] - shape[0]
        )
    weights = _sigmoid(scores.masked_fill(~attention_mask, float("-inf")))
    return (weights @ value).transpose(1, 2), None


AttentionInterface.register(SIGMOID, sigmoid_attention)
AttentionMaskInterface.register(SIGMOID, sdpa_mask)


def train_and_measure(variant: Variant, device: str = "cpu") -> list[dict[str, Any]]:
    """Train a variant and measure its sink on the way.

    Returns:
        For every measurement: the step, the mean attention on the first token in every layer, the
        loss, and the share of right answers.
    """
    training = Training(variant.settings, device)
    normalize: Normalize = softmax
    if variant.sink_token:
        training.packer = Packer(training.model, training.processor, "<|object_ref_start|>")
    if variant.sigmoid:
        set_decoder_attention(training.model, SIGMOID)
        normalize = sigmoid_weights
    batch = training_batch(training.packer, -1, 0, 8, 1).to(device)
    measurements = []
    lessons = variant.settings.see_steps + variant.settings.place_steps
    for _ in tqdm(range(training.total), desc=variant.name, unit="step"):
        training.train_step()
        step = training.step - lessons
        if step >= 0 and step % MEASURE_EVERY == 0:
            with torch.no_grad():
                loss, exact, states = answer_loss(training.model, batch)
                found = sink_measures(
                    training.model, states, batch, queries=64, normalize=normalize
                )
            measurements.append(
                {
                    "step": step,
                    "shares": found.share[:, 0].tolist(),
                    "loss": loss.item(),
                    "exact": exact.item(),
                }
            )
    return measurements


def main(arguments: Sequence[str] | None = None) -> None:
    """Train the variants and write their measurements."""
    parser = argparse.ArgumentParser(
        prog="python -m training.sink_ablation", description=main.__doc__
    )
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/sinks.json"))
    parser.add_argument("--steps", type=int, default=SETTINGS.steps, help="steps of answering")
    parser.add_argument("--threads", type=int, default=None, help="CPU threads (torch's choice)")
    options = parser.parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    seen = {
        variant.name: train_and_measure(
            replace(variant, settings=replace(variant.settings, steps=options.steps)), device
        )
        for variant in VARIANTS
    }
    options.out.write_text(json.dumps(seen, indent=1) + "\n")


if __name__ == "__main__":
    main()
