"""What a study's coordinator does: take votes away, pause and close, help somebody sign in.

Every request brings the coordinator's code. Files are made when they are asked for and never touch
the disk, so that nobody finds one later. Knows nothing about pages.
"""

import base64
from collections.abc import Callable, Mapping
from typing import Any, get_args

from app.study.codes import equal, personal_code, personal_digest
from app.study.ranking_figure import ranking_figure
from app.study.results import Format, as_votes, compute_results, export, vote_rows
from app.study.summary import summary
from app.study.vote_store import State, VoteStore
from sinktrack.core.errors import SinkTrackError
from sinktrack.study.folder import Study

ASKED = ("state", "file", "personal")
"""What a coordinator asks for; all of it is logged."""


class Running:
    """Answers the coordinator of one study.

    Args:
        study: The study.
        store: Keeps its votes.
        code: The coordinator's.
    """

    def __init__(self, study: Study, store: VoteStore, code: str) -> None:
        self._study, self._store, self._code = study, store, code
        self._answers: dict[Any, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
            "state": self._state,
            "file": self._file,
            "personal": self._personal,
        }

    def answer(self, request: Any) -> dict[str, Any]:
        """Answer a browser's request.

        Args:
            request: An object with "code", "what", one of "state", "file" and "personal", and what
                that needs.

        Returns:
            The answer, or {"error": a sentence}.
        """
        said = request if isinstance(request, dict) else {}
        code, what = said.get("code"), said.get("what")
        if not isinstance(code, str) or not equal(code.strip(), self._code):
            return {"error": "This is not the coordinator's code of this study."}
        if not isinstance(what, str) or what not in self._answers:
            return {"error": "This request means nothing: load the page again."}
        try:
            return self._answers[what](said)
        except SinkTrackError as error:
            return {"error": str(error)}

    def _state(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Tell whether the study is open, after turning it if that was asked."""
        turned = request.get("turn")
        if turned is not None:
            if turned not in get_args(State):
                return {"error": "A study is open, paused or closed."}
            self._store.turn(turned)
        return {"state": self._store.state()}

    def _file(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return a file by its name and its bytes in base64."""
        wanted, left_out = request.get("file"), request.get("left_out")
        without = left_out if isinstance(left_out, list) else []
        kept = self._store.standing()
        if wanted in ("summary", "ranking"):
            names = {name for name in without if isinstance(name, str)}
            found = compute_results(self._study, as_votes(self._study, kept), names)
            if wanted == "summary":
                name, content = "summary.md", summary(self._study, found).encode()
            elif found.ranking is not None:
                name, content = "ranking.svg", ranking_figure(found.ranking).encode()
            else:
                return {"error": "There is no ranking: a study of two methods has none."}
        elif isinstance(wanted, str) and wanted in get_args(Format):
            rows = vote_rows(self._study, kept)
            name, content = f"votes.{wanted}", export(rows, wanted)  # type: ignore[arg-type]
        else:
            return {"error": "There is no such file."}
        return {
            "name": f"{self._study.name}-{name}",
            "content": base64.b64encode(content).decode(),
        }

    def _personal(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Give somebody a new personal code; the one before, and who is signed in by it, end."""
        name = request.get("name")
        annotator = self._store.find(name) if isinstance(name, str) else None
        if annotator is None:
            return {"error": "Nobody has signed in by that name."}
        code = personal_code()
        self._store.bind(annotator, personal_digest(code) or "", anew=True)
        return {"personal": code}
