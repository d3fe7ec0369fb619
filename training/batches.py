"""Training batches: many questions about one picture in one row.

A row starts with the picture, which all of its questions share, and goes on with one
segment for each question and its answer. A segment sees the picture and itself and
never another segment, and its positions start where the picture's end, so that every
segment computes what a prompt of its own would, at a third of the cost. Rows without a
picture hold passages in the same way, others two pictures.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import torch

from sinktrack.shapes.questions import Question
from sinktrack.shapes.scenes import COLOURS, GRID, PRIOR, SHAPES, draw, sample_scene
from training.checkpoint import prompt
from training.mixture import Row, training_rows

SQUARE = GRID, GRID
"""How many rows and columns of image tokens a scene's picture has."""

DECISION_WEIGHT = 2.0
"""What a yes or no counts in the loss, where the tokens around it follow from it by themselves."""


Own = TypeVar("Own", bound="Tensors")


@dataclass
class Tensors:
    """What a step needs; every field is a tensor."""

    def to(self: Own, device: str) -> Own:
        """Move every tensor to a device."""
        return type(self)(*(getattr(self, field.name).to(device) for field in fields(self)))


@dataclass
class Batch(Tensors):
    """One training step's tensors, for B rows of T tokens."""

    input_ids: torch.Tensor
    """(B, T) int64."""
    position_ids: torch.Tensor
    """(3, B, T) int64: time, row and column."""
    attention_mask: torch.Tensor
    """(B, 1, T, T) bool, True where a query sees a key."""
    segments: torch.Tensor
    """(B, T) int64: 0 for the shared prefix, then the question's number; -1 for padding."""
    targets: torch.Tensor
    """(B, T) int64: the next token, or -100 where nothing is to be learned."""
    weights: torch.Tensor
    """(B, T) float32: what each target counts."""
    pixel_values: torch.Tensor
    """(patches of all pictures, values of one patch) float32."""
    image_grid_thw: torch.Tensor
    """(B, 3) int64: frames, rows and columns of patches."""

    def answers_right(self, wrong: torch.Tensor) -> torch.Tensor:
        """Count the answers that hold no wrong token (B, T, nonzero where wrong), as a share."""
        rows, length = self.segments.shape
        number = torch.arange(rows, device=wrong.device)[:, None] * length
        number = (number + self.segments.clamp(min=0)).flatten()
        faults, tokens = (
            torch.zeros(rows * length, device=wrong.device).index_add_(0, number, each.flatten())
            for each in (wrong.float(), (self.targets >= 0).float())
        )
        return ((faults == 0) & (tokens > 0)).sum() / (tokens > 0).sum()


class Packer:
    """Turns pictures and their questions into batches for one model and processor."""

    def __init__(self, model: Any, processor: Any, first: str = "") -> None:
        """Take the ids of what stands between questions and answers.

        Args:
            model: The model.
            processor: Its processor.
            first: A control token to start every row with; "" for none.
        """
        self.model, self.processor, self.first = model, processor, first
        self.image_token_id = model.config.image_token_id
        self.end = processor.tokenizer.convert_tokens_to_ids("<|im_end|>")
        self.stop = processor.tokenizer(".", add_special_tokens=False).input_ids[0]
        self.decisions = {
            processor.tokenizer(text, add_special_tokens=False).input_ids[0]
            for text in ("Yes", " Yes", "No", " No")
        }
        self.pad = processor.tokenizer.convert_tokens_to_ids("<|endoftext|>")
        start, self.tail = prompt(processor, "\x00", 0).split("\x00")
        self.tail_length = len(processor.tokenizer(self.tail, add_special_tokens=False).input_ids)
        self.next_turn = f"<|im_end|>\n{start}"
        self._prefixes: dict[tuple[tuple[int, int], ...], tuple[list[int], torch.Tensor]] = {}

    def prefix(self, *grids: tuple[int, int]) -> tuple[list[int], torch.Tensor]:
        """Return the ids before a question about pictures, and their positions (3, N).

        Args:
            *grids: How many rows and columns of image tokens each picture has.
        """
        if grids not in self._prefixes:
            text = self.first + prompt(self.processor, "\x00", len(grids)).split("\x00")[0]
            around = text.split("<|image_pad|>")
            pads = ["<|image_pad|>" * (rows * columns) for rows, columns in grids]
            text = "".join(map("".join, zip(around, [*pads, ""], strict=True)))
            ids: list[int] = self.processor.tokenizer(text, add_special_tokens=False).input_ids
            positions = torch.arange(len(ids)).expand(3, -1)
            if grids:
                whole = torch.tensor([ids])
                positions, _ = self.model.model.get_rope_index(
                    whole,
                    mm_token_type_ids=(whole == self.image_token_id).int(),
                    image_grid_thw=torch.tensor(
                        [[1, 2 * rows, 2 * columns] for rows, columns in grids]
                    ),
                )
                positions = positions[:, 0]
            self._prefixes[grids] = ids, positions
        return self._prefixes[grids]

    def __call__(self, rows: Sequence[Row]) -> Batch:
        """Pack rows, of which one at least has a picture."""
        images = [picture for pictures, _ in rows for picture in pictures]
        pixels = self.processor.image_processor(images=images, return_tensors="pt")
        grids = ((high // 2, wide // 2) for _, high, wide in pixels["image_grid_thw"].tolist())
        packed = [
            self._row(
                *self.prefix(*(next(grids) for _ in pictures)),
                [self._segment(each) for each in asked],
            )
            for pictures, asked in rows
        ]
        length = max(len(row.input_ids) for row in packed)
        ids, positions, segments, targets, weights = (
            torch.stack([_padded(getattr(row, name), length, value) for row in packed])
            for name, value in (
                ("input_ids", self.pad), ("positions", 0), ("segments", -1),
                ("targets", -100), ("weights", 0),
            )
        )  # fmt: skip
        return Batch(
            ids, positions.transpose(0, 1).contiguous(), _mask(segments), segments, targets,
            weights, pixels["pixel_values"], pixels["image_grid_thw"],
        )  # fmt: skip

    def question_length(self, question: Question) -> int:
        """Count the tokens of a question itself, without those between it and the answer."""
        return len(self.processor.tokenizer(question.text, add_special_tokens=False).input_ids)

    def _segment(self, question: Question) -> tuple[list[int], int]:
        """Token ids of a question and its answer, and how many of them are the question's."""
        encode = self.processor.tokenizer
        before = "".join(
            f"{text}{self.tail}{answer}{self.next_turn}" for text, answer in question.earlier
        )
        text = f"{before}{question.text}{self.tail}"
        asked: list[int] = encode(text, add_special_tokens=False).input_ids
        answered: list[int] = encode(question.answer, add_special_tokens=False).input_ids
        return [*asked, *answered, self.end], len(asked)

    def _row(
        self, prefix: list[int], prefix_positions: torch.Tensor, spans: list[tuple[list[int], int]]
    ) -> "_Packed":
        """Put segments, each its ids and how many of them are the question's, behind a prefix."""
        ids, positions = list(prefix), [prefix_positions]
        segments, targets, weights = ([value] * len(prefix) for value in (0, -100, 0.0))
        base = int(prefix_positions.max()) + 1
        for number, (added, asked) in enumerate(spans, start=1):
            ids += added
            positions.append(torch.arange(base, base + len(added)).expand(3, -1))
            segments += [number] * len(added)
            targets += [-100] * (asked - 1) + added[asked:] + [-100]
            weights += [0.0] * (asked - 1) + self._weights(added[asked:]) + [0.0]
        return _Packed(
            torch.tensor(ids),
            torch.cat(positions, dim=-1),
            torch.tensor(segments),
            torch.tensor(targets),
            torch.tensor(weights),
        )

    def _weights(self, answer: list[int]) -> list[float]:
        """Weigh an answer's tokens sentence by sentence.

        That is between counting every token alike, which long sentences would rule, and every
        sentence alike, which would starve them: a few words after a long count matter as well.
        The token that ends the answer is a sentence of its own.
        """
        weights: list[float] = []
        while answer:
            stop = answer.index(self.stop) + 1 if self.stop in answer else len(answer)
            sentence, answer = answer[:stop], answer[stop:]
            weights += [DECISION_WEIGHT if i in self.decisions else stop**-0.5 for i in sentence]
        return weights


@dataclass
class _Packed:
    """One row of N tokens; all but positions (3, N) are (N,)."""

    input_ids: torch.Tensor
    positions: torch.Tensor
    segments: torch.Tensor
    targets: torch.Tensor
    weights: torch.Tensor


def _padded(row: torch.Tensor, length: int, value: float) -> torch.Tensor:
    return torch.nn.functional.pad(row, (0, length - row.shape[-1]), value=value)


def _mask(segments: torch.Tensor) -> torch.Tensor:
    """(B, T) segment numbers, 0 the prefix and -1 padding -> (B, 1, T, T) bool."""
    query, key = segments[:, :, None], segments[:, None, :]
    length = segments.shape[1]
    causal = torch.ones(length, length, dtype=torch.bool).tril()
    return (causal & ((key == 0) | (key == query)))[:, None]


def training_batch(
    packer: Packer, seed: int, step: int, scenes: int, most_objects: int, prior: float = PRIOR
) -> Batch:
    """Make the batch of one step, of its arguments alone, so that a resumed run sees the same."""
    rng = random.Random(f"{seed}/{step}")
    drawn = [sample_scene(rng, rng.randint(1, most_objects), prior=prior) for _ in range(scenes)]
    return packer(training_rows(rng, drawn))


@dataclass
class Cells(Tensors):
    """Pictures without questions, and what each of their cells holds, for the lessons."""

    pixel_values: torch.Tensor
    """(patches of all pictures, values of one patch) float32."""
    image_grid_thw: torch.Tensor
    """(pictures, 3) int64."""
    colours: torch.Tensor
    """(pictures * cells,) int64: the colour's number, or that behind the last one where empty."""
    shapes: torch.Tensor
    """(pictures * cells,) int64: likewise."""


def lesson_batch(packer: Packer, seed: int, step: int, scenes: int) -> Cells:
    """Make the pictures of one step of a lesson: crowded ones, without companions."""
    rng = random.Random(f"{seed}/lesson/{step}")
    drawn = [sample_scene(rng, rng.randint(3, 9), prior=0.0) for _ in range(scenes)]
    kinds = [
        scene.at(row, column) for scene in drawn for row in range(GRID) for column in range(GRID)
    ]
    colours = [len(COLOURS) if kind is None else list(COLOURS).index(kind.colour) for kind in kinds]
    shapes = [len(SHAPES) if kind is None else SHAPES.index(kind.shape) for kind in kinds]
    pictures = packer.processor.image_processor(
        images=[draw(scene) for scene in drawn], return_tensors="pt"
    )
    return Cells(
        pictures["pixel_values"],
        pictures["image_grid_thw"],
        torch.tensor(colours),
        torch.tensor(shapes),
    )
