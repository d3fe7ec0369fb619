"""What is odd about files of answers, said before they are scored: one plain sentence each."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from statistics import mean, quantiles

from sinktrack.core.errors import listed, shown
from sinktrack.eval.answer_files import AnswerFile
from sinktrack.eval.prediction_rows import Prediction
from sinktrack.eval.predictions import AnsweredRun
from sinktrack.eval.rules import kind_of, without_thinking

Name = Callable[[AnsweredRun], str]
"""Gives a run's name, for a sentence."""

_PLACEHOLDER = re.compile(
    r"[\[<{](?:here (?:is|goes|comes) )?(?:your|insert|put|the final|final)\b[^\]>}\n]{0,60}[\]>}]",
    re.IGNORECASE,
)
_UNFINISHED = re.compile(r"[\w,;(\-–]$")
_PIECE = re.compile(r"\w+|[^\w\s]")


def findings_before(
    runs: Sequence[AnsweredRun], files: Sequence[AnswerFile], name: Name
) -> Iterator[str]:
    """Yield what can be said before anything is scored.

    Args:
        runs: The answers.
        files: Where they were read.
        name: Names a run.
    """
    for file in files:
        if not file.rows:
            yield f"{file.path} is empty."
    yield from _equal_files(files)
    for run in runs:
        yield from _duplicates(run, name(run))
    yield from _missing(runs, name)
    yield from _other_golds(runs, name)
    yield from _none_of_the_options(runs, name)
    for run in runs:
        yield from _empty(run, name(run))
        yield from _cut(run, name(run))
        yield from _echoes(run, name(run))
    yield from _equal_answers(runs, name)


def unparsed_sentence(name: str, share: float, rule: str) -> str | None:
    """Say how many answers a rule could not read; None where it read all.

    Args:
        name: Of the run.
        share: Between 0 and 1.
        rule: The rule's name.
    """
    if not share:
        return None
    return f"{name}: {percent(share)} of the answers cannot be read by the rule {rule}."


def percent(share: float) -> str:
    """Return a share between 0 and 1 in words."""
    return f"{100 * share:.1f} %" if share >= 0.0005 or not share else "less than 0.1 %"


def _equal_files(files: Sequence[AnswerFile]) -> Iterator[str]:
    same = defaultdict(list)
    for file in files:
        if file.rows:
            same[file.digest].append(file.path)
    for paths in same.values():
        if len(paths) > 1:
            yield f"{listed(paths)} are equal byte for byte."


def _duplicates(run: AnsweredRun, name: str) -> Iterator[str]:
    """Yield what repeated ids mean: a few duplicates, or whole runs one after the other."""
    first: dict[str, tuple[int, str]] = {}
    repeated: list[tuple[str, int, bool]] = []  # id, place of its first row, same answer
    longest = length = 0
    place = -1
    for each in run.answers:
        if each.id not in first:
            first[each.id] = len(first), each.answer
            length, place = 0, -1
            continue
        before, answer = first[each.id]
        repeated.append((each.id, before, answer == each.answer))
        length = length + 1 if place >= 0 and before == place + 1 else 1
        place = before
        longest = max(longest, length)
    if not repeated:
        return
    others = sum(not same for _, _, same in repeated)
    ids = list(dict.fromkeys(id for id, _, _ in repeated))
    yield (
        f"{name}: ids come again in {len(repeated):,} of {len(run.answers):,} rows, such as "
        f"{ids[0]}, with another answer in {others:,}; the first row of an id counts."
    )
    if longest >= max(2, len(repeated) / 2):
        yield (
            f"{name}: several runs stand in one file or under one seed, because {longest:,} ids in "
            f"a row come again in the same order; the first {len(first):,} answers count."
        )


def _missing(runs: Sequence[AnsweredRun], name: Name) -> Iterator[str]:
    for group in _groups(runs).values():
        ids = {run.title: run.first().keys() for run in group}
        all_ids = list(dict.fromkeys(id for run in group for id in run.first()))
        for run in group:
            missing = [id for id in all_ids if id not in ids[run.title]]
            if missing:
                yield (
                    f"{name(run)}: {len(missing):,} of {len(all_ids):,} items are missing, such as "
                    f"{_some(missing)}; methods are compared on the items that both have."
                )


def _other_golds(runs: Sequence[AnsweredRun], name: Name) -> Iterator[str]:
    for group in _groups(runs).values():
        right = group[0].first()
        for run in group[1:]:
            other = [
                id
                for id, each in run.first().items()
                if id in right and each.gold != right[id].gold
            ]
            if other:
                yield (
                    f"{name(run)}: {len(other):,} items have another right answer than in "
                    f"{name(group[0])}, such as {_some(other)}."
                )


def _none_of_the_options(runs: Sequence[AnsweredRun], name: Name) -> Iterator[str]:
    """Say, once for all runs about the same items, where a right answer is none of the options."""
    for group in _groups(runs).values():
        told: set[str] = set()
        for run in group:
            asked = [each for each in run.first().values() if each.options and each.gold]
            other = [each for each in asked if kind_of(each) == "word"]
            if any(each.id not in told for each in other):
                yield (
                    f"{name(run)}: {len(other):,} of {len(asked):,} items with options have a "
                    f"right answer that is none of them, such as {shown(other[0].gold)} for "
                    f"{other[0].id}; without --kind it is compared as a word."
                )
            told.update(each.id for each in other)


def _empty(run: AnsweredRun, name: str) -> Iterator[str]:
    answers = run.first().values()
    empty = [
        each
        for each in answers
        if not without_thinking(each.answer).strip() and not each.row.values.get("told")
    ]
    if empty:
        about_a_text = any(isinstance(each.gold, tuple) for each in empty)
        yield f"{name}: {len(empty):,} of {len(answers):,} answers are empty" + (
            ', which the scorer of SQuAD 2.0 takes for abstaining; --abstain "" does so here.'
            if about_a_text
            else "."
        )


def _cut(run: AnsweredRun, name: str) -> Iterator[str]:
    """Say whether answers end in mid-sentence at a like length, as a low limit of tokens makes.

    Tokens are not known here, so words and marks are counted. Of the answers that end without a
    mark, the middle half must be nearly equally long, and hardly any answer longer; or the longest
    must be equally long by the character.
    """
    answers = [each.answer.strip() for each in run.first().values()]
    lengths = [len(_PIECE.findall(answer)) for answer in answers]
    ends = [
        (length, len(answer))
        for answer, length in zip(answers, lengths, strict=True)
        if (length >= 8 or len(answer) >= 40) and _UNFINISHED.search(answer)
    ]
    if len(ends) < max(3, 0.01 * len(answers)):
        return
    _, middle, high = quantiles([pieces for pieces, _ in ends], n=4)
    alike = high <= 1.15 * middle and high >= 0.8 * quantiles(lengths, n=100)[-1]
    longest = max(len(answer) for answer in answers)
    # a cut behind a space is one character shorter
    equal = sum(characters >= longest - 1 for _, characters in ends) >= max(3, len(ends) / 2)
    if equal or (alike and len(ends) >= 5):
        yield (
            f"{name}: {len(ends):,} of {len(answers):,} answers stop in mid-sentence, at about "
            f"{middle:.0f} words and marks: they were probably cut at a common length."
        )


def _echoes(run: AnsweredRun, name: str) -> Iterator[str]:
    """Say how many answers repeat the prompt's template in place of filling it in."""
    answers = run.first().values()
    found = [match.group() for each in answers if (match := _PLACEHOLDER.search(each.answer))]
    if found:
        ((usual, _),) = Counter(found).most_common(1)
        yield (
            f"{name}: {len(found):,} of {len(answers):,} answers echo the prompt's template, most "
            f"often {usual!r}."
        )
    repeats = sum(_repeats_instruction(each) for each in answers)
    if repeats:
        yield f"{name}: {repeats:,} of {len(answers):,} answers repeat the question's instruction."


def _repeats_instruction(each: Prediction) -> bool:
    """Whether an answer holds the last line of the question, if that is long and no option."""
    *before, last = each.question.strip().split("\n")
    asks = bool(before) and len(last) >= 30 and last in each.answer
    return asks and not any(len(text) >= 20 and text in last for text in each.options.values())


def _equal_answers(runs: Sequence[AnsweredRun], name: Name) -> Iterator[str]:
    """Say how often a method's seeds agree, which tells how strongly it was sampled."""
    for group in _groups(runs).values():
        by_method = defaultdict(list)
        for run in group:
            by_method[run.method].append(run)
        shares = {}
        for seeds in by_method.values():
            pairs = [
                _agreement(one.first(), other.first()) for one, other in combinations(seeds, 2)
            ]
            told = [pair for pair in pairs if pair is not None]
            if told:
                shares[name(seeds[0]).removesuffix(f", seed {seeds[0].seed}")] = mean(told)
        for method, share in shares.items():
            yield f"{method}: {percent(share)} of the answers are equal between seeds."
        if shares and max(shares.values()) - min(shares.values()) > 0.2:
            yield (
                "The methods' seeds agree in very different measure "
                f"({listed([f'{method} {percent(share)}' for method, share in shares.items()])}), "
                "which is a hint that the methods were decoded differently."
            )


def _agreement(one: Mapping[str, Prediction], other: Mapping[str, Prediction]) -> float | None:
    same = [one[id].answer == other[id].answer for id in one if id in other]
    return mean(same) if same else None


def _groups(runs: Sequence[AnsweredRun]) -> dict[object, list[AnsweredRun]]:
    found: dict[object, list[AnsweredRun]] = {}
    for run in runs:
        found.setdefault(run.group, []).append(run)
    return found


def _some(ids: Sequence[str]) -> str:
    return listed(list(ids[:3]))
