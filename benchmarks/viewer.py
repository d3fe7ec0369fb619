"""How fast the page draws a long answer of a large model: `python benchmarks/viewer.py`.

Two lanes of 1,024 tokens over 28 layers of 28 heads, made-up numbers, in headless Chromium: the
first draw, from the payload to the finished page; choosing a token, script alone; and the time to
draw the next frame afterwards. Then the attention maps of one token, fetched from a page that runs.
"""

import argparse
import base64
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from sinktrack.report.html import render
from sinktrack.report.payload import quantise
from sinktrack.report.words import segments_as_json

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests" / "browser"))

from real_page import Server, Visitor, endless_model, launch_chromium  # noqa: E402

TOKENS, LAYERS, HEADS = 1024, 28, 28
CLICKS = 40
PARTS = ("sink", "instruction", "image", "rest", "generated")

MOUNT = """() => {
    const element = document.getElementById("comparison");
    const payload = JSON.parse(document.getElementById("data").textContent);
    const began = performance.now();
    window.view = SinkTrackViewer.mount(element, payload);
    element.getBoundingClientRect();
    return performance.now() - began;
}"""
CHOOSE = """async ([count, tokens]) => {
    const script = [], frame = [];
    for (let i = 0; i < count; i++) {
        const began = performance.now();
        window.view.choose((i * 397) % tokens);
        script.push(performance.now() - began);
        await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
        frame.push(performance.now() - began);
    }
    return [script, frame];
}"""
FETCH = """async ([count]) => {
    const spans = document.querySelectorAll("[data-lane=baseline] [data-token]");
    const times = [];
    for (let i = 0; i < count; i++) {
        const seen = performance.getEntriesByType("resource").length;
        spans[(i * 37) % spans.length].click();
        await new Promise((done) => setTimeout(done, 150));
        const fetched = performance.getEntriesByType("resource").slice(seen);
        times.push(...fetched.map((entry) => entry.duration));
        performance.clearResourceTimings();
    }
    return times;
}"""


def packed(*shape: int) -> dict[str, Any]:
    """Return made-up attention, packed."""
    content, scale = quantise(torch.rand(*shape))
    return {"bytes": base64.b64encode(content).decode("ascii"), "scale": scale}


def lane(name: str) -> dict[str, Any]:
    """Return a lane of a payload."""
    sink = packed(TOKENS, LAYERS, HEADS)
    return {
        "name": name,
        "title": name.title(),
        "subtitle": "",
        "text": " word" * TOKENS,
        "finish": "length",
        "tokens": [" word"] * TOKENS,
        "ids": list(range(TOKENS)),
        "probabilities": torch.rand(TOKENS).tolist(),
        "layers": LAYERS,
        "heads": HEADS,
        "injected": list(range(5, LAYERS, 5)),
        "sink": sink["bytes"],
        "scale": sink["scale"],
        "shares": {part: packed(TOKENS, LAYERS) for part in PARTS[1:]},
        "delivered": packed(TOKENS, LAYERS),
        "left": {},
        "maps": [],
        "writes": None,
    }


def long_answer(page: Page) -> dict[str, list[float]]:
    """Measure the viewer on made-up numbers, in milliseconds."""
    data = {
        "model": "made up",
        "question": "What is it?",
        "passage": "",
        "turns": [],
        "segments": segments_as_json(PARTS),
        "visuals": [],
        "notices": [],
        "settings": {},
        "versions": {},
        "lanes": [lane("baseline"), lane("sinktrack")],
        "parts_at": 0,
    }
    page.set_content(render(data))
    mounts = [page.evaluate(MOUNT) for _ in range(5)]
    script, frame = page.evaluate(CHOOSE, [CLICKS, TOKENS])
    return {
        "first draw": mounts,
        "choosing a token, script": script,
        "choosing a token, until the frame is drawn": frame,
    }


def fetching(page: Page, url: str, folder: Path) -> list[float]:
    """Measure how long the maps of one token take from a page that runs, in milliseconds."""
    picture = folder / "picture.png"
    Image.new("RGB", (112, 112), "white").save(picture)
    visitor = Visitor(page, url)
    visitor.allow(700)
    visitor.ask(picture, "Describe the picture.")
    visitor.finish(600_000)
    times: list[float] = page.evaluate(FETCH, [CLICKS])
    return times


def main() -> None:
    """Print one table."""
    argparse.ArgumentParser(description=main.__doc__).parse_args()
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        model = endless_model(folder / "endless")
        browser = launch_chromium(playwright)
        server = None
        try:
            figures = long_answer(browser.new_page(viewport={"width": 1280, "height": 900}))
            server = Server(
                folder / "log", SINKTRACK_MODEL=str(model), SINKTRACK_MAX_NEW_TOKENS="4000"
            )
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            figures["maps of a token, fetched"] = fetching(page, server.ready(), folder)
        finally:
            browser.close()
            if server is not None:
                server.stop()
    print(f"{TOKENS} tokens, {LAYERS} layers, {HEADS} heads, 2 lanes; {os.cpu_count()} CPU cores\n")
    print("| milliseconds | median | highest |\n|---|---|---|")
    for what, times in figures.items():
        ordered = sorted(times)
        print(f"| {what} | {ordered[len(ordered) // 2]:.1f} | {ordered[-1]:.1f} |")


if __name__ == "__main__":
    main()
