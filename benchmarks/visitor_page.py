"""What a page costs whoever opens it.

Bytes, what moves by itself, sideways scrolling, and rules of accessibility that are broken.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import shifts
import states
from playwright.sync_api import Browser, Page, Request, expect
from real_page import Visitor

NARROW = 320


class Loads:
    """Adds up what a page fetches.

    Args:
        page: Before it goes anywhere.
    """

    def __init__(self, page: Page) -> None:
        self._finished: list[Request] = []  # a stream that stays open would be waited for
        page.on("requestfinished", lambda request: self._finished.append(request))

    def by_kind(self) -> dict[str, tuple[int, int]]:
        """Return how many responses came to their end, and their bytes over the wire."""
        bytes_of, count = Counter[str](), Counter[str]()
        for request in self._finished:
            if not request.url.startswith(("data:", "blob:")):
                kind = _kind(urlsplit(request.url).path)
                bytes_of[kind] += request.sizes()["responseBodySize"]
                count[kind] += 1
        return {kind: (count[kind], bytes_of[kind]) for kind in sorted(count)}


def _kind(path: str) -> str:
    if path == "/":
        return "our document, with style, script and Gradio's configuration"
    if re.match(r"/(gradio_api/(file|upload)|file)", path):
        return "our pictures"
    if path.startswith("/gradio_api"):
        return "our answers over Gradio's API"
    return "Gradio's own script, style and fonts"


def too_wide(visitor: Visitor) -> dict[str, int]:
    """Return for each tab by how many pixels the page is wider than a window of 320."""
    visitor.page.set_viewport_size({"width": NARROW, "height": 640})
    found = {}
    for group in ("#stage", "#about"):  # a tab of the second sets the answers aside
        for tab in visitor.page.locator(f"{group} [role=tab]:visible").all():
            name = tab.inner_text()
            tab.click()
            visitor.page.wait_for_timeout(300)
            found[name] = visitor.overflow()
    return found


def rules_broken(
    arrive: Callable[[], Visitor], picture: Path
) -> Iterator[tuple[str, list[tuple[str, str, str]]]]:
    """Yield what breaks a rule of axe-core in every state of the page and every tab of an answer.

    Args:
        arrive: Opens the page anew.
        picture: A file to ask about.
    """
    for bring in states.STATES:
        visitor = arrive()
        bring(visitor, picture)
        yield bring.__name__.replace("_", " "), states.violations(visitor.page)
        if bring is states.answered:
            for tab in visitor.page.locator("#stage [role=tab]").all():
                tab.click()
                yield f"tab {tab.inner_text()}", states.violations(visitor.page)
        visitor.page.context.close()


def opened(browser: Browser, url: str, patience: int, **window: Any) -> tuple[Visitor, Loads]:
    """Open the page like someone who was never here; layout shifts are counted in it."""
    context = browser.new_context(**window)
    context.set_default_timeout(patience)
    context.add_init_script(shifts.COUNTING)
    page = context.new_page()
    loads = Loads(page)
    visitor = Visitor(page, url)
    expect(page.locator("#report")).to_be_enabled()  # the last that comes; the network never rests
    page.wait_for_timeout(1000)
    return visitor, loads
