"""Every kind of picture file that people bring, and what it becomes."""

import io
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from sinktrack.core.errors import PictureError
from sinktrack.core.images import load_picture


def saved(image, **options):
    buffer = io.BytesIO()
    image.save(buffer, **({"format": "PNG"} | options))
    return buffer.getvalue()


def pixel(data, at=(0, 0)):
    picture = load_picture(data)
    assert picture.image.mode == "RGB"
    return picture.image.getpixel(at)


def test_a_plain_picture_comes_back_as_it_is():
    image = Image.new("RGB", (60, 40), (10, 20, 30))
    for source in (saved(image), image):
        picture = load_picture(source)
        assert picture.image.size == (60, 40) and picture.notices == ()
        assert picture.image.getpixel((5, 5)) == (10, 20, 30)
    assert load_picture(picture) is picture


def test_a_path_works_like_its_bytes(tmp_path):
    path = tmp_path / "ein Bild.png"
    Image.new("RGB", (60, 40), "blue").save(path)
    for source in (path, str(path)):
        assert load_picture(source).image.getpixel((0, 0)) == (0, 0, 255)


def test_16_bits_are_rescaled():
    grey = np.linspace(0, 65535, 64, dtype=np.uint16).reshape(8, 8).repeat(8, 0).repeat(8, 1)
    image = load_picture(saved(Image.fromarray(grey))).image
    actual = np.asarray(image)[..., 0].astype(int)
    assert np.abs(actual - grey / 257).max() <= 1
    assert load_picture(Image.fromarray(grey.astype(np.int32))).image.getpixel((40, 40))[0] == (
        pytest.approx(int(grey[40, 40]) / 257, abs=1)
    )


def stored(values, kind="TIFF"):
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, format=kind)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.linspace(0, 1, 64, dtype=np.float32), "from 0 to 1"),
        (np.linspace(0, 0.25, 64, dtype=np.float32), "from 0 to 0.25"),
        (np.linspace(-1, 1, 64, dtype=np.float32), "from -1 to 1"),
        (np.linspace(0, 255, 64, dtype=np.float32), "from 0 to 255"),
        (np.linspace(0, 4095, 64, dtype=np.uint16), "from 0 to 4095"),
        (np.linspace(100, 1123, 64, dtype=np.uint16), "from 100 to 1123"),
        (np.linspace(0, 255, 64, dtype=np.uint16), "from 0 to 255"),
        (np.linspace(-1024, 3071, 64, dtype=np.int32), "from -1024 to 3071"),
        (np.linspace(0, 2**31 - 1, 64, dtype=np.int32), "from 0 to 2.14748e+09"),
    ],
)
def test_values_of_any_range_are_stretched_from_least_to_largest_and_said(values, said):
    values = values.reshape(8, 8).repeat(8, 0).repeat(8, 1)
    for source in (stored(values), Image.fromarray(values)):
        picture = load_picture(source)
        grey = np.asarray(picture.image)[..., 0].astype(int)
        least, most = float(values.min()), float(values.max())
        assert np.abs(grey - (values.astype(float) - least) / (most - least) * 255).max() <= 1
        assert any(said in notice for notice in picture.notices)


def test_a_16_bit_picture_keeps_its_brightness_and_needs_no_notice():
    grey = np.full((40, 40), 40_000, np.uint16)
    grey[0, 0] = 20_000
    for source in (stored(grey), stored(grey, "PNG"), Image.fromarray(grey)):
        picture = load_picture(source)
        assert picture.notices == ()
        assert picture.image.getpixel((5, 5))[0] == pytest.approx(40_000 / 257, abs=1)


@pytest.mark.parametrize(
    ("value", "shade"), [(0.0, 0), (1.0, 255), (np.nan, 0), (np.inf, 255), (-3.0, 0), (9.0, 255)]
)
def test_a_single_shade_of_numbers_is_no_division_by_zero(value, shade):
    picture = load_picture(Image.fromarray(np.full((40, 40), value, np.float32)))
    assert picture.image.getpixel((3, 3)) == (shade,) * 3


def test_what_is_not_a_number_is_black_beside_what_is():
    values = np.linspace(0, 1, 1600, dtype=np.float32).reshape(40, 40)
    values[0, :3] = np.nan, np.inf, -np.inf
    image = load_picture(Image.fromarray(values)).image
    assert [image.getpixel((x, 0))[0] for x in range(3)] == [0, 255, 0]
    assert image.getpixel((39, 39)) == (255, 255, 255)


def test_what_browsers_save_today_is_read():
    for kind in ("AVIF", "WEBP"):
        data = saved(Image.new("RGB", (80, 60), "red"), format=kind)
        image = load_picture(data).image
        assert image.size == (80, 60) and image.getpixel((40, 30))[0] > 240


def test_exif_orientation_is_applied_once():
    image = Image.new("RGB", (60, 40), "white")
    image.paste("red", (0, 0, 10, 10))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise to view
    data = saved(image, format="JPEG", exif=exif, quality=95)
    upright = load_picture(data)
    assert upright.image.size == (40, 60)
    assert upright.image.getpixel((35, 4))[1] < 60  # the red corner, now top right
    again = load_picture(saved(upright.image, exif=upright.image.getexif()))
    assert again.image.size == (40, 60)


def test_an_animation_gives_its_first_frame_and_a_notice():
    frames = [Image.new("P", (40, 40), index) for index in (1, 2, 3)]
    for frame in frames:
        frame.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255])
    data = saved(frames[0], format="GIF", save_all=True, append_images=frames[1:])
    picture = load_picture(data)
    assert picture.image.getpixel((0, 0)) == (255, 0, 0)
    assert any("only the first is used" in notice for notice in picture.notices)


def test_transparency_is_flattened_on_white():
    image = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    image.paste((255, 0, 0, 128), (0, 0, 20, 40))
    assert pixel(saved(image), (30, 0)) == (255, 255, 255)
    assert pixel(saved(image), (5, 0)) == pytest.approx((255, 127, 127), abs=1)
    palette = Image.new("P", (40, 40), 0)
    palette.putpalette([9, 9, 9])
    assert pixel(saved(palette, transparency=0)) == (255, 255, 255)


@pytest.mark.parametrize(
    ("mode", "colour", "options", "expected"),
    [
        ("CMYK", (0, 255, 255, 0), {"format": "TIFF"}, (255, 0, 0)),
        ("LA", (0, 255), {}, (0, 0, 0)),
        ("P", 0, {}, None),
        ("1", 1, {}, (255, 255, 255)),
        ("L", 77, {}, (77, 77, 77)),
    ],
)
def test_other_modes_are_converted(mode, colour, options, expected):
    actual = pixel(saved(Image.new(mode, (40, 40), colour), **options))
    assert expected is None or actual == expected


def test_a_single_pixel_is_accepted_with_a_notice():
    picture = load_picture(saved(Image.new("RGB", (1, 1), "red")))
    assert "1 x 1" in picture.notices[0]


def header_only(width, height):
    """A PNG of a few bytes whose header claims any size."""

    def chunk(kind, body):
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (header_only(10_000, 10_000), r"10000 x 10000 pixels, 100 megapixels; the limit is 40"),
        (header_only(20_000, 20_000), "limit is 40"),
        (header_only(1, 201), "1 x 201 pixels, an aspect ratio over 200: crop it"),
        (b"", "not a picture that can be read"),
        (b"garbage" * 100, "JPEG or PNG"),
        (b"<html><body>hello</body></html>", "not a picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a picture"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC.*JPEG or PNG"),
    ],
)
def test_what_cannot_be_used_is_refused_in_a_sentence(data, words, tmp_path):
    with pytest.raises(PictureError, match=words):
        load_picture(data)
    path = tmp_path / "named.png"
    path.write_bytes(data)
    with pytest.raises(PictureError, match=words) as caught:
        load_picture(path)
    assert "named.png" in str(caught.value) and str(tmp_path) not in str(caught.value)


def test_the_limit_is_the_callers_to_set():
    with pytest.raises(PictureError, match=r"0\.09 megapixels; the limit is 0\.05"):
        load_picture(Image.new("RGB", (300, 300)), max_pixels=50_000)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "TIFF", "WEBP", "BMP"])
def test_a_file_cut_short_is_refused_at_once(kind):
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 255, (200, 200, 3), dtype=np.uint8))
    data = saved(image, format=kind)
    for part in (2, 4):
        with pytest.raises(PictureError, match=r"cut short|not a picture"):
            load_picture(data[: len(data) // part])


def test_what_never_ends_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    for source in (tmp_path / "pipe.png", "/dev/zero", tmp_path):
        with pytest.raises(PictureError, match="no such file"):
            load_picture(source)


def test_a_file_over_the_limit_is_not_read(tmp_path):
    with (tmp_path / "huge.png").open("wb") as file:
        file.truncate(200_000_001)
    with pytest.raises(PictureError, match="200 megabytes; the limit is 200"):
        load_picture(tmp_path / "huge.png")


@pytest.mark.parametrize("source", [None, 3, "nowhere.png", "\0", "a" * 5000])
def test_what_is_no_file_is_refused_in_a_sentence(source):
    with pytest.raises(PictureError):
        load_picture(source)


def test_a_large_picture_is_worked_on_in_bands_that_meet(monkeypatch):
    rng = np.random.default_rng(0)
    grey = Image.fromarray(rng.integers(0, 4096, (50, 40), dtype=np.uint16))
    clear = Image.fromarray(rng.integers(0, 255, (50, 40, 4), dtype=np.uint8))
    whole = [load_picture(each) for each in (grey, clear)]
    monkeypatch.setattr("sinktrack.core.images._BAND", 7 * 40)
    for one, other in zip(whole, (grey, clear), strict=True):
        banded = load_picture(other)
        assert banded.notices == one.notices
        assert banded.image.tobytes() == one.image.tobytes()


def test_an_animation_is_not_read_to_its_end(monkeypatch):
    """Whoever asks a GIF for its number of frames waits for millions of them."""
    frames = [Image.new("RGB", (30, 30), colour) for colour in ("red", "blue", "lime")]
    data = saved(frames[0], format="GIF", save_all=True, append_images=frames[1:])
    monkeypatch.setattr("PIL.GifImagePlugin.GifImageFile.n_frames", property(lambda _: 1 / 0))
    assert "several frames" in load_picture(data).notices[0]
