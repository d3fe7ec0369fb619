"""Training batches: many questions about one picture in one row.

A row starts with the picture, which all of its questions share, and goes on with one
segment for each question and its answer. A segment sees the picture and itself and
never another segment, and its positions start where the picture's end, so that every
segment computes what a prompt of its own would, at a third of the cost.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch

from sinktrack.shapes.checkpoint import prompt
from sinktrack.shapes.questions import Question, mixed
from sinktrack.shapes.scenes import COLOURS, GRID, SHAPES, Scene, draw, sample_scene


@dataclass
class Batch:
    """One training step's tensors, for B rows of T tokens."""

    input_ids: torch.Tensor
    """(B, T) int64."""
    position_ids: torch.Tensor
    """(3, B, T) int64: time, row and column."""
    attention_mask: torch.Tensor
    """(B, 1, T, T) bool, True where a query sees a key."""
    targets: torch.Tensor
    """(B, T) int64: the next token, or -100 where nothing is to be learned."""
    weights: torch.Tensor
    """(B, T) float32: what each target counts."""
    pixel_values: torch.Tensor
    """(patches of all pictures, values of one patch) float32."""
    image_grid_thw: torch.Tensor
    """(B, 3) int64: frames, rows and columns of patches."""

    def to(self, device: str) -> "Batch":
        """Move every tensor to a device."""
        return Batch(*(getattr(self, field.name).to(device) for field in fields(self)))


class Packer:
    """Turns scenes and their questions into batches for one model and processor."""

    def __init__(self, model: Any, processor: Any) -> None:
        """Measure the shared prefix once; it is the same for every picture of this size."""
        self.processor = processor
        self.end = processor.tokenizer.convert_tokens_to_ids("<|im_end|>")
        self.pad = processor.tokenizer.convert_tokens_to_ids("<|endoftext|>")
        text, self.tail = prompt(processor, "\x00").split("\x00")
        self.prefix: list[int] = processor.tokenizer(
            text.replace("<|image_pad|>", "<|image_pad|>" * GRID**2), add_special_tokens=False
        ).input_ids
        ids = torch.tensor([self.prefix])
        types = (ids == model.config.image_token_id).int()
        side = 2 * GRID
        positions, _ = model.model.get_rope_index(
            ids, mm_token_type_ids=types, image_grid_thw=torch.tensor([[1, side, side]])
        )
        self.prefix_positions = positions[:, 0]

    def __call__(self, scenes: Sequence[Scene], questions: Sequence[Sequence[Question]]) -> Batch:
        """Pack one row for each scene."""
        pictures = self.processor.image_processor(
            images=[draw(scene) for scene in scenes], return_tensors="pt"
        )
        rows = [[self._segment(question) for question in asked] for asked in questions]
        length = len(self.prefix) + max(sum(len(ids) for ids, _ in row) for row in rows)
        shape = (len(rows), length)
        input_ids = torch.full(shape, self.pad)
        targets = torch.full(shape, -100)
        weights = torch.zeros(shape)
        segments = torch.full(shape, -1)
        position_ids = torch.zeros(3, *shape, dtype=torch.long)
        start = len(self.prefix)
        base = int(self.prefix_positions.max()) + 1
        input_ids[:, :start] = torch.tensor(self.prefix)
        segments[:, :start] = 0
        position_ids[:, :, :start] = self.prefix_positions[:, None]
        for row, spans in enumerate(rows):
            cursor = start
            for number, (ids, question_length) in enumerate(spans, start=1):
                end = cursor + len(ids)
                input_ids[row, cursor:end] = torch.tensor(ids)
                segments[row, cursor:end] = number
                position_ids[:, row, cursor:end] = torch.arange(base, base + len(ids))
                answer = slice(cursor + question_length - 1, end - 1)
                targets[row, answer] = torch.tensor(ids[question_length:])
                # between counting every token alike, which a long description would rule,
                # and every answer alike, which would starve it
                weights[row, answer] = (len(ids) - question_length) ** -0.5
                cursor = end
        return Batch(
            input_ids, position_ids, _mask(segments), targets, weights,
            pictures["pixel_values"], pictures["image_grid_thw"],
        )  # fmt: skip

    def _segment(self, question: Question) -> tuple[list[int], int]:
        """Token ids of a question and its answer, and how many of them are the question's."""
        encode = self.processor.tokenizer
        asked: list[int] = encode(question.text + self.tail, add_special_tokens=False).input_ids
        answered: list[int] = encode(question.answer, add_special_tokens=False).input_ids
        return [*asked, *answered, self.end], len(asked)


def _mask(segments: torch.Tensor) -> torch.Tensor:
    """(B, T) segment numbers, 0 the prefix and -1 padding -> (B, 1, T, T) bool."""
    query, key = segments[:, :, None], segments[:, None, :]
    length = segments.shape[1]
    causal = torch.ones(length, length, dtype=torch.bool).tril()
    return (causal & ((key == 0) | (key == query)))[:, None]


def training_batch(packer: Packer, seed: int, step: int, scenes: int, most_objects: int) -> Batch:
    """Make the batch of one step, of its arguments alone, so that a resumed run sees the same."""
    rng = random.Random(f"{seed}/{step}")
    drawn = [sample_scene(rng, rng.randint(1, most_objects)) for _ in range(scenes)]
    return packer(drawn, [mixed(rng, scene) for scene in drawn])


@dataclass
class Cells:
    """Pictures without questions, and what each of their cells holds, for the lessons."""

    pixel_values: torch.Tensor
    """(patches of all pictures, values of one patch) float32."""
    image_grid_thw: torch.Tensor
    """(pictures, 3) int64."""
    colours: torch.Tensor
    """(pictures * cells,) int64: the colour's number, or that behind the last one where empty."""
    shapes: torch.Tensor
    """(pictures * cells,) int64: likewise."""


def lesson_batch(packer: Packer, seed: int, step: int, scenes: int, device: str) -> Cells:
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
    ).to(device)
    return Cells(
        pictures["pixel_values"],
        pictures["image_grid_thw"],
        torch.tensor(colours, device=device),
        torch.tensor(shapes, device=device),
    )
