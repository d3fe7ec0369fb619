"""What was recorded while one answer was written: plain arrays, and one file to keep them in.

Knows nothing about models. `sinktrack.attach` fills it.
"""

import json
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from sinktrack.core.errors import OutputError, TraceError
from sinktrack.core.files import whole_file

SEGMENTS = ("sink", "image", "instruction", "prompt rest", "generated")
SINK, IMAGE, INSTRUCTION, PROMPT_REST, GENERATED = range(len(SEGMENTS))

_FORMAT = "sinktrack-trace-1"


class Token(NamedTuple):
    """One generated token: its id, and the text it added to the answer."""

    id: int
    text: str


@dataclass(frozen=True, kw_only=True)
class AttentionTrace:
    """Where every generated token looked, for T tokens, L layers and H query heads.

    Row t belongs to token t: it is the attention of the query that produced it, so row 0 is the
    last query of the prompt. All tensors are on the CPU.

    Args:
        tokens: The T generated tokens.
        sink: float32 (T, L, H), attention probability on the sink. NaN where a sliding-window layer
            can no longer see it.
        share: float32 (T, L, H, 5), attention probability on each of `SEGMENTS`; sums to 1.
        delivered: float32 (T, L, H), ||p_s v_s|| / ||sum_j p_j v_j||: how much of the head's output
            came from the sink. Can exceed 1 where contributions cancel. NaN as in `sink`.
        image_maps: One uint8 (T, L, rows, cols) per image or video, for Qwen3-VL per frame: mean
            over heads of the probability on each image token, in units of image_scale[t] / 255.
        image_scale: float32 (T,), the largest of those means at token t.
        absorbed: float32 (I, H, N), for each of `absorbed_layers` the probabilities with which the
            sink drew from the N context tokens. (0, H, 0) without a method.
        absorbed_layers: The I layers that injected.
        context_positions: int64 (N,), where in the prompt the context tokens stand.
        prompt_ids: int64 (P,), the prompt without its padding.
        prompt_segments: uint8 (P,), the index into `SEGMENTS` of every prompt token.
        method: `SinkTrack.as_dict()` of the method, or None for the plain model.
    """

    tokens: tuple[Token, ...]
    sink: torch.Tensor
    share: torch.Tensor
    delivered: torch.Tensor
    image_maps: tuple[torch.Tensor, ...]
    image_scale: torch.Tensor
    absorbed: torch.Tensor
    absorbed_layers: tuple[int, ...]
    context_positions: torch.Tensor
    prompt_ids: torch.Tensor
    prompt_segments: torch.Tensor
    method: dict[str, Any] | None = field(default=None)

    @property
    def image_map(self) -> torch.Tensor:
        """The first image's map, uint8 (T, L, rows, cols); (T, L, 0, 0) in a prompt without one."""
        if self.image_maps:
            return self.image_maps[0]
        return torch.zeros(*self.sink.shape[:2], 0, 0, dtype=torch.uint8)

    def save(self, path: str | Path) -> None:
        """Write the trace to one .safetensors file.

        Raises:
            OutputError: If the file cannot be written.
        """
        tensors = {
            item.name: getattr(self, item.name).contiguous()
            for item in fields(self)
            if isinstance(getattr(self, item.name), torch.Tensor)
        }
        tensors |= {f"image_maps/{i}": grid.contiguous() for i, grid in enumerate(self.image_maps)}
        meta = {
            "format": _FORMAT,
            "tokens": self.tokens,
            "absorbed_layers": self.absorbed_layers,
            "method": self.method,
            "segments": SEGMENTS,
        }
        try:
            with whole_file(path, "The trace") as part:
                save_file(tensors, part, metadata={"sinktrack": json.dumps(meta)})
        except SafetensorError as error:  # how its Rust side reports a full disk
            raise OutputError(f"The trace could not be written to {path}: {error}.") from error

    @classmethod
    def load(cls, path: str | Path) -> "AttentionTrace":
        """Read a trace that `save` wrote.

        Raises:
            TraceError: If the file is missing, damaged, or not a trace.
        """
        try:
            with safe_open(path, framework="pt") as file:
                meta = json.loads((file.metadata() or {}).get("sinktrack", "{}"))
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError, ValueError) as error:
            raise TraceError(f"No trace could be read from {path}: {error}.") from error
        if meta.get("format") != _FORMAT:
            raise TraceError(f"{path} is a .safetensors file, but not one that this version saved.")
        maps = sorted((name for name in tensors if "/" in name), key=lambda n: int(n.split("/")[1]))
        return cls(
            tokens=tuple(Token(*token) for token in meta["tokens"]),
            image_maps=tuple(tensors.pop(name) for name in maps),
            absorbed_layers=tuple(meta["absorbed_layers"]),
            method=meta["method"],
            **tensors,
        )
