"""A comparison as a file that can be run again: conversation, settings, and what was answered.

A report, and the data that reports and pages draw, hold enough of it to be run again as well.
"""

import base64
import binascii
import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from PIL import Image

from sinktrack.core.cache import Cache, cache_of_json
from sinktrack.core.comparison import Comparison
from sinktrack.core.decoding import Decoding
from sinktrack.core.errors import ReplayError, SinkTrackError, shown
from sinktrack.core.files import decoded
from sinktrack.core.images import Picture, load_picture
from sinktrack.core.intervention import Intervention
from sinktrack.core.messages import Conversation, as_messages, conversation
from sinktrack.core.video import Video
from sinktrack.methods import from_dict
from sinktrack.report.checked import checked
from sinktrack.report.visuals import PICTURE_SIDE

FORMAT = "sinktrack-comparison-2"
_BEFORE = "sinktrack-comparison-1"
_REPORT_DATA = re.compile(r'<script type="application/json" id="data">(.*?)</script>', re.DOTALL)
_LARGEST = 1_000_000_000  # bytes; a long video as PNGs and more
_DECODING = tuple(each.name for each in fields(Decoding))


@dataclass(frozen=True, kw_only=True)
class Replay:
    """What to run again, and what came out the first time.

    Args:
        model_name: Where the model was loaded from.
        turns: The conversation as the model read it.
        methods: Lane names to methods.
        decoding: How it was decoded.
        cache: What stayed in view.
        beginnings: The first ids that lanes were told.
        token_ids: The answers, by lane.
        texts: The same as texts; "" where they were not kept.
    """

    model_name: str
    turns: Conversation
    methods: dict[str, Intervention | None]
    decoding: Decoding
    cache: Cache
    beginnings: dict[str, tuple[int, ...]]
    token_ids: dict[str, tuple[int, ...]]
    texts: dict[str, str]

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The conversation as `sinktrack.compare` and `build_prompt` take it."""
        return as_messages(self.turns)

    @property
    def question(self) -> str:
        """The last text of the user."""
        return self.turns[-1].text

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """The pictures as the model saw them, in order."""
        found = (each for turn in self.turns for each in turn.content)
        return tuple(each for each in found if isinstance(each, Picture))

    def differing(self, comparison: Comparison) -> list[str]:
        """Return the lanes that answered differently this time."""
        return [
            name
            for name, ids in self.token_ids.items()
            if name not in comparison or comparison[name].token_ids != ids
        ]


def answers_as_json(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison's answers and how they came about as JSON values, without traces."""
    return {
        "model": comparison.model_name,
        "question": comparison.question,
        "settings": comparison.settings,
        "versions": comparison.versions,
        "revision": comparison.revision,
        "made": comparison.made,
        "lanes": {
            name: {
                "text": answer.text,
                "token_ids": list(answer.token_ids),
                "finish": answer.finish,
                "method": answer.method.as_dict() if answer.method else None,
                "moved": answer.moved,
                "mean_sink_attention": float(answer.trace.sink.nanmean()) if answer.trace else None,
                "seconds_to_first_token": answer.seconds_to_first_token,
                "tokens_per_second": answer.tokens_per_second,
            }
            for name, answer in comparison.items()
        },
    }


def record(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison as JSON values that `read_replay` understands, pictures included."""
    messages = as_messages(comparison.turns)
    for message in messages:
        message["content"] = [_as_json(item) for item in message["content"]]
    return {"format": FORMAT, **answers_as_json(comparison), "messages": messages}


def read_replay(path: str | Path) -> Replay:
    """Read what `record` returned from a JSON file, or the same of a report or of its data.

    Raises:
        ReplayError: If the file cannot be read, or holds something else.
    """
    try:
        if not Path(path).is_file():  # a pipe or device would never end
            raise ReplayError(f"There is no file {path}: check the path.")
        if Path(path).stat().st_size > _LARGEST:
            raise ReplayError(f"{path} is too large for a saved comparison: choose another file.")
        content = Path(path).read_bytes()
    except OSError as error:
        raise ReplayError(f"No saved comparison could be read from {path}: {error}.") from error
    return replay_of(saved_json(content, path), path)


def saved_json(content: bytes, name: str | Path) -> dict[str, Any]:
    """Return the JSON in a replay file, in a report, or in a file of a report's data.

    Of a report the data alone is read; what it would show does not count.

    Args:
        content: The file's bytes.
        name: Of the file, for messages.

    Raises:
        ReplayError: If there is none.
    """
    try:
        text = decoded(content)
        if text.lstrip()[:1] == "<":
            found = _REPORT_DATA.findall(text)
            if len(found) != 1:
                raise ReplayError(f"{name} is a web page, but no report: choose another file.")
            text = found[0]
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ReplayError(f"No saved comparison could be read from {name}: {error}.") from error
    if not isinstance(data, dict) or not (is_replay(data) or "lanes" in data):
        raise ReplayError(f"{name} is JSON, but not a comparison that this version saved.")
    return data


def is_replay(data: dict[str, Any]) -> bool:
    """Tell what `record` made from what `sinktrack.report.payload` made."""
    return data.get("format") in (FORMAT, _BEFORE)


def replay_of(data: dict[str, Any], name: str | Path) -> Replay:
    """Return what runs a comparison again.

    Args:
        data: From `saved_json`.
        name: Of the file, for messages.

    Raises:
        ReplayError: If it is damaged, or not all of what was asked is in it.
    """
    try:
        return _replay(data) if is_replay(data) else _replay_of_payload(checked(data))
    except (
        *(AttributeError, KeyError, TypeError, ValueError, OverflowError),
        *(binascii.Error, SinkTrackError),
    ) as error:  # fmt: skip
        said = str(error) if isinstance(error, SinkTrackError) else f"{shown(error)}."
        raise ReplayError(f"The saved comparison in {name} is damaged: {said}") from error


def whole_pictures(data: dict[str, Any]) -> bool:
    """Tell whether a payload holds its pictures as the model saw them, and no video.

    Args:
        data: From `sinktrack.report.checked.checked`, or of this package's own making.
    """
    return all(
        len(each["frames"]) == 1
        and each["frames"][0].startswith("data:image/png;")
        and max(_frame(each["frames"][0]).image.size) < PICTURE_SIDE
        for each in data["visuals"]
    )


def _replay(data: dict[str, Any]) -> Replay:
    lanes = data["lanes"]
    return _settled(
        data,
        turns=_turns(data),
        methods={name: lane["method"] for name, lane in lanes.items()},
        token_ids={name: lane["token_ids"] for name, lane in lanes.items()},
        texts={name: str(lane.get("text") or "") for name, lane in lanes.items()},
    )


def _replay_of_payload(data: dict[str, Any]) -> Replay:
    """Return what runs a payload's comparison again.

    Raises:
        ReplayError: If it is about a video, of which a payload has some frames alone.
    """
    if any(len(each["frames"]) > 1 for each in data["visuals"]):
        raise ReplayError(
            "it is about a video, of which it holds some frames alone: choose the replay file."
        )
    pictures = [{"type": "image", "image": _frame(each["frames"][0])} for each in data["visuals"]]
    before = {at for turn in data["turns"] for at in turn["visuals"]}
    messages = [
        {
            "role": turn["role"],
            "content": [
                *(pictures[at] for at in turn["visuals"]),
                *([{"type": "text", "text": turn["text"]}] if turn["text"] else []),
            ],
        }
        for turn in data["turns"]
    ]
    own = [each for at, each in enumerate(pictures) if at not in before]
    return _settled(
        data,
        turns=conversation(
            messages=messages or None,
            question=data["question"],
            images=[each["image"] for each in own],
            passage=data["passage"] or None,
        ),
        methods={lane["name"]: lane["method"] for lane in data["lanes"]},
        token_ids={lane["name"]: lane["ids"] for lane in data["lanes"]},
        texts={lane["name"]: lane["text"] for lane in data["lanes"]},
    )


def _settled(
    data: dict[str, Any],
    *,
    turns: Conversation,
    methods: dict[str, Any],
    token_ids: dict[str, Any],
    texts: dict[str, str],
) -> Replay:
    """Return a replay; `data` has model and settings."""
    settings = data["settings"]
    if not methods:
        raise ValueError("it has no lanes")
    decoding = {name: settings[name] for name in _DECODING if name in settings}
    return Replay(
        model_name=str(data["model"]),
        turns=turns,
        methods={name: from_dict(method) for name, method in methods.items()},
        decoding=Decoding(**decoding | {"do_sample": bool(settings["do_sample"])}),
        cache=cache_of_json(settings["cache"]),
        beginnings=_beginnings(settings.get("beginnings", {}), token_ids),
        token_ids={name: tuple(map(int, ids)) for name, ids in token_ids.items()},
        texts=texts,
    )


def _beginnings(
    told: Mapping[str, Any], token_ids: Mapping[str, Any]
) -> dict[str, tuple[int, ...]]:
    """Return the words that lanes were told, each of which its answer begins with."""
    found = {name: tuple(map(int, ids)) for name, ids in told.items()}
    for name, ids in found.items():
        if name not in token_ids or tuple(token_ids[name][: len(ids)]) != ids:
            raise ValueError("an answer does not begin with the words that it was told")
    return found


def _frame(url: str) -> Picture:
    """Return the picture of a data URL."""
    return load_picture(_decoded(url.partition(",")[2]))


def _turns(data: dict[str, Any]) -> Conversation:
    if data["format"] == _BEFORE:
        pictures = [load_picture(_decoded(each)) for each in data["pictures"]]
        return conversation(question=str(data["question"]), images=pictures)
    messages = [
        {"role": message["role"], "content": [_from_json(item) for item in message["content"]]}
        for message in data["messages"]
    ]
    return conversation(messages=messages)


def _as_json(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return a part of a message whose picture or frames are PNGs in base64."""
    if item["type"] == "image":
        return {"type": "image", "png": _png(item["image"].image)}
    if item["type"] == "video":
        video: Video = item["video"]
        return {"type": "video", "fps": video.fps, "pngs": [_png(each) for each in video.frames]}
    return dict(item)


def _from_json(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return a part of a message as `conversation` takes it."""
    if item["type"] == "image":
        return {"type": "image", "image": load_picture(_decoded(item["png"]))}
    if item["type"] == "video":
        frames = tuple(load_picture(_decoded(each)).image for each in item["pngs"])
        if len({frame.size for frame in frames}) != 1:
            raise ValueError("the frames of a video are not of one size")
        return {"type": "video", "video": Video(frames, float(item["fps"]))}
    return dict(item)


def _decoded(text: str) -> bytes:
    """Return bytes; an empty text or None is no picture."""
    return base64.b64decode(text, validate=True)


def _png(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode("ascii")
