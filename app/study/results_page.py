"""The coordinator's page of a study: how far it is, what came out, and files to download."""

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from html import escape
from itertools import cycle
from typing import Any

import gradio as gr
import pandas as pd

from app.shared.logs import answered
from app.shared.ui import component_json, toast
from app.study.disagreement import disputes
from app.study.guesses import address_of
from app.study.ranking_figure import ranking_figure
from app.study.results import Results, answers_of, as_votes, compute_results
from app.study.running import ASKED, Running
from app.study.stats import TIES, Vote
from app.study.summary import (
    ABOUT_ANNOTATORS,
    Table,
    about_ranking,
    agreements,
    annotators,
    disputed,
    hallucinations,
    own_answers,
    preferences,
    progress,
    strengths,
    win_rates,
)
from app.study.uncounted import uncounted
from app.study.vote_store import VoteStore, counting
from sinktrack.core.errors import SinkTrackError
from sinktrack.study.folder import Study

PATH = "/results"
_STARTS = """
const code = () => document.querySelector("#code input").value;
new SinkTrackCoordinator.Coordinator(element.querySelector(".sj"), props, (request) =>
  server.run({ code: code(), ...request }));
"""
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
        self._study, self._store = study, store
        self._running = Running(study, store, code)

    @cached_property
    def _answers(self) -> dict[str, dict[str, str]]:
        return answers_of(self._study)

    def layout(self) -> None:
        """Build the page, inside a route of its own."""

        # Gradio marks it, which no method admits
        def run(request: Any, client: gr.Request) -> dict[str, Any]:
            address = address_of(client)
            return answered(request, ASKED, lambda: self._running.answer(request, address))

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
            left_out = gr.Dropdown(
                [],
                multiselect=True,
                label="Leave out the votes of",
                info="Figures and summary then say so; the files of votes hold all of them.",
                elem_id="left-out",
            )
            tables = gr.HTML(apply_default_css=False)
            files = gr.HTML(
                _asked_of_files(self._study),
                html_template='<div class="sj"></div>',
                js_on_load=_STARTS,
                server_functions=[run],
                apply_default_css=False,
            )

        def answer(
            given: str | None, without: Sequence[str] | None, client: gr.Request
        ) -> list[Any]:
            refusal = self._running.refusal(given, address_of(client))
            if refusal is not None:
                raise toast(refusal)
            try:
                history, deleted = self._store.history(), self._store.deleted()
            except SinkTrackError as error:
                raise toast(str(error)) from error
            kept = counting(history)
            votes = as_votes(self._study, kept)
            apart = uncounted(history, deleted)
            found = compute_results(self._study, votes, without or (), uncounted=apart)
            return [
                gr.update(visible=True),
                gr.update(choices=[each.name for each in found.annotators]),
                _shares(found),
                self._tables(kept, votes, found),
                _asked_of_files(self._study, found.left_out, {row["name"] for row in history}),
            ]

        gr.on(
            [show.click, code.submit, left_out.input],
            answer,
            [code, left_out],
            [shown, left_out, plot, tables, files],
            api_visibility="private",
        )

    def _tables(
        self, kept: Sequence[Mapping[str, Any]], votes: Sequence[Vote], found: Results
    ) -> str:
        spread = disputed(disputes(self._study, kept, self._answers, found.left_out))
        by_tag, by_item = progress(self._study, votes)
        shown = [f"<p>{escape(said)}</p>" for said in found.uncounted.sentences()]
        shown += [_table(*each) for each in (*preferences(found), *hallucinations(found))]
        shown += [_table(*each) for each in own_answers(found)]
        if found.ranking is not None:
            notes = "".join(f"<p>{escape(said)}</p>" for said in about_ranking(found))
            shown += [_table("How often each wins over each other", win_rates(found))]
            shown += [_table("Ranking", strengths(found)), ranking_figure(found.ranking), notes]
        shown += [_table("How far annotators agree", agreements(found))]
        shown += [_table("By annotator", annotators(found)), f"<p>{ABOUT_ANNOTATORS}</p>"]
        shown += [_table("Where annotators differ most", spread, "st-table st-long")]
        return "".join((*shown, _table("By tag", by_tag), _table("By item", by_item)))


def _asked_of_files(
    study: Study, left_out: Collection[str] = (), people: Collection[str] = ()
) -> str:
    """Return what a browser needs to ask for files.

    Args:
        study: The study.
        left_out: Whose votes do not count.
        people: Who has voted.
    """
    ranked = len(study.lanes) > 2
    told = {"ranked": ranked, "left_out": sorted(left_out), "people": sorted(people)}
    return component_json(told)


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


def _table(heading: str, table: Table, classes: str = "st-table") -> str:
    """Return a table as HTML; whatever stands in it stays text."""
    head, lines = table
    with pd.option_context("display.max_colwidth", None):
        rows = pd.DataFrame(lines, columns=head).to_html(index=False, border=0, escape=True)
    return f'<section class="{classes}"><h2>{escape(heading)}</h2><div>{rows}</div></section>'
