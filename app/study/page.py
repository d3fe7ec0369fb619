"""The page of a study: `python app.py --study DIR`. No model is loaded; the answers are there."""

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder

from app.shared.about import lay_out_what_is_kept
from app.shared.ending import Ending
from app.shared.health import writable
from app.shared.logs import answered
from app.shared.only_uploads import only_uploads
from app.shared.settings import Settings
from app.shared.ui import ASK, FILE_AGE, component_json, launch
from app.shared.visitors import address_of
from app.study.about import what_is_kept
from app.study.codes import FILE, made_codes
from app.study.database import sqlite_file
from app.study.hub_vote_backup import HubVoteBackup
from app.study.judging import Judging
from app.study.results_page import PATH, ResultsPage
from app.study.vote_store import VoteStore
from sinktrack.study.digest import pair_digests
from sinktrack.study.folder import Study, read_study
from sinktrack.study.until import in_words

_STATIC = Path(__file__).parent / "static"
_SCRIPTS = (
    *("words", "sides", "own_questions", "pictures", "pair_form", "drafts", "sign_in", "earlier"),
    *("passing", "judge", "coordinator", "ruling"),
)
"""Each after those that it uses."""
LOGGED = ("sign in", "vote", "undo", "reveal")
"""What annotators do that is logged."""
_STARTS = """
const study = JSON.parse(props.value);
const host = element.querySelector(".sj");
new SinkTrackJudge.Judge(host, study, (request) => server.answer(request));
"""


def serve(settings: Settings, ending: Ending) -> gr.Blocks:
    """Serve a study, and return at once; `block_thread` of what is returned waits for its end.

    Args:
        settings: With `study`.
        ending: Counts what is under way, and has the last votes copied.

    Raises:
        SinkTrackError: If the folder is no study, is not prepared, or the database fails.
    """
    study = read_study(settings.study or "")
    store = open_votes(study, settings, ending)
    page = open_study(study, store, settings)
    own_disk = settings.database is None
    launch(
        page,
        settings,
        ending,
        checks={
            "database": lambda: bool(store.state()),
            "disk": lambda: writable([study.folder if own_disk else get_upload_folder()]),
        },
        styles=[_STATIC / "judge.css"],
        scripts=[ASK, *(_STATIC / f"{name}.js" for name in _SCRIPTS)],
        takes_files=False,
        signs_in=True,
    )
    return page


def open_study(study: Study, store: VoteStore, settings: Settings) -> gr.Blocks:
    """Return the page of a study.

    Args:
        study: The study.
        store: Its votes.
        settings: Codes that it does not have are made, printed, and kept in the study's folder.

    Raises:
        SinkTrackError: If the study is not prepared, or the database fails.
    """
    print(f"{study.title}: {len(study.judged)} items.")
    invite = None if settings.hub_sign_in else settings.invite
    code = settings.coordinator
    if code is None or (invite is None and not settings.hub_sign_in):
        made, kept = made_codes(study.folder)
        if invite is None and not settings.hub_sign_in:
            invite = made["invite"]
            print(
                f"Annotators sign in with the code {invite} (set SINKTRACK_INVITE to choose one)."
            )
        if code is None:
            code = made["coordinator"]
            print(f"The results are at {PATH}, with the code {code} (SINKTRACK_COORDINATOR).")
        where = study.folder / FILE
        print(f"Codes stay the same: {where}." if kept else f"Codes cannot be kept in {where}.")
    return build(Judging(study, store, invite), ResultsPage(study, store, code), settings)


def open_votes(study: Study, settings: Settings, ending: Ending) -> VoteStore:
    """Open the votes of a study, with those that a dataset has kept of it.

    Without `database` in the settings they go to votes.sqlite in its folder.

    Raises:
        StoreError: If the database or the dataset cannot be used.
        StudyError: If an item has no answers, or a picture cannot be read.
    """
    store = VoteStore(
        settings.database or sqlite_file(study.folder / "votes.sqlite"),
        study=study.name,
        lanes=tuple(study.lanes),
        items=[item.name for item in study.judged],
        votes_per_item=study.votes_per_item,
        training={item.name: item.better for item in study.used_for("training")},
        checks={item.name: item.better for item in study.used_for("check")},
        repeat=study.repeat,
        until=study.until.timestamp() if study.until else None,
        pairs=pair_digests(study),
    )
    if settings.dataset:
        backup = HubVoteBackup(study.folder / "ledger", settings.dataset, study.name)
        store.restore(backup.votes)
        store.subscribe(backup.write)
        ending.last(backup.close)
    ending.last(store.close)  # SQLite's log, which holds earlier states, goes then
    return store


def build(judging: Judging, results_page: ResultsPage, settings: Settings) -> gr.Blocks:
    """Return both pages, ready for `serve`."""
    study = judging.study
    known = {
        "title": study.title,
        "instructions": study.instructions,
        "ask": list(study.ask),
        "until": study.until
        and {"at": 1000 * study.until.timestamp(), "words": in_words(study.until)},
        "platform": study.platform.id if study.platform else None,
        "questions": [asdict(question) for question in study.questions],
        "hub": judging.hub_sign_in,
        "key": "sinktrack-" + hashlib.sha256(study.name.encode()).hexdigest()[:12],
    }

    def answer(request: Any, profile: gr.OAuthProfile | None, client: gr.Request) -> dict[str, Any]:
        known, address = profile.username if profile else None, address_of(client)
        return answered(request, LOGGED, lambda: judging.answer(request, known, address))

    page = gr.Blocks(title=study.title, delete_cache=(600, FILE_AGE))
    with page:
        if judging.hub_sign_in:
            gr.LoginButton(elem_id="sign-in")
        gr.HTML(
            value=component_json(known),
            html_template='<div class="sj"></div>',
            js_on_load=_STARTS,
            server_functions=[answer],
            apply_default_css=False,
            elem_id="judge",
        )
        lay_out_what_is_kept(what_is_kept(settings))
    with page.route("Results", PATH, show_in_navbar=False):
        results_page.layout()
    only_uploads(page)
    page.queue(api_open=False)
    return page
