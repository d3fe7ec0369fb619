"""One comparison as one HTML file that needs nothing but a browser.

Knows nothing about models and nothing about pages: `sinktrack/report/viewer` draws what
`sinktrack.report.payload` holds, in this report and on the page alike.
"""

import json
from html import escape
from pathlib import Path
from typing import Any

from sinktrack.core.comparison import Comparison
from sinktrack.core.files import whole_file
from sinktrack.report.payload import payload

_VIEWER = Path(__file__).parent / "viewer"
# Each script may use those before it.
_SCRIPTS = (
    *("colour", "dom", "data", "heatmap", "save", "overlay"),
    *("card", "attention", "token", "drift", "anchor", "viewer"),
)


def viewer_script() -> str:
    """Return the viewer's JavaScript, which defines `SinkTrackViewer`."""
    return "\n".join((_VIEWER / f"{name}.js").read_text("utf-8") for name in _SCRIPTS)


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
        if isinstance(value, dict):
            return ", ".join(f"{key} {each}" for key, each in value.items())
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
