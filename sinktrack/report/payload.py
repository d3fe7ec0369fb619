"""One comparison as plain data: all that the viewer draws, in the report and on the page alike.

Attention travels as bytes. Knows nothing about models and nothing about pages.
"""

import base64
import math
from collections.abc import Sequence
from typing import Any

import torch

from sinktrack.core.comparison import Answer, Comparison
from sinktrack.core.errors import TraceError
from sinktrack.core.messages import Text
from sinktrack.core.parts import GENERATED, SINK, is_of
from sinktrack.core.trace import AttentionTrace
from sinktrack.report.visuals import shown_visuals, visual_names
from sinktrack.report.words import (
    lane_title,
    lane_titles,
    moved_in_words,
    moved_titles,
    part_title,
    segments_as_json,
)

__all__ = [
    "lane_title",
    "lane_titles",
    "map_bytes",
    "packed",
    "payload",
    "quantise",
    "rounded",
    "upgraded",
]

_STEPS = 254  # bytes 0..254 are values
_HIDDEN = 255  # stands for NaN
_MOST_MAP_BYTES = 6_000_000  # what the maps of all lanes may weigh inside a payload
_MOST_HEAD_BYTES = 2_000_000  # what each head delivered at each token, likewise

SINK_PATCH = 4.0
"""How many times the median patch a patch is looked at on average to count as a sink of the
picture: such patches draw attention whatever is being said (Kang et al. 2025,
https://arxiv.org/abs/2503.03321)."""


def quantise(values: torch.Tensor) -> tuple[bytes, float]:
    """Pack attention into bytes.

    Args:
        values: float32, probabilities of 0 to 1, or NaN.

    Returns:
        One byte a value in units of scale / 254, 255 for NaN; and the scale, the largest value.
    """
    hidden = torch.isnan(values)
    largest = float(values[~hidden].max()) if not hidden.all() else 0.0
    scale = largest if largest > 0 else 1.0
    steps = (values.nan_to_num(0.0) / scale * _STEPS).round().clamp(0, _STEPS)
    return steps.masked_fill(hidden, _HIDDEN).to(torch.uint8).numpy().tobytes(), scale


def payload(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison as JSON values, which is all that the viewer and the report need.

    The attention over pictures and videos goes in layer by layer, or as a mean over the layers
    where that would be too large; `map_bytes` gives all of it. What each head delivered goes in
    token by token, or as a mean over the answer.

    Args:
        comparison: What `sinktrack.compare` returned.

    Raises:
        TraceError: If the answers were given without a recording.
    """
    answers = list(comparison.answers.values())
    traces = [_trace_of(answer) for answer in answers]
    by_layer = sum(grid.numel() for trace in traces for grid in trace.image_maps) <= _MOST_MAP_BYTES
    by_head = sum(trace.delivered.numel() for trace in traces) <= _MOST_HEAD_BYTES
    titles = lane_titles({name: answer.method for name, answer in comparison.items()})
    plain = next((a.trace for a in answers if a.method is None and a.trace), traces[0])
    return {
        "model": comparison.model_name,
        "revision": comparison.revision,
        "made": comparison.made,
        "question": comparison.question,
        "passage": comparison.passage,
        "turns": _earlier_turns(comparison),
        "segments": segments_as_json(plain.segments),
        "visuals": shown_visuals(comparison.visuals, plain),
        "notices": [notice for each in comparison.visuals for notice in each.notices],
        "settings": dict(comparison.settings),
        "versions": dict(comparison.versions),
        "sinks": _sinks(plain, comparison),
        "lanes": [
            _lane(answer, comparison, titles[answer.name], by_layer, by_head) for answer in answers
        ],
        "parts_at": parts_at([answer.token_ids for answer in answers]),
    }


def map_bytes(answer: Answer, visual: int = 0) -> bytes:
    """Return the attention over one picture or video, uint8 (T, L, rows * cols) in reading order.

    The frames of a video are below one another. Values of token t are in units of its entry in the
    payload's `maps[visual]["scale"]` / 255.

    Args:
        answer: The answer.
        visual: Which of the prompt's pictures and videos, counted from 0.
    """
    maps = _trace_of(answer).image_maps
    return maps[visual].numpy().tobytes() if visual < len(maps) else b""


def _lane(
    answer: Answer,
    comparison: Comparison,
    title: tuple[str, str],
    by_layer: bool,
    by_head: bool,
) -> dict[str, Any]:
    trace = _trace_of(answer)
    sink = packed(trace.sink)
    shares = trace.share.mean(2)  # (T, L, S)
    columns = {name: shares[..., at] for at, name in enumerate(trace.segments) if name != SINK}
    # Nobody looks for what the chat template wrote, or for words that a window has dropped.
    left = {
        name: _left_at(share) for name, share in columns.items() if name not in (GENERATED, "rest")
    }
    return {
        "name": answer.name,
        "title": title[0],
        "subtitle": title[1],
        "text": answer.text,
        "finish": answer.finish,
        "seconds_to_first_token": _finite(answer.seconds_to_first_token),
        "tokens_per_second": _finite(answer.tokens_per_second),
        "method": None if answer.method is None else answer.method.as_dict(),
        "moved": {kind: _finite(most) for kind, most in answer.moved.items()},
        "moved_words": moved_in_words(answer.moved),
        "moved_at": _moved_at(trace),
        "notice": answer.notice and title[0] + answer.notice.removeprefix(answer.name),
        "tokens": [token.text for token in trace.tokens],
        "told": len(comparison.settings.get("beginnings", {}).get(answer.name, ())),
        "ids": list(answer.token_ids),
        "probabilities": [round(each, 6) for each in answer.probabilities],
        "candidates": _candidates(trace),
        "layers": trace.sink.shape[1],
        "heads": trace.sink.shape[2],
        "injected": list(trace.write_layers),
        "sink": sink["bytes"],
        "scale": sink["scale"],
        "shares": {name: packed(share) for name, share in columns.items()},
        "delivered": packed(trace.delivered.nanmean(2)),
        "delivered_heads": packed(trace.delivered)
        if by_head
        else packed(trace.delivered.nanmean(0)) | {"mean": True},
        "left": {name: at for name, at in left.items() if at is not None},
        "maps": [_map(trace, visual, by_layer) for visual in range(len(trace.image_maps))]
        if trace.tokens
        else [],
        "writes": _writes(answer, comparison),
    }


def _candidates(trace: AttentionTrace) -> dict[str, Any] | None:
    """Return what nearly stood at each token, the likeliest first; None if it was not kept."""
    if not trace.candidates.shape[1]:
        return None
    return {
        "ids": trace.candidates.tolist(),
        "texts": [list(texts) for texts in trace.candidate_texts],
        "probabilities": rounded(trace.candidate_probabilities),
    }


def _moved_at(trace: AttentionTrace) -> list[dict[str, Any]]:
    """Return by kind the most that was moved at each token, up to the last one that was moved.

    A value that is no number is None. Kinds that were moved nowhere are left out.
    """
    found = []
    for kind, (title, unit) in moved_titles(trace.moved).items():
        most = trace.moved[kind].amax(1)  # (T,)
        moved = (most != 0).nonzero()
        if not len(moved):
            continue
        most = most[: int(moved[-1]) + 1]
        values = [float(f"{each:.3g}") if math.isfinite(each) else None for each in most.tolist()]
        found.append({"kind": kind, "title": title, "unit": unit, "values": values})
    return found


def _trace_of(answer: Answer) -> AttentionTrace:
    if answer.trace is None:
        raise TraceError(
            f"The answer {answer.name!r} has no recording, so there is nothing to show: ask with "
            "record=True."
        )
    return answer.trace


def _earlier_turns(comparison: Comparison) -> list[dict[str, Any]]:
    """Return the turns before the last one, which is the question's."""
    turns, seen = [], 0
    for turn in comparison.turns[:-1]:
        shown = sum(not isinstance(each, Text) for each in turn.content)
        visuals = list(range(seen, seen + shown))
        seen += shown
        turns.append({"role": turn.role, "text": turn.text, "visuals": visuals})
    return turns


def _sinks(trace: AttentionTrace, comparison: Comparison) -> list[dict[str, Any]]:
    """Return where in the prompt its sinks are, counted from 0, and what they say."""
    found = []
    for at in trace.sinks.tolist():
        name = SINK if at == 0 else trace.segments[int(trace.prompt_segments[at])]
        known = at < len(comparison.prompt) and not is_of(name, "image")
        text = comparison.prompt[at].text if known else ""
        found.append({"position": at, "text": text, "title": part_title(name)})
    return found


def parts_at(answers: Sequence[Sequence[int]]) -> int | None:
    """Return the first token at which not all answers agree; None if they never part."""
    longest = max(map(len, answers), default=0)
    for index in range(longest):
        if len({tuple(ids[index : index + 1]) for ids in answers}) > 1:
            return index
    return None


def _left_at(share: torch.Tensor) -> int | None:
    """Return the token from which on nothing of a part of the prompt is in view, if it ever is.

    Args:
        share: float32 (T, L), the attention on that part.
    """
    seen = (share > 0).any(1).nonzero()
    if not len(seen) or int(seen[-1]) == len(share) - 1:
        return None
    return int(seen[-1]) + 1


def _map(trace: AttentionTrace, visual: int, by_layer: bool) -> dict[str, Any]:
    """Return the attention over a picture or video, and what is needed to read it elsewhere."""
    grid, frames, scale = trace.image_maps[visual], trace.frames[visual], trace.image_scale
    rows, cols = grid.shape[2] // frames, grid.shape[3]
    mean = grid.mean(1, keepdim=True, dtype=torch.float32)  # (T, 1, frames * rows, cols)
    looked = (mean.flatten(1) * scale[:, None]).mean(0)  # (frames * rows * cols,)
    if not by_layer:
        grid = mean.round().to(torch.uint8)  # no larger than the largest, so the scale holds
    return {
        "visual": visual,
        "frames": frames,
        "rows": rows,
        "cols": cols,
        "layers": grid.shape[1],
        "scale": [float(f"{each:.6g}") for each in scale.tolist()],
        "sink_patches": (looked > SINK_PATCH * looked.median()).nonzero()[:, 0].tolist(),
        "bytes": base64.b64encode(grid.numpy().tobytes()).decode("ascii"),
    }


def _writes(answer: Answer, comparison: Comparison) -> dict[str, Any] | None:
    """Return what the first sink drew from its context at each layer, as a mean over heads."""
    trace = _trace_of(answer)
    if not trace.write_layers:
        return None
    weights = trace.context_attention.mean(1)  # (I, N)
    whole = weights.new_zeros(len(weights), len(trace.prompt_ids))
    whole[:, trace.context_positions] = weights
    part_of = trace.prompt_segments.long()
    drawn = torch.zeros(len(part_of), dtype=torch.bool)
    drawn[trace.context_positions] = True
    visuals: list[dict[str, Any] | None] = []
    for name, grid in zip(visual_names(trace), trace.image_maps, strict=False):
        own = part_of == trace.segments.index(name)
        complete = int(own.sum()) == grid.shape[2] * grid.shape[3]
        visuals.append(packed(whole[:, own]) if complete and (own & drawn).any() else None)
        drawn &= ~own
    worded = drawn.nonzero()[:, 0]
    known = trace.write_sources.isfinite().all() and trace.write_norm.isfinite().all()
    names = ["other" if name == "other sinks" else name for name in trace.source_names]
    method = answer.method.as_dict() if answer.method else {}
    return {
        "layers": list(trace.write_layers),
        "visuals": visuals,
        "words": packed(whole[:, worded]) if len(worded) else None,
        "texts": [comparison.prompt[int(at)].text for at in worded] if comparison.prompt else [],
        "starts": _starts(worded, part_of, trace.segments),
        "sources": {
            "names": [part_title(name) for name in names],
            "segments": names,
            "shares": rounded(trace.write_sources),
        }
        if known
        else None,
        "norms": rounded(trace.write_norm) if known else None,
        "into": method.get("write", "output"),
    }


def _starts(
    positions: torch.Tensor, part_of: torch.Tensor, segments: Sequence[str]
) -> list[dict[str, Any]]:
    """Return where among words of the prompt those of another part begin, and its title.

    Args:
        positions: int64 (W,), where the words stand.
        part_of: int64 (P,), the part of every token of the prompt.
        segments: The parts' names.
    """
    found: list[dict[str, Any]] = []
    parts = part_of[positions].tolist()
    for at, part in enumerate(parts):
        if at == 0 or part != parts[at - 1]:
            found.append({"at": at, "title": part_title(segments[part])})
    return found


def upgraded(data: dict[str, Any]) -> dict[str, Any]:
    """Return a stored payload in the present shape.

    Payloads that were stored before prompts could have any parts know one picture, one question and
    SinkTrack alone. What they do not hold, such as what a write was made of, stays away.
    """
    # What is no object is refused here; the date was not always kept.
    data = {"revision": "", "made": ""} | dict(data)
    if "segments" in data:
        return data
    pictured = ["image"] if data.get("picture") else []
    old = {name: value for name, value in data.items() if name != "picture"}
    return old | {
        "passage": "",
        "turns": [],
        "segments": segments_as_json([SINK, *pictured, "instruction", "rest", GENERATED]),
        "visuals": [
            {"segment": name, "title": part_title(name), "frames": [data["picture"]]}
            for name in pictured
        ],
        "sinks": [],
        "lanes": [_upgraded_lane(lane, pictured) for lane in data["lanes"]],
        "parts_at": data.get("parts_at"),
    }


def _upgraded_lane(lane: dict[str, Any], pictured: list[str]) -> dict[str, Any]:
    lane, gone = dict(lane), ("means", "absorbed", "maps", "left")
    means, maps, left = dict(lane.get("means") or {}), lane.get("maps"), lane.get("left") or {}
    new = {name: value for name, value in lane.items() if name not in gone}
    parts = [*pictured, "instruction", "rest", GENERATED]
    method = lane.get("method")
    return new | {
        "method": {"kind": "sinktrack"} | method if method else None,
        "moved": {},
        "moved_words": "",
        "moved_at": [],
        "notice": None,
        "shares": {name: means[name] for name in parts if name in means},
        "delivered": means.get("delivered"),
        "delivered_heads": None,
        "told": 0,
        "candidates": None,
        "left": {name: at for name, at in left.items() if at is not None},
        "maps": [{"visual": 0, "frames": 1} | maps] if maps and pictured else [],
        "writes": _upgraded_writes(lane.get("absorbed"), method),
    }


def _upgraded_writes(
    absorbed: dict[str, Any] | None, method: dict[str, Any] | None
) -> dict[str, Any] | None:
    if absorbed is None:
        return None
    asked = "instruction" in (method or {}).get("context", "")
    words = {"at": 0, "title": part_title("instruction") if asked else "Words"}
    return {
        "layers": absorbed["layers"],
        "visuals": [absorbed["picture"]],
        "words": absorbed["words"],
        "texts": absorbed["texts"],
        "starts": [words] if absorbed["words"] else [],
        "sources": {
            "names": ["Picture", words["title"]],
            "segments": ["image", "instruction"],
            "shares": [[share, max(0.0, 1 - share)] for share in absorbed["picture_share"]],
        },
        "norms": None,
        "into": "output",
    }


def packed(values: torch.Tensor) -> dict[str, Any]:
    """Return values as `quantise` packs them, the bytes in base 64."""
    content, scale = quantise(values)
    return {"bytes": base64.b64encode(content).decode("ascii"), "scale": scale}


def rounded(values: torch.Tensor) -> Any:
    """Return numbers as lists, to four digits that matter."""
    if values.ndim > 1:
        return [rounded(row) for row in values]
    return [float(f"{each:.4g}") for each in values.tolist()]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None  # JSON knows neither NaN nor infinity
