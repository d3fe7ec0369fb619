"""Send in what people throw at it: `python fuzz.py [--count 10000] [--seed 0]`.

Ten thousand broken pictures and ten thousand strange questions through the intake that the page
and the library share, each in a process of its own, whose peak memory is measured; the largest
pictures that are admitted; and ten thousand requests that no page sends, to a real server of each
page. It ends with an error where something else than a refusal came out. Prints tables.
"""

import argparse
import io
import platform
import resource
import sys
import tempfile
import time
from collections import Counter
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from own_process import in_own_process
from PIL import Image

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "app"), str(ROOT / "tests" / "browser")]

CHECKPOINT = ROOT / "assets" / "shapes-vl"
GB = 1e9
AT_A_TIME = 1000
_SIDES = (8000, 5000)  # as many pixels as a picture may have


def engine() -> Any:
    """Return the page's engine with the bundled model."""
    import sinktrack
    from app.shared.engine import Engine

    return Engine(*sinktrack.load(CHECKPOINT, device="cpu"), name="shapes-vl", bundled=True)


def resident() -> float:
    """Return the peak of this process's resident memory so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def pictures(count: int, seed: int) -> dict[str, Any]:
    """Ask about broken pictures."""
    from fuzzed import fuzz_pictures

    asked, before = engine(), resident()
    with tempfile.TemporaryDirectory() as folder:
        return fuzz_pictures(asked, Path(folder), count, seed) | {"before": before}


def questions(count: int, seed: int) -> dict[str, Any]:
    """Ask strange questions, a thousand at a time, because Hypothesis remembers all of a run."""
    from fuzzed import fuzz_questions

    asked, before = engine(), resident()
    came, slowest = Counter[str](), 0.0
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "picture.png"
        Image.new("RGB", (56, 56), "white").save(picture)
        for run, first in enumerate(range(0, count, AT_A_TIME)):
            most = min(AT_A_TIME, count - first)
            found = fuzz_questions(asked, str(picture), most, 1000 * seed + run)
            slowest = max(slowest, found.pop("slowest"))
            came.update(found)
    return {**came, "slowest": slowest, "before": before}


def largest() -> dict[str, bytes]:
    """Return the largest pictures that are admitted, as files of few bytes."""

    def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
        buffer = io.BytesIO()
        image.save(buffer, kind, **options)
        return buffer.getvalue()

    turned = Image.Exif()
    turned[0x0112] = 6
    grey = Image.fromarray(np.zeros(_SIDES[::-1], np.uint16))
    return {
        "PNG": saved(Image.new("RGB", _SIDES), "PNG"),
        "PNG, transparent": saved(Image.new("RGBA", _SIDES), "PNG"),
        "PNG, transparent, turned": saved(Image.new("RGBA", _SIDES), "PNG", exif=turned),
        "PNG, 16 bits": saved(grey, "PNG"),
        "TIFF, 32 bits": saved(Image.new("F", _SIDES, 1.5), "TIFF", compression="tiff_deflate"),
        "JPEG, CMYK": saved(Image.new("CMYK", _SIDES), "JPEG"),
        "WebP, transparent": saved(Image.new("RGBA", _SIDES), "WEBP", method=0),
        "AVIF, transparent": saved(Image.new("RGBA", _SIDES), "AVIF", speed=10),
        "GIF": saved(Image.new("P", _SIDES), "GIF"),
    }


def read(data: bytes) -> float:
    """Read a picture, and return how many seconds that took."""
    from sinktrack.core.images import load_picture

    began = time.perf_counter()
    load_picture(data)
    return time.perf_counter() - began


def requests(page: Any, count: int, seed: int) -> tuple[Counter[int], bool]:
    """Send requests that no page sends; return the statuses, and whether the page works after it.

    Raises:
        RuntimeError: If one is answered with 500, or the log has a traceback.
    """
    from strange_requests import Stranger

    with tempfile.TemporaryDirectory() as folder:
        own = Path(folder) / "page"
        own.mkdir()
        server = page.serve(own)
        try:
            url = server.ready()
            found = Stranger(url, page.said(url), seed).send(count)
            works = page.works(url)
        finally:
            said = server.stop()
    if found.wrong or "Traceback" in said:
        raise RuntimeError("\n".join([*found.wrong[:5], said[-20_000:]]))
    return found.statuses, works


def main() -> None:
    """Fuzz, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parts = {"intake": intake, "largest": largest_pictures, "pages": pages}
    parser.add_argument("--part", choices=parts, help="one part alone")
    parser.add_argument("--count", type=int, default=10_000, help="of each kind (%(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    names = ("pillow", "transformers", "torch", "gradio", "hypothesis")
    print(
        f"`python benchmarks/fuzz.py --count {given.count} --seed {given.seed}`, "
        f"{datetime.now(timezone.utc):%Y-%m-%d}, Python {platform.python_version()}, "
        f"{', '.join(f'{name} {version(name)}' for name in names)}"
    )
    for name, part in parts.items():
        if given.part in (None, name):
            part(given.count, given.seed)


def intake(count: int, seed: int) -> None:
    """Print what came of pictures and questions."""
    print("\n| sent | count | read | refused | slowest, s | peak, GB | of it the model |")
    print("|---|---|---|---|---|---|---|")
    for run in (pictures, questions):
        found, peak = in_own_process(run, count, seed)
        print(
            f"| {run.__name__} | {count} | {found['read']} | {found['refused']} "
            f"| {found['slowest']:.1f} | {peak / GB:.2f} | {found['before'] / GB:.2f} |",
            flush=True,
        )


def largest_pictures(count: int, seed: int) -> None:
    """Print what the largest pictures take; neither a count nor a seed changes that."""
    print("\n| the largest picture | bytes | seconds | peak without a model, GB |")
    print("|---|---|---|---|")
    # in another process, because a process begins with the peak of the one that starts it
    files, _ = in_own_process(largest)
    for name, data in files.items():
        seconds, peak = in_own_process(read, data)
        print(f"| {name} | {len(data):,} | {seconds:.1f} | {peak / GB:.2f} |", flush=True)


def pages(count: int, seed: int) -> None:
    """Print what came of requests that no page sends."""
    from strange_pages import PAGES

    print("\n| page | requests | answered 2xx, 3xx | refused 4xx | 5xx | works after it |")
    print("|---|---|---|---|---|---|")
    for page in PAGES:
        own = count // len(PAGES) + (page is PAGES[0]) * (count % len(PAGES))
        statuses, works = requests(page, own, seed)
        classes = Counter[int]()
        for status, times in statuses.items():
            classes[status // 100] += times
        print(
            f"| {page.name} | {own} | {classes[2] + classes[3]} | {classes[4]} "
            f"| {classes[5]} | {'yes' if works else 'no'} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
