"""Teach the bundled checkpoint to read its sink: `python -m training.anchor`.

SinkTrack is training-free. On a model as small as this one that is not enough, because the model
has never needed the content of its sink. So a second checkpoint goes on from the first one. In two
of three steps the injection is on, and most rows hide something from their answer: the whole
prompt, the question, or everything outside a window of the last tokens. The sink alone still
carries what is hidden. The third step trains without injection, as before, so the plain model
forgets nothing.
"""

import argparse
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from sinktrack.methods.sinktrack import SinkTrack
from sinktrack.shapes import outside
from sinktrack.shapes.long_answers import (
    COUNTED,
    delayed_existence,
    delayed_phrase,
    describe,
    rows_of_colour,
)
from sinktrack.shapes.passages import delayed_fact
from sinktrack.shapes.questions import Question, existence
from sinktrack.shapes.scenes import Scene, draw, sample_scene
from training.ahead import Ahead
from training.batches import SQUARE, Batch, Packer, training_batch
from training.checkpoint import load
from training.injection import injected
from training.mixture import in_peoples_words
from training.sink_loss import sink_loss
from training.train import (
    add_arguments,
    answer_loss,
    check_settings,
    learning_rate,
    optimizer,
    optimizer_step,
    run,
)
from training.warmup import Figures

MAX_OBJECTS = 5

COMPANION_PRIOR = 0.98
"""How often a shape has its companion in the steps without injection.

A model that sees well learns to expect a companion only if there are almost no exceptions."""

METHOD = SinkTrack(
    inject_at=frozenset(range(2, 12, 2)),
    refresh_after=frozenset(range(2, 12, 2)),
    context="image+instruction",
    normalize_context=True,
)
"""What the checkpoint learns to read. Its config carries it, and `SinkTrack.for_model` gives it."""

COUNT_LIMITS = (4, 8, 16, len(COUNTED))
"""Each step draws the most numbers that its questions count: its longest answer sets its time."""

DELAYED = ("delayed existence", "delayed phrase", "delayed fact")
TEXTS = ("delayed fact",)
"""The tasks that ask about a passage, and show no picture."""

HIDDEN = ("prompt", "question", "window", "nothing")
"""What a row hides from its answer."""


@dataclass(frozen=True)
class Settings:
    """What determines a run; a resumed run agrees in all of it, or has more steps."""

    seed: int = 0
    steps: int = 1800
    rows: int = 32
    """Questions in a step with injection."""
    scenes: int = 8
    """Scenes in a step without, some fourteen questions each."""
    learning_rate: float = 1e-3
    vision_share: float = 0.1
    warmup: int = 40


class Anchoring:
    """A run: model, optimizer and the number of steps made, all of which a state file keeps."""

    def __init__(self, settings: Settings, start: Path, device: str) -> None:
        """Start from a checkpoint."""
        self.settings = settings
        self.device = device
        self.model, self.processor = load(start, device)
        self.model.config.sinktrack = METHOD.as_dict()
        self.model.train()
        self.packer = Packer(self.model, self.processor)
        self.optimizer = optimizer(
            (self.model.model.language_model.parameters(), 1.0),
            (self.model.model.visual.parameters(), settings.vision_share),
        )
        self.step = 0
        self._batches = Ahead(self._made, device)

    def _made(self, step: int) -> tuple[Batch, torch.Tensor | None]:
        """Make a step's batch, and where its context is if the step injects, as two of three do."""
        settings = self.settings
        if step % 3 == 2:
            batch = training_batch(
                self.packer, settings.seed, step, settings.scenes, MAX_OBJECTS, COMPANION_PRIOR
            )
            return batch, None
        return anchoring_batch(self.packer, settings.seed, step, settings.rows)

    @property
    def total(self) -> int:
        """Steps of the whole run."""
        return self.settings.steps

    def train_step(self) -> Figures:
        """Make one step and return its figures."""
        step = self.step
        self.step += 1
        figures: Figures
        batch, context = self._batches[step]
        batch = batch.to(self.device)
        if context is None:
            loss, exact, states = answer_loss(self.model, batch)
            term, sinks = sink_loss(self.model, states, batch, writable=True)
            figures = {"plain": loss.detach(), "exact": exact, **sinks.figures()}
            loss = loss + term
        else:
            with injected(self.model, METHOD, context.to(self.device)):
                loss, exact, _ = answer_loss(self.model, batch)
            figures = {"anchored": loss.detach(), "remembered": exact}
        optimizer_step(self.model, self.optimizer, loss, learning_rate(self.settings, step))
        return figures

    def state(self) -> dict[str, Any]:
        """Everything a resumed run needs."""
        return {
            "settings": asdict(self.settings),
            "step": self.step,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from a state, which a larger number of steps may lengthen.

        Raises:
            ValueError: where the state belongs to other settings.
        """
        check_settings(state["settings"], asdict(self.settings))
        self.step = state["step"]
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])


def anchoring_batch(packer: Packer, seed: int, step: int, rows: int) -> tuple[Batch, torch.Tensor]:
    """Make the batch of one step with injection, of its arguments alone.

    Returns:
        The batch, one question a row, in whose mask answers do not see what is hidden from them;
        and bool (B, T), the picture, the passage and the question of every row.
    """
    rng = random.Random(f"{seed}/anchor/{step}")
    scenes = [sample_scene(rng, rng.randint(1, MAX_OBJECTS)) for _ in range(rows)]
    longest = rng.choice(COUNT_LIMITS)
    asked = [remembered_question(rng, scene, longest) for scene in scenes]
    while asked[0].task in TEXTS:  # a batch has a picture
        asked[0] = remembered_question(rng, scenes[0], longest)
    pictures = [
        () if one.task in TEXTS else (draw(scene),)
        for scene, one in zip(scenes, asked, strict=True)
    ]
    batch = packer([(shown, [one]) for shown, one in zip(pictures, asked, strict=True)])
    context = batch.input_ids == packer.image_token_id
    for row, question in enumerate(asked):
        start = len(packer.prefix(*[SQUARE] * len(pictures[row]))[0])
        end = start + packer.question_length(question)
        context[row, start:end] = True
        what = (
            rng.choice(("question", "nothing"))
            if _needs_all(question)
            else rng.choice(("prompt", "prompt", "window", "window", "nothing"))
        )
        seen = batch.attention_mask[row, 0]
        _hide_from_answer(seen, what, start, end, packer.tail_length, rng.randint(6, 24))
        if what == "prompt":
            # in a cut cache the sink comes closer, so how far it is must not tell how far one is
            nearest = 1 - int(batch.position_ids[0, row, end])
            batch.position_ids[:, row, end:] += rng.randint(nearest, 20)
    return batch, context


def remembered_question(rng: random.Random, scene: Scene, longest: int) -> Question:
    """Ask something that has to be answered without the prompt in view.

    Args:
        rng: the random generator.
        scene: the scene.
        longest: how many numbers a delayed answer counts at most; longer tasks are left out of
            short steps.
    """
    numbers = rng.randint(1, longest)
    present, negative = rng.random() < 0.5, rng.choice(("random", "near"))
    if rng.random() < 0.2:
        asked = outside.question(rng) if rng.random() < 0.3 else in_peoples_words(rng, scene)
        if not asked.earlier:  # of which the context knows nothing
            return asked
    draw = rng.random()
    if draw < 0.2 and longest >= COUNT_LIMITS[-2]:
        return rows_of_colour(rng, scene) if draw < 0.1 else describe(rng, scene)
    if draw < 0.35:
        return existence(rng, scene, present, negative)
    if draw < 0.55:
        return delayed_existence(rng, scene, numbers, present, negative)
    if draw < 0.9:
        return delayed_fact(rng, numbers)
    return delayed_phrase(rng, numbers)


def _needs_all(question: Question) -> bool:
    """Whether the answer is more than a bag of features can say."""
    return question.task not in ("describe", "existence", *DELAYED)


def _hide_from_answer(
    mask: torch.Tensor, what: str, start: int, end: int, tail: int, window: int
) -> None:
    """Hide a part of a row from its answer, in its mask (T, T), True where a query sees a key.

    Args:
        mask: changed in place.
        what: one of HIDDEN.
        start: where the question starts.
        end: where it ends.
        tail: tokens between the question and the answer.
        window: how many of the last tokens an answer's token sees, besides the sink.
    """
    length = len(mask)
    query = torch.arange(length)[:, None]
    key = torch.arange(length)
    if what == "prompt":
        unseen = (query >= end) & (key < end)
    elif what == "question":
        unseen = (query >= end) & (key >= start) & (key < end)
    elif what == "window":
        unseen = (query >= end + tail) & (key <= query - window)
    else:
        return
    mask &= ~(unseen & (key > 0))


def main(arguments: Sequence[str] | None = None) -> None:
    """Anchor a checkpoint, or go on anchoring, and write it."""
    defaults = Settings()
    parser = argparse.ArgumentParser(prog="python -m training.anchor", description=main.__doc__)
    parser.add_argument(
        "--start", type=Path, default=Path("assets/shapes-vl"), help="folder of the plain one"
    )
    add_arguments(
        parser, out="assets/shapes-vl-anchored", state="runs/anchored/state.pt", defaults=defaults
    )
    parser.add_argument("--rows", type=int, default=defaults.rows, help="questions a step")
    options = parser.parse_args(arguments)
    settings = Settings(
        seed=options.seed,
        steps=options.steps,
        rows=options.rows,
        scenes=options.scenes,
        learning_rate=options.learning_rate,
    )
    device = "cuda" if torch.cuda.is_available() else "cpu"
    run(Anchoring(settings, options.start, device), options)


if __name__ == "__main__":
    main()
