"""A paragraph for the methods section of a paper: how a study was done, from its own data.

Says how annotators judged, how pairs and sides were drawn (`app.study.assignment`), what was
tested and how, and what was left out. Names no annotator.
"""

from collections import Counter
from statistics import median

from app.study import ranking, stats
from app.study.results import Results
from app.study.wording import counted, escape_markdown, format_range
from sinktrack.core.errors import listed
from sinktrack.study.folder import Study


def methods_section(study: Study, found: Results) -> str:
    """Return the paragraph, as Markdown."""
    parts = [_judged(study, found), _drawn(study, found), _left_out(found)]
    if found.by_item:
        parts += [_figures(study, found), _agreement(study, found)]
    return " ".join(parts)


def _judged(study: Study, found: Results) -> str:
    lanes = [escape_markdown(lane) for lane in study.lanes]
    told = (
        f"The study compares {len(lanes)} methods ({listed(lanes)}) on "
        f"{counted(len(study.judged), 'item')}. In each vote an annotator saw one item with the "
        "answers of two methods side by side, without the methods' names, and said which answer "
        "was better, that both were equally good (a tie), or that both were bad"
    )
    if "hallucination" in study.ask:
        told += "; and of each answer how badly it hallucinates: not at all, minor or severe"
    told += "."
    if study.questions:
        asked = listed([f"“{escape_markdown(each.ask)}”" for each in study.questions])
        told += f" They were also asked: {asked}."
    if study.reveal == "after vote":
        told += " After a vote, which then could not be changed, they might see the methods' names."
    if not found.by_item:
        return f"{told} Nobody has voted yet."
    own = sorted(found.by_annotator.values())
    return (
        f"{told} {counted(len(own), 'annotator')} gave {counted(sum(own), 'vote')} on "
        f"{counted(found.items, 'item')}: {format_range(list(found.by_item.values()))} an item "
        f"({study.votes_per_item} were asked for) and {format_range(own)} an annotator (median "
        f"{median(own):g})."
    )


def _drawn(study: Study, found: Results) -> str:
    several = (
        "The pair of methods was the one given least so far, on the whole, then to this "
        "annotator, then on this item, and drawn at random among equals. "
    )
    once = "" if found.repeated else "No annotator got an item twice. "
    told = (
        f"{several if len(study.lanes) > 2 else ''}{once}The second vote "
        "on an item and a pair saw the sides turned round; else the sides were drawn at random."
    )
    told += _known(study)
    shares = [groups[0].first_left for groups in found.by_pair().values() if groups[0].votes]
    if shares:
        rounded = format_range([round(100 * each.count / each.total) for each in shares])
        which = "each pair's first method" if len(shares) > 1 else next(iter(study.lanes))
        told += f" So {escape_markdown(which)} stood on the left in {rounded} % of the votes."
    return told


def _known(study: Study) -> str:
    """Return what was judged to know the annotators, in sentences."""
    training, checks = len(study.used_for("training")), len(study.used_for("check"))
    told = ""
    if training:
        told += (
            f" Annotators began with {counted(training, 'item')} for training, after each of which "
            "they read the right answer; these votes count nowhere."
        )
    if checks:
        told += (
            f" Everybody judged {counted(checks, 'check')} with a known better answer, mixed in "
            "blind, which count in no comparison."
        )
    if study.repeat:
        told += (
            f" Everybody judged up to {counted(study.repeat, 'item')} again, with the sides turned "
            "round."
        )
    return told


def _left_out(found: Results) -> str:
    told = []
    if found.left_out:
        people, votes = len(found.left_out), sum(found.left_out.values())
        told.append(
            f"All votes of {counted(people, 'annotator')} ({counted(votes, 'vote')}) were left out "
            "of all figures."
        )
    if found.repeated:
        told.append(
            f"{counted(found.repeated, 'vote')} on answers that the same annotator had judged "
            "before count for self-agreement alone."
        )
    told += found.uncounted.sentences(named=False)
    return " ".join(told) or "No vote was left out."


def _figures(study: Study, found: Results) -> str:
    said: Counter[str] = Counter()
    for groups in found.by_pair().values():
        said.update(groups[0].said)
    pairs = len(found.by_pair())
    told = (
        "Win rates are shares of the votes that preferred one answer "
        f"({counted(said['tie'], 'tie')} and {counted(said['both bad'], 'vote')} for both bad "
        "count for neither), with Wilson's 95 % score interval, which takes votes for independent, "
        f"and the 95 % percentile interval of {stats.DRAWS:,} bootstrap draws of items, which does "
        "not. The test of no preference is the exact two-sided sign test over items, by the method "
        "that most of an item's votes preferred"
    )
    told += f", corrected for {pairs} pairs of methods by Holm's procedure." if pairs > 1 else "."
    if "hallucination" in study.ask:
        told += (
            " Hallucinations were compared by the same test, by the method judged worse on the "
            "whole of an item's votes" + (", without a correction." if pairs > 1 else ".")
        )
    if found.ranking is not None and found.ranking.strengths:
        told += (
            " Strengths are those of the Bradley-Terry model with ties (Bradley & Terry 1952; "
            "Davidson 1970), in which both bad counts as a tie and every pair that was compared "
            f"has {ranking.PRIOR:g} wins more each way; their 95 % intervals are percentiles of "
            f"{ranking.DRAWS:,} bootstrap draws of items."
        )
    return told


def _agreement(study: Study, found: Results) -> str:
    measures = [("the better answer", "nominal", found.choice)]
    if "hallucination" in study.ask:
        measures.append(("severity", "ordinal", found.severity))
    told = [
        f"{each.alpha:.3f} for {what} ({level}, {counted(each.items, 'unit')})"
        for what, level, each in measures
        if each.alpha is not None
    ]
    told += [f"not defined for {what}" for what, _, each in measures if each.alpha is None]
    return (
        f"Krippendorff's alpha is {' and '.join(told)}; what a single annotator judged could not "
        f"count for it ({counted(found.single, 'pair')} of answers)."
    )
