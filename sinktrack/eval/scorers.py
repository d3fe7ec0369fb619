"""Scores of one answer, each a numerator and a denominator. Knows nothing about models or tasks."""

import re
from collections import Counter
from collections.abc import Collection, Sequence

from sinktrack.eval.task import Scores


def yes_no(answer: str, present: bool) -> Scores:
    """Score an answer about existence, as POPE does.

    The last "yes" or "no" of the answer counts; an answer with neither counts as wrong, and as
    no yes. Source: Li et al. 2023, https://arxiv.org/abs/2305.10355.

    Returns:
        accuracy; precision, recall and F1 of yes; and yes ratio.
    """
    words = re.findall(r"\b(yes|no)\b", answer.lower())
    said = words[-1] if words else None
    right = said == ("yes" if present else "no")
    hit = said == "yes" and present
    return {
        "accuracy": (float(right), 1.0),
        "precision": (float(hit), float(said == "yes")),
        "recall": (float(hit), float(present)),
        # over many answers: 2 TP / (2 TP + FP + FN)
        "F1": (2.0 * hit, float((said == "yes") + present)),
        "yes ratio": (float(said == "yes"), 1.0),
    }


def chair(mentions: Sequence[str], present: Collection[str], slots: int = 5) -> Scores:
    """Score the things that a description mentions.

    Source: Rohrbach et al. 2018, "Object Hallucination in Image Captioning",
    https://arxiv.org/abs/1809.02156.

    Args:
        mentions: In the order of the answer, repetitions left out.
        present: What is there.
        slots: How many positions are told apart; the last one holds all further mentions.

    Returns:
        CHAIR_i (mentions that are not there), CHAIR_s (answers with one), recall, and
        "CHAIR_i at n" for the n-th mention.
    """
    invented = [mention not in present for mention in mentions]
    found = len(set(mentions) & set(present))
    scores: Scores = {
        "CHAIR_i": (float(sum(invented)), float(len(mentions))),
        "CHAIR_s": (float(any(invented)), 1.0),
        "recall": (float(found), float(len(set(present)))),
    }
    for slot in range(slots):
        here = invented[slot : slot + 1] if slot < slots - 1 else invented[slot:]
        name = f"CHAIR_i at {slot + 1}" + ("+" if slot == slots - 1 else "")
        scores[name] = (float(sum(here)), float(len(here)))
    return scores


def letter(answer: str, right: str) -> Scores:
    """Score a lettered choice; the last "Answer: X" counts, and an answer without one is wrong."""
    said = re.findall(r"answer:\s*\(?([a-z])\b", answer.lower())
    return {"accuracy": (float(bool(said) and said[-1] == right.lower()), 1.0)}


def span(answer: str, right: str, no_answer: str) -> Scores:
    """Score a short answer from a passage by its words, as SQuAD2.0 does.

    Case, punctuation and articles do not count. An unanswerable question scores 1 for
    `no_answer` and 0 for all else. Source: Rajpurkar et al. 2018,
    https://arxiv.org/abs/1806.03822.

    Returns:
        F1 and exact match; of answerable and of unanswerable questions F1, and "abstains", which
        says how often the answer is `no_answer`: rightly for the unanswerable ones alone.
    """
    said, meant = _words(answer), _words(right)
    same = sum((Counter(said) & Counter(meant)).values())
    f1 = 2 * same / (len(said) + len(meant)) if said or meant else 1.0
    if _words(no_answer) in (said, meant):
        f1 = float(said == meant)
    kind = "unanswerable" if meant == _words(no_answer) else "answerable"
    return {
        "F1": (f1, 1.0),
        "exact": (float(said == meant), 1.0),
        f"F1 {kind}": (f1, 1.0),
        f"abstains {kind}": (float(said == _words(no_answer)), 1.0),
    }


def exact(answer: str, right: str) -> Scores:
    """Score an answer that has to be right word for word."""
    return {"exact": (float(answer.split() == right.split()), 1.0)}


def _words(text: str) -> list[str]:
    words = re.sub(r"[^\w\s]", "", text.lower()).split()
    return [word for word in words if word not in ("a", "an", "the")]
