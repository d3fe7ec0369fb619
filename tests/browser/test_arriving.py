"""What coming to the page costs: bytes, and what moves under somebody's eyes."""

import gzip
from typing import Any
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import Browser, expect
from real_page import Visitor
from shifts import COUNTING, shifted

pytestmark = pytest.mark.xdist_group("browser")

KILOBYTE = 1000
MOST_SHIFTED = 0.02  # a tenth of what is held to be bad
WINDOWS: list[dict[str, Any]] = [
    {"viewport": {"width": 1280, "height": 900}},
    {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True},
]


def test_the_page_comes_compressed_where_a_browser_can_read_that(page_url: str) -> None:
    with urlopen(Request(page_url, headers={"Accept-Encoding": "gzip"})) as response:
        packed = response.read()
        assert response.headers["Content-Encoding"] == "gzip"
    with urlopen(page_url) as response:
        plain = response.read()
        assert response.headers["Content-Encoding"] is None
    assert all(b"window.gradio_config" in page for page in (plain, gzip.decompress(packed)))
    assert len(packed) < 200 * KILOBYTE < len(plain)


@pytest.mark.parametrize("window", WINDOWS, ids=["desktop", "phone"])
def test_nothing_moves_by_itself(browser: Browser, page_url: str, window: dict[str, Any]) -> None:
    context = browser.new_context(**window)
    context.add_init_script(COUNTING)
    visitor = Visitor(context.new_page(), page_url)
    expect(visitor.page.locator("#report")).to_be_enabled()  # the last that comes
    assert shifted(visitor.page)[0] <= MOST_SHIFTED
    visitor.page.click("#ask")
    visitor.finish()
    assert shifted(visitor.page)[0] <= MOST_SHIFTED
    context.close()
