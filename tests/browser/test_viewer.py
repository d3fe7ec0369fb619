"""The viewer on made-up numbers: what it shows is what it was given, and nothing more."""

import base64
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from playwright.sync_api import Browser, Page, expect

from sinktrack.report.html import render
from sinktrack.report.payload import quantise

HOSTILE = "<img src=x onerror=window.hacked=1>"
LAYERS, HEADS = 3, 2
OVERVIEW = ".stv-attention canvas"

pytestmark = pytest.mark.xdist_group("browser")


def lane(name: str, tokens: list[str], sink: torch.Tensor, **changes: Any) -> dict[str, Any]:
    packed, scale = quantise(sink)
    return {
        "name": name,
        "title": name.title(),
        "subtitle": "",
        "text": "".join(tokens),
        "finish": "eos",
        "tokens": tokens,
        "layers": LAYERS,
        "heads": HEADS,
        "injected": [1],
        "sink": base64.b64encode(packed).decode(),
        "scale": scale,
    } | changes


def comparison() -> dict[str, Any]:
    """Three tokens of 0.00 to 0.17 beside five of 0.00 to 0.54, one layer not seen at the end."""
    short = torch.arange(3 * LAYERS * HEADS).reshape(3, LAYERS, HEADS) / 100
    long = torch.arange(5 * LAYERS * HEADS).reshape(5, LAYERS, HEADS) / 50
    long[4, 2] = float("nan")
    return {
        "model": "made up",
        "question": HOSTILE,
        "picture": None,
        "notices": [],
        "settings": {},
        "versions": {},
        "lanes": [
            lane("plain", ["It", " is", "<|im_end|>"], short),
            lane("other", [HOSTILE, "", "two\nlines", " more", " tail"], long, finish="length"),
        ],
    }


@pytest.fixture
def show(browser: Browser) -> Iterator[Callable[..., Page]]:
    troubles: list[str] = []
    pages: list[Page] = []

    def open_report(data: dict[str, Any], width: int = 1000) -> Page:
        page = browser.new_page(viewport={"width": width, "height": 900})
        pages.append(page)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("request", lambda request: troubles.append(request.url))
        page.set_content(render(data))
        return page

    yield open_report
    for page in pages:
        page.close()
    assert troubles == []


def readouts(page: Page) -> list[str]:
    return page.locator(".stv-chosen").all_inner_texts()


def apart(readout: str) -> tuple[str, list[float]]:
    """Return a readout with # for its numbers with decimals, and those numbers."""
    pattern = r"\d+\.\d+"
    return re.sub(pattern, "#", readout), [float(n) for n in re.findall(pattern, readout)]


def test_numbers_read_out_are_those_that_were_given(show):
    page = show(comparison())
    page.locator("[data-lane=plain] [data-token='1']").click()
    texts, numbers = zip(*map(apart, readouts(page)), strict=True)
    assert texts == (
        "Token 2 “is” · mean #",
        "Token 2 “·” · mean #",
        "Highest # at layer 2, head 1",
        "Highest # at layer 2, head 1",
    )
    # 0.06 to 0.11 in the first lane and twice that in the second, within half a step of 254.
    expected = [[0.085], [0.17], [0.11], [0.22]]
    for shown, given in zip(numbers, expected, strict=True):
        assert shown == pytest.approx(given, abs=0.54 / 254 / 2 + 0.0005)
    page.locator(OVERVIEW).nth(1).hover(position={"x": 20, "y": 30})
    pointed = page.locator(".stv-pointing .stv-pointed")
    expect(pointed).to_contain_text(f"Token 1 “{HOSTILE}” · layer 1 · 0.05")


def test_all_lanes_share_one_scale(show):
    page = show(comparison())
    for plots, high in ((".stv-attention", "0.53"), (".stv-one", "0.54")):
        legends = page.locator(f"{plots} .stv-legend").all_inner_texts()
        assert [text.split() for text in legends] == [["0", high]] * 2


def test_a_difference_is_taken_token_by_token(show):
    page = show(comparison())
    page.get_by_text("Minus Plain").click()
    page.locator("[data-plot=other] canvas").hover(position={"x": 20, "y": 30})
    pointed = page.locator(".stv-pointing .stv-pointed")
    expect(pointed).to_contain_text("layer 1 · 0.025")  # 0.05 minus 0.025
    legend = page.locator("[data-plot=other] .stv-legend").inner_text().split()
    assert float(legend[0]) == -float(legend[1]) == pytest.approx(-0.165, abs=0.006)


def test_what_cannot_be_seen_is_said_and_counts_for_nothing(show):
    page = show(comparison())
    page.locator("[data-lane=other] [data-token='4']").click()
    assert readouts(page) == [
        "This answer has only 3 tokens.",
        "Token 5 “tail” · mean 0.510",
        "This answer has only 3 tokens.",
        "Highest 0.540 at layer 1, head 1",
    ]
    last = page.locator(OVERVIEW).nth(1)
    box = last.bounding_box()
    last.hover(position={"x": box["width"] - 20, "y": box["height"] - 12})
    expect(page.locator(".stv-pointing .stv-pointed")).to_contain_text("layer 2 · not visible")


def test_what_leaves_the_view_and_where_answers_part_is_marked(show):
    data = comparison() | {"parts_at": 1}
    data["lanes"][0]["left"] = {"image": 1, "instruction": 2}
    data["lanes"][1]["left"] = {"image": 3, "instruction": 3}
    flags = show(data).locator(".stv-attention .stv-axis-flags")
    assert flags.all_inner_texts() == [
        "the answers part\nthe picture is out of view\nthe question is out of view",
        "the answers part\npicture and question are out of view",
    ]


def test_tokens_are_text_and_the_end_is_a_chip(show):
    page = show(comparison())
    assert page.evaluate("window.hacked") is None and page.locator("img").count() == 0
    tokens = page.locator("[data-lane=other] .stv-token")
    assert tokens.all_text_contents() == [HOSTILE, "", "two\nlines", " more", " tail"]
    expect(page.locator("[data-lane=other] .stv-chip")).to_have_text("limit")
    expect(page.locator("[data-lane=plain] .stv-end")).to_have_text("end")
    expect(page.locator("[data-lane=plain] .stv-answer")).not_to_contain_text("im_end")


def test_layers_that_write_are_marked_at_every_axis(show):
    marks = show(comparison()).locator(".stv-mark")
    assert marks.all_text_contents() == ["1"] * 4  # two lanes, tokens and heads


def test_a_very_long_answer_scrolls_in_its_own_box(show):
    data = comparison()
    sink = torch.rand(600, LAYERS, HEADS)
    data["lanes"][1] = lane("other", [" word"] * 600, sink, finish="length")
    page = show(data, width=390)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("slider").nth(1).press("End")
    expect(page.get_by_role("slider").nth(1)).to_have_attribute("aria-valuenow", "600")
    left = "scroller => [scroller.scrollLeft > 3000, scroller.clientWidth < 390]"
    assert page.locator(".stv-attention .stv-scroll").nth(1).evaluate(left) == [True, True]


def test_an_answer_without_a_token_is_said(show):
    data = comparison()
    data["lanes"][0] = lane("plain", [], torch.zeros(0, LAYERS, HEADS), finish="stopped")
    page = show(data)
    assert readouts(page)[::2] == ["No token was written."] * 2
    expect(page.locator("[data-lane=plain] .stv-chip")).to_have_text("stopped")
