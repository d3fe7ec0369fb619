"""The page of runs: `python app.py --results DIR`. No model is loaded; all answers are there."""

from pathlib import Path
from typing import Any

import gradio as gr

from app.results.browsing import Browsing
from app.shared.ending import Ending
from app.shared.logs import answered
from app.shared.only_uploads import only_uploads
from app.shared.settings import Settings
from app.shared.ui import ASK, COPY, FILE_AGE, launch
from sinktrack.eval.run_files import find_runs

_STATIC = Path(__file__).parent / "static"
_STARTS = """
new SinkTrackResults.Results(element.querySelector(".sr"), (request) => server.answer(request));
"""


def serve(settings: Settings, ending: Ending) -> gr.Blocks:
    """Serve the runs, and return at once; `block_thread` of what is returned waits for its end.

    Args:
        settings: With `results`.
        ending: Counts what is under way.

    Raises:
        OutputError: If the folder holds no run.
    """
    page = build(Browsing(settings.results or ""))
    scripts = [_STATIC / name for name in ("differences.js", "changed.js", "results.js")]
    launch(
        page,
        settings,
        ending,
        checks={"runs": lambda: bool(find_runs(settings.results or ""))},
        styles=[_STATIC / "results.css"],
        scripts=[ASK, COPY, *scripts],
        takes_files=False,
    )
    return page


def build(browsing: Browsing) -> gr.Blocks:
    """Return the page, ready for `serve`."""

    def answer(request: Any) -> dict[str, Any]:  # Gradio marks it, which no method admits
        return answered(request, (), lambda: browsing.answer(request))

    page = gr.Blocks(title="Results of sinktrack eval", delete_cache=(600, FILE_AGE))
    with page:
        gr.HTML(
            value="",
            html_template='<div class="sr"></div>',
            js_on_load=_STARTS,
            server_functions=[answer],
            apply_default_css=False,
            elem_id="runs",
        )
    only_uploads(page)
    page.queue(api_open=False)
    return page
