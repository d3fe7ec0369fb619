"""Pictures that are none of the little world: textures, drawings, writing and photographs.

Some kinds are kept from training, so that it can be measured whether a model knows what it knows or
has learned a list.
"""

import random
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from pydoc_data.topics import topics

from PIL import Image, ImageDraw, ImageFilter, ImageOps

from sinktrack.core.errors import PictureError
from sinktrack.shapes.scenes import CELL, GRID

SIDE = GRID * CELL
"""Pixels along a picture's side."""


_FORMATS = ((SIDE, SIDE), (SIDE, SIDE), (400, 300), (450, 300), (480, 270))
"""Widths and heights; half of the pictures lie, and half stand."""


def picture(rng: random.Random, held_out: bool = False) -> Image.Image:
    """Make a picture that is none of the little world, RGB.

    It is square, as scenes are, or as cameras make them; those that are held out are all square, so
    that nobody knows them by their form.
    """
    kinds = [kind for name, kind in PICTURES.items() if (name in HELD_OUT_PICTURES) == held_out]
    made = rng.choice(kinds)(rng).convert("RGB")
    wide, high = (SIDE, SIDE) if held_out else rng.choice(_FORMATS)
    size = (wide, high) if rng.random() < 0.5 else (high, wide)
    return made if made.size == size else made.resize(size)


def _colour(rng: random.Random) -> tuple[int, int, int]:
    return rng.randrange(256), rng.randrange(256), rng.randrange(256)


def _noise(rng: random.Random) -> Image.Image:
    side = rng.choice((5, 10, 20, 35, 70, 140))
    pixels = Image.frombytes("RGB", (side, side), rng.randbytes(3 * side * side))
    return pixels.resize((SIDE, SIDE), rng.choice((0, 2)))


def _gradient(rng: random.Random) -> Image.Image:
    ramp = rng.choice((Image.linear_gradient, Image.radial_gradient))("L").rotate(
        rng.choice((0, 90, 180, 270))
    )
    return ImageOps.colorize(ramp, _colour(rng), _colour(rng))


def _stripes(rng: random.Random) -> Image.Image:
    made = Image.new("RGB", (SIDE, SIDE), _colour(rng))
    canvas, width, ink = ImageDraw.Draw(made), rng.randint(4, 20), _colour(rng)
    for at in range(-SIDE, 2 * SIDE, 2 * width):
        slope = rng.choice((0, 60)) if at == -SIDE else 0
        canvas.line([(at, 0), (at + 60 + slope, SIDE)], fill=ink, width=width)
    return made.rotate(rng.choice((0, 90)))


def _writing(rng: random.Random) -> Image.Image:
    made = Image.new("RGB", (SIDE, SIDE), rng.choice(("white", "black", "#f4f1ea", "#20262b")))
    canvas = ImageDraw.Draw(made)
    ink = "black" if made.getpixel((0, 0))[0] > 128 else "white"  # type: ignore[index]
    words = topics[rng.choice(sorted(topics))].split()
    for line in range(rng.randint(3, 10)):
        start = rng.randrange(max(1, len(words) - 5))
        canvas.text((4, 4 + 13 * line), " ".join(words[start : start + 4]), fill=ink)
    return made


def _house(rng: random.Random) -> Image.Image:
    made = Image.new("RGB", (SIDE, SIDE), rng.choice(("#bfe3ff", "#ffffff", "#f8ead0")))
    canvas = ImageDraw.Draw(made)
    left, top, wide = rng.randint(20, 40), rng.randint(50, 70), rng.randint(50, 80)
    canvas.rectangle((0, 115, SIDE, SIDE), fill=rng.choice(("#7ab661", "#c9b27c")))
    canvas.rectangle((left, top, left + wide, 120), fill=_colour(rng))
    roof = [(left - 8, top), (left + wide / 2, top - 32), (left + wide + 8, top)]
    canvas.polygon(roof, fill=_colour(rng))
    canvas.rectangle((left + 8, 90, left + 22, 120), fill=_colour(rng))
    canvas.rectangle((left + wide - 24, top + 10, left + wide - 8, top + 26), fill="#f6f2c0")
    return made


def _face(rng: random.Random) -> Image.Image:
    made = Image.new("RGB", (SIDE, SIDE), _colour(rng))
    canvas = ImageDraw.Draw(made)
    canvas.ellipse((25, 15, 115, 125), fill=rng.choice(("#f1c9a5", "#8d5a3b", "#ffe08a")))
    for x in (50, 82):
        canvas.ellipse((x, 50, x + 9, 62), fill="white", outline="black")
    canvas.arc((48, 70, 92, 105), 20, 160, fill="black", width=3)
    return made


def _blobs(rng: random.Random) -> Image.Image:
    made = Image.new("RGB", (SIDE, SIDE), _colour(rng))
    canvas = ImageDraw.Draw(made)
    for _ in range(rng.randint(6, 30)):
        x, y, wide, high = (rng.randint(8, SIDE) for _ in range(4))
        canvas.ellipse((x - wide / 2, y - high / 2, x, y), fill=_colour(rng))
    return made.filter(ImageFilter.GaussianBlur(rng.uniform(0, 8)))


def _plain(rng: random.Random) -> Image.Image:
    return Image.new("RGB", (SIDE, SIDE), rng.choice((_colour(rng), (0, 0, 0), (128, 128, 128))))


def _tree(rng: random.Random) -> Image.Image:
    made = Image.new("RGB", (SIDE, SIDE), "#dff0ff")
    canvas = ImageDraw.Draw(made)
    canvas.rectangle((0, 112, SIDE, SIDE), fill="#8cb369")
    x = rng.randint(45, 85)
    canvas.rectangle((x, 70, x + 12, 116), fill="#7b4f2b")
    for _ in range(12):
        at = x + rng.randint(-28, 28), rng.randint(22, 70)
        canvas.ellipse((at[0] - 14, at[1] - 14, at[0] + 14, at[1] + 14), fill="#3f7d3a")
    return made


def _chart(rng: random.Random) -> Image.Image:
    made = Image.new("RGB", (SIDE, SIDE), "white")
    canvas, colour = ImageDraw.Draw(made), _colour(rng)
    canvas.line([(18, 8), (18, 122), (134, 122)], fill="black", width=2)
    for bar in range(rng.randint(4, 8)):
        x = 24 + 14 * bar
        canvas.rectangle((x, rng.randint(20, 110), x + 9, 121), fill=colour)
    return made


def _screen(rng: random.Random) -> Image.Image:
    """Draw what a screen shows: a window with its bar, lines of text and buttons."""
    dark = rng.random() < 0.5
    ground, ink = ("#1e1f22", "#d8d8d8") if dark else ("#f5f5f7", "#202124")
    made = Image.new("RGB", (SIDE, SIDE), ground)
    canvas, accent = ImageDraw.Draw(made), _colour(rng)
    canvas.rectangle((0, 0, SIDE, 16), fill="#36383d" if dark else "#d9dade")
    words = topics[rng.choice(sorted(topics))].split()
    canvas.text((20, 2), words[0][:18], fill=ink)
    canvas.rectangle((6, 5, 12, 11), fill=accent)
    for line in range(rng.randint(3, 6)):
        start, y = rng.randrange(max(1, len(words) - 4)), 24 + 14 * line
        canvas.rectangle((8, y, 16, y + 8), outline=ink)
        canvas.text((22, y - 2), " ".join(words[start : start + 3])[:17], fill=ink)
    for button in range(rng.randint(1, 2)):
        x = 72 - 62 * button
        canvas.rounded_rectangle((x, 116, x + 56, 132), 5, fill=accent if not button else ground)
        canvas.rounded_rectangle((x, 116, x + 56, 132), 5, outline=ink)
    return made


def _checkers(rng: random.Random) -> Image.Image:
    count, pair = rng.randint(3, 12), (_colour(rng), _colour(rng))
    made = Image.new("RGB", (count, count))
    made.putdata([pair[(x + y) % 2] for y in range(count) for x in range(count)])
    return made.resize((SIDE, SIDE), 0)


def _photograph(rng: random.Random, *files: str) -> Image.Image:
    """Return a piece of a photograph that a package ships."""
    package, path = rng.choice(files).split(":")
    spec = find_spec(package)
    if spec is None or spec.origin is None or not (Path(spec.origin).parent / path).is_file():
        raise PictureError(
            f"The photograph {path} comes with the package {package}, which is not here: "
            'pip install "sinktrack[demo]" scikit-learn.'
        )
    with Image.open(Path(spec.origin).parent / path) as opened:
        whole = opened.convert("RGB")
    side = int(min(whole.size) * rng.uniform(0.35, 1.0))
    x, y = (rng.randint(0, length - side) for length in whole.size)
    piece = whole.crop((x, y, x + side, y + side)).resize((SIDE, SIDE))
    return ImageOps.mirror(piece) if rng.random() < 0.5 else piece


def _seen_photograph(rng: random.Random) -> Image.Image:
    images = "gradio:media_assets/images"
    return _photograph(
        rng,
        "sklearn:datasets/images/flower.jpg",
        f"{images}/lion.jpg",
        f"{images}/tower.jpg",
        f"{images}/bus.png",
    )


def _other_photograph(rng: random.Random) -> Image.Image:
    return _photograph(
        rng, "sklearn:datasets/images/china.jpg", "gradio:media_assets/images/cheetah1.jpg"
    )


PICTURES: dict[str, Callable[[random.Random], Image.Image]] = {
    "noise": _noise,
    "gradient": _gradient,
    "stripes": _stripes,
    "writing": _writing,
    "house": _house,
    "face": _face,
    "blobs": _blobs,
    "plain": _plain,
    "photograph": _seen_photograph,
    "tree": _tree,
    "chart": _chart,
    "checkers": _checkers,
    "screen": _screen,
    "another photograph": _other_photograph,
}
HELD_OUT_PICTURES = frozenset({"tree", "chart", "checkers", "screen", "another photograph"})
