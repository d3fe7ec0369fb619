"""The pictures and videos of a comparison as data URLs, no larger than a viewer shows them."""

import base64
import io
from collections.abc import Sequence
from typing import Any

from PIL import Image

from sinktrack.core.images import Picture
from sinktrack.core.parts import is_of, numbered
from sinktrack.core.trace import AttentionTrace
from sinktrack.core.video import Video
from sinktrack.report.words import part_title

PICTURE_SIDE = 1024
"""Pixels; what a viewer shows is never larger."""
_FRAME_SIDE = 448  # pixels, of the frames of a video, which are many
_PNG_BYTES = 200_000  # above this a photograph is better off as JPEG


def visual_names(trace: AttentionTrace) -> list[str]:
    """Return the parts that are pictures or videos, in the order of the prompt."""
    return [name for name in trace.segments if is_of(name, "image")]


def shown_visuals(
    visuals: Sequence[Picture | Video], trace: AttentionTrace
) -> list[dict[str, Any]]:
    """Return the pictures and videos; of a video one frame for each that the model tells apart."""
    found = []
    names, counts = visual_names(trace), trace.frames
    for at, visual in enumerate(visuals):
        kind = "image" if isinstance(visual, Picture) else "video"
        name = names[at] if at < len(names) else kind
        if isinstance(visual, Picture):
            frames = [_data_url(visual.image, PICTURE_SIDE)]
        else:
            count = counts[at] if at < len(counts) else len(visual.frames)
            chosen = [visual.frames[i * len(visual.frames) // count] for i in range(count)]
            frames = [_data_url(frame, _FRAME_SIDE) for frame in chosen]
        found.append({"segment": name, "title": part_title(name), "frames": frames})
    return found


def shown_pictures(pictures: Sequence[Picture]) -> list[dict[str, Any]]:
    """Return pictures that no model has read, as `shown_visuals` returns those of a prompt."""
    names = numbered(["image"] * len(pictures))
    return [
        {
            "segment": name,
            "title": part_title(name),
            "frames": [_data_url(each.image, PICTURE_SIDE)],
        }
        for name, each in zip(names, pictures, strict=True)
    ]


def _data_url(picture: Image.Image, side: int) -> str:
    """Return an RGB picture as a data URL, made smaller if it is larger than `side` pixels."""
    small = picture.convert("RGB")
    small.thumbnail((side, side))
    kind, buffer = "png", io.BytesIO()
    small.save(buffer, "PNG", optimize=True)
    if buffer.tell() > _PNG_BYTES:
        kind, buffer = "jpeg", io.BytesIO()
        small.save(buffer, "JPEG", quality=88)
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
