"""One comparison as one HTML file that needs nothing but a browser.

Knows nothing about models and nothing about pages: `sinktrack/report/viewer` draws what
`sinktrack.report.payload` holds, in this report and on the page alike.
"""

import json
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

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
    policy forbids the rest. The template escapes everything but this package's own style and
    script, and the numbers, which are JSON.
    """
    return _TEMPLATES.get_template("report.html").render(
        data,
        style=viewer_style() + (_VIEWER / "report.css").read_text("utf-8"),
        script=viewer_script(),
        # A "<" could end the script element, so that it travels as its JSON escape.
        data=json.dumps(data, allow_nan=False).replace("<", "\\u003c"),
    )


def _words(value: Any) -> str:
    """Return the value of a setting for people."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{key} {each}" for key, each in value.items())
    return "not set" if value is None else str(value)


_TEMPLATES = Environment(
    loader=FileSystemLoader(_VIEWER),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    keep_trailing_newline=True,
)
_TEMPLATES.filters["words"] = _words


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
