"""Write assets/screenshots: the page in light, dark and on a phone, with an answer; a study's page.

python benchmarks/screenshots.py
"""

import io
import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests" / "browser"))

from annotators import CODE, Annotator  # noqa: E402
from real_page import CHECKPOINT, Server, Visitor, launch_chromium  # noqa: E402

FOLDER = ROOT / "assets" / "screenshots"
# Name: colour scheme, width and height of the window, and words of the example that is shown.
SHOTS = {
    "light": ("light", 1320, 1560, "Then say"),
    "dark": ("dark", 1320, 1900, "invents a shape"),
    "phone": ("light", 390, 844, "invents a shape"),
}


def shoot(visitor: Visitor, words: str, phone: bool) -> Image.Image:
    """Ask an example and return the page afterwards."""
    page = visitor.page
    page.locator(".st-example", has_text=words).first.click()
    page.locator("#picture img").wait_for()
    page.click("#ask")
    page.locator(".st-status-text", has_text="Done after").wait_for()
    visitor.finish()
    page.evaluate(
        "(id) => document.getElementById(id).scrollIntoView()", "stage" if phone else "top"
    )
    page.mouse.move(0, 0)
    page.wait_for_timeout(600)  # the upload's progress bar and hover colours fade
    return Image.open(io.BytesIO(page.screenshot()))


def judged(browser: Browser, folder: Path) -> None:
    """Write the page of the study that comes along, with a pair half judged."""
    study = folder / "study"
    shutil.copytree(ROOT / "assets" / "studies" / "shapes", study)
    items = (study / "items.jsonl").read_text().splitlines()
    (study / "items.jsonl").write_text(next(item for item in items if "Then say" in item))
    server = Server(folder / "study.log", SINKTRACK_STUDY=str(study), SINKTRACK_INVITE=CODE)
    try:
        page = browser.new_page(viewport={"width": 1120, "height": 1080}, device_scale_factor=1.5)
        ann = Annotator(page, server.ready())
        ann.sign_in("Ann")
        wrong = "left" if "Yes, there is" in ann.text("left") else "right"
        for word in ann.side(wrong).locator(".sj-word").all()[-6:]:
            word.click()
        ann.choose("Severe", ann.side(wrong))
        ann.page.mouse.move(0, 0)
        keep(Image.open(io.BytesIO(ann.page.screenshot())), "study")
    finally:
        server.stop()


def keep(image: Image.Image, name: str) -> None:
    """Write a picture and say how large it is."""
    path = FOLDER / f"{name}.png"
    image.convert("RGB").save(path, optimize=True)
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1000:.0f} kB")


def main() -> None:
    """Write every picture."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = Server(Path(folder) / "log", SINKTRACK_MODEL=str(CHECKPOINT))
        browser = launch_chromium(playwright)
        try:
            for name, (scheme, width, height, words) in SHOTS.items():
                context = browser.new_context(
                    color_scheme=scheme,
                    viewport={"width": width, "height": height},
                    device_scale_factor=1.5,
                )
                visitor = Visitor(context.new_page(), server.ready())
                keep(shoot(visitor, words, phone=name == "phone"), name)
                context.close()
            judged(browser, Path(folder))
        finally:
            browser.close()
            server.stop()


if __name__ == "__main__":
    main()
