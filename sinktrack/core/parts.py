"""Which prompt position is what: sink, image, instruction, rest, padding.

Knows nothing about attention; works on token ids alone.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch

from sinktrack.core.errors import AttachError, PromptError
from sinktrack.core.trace import IMAGE, INSTRUCTION, PROMPT_REST, SINK
from sinktrack.methods.sinktrack import SinkTrack

PADDING = -1

# An additive mask this low hides a key: transformers writes the least number of the dtype there.
HIDDEN = -1e4


@dataclass(frozen=True, kw_only=True)
class PromptSegments:
    """The parts of a batch of B prompts of T positions each, padding included.

    Args:
        input_ids: int64 (B, T).
        sinks: int64 (B,), each row's first attended position.
        labels: int64 (B, T), an index into `sinktrack.core.trace.SEGMENTS`, or `PADDING`.
        instruction: bool (B, T), or None when the caller did not point it out.
        grids: One list a row with the (rows, cols) of each image or video in reading order. The
            frames of a video stand below one another, or are grids of their own where the prompt
            has time stamps between them (Qwen3-VL).
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
        *,
        attended: torch.Tensor | None = None,
        instruction: torch.Tensor | None = None,
        image_grid_thw: torch.Tensor | None = None,
        video_grid_thw: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
    ) -> "PromptSegments":
        """Label the prompts of one call.

        Args:
            config: The model's config; names the image and video token ids, if it has any.
            input_ids: int64 (B, T).
            attended: bool (B, T), False where there is padding; None for none.
            instruction: bool (B, T) or (1, T), True on the user's text; None if unknown.
            image_grid_thw: int64 (images, 3), frames, patch rows and patch columns before merging,
                for all rows in order, if the call carries it.
            video_grid_thw: The same for videos.
            position_ids: (3 or 4, B, T), multimodal positions, if the call carries them. Without
                any of the three, images are taken to be square.

        Raises:
            PromptError: If the instruction mask has another shape than the prompt, or a row is
                padding alone.
            AttachError: If a picture is there in part.
        """
        if instruction is not None:
            if not isinstance(instruction, torch.Tensor):
                raise PromptError("context_mask must be a tensor with one bool a prompt token.")
            if instruction.shape not in (input_ids.shape, (1, input_ids.shape[1])):
                raise PromptError(
                    f"context_mask has the shape {tuple(instruction.shape)}, but the prompt has "
                    f"{tuple(input_ids.shape)}: give one bool for each prompt token."
                )
            instruction = instruction.to(input_ids.device, torch.bool).expand_as(input_ids)
        if attended is None:
            attended = torch.ones_like(input_ids, dtype=torch.bool)
        if not attended.any(1).all():
            raise PromptError("A row of the batch is padding alone: give every row a prompt.")

        visual = torch.zeros_like(attended)
        for token_id in _visual_token_ids(config):
            if token_id is not None:
                visual |= input_ids == token_id
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
            grids=_image_grids(
                config, input_ids, labels, (image_grid_thw, video_grid_thw), position_ids
            ),
        )

    def repeated(self, rows: int) -> "PromptSegments":
        """Return each prompt as `rows` equal rows."""

        def each(values: torch.Tensor) -> torch.Tensor:
            return values.repeat_interleave(rows, dim=0)

        return PromptSegments(
            input_ids=each(self.input_ids),
            sinks=each(self.sinks),
            labels=each(self.labels),
            instruction=None if self.instruction is None else each(self.instruction),
            grids=[grids for grids in self.grids for _ in range(rows)],
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


def attended_positions(attention_mask: Any, input_ids: torch.Tensor) -> torch.Tensor | None:
    """Read from the mask of a call which prompt positions are no padding.

    `generate` hands over a plain mask (B, T), or, for static caches, what the layers take: a mask
    (B, 1, T, keys), or one for each kind of layer.

    Args:
        attention_mask: The call's mask, if any.
        input_ids: int64 (B, T).

    Returns:
        bool (B, T) on the device of `input_ids`, or None for no padding.
    """
    if isinstance(attention_mask, dict):
        attention_mask = attention_mask.get("full_attention")
    if attention_mask is None:
        return None
    if attention_mask.ndim == 4:
        last = attention_mask[:, 0, -1, : input_ids.shape[1]].expand(len(input_ids), -1)
        attention_mask = last if last.dtype == torch.bool else last > HIDDEN
    return attention_mask.to(input_ids.device, torch.bool)  # type: ignore[no-any-return]


def _visual_token_ids(config: Any) -> list[int | None]:
    """Return the ids that stand for image and video features, where the model has them."""
    return [getattr(config, name, None) for name in ("image_token_id", "video_token_id")]


def _image_grids(
    config: Any,
    input_ids: torch.Tensor,
    labels: torch.Tensor,
    grids_thw: tuple[torch.Tensor | None, torch.Tensor | None],
    position_ids: torch.Tensor | None,
) -> list[list[tuple[int, int]]]:
    """Return every row's image grids, from whichever of the sources a call carries.

    `generate` encodes pictures before it calls the model and hands over multimodal position ids
    (3 or 4, B, T) instead of grids; their last axis counts columns.
    """
    known = {
        token_id: iter(_columns(config, grid_thw))
        for token_id, grid_thw in zip(_visual_token_ids(config), grids_thw, strict=True)
        if grid_thw is not None
    }
    left_of: dict[int, tuple[int, int]] = {}  # tokens and columns left of a grid begun before
    grids: list[list[tuple[int, int]]] = []
    for row, row_labels in enumerate(labels):
        positions = (row_labels == IMAGE).nonzero()[:, 0]
        found: list[tuple[int, int]] = []
        # Consecutive tokens are one image or video, or one frame where time stamps stand between.
        for run in positions.tensor_split((positions.diff() > 1).nonzero()[:, 0].cpu() + 1):
            tokens = len(run)
            while tokens > 0:
                token_id = int(input_ids[row, run[0]])
                if token_id in known:
                    begun = left_of.pop(token_id) if token_id in left_of else None
                    left, columns = begun or next(known[token_id], (0, 1))
                    size = (min(left, tokens) // columns, columns)
                    if left > tokens:
                        left_of[token_id] = (left - tokens, columns)
                elif position_ids is not None and position_ids.ndim == 3:
                    columns = len(position_ids[-1, row, run].unique())
                    size = (tokens // columns, columns)
                else:
                    size = _square(tokens)
                if size[0] == 0:
                    raise AttachError(
                        f"Prompt {row} ends inside a picture, but inside the block a prompt must "
                        "be read in one piece: leave out prefill_chunk_size."
                    )
                found.append(size)
                tokens -= size[0] * size[1]
        grids.append(found)
    return grids


def _columns(config: Any, grid_thw: torch.Tensor) -> list[tuple[int, int]]:
    """Return the tokens and columns of each image or video after merging."""
    merge = config.vision_config.spatial_merge_size
    return [
        (frames * (rows // merge) * (columns // merge), columns // merge)
        for frames, rows, columns in grid_thw.tolist()
    ]


def _square(tokens: int) -> tuple[int, int]:
    """Return a square grid of `tokens` cells where there is one, else a single row."""
    side = math.isqrt(tokens)
    return (side, side) if side * side == tokens else (1, tokens)
