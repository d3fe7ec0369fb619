"""Scores answers made elsewhere by one rule, and compares methods on the items that both answered.

Knows runs and rules, and no files: `sinktrack.eval.predictions` reads them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

from sinktrack.core.errors import AnswersError
from sinktrack.eval.answer_files import AnswerFile
from sinktrack.eval.findings import findings_before, unparsed_sentence
from sinktrack.eval.prediction_rows import Prediction
from sinktrack.eval.predictions import AnsweredRun, categories_split
from sinktrack.eval.rules import Rule, kind_of
from sinktrack.eval.statistics import (
    Pair,
    difference_interval,
    interval,
    mean_scores,
    paired_p,
    pairs_of,
    ratio,
    summed,
)
from sinktrack.eval.task import Scores

FORMATTING, REMAINING = "accuracy, formatting", "accuracy, remaining"
"""The two parts of a difference in accuracy: items of which an answer is unparsed, and the rest."""

MOST_CATEGORIES = 20
"""Of which each gets its own accuracy."""

_YES = ("precision", "recall", "F1", "yes ratio")
"""What is told only where every item asks for yes or no."""


@dataclass(frozen=True)
class Difference:
    """How two methods differ in a measure, on the items that both answered.

    Args:
        of: The method.
        minus: The method that is taken away from it.
        measure: By name.
        items: How many both answered.
        value: The difference of the measure, between -1 and 1.
        interval: Its 95 % interval.
        p: Of no difference, two-sided.
    """

    of: str
    minus: str
    measure: str
    items: int
    value: float
    interval: tuple[float, float]
    p: float


@dataclass(frozen=True)
class Method:
    """The measures of one method.

    Args:
        group: Of the items, such as "POPE"; empty where all methods answered the same.
        name: The method's own name, without its group.
        seeds: For each seed the number of items, and each measure between 0 and 1.
        pooled: The same of all seeds, an item counted once by its mean.
        intervals: The 95 % interval of each pooled measure.
    """

    group: str
    name: str
    seeds: Mapping[str, Mapping[str, float]]
    pooled: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class Score:
    """All that was found about answers.

    Args:
        rule: Which they were read by.
        methods: By name.
        differences: Between methods of one group.
        findings: What is odd, one sentence each.
        abstaining: The phrases that were taken for abstention; none where no text was asked about.
    """

    rule: Rule
    methods: Mapping[str, Method]
    differences: Sequence[Difference]
    findings: Sequence[str]
    abstaining: Sequence[str]

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values: methods, differences and findings."""
        return {
            "methods": {
                name: {
                    "seeds": {seed: dict(figures) for seed, figures in method.seeds.items()},
                    "pooled": dict(method.pooled),
                    "intervals": {key: list(pair) for key, pair in method.intervals.items()},
                }
                for name, method in self.methods.items()
            },
            "differences": [
                {
                    "of": each.of,
                    "minus": each.minus,
                    "measure": each.measure,
                    "value": each.value,
                    "interval": list(each.interval),
                    "p": each.p,
                }
                for each in self.differences
            ],
            "findings": list(self.findings),
        }


@dataclass(frozen=True)
class _Seeds:
    """The scores of one method's seeds, by seed and by item; and each item's cluster."""

    group: str
    name: str
    seeds: Mapping[str, Mapping[str, Scores]]
    clusters: Mapping[str, str]

    def pooled(self) -> dict[str, Scores]:
        """Return each item's mean."""
        ids = dict.fromkeys(id for scores in self.seeds.values() for id in scores)
        return {
            id: mean_scores([scores[id] for scores in self.seeds.values() if id in scores])
            for id in ids
        }


def score(
    runs: Sequence[AnsweredRun],
    files: Sequence[AnswerFile],
    rule: Rule,
    *,
    baseline: str | None = None,
    say: Callable[[str], None] = lambda doing: None,
) -> Score:
    """Score runs, and compare the methods of each group.

    Args:
        runs: What was answered.
        files: Where it was read.
        rule: How answers are read.
        baseline: The method that all others are compared with; None for all pairs.
        say: Told what is being done.

    Raises:
        AnswersError: If there is nothing to score, or an item has no right answer.
    """
    if not runs:
        raise AnswersError("The files hold no answers: there is nothing to score.")
    if baseline is not None and all(run.method != baseline for run in runs):
        known = ", ".join(dict.fromkeys(run.method for run in runs))
        raise AnswersError(
            f"There is no method {baseline!r} to compare with: choose one of {known}."
        )
    name = _namer(runs)
    say("looking at the files")
    findings = list(findings_before(runs, files, lambda run: f"{name(run)}{_seed(run)}"))
    scored: dict[str, _Seeds] = {}
    groups: dict[Any, list[str]] = {}
    for run in runs:
        say(f"scoring {run.title}")
        scores, clusters = _scored(run, rule)
        before = scored.get(name(run))
        if before is None:
            group = name(run).removesuffix(run.method).removesuffix(": ")
            scored[name(run)] = _Seeds(group, run.method, {run.seed: scores}, clusters)
            groups.setdefault(run.group, []).append(name(run))
        else:
            both = {**before.seeds, run.seed: scores}
            clusters = {**before.clusters, **clusters}
            scored[name(run)] = replace(before, seeds=both, clusters=clusters)
        share = ratio(pairs_of(list(scores.values()), "unparsed"))
        told = unparsed_sentence(f"{name(run)}{_seed(run)}", share or 0.0, rule.name)
        findings += [] if told is None else [told]
    say("comparing methods")
    methods = {title: _figures(seeds) for title, seeds in scored.items()}
    wanted = {name(run) for run in runs if run.method == baseline}
    differences = [
        difference
        for names in groups.values()
        for minus, of in _pairs(names, wanted)
        for difference in _differences(of, minus, scored[of], scored[minus])
    ]
    spans = rule.own is None and any(
        (rule.kind or kind_of(each)) == "span" for run in runs for each in run.answers[:1]
    )
    return Score(rule, methods, differences, findings, rule.abstaining if spans else ())


def _namer(runs: Sequence[AnsweredRun]) -> Callable[[AnsweredRun], str]:
    """Return what names a method: with its group's values that differ between groups, if any do."""
    values: dict[str, set[str]] = {}
    for run in runs:
        for key, value in run.group:
            values.setdefault(key, set()).add(value)
    several = len({run.group for run in runs}) > 1

    def name(run: AnsweredRun) -> str:
        varying = [value for key, value in run.group if several and len(values[key]) > 1]
        return f"{', '.join(varying)}: {run.method}" if varying else run.method

    return name


def _seed(run: AnsweredRun) -> str:
    return run.title.removeprefix(run.method)


def _pairs(names: Sequence[str], baselines: set[str]) -> Iterator[tuple[str, str]]:
    """Yield what is taken away and what from: all pairs, or those with the baseline."""
    if not baselines:
        yield from combinations(names, 2)
        return
    for base in names:
        if base in baselines:
            yield from ((base, other) for other in names if other != base)


def _scored(run: AnsweredRun, rule: Rule) -> tuple[dict[str, Scores], dict[str, str]]:
    """Return each item's scores and cluster."""
    answers = categories_split(list(run.first().values()))
    if rule.own is None:
        for each in answers:
            if each.gold is None:
                raise AnswersError(
                    f"{each.row.place} (id {each.id}) has no right answer: fill it in or leave "
                    "the row out, or name another field with --gold, or give --gold-file."
                )
    scores = {each.id: rule.score(each) for each in answers}
    if rule.own is None and not all((rule.kind or kind_of(each)) == "yes-no" for each in answers):
        for each in answers:
            if (rule.kind or kind_of(each)) == "yes-no":
                for measure in _YES:
                    scores[each.id].pop(measure, None)
    for each, category in _in_categories(answers):
        scores[each.id][f"accuracy, {category}"] = scores[each.id].get("accuracy", (0.0, 0.0))
    return scores, {each.id: each.cluster for each in answers}


def _in_categories(answers: Sequence[Prediction]) -> Iterator[tuple[Prediction, str]]:
    known = {category for each in answers for category in each.categories}
    if 1 < len(known) <= MOST_CATEGORIES:
        for each in answers:
            for category in each.categories:
                yield each, category


def _figures(method: _Seeds) -> Method:
    pooled = method.pooled()
    items = list(pooled.values())
    clusters = [method.clusters[id] for id in pooled]
    intervals = {}
    for measure in _measures(items):
        pairs = pairs_of(items, measure)
        if ratio(pairs) is not None:
            intervals[measure] = interval(summed(pairs, clusters))
    return Method(
        group=method.group,
        name=method.name,
        seeds={seed: _shares(list(scores.values())) for seed, scores in method.seeds.items()},
        pooled=_shares(items),
        intervals=intervals,
    )


def _shares(items: Sequence[Scores]) -> dict[str, float]:
    shares: dict[str, float] = {"items": len(items)}
    for measure in _measures(items):
        value = ratio(pairs_of(items, measure))
        if value is not None:
            shares[measure] = value
    return shares


def _measures(items: Sequence[Scores]) -> list[str]:
    return list(dict.fromkeys(measure for scores in items for measure in scores))


def _differences(of: str, minus: str, one: _Seeds, other: _Seeds) -> Iterator[Difference]:
    """Yield the differences of every measure that both methods have."""
    above, below = one.pooled(), other.pooled()
    common = [id for id in above if id in below]
    if not common:
        return
    clusters = [one.clusters[id] for id in common]

    def difference(measure: str, first: list[Pair], second: list[Pair]) -> Difference | None:
        before, after = ratio(first), ratio(second)
        if before is None or after is None:
            return None
        first, second = summed(first, clusters), summed(second, clusters)
        return Difference(
            of,
            minus,
            measure,
            len(common),
            after - before,
            difference_interval(first, second),
            paired_p(first, second),
        )

    scores, others = [above[id] for id in common], [below[id] for id in common]
    for measure in _measures(others):
        if measure.startswith("accuracy, "):
            continue  # a category's own
        found = difference(measure, pairs_of(others, measure), pairs_of(scores, measure))
        if found is not None:
            yield found
    split = [_split(id, one, other) for id in common]
    if all(each is not None for each in split):
        for place, measure in enumerate((FORMATTING, REMAINING)):
            parts = [each[place] for each in split if each is not None]
            found = difference(
                measure, [(low, 1.0) for low, _ in parts], [(high, 1.0) for _, high in parts]
            )
            if found is not None:
                yield found


def _split(id: str, one: _Seeds, other: _Seeds) -> tuple[Pair, Pair] | None:
    """Return an item's accuracy of both methods where an answer is unparsed, and where none is.

    Answers of the same seed are held against each other; where the methods have other seeds, every
    answer against every other. None where accuracy is no rate.
    """
    same = one.seeds.keys() == other.seeds.keys()
    pairs = [
        (other.seeds[low][id], one.seeds[high][id])
        for low in other.seeds
        for high in one.seeds
        if (low == high or not same) and id in other.seeds[low] and id in one.seeds[high]
    ]
    parts = [[0.0, 0.0], [0.0, 0.0]]
    for before, after in pairs:
        if before.get("accuracy", (0, 0))[1] != 1 or after.get("accuracy", (0, 0))[1] != 1:
            return None
        part = parts[0 if before["unparsed"][0] or after["unparsed"][0] else 1]
        part[0] += before["accuracy"][0]
        part[1] += after["accuracy"][0]
    count = max(1, len(pairs))
    formatting, remaining = ((low / count, high / count) for low, high in parts)
    return formatting, remaining
