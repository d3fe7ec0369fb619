"""A video file or a list of frames to frames of one size, through qwen-vl-utils."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from sinktrack.core.errors import PictureError, reason
from sinktrack.core.images import MAX_PIXELS, load_picture

MAX_FRAMES = 768
MAX_BYTES = 2_000_000_000
LARGEST_SIDE = 1024  # pixels; a larger frame is shrunk while it is read
SAMPLED_FPS = 2.0  # frames a second that are taken of a file; Qwen's own default


@dataclass(frozen=True)
class Video:
    """A video as the model and the viewer both see it.

    Args:
        frames: Of one size, mode RGB.
        fps: How many of them make a second.
        notices: Whole sentences about what was changed on the way, for a person to read.
    """

    frames: tuple[Image.Image, ...]
    fps: float = SAMPLED_FPS
    notices: tuple[str, ...] = ()

    def pixels(self) -> torch.Tensor:
        """Return the frames as uint8 (frames, 3, height, width)."""
        return torch.from_numpy(np.stack([np.asarray(each) for each in self.frames])).movedim(-1, 1)

    def metadata(self) -> dict[str, Any]:
        """Return what a processor wants to know of the frames' times."""
        count = len(self.frames)
        return {
            "fps": self.fps,
            "total_num_frames": count,
            "frames_indices": list(range(count)),
            "duration": count / self.fps,
        }


def load_video(source: Any) -> Video:
    """Read a video file, or take a list of frames.

    Args:
        source: A path of a file, a sequence of pictures as `load_picture` takes them, or a `Video`,
            returned as it is.

    Returns:
        The video; of a file two frames a second, and of an odd number the last one twice.

    Raises:
        PictureError: If it cannot be read or has too many frames.
    """
    if isinstance(source, Video):
        return source
    if isinstance(source, str | Path):
        given, fps = _sampled(Path(source))
    elif isinstance(source, Sequence) and not isinstance(source, bytes) and source:
        if len(source) > MAX_FRAMES:
            raise PictureError(
                f"The video has {len(source)} frames; the limit is {MAX_FRAMES}: leave some out."
            )
        pictures = [load_picture(each).image for each in source]
        size = pictures[0].size
        given = [each if each.size == size else each.resize(size) for each in pictures]
        fps = SAMPLED_FPS
    else:
        raise PictureError("A video is the path of a file, or a list of at least one frame.")
    try:
        from qwen_vl_utils import fetch_video
    except ImportError as error:
        raise PictureError(
            "Videos need the package qwen-vl-utils: install it, or give pictures."
        ) from error
    try:
        pixels = fetch_video({"video": given})
    except Exception as error:  # each reader has errors of its own
        raise PictureError(
            f"The video cannot be read; give its frames as pictures. ({reason(error)})"
        ) from error
    frames = pixels.round().clamp(0, 255).to(torch.uint8).movedim(1, -1).numpy()
    return Video(tuple(Image.fromarray(frame) for frame in frames), fps)


# How files begin, and the one demuxer that may read them: others follow links to other files.
_CONTAINERS = {"mp4": (4, b"ftyp"), "matroska": (0, b"\x1a\x45\xdf\xa3"), "avi": (0, b"RIFF")}


def _sampled(path: Path) -> tuple[list[Image.Image], float]:
    """Return frames of a file at even distances, and how many of them make a second."""
    try:
        if not path.is_file():  # a pipe or device would never end
            raise FileNotFoundError(path)
        with path.open("rb") as file:
            head = file.read(12)
        size = path.stat().st_size
    except (OSError, ValueError) as error:
        raise PictureError(f"There is no video file {str(path)[:200]}: check the path.") from error
    if size > MAX_BYTES:
        raise PictureError(f"{path.name} is larger than {MAX_BYTES // 10**9} GB: cut it.")
    kind = next((k for k, (at, mark) in _CONTAINERS.items() if head[at:].startswith(mark)), None)
    if kind is None:
        raise PictureError(f"{path.name} is not a video that can be read: save it as MP4 or WebM.")
    try:
        import av

        with av.open(str(path), format=kind) as container:
            frames: list[Image.Image] = []
            for frame in container.decode(video=0):
                if frame.width * frame.height > MAX_PIXELS:
                    raise PictureError(
                        f"{path.name} has frames of {frame.width} x {frame.height} pixels: scale "
                        "it down."
                    )
                if float(frame.time or 0) * SAMPLED_FPS >= len(frames):
                    shrink = max(frame.width, frame.height) / LARGEST_SIDE
                    width, height = (
                        int(side / max(shrink, 1)) or 1 for side in (frame.width, frame.height)
                    )
                    frame = frame.reformat(width=width, height=height)
                    frames.append(frame.to_image())  # type: ignore[no-untyped-call]
                if len(frames) > MAX_FRAMES:
                    raise PictureError(
                        f"{path.name} is longer than {MAX_FRAMES / SAMPLED_FPS:g} seconds: cut it."
                    )
    except PictureError:
        raise
    except Exception as error:  # the decoders raise whatever their formats raise
        raise PictureError(
            f"{path.name} is damaged or cut short: save it again, or give its frames as pictures. "
            f"({reason(error)})"
        ) from error
    if not frames:
        raise PictureError(f"{path.name} holds no picture: choose another file.")
    return frames, SAMPLED_FPS
