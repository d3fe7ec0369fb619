"""What an annotator asks for and gets: sign in, a pair, a vote, earlier votes, which was which.

Every request is one JSON object from a browser, and nothing in it is trusted. Which method wrote
which answer stays on the server until the vote is kept. Knows nothing about pages.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from app.shared.guesses import Guesses, Kind, equal
from app.study.codes import NO_CODE, personal_code, personal_digest
from app.study.own_questions import Unanswered, as_kept, as_said
from app.study.stats import SEVERITIES, TIES
from app.study.vote_store import Place, Progress, State, VoteStore
from sinktrack.core.errors import SinkTrackError
from sinktrack.report.payload import parts_at
from sinktrack.study.folder import Study, StudyItem
from sinktrack.study.until import in_words

_KEY = re.compile(r"[0-9a-zA-Z-]{8,64}")
LONGEST_NAME = 80
LONGEST_COMMENT = 5000
_LONGEST_REASON = 2000
_LONGEST_SECONDS = 24 * 60 * 60
_KEPT = 64
"""The answers of this many items stay in memory, with all of their attention."""

SIDES = ("left", "right")
_STATES = {
    "paused": "The study is paused: nobody gets new pairs for now. Load this page again later.",
    "closed": "The study is closed: no more votes are kept. Thank you!",
}


class Refused(Exception):
    """A request that is not answered.

    Args:
        sentence: Why, for the annotator.
        **more: What the page is told beside it.
    """

    def __init__(self, sentence: str, **more: bool) -> None:
        super().__init__(sentence)
        self.answer = {"error": sentence, **more}


class Judging:
    """Serves the annotators of one study.

    Args:
        study: The study, all of its items prepared.
        store: Keeps the votes.
        invite: The code that annotators sign in with; None where they sign in with Hugging Face.

    Raises:
        StudyError: If an item has no answers yet.
    """

    def __init__(self, study: Study, store: VoteStore, invite: str | None) -> None:
        self.study, self._store, self._invite = study, store, invite
        self.hub_sign_in, self._guesses = invite is None, Guesses()
        self._items = {item.name: item for item in study.items}
        self._prepared = lru_cache(maxsize=_KEPT)(study.read_prepared)
        self._texts = {
            item.name: {lane["name"]: lane["text"] for lane in self._prepared(item)["lanes"]}
            for item in study.items
        }
        # whoever knows the code may sign in by any name, so that it can sign for the names as well
        secret = f"{study.name}\n{invite or ''}\n{store.secret}"
        self._secret = hashlib.sha256(secret.encode()).digest()
        self._answers = {
            "sign in": self._sign_in,
            "next": self._next,
            "vote": self._vote,
            "pass": self._pass,
            "hold": self._hold,
            "votes": self._votes,
            "undo": self._undo,
            "reveal": self._reveal,
        }

    def answer(self, request: Any, known: str | None = None, address: str = "") -> dict[str, Any]:
        """Answer a browser's request.

        Args:
            request: An object with "what", one of "sign in", "next", "vote", "pass", "hold",
                "votes", "undo" and "reveal", and what that needs.
            known: Who it comes from, where that is certain without a code.
            address: Where it comes from.

        Returns:
            The answer, or {"error": a sentence}; with "signed_out" where signing in again helps,
            and "taken" where the name is that of somebody with a personal code.
        """
        what = request.get("what") if isinstance(request, dict) else None
        answer = self._answers.get(what) if isinstance(what, str) else None
        if answer is None:
            return {"error": "This request means nothing: load the page again."}
        try:
            return answer({**request, "known": known, "address": address})
        except Refused as refusal:
            return refusal.answer
        except SinkTrackError as error:
            return {"error": str(error)}

    def _sign_in(self, request: Mapping[str, Any]) -> dict[str, Any]:
        name, code = one_line(request.get("name")), request.get("code")
        if self._invite is None:
            if request["known"] is None:
                raise Refused("Sign in with Hugging Face first: the button is at the top.")
            name = request["known"]
        elif not name or len(name) > LONGEST_NAME:
            raise Refused(f"A name has 1 to {LONGEST_NAME} characters: type yours.")
        else:
            typed = code.strip() if isinstance(code, str) else ""
            right = equal(typed, self._invite)
            if typed:
                self._looked_at(request, "study", right)
            if not right:
                raise Refused("This is not the code of this study: ask the people who run it.")
        annotator = self._store.join(name)
        own = {"personal": self._personal(annotator, name, request)} if self._invite else {}
        return {"token": self._token(annotator), "name": name, **own, **self._pair(annotator)}

    def _personal(self, annotator: int, name: str, request: Mapping[str, Any]) -> str:
        """Return the personal code of who signs in by a name, which is theirs from now on."""
        code = request.get("personal") or personal_code()
        digest = personal_digest(code)
        if self._store.personal(annotator) is None:
            if digest is None:
                raise Refused(NO_CODE, taken=True)
            if self._store.bind(annotator, digest):
                return str(code)
        right = digest is not None and digest == self._store.personal(annotator)
        self._looked_at(request, "personal", right)
        if not right:
            raise Refused(
                f"Somebody has signed in as {name} before. If that was you, type your personal "
                "code as well. Else choose another name.",
                taken=True,
            )
        return str(code)

    def _looked_at(self, request: Mapping[str, Any], kind: Kind, right: bool) -> None:
        """Refuse a code from where too many wrong ones came."""
        refusal = self._guesses.refusal(request["address"], kind, right)
        if refusal is not None:
            raise Refused(refusal)

    def _next(self, request: Mapping[str, Any]) -> dict[str, Any]:
        return self._pair(self._annotator(request))

    def _vote(self, request: Mapping[str, Any]) -> dict[str, Any]:
        annotator = self._annotator(request)
        number = self._sealed(request, annotator)
        self._refuse_while("closed")
        place = self._store.seat(number, annotator)
        if place is None:  # given to somebody else meanwhile, and the item has no other place
            return {"kept": False, **self._pair(annotator)}
        key = request.get("key")
        if not isinstance(key, str) or not _KEY.fullmatch(key):
            raise Refused("The vote has no key: load the page again.")
        choice = request.get("better")
        lanes = self._lanes(place)
        if choice not in (*SIDES, *TIES):
            raise Refused("Choose first: left, right, tie or both bad.")
        texts = self._texts[place.item]
        judged = {
            lane: self._judged(request.get(side), texts[lane]) for side, lane in lanes.items()
        }
        comment = request.get("comment", "")
        if not isinstance(comment, str) or len(comment) > LONGEST_COMMENT:
            raise Refused(f"A comment has at most {LONGEST_COMMENT} characters: shorten it.")
        try:
            said = as_kept(self.study.questions, request.get("said"), lanes, clean)
        except Unanswered as error:
            raise Refused(str(error)) from error
        seconds = request.get("seconds")
        timed = isinstance(seconds, int | float) and 0 <= seconds <= _LONGEST_SECONDS
        kept = self._store.vote(
            key,
            place.id,
            annotator,
            better=lanes.get(choice, choice),
            judged=judged,
            comment=clean(comment) if "comment" in self.study.ask else "",
            seconds=float(seconds) if timed and seconds is not None else None,
            said=said if self.study.questions else None,
        )
        told = self._feedback(place, choice) if kept else {}
        return {"kept": kept, **told, **self._pair(annotator)}

    def _feedback(self, place: Place, choice: str) -> dict[str, Any]:
        """Return whether a vote of the training was right, and why; nothing of other votes."""
        item = self._items[place.item]
        if item.use != "training":
            return {}
        sides = {lane: side for side, lane in self._lanes(place).items()}
        better = sides.get(item.better, item.better)
        return {"feedback": {"right": choice == better, "better": better, "why": item.why}}

    def _pass(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Pass an item over: with a "reason" where something is wrong with it."""
        annotator = self._annotator(request)
        number = self._sealed(request, annotator)
        self._refuse_while("closed")
        reason = ""
        if "reason" in request:
            said = request["reason"]
            reason = clean(said) if isinstance(said, str) else ""
            if not reason or len(reason) > _LONGEST_REASON:
                raise Refused(
                    f"Say what is wrong with this item, in 1 to {_LONGEST_REASON:,} characters."
                )
        passed = self._store.beside.pass_over(number, annotator, reason)
        return {"passed_over": passed, **self._pair(annotator)}

    def _judged(self, said: Any, text: str) -> dict[str, Any]:
        """Return what was said of one answer, or refuse it."""
        if "hallucination" not in self.study.ask:
            return {}
        severity = said.get("severity") if isinstance(said, dict) else None
        if severity not in SEVERITIES:
            raise Refused("Say of both answers whether they hallucinate: no, minor or severe.")
        spans = said.get("spans", [])
        if not isinstance(spans, list) or not all(_is_span(span, len(text)) for span in spans):
            raise Refused("The marked words are not in the answer: load the page again.")
        return {"severity": severity, "spans": sorted(spans)}

    def _undo(self, request: Mapping[str, Any]) -> dict[str, Any]:
        annotator = self._annotator(request)
        number = self._sealed(request, annotator) if "place" in request else None
        self._refuse_while("closed", "paused")  # nobody could give the vote again
        vote = self._store.undo(annotator, number)
        if vote is None:
            raise Refused("There is no vote that can be taken back.")
        sides = {vote[side]: side for side in SIDES}
        before = {
            "better": sides.get(vote["better"], vote["better"]),
            "comment": vote["comment"],
            "said": as_said(
                self.study.questions, vote["said"] or {}, {side: vote[side] for side in SIDES}
            ),
            **{sides[lane]: judged for lane, judged in vote["judged"].items()},
        }
        return {**self._pair(annotator), "before": before}

    def _reveal(self, request: Mapping[str, Any]) -> dict[str, Any]:
        annotator = self._annotator(request)
        if self.study.reveal == "never":
            raise Refused("This study does not tell which method wrote which answer.")
        if not self._tells(self._store.progress(annotator)):
            raise Refused(
                "Vote first: then you may see which method wrote which answer."
                if self.study.reveal == "after vote"
                else "Which method wrote which answer is told when the study has all of its votes."
            )
        number = self._sealed(request, annotator) if "place" in request else None
        place = self._store.reveal(annotator, number)
        if place is None:
            raise Refused("Vote first: then you may see which method wrote which answer.")
        payload = self._prepared(self._items[place.item])
        titles = {lane["name"]: lane["title"] for lane in payload["lanes"]}
        sides = {side: titles[lane] for side, lane in self._lanes(place).items()}
        judged = [lane for lane in payload["lanes"] if lane["name"] in (place.left, place.right)]
        apart = parts_at([lane.get("ids", ()) for lane in judged])
        told = {"question": self._items[place.item].question, "sides": sides}
        return told | {"payload": payload | {"lanes": judged, "parts_at": apart}}

    def _tells(self, progress: Progress) -> bool:
        """Return whether an annotator may see now which method wrote which answer."""
        ready = {"after vote": True, "at the end": progress.ended}
        return progress.voted > 0 and ready.get(self.study.reveal, False)

    def _hold(self, request: Mapping[str, Any]) -> dict[str, Any]:
        annotator = self._annotator(request)
        return {"held": self._store.hold(self._sealed(request, annotator), annotator)}

    def _votes(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return what an annotator said so far, latest first."""
        annotator = self._annotator(request)
        found = []
        for vote in self._store.given(annotator):
            sides = {vote[side]: side for side in SIDES}
            found.append(
                {
                    "place": vote["place"],
                    "seal": self._seal(_place_of(vote), annotator),
                    "question": self._items[vote["item"]].question,
                    "better": sides.get(vote["better"], vote["better"]),
                    "comment": vote["comment"],
                    "changeable": vote["revealed"] is None,
                }
            )
        return {"votes": found, "reveal": self._tells(self._store.progress(annotator))}

    def _pair(self, annotator: int) -> dict[str, Any]:
        """Return what an annotator judges next, and nothing that tells the methods."""
        place = self._store.next(annotator) if self._store.state() == "open" else None
        progress = self._store.progress(annotator)
        found: dict[str, Any] = {
            "voted": progress.voted,
            "left": progress.left,
            "passed": progress.passed,
            "undoable": progress.undoable,
            "reveal": self._tells(progress),
        }
        if progress.state != "open":
            found["state"] = self._sentence(progress.state)
        if place is None:
            platform = self.study.platform
            if platform and platform.done and progress.voted and progress.state != "paused":
                found["done"] = platform.done
            return {"pair": None, **found}
        item: StudyItem = self._items[place.item]
        texts = self._texts[place.item]
        sides = {side: texts[lane] for side, lane in self._lanes(place).items()}
        pair = {
            "place": place.id,
            "seal": self._seal(place, annotator),
            **asked_about(item, self._prepared(item)),
            "training": item.use == "training",
            **sides,
        }
        return {"pair": pair, **found}

    def _refuse_while(self, *states: State) -> None:
        """Refuse what changes votes while the study is in one of some states."""
        state = self._store.state()
        if state in states:
            raise Refused(self._sentence(state))

    def _sentence(self, state: State) -> str:
        """Return what annotators read while a study is not open."""
        if self._store.over and self.study.until:
            return (
                f"The study ended {in_words(self.study.until)}: no more votes are kept. Thank you!"
            )
        return _STATES[state]

    def _lanes(self, place: Place) -> dict[str, str]:
        """Return the lane on each side."""
        return {"left": place.left, "right": place.right}

    def _signed(self, *said: Any) -> str:
        """Return what only this server can make of some values."""
        return hmac.new(self._secret, json.dumps(said).encode(), hashlib.sha256).hexdigest()

    def _seal(self, place: Place, annotator: int) -> str:
        """Return what proves that an annotator was given a place, with the answers of now."""
        shown = self._store.pairs.of(place.item, place.left, place.right)
        return self._signed("place", place.id, annotator, shown)

    def _sealed(self, request: Mapping[str, Any], annotator: int) -> int:
        """Return the place that a request is about, which this annotator was given once."""
        number: Any = request.get("place")
        seal = request.get("seal")
        whole = isinstance(number, int) and not isinstance(number, bool) and 0 < number < 2**31
        place = self._store.place(number) if whole else None
        if (
            place is None
            or not isinstance(seal, str)
            or not equal(seal, self._seal(place, annotator))
        ):
            raise Refused(
                "This is about no pair that you were given, or it has changed since: load the page "
                "again."
            )
        return int(number)

    def _token(self, annotator: int) -> str:
        """Return what tells an annotator; another personal code makes it void."""
        signed = self._signed("annotator", annotator, self._store.personal(annotator))
        return f"{annotator}.{signed}"

    def _annotator(self, request: Mapping[str, Any]) -> int:
        token = request.get("token")
        number = token.split(".")[0] if isinstance(token, str) else ""
        if (
            not isinstance(token, str)
            or not (number.isascii() and number.isdecimal() and len(number) < 10)
            or not equal(token, self._token(int(number)))
            or (self._invite is None and not self._is_known(int(number), request["known"]))
        ):
            raise Refused(
                "You are signed out: sign in again, and go on where you were.", signed_out=True
            )
        return int(number)

    def _is_known(self, annotator: int, name: str | None) -> bool:
        """Whether whoever has signed in with Hugging Face is this annotator."""
        found = self._store.find(name) if name is not None else None
        return found is not None and found[0] == annotator


def _place_of(vote: Mapping[str, Any]) -> Place:
    return Place(vote["place"], vote["item"], vote["left"], vote["right"])


def asked_about(item: StudyItem, prepared: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an item asks, as the page shows it above two answers."""
    return {
        "pictures": [frame for visual in prepared["visuals"] for frame in visual["frames"]],
        "passage": item.passage,
        "earlier": item.earlier,
        "question": item.question,
        "reference": item.reference,
    }


def _is_span(span: Any, length: int) -> bool:
    """Whether this is [start, end], characters of a text of that length."""
    return (
        isinstance(span, list)
        and len(span) == 2
        and all(isinstance(at, int) and not isinstance(at, bool) for at in span)
        and 0 <= span[0] < span[1] <= length
    )


def clean(text: str) -> str:
    """Return text without what no database keeps: NUL and lone surrogates."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8").strip()


def one_line(text: Any) -> str:
    """Return a name as one line with single spaces; nothing for what is no text."""
    return " ".join(clean(text).split()) if isinstance(text, str) else ""
