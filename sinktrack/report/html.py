"""One comparison as one HTML file that needs nothing but a browser.

Knows nothing about models and nothing about pages: `sinktrack/report/viewer` draws what
`sinktrack.report.payload` holds, in this report and on the page alike.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from sinktrack.core.comparison import Comparison
from sinktrack.core.files import whole_file
from sinktrack.report.payload import payload, upgraded
from sinktrack.report.setting import setting_in_words
from sinktrack.report.viewer_code import viewer_script, viewer_style

_VIEWER = Path(__file__).parent / "viewer"
_MOST_FRAMES = 8  # of a video beside the question; the viewer has all of them


def render(data: dict[str, Any]) -> str:
    """Return what `payload` made as one HTML page.

    The page loads nothing: styles, script, picture and numbers are inside, and its content security
    policy forbids the rest. The template escapes everything but this package's own style and
    script, and the numbers, which are JSON.
    """
    data = upgraded(data)
    titles = [lane["title"] for lane in data["lanes"]]
    count = {1: "one answer", 2: "two answers"}.get(len(titles), f"{len(titles)} answers")
    kinds = {lane["method"]["kind"] for lane in data["lanes"] if lane.get("method")}
    return _TEMPLATES.get_template("report.html").render(
        data,
        facts=_facts(data),
        summary=f"One question, {count}: {', '.join(titles)}.",
        shown=_shown(data),
        sinktrack="sinktrack" in kinds,
        style=viewer_style() + (_VIEWER / "report.css").read_text("utf-8"),
        script=viewer_script(),
        # A "<" could end the script element, so that it travels as its JSON escape.
        data=json.dumps(data, allow_nan=False).replace("<", "\\u003c"),
    )


def _facts(data: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return all that the answers depend on: titles, and what stands under each."""
    made = {"model": data["model"], "revision": data["revision"], "date": data["made"]}
    found = [
        ("Settings", _said(data)),
        ("Model", {name: value for name, value in made.items() if value}),
        ("Versions", data["versions"]),
    ]
    for lane in data["lanes"]:
        if lane.get("method"):
            found.append((f"Method: {lane['title']}", lane["method"]))
    return found


def _said(data: dict[str, Any]) -> dict[str, Any]:
    """Return the settings for people: of words that were told, how many."""
    settings = dict(data["settings"])
    told = [lane for lane in data["lanes"] if lane.get("told")]
    if settings.pop("beginnings", None) is not None:
        settings["words_that_were_told"] = {lane["title"]: lane["told"] for lane in told}
    return settings


def _shown(data: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the question's own pictures and videos, of a video some frames; its turn is last."""
    before = {at for turn in data["turns"] for at in turn["visuals"]}
    own = [visual for at, visual in enumerate(data["visuals"]) if at not in before]
    return [visual | {"frames": _some(visual["frames"])} for visual in own]


def _some(frames: Sequence[str]) -> list[str]:
    """Return frames at even distances, `_MOST_FRAMES` at most."""
    count = min(len(frames), _MOST_FRAMES)
    return [frames[at * len(frames) // count] for at in range(count)]


_TEMPLATES = Environment(
    loader=FileSystemLoader(_VIEWER),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    keep_trailing_newline=True,
)
_TEMPLATES.filters["words"] = setting_in_words


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
