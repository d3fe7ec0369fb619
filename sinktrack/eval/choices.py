"""What benchmarks of lettered choices share: how options are written, and how answers are read."""

from collections.abc import Iterable, Sequence

from sinktrack.eval.options import lettered
from sinktrack.eval.rules import fair_scores
from sinktrack.eval.task import Item, Scores


def lines_of(texts: Sequence[str]) -> str:
    """Return options as lines such as "A. left", each with its line break."""
    return "".join(f"{letter}. {text}\n" for letter, text in lettered(texts).items())


def score_choice(item: Item, answer: str) -> Scores:
    """Score a choice by the rule fair, and count it for its kind.

    Args:
        item: With the fact "question", and maybe "choices", a list of texts, and "kinds", what the
            item counts for besides.
        answer: What was said.
    """
    choices: Sequence[str] | None = item.facts.get("choices")
    scores = fair_scores(
        answer,
        item.answer,
        question=item.facts["question"],
        options=None if choices is None else lettered(choices),
    )
    return scores | by_kind(scores, item.facts.get("kinds", ()))


def by_kind(scores: Scores, kinds: Iterable[str]) -> Scores:
    """Return the accuracy of a score once more for each kind that an item is of."""
    return {f"accuracy, {kind}": scores["accuracy"] for kind in kinds}
