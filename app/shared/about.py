"""What a page says of what it keeps, at its foot."""

import html
from collections.abc import Iterable

import gradio as gr

Kept = Iterable[tuple[str, str]]
"""What is kept; and where, for how long, and who sees it, in sentences."""


def lay_out_what_is_kept(kept: Kept, *, said_first: str = "") -> None:
    """Lay out what is kept of visitors, folded; must be called inside a page.

    Args:
        kept: Everything that is kept.
        said_first: A sentence before it.
    """
    rows = "".join(f"<dt>{html.escape(what)}</dt><dd>{html.escape(how)}</dd>" for what, how in kept)
    first = f"<p>{html.escape(said_first)}</p>" if said_first else ""
    gr.HTML(
        f'<details class="st-kept"><summary>What is kept</summary>{first}<dl>{rows}</dl></details>',
        apply_default_css=False,
        padding=False,
        elem_id="what-is-kept",
    )
