"""A named judge decides where annotators differ, one item at a time, and as blind as they were.

The two answers stand as A and B and the annotators as numbers. Which lane wrote which, and who
voted how, stays on the server until this judge's ruling is kept. Knows nothing about pages.
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from app.study.disagreement import Dispute, disputes
from app.study.judging import (
    LONGEST_COMMENT,
    LONGEST_NAME,
    SIDES,
    Refused,
    asked_about,
    clean,
    one_line,
)
from app.study.rulings import latest, pair_of
from app.study.stats import TIES
from app.study.vote_store import VoteStore
from sinktrack.study.folder import Study


class Adjudication:
    """Answers the judge of one study; whoever asks has the coordinator's code.

    Args:
        study: The study.
        store: Keeps its votes and the rulings.
        answers: Gives by item and lane the answer's text.
    """

    def __init__(
        self, study: Study, store: VoteStore, answers: Callable[[], dict[str, dict[str, str]]]
    ) -> None:
        self._study, self._store, self._answers = study, store, answers
        self._items = {item.name: item for item in study.items}

    def disputes(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return the disputed items, the most disputed first, and nothing that tells the lanes.

        Args:
            request: With "left_out", whose votes do not count.
        """
        ruled = {pair_of(row) for row in latest(self._store.beside.rulings())}
        told = [
            {
                "key": self._key(each),
                "item": each.item,
                "spread": each.spread,
                "ruled": (each.item, frozenset(each.answers)) in ruled,
            }
            for each in self._disputes(request)
        ]
        return {"disputes": told}

    def show(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return one disputed item, with all votes on it.

        Args:
            request: With "key" from `disputes`, "left_out", and "judge", a name or nothing.

        Returns:
            "pair", what annotators saw; "votes", what they said of "left" (A) and "right" (B); and
            "told", the names, once this judge has ruled, else None.
        """
        return self._shown(self._wanted(request), one_line(request.get("judge")))

    def rule(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Keep a ruling, and return what `show` does, names included.

        Args:
            request: As of `show`, with "better" ("left" is A, "right" is B) and "comment".
        """
        wanted = self._wanted(request)
        judge, comment = one_line(request.get("judge")), request.get("comment", "")
        if not judge or len(judge) > LONGEST_NAME:
            raise Refused(f"A ruling has a name, of 1 to {LONGEST_NAME} characters: type yours.")
        choice = request.get("better")
        if choice not in (*SIDES, *TIES):
            raise Refused("Choose first: A, B, tie or both bad.")
        if not isinstance(comment, str) or len(comment) > LONGEST_COMMENT:
            raise Refused(f"A comment has at most {LONGEST_COMMENT} characters: shorten it.")
        first, second = self._sides(wanted)
        self._store.beside.rule(
            item=wanted.item,
            first=first,
            second=second,
            judge=judge,
            better=dict(zip(SIDES, (first, second), strict=True)).get(choice, choice),
            comment=clean(comment),
        )
        return self._shown(wanted, judge)

    def _disputes(self, request: Mapping[str, Any]) -> Sequence[Dispute]:
        left_out = request.get("left_out")
        listed = left_out if isinstance(left_out, list) else []
        names = {each for each in listed if isinstance(each, str)}
        found = disputes(self._study, self._store.standing(), self._answers(), names)
        return [each for each in found if each.spread or each.severity_spread]

    def _wanted(self, request: Mapping[str, Any]) -> Dispute:
        key = request.get("key")
        for each in self._disputes(request):
            if self._key(each) == key:
                return each
        raise Refused("Annotators do not differ here any more: load the list again.")

    def _digest(self, what: str, dispute: Dispute) -> str:
        said = "\n".join((what, dispute.item, *dispute.answers))
        secret = self._store.secret.encode()
        return hmac.new(secret, said.encode(), hashlib.sha256).hexdigest()

    def _key(self, dispute: Dispute) -> str:
        """Return what names a dispute without its lanes."""
        return self._digest("dispute", dispute)[:16]

    def _sides(self, dispute: Dispute) -> tuple[str, str]:
        """Return the lanes that stand as A and as B: drawn, and the same every time."""
        one, other = dispute.answers
        turned = int(self._digest("sides", dispute), 16) % 2
        return (other, one) if turned else (one, other)

    def _shown(self, dispute: Dispute, judge: str) -> dict[str, Any]:
        lanes = dict(zip(SIDES, self._sides(dispute), strict=True))
        side_of = {lane: side for side, lane in lanes.items()}
        item = self._items[dispute.item]
        prepared = self._study.read_prepared(item)
        votes = [
            {
                "better": side_of.get(said.better, said.better),
                "comment": said.comment,
                **{
                    side: {"severity": said.severity.get(lane), "spans": said.spans[lane]}
                    for side, lane in lanes.items()
                },
            }
            for said in dispute.votes
        ]
        texts = {side: dispute.answers[lane] for side, lane in lanes.items()}
        about = (dispute.item, frozenset(dispute.answers))
        kept = self._store.beside.rulings()
        rulings = [row for row in kept if pair_of(row) == about and not row["apart"]]
        told = None
        if any(row["judge"] == judge for row in rulings):
            titles = {lane["name"]: lane["title"] for lane in prepared["lanes"]}
            told = {
                "sides": {side: titles[lane] for side, lane in lanes.items()},
                "annotators": [said.annotator for said in dispute.votes],
                "rulings": [
                    {
                        "judge": row["judge"],
                        "better": side_of.get(row["better"], row["better"]),
                        "comment": row["comment"],
                    }
                    for row in rulings
                ],
            }
        pair = {**asked_about(item, prepared), **texts}
        return {"key": self._key(dispute), "pair": pair, "votes": votes, "told": told}
