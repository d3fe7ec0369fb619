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
from sinktrack.core.parts import is_of

_FORMAT = "sinktrack-trace-3"
_BEFORE = "sinktrack-trace-1", "sinktrack-trace-2"


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
        segments: The S parts that attention is divided among: "sink", those of the prompt as in
            `sinktrack.core.parts`, such as "passage" or "image 2", and "generated".
        sink: float32 (T, L, H), attention probability on the sink. NaN where a sliding-window layer
            can no longer see it.
        share: float32 (T, L, H, S), attention probability on each of `segments`; sums to 1.
        delivered: float32 (T, L, H), ||p_s v_s|| / ||sum_j p_j v_j||: how much of the head's output
            came from the sink. Can exceed 1 where contributions cancel. NaN as in `sink`.
        image_maps: One uint8 (T, L, rows, cols) for each picture and video, the frames of a video
            below one another: mean over heads of the probability on each token, in units of
            image_scale[t] / 255.
        image_scale: float32 (T,), the largest of those means at token t.
        frames: How many frames each of the `image_maps` has, 1 for a picture.
        context_attention: float32 (I, H, N), for each of `write_layers` the weights with which the
            first sink drew from the N context tokens. (0, H, 0) where nothing was written.
        write_layers: The I layers that wrote into a sink.
        context_positions: int64 (N,), where in the prompt the context tokens stand.
        write_sources: float32 (I, S + 1), the share of each write that came from the first sink
            itself, from other sinks, and from the other tokens of each part; sums to 1.
        write_norm: float32 (I,), how long the write into the first sink was over what it joined:
            the residual, or for a write into the cache the sink's own value.
        sinks: int64, the positions of the prompt's sinks, by their massive activations; the first
            token is always one.
        moved: How far the method moved each of `sinktrack.core.running.MOVED`: float32 (T, L), or
            (T, 1) for logits. Empty for the plain model.
        candidates: int64 (T, k), the likeliest ids in the distribution that each token was chosen
            from, before temperature and the like, the likeliest first.
        candidate_probabilities: float32 (T, k), their probabilities.
        candidate_texts: Of each of the T tokens the k texts that they have alone.
        prompt_ids: int64 (P,), the prompt without its padding.
        prompt_segments: uint8 (P,), the index into `segments` of every prompt token.
        method: `as_dict()` of the method, or None for the plain model.
    """

    tokens: tuple[Token, ...]
    segments: tuple[str, ...]
    sink: torch.Tensor
    share: torch.Tensor
    delivered: torch.Tensor
    image_maps: tuple[torch.Tensor, ...]
    image_scale: torch.Tensor
    frames: tuple[int, ...]
    context_attention: torch.Tensor
    write_layers: tuple[int, ...]
    context_positions: torch.Tensor
    write_sources: torch.Tensor
    write_norm: torch.Tensor
    sinks: torch.Tensor
    moved: dict[str, torch.Tensor]
    candidates: torch.Tensor
    candidate_probabilities: torch.Tensor
    candidate_texts: tuple[tuple[str, ...], ...]
    prompt_ids: torch.Tensor
    prompt_segments: torch.Tensor
    method: dict[str, Any] | None = field(default=None)

    @property
    def source_names(self) -> tuple[str, ...]:
        """What the columns of `write_sources` are."""
        return (self.segments[0], "other sinks", *self.segments[1:])

    def on(self, kind: str) -> torch.Tensor:
        """Return the attention on all parts of a kind, such as "image", float32 (T, L, H)."""
        columns = [at for at, name in enumerate(self.segments) if is_of(name, kind)]
        return self.share[..., columns].sum(-1)

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
        tensors |= {f"moved/{kind}": moved.contiguous() for kind, moved in self.moved.items()}
        meta = {
            "format": _FORMAT,
            "tokens": self.tokens,
            "candidate_texts": self.candidate_texts,
            "segments": self.segments,
            "frames": self.frames,
            "write_layers": self.write_layers,
            "method": self.method,
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
        if meta.get("format") in _BEFORE:
            _upgrade(meta, tensors)
        elif meta.get("format") != _FORMAT:
            raise TraceError(f"{path} is a .safetensors file, but not one that this version saved.")
        moved = {
            name.split("/")[1]: tensors.pop(name) for name in list(tensors) if "moved/" in name
        }
        maps = [tensors.pop(f"image_maps/{at}") for at in range(len(meta["frames"]))]
        return cls(
            tokens=tuple(Token(*token) for token in meta["tokens"]),
            candidate_texts=tuple(map(tuple, meta["candidate_texts"])),
            segments=tuple(meta["segments"]),
            image_maps=tuple(maps),
            frames=tuple(meta["frames"]),
            write_layers=tuple(meta["write_layers"]),
            moved=moved,
            method=meta["method"],
            **tensors,
        )


def _upgrade(meta: dict[str, Any], tensors: dict[str, torch.Tensor]) -> None:
    """Turn what earlier versions saved into what is saved now.

    None knew candidates, and the first knew five fixed parts and no sources.
    """
    tensors["candidates"] = torch.zeros(len(meta["tokens"]), 0, dtype=torch.long)
    tensors["candidate_probabilities"] = torch.zeros(len(meta["tokens"]), 0)
    meta["candidate_texts"] = [()] * len(meta["tokens"])
    if meta["format"] != _BEFORE[0]:
        return
    meta["segments"] = ["sink", "image", "instruction", "rest", "generated"]
    meta["frames"] = [1] * sum("image_maps/" in name for name in tensors)
    meta["write_layers"] = meta.pop("absorbed_layers")
    writes = len(meta["write_layers"])
    tensors["context_attention"] = tensors.pop("absorbed")
    tensors["write_sources"] = torch.full((writes, 6), float("nan"))
    tensors["write_norm"] = torch.full((writes,), float("nan"))
    tensors["sinks"] = torch.zeros(1, dtype=torch.long)
    if meta["method"] is not None:
        meta["method"] = {"kind": "sinktrack"} | meta["method"]
