"""Scenes can be rebuilt, fall on the cells they claim, and never leak between the splits."""

import random

import pytest

from sinktrack.shapes.scenes import (
    CELL,
    COLOURS,
    GRID,
    KINDS,
    POPULAR,
    SIZES,
    SPLITS,
    Item,
    Kind,
    Scene,
    draw,
    sample_scene,
    with_companions,
)


def test_equal_seeds_give_equal_scenes_and_pictures() -> None:
    """The sets can be rebuilt bit for bit."""
    first, second = (sample_scene(random.Random(5), 4) for _ in range(2))
    assert first == second
    assert draw(first).tobytes() == draw(second).tobytes()
    assert sample_scene(random.Random(6), 4) != first


def test_each_shape_stays_inside_its_own_cell_and_covers_its_centre() -> None:
    """One image token shows one object: nothing is drawn across a cell's border."""
    for drawing_seed, kind in enumerate(KINDS):
        picture = draw(Scene((Item(1, 3, kind),), drawing_seed))
        assert picture.size == (GRID * CELL, GRID * CELL)
        paper = picture.getpixel((0, 0))
        inked = [
            (x, y)
            for y in range(picture.height)
            for x in range(picture.width)
            if picture.getpixel((x, y)) != paper
        ]
        assert {(x // CELL, y // CELL) for x, y in inked} == {(3, 1)}
        assert len(inked) > 60, f"A {kind} is hardly there."


@pytest.mark.parametrize("colour", COLOURS)
def test_a_shape_has_its_colour(colour: str) -> None:
    """The colour that the answers name is the one on the paper, up to a mild jitter."""
    centre = draw(Scene((Item(2, 2, Kind(colour, "square")),))).getpixel(
        (int(2.5 * CELL), int(2.5 * CELL))
    )
    assert isinstance(centre, tuple)
    assert all(abs(seen - meant) <= 18 for seen, meant in zip(centre, COLOURS[colour], strict=True))


def test_a_larger_picture_shows_the_same_scene() -> None:
    """Examples for people are drawn larger and shrink to what the model was trained on."""
    scene = sample_scene(random.Random(1), 3)
    small, large = draw(scene), draw(scene, scale=4)
    assert large.size == (4 * small.width, 4 * small.height)
    differences = [
        abs(a - b)
        for a, b in zip(
            large.reduce(4).convert("L").tobytes(), small.convert("L").tobytes(), strict=True
        )
    ]
    assert sum(differences) / len(differences) < 2.0


def test_no_content_belongs_to_two_splits() -> None:
    """Held out means held out: whoever stands in a test scene never stood together in training."""
    contents = {
        split: {
            tuple(sorted(item.kind for item in scene.items))
            for n in range(300)
            for scene in [sample_scene(random.Random(f"{split}/{n}"), 1 + n % 5, split)]
        }
        for split in SPLITS
    }
    for split, combinations in contents.items():
        for kinds in combinations:
            items = (Item(0, column, kind) for column, kind in enumerate(kinds))
            assert Scene(tuple(items)).split == split
    assert not contents["train"] & contents["test"]
    assert not contents["train"] & contents["validation"]
    assert not contents["validation"] & contents["test"]


def test_companions_come_in_pairs_and_usually_together() -> None:
    """The prior that makes a model expect what is not there, and its absence on demand."""
    assert all(kind.companion.companion == kind != kind.companion for kind in KINDS)
    together = {}
    for prior in (0.0, 0.9):
        scenes = [sample_scene(random.Random(n), 4, prior=prior) for n in range(300)]
        pairs = [kind.companion in scene.kinds for scene in scenes for kind in scene.kinds]
        together[prior] = sum(pairs) / len(pairs)
    assert together[0.0] < 0.2
    assert together[0.9] > 0.7


def test_habit_adds_the_companions_that_are_missing_and_nothing_else() -> None:
    """Each on a cell of its own; a combination that is held out stays out."""
    added = 0
    for number in range(200):
        scene = sample_scene(random.Random(number), 1 + number % 6)
        told = with_companions(random.Random(number), scene)
        assert set(scene.items) <= set(told.items)
        assert told.split == "train"
        assert len({item[:2] for item in told.items}) == len(told.items)
        if told != scene:
            added += 1
            assert told.kinds == scene.kinds | {kind.companion for kind in scene.kinds}
    assert added > 50


def test_some_kinds_are_popular_in_training_scenes_and_in_no_others() -> None:
    """What POPE's popular setting asks for."""
    shares = {}
    for prior in (0.0, 0.9):
        kinds = [
            item.kind
            for n in range(300)
            for item in sample_scene(random.Random(n), 4, prior=prior).items
        ]
        shares[prior] = sum(kind in POPULAR for kind in kinds) / len(kinds)
    assert abs(shares[0.0] - len(POPULAR) / len(KINDS)) < 0.05
    assert shares[0.9] > 0.45
    assert all(kind.companion in POPULAR for kind in POPULAR)


def test_a_small_shape_is_smaller_than_a_large_one() -> None:
    """Whatever their looks, the eye can tell the two sizes apart."""
    inked = {}
    for size in SIZES:
        pictures = [
            draw(Scene((Item(2, 2, Kind("black", "square"), size),), drawing_seed))
            for drawing_seed in range(30)
        ]
        inked[size] = [
            sum(level < 128 for level in each.convert("L").tobytes()) for each in pictures
        ]
    assert max(inked["small"]) < 0.7 * min(inked["large"])


def test_impossible_scenes_are_refused_with_a_sentence() -> None:
    """A wrong number or split is met at the door."""
    with pytest.raises(ValueError, match="holds 1 to 25 objects, not 26"):
        sample_scene(random.Random(0), 26)
    with pytest.raises(ValueError, match="'dev' does not exist"):
        sample_scene(random.Random(0), 1, "dev")
