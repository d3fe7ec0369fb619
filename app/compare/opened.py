"""A file that a visitor opens: a report, a replay file, or the data that both pages draw.

Nothing in it is believed before it is checked. Knows nothing about components.
"""

import base64
import binascii
import io
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from app.shared.request import Asked, Exchange
from sinktrack.core.errors import ReplayError, SinkTrackError, reason
from sinktrack.core.images import Picture
from sinktrack.core.messages import Text, Turn
from sinktrack.core.texts import BETWEEN_TEXTS
from sinktrack.core.video import Video
from sinktrack.report.checked import MOST_LANES, MOST_PIXELS, MOST_TOKENS, checked
from sinktrack.report.replay import Replay, is_replay, replay_of, saved_json, whole_pictures

LARGEST = 32_000_000
"""Bytes of a file."""
_MOST_PICTURES = 64  # frames of videos included

_one_at_a_time = threading.Lock()  # decoded, pictures take much memory


@dataclass(frozen=True, kw_only=True)
class Opened:
    """What a file holds.

    Args:
        payload: What the viewer draws; None where the file has no recording.
        replay: What asks the same again; None where it cannot be asked again here.
        remarks: Sentences on what is missing.
    """

    payload: dict[str, Any] | None
    replay: Replay | None
    remarks: tuple[str, ...]


def opened(path: str) -> Opened:
    """Return what a file holds.

    Args:
        path: Of an upload.

    Raises:
        ReplayError: If it is none of ours, too large, or damaged.
    """
    name = Path(path).name
    try:
        size = Path(path).stat().st_size
        if size > LARGEST:
            raise ReplayError(
                f"{name} has {size / 1e6:.0f} megabytes; the limit is {LARGEST // 10**6}: open it "
                "where it was made, or run `sinktrack ask --replay` with it."
            )
        with _one_at_a_time:
            return _opened(saved_json(Path(path).read_bytes(), name), name)
    except (OSError, RecursionError) as error:
        raise ReplayError(f"{name} cannot be read: {reason(error)}.") from error


def _opened(data: dict[str, Any], name: str) -> Opened:
    if is_replay(data):
        _check_replay(data, name)
        return Opened(payload=None, replay=replay_of(data, name), remarks=())
    payload = checked(data)
    try:
        replay = replay_of(payload, name)
    except SinkTrackError as error:
        return Opened(payload=payload, replay=None, remarks=(f"It cannot be asked again: {error}",))
    remarks = () if whole_pictures(payload) else (_SMALLER,)
    return Opened(payload=payload, replay=replay, remarks=remarks)


_SMALLER = (
    "The picture is as the file shows it, smaller or compressed, so that a new answer may differ."
)


def _check_replay(data: dict[str, Any], name: str) -> None:
    """Refuse a replay file that is too much for this page, before a picture in it is decoded.

    Raises:
        ReplayError: With the limit.
    """
    lanes, messages = data.get("lanes"), data.get("messages")
    if isinstance(lanes, dict):
        if len(lanes) > MOST_LANES:
            raise ReplayError(
                f"{name} has {len(lanes)} answers; the limit here is {MOST_LANES}: run `sinktrack "
                "ask --replay` with it."
            )
        for lane in lanes.values():
            ids = lane.get("token_ids") if isinstance(lane, dict) else None
            if isinstance(ids, list) and len(ids) > MOST_TOKENS:
                raise ReplayError(
                    f"{name} has an answer of {len(ids)} tokens; the limit is {MOST_TOKENS}."
                )
    pictures = list(data["pictures"]) if isinstance(data.get("pictures"), list) else []
    for message in messages if isinstance(messages, list) else ():
        content = message.get("content") if isinstance(message, dict) else None
        for item in content if isinstance(content, list) else ():
            if isinstance(item, dict):
                frames = item.get("pngs")
                pictures += [item.get("png"), *(frames if isinstance(frames, list) else ())]
    pictures = [each for each in pictures if isinstance(each, str)]
    if len(pictures) > _MOST_PICTURES or sum(map(_pixels, pictures)) > MOST_PIXELS:
        raise ReplayError(
            f"{name} has more pictures than can be opened here, {_MOST_PICTURES} or "
            f"{MOST_PIXELS // 10**6} megapixels at most: run `sinktrack ask --replay` with it."
        )


def _pixels(text: str) -> int:
    """Return how many pixels a picture has, from its header; 0 if it is none."""
    try:
        with Image.open(io.BytesIO(base64.b64decode(text, validate=True))) as image:
            return int(image.width * image.height)
    except (OSError, ValueError, binascii.Error, SyntaxError):
        return 0
    except Image.DecompressionBombError:
        return MOST_PIXELS + 1


def as_asked(
    replay: Replay, write: Callable[[Picture], str]
) -> tuple[str | None, tuple[Exchange, ...], Asked]:
    """Return what was asked as the page asks it: system prompt, the turns before, the question.

    Args:
        replay: Of a file.
        write: Makes a file of a picture, and returns its path.

    Raises:
        ReplayError: If the page has no place for it.
    """
    turns = list(replay.turns)
    system = turns.pop(0).text if turns[0].role == "system" else None
    if any(isinstance(each, Video) for turn in turns for each in turn.content):
        raise ReplayError("Its video cannot be asked about again here.")
    *earlier, last = turns
    if [turn.role for turn in earlier] != ["user", "assistant"] * (len(earlier) // 2):
        raise ReplayError("Its turns do not alternate, as turns on this page do.")
    history = tuple(
        Exchange(asked=_asked(question, write), answer=answer.text, by="As in the file")
        for question, answer in zip(earlier[::2], earlier[1::2], strict=True)
    )
    return system, history, _asked(last, write)


def _asked(turn: Turn, write: Callable[[Picture], str]) -> Asked:
    passages = [e.text for e in turn.content if isinstance(e, Text) and e.kind == "passage"]
    pictures = [each for each in turn.content if isinstance(each, Picture)]
    return Asked(
        question=turn.text,
        pictures=tuple(write(each) for each in pictures),
        passage=BETWEEN_TEXTS.join(passages) or None,
    )
