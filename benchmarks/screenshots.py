"""Write assets/screenshots: the page in light, dark and on a phone, with an answer; a study.

python benchmarks/screenshots.py
"""

import io
import random
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

from app.study.vote_store import VoteStore  # noqa: E402
from sinktrack.study.folder import read_study  # noqa: E402

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
        ann.page.get_by_role("button", name="I have it").click()
        wrong = "right" if "Red square" in ann.text("left") else "left"
        for word in ann.side(wrong).locator(".sj-word").all()[-3:]:
            word.click()
        ann.choose("Severe", ann.side(wrong))
        ann.page.mouse.move(0, 0)
        keep(Image.open(io.BytesIO(ann.page.screenshot())), "study")
    finally:
        server.stop()


def voted(study: Path) -> None:
    """Let three people who are made up vote; two of them look closely."""
    read = read_study(study)
    store = VoteStore(
        f"sqlite:///{study / 'votes.sqlite'}",
        study=read.name,
        lanes=tuple(read.lanes),
        items=[item.name for item in read.items],
        votes_per_item=3,
    )
    rng = random.Random(0)
    references = {item.name: item.reference for item in read.items}
    for name, slips in (("Ann", 0.05), ("Bob", 0.15), ("Eve", 0.6)):
        who = store.join(name)
        while (place := store.next(who)) is not None:
            item = next(each for each in read.items if each.name == place.item)
            texts = {lane["name"]: lane["text"] for lane in read.read_prepared(item)["lanes"]}
            right = [lane for lane in texts if texts[lane].strip() == references[place.item]]
            better = right[0] if len(right) == 1 else "tie"
            if rng.random() < slips:
                better = rng.choice([*texts, "tie"])
            judged = {
                lane: {"severity": "none" if lane in (better, *right) else "severe", "spans": []}
                for lane in texts
            }
            key = f"{name}-{place.id}"
            seconds = rng.uniform(4, 15)
            store.vote(key, place.id, who, better=better, judged=judged, seconds=seconds)
    store.close()


def resulted(browser: Browser, folder: Path) -> None:
    """Write the results of a study with votes, and the view of a judge."""
    study = folder / "resulted"
    shutil.copytree(ROOT / "assets" / "studies" / "shapes", study)
    about = (study / "study.yaml").read_text().replace("votes_per_item: 2", "votes_per_item: 3")
    (study / "study.yaml").write_text(about)
    voted(study)
    server = Server(
        folder / "results.log", SINKTRACK_STUDY=str(study), SINKTRACK_COORDINATOR="code"
    )
    try:
        page = browser.new_page(viewport={"width": 1120, "height": 1080}, device_scale_factor=1.5)
        page.goto(f"{server.ready()}/results")
        page.fill("#code input", "code")
        page.click("#show")
        page.locator("#results").get_by_text("Which answer is better").first.wait_for()
        page.wait_for_timeout(1500)  # the plot grows
        keep(Image.open(io.BytesIO(page.screenshot())), "study-results")
        page.get_by_text("Rule on what annotators see differently").click()
        page.locator("#ruling .sj-opinions").wait_for()
        page.locator("#ruling").scroll_into_view_if_needed()
        page.wait_for_timeout(300)
        keep(Image.open(io.BytesIO(page.locator("#ruling").screenshot())), "study-ruling")
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
            resulted(browser, Path(folder))
        finally:
            browser.close()
            server.stop()


if __name__ == "__main__":
    main()
