"""Whether a difference between methods is chance: many questions, each answered by every method.

Figures and tests are those of `sinktrack.eval`, whose imports take a while: the engine imports this
when somebody asks. Knows nothing about queues or pages.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from app.shared.events import Event, Stopped, Surveyed, Surveying
from app.shared.methods import lane_methods, suited
from app.shared.survey import Survey
from app.shared.thumbnails import data_url
from sinktrack.core.decoding import Decoding
from sinktrack.eval.asking import answered_batches, check_needs
from sinktrack.eval.results import Answered, Figure, results
from sinktrack.eval.run import Run
from sinktrack.eval.task import Item, Scores, Task
from sinktrack.report.payload import lane_titles

ROWS = 16
"""Rows of one batch, so that it ends soon after somebody has stopped it."""
RIGHT = "right"
"""The one measure: whether an answer is right, as `sinktrack.eval.truth` judges."""
_THUMBNAIL = 96  # pixels, twice what is shown


def ask_all(
    model: Any,
    processor: Any,
    survey: Survey,
    stopped: Callable[[], bool],
    report: Callable[[Event], None],
) -> None:
    """Ask all questions, and report how far it is and what came out.

    Args:
        model: The model.
        processor: Its processor.
        survey: What is asked.
        stopped: Tells whether to end; asked after every batch.
        report: Takes `Surveying`, and in the end `Surveyed` with what was answered by every
            method; `Stopped` where nothing was.

    Raises:
        SinkTrackError: If a method or a picture cannot be used.
    """
    run = _run(survey, model)
    (task,) = run.tasks
    check_needs(model, processor, run, {task.name: survey.items})
    texts: dict[str, dict[str, str]] = {name: {} for name in run.methods}
    answers: dict[str, dict[str, Answered]] = {name: {} for name in run.methods}
    total = len(run.methods) * len(survey.items)
    report(Surveying(0, total))
    for batch in answered_batches(model, processor, run, task, survey.items, {}):
        for item, _, row in batch:
            moved = None if row.method is None else dict(row.moved or {})
            texts[row.name][item.id] = row.whole_text
            answers[row.name][item.id] = Answered(task.score(item, row.whole_text), moved)
        report(Surveying(sum(map(len, answers.values())), total))
        if stopped():
            break
    whole = [item for item in survey.items if all(item.id in each for each in answers.values())]
    if not whole:
        return report(Stopped())
    found = results(
        run.settings(model),
        {task.name: {name: [[each[item.id]] for item in whole] for name, each in answers.items()}},
    )
    right = {
        name: {item.id: each[item.id].scores[RIGHT][0] == 1 for item in whole}
        for name, each in answers.items()
    }
    first = next(iter(right.values()))
    titles = lane_titles(run.methods)
    told = {
        "title": survey.title,
        "count": len(whole),
        "asked": len(survey.items),
        "comparisons": found["comparisons"],
        "methods": [
            {"title": titles[name][0]} | _figures(figures[RIGHT], right[name], first)
            for name, figures in found["tasks"][task.name].items()
        ],
        "changed": [_changed(item, texts, right) for item in whole if _differs(item, right)],
    }
    report(Surveyed(json.dumps(told, allow_nan=False)))


def _run(survey: Survey, model: Any) -> Run:
    """Return what `sinktrack.eval.runner` asks."""
    has = {
        "visuals": any(item.images for item in survey.items),
        "passage": any(item.passage for item in survey.items),
    }
    decoding = Decoding()
    if survey.do_sample:
        decoding = Decoding(do_sample=True, temperature=survey.temperature, seed=survey.seed)
    task = Task(survey.title, lambda split, limit: survey.items, _score, survey.max_new_tokens)
    return Run(
        tasks=[task],
        methods=lane_methods(model, suited(model, survey.methods, **has)),
        cache=survey.cache,
        decoding=decoding,
        batch=ROWS,
    )


def _score(item: Item, answer: str) -> Scores:
    return {RIGHT: (float(item.facts["truth"].admits(answer)), 1.0)}


def _figures(
    figure: Figure, right: Mapping[str, bool], first: Mapping[str, bool]
) -> dict[str, Any]:
    """Return how often a method is right, and how it differs from the first one."""
    low, high = figure["interval"]
    told: dict[str, Any] = {
        "right": sum(right.values()),
        "value": figure["value"],
        "low": low,
        "high": high,
        "against": None,
    }
    if "difference" in figure:
        least, most = figure["difference"]["interval"]
        told["against"] = {
            "value": figure["difference"]["value"],
            "low": least,
            "high": most,
            "p": figure["p"],
            "p_holm": figure["p_holm"],
            "better": sum(right[item] and not first[item] for item in right),
            "worse": sum(first[item] and not right[item] for item in right),
        }
    return told


def _differs(item: Item, right: Mapping[str, Mapping[str, bool]]) -> bool:
    return len({each[item.id] for each in right.values()}) > 1


def _changed(
    item: Item, texts: Mapping[str, Mapping[str, str]], right: Mapping[str, Mapping[str, bool]]
) -> dict[str, Any]:
    """Return a question that some methods answered rightly and others wrongly."""
    return {
        "question": item.question,
        "truth": item.answer,
        "pictures": [data_url(picture(), _THUMBNAIL) for picture in item.images],
        "answers": [
            {"text": each[item.id], "right": right[name][item.id]} for name, each in texts.items()
        ],
    }
