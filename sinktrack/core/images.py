"""Any picture file to one upright RGB picture within limits, or a sentence that says why not."""

import io
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from sinktrack.core.errors import PictureError

MAX_PIXELS = 40_000_000
MAX_BYTES = 200_000_000
MAX_ASPECT_RATIO = 200  # the limit of Qwen's own resizing

_ORIENTATION = 0x0112  # of EXIF
_BAND = 2**20  # pixels that are worked on at once, so that a large picture takes no more memory

# The decoders Pillow may use. Others of its formats run programs or are not pictures.
FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "AVIF", "BMP", "TIFF")
_NAMED = "PNG, JPEG, GIF, WebP, AVIF, BMP or TIFF"


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
            warnings.simplefilter("ignore")  # of bombs, where ours is stricter, and of damage
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
    with image, warnings.catch_warnings():
        warnings.simplefilter("ignore")
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
        # not n_frames, for which a GIF is read to its end, and one may have millions
        if getattr(image, "is_animated", False) and image.format != "MPO":
            notices.append(f"{name} has several frames or pages; only the first is used.")
        image.seek(0)
        if image.getexif().get(_ORIENTATION, 1) != 1:  # else it would be copied as a whole
            image = ImageOps.exif_transpose(image)
        rgb, stretched = _to_rgb(image)
    except Exception as error:  # each decoder has errors of its own
        raise PictureError(
            f"{name} is damaged or cut short: save it again or choose another file."
        ) from error
    if stretched is not None:
        low, high = stretched
        notices.append(
            f"{name} holds values from {low:g} to {high:g}, which are shown as black to white."
        )
    return Picture(rgb, tuple(notices))


def _to_rgb(image: Image.Image) -> tuple[Image.Image, tuple[float, float] | None]:
    """Return a decoded image as RGB, with transparency flattened on white.

    Returns:
        The image; and the range of values that was stretched to black and white, None where the
        mode says already what is black and white.
    """
    if image.mode in ("I", "F") or image.mode.startswith("I;"):
        return _stretched(image)
    if image.has_transparency_data:
        return _by_bands(image, "RGB", _flattened), None
    return image.convert("RGB"), None


def _bands(image: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    """Yield an image in bands of whole rows, each with its first row."""
    rows = max(1, _BAND // image.width)
    for top in range(0, image.height, rows):
        yield top, image.crop((0, top, image.width, min(top + rows, image.height)))


def _by_bands(
    image: Image.Image, mode: str, change: Callable[[Image.Image], Image.Image]
) -> Image.Image:
    """Return what a change makes of an image, band by band; `mode` is what it returns."""
    changed = Image.new(mode, image.size)
    for top, band in _bands(image):
        changed.paste(change(band), (0, top))
    return changed


def _flattened(band: Image.Image) -> Image.Image:
    """Return an image with transparency on white, as RGB."""
    band = band.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", band.size, "white"), band).convert("RGB")


def _stretched(image: Image.Image) -> tuple[Image.Image, tuple[float, float] | None]:
    """Return an image of one channel and any range of values as RGB.

    Values that need all of 16 bits are taken for a 16-bit picture and keep their brightness. Others
    (12 bits in a 16-bit file, 0 to 1, signed, 32 bits) are stretched from their least to their
    largest; what is not a number is black.
    """
    kind = np.asarray(image.crop((0, 0, 1, 1))).dtype
    low, high = _range(image)
    whole = low >= 0 and 2**15 <= high < 2**16 and np.issubdtype(kind, np.integer)
    start, end = (0.0, 65535.0) if whole else (low, high)
    if start == end:  # one shade: as far from black as its value is from nothing
        start, end = min(start, 0.0), max(end, 1.0)
    wide = np.float64 if kind.kind == "f" else np.float32  # as large as floats may be

    def grey(band: Image.Image) -> Image.Image:
        values = np.nan_to_num(np.asarray(band).astype(wide), nan=start, posinf=end, neginf=start)
        shades = (values - start) / (end - start)
        return Image.fromarray((shades.clip(0, 1) * 255).round().astype(np.uint8))

    picture = _by_bands(image, "L", grey).convert("RGB")
    return picture, None if whole else (low, high)


def _range(image: Image.Image) -> tuple[float, float]:
    """Return the least and the largest number of an image of one channel; zeros without any."""
    found = []
    for _, band in _bands(image):
        values = np.asarray(band)
        known = values[np.isfinite(values)]
        found += [float(known.min()), float(known.max())] if known.size else []
    return min(found, default=0.0), max(found, default=0.0)


def _millions(count: int) -> str:
    """Write a count in millions, to two digits that matter or the whole number."""
    return f"{count / 1e6:.0f}" if count >= 1e7 else f"{count / 1e6:.2g}"
