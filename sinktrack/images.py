"""Any picture file to one upright RGB picture within limits, or a sentence that says why not."""

import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

from sinktrack.errors import PictureError

MAX_PIXELS = 40_000_000
MAX_BYTES = 200_000_000
MAX_ASPECT_RATIO = 200  # the limit of Qwen's own resizing

# The decoders Pillow may use. Others of its formats run programs or are not pictures.
FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF")
_NAMED = "PNG, JPEG, GIF, WebP, BMP or TIFF"


@dataclass(frozen=True)
class Picture:
    """A picture as the model and the viewer both see it.

    Args:
        image: Upright, mode RGB.
        notices: Whole sentences about what was changed on the way, for a person to read.
    """

    image: Image.Image
    notices: tuple[str, ...] = ()


def load_picture(source: Any, *, max_pixels: int = MAX_PIXELS) -> Picture:
    """Read a picture file, or take one that Pillow has open.

    Args:
        source: A path, the bytes of a file, a PIL image, or a `Picture`, returned as it is.
        max_pixels: The largest width x height. More is refused from the header, before decoding.

    Returns:
        The picture, rotated as its EXIF orientation says and flattened on white.

    Raises:
        PictureError: If it is not a picture that can be read, is cut short, has more pixels than
            `max_pixels`, or is over 200 times as long as wide.
    """
    if isinstance(source, Picture):
        return source
    if isinstance(source, Image.Image):
        return _convert(source, max_pixels)
    name, data = _read(source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # ours is stricter
            image = Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise PictureError(
            f"{name} has too many pixels; the limit is {_millions(max_pixels)} megapixels: scale "
            "it down."
        ) from error
    except Exception as error:  # each decoder has errors of its own
        hint = "HEIC pictures cannot be read here: save it" if _is_heic(data) else "Save it"
        raise PictureError(
            f"{name} is not a picture that can be read. {hint} as JPEG or PNG; "
            f"readable are {_NAMED}."
        ) from error
    with image:
        return _convert(image, max_pixels, name)


def _read(source: Any) -> tuple[str, bytes]:
    """Return a name for messages and the file's bytes."""
    if source is None:
        raise PictureError("There is no picture: give one.")
    if isinstance(source, bytes):
        return "The picture", source
    if not isinstance(source, str | Path):
        raise PictureError(
            f"A {type(source).__name__} is not a picture: give a path, the bytes of a file or a "
            "PIL image."
        )
    path = Path(source)
    try:
        # A pipe or device would never end.
        size = path.stat().st_size if path.is_file() else -1
        if 0 <= size <= MAX_BYTES:
            return path.name, path.read_bytes()
    except (OSError, ValueError) as error:
        raise PictureError(f"The picture {source} cannot be opened: check the path.") from error
    if size < 0:
        raise PictureError(f"The picture {source} cannot be opened: there is no such file.")
    raise PictureError(
        f"{path.name} has {_millions(size)} megabytes; the limit is {_millions(MAX_BYTES)}: "
        "save it smaller."
    )


def _is_heic(data: bytes) -> bool:
    """Tell whether a file's first box is that of the HEIF family."""
    return data[4:8] == b"ftyp" and data[8:12] in (b"heic", b"heix", b"hevc", b"mif1", b"msf1")


def _convert(image: Image.Image, max_pixels: int, name: str = "The picture") -> Picture:
    """Check an image's size, then decode it to upright RGB."""
    width, height = image.size
    if width * height > max_pixels:
        raise PictureError(
            f"{name} has {width} x {height} pixels, {_millions(width * height)} megapixels; the "
            f"limit is {_millions(max_pixels)}: scale it down."
        )
    if min(width, height) == 0 or max(width, height) > MAX_ASPECT_RATIO * min(width, height):
        raise PictureError(
            f"{name} has {width} x {height} pixels, an aspect ratio over "
            f"{MAX_ASPECT_RATIO}: crop it."
        )
    notices = []
    if max(width, height) < 28:
        notices.append(
            f"{name} has only {width} x {height} pixels; it is enlarged, and there is little "
            "to see."
        )
    try:
        if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":
            notices.append(f"{name} has several frames or pages; only the first is used.")
        image.seek(0)
        image = ImageOps.exif_transpose(image)
        rgb = _to_rgb(image)
    except Exception as error:  # each decoder has errors of its own
        raise PictureError(
            f"{name} is damaged or cut short: save it again or choose another file."
        ) from error
    return Picture(rgb, tuple(notices))


def _to_rgb(image: Image.Image) -> Image.Image:
    """Return a decoded image as RGB: 16 bits rescaled to 8, transparency flattened on white."""
    if image.mode.startswith("I;16"):
        return image.convert("I").point(lambda value: value / 257).convert("L").convert("RGB")
    if image.mode in ("I", "F"):
        return _stretched(image).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")


def _stretched(image: Image.Image) -> Image.Image:
    """Return a 32-bit image as 8-bit grey: from 16 bits where its values fit, else its range."""
    low, high = image.getextrema()
    assert isinstance(low, int | float) and isinstance(high, int | float)
    low, high = (0, 65535) if low >= 0 and 255 < high <= 65535 else (min(low, 0), max(high, 255))
    scale = 255 / (high - low)
    return image.point(lambda value: value * scale + -low * scale).convert("L")


def _millions(count: int) -> str:
    """Write a count in millions, to two digits that matter or the whole number."""
    return f"{count / 1e6:.0f}" if count >= 1e7 else f"{count / 1e6:.2g}"
