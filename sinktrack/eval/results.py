"""What the records of a run say: figures of each task and method.

Knows nothing about models, prompts and files.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import exp
from statistics import median
from typing import Any

from sinktrack.eval.statistics import (
    difference_interval,
    holm,
    interval,
    mean_scores,
    paired_p,
    pairs_of,
    ratio,
    summed,
)
from sinktrack.eval.task import Scores

Figure = dict[str, Any]
"""A measure of one method: its value, its interval and how many items count. Of all but the first
method also its difference from the first one with its interval, p and p_holm."""


@dataclass(frozen=True)
class Answered:
    """What a record keeps of one answer.

    Args:
        scores: Its measures.
        moved: The most that the method moved, by what it moved; None for the plain model, and
            where nothing was answered.
        error: Why the item failed; None where it was answered.
    """

    scores: Scores
    moved: Mapping[str, float] | None
    error: str | None = None

    @property
    def unmoved(self) -> bool:
        """Whether a method was to act and did not."""
        return self.moved is not None and not any(self.moved.values())


ByMethod = Mapping[str, Sequence[Sequence[Answered]]]
"""Of one task: for each method, item by item, the answers of all seeds."""


@dataclass(frozen=True)
class Groups:
    """A measure of items that belong together, as `Together` of a task.

    Args:
        measure: Its name in the tables.
        of: The measure of a single item.
        names: Item by item the name of its group; None where it counts in none.
    """

    measure: str
    of: str
    names: Sequence[str | None]

    def scores(self, items: Sequence[Sequence[Answered]]) -> list[Scores]:
        """Return each group's score: in how many seeds none of its items is wrong.

        Args:
            items: Item by item, the answers of all seeds.
        """
        members: dict[str, list[Sequence[Answered]]] = {}
        for name, answers in zip(self.names, items, strict=True):
            if name is not None:
                members.setdefault(name, []).append(answers)
        return [
            mean_scores(
                [
                    {self.measure: (float(all(map(self._right, seed))), 1.0)}
                    for seed in zip(*answers, strict=True)
                ]
            )
            for answers in members.values()
        ]

    def _right(self, answered: Answered) -> bool:
        above, below = answered.scores.get(self.of, (0.0, 0.0))
        return above == below


def results(
    settings: Mapping[str, Any],
    tasks: Mapping[str, ByMethod],
    groups: Mapping[str, Sequence[Groups]] | None = None,
    powers: Mapping[str, Mapping[str, str]] | None = None,
    clusters: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, Any]:
    """Return the figures of a run, as JSON values.

    Args:
        settings: Of the run.
        tasks: The answers.
        groups: Measures of groups of items, by task.
        powers: Measures that are e to the power of another one, by task, as `Task` has them. They
            are not compared, because the other one is.
        clusters: Item by item what each belongs to, by task. Intervals and tests draw or exchange
            whole clusters, because items of one are not independent.
    """
    grouped, clustered = groups or {}, clusters or {}
    figures = {
        task: _figures(answers, grouped.get(task, ()), clustered.get(task))
        for task, answers in tasks.items()
    }
    for task, raised in (powers or {}).items():
        for own in figures[task].values():
            own |= {name: _power(own[of]) for name, of in raised.items() if of in own}
    compared = [figure for figure in _all(figures) if "p" in figure]
    for figure, p in zip(compared, holm([each["p"] for each in compared]), strict=True):
        figure["p_holm"] = p
    return {
        "settings": settings,
        "comparisons": len(compared),
        "notes": [
            note
            for task, answers in tasks.items()
            for note in (*_notes(task, answers), *_note_of_clusters(task, clustered.get(task, ())))
        ],
        "tasks": figures,
        "moved": {task: _moved(answers) for task, answers in tasks.items()},
        "failed": {task: _failed(answers) for task, answers in tasks.items()},
    }


def _power(figure: Figure) -> Figure:
    """Return e to the power of a measure, whose interval has the same draws."""
    low, high = figure["interval"]
    return {
        "value": exp(figure["value"]),
        "interval": (exp(low), exp(high)),
        "items": figure["items"],
    }


def _all(figures: Mapping[str, Mapping[str, Mapping[str, Figure]]]) -> Iterator[Figure]:
    for methods in figures.values():
        for measures in methods.values():
            yield from measures.values()


def _figures(
    answers: ByMethod, groups: Sequence[Groups], clusters: Sequence[str] | None
) -> dict[str, dict[str, Figure]]:
    """Return value, interval and p of every measure of every method."""
    scores = {
        name: [
            *(mean_scores([each.scores for each in item]) for item in items),
            *(score for each in groups for score in each.scores(items)),
        ]
        for name, items in answers.items()
    }
    first, base = next(iter(scores.items()))
    measures = dict.fromkeys(name for own in scores.values() for score in own for name in score)
    entries = len(next(iter(scores.values())))
    names = list(clusters or ())  # behind the items' stand those of groups, each alone
    names += [f"entry {number}" for number in range(len(names), entries)]
    figures: dict[str, dict[str, Figure]] = {}
    for name, answered in scores.items():
        figures[name] = {}
        for measure in measures:
            pairs = pairs_of(answered, measure)
            value = ratio(pairs)
            if value is None:
                continue  # nothing of the kind was said
            figure: Figure = {
                "value": value,
                "interval": interval(summed(pairs, names)),
                "items": sum(any(pair) for pair in pairs),
            }
            plain = pairs_of(base, measure)
            before = ratio(plain)
            if name != first and before is not None:
                both = summed(plain, names), summed(pairs, names)
                figure["difference"] = {
                    "value": value - before,
                    "interval": difference_interval(*both),
                }
                figure["p"] = paired_p(*both)
            figures[name][measure] = figure
    return figures


def _note_of_clusters(task: str, clusters: Sequence[str]) -> Iterator[str]:
    count = len(set(clusters))
    if count < len(clusters):
        yield (
            f"In {task!r}, {len(clusters):,} items make {count:,} clusters, such as those about "
            "one picture or passage; intervals and tests take clusters as independent."
        )


def _moved(answers: ByMethod) -> dict[str, dict[str, dict[str, float]]]:
    """Return how far each method moved each thing in an answer: the median, and the most."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for name, items in answers.items():
        told = [each.moved for item in items for each in item if each.moved is not None]
        for kind in dict.fromkeys(kind for moved in told for kind in moved):
            values = [moved.get(kind, 0.0) for moved in told]
            most = {"median": median(values), "most": max(values)}
            found.setdefault(name, {})[kind] = most
    return found


def _failed(answers: ByMethod) -> dict[str, int]:
    """Return how many answers of each method failed, of those where some did."""
    counts = {
        name: sum(each.error is not None for item in items for each in item)
        for name, items in answers.items()
    }
    return {name: count for name, count in counts.items() if count}


def _notes(task: str, answers: ByMethod) -> Iterator[str]:
    """Say of each method how many answers failed, and in how many it moved nothing."""
    for name, items in answers.items():
        flat = [each for item in items for each in item]
        errors = Counter(each.error for each in flat if each.error is not None)
        if errors:
            (error, _), *_ = errors.most_common(1)
            wrong = any(each.scores for each in flat if each.error is not None)
            yield (
                f"In {task!r}, {name} failed in {errors.total()} of {len(flat)} answers, which "
                f"count {'as wrong' if wrong else 'in no measure'}. Most often: {error}"
            )
        still = sum(each.unmoved for each in flat)
        if still:
            yield f"In {task!r}, {name} moved nothing in {still} of {len(flat)} answers."
