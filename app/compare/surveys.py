"""What is asked to find out whether a difference is chance, from what a visitor has set.

Nothing that comes in here is checked; everything that goes out is. Knows no components.
"""

from collections.abc import Sequence
from typing import Any

from app.compare.handlers import UNUSABLE, sentence
from app.compare.inputs import Inputs
from app.compare.kinds_asked import OFFERED, kind_like, kinds, questions_of
from app.compare.question_files import read_questions
from app.compare.talk import Finished
from app.compare.uploads import Upload
from app.shared.engine import Engine
from app.shared.request import cache_for
from app.shared.survey import Survey
from app.shared.toasts import toast
from sinktrack.eval.task import Item

SAME_KIND = ""
"""The kind of the question that was asked."""


def about_scenes(engine: Engine, inputs: Inputs, finished: Finished | None, kind: Any) -> Survey:
    """Return held-out questions about drawn scenes, for the methods that were compared.

    Args:
        engine: Answers them.
        inputs: What the visitor has set.
        finished: The last question that was answered; None if there is none.
        kind: As the browser sent it: one of `kinds`, or `SAME_KIND`.

    Raises:
        gr.Error: If there is no such kind, the question is of none, or the model is another one.
    """
    if not engine.bundled:
        raise toast("Scenes are drawn for the bundled model: give questions of your own.")
    question = inputs.question if finished is None else finished.request.asked.question
    name = kind_like(question or "") if kind == SAME_KIND else str(kind)
    if name is None:
        raise toast(
            f"The question is of no kind that can be asked here: choose one, such as {OFFERED}."
        )
    try:
        items = questions_of(name)
        longest = min(kinds()[name].max_new_tokens, engine.max_new_tokens)
        return _survey(engine, name, items, inputs, finished, longest)
    except UNUSABLE as error:
        raise toast(sentence(error)) from error


def of_files(
    engine: Engine, inputs: Inputs, finished: Finished | None, uploads: Sequence[Upload]
) -> Survey:
    """Return a visitor's own questions, for the methods that were compared.

    Args:
        engine: Answers them.
        inputs: What the visitor has set.
        finished: The last question that was answered; None if there is none.
        uploads: A file of questions, and pictures.

    Raises:
        gr.Error: With what is wrong with the file.
    """
    if not uploads:
        raise toast("There is no file of questions yet: upload one.")
    pictures = inputs.pictures if finished is None else finished.request.asked.pictures
    try:
        items = read_questions(uploads, pictures)
        longest = min(int(inputs.max_new_tokens), engine.max_new_tokens)
        return _survey(engine, "your own", items, inputs, finished, longest)
    except UNUSABLE as error:
        raise toast(sentence(error)) from error


def _survey(
    engine: Engine,
    title: str,
    items: tuple[Item, ...],
    inputs: Inputs,
    finished: Finished | None,
    longest: int,
) -> Survey:
    methods = inputs.method_texts() if finished is None else finished.request.methods
    engine.lane_titles(methods, visuals=any(item.images for item in items))
    return Survey(
        title=title,
        items=items,
        methods=methods,
        max_new_tokens=longest,
        do_sample=bool(inputs.do_sample),
        temperature=float(inputs.temperature),
        seed=int(inputs.seed or 0),
        cache=cache_for(int(inputs.window or 0), int(inputs.first_tokens or 0)),
    )
