"""The only part of the page that talks to the library: one model, one answer at a time.

An answer comes as events, plain dicts of strings and numbers, because on a ZeroGPU Space it is made
in a forked process. Knows nothing about gradio.
"""

import json
import logging
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

if os.environ.get("SPACE_ID"):
    try:  # before torch, so that no CUDA is initialised in the parent process
        import spaces
    except ImportError:
        spaces = None
else:
    spaces = None

import torch

import sinktrack
from app.settings import BUNDLED, Settings, choose_model
from app.stop import StopFlag
from sinktrack.errors import ModelError, PromptError, SinkTrackError
from sinktrack.images import Picture, load_picture
from sinktrack.method import Causal, Context
from sinktrack.models import model_name
from sinktrack.prompts import clean_question, reads_pictures
from sinktrack.report import lane_title, payload
from sinktrack.window import Cache, SinkWindow

Event = dict[str, Any]

UPDATE_SECONDS = 0.125  # between two events; a reader sees no difference above ten a second
_LAST = ("done", "stopped", "refused", "failed")
_MEMORY = "The device ran out of memory: choose a smaller picture or a shorter answer."
_UNEXPECTED = "Something went wrong while answering. The page still works: please try again."

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a visitor asked.

    Args:
        picture: As `sinktrack.images.load_picture` returned it.
        question: The visitor's text.
        max_new_tokens: The longest answer, from 1 to the page's limit.
        context: Whose features SinkTrack writes into the first token.
        causal: Which of the two masks it writes with.
        do_sample: Sample; else each token is the most likely one.
        temperature: Above 0, used when sampling.
        seed: Of the sampling noise.
        cache: What stays in view while the answers grow.
    """

    picture: Picture
    question: str
    max_new_tokens: int = 128
    context: Context = "image"
    causal: Causal = "corrected"
    do_sample: bool = False
    temperature: float = 1.0
    seed: int = 0
    cache: Cache = "full"


class Engine:
    """A loaded model that answers one request at a time.

    Args:
        model: From `sinktrack.load`.
        processor: From `sinktrack.load`.
        name: What the page and its reports call the model.
        max_new_tokens: The longest answer that may be asked for.
        max_question_tokens: The longest question.
        bundled: Whether this is the small bundled checkpoint.
        notice: Why it is not another model, for people to read; may be empty.
    """

    def __init__(
        self,
        model: Any,
        processor: Any,
        *,
        name: str,
        max_new_tokens: int = 512,
        max_question_tokens: int = 2000,
        bundled: bool = False,
        notice: str = "",
    ) -> None:
        self._model, self._processor = model, processor
        self._turn = threading.Lock()
        self._max_question_tokens = max_question_tokens
        self.name, self.bundled, self.notice = name, bundled, notice
        self.max_new_tokens = max_new_tokens
        self.published = sinktrack.SinkTrack.for_model(model)
        self.anchored = getattr(model.config, "sinktrack", None) is not None
        self._on_gpu = self._events
        if spaces is not None:
            self._on_gpu = spaces.GPU(duration=_gpu_seconds)(_as_function(self._events))

    @classmethod
    def start(cls, settings: Settings) -> "Engine":
        """Load the model that was asked for, or the one that suits the machine.

        Raises:
            SinkTrackError: If the model cannot be loaded.
        """
        limits: dict[str, Any] = {
            "max_new_tokens": settings.max_new_tokens,
            "max_question_tokens": settings.max_question_tokens,
        }
        if settings.model is not None:
            bundled = Path(settings.model).resolve().parent == BUNDLED.resolve().parent
            return cls._load(settings.model, bundled=bundled, **limits)
        chosen = choose_model(gpu_memory())
        if chosen == str(BUNDLED):
            notice = "This machine has no CUDA GPU of 8 GB or more."
            return cls._load(chosen, bundled=True, notice=notice, **limits)
        try:
            return cls._load(chosen, **limits)
        except SinkTrackError as error:
            log.warning("%s", error)
            notice = f"It stands in for the model that suits this GPU. {error}"
            return cls._load(str(BUNDLED), bundled=True, notice=notice, **limits)

    @classmethod
    def _load(cls, chosen: str, *, bundled: bool = False, **options: Any) -> "Engine":
        model, processor = sinktrack.load(chosen)
        if not reads_pictures(model.config):
            raise ModelError(
                f"{chosen} reads text only, but the page asks about pictures: choose a "
                "vision-language model such as Qwen/Qwen2.5-VL-3B-Instruct."
            )
        return cls(model, processor, name=model_name(model), bundled=bundled, **options)

    def request(self, picture_path: str | None, question: str | None, **options: Any) -> Request:
        """Check what a visitor gave, before any GPU is taken.

        Args:
            picture_path: The file as uploaded; None if there is none.
            question: The text as typed.
            **options: The other fields of `Request`.

        Returns:
            The request.

        Raises:
            PictureError: If there is no picture, or it cannot be used.
            PromptError: If the question is blank, or a number is out of range.
        """
        text = clean_question(question or "")
        request = Request(picture=load_picture(picture_path), question=text, **options)
        if not 1 <= request.max_new_tokens <= self.max_new_tokens:
            raise PromptError(
                f"The answer may have 1 to {self.max_new_tokens} tokens here, but "
                f"{request.max_new_tokens} were asked for: choose a number in between."
            )
        if request.do_sample and not 0 < request.temperature <= 5:
            raise PromptError(
                f"The temperature is {request.temperature:g}, but must be above 0 and at most 5."
            )
        return request

    def lanes(self, context: Context, causal: Causal) -> dict[str, sinktrack.SinkTrack | None]:
        """Return the two methods that are compared."""
        changes = {"context": context, "causal": causal}
        return {
            "baseline": None,
            "sinktrack": sinktrack.SinkTrack.for_model(self._model, **changes),
        }

    def lane_titles(self, context: Context, causal: Causal) -> list[dict[str, str]]:
        """Return name, title and subtitle of each lane, as the finished comparison will."""
        titles = {
            name: lane_title(name, method) for name, method in self.lanes(context, causal).items()
        }
        return [
            {"name": name, "title": title, "subtitle": subtitle}
            for name, (title, subtitle) in titles.items()
        ]

    def answer(self, request: Request, stop: StopFlag) -> Iterator[Event]:
        """Answer a request.

        Args:
            request: From `request`.
            stop: Ends the answer within one decode step when it is raised. It is raised here when
                the iterator is closed, so an abandoned answer does not go on.

        Yields:
            Every `UPDATE_SECONDS` what is known by then, under "kind": "waiting" for the model;
            "reading" the prompt; "writing", with "count" of tokens, "texts" by lane, and "writing",
            the lanes not yet ended. At the end one of: "done", with "payload", the JSON text of
            `sinktrack.report.payload`; "stopped", before it began; "refused" or "failed", with
            "sentence".
        """
        try:
            yield from self._on_gpu(request, stop)
        finally:
            stop.set()

    def _events(self, request: Request, stop: StopFlag) -> Iterator[Event]:
        """Answer in a thread, and report at a steady pace.

        A generator notices only at a yield that nobody listens any more. So it yields by the clock,
        however long the model takes.
        """
        mailbox: queue.SimpleQueue[Event] = queue.SimpleQueue()
        worker = threading.Thread(
            target=self._work, args=(request, stop, mailbox.put), name="answer", daemon=True
        )
        worker.start()
        event: Event = {"kind": "waiting"}
        try:
            while event["kind"] not in _LAST:
                time.sleep(UPDATE_SECONDS)
                while not mailbox.empty():
                    event = mailbox.get()
                yield event
        finally:
            stop.set()
            worker.join()

    def _work(self, request: Request, stop: StopFlag, report: Callable[[Event], None]) -> None:
        """Answer a request when the model is free, and report every step."""
        while not self._turn.acquire(timeout=0.05):
            if stop.is_set():
                return report({"kind": "stopped"})
        try:
            if stop.is_set():
                return report({"kind": "stopped"})
            report({"kind": "reading"})
            self._stream(request, stop, report)
        except SinkTrackError as error:
            report({"kind": "refused", "sentence": str(error)})
        except torch.OutOfMemoryError:
            log.warning("out of memory", exc_info=True)
            report({"kind": "refused", "sentence": _MEMORY})
        except Exception:  # whatever it is, the visitor gets a sentence and the next one an answer
            log.exception("an answer failed")
            report({"kind": "failed", "sentence": _UNEXPECTED})
        finally:
            self._turn.release()

    def _stream(self, request: Request, stop: StopFlag, report: Callable[[Event], None]) -> None:
        steps = sinktrack.stream(
            self._model,
            self._processor,
            image=request.picture,
            question=request.question,
            methods=self.lanes(request.context, request.causal),
            max_new_tokens=request.max_new_tokens,
            do_sample=request.do_sample,
            temperature=request.temperature if request.do_sample else None,
            seed=request.seed,
            cache=request.cache,
            stop=stop.is_set,
            max_question_tokens=self._max_question_tokens,
        )
        for step in steps:
            report(
                {
                    "kind": "writing",
                    "count": step.index + 1,
                    "texts": dict(step.texts),
                    "writing": list(step.tokens),
                }
            )
            if step.comparison is not None:
                data = json.dumps(payload(step.comparison), allow_nan=False)
                report({"kind": "done", "payload": data})


def kept(window: int, sinks: int) -> Cache:
    """Return what a window of that many last tokens, 0 for all, and first ones keeps in view.

    Raises:
        MethodError: If a number is out of range.
    """
    return SinkWindow(window=window, sinks=sinks) if window else "full"


def gpu_memory() -> int | None:
    """Return the memory of the first CUDA GPU in bytes, or None without one."""
    if not torch.cuda.is_available():
        return None
    return int(torch.cuda.get_device_properties(0).total_memory)


def _gpu_seconds(request: Request, stop: StopFlag) -> int:
    """Return for how long a ZeroGPU Space should lend its GPU: reading, then writing both lanes."""
    return 30 + request.max_new_tokens // 8


def _as_function(method: Callable[..., Iterator[Event]]) -> Callable[..., Iterator[Event]]:
    """Return a bound generator method as a generator function, which spaces.GPU can wrap."""

    def events(request: Request, stop: StopFlag) -> Iterator[Event]:
        yield from method(request, stop)

    return events
