"""The coordinator's page of a study: how far it is, what came out, and files to download."""

import hmac
from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import gradio as gr
import pandas as pd
from gradio.processing_utils import save_bytes_to_cache

from app.shared.ui import toast
from app.study.results import Format, Results, as_votes, compute_results, export, vote_rows
from app.study.stats import TIES, Vote
from app.study.summary import Table, agreements, hallucinations, preferences, progress, summary
from app.study.vote_store import VoteStore
from sinktrack.core.errors import SinkTrackError
from sinktrack.study.folder import Study

PATH = "/results"
_FORMATS: tuple[Format, ...] = ("csv", "jsonl", "parquet")
_COLOURS = ("#d98a4b", "#0b6b63", "#8c5a86", "#a3913c", "#4f7cac", "#9c4f4f")
"""Of the lanes, in order; more lanes begin anew."""
_COLOURS_OF_TIES = ("#c3cbc9", "#8f9fd6")


class ResultsPage:
    """Shows a study's results to whoever has its coordinator's code.

    Args:
        study: The study.
        store: Keeps its votes.
        code: Opens the page.
    """

    def __init__(self, study: Study, store: VoteStore, code: str) -> None:
        self._study, self._store, self._code = study, store, code

    def layout(self) -> None:
        """Build the page, inside a route of its own."""
        gr.HTML(
            '<header class="st-top"><h1>Results</h1><p class="st-tagline">'
            "How far the study is, and what came out so far.</p></header>",
            apply_default_css=False,
        )
        with gr.Row():
            code = gr.Textbox(label="Coordinator's code", type="password", elem_id="code")
            show = gr.Button("Show", variant="primary", elem_id="show")
        with gr.Column(visible=False, elem_id="results") as shown:
            colours = dict(zip(self._study.lanes, cycle(_COLOURS), strict=False))
            colours |= dict(zip(TIES, _COLOURS_OF_TIES, strict=True))
            plot = gr.BarPlot(
                x="tag",
                y="share",
                color="answer",
                x_title=" ",
                y_title="of 100 votes",
                x_label_angle=-25,
                color_map=colours,
                height=300,
            )
            tables = gr.HTML(apply_default_css=False)
            with gr.Row():
                files = [
                    gr.DownloadButton(text, elem_id=name)
                    for text, name in (
                        ("Votes (CSV)", "csv"),
                        ("Votes (JSONL)", "jsonl"),
                        ("Votes (Parquet)", "parquet"),
                        ("Summary (Markdown)", "summary"),
                    )
                ]
        folder = files[0].GRADIO_CACHE

        def answer(given: str | None) -> list[Any]:
            typed = (given or "").strip().encode("utf-8", "replace")
            if not hmac.compare_digest(typed, self._code.encode()):
                raise toast("This is not the coordinator's code of this study.")
            try:
                kept = self._store.standing()
            except SinkTrackError as error:
                raise toast(str(error)) from error
            votes = as_votes(self._study, kept)
            found = compute_results(self._study, votes)
            return [
                gr.update(visible=True),
                _shares(found),
                self._tables(votes, found),
                *self._files(kept, found, folder),
            ]

        gr.on(
            [show.click, code.submit],
            answer,
            code,
            [shown, plot, tables, *files],
            api_visibility="private",
        )

    def _tables(self, votes: Sequence[Vote], found: Results) -> str:
        told = ("By annotator", "By tag", "By item")
        tables: list[tuple[str, Table]] = [
            *preferences(found),
            *hallucinations(found),
            ("How far annotators agree", agreements(found)),
            *zip(told, progress(self._study, votes), strict=True),
        ]
        return "".join(_table(*each) for each in tables)

    def _files(self, kept: Sequence[Mapping[str, Any]], found: Results, folder: str) -> list[str]:
        rows = vote_rows(self._study, kept)
        files = {f"votes.{format_}": export(rows, format_) for format_ in _FORMATS}
        files["summary.md"] = summary(self._study, found).encode()
        # each in a folder named by its content, which nobody else knows
        return [
            str(save_bytes_to_cache(content, f"{self._study.name}-{name}", folder))
            for name, content in files.items()
        ]


def _shares(found: Results) -> pd.DataFrame:
    """Return what the plot shows: one row a tag and answer, as a share of 100 votes.

    Of several pairs of lanes it shows each pair's votes, and no tags.
    """
    pairs = found.by_pair()
    shown = {
        group.name if len(pairs) == 1 else " : ".join(pair): group
        for pair, groups in pairs.items()
        for group in (groups if len(pairs) == 1 else groups[:1])
    }
    return pd.DataFrame(
        [
            {"tag": name, "answer": said, "share": 100 * count / max(1, group.votes)}
            for name, group in shown.items()
            for said, count in group.said.items()
        ]
    )


def _table(heading: str, table: Table) -> str:
    """Return a table as HTML; whatever stands in it stays text."""
    head, lines = table
    with pd.option_context("display.max_colwidth", None):
        rows = pd.DataFrame(lines, columns=head).to_html(index=False, border=0, escape=True)
    return f'<section class="st-table"><h2>{heading}</h2><div>{rows}</div></section>'
