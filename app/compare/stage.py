"""What the viewer is told to show. Its value is what is returned here, as JSON text.

A state has "status", a sentence; "busy"; "notices", sentences; and "lanes" while answers grow, or
"payload" once they are finished; with it "truth", the right answer or None, "right", whether each
answer is right, or None, and "hint", what can be seen once it is answered anew. With "again" the
browser shows what it last had of these; "offered" is what a button says that asks for less.
`static/compare.js` reads it.
"""

import json
from typing import Any

from app.shared.events import LoadingModel, Progress, ReadingPrompt, Waiting, Writing
from app.shared.ui import component_json
from sinktrack.eval.truth import Truth

_STORED_HINT = (
    "These answers are stored. Press Ask, and here you can see what each layer would have said, "
    "which heads looked where, and what becomes of a word without a part of the picture."
)


def growing(
    status: str, titles: list[dict[str, str]], *, busy: bool = True, event: Progress | None = None
) -> dict[str, Any]:
    """Return the viewer's state with answers that are not finished."""
    written = event if isinstance(event, Writing) else None
    lanes = [
        lane
        | {
            "text": written.texts.get(lane["name"], "") if written else "",
            "hint": "" if busy else _hint(lane),
            "writing": busy and (written is None or lane["name"] in written.open_lanes),
        }
        for lane in titles
    ]
    return {"status": status, "busy": busy, "notices": [], "lanes": lanes}


def finished(
    status: str,
    comparison: dict[str, Any],
    notices: list[str],
    *,
    key: str | None = None,
    forces: bool = False,
    truth: Truth | None = None,
    opened: bool = False,
    hint: str = "",
) -> str:
    """Return the viewer's value with a comparison.

    Args:
        status: What happened, in a sentence.
        comparison: What `sinktrack.report.payload` made.
        notices: Sentences that stand with it.
        key: Under which the engine answers questions about it; None if it cannot.
        forces: Whether methods can go on from another's words.
        truth: The right answer; None where it is not known.
        opened: Whether it was made before, so that a small screen goes to it.
        hint: What cannot be asked of it, and what to do.
    """
    state = {"status": status, "busy": False, "notices": notices, "key": key, "forces": forces}
    judged = {
        "hint": hint,
        "began": opened,
        "truth": None if truth is None else truth.answer,
        "right": [_judged(lane, truth) for lane in comparison["lanes"]],
    }
    return component_json(state | judged | {"payload": json.dumps(comparison, allow_nan=False)})


def _judged(lane: dict[str, Any], truth: Truth | None) -> bool | None:
    """Tell whether an answer is right; None where that is not known, or it was cut off."""
    if truth is None or lane["finish"] != "eos":
        return None
    return truth.admits(lane["text"])


def stored(comparison: dict[str, Any], truth: Truth | None = None) -> str:
    """Return the viewer's value with a comparison that was made earlier."""
    model = comparison["model"]
    status = f"Stored with this page, answered by {model}. Ask to have it answered anew."
    return finished(status, comparison, [], truth=truth, hint=_STORED_HINT)


def saved(status: str, answers: list[dict[str, str]], notices: list[str]) -> str:
    """Return the viewer's value with answers that were kept without a recording.

    Args:
        status: Where they come from.
        answers: "name", "title", "subtitle" and "text" of each.
        notices: Sentences.
    """
    lanes = [answer | {"hint": "The text was not kept.", "writing": False} for answer in answers]
    state = {"status": status, "busy": False, "notices": notices, "lanes": lanes}
    return component_json(state | {"began": True})


def in_words(event: Progress) -> str:
    """Say in plain words what is going on."""
    match event:
        case Waiting(ahead):
            return f"Waiting: {ahead} {'person is' if ahead == 1 else 'people are'} before you."
        case LoadingModel(doing):
            return f"The model is still loading{doing and f' ({doing})'}; your question comes next."
        case ReadingPrompt():
            return "Reading what you asked."
        case Writing(token_count):
            return f"Writing token {token_count}."


def _hint(lane: dict[str, str]) -> str:
    if lane["name"] == "baseline":
        return "The plain model’s answer appears here."
    return f"The answer with {lane['title']} appears here."
