"""Scenes of coloured shapes on a grid, and their pictures.

Knows nothing about questions, tokens or models. A cell is as large as one merged
patch of Qwen2.5-VL (28 pixels), so that each image token shows exactly one cell.
"""

import hashlib
import math
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from PIL import Image, ImageDraw

GRID = 5
CELL = 28
"""Pixels along a cell's side: 14-pixel patches, merged two by two."""

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (215, 40, 40),
    "blue": (40, 80, 215),
    "green": (40, 150, 60),
    "yellow": (240, 200, 30),
    "purple": (140, 60, 170),
    "black": (35, 35, 35),
}
SHAPES = ("circle", "square", "triangle", "star", "cross")

_COLOUR_PARTNER = dict(
    red="blue", blue="red", green="yellow", yellow="green", purple="black", black="purple"
)
_SHAPE_PARTNER = dict(
    circle="star", star="circle", square="triangle", triangle="square", cross="cross"
)

SIZES = ("large", "small")

PRIOR = 0.9
"""The probability that a shape comes with its companion in the training scenes."""

SPLITS = ("train", "validation", "test")
_TEST_BUCKETS = 1
_VALIDATION_BUCKETS = 1
_BUCKETS = 10


class Kind(NamedTuple):
    """A colour and a shape."""

    colour: str
    shape: str

    def __str__(self) -> str:
        """The name people use, such as "red circle"."""
        return f"{self.colour} {self.shape}"

    @property
    def companion(self) -> "Kind":
        """The kind that usually stands in the same scene, which the model learns to expect."""
        return Kind(_COLOUR_PARTNER[self.colour], _SHAPE_PARTNER[self.shape])


KINDS = tuple(Kind(colour, shape) for colour in COLOURS for shape in SHAPES)

POPULAR = frozenset(
    Kind(colour, shape) for colour in ("red", "blue", "green", "yellow") for shape in SHAPES[::3]
)
"""Circles and stars in four colours: the training scenes show them three times as often."""


class Item(NamedTuple):
    """One shape at a cell; rows and columns count from 0 at the top left."""

    row: int
    column: int
    kind: Kind
    size: str = SIZES[0]

    @classmethod
    def of(cls, thing: Mapping[str, Any]) -> "Item":
        """Return a thing that is told as in `Scene.of`, and checked; raises what that does."""
        row, column, colour, shape, size = (
            thing[name] for name in ("row", "column", "colour", "shape", "size")
        )
        known = colour in tuple(COLOURS) and shape in SHAPES and size in SIZES
        places = all(type(each) is int and 0 <= each < GRID for each in (row, column))
        if not known or not places:
            raise ValueError("no such thing")
        return cls(row, column, Kind(colour, shape), size)

    def __str__(self) -> str:
        """The full name, such as "large red circle"."""
        return f"{self.size} {self.kind}"


@dataclass(frozen=True)
class Scene:
    """Shapes in reading order, and a seed for the small irregularities of the drawing."""

    items: tuple[Item, ...]
    drawing_seed: int = 0

    @classmethod
    def of(cls, things: Iterable[Mapping[str, Any]], drawing_seed: int = 0) -> "Scene":
        """Return the scene of things that are told by row, column, colour, shape and size.

        Raises:
            KeyError: If one lacks any of these.
            ValueError: If there is no such thing.
            TypeError: If it is no thing at all.
        """
        return cls(tuple(sorted(Item.of(one) for one in things)), drawing_seed)

    def things(self) -> list[dict[str, Any]]:
        """Return what `of` takes."""
        return [
            {
                "row": item.row,
                "column": item.column,
                "colour": item.kind.colour,
                "shape": item.kind.shape,
                "size": item.size,
            }
            for item in self.items
        ]

    @property
    def kinds(self) -> frozenset[Kind]:
        """The kinds that the scene shows."""
        return frozenset(item.kind for item in self.items)

    @property
    def split(self) -> str:
        """The set that owns this combination of kinds, wherever and however they stand."""
        content = ";".join(sorted(str(item.kind) for item in self.items))
        bucket = hashlib.sha256(content.encode()).digest()[0] % _BUCKETS
        if bucket < _TEST_BUCKETS:
            return "test"
        return "validation" if bucket < _TEST_BUCKETS + _VALIDATION_BUCKETS else "train"

    def at(self, row: int, column: int) -> Kind | None:
        """The kind in a cell, or None."""
        return next((item.kind for item in self.items if item[:2] == (row, column)), None)


def sample_scene(
    rng: random.Random, objects: int, split: str = "train", prior: float = PRIOR
) -> Scene:
    """Draw a scene of one split.

    Args:
        rng: the random generator; equal states give equal scenes.
        objects: how many shapes, 1 to GRID * GRID.
        split: "train", "validation" or "test"; no combination of kinds belongs to two of them.
        prior: how often a shape brings its companion along, 0 to 1. At 0 all kinds are equally
            frequent as well, so no regularity of the training scenes is left.
    """
    if split not in SPLITS:
        raise ValueError(f"The split {split!r} does not exist: choose one of {', '.join(SPLITS)}.")
    if not 1 <= objects <= GRID * GRID:
        raise ValueError(f"A scene holds 1 to {GRID * GRID} objects, not {objects}.")
    frequencies = [3 if prior and kind in POPULAR else 1 for kind in KINDS]
    while True:
        kinds: list[Kind] = []
        while len(kinds) < objects:
            kind = rng.choices(KINDS, frequencies)[0]
            kinds.append(kind)
            if len(kinds) < objects and rng.random() < prior:
                kinds.append(kind.companion)
        cells = rng.sample(range(GRID * GRID), objects)
        items = (
            Item(cell // GRID, cell % GRID, kind, rng.choice(SIZES))
            for cell, kind in zip(cells, kinds, strict=True)
        )
        scene = Scene(tuple(sorted(items)), drawing_seed=rng.getrandbits(32))
        if scene.split == split:
            return scene


def with_companions(rng: random.Random, scene: Scene) -> Scene:
    """Return the scene with every missing companion added.

    If that combination of kinds belongs to another split, return the scene itself.
    """
    free = [
        (row, column)
        for row in range(GRID)
        for column in range(GRID)
        if scene.at(row, column) is None
    ]
    items = list(scene.items)
    for kind in sorted({kind.companion for kind in scene.kinds} - scene.kinds):
        if free:
            items.append(Item(*free.pop(rng.randrange(len(free))), kind, rng.choice(SIZES)))
    completed = replace(scene, items=tuple(sorted(items)))
    return completed if completed.split == scene.split else scene


def draw(scene: Scene, scale: int = 1) -> Image.Image:
    """Draw a scene.

    Args:
        scene: what to draw; its drawing seed sets tint, outline and the place within the cell.
        scale: pixels of the picture for each pixel that the model will see.

    Returns:
        An RGB picture of GRID * CELL * scale pixels a side.
    """
    rng = random.Random(scene.drawing_seed)
    oversample = 2  # Pillow's polygons have hard edges; halving the picture softens them
    unit = scale * oversample
    paper = rng.randint(236, 255)
    background = tuple(min(255, paper + rng.randint(-8, 8)) for _ in range(3))
    outline = rng.random() < 0.3
    picture = Image.new("RGB", (GRID * CELL * unit,) * 2, background)
    canvas = ImageDraw.Draw(picture)
    for item in scene.items:
        radius = rng.uniform(10.5, 12.5) if item.size == "large" else rng.uniform(6.5, 8.0)
        slack = CELL / 2 - radius - 0.5
        x = (item.column + 0.5) * CELL + rng.uniform(-slack, slack)
        y = (item.row + 0.5) * CELL + rng.uniform(-slack, slack)
        fill = tuple(
            max(0, min(255, level + rng.randint(-18, 18))) for level in COLOURS[item.kind.colour]
        )
        points = [
            ((x + radius * dx) * unit, (y + radius * dy) * unit)
            for dx, dy in OUTLINES[item.kind.shape]
        ]
        canvas.polygon(points, fill=fill)
        if outline:
            edge = tuple(level // 2 for level in fill)
            canvas.line([*points, points[0], points[1]], fill=edge, width=unit, joint="curve")
    return picture.reduce(oversample)


def _star(corners: int, inner: float, turn: float = 0.0) -> list[tuple[float, float]]:
    """Corners of a star in the unit circle, the first one upwards; inner = 1 makes a polygon."""
    steps = corners if inner == 1 else 2 * corners
    angles = [turn + 2 * math.pi * step / steps - math.pi / 2 for step in range(steps)]
    lengths = [inner if inner != 1 and step % 2 else 1.0 for step in range(steps)]
    return [
        (length * math.cos(angle), length * math.sin(angle))
        for length, angle in zip(lengths, angles, strict=True)
    ]


_ARM = 0.34
OUTLINES: dict[str, list[tuple[float, float]]] = {
    "circle": _star(40, 1),
    "square": [(-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)],
    "triangle": [(0.0, -1.0), (1.0, 0.85), (-1.0, 0.85)],
    "star": _star(5, 0.42),
    "cross": [
        (-_ARM, -1.0), (_ARM, -1.0), (_ARM, -_ARM), (1.0, -_ARM), (1.0, _ARM), (_ARM, _ARM),
        (_ARM, 1.0), (-_ARM, 1.0), (-_ARM, _ARM), (-1.0, _ARM), (-1.0, -_ARM), (-_ARM, -_ARM),
    ],
}  # fmt: skip
"""Corners of each shape in the unit circle, (x, y), y downwards."""
