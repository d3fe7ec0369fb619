"""What the engine says while it answers: small frozen values, in the order in which they come.

They can be pickled, because on a ZeroGPU Space an answer is made in a forked process. Consumers
tell them apart by their class. Knows nothing about models or pages.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from app.shared.request import Request


@dataclass(frozen=True)
class Heartbeat:
    """Nothing new; a listener that has gone is noticed by it."""


@dataclass(frozen=True)
class Waiting:
    """Other requests are served first.

    Args:
        ahead: How many.
    """

    ahead: int


@dataclass(frozen=True)
class LoadingModel:
    """The request is the next one, but the model is still loading.

    Args:
        doing: How far it is; may be empty.
    """

    doing: str = ""


@dataclass(frozen=True)
class ReadingPrompt:
    """The picture and the question are read."""


@dataclass(frozen=True)
class Writing:
    """A token was written in each lane that has not ended.

    Args:
        token_count: How many tokens the longest lane has.
        texts: The text so far, by lane.
        open_lanes: The lanes that have not ended.
    """

    token_count: int
    texts: Mapping[str, str]
    open_lanes: tuple[str, ...]


@dataclass(frozen=True)
class Answered:
    """All lanes have ended; `FilesReady` follows.

    Args:
        payload: What `sinktrack.report.payload` made, as JSON text.
        large_maps: By lane and number of the picture or video, the attention over it where that is
            too large for the payload.
        key: Under which the engine can be asked why a word stands there; None if it cannot.
        notices: Sentences on what the model was asked about.
    """

    payload: str
    large_maps: Mapping[str, Mapping[int, bytes]]
    key: str | None = None
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class FilesReady:
    """The files to download are there. The last event of an answer.

    Args:
        traces: A zip archive with one .safetensors file a lane; None if it could not be written.
        replay: What `sinktrack.report.replay` reads, as JSON; None if it could not be written.
    """

    traces: bytes | None = None
    replay: bytes | None = None


@dataclass(frozen=True)
class Stopped:
    """The visitor stopped it before the first token. The last event."""


@dataclass(frozen=True)
class Refused:
    """The request cannot be answered as it is. The last event.

    Args:
        sentence: Why, for the visitor.
    """

    sentence: str


@dataclass(frozen=True)
class Failed:
    """Something went wrong that is no fault of the request. The last event.

    Args:
        sentence: What to do, for the visitor.
        trace: Where in the code, for the log.
    """

    sentence: str
    trace: str = ""


@dataclass(frozen=True)
class NotLent:
    """A Space lends no GPU for this, or took it back. The last event.

    Args:
        sentence: What was asked for, and why there is none, for the visitor.
        shorter: What needs the GPU for less time; None where nothing does.
        seconds: For how long that needs it; 0 without one.
    """

    sentence: str
    shorter: Request | None = None
    seconds: int = 0


@dataclass(frozen=True)
class Surveying:
    """Some of many questions were answered.

    Args:
        answers: How many answers there are.
        of: How many there will be.
    """

    answers: int
    of: int


@dataclass(frozen=True)
class Surveyed:
    """Many questions were answered, or those until the visitor stopped it. The last event.

    Args:
        result: What `app.shared.chance` found, as JSON text.
        notices: Sentences on how it ended.
    """

    result: str
    notices: tuple[str, ...] = ()


Progress = Waiting | LoadingModel | ReadingPrompt | Writing
"""What happens before there is an answer."""

LastEvent = FilesReady | Surveyed | Stopped | Refused | NotLent | Failed
"""After one of these nothing comes."""

Event = Heartbeat | Progress | Surveying | Answered | LastEvent
