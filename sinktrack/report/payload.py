"""One comparison as plain data: all that the viewer draws, in the report and on the page alike.

Attention travels as bytes. Knows nothing about models and nothing about pages.
"""

import base64
import io
import math
from typing import Any

import torch
from PIL import Image

from sinktrack.core.comparison import Answer, Comparison
from sinktrack.core.errors import TraceError
from sinktrack.core.trace import GENERATED, IMAGE, INSTRUCTION, PROMPT_REST, AttentionTrace
from sinktrack.methods.sinktrack import SinkTrack

_STEPS = 254  # bytes 0..254 are values
_HIDDEN = 255  # stands for NaN
_PICTURE_SIDE = 1024  # pixels; what a viewer shows is never larger
_PNG_BYTES = 200_000  # above this a photograph is better off as JPEG
_MOST_MAP_BYTES = 6_000_000  # what the maps of all lanes may weigh inside a payload

SINK_PATCH = 4.0
"""How many times the median patch a patch is looked at on average to count as a sink of the
picture: such patches draw attention whatever is being said (Kang et al. 2025,
https://arxiv.org/abs/2503.03321)."""

_CONTEXTS = {
    "image": "the picture",
    "instruction": "the question",
    "image+instruction": "picture and question",
    "prompt": "the whole prompt",
}


def lane_title(name: str, method: SinkTrack | None) -> tuple[str, str]:
    """Return what a lane is called, and one line on what was done to the model in it."""
    title = {"baseline": "Plain model", "sinktrack": "SinkTrack"}.get(name, name)
    if method is None or not method.layers:
        return title, "Nothing changed."
    layers = ", ".join(map(str, method.layers))
    strength = "" if method.strength == 1 else f", strength {method.strength:g}"
    return (
        title,
        f"Writes {_CONTEXTS[method.context]} into BOS at layers {layers}{strength} · "
        f"{method.causal} mask",
    )


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

    The attention over the picture goes in layer by layer, or as a mean over the layers where that
    would be too large; `map_bytes` gives all of it.

    Args:
        comparison: What `sinktrack.compare` returned.

    Raises:
        TraceError: If the answers were given without a recording.
    """
    picture = comparison.picture
    answers = list(comparison.answers.values())
    maps = sum(_trace_of(answer).image_map.numel() for answer in answers)
    by_layer = maps <= _MOST_MAP_BYTES
    return {
        "model": comparison.model_name,
        "question": comparison.question,
        "picture": None if picture is None else _data_url(picture.image),
        "notices": [] if picture is None else list(picture.notices),
        "settings": dict(comparison.settings),
        "versions": dict(comparison.versions),
        "lanes": [_lane(answer, comparison, by_layer) for answer in answers],
        "parts_at": _parts_at(answers),
    }


def map_bytes(answer: Answer) -> bytes:
    """Return the attention over the first picture, uint8 (T, L, rows * cols) one after the other.

    Values of token t are in units of its entry in the payload's `maps["scale"]` / 255.
    """
    return _trace_of(answer).image_map.numpy().tobytes()


def _lane(answer: Answer, comparison: Comparison, by_layer: bool) -> dict[str, Any]:
    trace = _trace_of(answer)
    sink = _packed(trace.sink)
    title, subtitle = lane_title(answer.name, answer.method)
    shares = trace.share.mean(2)  # (T, L, 5)
    return {
        "name": answer.name,
        "title": title,
        "subtitle": subtitle,
        "text": answer.text,
        "finish": answer.finish,
        "seconds_to_first_token": _finite(answer.seconds_to_first_token),
        "tokens_per_second": _finite(answer.tokens_per_second),
        "method": None if answer.method is None else answer.method.as_dict(),
        "tokens": [token.text for token in trace.tokens],
        "ids": list(answer.token_ids),
        "probabilities": [round(each, 6) for each in answer.probabilities],
        "layers": trace.sink.shape[1],
        "heads": trace.sink.shape[2],
        "injected": [] if answer.method is None else list(answer.method.layers),
        "sink": sink["bytes"],
        "scale": sink["scale"],
        "means": {
            "image": _packed(shares[..., IMAGE]),
            "instruction": _packed(shares[..., INSTRUCTION]),
            "rest": _packed(shares[..., PROMPT_REST]),
            "generated": _packed(shares[..., GENERATED]),
            "delivered": _packed(trace.delivered.nanmean(2)),
        },
        "left": {
            "image": _left_at(shares[..., IMAGE]),
            "instruction": _left_at(shares[..., INSTRUCTION]),
        },
        "maps": _maps(trace, by_layer),
        "absorbed": _absorbed(trace, comparison),
    }


def _trace_of(answer: Answer) -> AttentionTrace:
    if answer.trace is None:
        raise TraceError(
            f"The answer {answer.name!r} has no recording, so there is nothing to show: ask with "
            "record=True."
        )
    return answer.trace


def _parts_at(answers: list[Answer]) -> int | None:
    """Return the first token at which not all answers agree; None if they never part."""
    longest = max((len(answer.token_ids) for answer in answers), default=0)
    for index in range(longest):
        if len({answer.token_ids[index : index + 1] for answer in answers}) > 1:
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


def _maps(trace: AttentionTrace, by_layer: bool) -> dict[str, Any] | None:
    """Return the attention over the first picture, and what is needed to read it elsewhere."""
    grid = trace.image_map
    tokens, _, rows, cols = grid.shape
    if not tokens or not rows * cols:
        return None
    scale = trace.image_scale
    mean = grid.mean(1, keepdim=True, dtype=torch.float32)  # (T, 1, rows, cols)
    looked = (mean.flatten(1) * scale[:, None]).mean(0)  # (rows * cols,)
    if not by_layer:
        grid = mean.round().to(torch.uint8)  # no larger than the largest, so the scale holds
    return {
        "rows": rows,
        "cols": cols,
        "layers": grid.shape[1],
        "scale": [float(f"{each:.6g}") for each in scale.tolist()],
        "sink_patches": (looked > SINK_PATCH * looked.median()).nonzero()[:, 0].tolist(),
        "bytes": base64.b64encode(grid.numpy().tobytes()).decode("ascii"),
    }


def _absorbed(trace: AttentionTrace, comparison: Comparison) -> dict[str, Any] | None:
    """Return what the sink drew from its context at each injected layer, as a mean over heads."""
    if not trace.absorbed_layers:
        return None
    positions = trace.context_positions
    kinds = trace.prompt_segments[positions]
    # rows and columns are known of the first picture alone
    rows, cols = trace.image_map.shape[2:]
    pictured = (kinds == IMAGE).nonzero()[:, 0][: rows * cols]
    worded = (kinds != IMAGE).nonzero()[:, 0]
    weights = trace.absorbed.mean(1)  # (I, N)
    return {
        "layers": list(trace.absorbed_layers),
        "rows": rows if len(pictured) else 0,
        "cols": cols if len(pictured) else 0,
        "picture": _packed(weights[:, pictured]) if len(pictured) else None,
        "words": _packed(weights[:, worded]) if len(worded) else None,
        "texts": [comparison.prompt[int(at)].text for at in positions[worded]]
        if comparison.prompt
        else [],
        "picture_share": [
            float(f"{each:.4g}") for each in weights[:, kinds == IMAGE].sum(1).tolist()
        ],
    }


def _packed(values: torch.Tensor) -> dict[str, Any]:
    packed, scale = quantise(values)
    return {"bytes": base64.b64encode(packed).decode("ascii"), "scale": scale}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None  # JSON knows neither NaN nor infinity


def _data_url(picture: Image.Image) -> str:
    """Return an RGB picture as a data URL, made smaller if it is large."""
    small = picture.convert("RGB")
    small.thumbnail((_PICTURE_SIDE, _PICTURE_SIDE))
    kind, buffer = "png", io.BytesIO()
    small.save(buffer, "PNG", optimize=True)
    if buffer.tell() > _PNG_BYTES:
        kind, buffer = "jpeg", io.BytesIO()
        small.save(buffer, "JPEG", quality=88)
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
