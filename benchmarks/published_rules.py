"""The rules by which SinkTrack's public repository scored its answers, written anew.

Each gives the same figures as the script that lay beside the answers in commit 179e85e of
https://github.com/67L1/SinkTrack, under all_inference_results/.
"""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from sinktrack.eval.scorers import squad_words

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_BEFORE = " \t\n\r\f\v*_-=:|\"'`"
_AFTER = _BEFORE + ".!,;\uff1f\u3002\uff01\u3001"  # no "?" but the wide ones
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")
_OPTION = re.compile(r"^\s*\(?([A-Z])\)?[.\s]\s*(.*)", re.MULTILINE)
_DROPPED = "I cannot answer the question based on the provided text."


def vision(row: Mapping[str, Any]) -> bool:
    """Tell whether the repository counts a row of POPE, MMStar or RealWorldQA as right.

    What stands behind the first "answer:" counts, or behind the first "answer", or else all of it;
    of that the first line. Numbers are compared first, then whole texts; an answer that holds the
    right word counts too, as does one that holds, or is held by, the right option's text.

    Args:
        row: With question, answer and pred.
    """
    said = _behind_answer(str(row.get("pred", "")).strip())
    right = str(row.get("answer", "")).strip()
    if _same(said, _trimmed(right)):
        return True
    if len(said) == 1 and said in "abcdefg":
        return False
    options = {
        letter: text.strip().lower()
        for letter, text in _OPTION.findall(str(row.get("question", "")).strip())
        if text.strip()
    }
    text = options.get(right.upper())
    return text is not None and (_nested(text, said) or _digit_as_word(text, said))


def vision_negation(row: Mapping[str, Any]) -> bool:
    """Tell whether the repository counts a row of LLaVA's POPE as right.

    An answer with a word of negation is a no, and any other one a yes.

    Args:
        row: With answer and pred.
    """
    words = str(row["pred"]).strip().replace(".", "").replace(",", "").split(" ")
    negated = any(word in ("No", "not", "no", "NO") or word.endswith("n't") for word in words)
    return negated == (str(row["answer"]).lower() == "no")


def squad_accuracy(row: Mapping[str, Any]) -> bool | None:
    """Tell whether the repository counts a row of SQuAD 2.0 as right; None leaves it out.

    An answer is right if it holds a reference or is held by one, commas, points and case aside. To
    an unanswerable question it is right with "not provide" or "cannotanswer" in it. A wrong answer
    that says `_DROPPED` counts neither as right nor in the total.

    Args:
        row: With predicted_answer and ground_truth_answers.
    """
    said, references = row["predicted_answer"], row["ground_truth_answers"]
    if references:
        plain = _unmarked(said)
        right = any(_nested(_unmarked(each), plain) for each in references)
    else:
        right = "not provide" in said.lower() or "cannotanswer" in said.lower()
    return None if not right and _DROPPED in said else right


def squad_f1(row: Mapping[str, Any]) -> float:
    """Return the F1 that the repository gives a row of SQuAD 2.0: 0 for unanswerable questions.

    Args:
        row: With predicted_answer and ground_truth_answers.
    """
    said = row["predicted_answer"]
    words = squad_words("not provide" if "not provide" in said else said)
    best = 0.0
    for reference in row["ground_truth_answers"]:
        meant = squad_words(reference)
        same = sum((Counter(words) & Counter(meant)).values())
        if same:
            best = max(best, 2 * same / (len(words) + len(meant)))
    return best


def says_dropped(row: Mapping[str, Any]) -> bool:
    """Tell whether an answer holds the sentence that leaves a wrong answer out of the total."""
    return _DROPPED in row["predicted_answer"]


def score_vision(answer: str, gold: Any, row: Mapping[str, Any]) -> bool:
    """The rule `vision` for `sinktrack score --rule published_rules:score_vision`."""
    return vision(row)


def score_squad(answer: str, gold: Any, row: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    """The rule `squad_accuracy` for `sinktrack score --rule published_rules:score_squad`."""
    right = squad_accuracy(row)
    return {"accuracy": (0.0, 0.0) if right is None else (float(right), 1.0)}


def _behind_answer(text: str) -> str:
    low = text.lower()
    for marker in ("answer:", "answer"):
        if marker in low:
            low = low.split(marker, 1)[1]
            break
    tail = re.sub(r"^\s*[:：=\-–—~>*()\[\]]*\s*(?:is|are|=)?\s*", "", low)
    return _trimmed(tail.splitlines()[0] if tail else "").strip("*_`").strip()


def _trimmed(text: str) -> str:
    return text.strip().lower().lstrip(_BEFORE).rstrip(_AFTER)


def _same(said: str, right: str) -> bool:
    said = _trimmed(said)
    one, other = _NUMBER.search(said), _NUMBER.search(right)
    if one and other:
        return abs(float(one.group()) - float(other.group())) < 1e-9
    if said == right or _digit_as_word(right, said):
        return True
    if len(right) > 1 and re.search(rf"\b{re.escape(right)}\b", said):
        return True
    return (said, right) in (("a", "yes"), ("b", "no"))


def _digit_as_word(digit: str, said: str) -> bool:
    """Whether an answer holds a digit's word, or is held by it; "no" is zero too."""
    if len(digit) != 1 or not digit.isascii() or not digit.isdigit():
        return False
    words = [DIGITS[int(digit)], *(["no"] if digit == "0" else [])]
    return any(_nested(word, said) for word in words)


def _nested(one: str, other: str) -> bool:
    return one.lower() in other.lower() or other.lower() in one.lower()


def _unmarked(text: str) -> str:
    return text.replace(",", "").replace(".", "")
