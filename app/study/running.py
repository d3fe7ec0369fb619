"""What a study's coordinator does: take votes away, pause and close, help people and delete votes.

Every request brings the coordinator's code. Files are made when they are asked for and never touch
the disk, so that nobody finds one later. Knows nothing about pages.
"""

import base64
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cached_property
from typing import Any, get_args

from app.shared.guesses import Guesses, equal
from app.study.adjudication import Adjudication
from app.study.beside_tables import Section, beside_votes
from app.study.codes import personal_code, personal_digest
from app.study.judging import Refused
from app.study.ranking_figure import ranking_figure
from app.study.results import Format, answers_of, as_votes, compute_results, export, vote_rows
from app.study.rulings import ruling_rows, rulings_by_pair
from app.study.summary import summary
from app.study.uncounted import uncounted
from app.study.vote_store import State, VoteStore, counting
from sinktrack.core.errors import SinkTrackError, StoreError
from sinktrack.study.fields import file_name
from sinktrack.study.folder import Study
from sinktrack.study.until import in_words

ASKED = ("state", "file", "personal", "withdraw", "bring back", "rule")
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
        self._guesses = Guesses()
        judge = Adjudication(study, store, lambda: self.texts)
        self._answers: dict[Any, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
            "state": self._state,
            "file": self._file,
            "personal": self._personal,
            "withdraw": self._withdraw,
            "bring back": self._bring_back,
            "disputes": judge.disputes,
            "dispute": judge.show,
            "rule": judge.rule,
        }

    @cached_property
    def texts(self) -> dict[str, dict[str, str]]:
        """By item and lane the answer's text."""
        return answers_of(self._study)

    def beside(self, kept: Sequence[Mapping[str, Any]], left_out: Collection[str]) -> list[Section]:
        """Return what is told beside the votes: rulings, and items passed over."""
        ruled = rulings_by_pair(self._study, self._store.beside.rulings(), kept, left_out)
        return beside_votes(kept, self._store.beside.passed(), ruled)

    def refusal(self, code: Any, address: str = "") -> str | None:
        """Return why a code opens nothing; None if it is the coordinator's.

        Args:
            code: What was typed.
            address: Where it comes from; wrong codes from there make it wait.
        """
        wrong = "This is not the coordinator's code of this study."
        if not isinstance(code, str) or not code.strip():  # nobody has guessed
            return wrong
        right = equal(code.strip(), self._code)
        waits = self._guesses.refusal(address, "coordinator", right)
        return waits or (None if right else wrong)

    def answer(self, request: Any, address: str = "") -> dict[str, Any]:
        """Answer a browser's request.

        Args:
            request: An object with "code", "what", one of "state", "file", "personal",
                "withdraw", "bring back", "disputes", "dispute" and "rule", and what that needs.
            address: Where it comes from.

        Returns:
            The answer, or {"error": a sentence}.
        """
        said = request if isinstance(request, dict) else {}
        what, refusal = said.get("what"), self.refusal(said.get("code"), address)
        if refusal is not None:
            return {"error": refusal}
        if not isinstance(what, str) or what not in self._answers:
            return {"error": "This request means nothing: load the page again."}
        try:
            return self._answers[what](said)
        except Refused as refused:
            return refused.answer
        except SinkTrackError as error:
            return {"error": str(error)}

    def _state(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Tell whether the study is open, after turning it if that was asked."""
        turned = request.get("turn")
        if turned is not None:
            if turned not in get_args(State):
                return {"error": "A study is open, paused or closed."}
            if self._store.over:
                return {"error": self._until()["until"]}
            self._store.turn(turned)
        return {"state": self._store.state(), **self._until()}

    def _until(self) -> dict[str, Any]:
        """Tell when the study is closed by itself, and whether it is; nothing where it never is."""
        if self._study.until is None:
            return {}
        when = in_words(self._study.until)
        if not self._store.over:
            return {"until": f"It ends by itself {when}.", "over": False}
        told = (
            f"The study ended {when}, as study.yaml says: to go on, write a later date there and "
            "start the page again."
        )
        return {"until": told, "over": True}

    def _file(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return a file by its name and its bytes in base64."""
        wanted, without = request.get("file"), request.get("left_out")
        history = self._store.history()
        if wanted in ("summary", "ranking"):
            names = {name for name in _listed(without) if isinstance(name, str)}
            standing = counting(history)
            votes = as_votes(self._study, standing)
            apart = uncounted(history, self._store.deleted())
            found = compute_results(self._study, votes, names, uncounted=apart)
            if wanted == "summary":
                told = summary(self._study, found, self.beside(standing, names))
                name, content = "summary.md", told.encode()
            elif found.ranking is not None:
                name, content = "ranking.svg", ranking_figure(found.ranking).encode()
            else:
                return {"error": "There is no ranking: a study of two methods has none."}
        elif wanted == "rulings":
            rows = ruling_rows(self._study, self._store.beside.rulings(), self.texts)
            name, content = "rulings.jsonl", export(rows, "jsonl")
        elif isinstance(wanted, str) and wanted in get_args(Format):
            whole, person = request.get("history") is True, request.get("annotator")
            kept = [row for row in history if whole or row["undone"] is None]
            name = "history" if whole else "votes"
            if isinstance(person, str) and person:
                kept = [row for row in kept if row["name"] == person]
                name += f"-{file_name(person)}"
            rows = vote_rows(self._study, kept)
            name, content = f"{name}.{wanted}", export(rows, wanted)  # type: ignore[arg-type]
        else:
            return {"error": "There is no such file."}
        return {
            "name": f"{self._study.name}-{name}",
            "content": base64.b64encode(content).decode(),
        }

    def _bring_back(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Let somebody meet an item again that they passed over."""
        number = request.get("pass")
        whole = isinstance(number, int) and not isinstance(number, bool) and 0 < number < 2**31
        if not whole or not self._store.beside.bring_back(number):  # type: ignore[arg-type]
            raise StoreError("Nobody has passed over this item any more: show the results again.")
        return {}

    def _withdraw(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Delete all that somebody said, if it is confirmed; else tell how much that is."""
        annotator, name = self._named(request)
        votes = sum(row["undone"] is None for row in self._store.history() if row["name"] == name)
        if request.get("confirmed") is True:
            self._store.withdraw(annotator)
        return {"name": name, "votes": votes}

    def _personal(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Give somebody a new personal code; the one before, and who is signed in by it, end."""
        annotator, _ = self._named(request)
        code = personal_code()
        self._store.bind(annotator, personal_digest(code) or "", anew=True)
        return {"personal": code}

    def _named(self, request: Mapping[str, Any]) -> tuple[int, str]:
        """Return the annotator that a request names, and how they wrote their name."""
        name = request.get("name")
        found = self._store.find(name) if isinstance(name, str) else None
        if found is None:
            raise StoreError("Nobody has signed in by that name.")
        return found


def _listed(said: Any) -> list[Any]:
    return said if isinstance(said, list) else []
