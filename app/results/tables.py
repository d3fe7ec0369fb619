"""A run's figures and conditions as plain data for the page. Works nothing out."""

from collections.abc import Mapping
from typing import Any

from sinktrack.eval.result_table import (
    difference_in_words,
    measures_of,
    moved_in_words,
    p_in_words,
    value_in_words,
)
from sinktrack.eval.run_files import STARTS
from sinktrack.report.setting import setting_in_words

_LESS_IS_BETTER = ("CHAIR", "Hal", "Cog", "unparsed", "loss", "perplexity")
"""How measures begin of which less is better; of others the name says it, or neither is."""

_NAMED = {"dtype": "weights", "max_new_tokens": "longest answers", "split": "questions to"}


def table_of(task: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """Return a task's table, as JSON values.

    Args:
        task: Its name.
        found: What results.json holds.

    Returns:
        "measures", each with its name and "rows", one a method, in words; and of all but the first
        method the difference as numbers. "moved" by method, in words.
    """
    measured = found["tasks"][task]
    return {
        "task": task,
        "measures": [
            {
                "measure": measure,
                "less": measure.startswith(_LESS_IS_BETTER),
                "rows": [
                    _row(method, own[measure]) for method, own in measured.items() if measure in own
                ],
            }
            for measure in measures_of(measured)
        ],
        "moved": [[method, moved_in_words(own)] for method, own in found["moved"][task].items()],
    }


def _row(method: str, figure: Mapping[str, Any]) -> dict[str, Any]:
    row = {"method": method, "value": value_in_words(figure), "items": f"{figure['items']:,}"}
    if "p" not in figure:
        return row
    low, high = figure["difference"]["interval"]
    return row | {
        "difference": difference_in_words(figure),
        "p": p_in_words(figure["p"]),
        "corrected": p_in_words(figure["p_holm"]),
        "drawn": {
            "value": figure["difference"]["value"],
            "low": low,
            "high": high,
            "clear": figure["p_holm"] <= 0.05,
        },
    }


def conditions(settings: Mapping[str, Any], chat: Mapping[str, str]) -> list[list[Any]]:
    """Return all that the answers depend on: titles, and what stands under each as pairs of texts.

    Args:
        settings: Of the run.
        chat: The chat format around a question, by task.
    """
    general = {
        _NAMED.get(name, name): setting_in_words(value)
        for name, value in settings.items()
        if name not in ("methods", "data", "tasks", STARTS)
    }
    found = [["The run", list(general.items())]]
    for name, method in settings["methods"].items():
        told = {"kind": "the plain model"} if method is None else method
        found.append([f"Method {name}", _pairs(told)])
    for task, data in settings.get("data", {}).items():
        found.append([f"Data of {task}", _pairs(data)])
    starts = settings.get(STARTS, [])
    for number, start in enumerate(starts, start=1):
        which = f"Start {number} of {len(starts)}" if len(starts) > 1 else "What it ran with"
        found.append([which, _pairs(start)])
    for text in dict.fromkeys(chat.values()):
        tasks = [task for task, own in chat.items() if own == text]
        of = "" if len(tasks) == len(chat) else f" of {', '.join(tasks)}"
        found.append([f"Chat format{of}", [["around a question", text]]])
    return found


def _pairs(told: Mapping[str, Any]) -> list[list[str]]:
    return [[name, setting_in_words(value)] for name, value in told.items()]
