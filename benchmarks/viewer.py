"""How fast the page draws a long answer of a large model: `python benchmarks/viewer.py`.

Four lanes of 1,024 tokens over 28 layers of 28 heads and a picture of 1,280 patches, made-up
numbers, in headless Chromium: the first draw, from the payload to the finished page; choosing a
token, script alone, and until the next frame is drawn; and where all heads looked, once it is
there, shaded by one head after another. Then from a page that runs: the attention maps of one
token, and what each layer would have said.
"""

import argparse
import base64
import io
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

TOKENS, LAYERS, HEADS, LANES = 1024, 28, 28, 4
ROWS, COLUMNS, WORDS = 32, 40, 60
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


# Where all heads of one lane looked, over a prompt with a picture; another layer each time.
SHADE = """async ([count, layers, heads, keys]) => {
    const bytes = new Uint16Array(layers * heads * keys).map(() => Math.random() * 900);
    const raw = new Uint8Array(bytes.buffer);
    let text = "";
    for (let i = 0; i < raw.length; i += 30000) {
        text += String.fromCharCode(...raw.subarray(i, i + 30000));
    }
    const parts = Array.from({ length: keys }, (_, at) =>
        (at < 20 || at >= keys - 40 ? "instruction" : "image"));
    const lane = {
        prompt: { texts: parts.map((part) => (part === "image" ? null : " word")), parts,
            titles: { instruction: "Question", image: "Picture" }, sinks: [0] },
        others: {}, lens: { texts: [["a"]], probabilities: [[1]], ranks: [1] },
        attention: { bytes: btoa(text), shape: [layers, heads, keys] },
    };
    const payload = JSON.parse(document.getElementById("data").textContent);
    payload.lanes = payload.lanes.slice(0, 1);
    payload.why = async ({ at }) => ({ at, lanes: { baseline: lane } });
    const element = document.getElementById("comparison");
    SinkTrackViewer.mount(element, payload);
    element.querySelector(".stv-why .stv-ask").click();
    while (!element.querySelector(".stv-lens")) await new Promise((done) => setTimeout(done, 5));
    const select = element.querySelector(".stv-pin select");
    const times = [];
    for (let i = 0; i < count; i++) {
        const began = performance.now();
        select.value = i % layers;
        select.dispatchEvent(new Event("change"));
        await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
        times.push(performance.now() - began);
    }
    return times;
}"""
LOOK = """async ([count]) => {
    const spans = document.querySelectorAll("[data-lane=baseline] [data-token]");
    const times = [];
    for (let i = 0; i < count; i++) {
        spans[i].click();
        const began = performance.now();
        document.querySelector(".stv-why .stv-ask").click();
        const there = () => document.querySelector(".stv-lens");
        while (!there()) await new Promise((done) => setTimeout(done, 2));
        times.push(performance.now() - began);
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
        "candidates": {
            "ids": [[at, *range(2000, 2009)] for at in range(TOKENS)],
            "texts": [[" word"] * 10] * TOKENS,
            "probabilities": torch.rand(TOKENS, 10).tolist(),
        },
        "maps": [
            {
                "visual": 0,
                "frames": 1,
                "rows": ROWS,
                "cols": COLUMNS,
                "layers": 1,
                "scale": [0.01] * TOKENS,
                "sink_patches": [5],
                "bytes": packed(TOKENS, 1, ROWS * COLUMNS)["bytes"],
            }
        ],
        "writes": None,
    }


def picture() -> str:
    """Return a picture as a data URL."""
    buffer = io.BytesIO()
    Image.new("RGB", (560, 448), "white").save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def long_answer(page: Page) -> dict[str, list[float]]:
    """Measure the viewer on made-up numbers, in milliseconds."""
    data = {
        "model": "made up",
        "question": "What is it?",
        "passage": "",
        "turns": [],
        "segments": segments_as_json(PARTS),
        "visuals": [{"segment": "image", "title": "Picture", "frames": [picture()]}],
        "notices": [],
        "settings": {},
        "versions": {},
        "lanes": [lane(name) for name in ("baseline", "sinktrack", "vcd", "pai")],
        "parts_at": 0,
    }
    page.set_content(render(data))
    mounts = [page.evaluate(MOUNT) for _ in range(5)]
    script, frame = page.evaluate(CHOOSE, [CLICKS, TOKENS])
    return {
        "first draw": mounts,
        "choosing a token, script": script,
        "choosing a token, until the frame is drawn": frame,
        "where another head looked, until the frame is drawn": page.evaluate(
            SHADE, [CLICKS, LAYERS, HEADS, ROWS * COLUMNS + WORDS]
        ),
    }


def fetching(page: Page, url: str, folder: Path) -> dict[str, list[float]]:
    """Measure how long a page that runs takes to tell of one token, in milliseconds."""
    file = folder / "picture.png"
    Image.new("RGB", (112, 112), "white").save(file)
    visitor = Visitor(page, url)
    visitor.allow(700)
    visitor.ask(file, "Describe the picture.")
    visitor.finish(600_000)
    return {
        "maps of a token, fetched": page.evaluate(FETCH, [CLICKS]),
        "what each layer would have said, asked and shown": page.evaluate(LOOK, [12]),
    }


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
            figures |= fetching(page, server.ready(), folder)
        finally:
            browser.close()
            if server is not None:
                server.stop()
    print(
        f"{TOKENS} tokens, {LAYERS} layers, {HEADS} heads, {LANES} lanes; {os.cpu_count()} cores\n"
    )
    print("| milliseconds | median | highest |\n|---|---|---|")
    for what, times in figures.items():
        ordered = sorted(times)
        print(f"| {what} | {ordered[len(ordered) // 2]:.1f} | {ordered[-1]:.1f} |")


if __name__ == "__main__":
    main()
