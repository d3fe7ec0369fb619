"""What twelve tasks cost a stranger on the page: `python benchmarks/visitor_tasks.py`.

Each task is done in headless Chromium on the page with the bundled model: with a mouse on a
desktop, with a finger on a phone, and by keyboard alone. Presses and keys are counted in the page.
Then the page itself is measured. What was found is kept beside the screenshots, so that `--ways`
can do a part anew; the tables go to results/visitor-tasks.md.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Error, Page, expect, sync_playwright

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests" / "browser"))

import real_page  # noqa: E402
import shifts  # noqa: E402
import visitor_page  # noqa: E402
from visitor_hands import COUNTING, Keyboard, Pointer  # noqa: E402
from visitor_list import EXAMPLE, TASKS, Task, Visit  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results" / "visitor-tasks.md"
DESKTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 900}}
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "has_touch": True,
    "is_mobile": True,
    "device_scale_factor": 2,
}
WINDOWS = {"desktop": DESKTOP, "phone": PHONE, "keyboard": DESKTOP}
PAGE = "page"


def main() -> None:
    """Do the tasks, measure the page, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--screenshots", type=Path, default=ROOT / "runs" / "visitor-tasks")
    parser.add_argument("--ways", nargs="+", choices=[*WINDOWS, PAGE], default=[*WINDOWS, PAGE])
    parser.add_argument("--tasks", nargs="+", type=int, default=range(1, len(TASKS) + 1))
    parser.add_argument("--patience", type=float, default=45, help="seconds for an answer")
    asked = parser.parse_args()
    patience = int(1000 * asked.patience)
    expect.set_options(timeout=patience)
    real_page.START_SECONDS = max(real_page.START_SECONDS, 4 * patience // 1000)
    asked.screenshots.mkdir(parents=True, exist_ok=True)
    kept = asked.screenshots / "found.json"
    found = json.loads(kept.read_text("utf-8")) if kept.exists() else {}
    with served() as (browser, url):
        for way in asked.ways:
            parts = (
                measured(browser, url, patience, asked.screenshots)
                if way == PAGE
                else all_tasks(browser, url, way, list(asked.tasks), patience, asked.screenshots)
            )
            for name, part in parts:  # each is kept at once: a task may take minutes
                print(f"{way} {name}: {part}", flush=True)
                found[way] = found.get(way, {}) | {name: part}
                kept.write_text(json.dumps(found, indent=1), "utf-8")
    RESULTS.write_text(tables(found), "utf-8")
    print(RESULTS.read_text("utf-8"))


@contextmanager
def served() -> Iterator[tuple[Browser, str]]:
    """Start the page, unless VISITOR_PAGE has the address of one, and a browser."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = real_page.launch_chromium(playwright)
        server = None
        try:
            address = os.environ.get("VISITOR_PAGE")
            if address is None:
                model = str(real_page.CHECKPOINT)
                server = real_page.Server(Path(folder) / "log", SINKTRACK_MODEL=model)
                address = server.ready()
            yield browser, address
        finally:
            browser.close()
            if server is not None:
                server.stop()


def all_tasks(
    browser: Browser, url: str, way: str, numbers: list[int], patience: int, folder: Path
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Do tasks in one way; yield the number of each and what it took."""
    context = browser.new_context(**WINDOWS[way])
    context.set_default_timeout(patience)
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=url)
    context.add_init_script(COUNTING)
    for number in numbers:
        task = TASKS[number - 1]
        page = context.new_page()
        shot = folder / f"{number}-{way}.png"
        yield str(number), one_task(page, url, way, task, patience, shot)
        page.close()
    context.close()


def one_task(
    page: Page, url: str, way: str, task: Task, patience: int, shot: Path
) -> dict[str, Any]:
    """Do a task; return what it took, and what went wrong or ""."""
    visitor = real_page.Visitor(page, url)
    page.evaluate("document.activeElement?.blur()")
    hands = Keyboard(page) if way == "keyboard" else Pointer(page, touch=way == "phone")
    others: list[BrowserContext] = []

    def again(address: str) -> Page:
        others.append(page.context.browser.new_context(**WINDOWS[way]))  # type: ignore[union-attr]
        return real_page.Visitor(others[-1].new_page(), address).page

    began, failed = time.monotonic(), ""
    try:
        task.do(Visit(page, hands, again, patience))
    except (AssertionError, Error) as error:
        failed = str(error).strip().splitlines()[0]
    seconds = time.monotonic() - began
    counted = hands.counted()
    page.wait_for_timeout(500)
    page.screenshot(path=shot)
    for context in others:
        context.close()
    return {
        "presses": counted.presses,
        "keys": counted.keys,
        "screens": round(counted.screens, 1),
        "seconds": round(seconds),
        "failed": failed,
        "unseen": sorted(hands.unseen),
        "troubles": visitor.troubles,
    }


def measured(browser: Browser, url: str, patience: int, folder: Path) -> Iterator[tuple[str, Any]]:
    """Measure the page itself; yield what was found by name."""
    troubles: list[str] = []
    for way, window in (("desktop", DESKTOP), ("phone", PHONE)):
        visitor, loads = visitor_page.opened(browser, url, patience, **window)
        page = visitor.page
        arrived = shifts.shifted(page)
        if way == "desktop":
            yield "weight", loads.by_kind()
        page.locator(".st-example", has_text=EXAMPLE).first.click()
        expect(page.locator("#question textarea")).to_have_value(EXAMPLE)
        before = shifts.shifted(page)[0]
        page.click("#ask")
        expect(page.locator(".st-status-text")).to_contain_text("Done after")
        after = shifts.shifted(page)
        yield f"shifts, {way}", {"arrival": arrived, "asking": (after[0] - before, after[1])}
        if way == "desktop":
            yield "too wide", visitor_page.too_wide(visitor)
        troubles += visitor.troubles
        page.context.close()
    yield "abroad", [each for each in troubles if each.startswith("request: ")]
    picture = folder / "white.png"
    Image.new("RGB", (112, 112), "white").save(picture)

    def arrive() -> real_page.Visitor:
        return visitor_page.opened(browser, url, patience, **DESKTOP)[0]

    for name, broken in visitor_page.rules_broken(arrive, picture):
        yield f"axe, {name}", broken


def tables(found: dict[str, Any]) -> str:
    """Return all tables as Markdown."""
    machine = f"{os.cpu_count()} CPU cores, {platform.system()}, Python {platform.python_version()}"
    libraries = ", ".join(f"{name} {version(name)}" for name in ("gradio", "playwright", "torch"))
    parts = [
        "# Twelve tasks of a stranger",
        "`python benchmarks/visitor_tasks.py` writes this page, on the page with the bundled model "
        f"in headless Chromium ({machine}; {libraries}).",
        "A press is a click or a tap; choosing in a native list counts as two. Keys are all that "
        "go down, typed text among them. Screens: how far down the page went, in heights of the "
        "window.",
        *([task_table(found)] if any(way in found for way in WINDOWS) else []),
        *([unseen(found["keyboard"])] if "keyboard" in found else []),
        *(page_tables(found[PAGE]) if PAGE in found else []),
    ]
    return "\n\n".join(parts) + "\n"


def task_table(found: dict[str, Any]) -> str:
    """Return what each task took in each way."""
    rows = [
        "| | task | desktop: presses, keys, screens | phone: presses, keys, screens "
        "| keyboard: keys |",
        "|---|---|---|---|---|",
    ]
    failed = []
    for number, task in enumerate(TASKS, 1):
        cells = []
        for way in WINDOWS:
            one = found.get(way, {}).get(str(number))
            if one is None:
                cells.append("not tried")
                continue
            took = (
                [one["keys"]]
                if way == "keyboard"
                else [one[n] for n in ("presses", "keys", "screens")]
            )
            cells.append(", ".join(map(str, took)) + (" **failed**" if one["failed"] else ""))
            if one["failed"]:
                failed.append(f"- {number}, {way}: {one['failed']}")
            failed += [f"- {number}, {way}: {trouble}" for trouble in one["troubles"]]
        rows.append(f"| {number} | {task.sentence} | " + " | ".join(cells) + " |")
    return "\n".join([*rows, *(["", "What failed:", "", *failed] if failed else [])])


def unseen(found: dict[str, Any]) -> str:
    """Return the controls whose focus could not be seen."""
    names = sorted({name for one in found.values() for name in one["unseen"]})
    if not names:
        return "The focus was seen on every control that the keyboard used."
    return "\n".join(["The focus could not be seen on:", "", *(f"- {name}" for name in names)])


def page_tables(found: dict[str, Any]) -> list[str]:
    """Return what was measured of the page itself, as far as it was."""
    parts = []
    if "weight" in found:
        rows = ["| first load | responses | kB over the wire |", "|---|---|---|"]
        for kind, (count, size) in found["weight"].items():
            rows.append(f"| {kind} | {count} | {size / 1000:,.0f} |")
        counts, sizes = zip(*found["weight"].values(), strict=True)
        rows.append(f"| all | {sum(counts)} | {sum(sizes) / 1000:,.0f} |")
        parts.append("\n".join(rows))
    if "abroad" in found:
        parts.append(f"Requests to other hosts: {len(found['abroad']) or 'none'}.")
    rows = ["| layout shift (CLS) | on arrival | after asking | worst |", "|---|---|---|---|"]
    for way in ("desktop", "phone"):
        if f"shifts, {way}" in found:
            (first, where), (then, later) = found[f"shifts, {way}"].values()
            rows.append(f"| {way} | {first:.3f} | {then:.3f} | {later or where or 'none'} |")
    parts += ["\n".join(rows)] if len(rows) > 2 else []
    if "too wide" in found:
        wide = [
            f"{name} by {pixels} px" for name, pixels in found["too wide"].items() if pixels > 0
        ]
        parts.append(
            f"In a window of {visitor_page.NARROW} pixels, scrolling sideways: "
            f"{', '.join(wide) or 'none'}, in the tabs {', '.join(found['too wide'])}."
        )
    axe = {name[5:]: broken for name, broken in found.items() if name.startswith("axe, ")}
    return [*parts, *([axe_table(axe)] if axe else [])]


def axe_table(found: dict[str, list[list[str]]]) -> str:
    """Return what breaks a rule of axe-core, state by state."""
    rows = ["| axe-core, in this state | breaks |", "|---|---|"]
    rows += [f"| {state} | {len(broken)} |" for state, broken in found.items()]
    named = sorted({f"{rule}: {where}" for all_ in found.values() for rule, where, _ in all_})
    return "\n".join([*rows, *(["", *(f"- `{each}`" for each in named)] if named else [])])


if __name__ == "__main__":
    main()
