"""A comparison as a file that can be run again: conversation, settings, and what was answered."""

import base64
import binascii
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from PIL import Image

from sinktrack.core.cache import Cache, cache_of_json
from sinktrack.core.comparison import Comparison
from sinktrack.core.decoding import Decoding
from sinktrack.core.errors import ReplayError, SinkTrackError, shown
from sinktrack.core.files import read_text
from sinktrack.core.images import Picture, load_picture
from sinktrack.core.intervention import Intervention
from sinktrack.core.messages import Conversation, as_messages, conversation
from sinktrack.core.video import Video
from sinktrack.methods import from_dict

FORMAT = "sinktrack-comparison-2"
_BEFORE = "sinktrack-comparison-1"
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
    """

    model_name: str
    turns: Conversation
    methods: dict[str, Intervention | None]
    decoding: Decoding
    cache: Cache
    beginnings: dict[str, tuple[int, ...]]
    token_ids: dict[str, tuple[int, ...]]

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
    """Read what `record` returned, from a JSON file.

    Raises:
        ReplayError: If the file cannot be read, or holds something else.
    """
    try:
        if not Path(path).is_file():  # a pipe or device would never end
            raise ReplayError(f"There is no file {path}: check the path.")
        if Path(path).stat().st_size > _LARGEST:
            raise ReplayError(f"{path} is too large for a saved comparison: choose another file.")
        data = json.loads(read_text(path))
    except (OSError, ValueError, RecursionError) as error:
        raise ReplayError(f"No saved comparison could be read from {path}: {error}.") from error
    if not isinstance(data, dict) or data.get("format") not in (FORMAT, _BEFORE):
        raise ReplayError(f"{path} is JSON, but not a comparison that this version saved.")
    try:
        return _replay(data)
    except (
        *(AttributeError, KeyError, TypeError, ValueError, OverflowError),
        *(binascii.Error, SinkTrackError),
    ) as error:  # fmt: skip
        said = str(error) if isinstance(error, SinkTrackError) else f"{shown(error)}."
        raise ReplayError(f"The saved comparison in {path} is damaged: {said}") from error


def _replay(data: dict[str, Any]) -> Replay:
    settings, lanes = data["settings"], data["lanes"]
    if not lanes:
        raise ValueError("it has no lanes")
    decoding = {name: settings[name] for name in _DECODING if name in settings}
    cache = settings["cache"]
    return Replay(
        model_name=str(data["model"]),
        turns=_turns(data),
        methods={name: from_dict(lane["method"]) for name, lane in lanes.items()},
        decoding=Decoding(**decoding | {"do_sample": bool(settings["do_sample"])}),
        cache=cache_of_json(cache),
        beginnings=_beginnings(settings.get("beginnings", {}), lanes),
        token_ids={name: tuple(map(int, lane["token_ids"])) for name, lane in lanes.items()},
    )


def _beginnings(told: Mapping[str, Any], lanes: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Return the words that lanes were told, each of which its answer begins with."""
    found = {name: tuple(map(int, ids)) for name, ids in told.items()}
    for name, ids in found.items():
        if name not in lanes or tuple(lanes[name]["token_ids"][: len(ids)]) != ids:
            raise ValueError("an answer does not begin with the words that it was told")
    return found


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
