"""Which prompt position is what: sink, image, instruction, rest, padding.

Knows nothing about attention; works on token ids alone.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from sinktrack.errors import PromptError
from sinktrack.method import SinkTrack
from sinktrack.trace import IMAGE, INSTRUCTION, PROMPT_REST, SINK

PADDING = -1


@dataclass(frozen=True, kw_only=True)
class PromptSegments:
    """The parts of a batch of B prompts of T positions each, padding included.

    Args:
        input_ids: int64 (B, T).
        sinks: int64 (B,), each row's first attended position.
        labels: int64 (B, T), an index into `sinktrack.trace.SEGMENTS`, or `PADDING`.
        instruction: bool (B, T), or None when the caller did not point it out.
        grids: One list a row with the (rows, cols) of each image or video in reading order; the
            frames of a video stand below one another.
    """

    input_ids: torch.Tensor
    sinks: torch.Tensor
    labels: torch.Tensor
    instruction: torch.Tensor | None
    grids: list[list[tuple[int, int]]]

    @classmethod
    def of(
        cls,
        config: Any,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        instruction: torch.Tensor | None = None,
        grid_thw: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
    ) -> "PromptSegments":
        """Label the prompts of one call.

        Args:
            config: The model's config; names the image and video token ids, if it has any.
            input_ids: int64 (B, T).
            attention_mask: (B, T), 0 where there is padding; None for none.
            instruction: bool (B, T) or (1, T), True on the user's text; None if unknown.
            grid_thw: int64 (images, 3), frames, patch rows and patch columns before merging, for
                all rows in order, if the call carries it.
            position_ids: (3 or 4, B, T), multimodal positions, if the call carries them. Without
                either, images are taken to be square.

        Raises:
            PromptError: If the instruction mask has another shape than the prompt, or a row is
                padding alone.
        """
        if instruction is not None:
            if (
                instruction.ndim != 2
                or instruction.shape[1] != input_ids.shape[1]
                or (instruction.shape[0] not in (1, input_ids.shape[0]))
            ):
                raise PromptError(
                    f"context_mask has the shape {tuple(instruction.shape)}, but the prompt has "
                    f"{tuple(input_ids.shape)}: give one bool for each prompt token."
                )
            instruction = instruction.to(input_ids.device, torch.bool).expand_as(input_ids)
        attended = torch.ones_like(input_ids, dtype=torch.bool)
        if attention_mask is not None and attention_mask.ndim == 2:
            attended = attention_mask.to(input_ids.device, torch.bool)
        if not attended.any(1).all():
            raise PromptError("A row of the batch is padding alone: give every row a prompt.")

        visual = torch.isin(input_ids, _visual_token_ids(config).to(input_ids.device))
        labels = torch.full_like(input_ids, PROMPT_REST)
        if instruction is not None:
            labels[instruction] = INSTRUCTION
        labels[visual] = IMAGE
        labels[~attended] = PADDING
        sinks = attended.int().argmax(1)
        labels[torch.arange(len(sinks), device=sinks.device), sinks] = SINK
        return cls(
            input_ids=input_ids,
            sinks=sinks,
            labels=labels,
            instruction=instruction,
            grids=_image_grids(config, labels, grid_thw, position_ids),
        )

    def repeated(self, rows: int) -> "PromptSegments":
        """Return a single prompt as `rows` equal rows."""
        return PromptSegments(
            input_ids=self.input_ids.expand(rows, -1),
            sinks=self.sinks.expand(rows),
            labels=self.labels.expand(rows, -1),
            instruction=None if self.instruction is None else self.instruction.expand(rows, -1),
            grids=self.grids * rows,
        )

    def image_positions(self, row: int) -> torch.Tensor:
        """Return the positions of the row's image tokens, int64 (N,)."""
        return (self.labels[row] == IMAGE).nonzero()[:, 0]

    def context_positions(self, method: SinkTrack, row: int) -> torch.Tensor:
        """Return the positions that `method` reads in `row`, int64 (N,).

        Raises:
            PromptError: If the row has none.
        """
        labels = self.labels[row]
        if method.context == "prompt":
            return (labels != PADDING).nonzero()[:, 0]
        chosen = torch.zeros_like(labels, dtype=torch.bool)
        if method.reads_image:
            chosen |= labels == IMAGE
            if not chosen.any():
                raise PromptError(
                    f"The method's context is {method.context!r}, but prompt {row} has no image "
                    "tokens: give a picture or choose the context 'instruction' or 'prompt'."
                )
        if method.reads_instruction:
            if self.instruction is None or not self.instruction[row].any():
                raise PromptError(
                    f"The method's context is {method.context!r}, but nothing says which tokens of "
                    f"prompt {row} are the instruction: pass context_mask=, a bool for each token."
                )
            chosen |= self.instruction[row] & (labels != PADDING)
        return chosen.nonzero()[:, 0]


def _visual_token_ids(config: Any) -> torch.Tensor:
    """Return the ids that stand for image and video features, int64 (0 to 2,)."""
    names = ("image_token_id", "video_token_id")
    ids = [getattr(config, name, None) for name in names]
    return torch.tensor([i for i in ids if i is not None], dtype=torch.long)


def _grids_of_thw(config: Any, grid_thw: torch.Tensor) -> Iterator[tuple[int, int]]:
    """Yield the merged (rows, cols) of each image or video."""
    merge = config.vision_config.spatial_merge_size
    for frames, rows, cols in grid_thw.tolist():
        yield frames * rows // merge, cols // merge


def _image_grids(
    config: Any,
    labels: torch.Tensor,
    grid_thw: torch.Tensor | None,
    position_ids: torch.Tensor | None,
) -> list[list[tuple[int, int]]]:
    """Return every row's image grids, from whichever of the sources a call carries.

    `generate` encodes pictures before it calls the model and hands over multimodal position ids
    (3 or 4, B, T) instead of grids; their last axis counts columns.
    """
    known = None if grid_thw is None else _grids_of_thw(config, grid_thw)
    grids: list[list[tuple[int, int]]] = []
    for row, row_labels in enumerate(labels):
        positions = (row_labels == IMAGE).nonzero()[:, 0]
        found: list[tuple[int, int]] = []
        # Consecutive tokens are one image; other tokens stand between images.
        for run in positions.tensor_split((positions.diff() > 1).nonzero()[:, 0].cpu() + 1):
            left = len(run)
            while left > 0:
                if known is not None:
                    size = next(known)
                elif position_ids is not None and position_ids.ndim == 3:
                    columns = len(position_ids[-1, row, run].unique())
                    size = (left // columns, columns)
                else:
                    size = _square(left)
                found.append(size)
                left -= size[0] * size[1]
        grids.append(found)
    return grids


def _square(tokens: int) -> tuple[int, int]:
    """Return a square grid of `tokens` cells where there is one, else a single row."""
    side = math.isqrt(tokens)
    return (side, side) if side * side == tokens else (1, tokens)
