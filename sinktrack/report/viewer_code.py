"""The drawing code in `viewer/`, as a page or a report takes it in."""

from pathlib import Path

_VIEWER = Path(__file__).parent / "viewer"
# Each script may use those before it.
_SCRIPTS = (
    *("colour", "dom", "data", "heatmap", "contour", "figure", "save", "overlay", "explanations"),
    *("tabs", "swipe", "asked", "moved", "card", "strip", "pin", "nearly", "token", "looked"),
    *("why", "attention", "finder", "reliance", "drift", "anchor", "numbers", "viewer"),
)


def viewer_script() -> str:
    """Return the viewer's JavaScript, which defines `SinkTrackViewer`."""
    return "\n".join((_VIEWER / f"{name}.js").read_text("utf-8") for name in _SCRIPTS)


def viewer_style() -> str:
    """Return the viewer's CSS."""
    return (_VIEWER / "viewer.css").read_text("utf-8")
