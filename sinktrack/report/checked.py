"""A comparison's payload that comes from anywhere, checked field by field before anything draws it.

What is not known is left out; what is known has its type, its size and its range. Knows nothing
about files.
"""

import base64
import io
import re
from typing import Any

from PIL import Image

from sinktrack.core.errors import ReplayError, shown
from sinktrack.core.parts import GENERATED, SINK, kind_of
from sinktrack.report.fields import (
    Reader,
    block,
    decoded,
    exactly,
    items,
    listed,
    mapping,
    maybe,
    number,
    once,
    one_of,
    packed,
    plain,
    positive,
    share,
    short,
    text,
    whole_below,
)
from sinktrack.report.payload import upgraded
from sinktrack.report.words import moved_titles

MOST_LANES = 6
MOST_TOKENS = 4096
"""Of one answer."""
MOST_PIXELS = 64_000_000
"""Of all pictures and frames together."""

_KINDS = frozenset(
    (SINK, "system", "history", "passage", "instruction", "image", "video", "rest", GENERATED)
)
_PART = re.compile(r"[a-z]+( \d{1,4})?")
_URL = re.compile(r"data:image/(png|jpeg);base64,(.*)", re.DOTALL)


def checked(data: Any) -> dict[str, Any]:
    """Return a payload in the present shape, every field of it checked.

    Args:
        data: Anything that JSON can hold; payloads that earlier versions stored are upgraded.

    Raises:
        ReplayError: With the field, what it holds, and what it must hold.
    """
    try:
        return _Payload(upgraded(mapping(data, "The file"))).read()
    except (AttributeError, KeyError, TypeError, ValueError) as error:  # of an upgrade
        said = f"{error.args[0]} is missing" if isinstance(error, KeyError) else "it is malformed"
        raise ReplayError(f"The file holds no comparison that can be shown: {said}.") from error


class _Payload:
    """Reads one payload; pictures and lanes are checked against each other."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.data = data
        self.pixels = 0

    def read(self) -> dict[str, Any]:
        data = self.data
        visuals = listed(data["visuals"], "visuals", 64, self._visual)
        self.frames = [len(visual["frames"]) for visual in visuals]
        segments = listed(data["segments"], "segments", 256, _segment)
        self.parts = once([each["name"] for each in segments], "segments")
        lanes = listed(data["lanes"], "lanes", MOST_LANES, self._lane)
        if not lanes:
            raise ReplayError("The comparison has no answers: choose another file.")
        once([lane["name"] for lane in lanes], "lanes")
        longest = max(len(lane["tokens"]) for lane in lanes)
        return {
            "model": text(data["model"], "model", 1000),
            "revision": text(data.get("revision") or "", "revision", 200),
            "made": text(data.get("made") or "", "made", 100),
            "question": text(data["question"], "question"),
            "passage": text(data["passage"], "passage"),
            "turns": listed(data["turns"], "turns", 1000, self._turn),
            "segments": segments,
            "visuals": visuals,
            "notices": listed(data["notices"], "notices", 100, short),
            "settings": plain(data["settings"], "settings"),
            "versions": {
                short(name, "versions"): text(value, f"versions, {name}", 200)
                for name, value in mapping(data["versions"], "versions", 100).items()
            },
            "sinks": listed(data["sinks"], "sinks", 100_000, _sink),
            "lanes": lanes,
            "parts_at": maybe(data["parts_at"], "parts_at", whole_below(longest + 1)),
        }

    def _visual(self, value: Any, where: str) -> dict[str, Any]:
        value = mapping(value, where)
        frames = listed(value["frames"], f"{where}, frames", 1000, self._picture)
        if not frames:
            raise ReplayError(f"{where} has no frames: choose another file.")
        name = _part(value["segment"], f"{where}, segment")
        return {
            "segment": name,
            "title": short(value["title"], f"{where}, title"),
            "frames": frames,
        }

    def _picture(self, value: Any, where: str) -> str:
        """Return a data URL whose picture Pillow could decode."""
        url = _URL.fullmatch(value) if isinstance(value, str) else None
        if url is None:
            raise ReplayError(f"{where} is {shown(value)}, but must be a PNG or JPEG as data URL.")
        content = decoded(url[2], where)
        try:
            with Image.open(io.BytesIO(content), formats=[url[1].upper()]) as image:
                self.pixels += image.width * image.height
                if self.pixels > MOST_PIXELS:
                    raise ReplayError(
                        f"The pictures have more than {MOST_PIXELS // 10**6} megapixels together: "
                        "choose a smaller file."
                    )
                image.load()
        except ReplayError:
            raise
        except Exception as error:  # each decoder has errors of its own
            raise ReplayError(f"{where} is no {url[1].upper()} that can be read.") from error
        return f"data:image/{url[1]};base64,{base64.b64encode(content).decode('ascii')}"

    def _turn(self, value: Any, where: str) -> dict[str, Any]:
        value = mapping(value, where)
        shown_here = whole_below(len(self.frames))
        return {
            "role": one_of(value["role"], f"{where}, role", ("system", "user", "assistant")),
            "text": text(value["text"], f"{where}, text"),
            "visuals": listed(value["visuals"], f"{where}, visuals", 64, shown_here),
        }

    def _lane(self, value: Any, where: str) -> dict[str, Any]:
        lane = mapping(value, where)
        tokens = listed(lane["tokens"], f"{where}, tokens", MOST_TOKENS, short)
        count = len(tokens)
        layers = whole_below(1025, 1)(lane["layers"], f"{where}, layers")
        heads = whole_below(1025, 1)(lane["heads"], f"{where}, heads")
        shares = exactly(count, share)
        maps = listed(lane["maps"], f"{where}, maps", 64, self._map(count, layers))
        return {
            "name": text(lane["name"], f"{where}, name", 1000),
            "title": short(lane["title"], f"{where}, title"),
            "subtitle": short(lane["subtitle"], f"{where}, subtitle"),
            "text": text(lane["text"], f"{where}, text"),
            "finish": one_of(lane["finish"], f"{where}, finish", ("eos", "length", "stopped")),
            **{
                name: maybe(lane.get(name), f"{where}, {name}", positive)
                for name in ("seconds_to_first_token", "tokens_per_second")
            },
            "method": maybe(lane["method"], f"{where}, method", _method),
            "moved": {
                short(kind, f"{where}, moved"): maybe(most, f"{where}, moved", number)
                for kind, most in mapping(lane["moved"], f"{where}, moved", 100).items()
            },
            "moved_words": short(lane["moved_words"], f"{where}, moved_words"),
            "moved_at": listed(lane["moved_at"], f"{where}, moved_at", 100, _moved(count)),
            "notice": maybe(lane["notice"], f"{where}, notice", short),
            "tokens": tokens,
            "told": whole_below(count + 1)(lane.get("told", 0), f"{where}, told"),
            "ids": exactly(count, whole_below(10**9))(lane.get("ids", []), f"{where}, ids"),
            "probabilities": shares(lane["probabilities"], f"{where}, probabilities")
            if lane.get("probabilities")
            else [],
            "candidates": maybe(lane.get("candidates"), f"{where}, candidates", _candidates(count)),
            "layers": layers,
            "heads": heads,
            "injected": listed(lane["injected"], f"{where}, injected", layers, whole_below(layers)),
            "sink": block(lane["sink"], f"{where}, sink", count * layers * heads),
            "scale": positive(lane["scale"], f"{where}, scale"),
            "shares": {
                _known(name, self.parts, f"{where}, shares"): packed(count * layers)(
                    each, f"{where}, shares, {name}"
                )
                for name, each in mapping(lane["shares"], f"{where}, shares", 256).items()
            },
            "delivered": maybe(lane["delivered"], f"{where}, delivered", packed(count * layers)),
            "delivered_heads": maybe(
                lane.get("delivered_heads"),
                f"{where}, delivered_heads",
                _by_head(count, layers * heads),
            ),
            "left": {
                _known(name, self.parts, f"{where}, left"): whole_below(count + 1)(
                    at, f"{where}, left"
                )
                for name, at in mapping(lane["left"], f"{where}, left", 256).items()
            },
            "maps": maps,
            "writes": maybe(lane["writes"], f"{where}, writes", self._writes(layers, maps)),
        }

    def _map(self, count: int, layers: int) -> Reader:
        def read(value: Any, where: str) -> dict[str, Any]:
            value = mapping(value, where)
            visual = whole_below(len(self.frames))(value["visual"], f"{where}, visual")
            frames = whole_below(1001, 1)(value["frames"], f"{where}, frames")
            if frames != self.frames[visual]:
                raise ReplayError(
                    f"{where} has {frames} frames, but its picture has {self.frames[visual]}."
                )
            rows, cols = (
                whole_below(1025, 1)(value[name], f"{where}, {name}") for name in ("rows", "cols")
            )
            depth = whole_below(layers + 1, 1)(value["layers"], f"{where}, layers")
            cells = frames * rows * cols
            return {
                "visual": visual,
                "frames": frames,
                "rows": rows,
                "cols": cols,
                "layers": depth,
                "scale": exactly(count, positive)(value["scale"], f"{where}, scale"),
                "sink_patches": listed(
                    value["sink_patches"], f"{where}, sink_patches", cells, whole_below(cells)
                ),
                "bytes": block(value["bytes"], f"{where}, bytes", count * depth * cells),
            }

        return read

    def _writes(self, layers: int, maps: list[dict[str, Any]]) -> Reader:
        cells = {each["visual"]: each["frames"] * each["rows"] * each["cols"] for each in maps}

        def read(value: Any, where: str) -> dict[str, Any]:
            value = mapping(value, where)
            written = listed(value["layers"], f"{where}, layers", layers, whole_below(layers))
            rows = len(written)
            texts = listed(value["texts"], f"{where}, texts", 200_000, short)
            visuals = [
                maybe(each, f"{where}, visuals", packed(rows * cells.get(at, 0)))
                for at, each in enumerate(items(value["visuals"], f"{where}, visuals", 64))
            ]
            return {
                "layers": written,
                "visuals": visuals,
                "words": maybe(value["words"], f"{where}, words", packed(rows * len(texts)))
                if texts
                else None,
                "texts": texts,
                "starts": listed(
                    value["starts"], f"{where}, starts", len(texts), _start(len(texts))
                ),
                "sources": maybe(value["sources"], f"{where}, sources", _sources(rows)),
                "norms": maybe(value["norms"], f"{where}, norms", exactly(rows, positive)),
                "into": one_of(value["into"], f"{where}, into", ("output", "value")),
            }

        return read


def _known(name: str, names: frozenset[str], where: str) -> str:
    if name not in names:
        raise ReplayError(f"{where} names {shown(name)}, which is no part of the prompt.")
    return name


def _part(value: Any, where: str) -> str:
    if not isinstance(value, str) or not _PART.fullmatch(value) or kind_of(value) not in _KINDS:
        raise ReplayError(f"{where} is {shown(value)}, but must be a part of a prompt.")
    return value


def _segment(value: Any, where: str) -> dict[str, str]:
    value = mapping(value, where)
    name = _part(value["name"], f"{where}, name")
    return {"name": name, "kind": kind_of(name), "title": short(value["title"], f"{where}, title")}


def _sink(value: Any, where: str) -> dict[str, Any]:
    value = mapping(value, where)
    return {
        "position": whole_below(10**7)(value["position"], f"{where}, position"),
        "text": short(value["text"], f"{where}, text"),
        "title": short(value["title"], f"{where}, title"),
    }


def _start(count: int) -> Reader:
    def read(value: Any, where: str) -> dict[str, Any]:
        value = mapping(value, where)
        at = whole_below(count)(value["at"], f"{where}, at")
        return {"at": at, "title": short(value["title"], f"{where}, title")}

    return read


def _sources(rows: int) -> Reader:
    def part(value: Any, where: str) -> str:
        return value if value == "other" else _part(value, where)

    def read(value: Any, where: str) -> dict[str, Any]:
        value = mapping(value, where)
        segments = listed(value["segments"], f"{where}, segments", 256, part)
        of_all = len(segments)
        shares = exactly(rows, exactly(of_all, number))
        return {
            "names": exactly(of_all, short)(value["names"], f"{where}, names"),
            "segments": segments,
            "shares": shares(value["shares"], f"{where}, shares"),
        }

    return read


def _by_head(count: int, heads: int) -> Reader:
    """Return what reads numbers of every head at every token, or their means over the answer."""

    def read(value: Any, where: str) -> dict[str, Any]:
        mean = mapping(value, where).get("mean") is True
        return {
            **packed(heads if mean else count * heads)(value, where),
            **({"mean": True} if mean else {}),
        }

    return read


def _moved(count: int) -> Reader:
    def value_of(value: Any, where: str) -> float | None:
        return None if value is None else number(value, where)

    def read(value: Any, where: str) -> dict[str, Any]:
        value = mapping(value, where)
        kind = short(value["kind"], f"{where}, kind")
        title, unit = moved_titles([kind])[kind]  # as this version calls it
        values = listed(value["values"], f"{where}, values", count, value_of)
        return {"kind": kind, "title": title, "unit": unit, "values": values}

    return read


def _candidates(count: int) -> Reader:
    def read(value: Any, where: str) -> dict[str, Any]:
        value = mapping(value, where)
        ids = items(value["ids"], f"{where}, ids", max(count, 1))
        width = len(items(ids[0], f"{where}, ids", 100)) if ids else 0
        rows: dict[str, Reader] = {
            "ids": whole_below(10**9),
            "texts": short,
            "probabilities": share,
        }
        return {
            name: exactly(count, exactly(width, each))(value[name], f"{where}, {name}")
            for name, each in rows.items()
        }

    return read


def _method(value: Any, where: str) -> dict[str, Any]:
    method = plain(value, where)
    text(method.get("kind"), f"{where}, kind", 100)
    return method
