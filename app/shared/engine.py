"""The only module of the pages that reaches models: one model, one answer at a time.

An answer comes as the events of `app.shared.events`. Knows nothing about gradio.
"""

import json
import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from app.shared.zero_gpu import lends_gpu, on_lent_gpu  # before torch, see there

# isort: split
import torch

import sinktrack
from app.shared.checking import check_numbers, checked
from app.shared.downloads import downloads, large_maps
from app.shared.ending import Ending
from app.shared.events import (
    Answered,
    Event,
    ReadingPrompt,
    Stopped,
    Writing,
)
from app.shared.gpu_time import GpuTime
from app.shared.heartbeat import with_heartbeat
from app.shared.kept import Kept
from app.shared.limits import Limits
from app.shared.measures import Measures
from app.shared.method_cards import MethodCard, fitting, method_cards
from app.shared.methods import lane_methods, lane_titles, suited, text_of
from app.shared.request import DEFAULT_METHODS, Asked, Exchange, Request, given
from app.shared.request_queue import RequestQueue
from app.shared.settings import Settings, choose_model
from app.shared.stop_flag import StopFlag
from app.shared.survey import Survey
from app.shared.troubles import in_sentences
from app.shared.turns import Turns
from app.shared.unfamiliar import Unfamiliar
from app.shared.why import Question, Why
from sinktrack.core.cache import Cache
from sinktrack.core.checkpoint import find_checkpoint
from sinktrack.core.comparison import Comparison
from sinktrack.core.errors import SinkTrackError
from sinktrack.core.families import reads_pictures
from sinktrack.core.intervention import Intervention
from sinktrack.core.names import BUNDLED
from sinktrack.core.progress import Say
from sinktrack.machine import free_gpu, gpu_bytes, importing, settle_threads
from sinktrack.report.payload import payload

log = logging.getLogger(__name__)


class Engine:
    """A model that answers one request at a time; it may still be loading.

    Args:
        model: From `sinktrack.load`; None until `load` gets it.
        processor: From `sinktrack.load`.
        name: What the page and its reports call the model.
        max_new_tokens: The longest answer that may be asked for.
        max_question_tokens: The longest question.
        queue_size: How many requests may wait.
        bundled: Whether this is the small bundled checkpoint.
        notice: What people should know of the model before they ask; may be empty.
        ending: Brings answers under way to an end when the page ends.
        limits: Of one address; None for the usual ones.
        longest: Seconds after which an answer is ended; 0 for no end.

    Attributes:
        loading: How far loading is, such as "downloading, 1.2 of 7.5 GB"; "" before and after.
        queue: Who waits.
        measures: What was measured.
        forget: Called with the key of a comparison that nobody will ask about any more.
    """

    def __init__(
        self,
        model: Any = None,
        processor: Any = None,
        *,
        name: str,
        max_new_tokens: int = 512,
        max_question_tokens: int = 2000,
        queue_size: int = 32,
        bundled: bool = False,
        notice: str = "",
        ending: Ending | None = None,
        limits: Limits | None = None,
        longest: float = 0.0,
    ) -> None:
        self._model, self._processor = model, processor
        self.ending, self.limits, self.measures = ending or Ending(), limits or Limits(), Measures()
        self.queue = RequestQueue(queue_size)
        self._turns = Turns(self.queue, self.ending, self.limits, longest, self.measures, free_gpu)
        self._checking = threading.Lock()
        self._max_question_tokens = max_question_tokens
        self.name, self.bundled, self.notice = name, bundled, notice
        self.max_new_tokens = max_new_tokens
        self.loading = ""
        self._chosen, self._insists = str(BUNDLED), True
        self.measures.gauge("sinktrack_model_ready", lambda: int(self.ready))
        for number, state in enumerate(("free", "taken")):
            read = partial(gpu_bytes, number)
            self.measures.gauge("sinktrack_gpu_memory_bytes", read, state=state)
        self._kept, self._unfamiliar = Kept(), Unfamiliar()
        self.forget = self._kept.forget
        self._why = Why(self._kept, self._turns)
        gpu_time = GpuTime()
        self._on_gpu = on_lent_gpu(self._events, gpu_time)
        self._survey_on_gpu = on_lent_gpu(self._survey_events, gpu_time)

    @classmethod
    def choose(cls, settings: Settings, ending: Ending | None = None) -> "Engine":
        """Return an engine for the model that was asked for, or that suits the machine.

        `load` loads it. On a ZeroGPU Space it is loaded here already, because there that has to
        happen before the page is served.

        Raises:
            SinkTrackError: If it is clear already that there is no such model.
        """
        chosen = settings.model or choose_model(gpu_memory())
        find_checkpoint(chosen)
        engine = cls(
            name=Path(chosen).name if Path(chosen).is_dir() else chosen,
            max_new_tokens=settings.max_new_tokens,
            max_question_tokens=settings.max_question_tokens,
            queue_size=settings.queue_size,
            bundled=Path(chosen).resolve().parent == BUNDLED.resolve().parent,
            ending=ending,
            limits=settings.limits(),
            longest=settings.answer_seconds,
        )
        engine._chosen, engine._insists = chosen, settings.model is not None
        if engine.bundled and not engine._insists:
            engine.notice = "This machine has no CUDA GPU of 8 GB or more."
        if lends_gpu():
            engine.load()
        return engine

    def load(self, say: Say | None = None) -> None:
        """Load the model, if it is not; requests wait until then.

        The bundled model takes the place of one that suits the machine and cannot be had; never of
        one that was asked for.

        Args:
            say: Told how far it is, beside the page.

        Raises:
            SinkTrackError: If there is no model in the end.
        """
        if self.ready:
            return
        # Here, so that the page is served before transformers' models are imported.
        with importing():
            from sinktrack.core.models import model_name, remarks

        try:
            model, processor = self._loaded(self._chosen, say)
        except SinkTrackError as error:
            if self._insists or self.bundled:
                raise
            log.warning("%s", error)
            model, processor = self._loaded(str(BUNDLED), say)
            self.bundled = True
            self.notice = f"It stands in for the model that suits this GPU. {error}"
        self.notice = " ".join([self.notice, *remarks(model, processor)]).strip()
        self.name = model_name(model)
        self.loading = ""
        self._processor, self._model = processor, model

    def _loaded(self, name: str, say: Say | None) -> tuple[Any, Any]:
        """Load a model, and keep how far it is."""

        def keep(doing: str) -> None:
            self.loading = doing
            if say is not None:
                say(doing)

        model, processor = sinktrack.load(name, say=keep)
        settle_threads(model)
        return model, processor

    @property
    def ready(self) -> bool:
        """Whether the model is loaded."""
        return self._model is not None

    @property
    def anchored(self) -> bool:
        """Whether the model was trained to read what SinkTrack writes; False while it loads."""
        return self.ready and getattr(self._model.config, "sinktrack", None) is not None

    @property
    def folder(self) -> Path | None:
        """The bundled checkpoint's folder; None for another model."""
        if not self.bundled:
            return None
        return Path(self._chosen) if Path(self._chosen).is_dir() else BUNDLED

    @property
    def reads_pictures(self) -> bool:
        """Whether the model reads pictures; True while it loads."""
        return not self.ready or reads_pictures(self._model.config)

    def request(
        self,
        question: str | None,
        *,
        pictures: Sequence[str] = (),
        video: str | None = None,
        passage: str | None = None,
        system: str | None = None,
        history: Sequence[Exchange] = (),
        methods: Sequence[str] = DEFAULT_METHODS,
        max_new_tokens: int = 128,
        do_sample: bool = False,
        temperature: float = 1.0,
        seed: int = 0,
        cache: Cache = "full",
        beginnings: Mapping[str, tuple[int, ...]] | None = None,
    ) -> Request:
        """Check what a visitor gave, before any GPU is taken.

        Args:
            question: The text as typed.
            pictures: Files as uploaded.
            video: A file as uploaded; None without one.
            passage: A text as typed; None or blank without one.
            system: The system prompt as typed; None or blank for the chat template's own.
            history: The conversation before the question.
            methods: Texts that `sinktrack.methods.parse` reads, 2 to 6.
            max_new_tokens: The longest answer, from 1 to the page's limit.
            do_sample: Sample; else each token is the most likely one.
            temperature: Above 0, at most 5; used when sampling.
            seed: Of the sampling noise.
            cache: What stays in view while the answers grow.
            beginnings: The first token ids of answers, by lane; None for none.

        Returns:
            The request. A method that would need a picture where there is none has a context that
            the prompt has, if it takes one.

        Raises:
            MethodError: If a method is not known, out of range, or the same as another.
            PictureError: If a picture or video cannot be used.
            PromptError: If a text or number cannot be used, or a method needs what is not there.
        """
        asked = Asked(
            question=question or "",
            pictures=tuple(pictures),
            video=video,
            passage=given(passage),
        )
        request = Request(
            asked=asked,
            history=tuple(history),
            system=given(system),
            methods=tuple(methods),
            max_new_tokens=max_new_tokens,
            do_sample=do_sample,
            temperature=temperature,
            seed=seed,
            cache=cache,
            beginnings=tuple((beginnings or {}).items()),
        )
        check_numbers(request, self.max_new_tokens)
        with self._checking:  # decoded, a large picture takes much memory
            return checked(request, self._model, self._processor, self._max_question_tokens)

    def lane_titles(
        self,
        methods: Sequence[str] = DEFAULT_METHODS,
        *,
        visuals: bool = True,
        passage: bool = False,
    ) -> list[dict[str, str]]:
        """Return name, title and subtitle of each lane, as the finished comparison has them.

        The subtitles are empty while the model loads.

        Args:
            methods: Texts that `sinktrack.methods.parse` reads, 2 to 6.
            visuals: Whether there is a picture or video to be asked about.
            passage: Whether there is a passage.

        Raises:
            MethodError: If a method is not known or does not fit the model.
        """
        methods = suited(self._model, methods, visuals=visuals, passage=passage)
        return lane_titles(self._model, methods)

    def method_text(self, method: Intervention | None) -> str:
        """Return the shortest text that stands for a method, as `request` takes it.

        Raises:
            MethodError: If no text stands for it, or it does not fit the model.
        """
        return text_of(self._model, method)

    def method_cards(self) -> list[MethodCard]:
        """Return all that can be compared, with the model's own defaults once it is there."""
        return method_cards(self._model)

    def fitting(self, *, visuals: bool, passage: bool) -> list[str]:
        """Return the methods that fit what is asked, the best first; none while the model loads.

        Args:
            visuals: Whether there is a picture or video to be asked about.
            passage: Whether there is a passage.
        """
        return fitting(self._model, visuals=visuals, passage=passage) if self.ready else []

    def answer(self, request: Request, stop: StopFlag) -> Iterator[Event]:
        """Answer a request.

        Args:
            request: From `request`.
            stop: Ends the answer within one decode step when it is raised. It is raised here when
                the iterator is closed, so an abandoned answer does not go on.

        Yields:
            Every `UPDATE_SECONDS` what is new, or a `Heartbeat`: `Waiting`, `LoadingModel`,
            `ReadingPrompt`, `Writing`, `Answered` and at last `FilesReady`; or, where there is no
            answer, at last `Stopped`, `Refused`, `NotLent` or `Failed`.
        """
        work = partial(self._on_gpu, request, stop)
        yield from self._turns.events("answer", stop, self._until_ready, work)

    def survey(self, survey: Survey, stop: StopFlag) -> Iterator[Event]:
        """Ask many questions, which takes one turn in the queue.

        Args:
            survey: What is asked.
            stop: Ends it within one batch, see `answer`.

        Yields:
            As `answer` does: `Waiting`, `LoadingModel`, `Surveying` and at last `Surveyed`; or
            `Stopped`, `Refused`, `NotLent` or `Failed`.
        """
        work = partial(self._survey_on_gpu, survey, stop)
        yield from self._turns.events("survey", stop, self._until_ready, work)

    def _until_ready(self) -> str | None:
        """Return how far loading is; None once the model is there."""
        return None if self.ready else self.loading

    def why(self, question: Question) -> dict[str, Any]:
        """Return what stands behind a token of a comparison, as JSON values.

        Waits for its turn, like a question.

        Args:
            question: About a comparison whose key `Answered` has told.

        Raises:
            SinkTrackError: As `Why.answer`.
        """
        return self._why.answer(question, self._model, self._processor)

    def _survey_events(self, survey: Survey, stop: StopFlag) -> Iterator[Event]:
        """Ask many questions in a thread, and report at a steady pace."""
        from app.shared.chance import ask_all  # as in `load`

        def work(_: threading.Event, report: Callable[[Event], None]) -> None:
            with in_sentences(report, free_gpu, survey.in_words()):
                ask_all(self._model, self._processor, survey, stop.is_set, report)

        yield from with_heartbeat(work, give_up=stop.set)

    def _events(self, request: Request, stop: StopFlag) -> Iterator[Event]:
        """Answer in a thread, and report at a steady pace."""

        def work(abandoned: threading.Event, report: Callable[[Event], None]) -> None:
            self._work(request, stop, abandoned, report)

        yield ReadingPrompt()
        yield from with_heartbeat(work, give_up=stop.set)

    def _work(
        self,
        request: Request,
        stop: StopFlag,
        abandoned: threading.Event,
        report: Callable[[Event], None],
    ) -> None:
        """Answer a request, and report every step."""
        with in_sentences(report, free_gpu, request.in_words()):
            if stop.is_set():
                return report(Stopped())
            comparison = self._stream(request, stop, report)
            if comparison is None:
                return report(Stopped())
            if abandoned.is_set():
                return  # the visitor has gone
            data = json.dumps(payload(comparison), allow_nan=False)
            # a forked process ends with its answer, and what it has kept with it
            key = None if lends_gpu() else self._kept.keep(comparison)
            seen = request.asked.pictures if self.bundled else ()
            notices = self._unfamiliar.notices(self._model, self._processor, seen)
            report(Answered(data, large_maps(comparison), key, notices))
            if not abandoned.is_set():
                report(downloads(comparison))

    def _stream(
        self, request: Request, stop: StopFlag, report: Callable[[Event], None]
    ) -> Comparison | None:
        """Write the answers; None only if nothing was written."""
        comparison = None
        methods = suited(self._model, request.methods, **request.has())  # asked while it loaded
        steps = sinktrack.stream(
            self._model,
            self._processor,
            question=request.asked.question,
            images=request.asked.pictures,
            methods=lane_methods(self._model, methods),
            max_new_tokens=request.max_new_tokens,
            do_sample=request.do_sample,
            temperature=request.temperature if request.do_sample else None,
            seed=request.seed,
            cache=request.cache,
            beginnings=dict(request.beginnings),
            stop=stop.is_set,
            max_question_tokens=self._max_question_tokens,
            **request.other_arguments(),
        )
        for step in steps:
            report(Writing(step.index + 1, dict(step.texts), tuple(step.tokens)))
            comparison = step.comparison
        return comparison


def gpu_memory() -> int | None:
    """Return the memory of the first CUDA GPU in bytes, or None without one."""
    if not torch.cuda.is_available():
        return None
    return int(torch.cuda.get_device_properties(0).total_memory)
