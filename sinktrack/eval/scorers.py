"""Scores of one answer, each a numerator and a denominator. Knows nothing about models or tasks."""

import re
import string
from collections import Counter
from collections.abc import Collection, Sequence

from sinktrack.eval.task import Scores

OF_WHAT_IS_SAID = ("abstains", "CHAIR", "Cog", "Hal", "human F1", "words", "yes ratio")
"""How measures begin that tell what an answer says, and not whether it is right."""


def without_what_is_said(scores: Scores) -> Scores:
    """Return an empty answer's scores as those of an item that failed.

    It is wrong. But it is no answer that invents nothing, so it counts in no measure of that kind.
    """
    return {
        measure: score
        for measure, score in scores.items()
        if not measure.startswith(OF_WHAT_IS_SAID)
    }


def yes_no(answer: str, present: bool) -> Scores:
    """Score an answer about existence, as POPE does.

    The last "yes" or "no" of the answer counts; an answer with neither counts as wrong, and as
    no yes. Source: Li et al. 2023, https://arxiv.org/abs/2305.10355.

    Returns:
        accuracy; precision, recall and F1 of yes; and yes ratio.
    """
    words = re.findall(r"\b(yes|no)\b", answer.lower())
    return said_yes_or_no(words[-1] if words else None, present)


def said_yes_or_no(said: str | None, present: bool) -> Scores:
    """Score what an answer says about existence, as `yes_no` does.

    Args:
        said: "yes", "no", or None where it says neither.
        present: Whether yes is right.
    """
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


def squad(answer: str, references: Sequence[str], abstains: bool) -> Scores:
    """Score a short answer against several references, as the official scorer of SQuAD 2.0 does.

    Case, ASCII punctuation and articles do not count, and the best reference does. A question
    without references is unanswerable: abstaining scores 1 there, and 0 elsewhere. Source:
    Rajpurkar et al. 2018, https://arxiv.org/abs/1806.03822, and its scorer,
    https://rajpurkar.github.io/SQuAD-explorer/.

    Args:
        answer: What was said.
        references: The right answers; none for an unanswerable question.
        abstains: Whether the answer says that the text does not tell.

    Returns:
        accuracy, which is exact match; F1; "contains", for an answer with all words of a reference
        in a row, or that abstains rightly; F1 and abstention of either kind of question.
    """
    said = squad_words(answer)
    kind = "answerable" if references else "unanswerable"
    if abstains or not references:
        f1 = exactly = within = float(abstains and not references)
    else:
        meant = [squad_words(reference) for reference in references]
        f1 = max(_overlap(said, words) for words in meant)
        exactly = float(said in meant)
        within = float(any(_stands_in(words, said) for words in meant))
    return {
        "accuracy": (exactly, 1.0),
        "F1": (f1, 1.0),
        "contains": (within, 1.0),
        f"F1 {kind}": (f1, 1.0),
        f"abstains {kind}": (float(abstains), 1.0),
    }


def best_reference(answer: str, references: Sequence[str]) -> Scores:
    """Score a short answer by the reference that it is nearest to, as LongBench's QA tasks do.

    Words are compared as SQuAD's scorer does. Source: `qa_f1_score` of
    https://github.com/THUDM/LongBench, LongBench/metrics.py.

    Args:
        answer: What was said.
        references: The right answers, one or more.

    Returns:
        F1; accuracy, which is exact match; "contains", as `squad` has it.
    """
    scores = squad(answer, references, abstains=False)
    return {measure: scores[measure] for measure in ("F1", "accuracy", "contains")}


LEAST_HUMAN_F1 = 0.4
"""QuAC leaves a question out whose annotators agree less."""


def quac(answer: str, references: Sequence[str], abstains: bool) -> Scores:
    """Score an answer against several references, as the official scorer of QuAC does.

    With several references each is left out once, the best of the others counts, and the mean is
    F1; the same of each reference against the others is the human F1. HEQ-Q is how often F1 reaches
    the human one. Source: Choi et al. 2018, https://arxiv.org/abs/1808.07036, section 5, and the
    scorer of https://quac.ai.

    Args:
        answer: What was said.
        references: The right answers; none for a question that the text does not answer.
        abstains: Whether the answer says that the text does not tell.

    Returns:
        F1, human F1 and HEQ-Q of questions whose human F1 is at least `LEAST_HUMAN_F1`; "F1, all
        questions"; how often answers abstain on either kind of question.
    """
    kind = "answerable" if references else "unanswerable"
    if abstains or not references:
        f1 = float(abstains and not references)
    else:
        said = squad_words(answer)
        f1 = _mean_of_best([_overlap(said, squad_words(each)) for each in references])
    human = _agreement([squad_words(each) for each in references])
    scores: Scores = {
        "F1, all questions": (f1, 1.0),
        f"abstains {kind}": (float(abstains), 1.0),
    }
    if human < LEAST_HUMAN_F1:
        return scores
    kept: Scores = {
        "F1": (f1, 1.0),
        "HEQ-Q": (float(f1 >= human), 1.0),
        "human F1": (human, 1.0),
    }
    return kept | scores


def _mean_of_best(overlaps: Sequence[float]) -> float:
    """Return the mean, over each one left out, of the best of the others; of one itself."""
    if len(overlaps) == 1:
        return overlaps[0]
    best = [
        max(*overlaps[:left_out], *overlaps[left_out + 1 :], 0.0)
        for left_out in range(len(overlaps))
    ]
    return sum(best) / len(best)


def _agreement(references: Sequence[Sequence[str]]) -> float:
    """Return how well references agree: the mean of each one's best overlap with another."""
    if len(references) < 2:
        return 1.0
    best = [
        max(_overlap(one, other) for place, other in enumerate(references) if place != number)
        for number, one in enumerate(references)
    ]
    return sum(best) / len(best)


def squad_words(text: str) -> list[str]:
    """Return the words of a text as SQuAD's scorer compares them."""
    plain = "".join(each for each in text.lower() if each not in string.punctuation)
    return re.sub(r"\b(a|an|the)\b", " ", plain).split()


def _overlap(said: Sequence[str], meant: Sequence[str]) -> float:
    """Return F1 of the words; without any, whether both have none."""
    if not said or not meant:
        return float(said == meant)
    same = sum((Counter(said) & Counter(meant)).values())
    return 2 * same / (len(said) + len(meant))


def _stands_in(words: Sequence[str], text: Sequence[str]) -> bool:
    """Whether words stand in a text, in a row and in this order."""
    return bool(words) and any(
        list(text[start : start + len(words)]) == list(words)
        for start in range(len(text) - len(words) + 1)
    )


def exact(answer: str, right: str) -> Scores:
    """Score an answer that has to be right word for word."""
    return {"exact": (float(answer.split() == right.split()), 1.0)}


def _words(text: str) -> list[str]:
    words = re.sub(r"[^\w\s]", "", text.lower()).split()
    return [word for word in words if word not in ("a", "an", "the")]
