"""A comparison as a file that can be run again: settings, pictures, and what was answered."""

import base64
import binascii
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sinktrack.core.cache import Cache, SinkWindow
from sinktrack.core.comparison import Comparison
from sinktrack.core.decoding import Decoding
from sinktrack.core.errors import ReplayError, SinkTrackError
from sinktrack.core.files import read_text
from sinktrack.core.images import Picture, load_picture
from sinktrack.methods.sinktrack import SinkTrack

FORMAT = "sinktrack-comparison-1"
_LARGEST = 200_000_000  # bytes; the largest picture as PNG and much more
_SAMPLING = ("temperature", "top_p", "top_k", "seed")


@dataclass(frozen=True, kw_only=True)
class Replay:
    """What to run again, and what came out the first time.

    Args:
        model_name: Where the model was loaded from.
        question: As the model read it.
        pictures: As the model saw them.
        methods: Lane names to methods.
        decoding: How it was decoded.
        cache: What stayed in view.
        token_ids: The answers, by lane.
    """

    model_name: str
    question: str
    pictures: tuple[Picture, ...]
    methods: dict[str, SinkTrack | None]
    decoding: Decoding
    cache: Cache
    token_ids: dict[str, tuple[int, ...]]

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
                "mean_sink_attention": float(answer.trace.sink.nanmean()) if answer.trace else None,
                "seconds_to_first_token": answer.seconds_to_first_token,
                "tokens_per_second": answer.tokens_per_second,
            }
            for name, answer in comparison.items()
        },
    }


def record(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison as JSON values that `read_replay` understands, pictures included."""
    return {
        "format": FORMAT,
        **answers_as_json(comparison),
        "pictures": [_png(picture) for picture in comparison.pictures],
    }


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
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise ReplayError(f"{path} is JSON, but not a comparison that this version saved.")
    try:
        return _replay(data)
    except (
        *(AttributeError, KeyError, TypeError, ValueError, OverflowError),
        *(binascii.Error, SinkTrackError),
    ) as error:  # fmt: skip
        raise ReplayError(f"The saved comparison in {path} is damaged: {error!r}.") from error


def _replay(data: dict[str, Any]) -> Replay:
    settings, lanes = data["settings"], data["lanes"]
    if not lanes:
        raise ValueError("it has no lanes")
    sampling = {name: settings[name] for name in _SAMPLING if name in settings}
    cache = settings["cache"]
    return Replay(
        model_name=str(data["model"]),
        question=str(data["question"]),
        pictures=tuple(load_picture(base64.b64decode(each)) for each in data["pictures"]),
        methods={
            name: SinkTrack(**lane["method"]) if lane["method"] else None
            for name, lane in lanes.items()
        },
        decoding=Decoding(
            max_new_tokens=settings["max_new_tokens"],
            do_sample=bool(settings["do_sample"]),
            **sampling,
        ),
        cache="full" if cache == "full" else SinkWindow(**cache),
        token_ids={name: tuple(map(int, lane["token_ids"])) for name, lane in lanes.items()},
    )


def _png(picture: Picture) -> str:
    buffer = io.BytesIO()
    picture.image.save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode("ascii")
