"""What can be said against a request before any GPU is taken."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from app.shared.methods import lane_methods, lane_titles, suited
from app.shared.request import Request
from sinktrack.core.errors import PictureError, PromptError
from sinktrack.core.intervention import Intervention
from sinktrack.core.messages import Conversation, Text, conversation
from sinktrack.core.prompt import Prompt, build_prompt

MOST_VISUALS = 8
"""Pictures and videos in a whole conversation; each is decoded for every question of it."""


def check_numbers(request: Request, max_new_tokens: int) -> None:
    """Refuse numbers that are out of range.

    Raises:
        PromptError: With the number and its limits.
    """
    if not 1 <= request.max_new_tokens <= max_new_tokens:
        raise PromptError(
            f"The answer may have 1 to {max_new_tokens} tokens here, but "
            f"{request.max_new_tokens} were asked for: choose a number in between."
        )
    if request.do_sample and not 0 < request.temperature <= 5:
        raise PromptError(
            f"The temperature is {request.temperature:g}, but must be above 0 and at most 5."
        )
    if len(request.visuals) > MOST_VISUALS:
        raise PromptError(
            f"The conversation has {len(request.visuals)} pictures and videos; the limit here is "
            f"{MOST_VISUALS}: leave some out, or start anew."
        )


def checked(request: Request, model: Any, processor: Any, max_question_tokens: int) -> Request:
    """Return a request with what is to be said of its pictures, and with fitting methods.

    Args:
        request: As a visitor gave it.
        model: None while it loads; then it refuses the rest itself when it reads the prompt.
        processor: The model's.
        max_question_tokens: The longest question.

    Raises:
        MethodError: If a method is not known, out of range, or the same as another.
        PictureError: If a picture or video cannot be used.
        PromptError: If a text cannot be used, or a method needs what is not there.
    """
    check_there(request.visuals)
    asked = request.asked
    if model is None:
        lane_titles(None, request.methods)
        turns = conversation(
            question=asked.question, images=asked.pictures, **request.other_arguments()
        )
        return replace(request, notices=_notices(turns))
    request = replace(request, methods=suited(model, request.methods, **request.has()))
    methods = lane_methods(model, request.methods)
    prompt = build_prompt(
        model,
        processor,
        asked.question,
        asked.pictures,
        answer_tokens=request.max_new_tokens,
        max_question_tokens=max_question_tokens,
        **request.other_arguments(),
    )
    _check_contexts(prompt, methods.values(), lane_titles(model, request.methods))
    return replace(request, notices=_notices(prompt.turns))


def check_there(files: Iterable[str]) -> None:
    """Refuse uploads that were deleted since; the library would name their folder.

    Raises:
        PictureError: With the name of the first that is gone.
    """
    for file in files:
        if not Path(file).is_file():
            raise PictureError(
                f"{Path(file).name} is no longer on the server: upload it again, or start anew."
            )


def _check_contexts(
    prompt: Prompt, methods: Iterable[Intervention | None], titles: Sequence[dict[str, str]]
) -> None:
    """Refuse a method that needs what the prompt lacks."""
    for method, lane in zip(methods, titles, strict=True):
        if method is not None and method.needs is not None:
            prompt.check_has(method.needs, lane["title"])


def _notices(turns: Conversation) -> tuple[str, ...]:
    """Return what is to be said of pictures and videos."""
    seen = [each for turn in turns for each in turn.content if not isinstance(each, Text)]
    return tuple(notice for each in seen for notice in each.notices)
