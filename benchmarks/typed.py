"""What somebody gets who types as people do: `python typed.py shapes-vl`.

Forty questions of somebody who had seen no phrasing of the training, twelve of them outside the
little world, each about a scene of its own (`typed_questions.json`, written before any answer).
"""

import argparse
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import sinktrack
from sinktrack.core.answer_batch import answer_batch
from sinktrack.core.images import load_picture
from sinktrack.core.prompt import build_prompt
from sinktrack.shapes.outside import HONEST
from sinktrack.shapes.scenes import Scene, draw

HERE = Path(__file__).parent
METHODS = ("as it is", "SinkTrack")


def judged(asked: Mapping[str, Any], answer: str) -> str:
    """Return "right", "refused" or "wrong": all that must stand in an answer, and nothing else.

    The honest sentence counts as right where nothing else is, and as refused elsewhere.
    """

    def said(words: str) -> bool:
        return re.search(rf"\b(?:{words})\b", answer, re.IGNORECASE) is not None

    if answer.strip() == HONEST:
        return "right" if asked["refusal"] else "refused"
    if asked["refusal"] or not all(map(said, asked["right"])) or any(map(said, asked["wrong"])):
        return "wrong"
    return "right"


def main() -> None:
    """Answer with a bundled checkpoint, as it is and with SinkTrack, and write the list."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("checkpoint", help="folder under assets/")
    name = parser.parse_args().checkpoint
    model, processor = sinktrack.load(HERE.parent / "assets" / name)
    questions = json.loads((HERE / "typed_questions.json").read_text("utf-8"))
    methods = dict(zip(METHODS, (None, sinktrack.SinkTrack.for_model(model)), strict=True))
    prompts = [
        build_prompt(
            model, processor, one["question"], [load_picture(draw(Scene.of(one["scene"])))]
        )
        for one in questions
    ]
    answers = [
        [row.whole_text.strip() for row in rows]
        for rows in answer_batch(model, processor, prompts, methods)
    ]
    verdicts = [
        [judged(one, answer) for answer in found]
        for one, found in zip(questions, answers, strict=True)
    ]
    lines = [
        "| the picture shows | question | answer as it is | | with SinkTrack | |",
        "|" + "---|" * 6,
    ]
    for one, found, verdict in zip(questions, answers, verdicts, strict=True):
        shown = "; ".join(
            f"{item} in {item.row + 1}, {item.column + 1}" for item in Scene.of(one["scene"]).items
        )
        told = (part for pair in zip(found, verdict, strict=True) for part in pair)
        lines.append(
            "| "
            + " | ".join(each.replace("|", "\\|") for each in (shown, one["question"], *told))
            + " |"
        )
    counts = [
        f"{method}: {len(own)} questions, "
        + ", ".join(f"{own.count(each)} {each}" for each in ("right", "refused", "wrong"))
        for method, own in zip(METHODS, zip(*verdicts, strict=True), strict=True)
    ]
    text = "\n".join((*(f"- {each}" for each in counts), "", *lines, ""))
    (HERE / "results" / f"typed-{name}.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
