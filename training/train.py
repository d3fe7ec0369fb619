"""Train the bundled checkpoint: `python -m training.train`.

First two short lessons teach the vision encoder what stands in a cell and the language
model where the cell is (see warmup). Then both learn to answer, on scenes that grow from
one object to six, the vision encoder at a tenth of the learning rate. Late in the run a
term of the loss asks for an attention sink (see sink_loss).
"""

import argparse
import json
import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from tqdm import tqdm
from transformers import Qwen2Tokenizer

from training.ahead import Ahead
from training.batches import Batch, Cells, Packer, lesson_batch, training_batch
from training.checkpoint import Size, build_model, build_processor, load, save
from training.packed_attention import use_packed_attention
from training.sink_loss import sink_loss
from training.tokenizer import learned, tokenizer_of, train_tokenizer
from training.warmup import Figures, Probes, place, see

CURRICULUM = (1, 2, 4, 6)
"""Up to how many objects the scenes hold, level by level."""

PROMOTION = 0.75
"""The running share of right answers that leads to the next level.

A run begins to use the pictures at a step of its own. Before that, more objects only make it
harder."""

PLACE_WEIGHT = 0.3
"""What the second lesson counts while the model learns to answer.

Without it image tokens forget where they are: a linear probe found their row in 91 and their column
in 87 of 100, a third up the decoder, after 10,700 steps of answering, and an answer about a place
needs both."""

WORTH_COMPILING = 100
"""The number of steps from which compiling pays. It takes as long as some thirty steps."""


@dataclass(frozen=True)
class Settings:
    """What determines a training run; a resumed run agrees in all of it, or has more steps."""

    size: Size = Size()
    seed: int = 0
    see_steps: int = 150
    place_steps: int = 150
    steps: int = 8200
    """Steps of answering, after the two lessons."""
    scenes: int = 12
    """Scenes a step, each with some fourteen questions."""
    learning_rate: float = 1.5e-3
    vision_share: float = 0.1
    warmup: int = 60
    sink_from: float = 0.5
    """The share of the answering steps after which the sink term joins the loss; 1 is never."""
    start: str | None = None
    """A checkpoint to go on from, which has had its lessons; None to start from nothing."""


class Training:
    """A run: model, optimizer and the number of steps made, all of which a state file keeps."""

    def __init__(self, settings: Settings, device: str) -> None:
        """Start from nothing, seeded, or from a checkpoint."""
        torch.manual_seed(settings.seed)
        self.settings = settings
        self.device = device
        if settings.start is None:
            tokenizer = train_tokenizer()
            self.model = build_model(settings.size, tokenizer)
        else:
            self.model, processor = load(settings.start, device)
            tokenizer = processor.tokenizer
        self._use_tokenizer(tokenizer)
        self.model.to(device).train()
        self.probes = Probes(settings.size.hidden, tokenizer).to(device)
        vision = list(self.model.model.visual.parameters())
        language = list(self.model.model.language_model.parameters())
        self.optimizers = {
            "see": optimizer((vision, 1.0), (self.probes.see.parameters(), 1.0)),
            "place": optimizer((language, 1.0), (self.probes.place.parameters(), 1.0)),
            "answer": optimizer(
                (language, 1.0),
                (vision, settings.vision_share),
                (self.probes.place.parameters(), 1.0),
            ),
        }
        self.step = 0
        self.level = 0 if settings.start is None else len(CURRICULUM) - 1
        self.running_exact: float | torch.Tensor = 0.0
        self._batches = self._ahead()

    def _ahead(self) -> Ahead[tuple[Batch, Cells]]:
        settings, max_objects = self.settings, CURRICULUM[self.level]

        def made(step: int) -> tuple[Batch, Cells]:
            at = settings.seed, step, settings.scenes
            return training_batch(self.packer, *at, max_objects), lesson_batch(self.packer, *at)

        return Ahead(made, self.device)

    def _use_tokenizer(self, tokenizer: Qwen2Tokenizer) -> None:
        self.processor = build_processor(tokenizer)
        self.packer = Packer(self.model, self.processor)

    @property
    def total(self) -> int:
        """Steps of all stages together."""
        return self.lessons[0] + self.lessons[1] + self.settings.steps

    @property
    def lessons(self) -> tuple[int, int]:
        """Steps of the two lessons, none where a checkpoint has had them."""
        settings = self.settings
        return (0, 0) if settings.start else (settings.see_steps, settings.place_steps)

    def train_step(self) -> Figures:
        """Make one step of the current stage; return its loss and what the stage measures."""
        settings = self.settings
        step, self.step = self.step, self.step + 1
        for lesson, steps in zip((see, place), self.lessons, strict=True):
            if step < steps:
                scenes = 2 * settings.scenes  # without questions a scene costs little
                cells = lesson_batch(self.packer, settings.seed, self.step, scenes)
                loss, figures = lesson(self.model, self.probes, self.packer, cells.to(self.device))
                rate = min(1.0, (step + 1) / 30) * 1e-3
                optimizer_step(self.model, self.optimizers[lesson.__name__], loss, rate)
                return figures
            step -= steps
        return self._answer_step(step)

    def _answer_step(self, step: int) -> Figures:
        settings = self.settings
        share = step / settings.steps
        batch, cells = self._batches[step]
        batch, cells = batch.to(self.device), cells.to(self.device)
        loss, exact, states = answer_loss(self.model, batch)
        figures: Figures = {
            "loss": loss.detach(),
            "exact": exact,
            "objects": CURRICULUM[self.level],
        }
        if share >= settings.sink_from:
            term, sinks = sink_loss(self.model, states, batch)
            loss = loss + term
            figures |= {"term": term.detach()} | sinks.figures()
        placed, seen = place(self.model, self.probes, self.packer, cells)
        loss = loss + PLACE_WEIGHT * placed
        figures |= {name: seen[name] for name in ("row", "column")}
        optimizer_step(self.model, self.optimizers["answer"], loss, learning_rate(settings, step))
        self.running_exact += 0.1 * (exact - self.running_exact)
        if self.level + 1 < len(CURRICULUM) and self.running_exact >= PROMOTION:
            self.level, self.running_exact = self.level + 1, 0.0
            self._batches = self._ahead()
        return figures

    def state(self) -> dict[str, Any]:
        """Everything a resumed run needs."""
        return {
            "settings": asdict(self.settings),
            "step": self.step,
            "level": self.level,
            "running_exact": float(self.running_exact),
            "tokenizer": learned(self.processor.tokenizer),
            "model": self.model.state_dict(),
            "probes": self.probes.state_dict(),
            "optimizers": {name: each.state_dict() for name, each in self.optimizers.items()},
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from a state, which a larger number of steps may lengthen.

        Raises:
            ValueError: where the state belongs to other settings.
        """
        check_settings(state["settings"], asdict(self.settings))
        self.step, self.level, self.running_exact = (
            state["step"],
            state["level"],
            state["running_exact"],
        )
        # the questions may have been changed since, and with them what a tokenizer learns
        self._use_tokenizer(tokenizer_of(state["tokenizer"]))
        self.model.load_state_dict(state["model"])
        self.probes.load_state_dict(state["probes"])
        self._batches = self._ahead()
        for name, each in self.optimizers.items():
            each.load_state_dict(state["optimizers"][name])


def check_settings(saved: dict[str, Any], asked: dict[str, Any]) -> None:
    """Refuse to go on with other settings than a run began with; it may only be lengthened.

    Raises:
        ValueError: where they differ in anything else.
    """
    if {**saved, "steps": 0} != {**asked, "steps": 0} or saved["steps"] > asked["steps"]:
        raise ValueError(
            f"The saved run was made with other settings ({saved}): give the same ones "
            "and at least as many steps, or another --state file, or --fresh."
        )


def learning_rate(settings: Any, step: int) -> float:
    """Rise over the settings' warm-up, then fall along a cosine to a fiftieth."""
    decay = 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / settings.steps))
    return float(min(1.0, (step + 1) / settings.warmup) * decay * settings.learning_rate)


def compile_layers(model: Any) -> None:
    """Compile the decoder's layers where there is a C++ compiler: nearly twice as fast on a CPU."""
    try:
        torch._inductor.cpp_builder.get_cpp_compiler()
    except Exception:
        return
    for layer in model.model.language_model.layers:
        # the function and not the module, whose hooks stay outside
        layer.forward = torch.compile(layer.forward, dynamic=True)


def optimizer(*groups: tuple[Iterable[nn.Parameter], float]) -> torch.optim.Optimizer:
    """Make an AdamW over groups of parameters, each with its share of the learning rate."""
    parts = [{"params": list(params), "share": share} for params, share in groups]
    return torch.optim.AdamW(parts, lr=1.0, betas=(0.9, 0.98), weight_decay=0.02)


def optimizer_step(
    model: nn.Module, chosen: torch.optim.Optimizer, loss: torch.Tensor, rate: float
) -> None:
    """Make one step of an optimizer, the gradient's norm clipped at 1."""
    for group in chosen.param_groups:
        group["lr"] = rate * group["share"]
    model.zero_grad()
    chosen.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_([p for group in chosen.param_groups for p in group["params"]], 1.0)
    chosen.step()


def answer_loss(
    model: Any, batch: Batch
) -> tuple[torch.Tensor, torch.Tensor, Sequence[torch.Tensor]]:
    """Weighted cross-entropy over the answers' tokens.

    Returns:
        The loss, the share of answers whose tokens are all predicted right, both scalars, and every
        layer's input, (B, T, D) each.
    """
    output = model.model(
        input_ids=batch.input_ids,
        attention_mask=batch.attention_mask,
        position_ids=batch.position_ids,
        pixel_values=batch.pixel_values,
        image_grid_thw=batch.image_grid_thw,
        use_cache=False,
        output_hidden_states=True,
    )
    asked = batch.targets >= 0
    logits = model.lm_head(output.last_hidden_state[asked])
    targets, weights = batch.targets[asked], batch.weights[asked]
    loss = nn.functional.cross_entropy(logits, targets, reduction="none")
    wrong = torch.zeros_like(asked).masked_scatter(asked, logits.argmax(-1) != targets)
    exact = batch.answers_right(wrong)
    return (loss * weights).sum() / weights.sum(), exact, output.hidden_states


def main(arguments: list[str] | None = None) -> None:
    """Train, or go on training, and write the checkpoint."""
    defaults = Settings()
    parser = argparse.ArgumentParser(prog="python -m training.train", description=main.__doc__)
    add_arguments(parser, out="assets/shapes-vl", state="runs/shapes/state.pt", defaults=defaults)
    parser.add_argument("--see-steps", type=int, default=defaults.see_steps, help="of lesson one")
    parser.add_argument(
        "--place-steps", type=int, default=defaults.place_steps, help="of lesson two"
    )
    parser.add_argument("--layers", type=int, default=Size.layers, help="decoder layers")
    parser.add_argument(
        "--sink-from",
        type=float,
        default=defaults.sink_from,
        help="share of the answering steps after which the loss asks for a sink; 1 for never",
    )
    parser.add_argument("--start", help="folder of a checkpoint to go on from, without lessons")
    options = parser.parse_args(arguments)
    settings = Settings(
        start=options.start,
        size=Size(layers=options.layers),
        seed=options.seed,
        see_steps=options.see_steps,
        place_steps=options.place_steps,
        steps=options.steps,
        scenes=options.scenes,
        learning_rate=options.learning_rate,
        sink_from=options.sink_from,
    )
    run(Training(settings, "cuda" if torch.cuda.is_available() else "cpu"), options)


def add_arguments(parser: argparse.ArgumentParser, *, out: str, state: str, defaults: Any) -> None:
    """Add what every training run is asked for, and `run` follows."""
    parser.add_argument("--out", type=Path, default=Path(out), help="folder of the checkpoint")
    parser.add_argument("--state", type=Path, default=Path(state), help="file to resume from")
    parser.add_argument(
        "--fresh", action="store_true", help="start anew even where a state file lies"
    )
    parser.add_argument("--steps", type=int, default=defaults.steps, help="steps of answering")
    parser.add_argument(
        "--scenes",
        type=int,
        default=defaults.scenes,
        help="scenes a step, some fourteen questions each",
    )
    parser.add_argument("--learning-rate", type=float, default=defaults.learning_rate)
    parser.add_argument("--seed", type=int, default=defaults.seed)
    parser.add_argument("--threads", type=int, default=None, help="CPU threads (torch's choice)")
    parser.add_argument("--save-every", type=int, default=100, help="steps between state files")
    parser.add_argument("--log-every", type=int, default=20, help="steps between lines of the log")


def run(training: Any, options: argparse.Namespace) -> None:
    """Make the steps that are left, with a progress bar, a log, state files and checkpoints.

    Args:
        training: has device, step, total, model, processor, advance, state and restore.
        options: from `add_arguments`.
    """
    if options.threads:
        torch.set_num_threads(options.threads)
    if options.state.exists() and not options.fresh:
        training.restore(torch.load(options.state, map_location=training.device, weights_only=True))
    if training.device != "cpu":
        torch.set_float32_matmul_precision("high")
    else:
        use_packed_attention(training.model)
        if training.total - training.step >= WORTH_COMPILING:
            compile_layers(training.model)
    options.state.parent.mkdir(parents=True, exist_ok=True)
    (options.state.parent / ".gitignore").write_text(
        "*\n"
    )  # states are large and of no use to others
    began = time.monotonic()
    with tqdm(total=training.total, initial=training.step, unit="step", mininterval=5) as bar:
        while training.step < training.total:
            figures = training.train_step()
            bar.update()
            if training.step % options.log_every == 0:
                known = {name: float(value) for name, value in figures.items()}
                bar.set_postfix({name: f"{value:.3f}" for name, value in known.items()})
                line = {
                    "step": training.step,
                    **known,
                    "seconds": round(time.monotonic() - began, 1),
                }
                with (options.state.parent / "log.jsonl").open("a") as log:
                    log.write(json.dumps(line) + "\n")
            if training.step % options.save_every == 0 or training.step == training.total:
                save(training.model, training.processor, options.out)
                partial = options.state.with_suffix(".partial")
                torch.save(training.state(), partial)
                partial.replace(options.state)


if __name__ == "__main__":
    main()
