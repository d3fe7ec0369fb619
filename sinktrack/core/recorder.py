"""Collects what the layers report during one generation and turns it into traces.

Everything stays on the model's device until a trace is asked for, and no array grows with the
square of the sequence. Knows nothing about hooks.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from sinktrack.core.attention import LastQuery
from sinktrack.core.errors import TraceError
from sinktrack.core.parts import PADDING, PromptSegments
from sinktrack.core.text import token_texts
from sinktrack.core.trace import GENERATED, SEGMENTS, SINK, AttentionTrace, Token
from sinktrack.methods.sinktrack import SinkTrack


class Recorder:
    """Records one generation after another; `trace()` gives the last one.

    Args:
        num_layers: L, the decoder's layers.
        enabled: False records nothing and `trace()` raises.
        eos_ids: Ids that end an answer; what a batch generates for a row after one is dropped.
    """

    def __init__(self, num_layers: int, enabled: bool = True, eos_ids: Sequence[int] = ()) -> None:
        """Start with nothing recorded."""
        self.enabled = enabled
        self._num_layers = num_layers
        self.eos_ids = frozenset(eos_ids)
        self._prompt: PromptSegments | None = None

    def start(self, prompt: PromptSegments, methods: Sequence[SinkTrack | None]) -> None:
        """Forget the last generation and begin one with B rows."""
        self._prompt = prompt
        self._methods = list(methods)
        self._one_hot = _one_hot(prompt.labels)
        self._sinks = prompt.sinks
        self._origins: torch.Tensor | None = None
        positions = [prompt.image_positions(row) for row in range(len(self._methods))]
        self._image = torch.nn.utils.rnn.pad_sequence(positions, batch_first=True)  # (B, N)
        self._ids: list[torch.Tensor] = []
        self._steps: list[_Step] = []
        self._absorbed: dict[tuple[int, int], torch.Tensor] = {}
        self._last_logits: torch.Tensor | None = None

    def begin_step(self, input_ids: torch.Tensor | None) -> None:
        """Begin a forward pass; `input_ids` (B, Q) are the tokens it adds, None in the prefill."""
        if input_ids is not None:
            self._ids.append(input_ids[:, -1])
            added = torch.full_like(input_ids, GENERATED)
            self._one_hot = torch.cat([self._one_hot, _one_hot(added)], dim=1)
            if self._origins is not None:
                self._origins = nn.functional.pad(self._origins, (0, 1), value=self._prompt_length)
        self._steps.append(_Step())

    def keep(self, columns: torch.Tensor) -> None:
        """Forget the keys that the cache has forgotten, for the step begun last and those to come.

        Args:
            columns: int64 (B, K), the columns that are left of those before this step's token.
        """
        if self._origins is None:
            origins = torch.arange(self._one_hot.shape[1], device=columns.device)
            self._origins = origins.clamp(max=self._prompt_length).expand(len(columns), -1)
        now = torch.full_like(columns[:, :1], self._one_hot.shape[1] - 1)
        columns = torch.cat([columns, now], dim=1)
        self._one_hot = torch.take_along_dim(self._one_hot, columns[..., None], dim=1)
        self._origins = torch.take_along_dim(self._origins, columns, dim=1)
        found = columns == self._sinks[:, None]
        self._sinks = found.int().argmax(1).masked_fill(~found.any(1), -1)

    def end_step(self, logits: torch.Tensor | None) -> None:
        """End a forward pass that gave `logits` (B, Q, V)."""
        self._last_logits = None if logits is None else logits[:, -1]
        self._steps[-1].pack_image()

    def abandon_step(self) -> None:
        """Forget a forward pass that failed."""
        self._steps.pop()
        if self._steps:
            self._ids.pop()
            self._one_hot = self._one_hot[:, :-1]
            self._origins = self._origins[:, :-1] if self._origins is not None else None
        else:
            self._prompt = None

    def segments(self, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
        """Return float32 (B, K, 5), one-hot segments of the keys that are left, and the sinks.

        The sinks are int64 (B,), their columns, or -1 where the cache has forgotten them.
        """
        if self._prompt is None:
            raise TraceError("Nothing is being recorded.")
        return self._one_hot.to(device), self._sinks.to(device)

    def attended(self, layer_idx: int, last_query: LastQuery) -> None:
        """Take where the last query of a layer looked; until rows part, one stands for several."""
        rows, heads = len(self._methods), last_query.share.shape[1]
        step = self._steps[-1]
        if step.share is None or step.delivered is None or step.image is None:
            step.share = last_query.share.new_empty(self._num_layers, rows, heads, len(SEGMENTS))
            step.delivered = last_query.delivered.new_empty(self._num_layers, rows, heads)
            step.image = last_query.keys.new_empty(self._num_layers, rows, self._image.shape[1])
        share, delivered, keys = (
            measured.to(step.share.device).repeat_interleave(rows // len(measured), dim=0)
            for measured in (last_query.share, last_query.delivered, last_query.keys)
        )
        step.share[layer_idx], step.delivered[layer_idx] = share, delivered
        if self._origins is not None:  # back to where they stood in the prompt
            columns = self._origins.to(keys.device)
            keys = keys.new_zeros(rows, self._prompt_length + 1).scatter_add(1, columns, keys)
        step.image[layer_idx] = keys.gather(1, self._image.to(keys.device))

    @property
    def _prompt_length(self) -> int:
        assert self._prompt is not None
        return self._prompt.labels.shape[1]

    def absorbed(self, layer_idx: int, row: int, probabilities: torch.Tensor) -> None:
        """Take float32 (H, N), what a row's sink drew from its context at a layer."""
        self._absorbed[row, layer_idx] = probabilities

    def trace(
        self, row: int = 0, *, token_ids: Sequence[int] | None = None, tokenizer: Any = None
    ) -> AttentionTrace:
        """Return what was recorded of one row of the last generation.

        Args:
            row: The row of the batch.
            token_ids: The generated ids, or the first ones of them. The last one is seen by no
                forward pass; without them it is taken to be the most likely token, which sampling
                and penalties may not choose.
            tokenizer: Gives the tokens their texts; without it they are empty.

        Raises:
            TraceError: If nothing was recorded, there is no such row, or `token_ids` are not what
                was read while it was recorded.
        """
        if not self.enabled:
            raise TraceError("Recording is off: attach with record=True to get a trace.")
        if self._prompt is None or not self._steps or self._steps[0].share is None:
            raise TraceError(
                "Nothing was recorded: run generate or forward inside the block first."
            )
        if not isinstance(row, int) or not 0 <= row < len(self._methods):
            raise TraceError(
                f"There is no row {row}: the batch had {len(self._methods)} rows, counted from 0."
            )
        read = torch.stack(self._ids)[:, row].tolist() if self._ids else []
        ids = self._generated_ids(row, read) if token_ids is None else _checked(token_ids, read)
        steps = self._steps[: len(ids)]
        share = torch.stack([step.share[:, row] for step in steps if step.share is not None])
        delivered = torch.stack(
            [step.delivered[:, row] for step in steps if step.delivered is not None]
        )
        share, delivered = share.cpu(), delivered.cpu()
        method = self._methods[row]
        layers = tuple(layer for absorbed_row, layer in self._absorbed if absorbed_row == row)
        prompt_labels = self._prompt.labels[row].cpu()
        real = prompt_labels != PADDING
        context = torch.empty(0, dtype=torch.long)
        if method is not None and layers:
            padded = self._prompt.context_positions(method, row).cpu()
            context = (real.cumsum(0) - 1)[padded]
        heads = share.shape[2]
        image_maps, image_scale = self._image_maps(row, steps)
        return AttentionTrace(
            tokens=tuple(map(Token, ids, token_texts(tokenizer, ids))),
            sink=share[..., SINK].masked_fill(delivered.isnan(), float("nan")),
            share=share,
            delivered=delivered,
            image_maps=image_maps,
            image_scale=image_scale,
            absorbed=torch.stack([self._absorbed[row, layer].cpu() for layer in layers])
            if layers
            else torch.empty(0, heads, 0),
            absorbed_layers=layers,
            context_positions=context,
            prompt_ids=self._prompt.input_ids[row].cpu()[real],
            prompt_segments=prompt_labels[real].to(torch.uint8),
            method=method.as_dict() if method is not None else None,
        )

    def _generated_ids(self, row: int, read: Sequence[int]) -> list[int]:
        """Return the ids that the forward passes read and the likeliest next one, up to an end."""
        ids = list(read)
        if self._last_logits is not None:
            ids.append(int(self._last_logits[row].argmax()))
        for index, token_id in enumerate(ids):
            if token_id in self.eos_ids:
                return ids[: index + 1]
        return ids

    def _image_maps(
        self, row: int, steps: Sequence["_Step"]
    ) -> tuple[tuple[torch.Tensor, ...], torch.Tensor]:
        """Return uint8 (T, L, rows, cols) for each image of a row, and the scales float32 (T,)."""
        assert self._prompt is not None
        packed = [step.packed for step in steps if step.packed is not None]
        flat = torch.stack([weights[:, row] for weights, _ in packed]).cpu()  # (T, L, N)
        scale = torch.stack([scales[row] for _, scales in packed]).cpu()
        maps, start = [], 0
        for rows, cols in self._prompt.grids[row]:
            cells = flat[..., start : start + rows * cols]
            maps.append(cells.reshape(*cells.shape[:2], rows, cols))
            start += rows * cols
        return tuple(maps), scale


class _Step:
    """One forward pass: share (L, B, H, 5), delivered (L, B, H), image (L, B, N), all float32."""

    def __init__(self) -> None:
        self.share: torch.Tensor | None = None
        self.delivered: torch.Tensor | None = None
        self.image: torch.Tensor | None = None
        self.packed: tuple[torch.Tensor, torch.Tensor] | None = None

    def pack_image(self) -> None:
        """Replace image by uint8 (L, B, N) in units of scale / 255, with scale float32 (B,)."""
        if self.image is None:
            return
        layers, rows, cells = self.image.shape
        scale = self.image.amax((0, 2)) if cells else self.image.new_zeros(rows)
        units = self.image * (255 / scale.clamp(min=1e-12))[None, :, None]
        self.packed = units.round().to(torch.uint8), scale
        self.image = None


def _checked(token_ids: Sequence[int], read: Sequence[int]) -> list[int]:
    """Return the ids of an answer, if they are those that the steps read one after the other."""
    try:
        ids = [int(token_id) for token_id in token_ids]
    except (TypeError, ValueError) as error:
        raise TraceError("token_ids must be a flat list of token ids, of one row.") from error
    if not ids:
        raise TraceError("token_ids is empty: give the generated ids, or leave it out.")
    if len(ids) > len(read) + 1 or ids[: len(read)] != read[: len(ids)]:
        raise TraceError(
            f"token_ids holds {len(ids)} ids that are not the {len(read) + 1} tokens recorded: "
            "give the generated ids alone, without the prompt, and of this row."
        )
    return ids


def _one_hot(labels: torch.Tensor) -> torch.Tensor:
    """Return float32 (B, K, 5) for labels (B, K); padding, which nothing looks at, is all zero."""
    classes = torch.arange(len(SEGMENTS), device=labels.device)
    return (labels[..., None] == classes).float()
