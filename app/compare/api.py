"""What programs can call: the page's own questions, answers and limits, as plain JSON.

Gradio shows the docstrings below to whoever uses the API, and to models that call it as tools. It
reads one line of each argument.
"""

import base64
import binascii
import json
import math
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from gradio.context import Context
from gradio.events import api
from gradio.utils import get_function_description, get_upload_folder

from app.compare import stage
from app.compare.handlers import UNUSABLE, facts, outcome
from app.compare.uploads import uploaded
from app.shared.checking import MOST_VISUALS
from app.shared.engine import Engine
from app.shared.events import (
    Answered,
    Failed,
    Heartbeat,
    LoadingModel,
    NotLent,
    ReadingPrompt,
    Refused,
    Stopped,
    Waiting,
    Writing,
)
from app.shared.guards import is_full
from app.shared.logs import Entry
from app.shared.request import DEFAULT_METHODS, Request, given
from app.shared.stop_flag import StopFlag
from app.shared.visits import Visits, paths_in
from app.shared.whole_uploads import FULL
from sinktrack.core.errors import PictureError, PromptError, SinkTrackError

TOOLS = ("/compare", "/methods")
"""The endpoints that models can call as tools; what grows is of no use to them."""
LARGEST = 20_000_000
"""Bytes of a picture that comes as text."""

_STEPS, _HIDDEN = 254, 255  # of a payload's attention, see `sinktrack.report.payload.quantise`
_ADDRESS = "data:"

Files = list[str | dict[str, Any]] | None
"""Pictures: uploads, as Gradio's clients send them, or base64 text."""


class Api:
    """The endpoints of the page that compares.

    Args:
        engine: Answers the questions.
        visits: Take uploads away with the answer; None where they stay for a while.
    """

    def __init__(self, engine: Engine, visits: Visits | None = None) -> None:
        self._engine, self._visits = engine, visits

    def offer(self) -> None:
        """Add the endpoints to the page that is being laid out."""
        api(self.compare, concurrency_limit=None)
        api(self.stream, concurrency_limit=None)
        api(self.methods, queue=False)
        asked = get_function_description(self.compare)[1]
        for endpoint in (self.compare, self.stream, self.methods):
            _describe(endpoint.__name__, asked)

    def compare(
        self,
        question: str,
        pictures: Files = None,
        passage: str = "",
        system: str = "",
        methods: list[str] | None = None,
        max_new_tokens: int = 128,
        do_sample: bool = False,
        temperature: float = 1.0,
        seed: int = 0,
    ) -> Iterator[dict[str, Any] | None]:
        """Answer one question with several methods, and return the finished answers side by side.

        The methods change how the same model reads or writes: one of them is the plain model, the
        others are to make it invent less. Call methods for their names. Ask about pictures or a
        passage, or about both; a model that reads no pictures can be asked a question alone.

        Args:
            question: What is asked, such as "What colour is the circle?"
            pictures: Pictures in order: an upload each, or a PNG or JPEG file as plain base64 text.
            passage: A text that the question is about; empty for none.
            system: The system prompt; empty for the model's own.
            methods: 2 to 6, such as ["baseline", "vcd:alpha=0.5"]; else baseline and sinktrack.
            max_new_tokens: The longest answer, in tokens.
            do_sample: Sample each token; else the most likely one is taken.
            temperature: Above 0 and at most 5, for sampling.
            seed: Of the sampling's noise, which all methods share.

        Returns:
            The answers, each with its text, tokens, seconds and attention to BOS; and notices.
        """
        asked = locals()
        asked.pop("self")
        for state in self._states(**asked):
            # what is not finished is not sent; but at a yield Gradio notices that the caller left
            yield state if state["done"] else None

    def stream(
        self,
        question: str,
        pictures: Files = None,
        passage: str = "",
        system: str = "",
        methods: list[str] | None = None,
        max_new_tokens: int = 128,
        do_sample: bool = False,
        temperature: float = 1.0,
        seed: int = 0,
    ) -> Iterator[dict[str, Any]]:
        """Answer one question with several methods, and return the answers while they grow.

        It takes what /compare takes.

        Returns:
            What is going on and the texts so far, again and again; at last what /compare returns.
        """
        asked = locals()
        asked.pop("self")
        yield from self._states(**asked)

    def methods(self) -> list[dict[str, Any]]:
        """List the methods that can be compared, and the parameters that each takes.

        A method is named by its kind, with parameters after a colon: "vcd:alpha=0.5,beta=0.1".

        Returns:
            One entry a method: kind, title, summary, what it needs, its source and parameters.
        """
        return [asdict(card) for card in self._engine.method_cards()]

    def _states(self, *, pictures: Files, **asked: Any) -> Iterator[dict[str, Any]]:
        """Answer; yield what is going on, and at last the finished answers.

        Raises:
            gr.Error: With a sentence.
        """
        entry = Entry("ask")
        try:
            with (
                tempfile.TemporaryDirectory(prefix="sinktrack-asked-") as folder,
                self._visits.call(paths_in(pictures)) if self._visits else nullcontext(),
            ):
                try:
                    request = self._request(_files(pictures, Path(folder)), **asked)
                except UNUSABLE as error:
                    entry.refuse(error)
                    raise refusal(_sentence(error)) from error
                yield from self._answer(request, entry)
        except OSError as error:  # pictures that came as text
            if not is_full(error):
                raise
            entry.refuse(error)
            raise refusal(FULL) from error
        finally:
            entry.end("gone", by="api")  # unless it has ended already

    def _request(
        self,
        pictures: list[str],
        *,
        question: str,
        passage: str,
        system: str,
        methods: list[str] | None,
        max_new_tokens: int,
        do_sample: bool,
        temperature: float,
        seed: int,
    ) -> Request:
        """Check what was sent, as the page does.

        Raises:
            One of UNUSABLE: If it cannot be asked.
        """
        question = _text(question, "question")
        passage = _text(passage, "passage")
        if self._engine.reads_pictures and not pictures and not given(passage):
            raise PromptError("There is nothing to ask about: give pictures or a passage.")
        chosen = list(DEFAULT_METHODS) if methods is None else methods
        if not isinstance(chosen, list):
            raise PromptError("methods is to be a list of texts.")
        return self._engine.request(
            question,
            pictures=pictures,
            passage=passage,
            system=_text(system, "system"),
            methods=[_text(each, "a method") for each in chosen],
            max_new_tokens=_whole(max_new_tokens, "max_new_tokens"),
            do_sample=_switch(do_sample, "do_sample"),
            temperature=float(temperature),
            seed=_whole(seed, "seed"),
        )

    def _answer(self, request: Request, entry: Entry) -> Iterator[dict[str, Any]]:
        began = time.monotonic()
        lanes = self._engine.lane_titles(request.methods, **request.has())
        state = _growing("Waiting in the queue.", lanes, request)
        answering: Any = self._engine.answer(request, StopFlag())
        with closing(answering):
            for event in answering:
                match event:
                    case Answered():
                        comparison = json.loads(event.payload)
                        self._engine.forget(event.key)  # nobody can look into it from here
                        entry.end(outcome(comparison), by="api", **facts(request, comparison))
                        notices = [*request.notices, *event.notices]
                        yield _finished(comparison, request, notices, time.monotonic() - began)
                        return  # its files are of no use to a program
                    case Refused(told) | NotLent(told):
                        entry.end("refused", by="api", **facts(request))
                        raise refusal(told)
                    case Failed(told, trace):
                        raise refusal(entry.fail(trace, told))
                    case Stopped():
                        entry.end("stopped", by="api", **facts(request))
                        raise refusal("Stopped before the answer began.")
                    case Heartbeat():
                        yield state
                    case Waiting() | LoadingModel() | ReadingPrompt() | Writing():
                        state = _growing(stage.in_words(event), lanes, request, event)
                        yield state


def _describe(name: str, asked: Mapping[str, str]) -> None:
    """Let Gradio's page of the API say what goes into an endpoint, and what comes out.

    Of functions without components Gradio numbers the values, and it takes what comes out of a
    generator for the generator.

    Args:
        name: Of the endpoint.
        asked: What each argument is.
    """
    page = Context.root_block
    assert page is not None  # `Api.offer` is called inside one
    (endpoint,) = (each for each in page.fns.values() if each.api_name == name)
    returned = get_function_description(endpoint.fn)[2]  # type: ignore[arg-type]
    inputs: Sequence[Any] = endpoint.inputs
    outputs: Sequence[Any] = endpoint.outputs
    for component, (label, text) in zip(inputs, asked.items(), strict=False):
        given = dict(component._api_info)
        component._api_info = given.get("oneOf", [given])[-1] | {"additional_description": text}
        component.label = label
    for component in outputs:
        component.label = " ".join(returned)
        if endpoint.types_generator:
            component._api_info = {"type": "object", "additionalProperties": {}}


def refusal(sentence: str) -> gr.Error:
    """Return an error whose sentence reaches a program as it is."""
    return gr.Error(sentence, print_exception=False)


def _growing(
    status: str, lanes: list[dict[str, str]], request: Request, event: Any = None
) -> dict[str, Any]:
    written = event if isinstance(event, Writing) else None
    answers = [
        {
            "method": text,
            "title": lane["title"],
            "text": written.texts.get(lane["name"], "") if written else "",
        }
        for text, lane in zip(request.methods, lanes, strict=True)
    ]
    return {"done": False, "status": status, "answers": answers, "notices": [*request.notices]}


def _finished(
    comparison: dict[str, Any], request: Request, notices: list[str], seconds: float
) -> dict[str, Any]:
    """Return a comparison as programs get it."""
    how = "Done" if outcome(comparison) == "answered" else "Stopped"
    return {
        "done": True,
        "status": f"{how} after {seconds:.1f} seconds.",
        "model": comparison["model"],
        "question": comparison["question"],
        "answers": [
            _answer(lane, text)
            for lane, text in zip(comparison["lanes"], request.methods, strict=True)
        ],
        "notices": notices,
        "seconds": round(seconds, 3),
    }


def _answer(lane: dict[str, Any], method: str) -> dict[str, Any]:
    tokens, first, rate = lane["tokens"], lane["seconds_to_first_token"], lane["tokens_per_second"]
    after = (len(tokens) - 1) / rate if rate and tokens else 0.0
    return {
        "method": method,
        "title": lane["title"],
        "subtitle": lane["subtitle"],
        "text": lane["text"],
        "finish": lane["finish"],
        "tokens": tokens,
        "seconds": None if first is None else round(first + after, 3),
        "seconds_to_first_token": first,
        "tokens_per_second": rate,
        "attention_to_bos": _attention(lane),
        "notice": lane["notice"],
    }


def _attention(lane: dict[str, Any]) -> dict[str, Any]:
    """Return how much of its attention an answer gave to the first token of the prompt.

    Means over its tokens and over the heads: of all layers, and layer by layer.
    """
    shape = len(lane["tokens"]), lane["layers"], lane["heads"]
    steps = np.frombuffer(base64.b64decode(lane["sink"]), np.uint8).reshape(shape)
    known = steps != _HIDDEN
    sums = np.where(known, steps, 0).sum((0, 2)) * (lane["scale"] / _STEPS)  # (L,)
    counts = known.sum((0, 2))
    whole = float(sums.sum() / counts.sum()) if counts.any() else None
    layers = [float(s / n) if n else None for s, n in zip(sums, counts, strict=True)]
    return {"mean": _rounded(whole), "by_layer": [_rounded(each) for each in layers]}


def _rounded(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else round(value, 4)


def _files(pictures: Any, folder: Path) -> list[str]:
    """Return the files of pictures; those that came as text are written to a folder.

    Raises:
        PictureError: If one is neither an upload nor base64 text.
        gr.Error: If it is no upload of this page.
    """
    if pictures is None:
        return []
    if not isinstance(pictures, list):
        raise PictureError("pictures is to be a list: of uploads, or of files as base64 text.")
    if len(pictures) > MOST_VISUALS:
        raise PictureError(
            f"There are {len(pictures)} pictures; the limit here is {MOST_VISUALS}: leave some out."
        )
    found = []
    for number, picture in enumerate(pictures, start=1):
        if isinstance(picture, dict):
            path = uploaded(str(picture.get("path") or ""), get_upload_folder())
        else:
            path = str(folder / f"picture {number}")
            Path(path).write_bytes(_decoded(picture, number))
        found.append(str(path))
    return found


def _decoded(picture: Any, number: int) -> bytes:
    if not isinstance(picture, str):
        raise PictureError(f"Picture {number} is neither an upload nor base64 text.")
    if picture.lstrip()[: len(_ADDRESS)].lower() == _ADDRESS:
        raise PictureError(
            f"Picture {number} is a link, and links are not opened here: send what follows its "
            "comma, the base64 text alone."
        )
    if len(picture) * 3 > LARGEST * 4:
        raise PictureError(
            f"Picture {number} has more than {LARGEST // 10**6} MB, the limit for base64 text: "
            "upload it."
        )
    try:
        return base64.b64decode("".join(picture.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise PictureError(
            f"Picture {number} is no base64 text, and links are not opened here: upload the file, "
            "or send its content as base64 text."
        ) from error


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise PromptError(f"{name} is to be a text, but is {_kind(value)}.")
    return value


def _whole(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise PromptError(f"{name} is to be a whole number, but is {_kind(value)}.")
    return int(value)


def _switch(value: Any, name: str) -> bool:
    if not isinstance(value, bool):
        raise PromptError(f"{name} is to be true or false, but is {_kind(value)}.")
    return value


def _kind(value: Any) -> str:
    """Return what a JSON value is, in words."""
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false"}
    return names.get(type(value), "null" if value is None else str(value))


def _sentence(error: Exception) -> str:
    """Say why what was sent cannot be used; error is one of UNUSABLE."""
    if isinstance(error, SinkTrackError):
        return str(error)
    return "max_new_tokens, temperature and seed are to be numbers."
