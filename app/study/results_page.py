"""The coordinator's page of a study: how far it is, what came out, and files to download."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from html import escape
from itertools import cycle
from typing import Any

import gradio as gr
import pandas as pd

from app.shared.logs import answered
from app.shared.toasts import toast
from app.shared.ui import component_json
from app.shared.visitors import address_of
from app.study.disagreement import disputes
from app.study.quality import first_votes
from app.study.ranking_figure import ranking_figure
from app.study.results import Results, as_votes, compute_results
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
from app.study.wording import counted
from sinktrack.core.errors import SinkTrackError
from sinktrack.study.folder import Study

PATH = "/results"
_STARTS = """
const code = () => document.querySelector("#code input").value;
new SinkTrackCoordinator.Coordinator(element.querySelector(".sj"), props, (request) =>
  server.run({ code: code(), ...request }));
"""
_STARTS_RULING = _STARTS.replace("Coordinator.Coordinator", "Ruling.Ruling")
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
            first = gr.HTML(apply_default_css=False)
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
            asks: dict[str, Any] = {
                "html_template": '<div class="sj"></div>',
                "server_functions": [run],
                "apply_default_css": False,
            }
            told = _asked_of_files(self._study)
            ruling = gr.HTML(told, js_on_load=_STARTS_RULING, elem_id="ruling", **asks)
            files = gr.HTML(told, js_on_load=_STARTS, **asks)

        def answer(
            given: str | None, without: Sequence[str] | None, client: gr.Request
        ) -> list[Any]:
            refusal = self._running.refusal(given, address_of(client))
            if refusal is not None:
                raise toast(refusal)
            try:
                history, deleted = self._store.history(), self._store.deleted()
                passed = self._store.beside.passed()
            except SinkTrackError as error:
                raise toast(str(error)) from error
            kept = counting(history)
            votes = as_votes(self._study, kept)
            apart = uncounted(history, deleted)
            found = compute_results(self._study, votes, without or (), uncounted=apart)
            people = {row["name"] for row in history}
            told = _asked_of_files(self._study, found.left_out, people, passed)
            return [
                gr.update(visible=True),
                self._figures(votes, found),
                gr.update(choices=[each.name for each in found.annotators]),
                _shares(found),
                self._tables(kept, votes, found),
                told,
                told,
            ]

        gr.on(
            [show.click, code.submit, left_out.input],
            answer,
            [code, left_out],
            [shown, first, left_out, plot, tables, ruling, files],
            api_visibility="private",
        )

    def _figures(self, votes: Sequence[Vote], found: Results) -> str:
        """Return what people look for first."""
        total, asked = len(first_votes(votes)), self._study.votes_per_item
        done = f"{total} of {asked * len(self._study.judged)} votes, by "
        done += f"{counted(len(found.by_annotator), 'annotator')}, on {found.items} of "
        done += f"{counted(len(self._study.judged), 'item')}."
        shown = [f'<p class="sj-overview">{done}</p>', *_sentences(found.uncounted.sentences())]
        if found.ranking is not None:
            shown += [_table("Ranking", strengths(found)), ranking_figure(found.ranking)]
            shown += _sentences(about_ranking(found))
            shown += [_table("How often each wins over each other", win_rates(found))]
            pairs = [_table(*each) for each in preferences(found)]
            shown.append(_fold("Which answer is better, pair by pair", pairs))
        else:
            shown += [_table(*each) for each in preferences(found)]
        return _told(shown)

    def _tables(
        self, kept: Sequence[Mapping[str, Any]], votes: Sequence[Vote], found: Results
    ) -> str:
        """Return all other figures, in sections that fold."""
        spread = disputed(disputes(self._study, kept, self._running.texts, found.left_out))
        by_tag, by_item = progress(self._study, votes)
        shown = []
        if "hallucination" in self._study.ask:
            named = found.ranking is not None  # else there is one table, of this heading
            rates = [_table(each if named else "", table) for each, table in hallucinations(found)]
            shown.append(_fold("How often they hallucinate", rates, not named))
        if found.own:
            own = [_table(*each) for each in own_answers(found)]
            shown.append(_fold("Questions of this study", own, True))
        for section in self._running.beside(kept, found.left_out):
            body = [_table("", section.table, "st-table sj-reasons"), *_sentences(section.notes)]
            shown.append(_fold(section.heading, body, True))
        people = [_table("How far annotators agree", agreements(found))]
        people += [_table("By annotator", annotators(found)), *_sentences([ABOUT_ANNOTATORS])]
        shown.append(_fold("Annotators", people, True))
        warning = "This tells which method wrote which answer, so rule first, below."
        differ = [*_sentences([warning]), _table("", spread, "st-table st-long")]
        shown.append(_fold("Where annotators differ most, with names", differ))
        progressed = [_table("By tag", by_tag)] if by_tag[1] else []
        progressed.append(_table("By item", by_item))
        return _told([*shown, _fold("How far each item is", progressed)])


def _told(parts: Iterable[str]) -> str:
    return f'<div class="sj-told">{"".join(parts)}</div>'


def _sentences(said: Iterable[str]) -> list[str]:
    return [f"<p>{escape(each)}</p>" for each in said]


def _fold(heading: str, parts: Iterable[str], opened: bool = False) -> str:
    """Return a section that folds; what stands in it is HTML already."""
    state = " open" if opened else ""
    return (
        f'<details class="sj-fold"{state}><summary>{escape(heading)}</summary>'
        f'<div class="sj-folded">{"".join(parts)}</div></details>'
    )


def _asked_of_files(
    study: Study,
    left_out: Collection[str] = (),
    people: Collection[str] = (),
    passed: Sequence[Mapping[str, Any]] = (),
) -> str:
    """Return what a browser needs to ask for files.

    Args:
        study: The study.
        left_out: Whose votes do not count.
        people: Who has voted.
        passed: Which items they passed over.
    """
    ranked = len(study.lanes) > 2
    told: dict[str, Any] = {"ranked": ranked, "left_out": sorted(left_out)}
    told["people"] = sorted(people)
    told["passed"] = [[row["id"], f"{row['item']}, of {row['name']}"] for row in passed]
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
        told = pd.DataFrame(lines, columns=head, dtype=object)
        # str, because pandas' own way writes a new line as a backslash and an n
        rows = told.to_html(index=False, border=0, escape=True, formatters=[str] * len(head))
    title = f"<h2>{escape(heading)}</h2>" if heading else ""
    return f'<section class="{classes}">{title}<div>{rows}</div></section>'
