"""How long a page takes to be there, and to answer who asks at once: `python cold_start.py`.

`python app.py` with the bundled checkpoint, in a process of its own, and a browser that is open
already. Each round starts anew and measures

- from the start of the process until the page is served;
- from pressing Ask, as soon as the page can be used, until the first words stand there, and until
  the answer is whole. The question is typed and the picture is the example's, so nothing is stored.

Exits with status 1 if a median is over its bound.
"""

import argparse
import platform
import statistics
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import psutil
from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests" / "browser"))

from real_page import CHECKPOINT, Server, Visitor, launch_chromium  # noqa: E402

QUESTION = "Is there a red circle?"
MOST_SERVED, MOST_ANSWERED = 6.0, 3.0  # seconds
ROWS = {
    "start to page served": MOST_SERVED,
    "asking to the first words": None,
    "asking to the whole answer": MOST_ANSWERED,
}


def measure(browser: Browser, folder: Path) -> list[float]:
    """Return the seconds of one round, in the order of ROWS."""
    (folder / "page").mkdir(parents=True)
    began = time.monotonic()
    server = Server(folder / "page" / "log", SINKTRACK_MODEL=str(CHECKPOINT))
    try:
        url = server.ready()
        served = time.monotonic() - began
        visitor = Visitor(browser.new_page(), url)
        visitor.page.fill("#question textarea", QUESTION)
        asked = time.monotonic()
        visitor.page.click("#ask")
        visitor.page.wait_for_function(
            "() => /^(Writing token|Done after)/.test("
            "document.querySelector('.st-status-text').textContent)",
            polling=20,
        )
        words = time.monotonic() - asked
        visitor.page.wait_for_function(
            "() => document.querySelector('.st-status-text').textContent.startsWith('Done after')",
            polling=20,
        )
        whole = time.monotonic() - asked
        visitor.page.close()
    finally:
        server.stop()
    return [served, words, whole]


def table(rounds: list[list[float]]) -> tuple[str, bool]:
    """Return the figures as Markdown, and whether each median keeps its bound."""
    lines, kept = ["| seconds | median | lowest | highest | bound |", "|---|---|---|---|---|"], True
    for (name, bound), seconds in zip(ROWS.items(), zip(*rounds, strict=True), strict=True):
        median = statistics.median(seconds)
        kept = kept and (bound is None or median <= bound)
        limit = "" if bound is None else f"{bound:g}"
        lines.append(
            f"| {name} | {median:.2f} | {min(seconds):.2f} | {max(seconds):.2f} | {limit} |"
        )
    return "\n".join(lines), kept


def main() -> int:
    """Measure, and print or write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, help="file to write; else it is printed alone")
    given = parser.parse_args()
    load = psutil.getloadavg()[0]
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = launch_chromium(playwright)
        rounds = [measure(browser, Path(folder, str(n))) for n in range(given.rounds)]
        browser.close()
    found, kept = table(rounds)
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "transformers", "gradio"))
    conditions = (
        f"{CHECKPOINT.name}, {given.rounds} starts, {psutil.cpu_count()} CPU cores "
        f"({platform.machine()}), files in the system's cache after the first; Python "
        f"{platform.python_version()}, {packages}; load average before: {load:.1f}. "
        f"`python benchmarks/cold_start.py --rounds {given.rounds}`"
    )
    text = f"{conditions}\n\n{found}\n"
    print(text)
    if given.out is not None:
        given.out.write_text(text, encoding="utf-8")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
