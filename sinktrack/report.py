"""One comparison as plain data, and as one HTML file that needs nothing but a browser.

Knows nothing about models and nothing about pages: `sinktrack/viewer` draws what `payload` holds,
in this report and on the page alike.
"""

import base64
import io
import json
import math
from html import escape
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from sinktrack.comparison import Answer, Comparison
from sinktrack.errors import TraceError
from sinktrack.files import whole_file
from sinktrack.method import SinkTrack

_VIEWER = Path(__file__).parent / "viewer"
_STEPS = 254  # bytes 0..254 are values
_HIDDEN = 255  # stands for NaN
_PICTURE_SIDE = 1024  # pixels; what a report shows is never larger
_PNG_BYTES = 200_000  # above this a photograph is better off as JPEG

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

    Raises:
        TraceError: If the answers were given without a recording.
    """
    picture = comparison.picture
    return {
        "model": comparison.model_name,
        "question": comparison.question,
        "picture": None if picture is None else _data_url(picture.image),
        "notices": [] if picture is None else list(picture.notices),
        "settings": dict(comparison.settings),
        "versions": dict(comparison.versions),
        "lanes": [_lane(answer) for answer in comparison.answers.values()],
    }


def _lane(answer: Answer) -> dict[str, Any]:
    trace = answer.trace
    if trace is None:
        raise TraceError(
            f"The answer {answer.name!r} has no recording, so there is nothing to show: ask with "
            "record=True."
        )
    packed, scale = quantise(trace.sink)
    title, subtitle = lane_title(answer.name, answer.method)
    return {
        "name": answer.name,
        "title": title,
        "subtitle": subtitle,
        "figures": _figures(len(trace.tokens), answer.tokens_per_second),
        "text": answer.text,
        "finish": answer.finish,
        "seconds_to_first_token": _finite(answer.seconds_to_first_token),
        "tokens_per_second": _finite(answer.tokens_per_second),
        "method": None if answer.method is None else answer.method.as_dict(),
        "tokens": [token.text for token in trace.tokens],
        "layers": trace.sink.shape[1],
        "heads": trace.sink.shape[2],
        "injected": [] if answer.method is None else list(answer.method.layers),
        "sink": base64.b64encode(packed).decode("ascii"),
        "scale": scale,
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None  # JSON knows neither NaN nor infinity


def _figures(count: int, per_second: float) -> str:
    figures = [f"{count} token{'' if count == 1 else 's'}"]
    if math.isfinite(per_second) and per_second > 0:
        figures.append(f"{per_second:.3g} tokens/s")
    return " · ".join(figures)


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


def viewer_script() -> str:
    """Return the viewer's JavaScript, which defines `SinkTrackViewer`."""
    names = ("colour.js", "heatmap.js", "lane.js", "viewer.js")
    return "\n".join((_VIEWER / name).read_text("utf-8") for name in names)


def viewer_style() -> str:
    """Return the viewer's CSS."""
    return (_VIEWER / "viewer.css").read_text("utf-8")


def render(data: dict[str, Any]) -> str:
    """Return what `payload` made as one HTML page.

    The page loads nothing: styles, script, picture and numbers are inside, and its content security
    policy forbids the rest.
    """
    slots = {
        "STYLE": viewer_style() + (_VIEWER / "report.css").read_text("utf-8"),
        "SCRIPT": viewer_script(),
        # A "<" could end the script element, so that it travels as its JSON escape.
        "DATA": json.dumps(data, allow_nan=False).replace("<", "\\u003c"),
        "MODEL": escape(data["model"]),
        "QUESTION": escape(data["question"]),
        "PICTURE": _picture_html(data),
        "ANSWERS": "".join(
            f"<h2>{escape(lane['title'])}</h2><p>{escape(lane['text'])}</p>"
            for lane in data["lanes"]
        ),
        "SETTINGS": _rows(data["settings"]),
        "VERSIONS": _rows(data["versions"]),
    }
    # One pass over the template's own marks, so that marks inside the data stay as they are.
    first, *rest = (_VIEWER / "report.html").read_text("utf-8").split("{{")
    return first + "".join(
        slots[name] + after for name, after in (part.split("}}", 1) for part in rest)
    )


def _picture_html(data: dict[str, Any]) -> str:
    if data["picture"] is None:
        return ""
    notices = "".join(f"<li>{escape(notice)}</li>" for notice in data["notices"])
    picture = f'<img src="{escape(data["picture"])}" alt="The picture that was asked about">'
    return f"<figure>{picture}</figure>" + (
        f'<ul class="notices">{notices}</ul>' if notices else ""
    )


def _rows(values: dict[str, Any]) -> str:
    def shown(value: Any) -> str:
        if isinstance(value, bool):
            return "yes" if value else "no"
        return "not set" if value is None else str(value)

    return "".join(
        f"<div><dt>{escape(name.replace('_', ' '))}</dt><dd>{escape(shown(value))}</dd></div>"
        for name, value in values.items()
    )


def write_report(comparison: Comparison, path: str | Path) -> None:
    """Write a comparison to one self-contained HTML file that opens offline.

    Args:
        comparison: What `sinktrack.compare` returned.
        path: The file to write; its folder must exist.

    Raises:
        TraceError: If the answers have no recording.
        OutputError: If the file cannot be written. No half-written file is left behind.
    """
    text = render(payload(comparison))
    with whole_file(path, "The report") as part:
        part.write_text(text, "utf-8")
