"""The viewer on made-up numbers: what it shows is what it was given, and nothing more."""

import base64
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from asked import PASSAGE, everything
from paths import DATA
from playwright.sync_api import Browser, Page, expect

from sinktrack.report.html import render
from sinktrack.report.payload import payload, quantise
from sinktrack.report.words import segments_as_json

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
        "passage": "",
        "turns": [],
        "segments": segments_as_json(["sink", "passage", "image 1", "generated"]),
        "visuals": [],
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


def tab(page: Page, title: str) -> Page:
    """Bring a tab into sight."""
    page.get_by_role("tab", name=title, exact=True).click()
    return page


def readouts(page: Page) -> list[str]:
    """Return what the plots over the whole answer and those of heads read out."""
    said = tab(page, "Over the whole answer").locator(".stv-attention .stv-chosen")
    of_answer = said.all_inner_texts()
    return [*of_answer, *tab(page, "Heads").locator(".stv-finder .stv-chosen").all_inner_texts()]


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
    tab(page, "Over the whole answer")
    page.locator(OVERVIEW).nth(1).hover(position={"x": 20, "y": 30})
    pointed = page.locator(".stv-pointing .stv-pointed")
    expect(pointed).to_contain_text(f"Token 1 “{HOSTILE}” · layer 1 · 0.05")


def test_all_lanes_share_one_scale(show):
    page = show(comparison())
    page.locator("[data-lane=other] [data-token='4']").click()
    for title, plots, high in (
        ("Over the whole answer", ".stv-attention", "0.53"),
        ("Heads", ".stv-finder", "0.54"),
    ):
        legends = tab(page, title).locator(f"{plots} .stv-legend").all_inner_texts()
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
    last = tab(page, "Over the whole answer").locator(OVERVIEW).nth(1)
    box = last.bounding_box()
    last.hover(position={"x": box["width"] - 20, "y": box["height"] - 12})
    expect(page.locator(".stv-pointing .stv-pointed")).to_contain_text("layer 2 · not visible")


def test_what_leaves_the_view_and_where_answers_part_is_marked(show):
    data = comparison() | {"parts_at": 1}
    data["lanes"][0]["left"] = {"passage": 2, "image 1": 1}
    data["lanes"][1]["left"] = {"passage": 3, "image 1": 3}
    flags = show(data).locator(".stv-attention .stv-axis-flags")
    assert flags.all_inner_texts() == [
        "the answers part\npicture 1 is out of view\nthe passage is out of view",
        "the answers part\nthe passage and picture 1 are out of view",
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
    page = show(comparison())
    assert page.locator(".stv-attention .stv-mark").all_text_contents() == ["1"] * 2
    assert tab(page, "Heads").locator(".stv-finder .stv-mark").all_text_contents() == ["1"] * 2


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


@pytest.fixture(scope="module")
def mixed(checkpoint: tuple[Any, Any]) -> dict[str, Any]:
    """Five methods on a conversation with two pictures, a video and a passage."""
    return payload(everything(*checkpoint))


def test_every_part_can_be_coloured_by_and_has_a_band(show, mixed):
    page = show(mixed)
    titles = [part["title"] for part in mixed["segments"]]
    offered = page.locator(".stv-attention .stv-choice").first.locator("label")
    assert offered.all_inner_texts() == [*titles, "Delivered by BOS", "Probability"]
    for title in ("Passage", "Picture 2", "Video"):
        page.locator(".stv-attention .stv-choice").get_by_text(title, exact=True).click()
        expect(page.locator(".stv-key")).to_contain_text(
            f"attention to {'' if '2' in title else 'the '}"
        )
    bands = tab(page, "Along the answer").locator(".stv-drift svg").first.locator(".stv-band")
    assert bands.count() == len(titles)
    fills = bands.evaluate_all("all => all.map((each) => getComputedStyle(each).fill)")
    assert len(set(fills)) == len(titles)
    # The bands fill the whole plot.
    readout = page.locator(".stv-drift .stv-chosen").first.inner_text()
    shares = [float(each) for each in re.findall(r"([\d.]+)\s%", readout)]
    assert len(shares) == len(titles) and sum(shares) == pytest.approx(100, abs=3)


def test_each_picture_has_a_map_and_a_video_turns_its_frames_in_all_lanes(show, mixed):
    page = show(mixed)
    side = page.locator(".stv-one [data-side=baseline]")
    assert side.locator(".stv-picture").count() == 3
    expect(side.locator(".stv-chosen").nth(0)).to_contain_text("is on picture 1")
    expect(side.locator(".stv-chosen").nth(2)).to_contain_text(
        "is on the video; most of it on frame"
    )
    video = side.locator(".stv-picture img").nth(2)
    before = video.get_attribute("src")
    slider = side.get_by_role("slider", name="Plain model: frame of the video")
    slider.fill("2")
    expect(side.locator(".stv-frame-number")).to_have_text("Frame 3 of 3")
    assert video.get_attribute("src") == mixed["visuals"][2]["frames"][2] != before
    other = page.locator(".stv-one [data-side=sinktrack]")
    expect(other.locator(".stv-frame-number")).to_have_text("Frame 3 of 3")
    assert other.locator(".stv-picture img").nth(2).get_attribute("src") == video.get_attribute(
        "src"
    )
    assert other.locator(".stv-frame-bars i").count() == 3


def test_the_attention_over_a_frame_is_that_of_the_trace(show, mixed):
    page = show(mixed)
    maps = mixed["lanes"][0]["maps"][2]
    cells = torch.frombuffer(bytearray(base64.b64decode(maps["bytes"])), dtype=torch.uint8)
    shape = (-1, maps["layers"], maps["frames"], maps["rows"], maps["cols"])
    probabilities = cells.view(shape)[0].float().mean(0) * maps["scale"][0] / 255
    page.locator("[data-lane=baseline] [data-token='0']").click()
    side = page.locator(".stv-one [data-side=baseline]")
    side.get_by_role("slider", name="frame of the video").fill("1")
    canvas = side.locator(".stv-picture canvas").nth(2)
    box = canvas.bounding_box()
    canvas.hover(position={"x": box["width"] - 4, "y": 4})
    said = side.locator(".stv-pointing .stv-pointed").inner_text()
    assert said.startswith(f"Row 1 · column {maps['cols']} · ")
    assert float(said.split()[-1]) == pytest.approx(float(probabilities[1, 0, -1]), abs=1e-4)


def test_maps_that_stayed_behind_are_read_one_by_one(show, mixed):
    page = show(mixed)
    page.evaluate("""() => {
        const data = JSON.parse(document.getElementById("data").textContent);
        window.asked = [];
        for (const lane of data.lanes) {
            for (const map of lane.maps) {
                const bytes = Uint8Array.from(atob(map.bytes), (each) => each.charCodeAt(0));
                map.bytes = null;
                map.read = async (from, length) => {
                    window.asked.push([lane.name, map.visual]);
                    return bytes.subarray(from, from + length);
                };
            }
        }
        SinkTrackViewer.mount(document.getElementById("comparison"), data);
    }""")
    expect(page.locator(".stv-one [data-side=off] .stv-chosen").nth(2)).to_contain_text(
        "is on the video"
    )
    assert len(page.evaluate("window.asked")) == 3 * len(mixed["lanes"])


def test_what_was_written_is_shown_layer_by_layer(show, mixed):
    page = tab(show(mixed), "Written into BOS")
    anchor = page.locator(".stv-anchor")
    writes = mixed["lanes"][1]["writes"]
    bars = anchor.locator(".stv-source-bar")
    assert bars.count() == len(writes["layers"])
    bars.last.click()
    expect(bars.last).to_have_attribute("aria-pressed", "true")
    said = anchor.locator(".stv-chosen").first.inner_text()
    shares = writes["sources"]["shares"][-1]
    assert said.startswith(f"Layer {writes['layers'][-1]}: ")
    assert float(re.search(r"([\d.]+) % of what was written", said)[1]) == pytest.approx(
        100 * max(shares), abs=0.6
    )
    assert "times as long as the residual" in said
    assert anchor.locator(".stv-picture").count() == 3
    names = anchor.locator(".stv-part-name").all_inner_texts()
    assert names == [start["title"] for start in writes["starts"]]
    widths = bars.last.locator("i").evaluate_all("all => all.map((each) => each.offsetWidth)")
    assert max(widths) / sum(widths) == pytest.approx(max(shares), abs=0.03)


def test_what_was_asked_before_stands_above_the_answers(show, mixed):
    page = show(mixed)
    turns = page.locator(".stv-turns")
    expect(turns.locator("summary")).to_have_text("The conversation so far (2 messages)")
    assert turns.locator(".stv-speaker").all_inner_texts() == ["System", "User", "Assistant"]
    assert turns.locator("img").count() == 1
    expect(page.locator(".stv-passage .stv-asked-text")).to_have_text(PASSAGE)
    assert page.locator(".stv-passage").get_attribute("open") is not None
    long = mixed | {"passage": "word " * 400}
    assert show(long).locator(".stv-passage").get_attribute("open") is None
    expect(page.locator(".stv-sinks")).to_contain_text("Sinks of this prompt: 1 BOS “")


def test_bars_say_how_far_a_method_moved_each_token(show, mixed):
    page = show(mixed)
    lane = next(lane for lane in mixed["lanes"] if lane["name"] == "pai")
    (moved,) = (kind for kind in lane["moved_at"] if kind["kind"] == "attention")
    card = page.locator("[data-lane=pai]")
    bars = card.get_by_role("slider", name="how far the method moved the model")
    bars.focus()
    page.keyboard.press("Home")
    said = []
    for _ in moved["values"]:
        said.append(bars.get_attribute("aria-valuetext"))
        page.keyboard.press("ArrowRight")
    shares = [float(re.search(r"attention ([\d.]+) %", each)[1]) / 100 for each in said]
    assert shares == pytest.approx(moved["values"], abs=0.006)
    # what the keyboard chose is chosen in every lane
    expect(page.locator("[data-lane=baseline] .stv-on")).to_have_attribute(
        "data-token", bars.evaluate("bars => String(bars.ariaValueNow - 1)")
    )
    bars.locator("svg").click(position={"x": 2, "y": 5})
    expect(bars).to_have_attribute("aria-valuenow", "1")
    # a method that acts on the prompt alone moved the first token and no other
    card = page.locator("[data-lane=sinktrack]")
    assert card.locator(".stv-act path").get_attribute("d").count("M") == 1
    page.keyboard.press("End")
    expect(card.locator(".stv-acted-now")).to_contain_text("it acted while the prompt was read")


def test_lanes_are_told_apart_by_number_and_colour(show, mixed):
    page = show(mixed)
    script = """all => all.map((card) => {
        const { content, backgroundColor } = getComputedStyle(card.querySelector("h3"), "::before");
        return [content, backgroundColor];
    })"""
    told = page.locator(".stv-card").evaluate_all(script)
    count = len(mixed["lanes"])
    assert [number for number, _ in told] == [f'"{n}"' for n in range(1, count + 1)]
    assert len({colour for _, colour in told}) == count
    alone = show(mixed | {"lanes": mixed["lanes"][:1]})
    assert alone.locator(".stv-of-lane").count() == 0


@pytest.mark.parametrize(("width", "columns"), [(1100, 3), (760, 2)])
def test_six_answers_stand_in_rows(show, mixed, width, columns):
    lanes = [*mixed["lanes"], *mixed["lanes"]][:6]
    page = show(mixed | {"lanes": lanes}, width=width)
    for row in page.locator(".stv-cards, .stv-one .stv-lanes").all():
        tops = row.evaluate("row => [...row.children].map((each) => each.offsetTop)")
        assert len(tops) == 6 and tops.count(min(tops)) == columns


def test_on_a_phone_many_answers_are_swiped_through(show, mixed):
    page = show(mixed | {"lanes": [*mixed["lanes"], *mixed["lanes"]][:6]}, width=390)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    cards = page.locator(".stv-cards")
    tops = cards.evaluate("row => [...row.children].map((each) => each.offsetTop)")
    assert len(set(tops)) == 1
    last = page.locator(".stv-card").last
    last.scroll_into_view_if_needed()
    assert last.bounding_box()["x"] < 390 - 200
    two = show(mixed | {"lanes": mixed["lanes"][:2]}, width=390)
    assert two.locator(".stv-cards").evaluate("row => row.scrollWidth - row.clientWidth") > 200
    two.locator(".stv-jump").last.click()
    # all rows of lanes go along, so that the same answer is seen everywhere
    left = "rows => rows.map((row) => row.scrollLeft > 0 || row.scrollWidth <= row.clientWidth + 1)"
    two.wait_for_timeout(400)
    assert all(two.locator(".stv-lanes").evaluate_all(left))


@pytest.mark.parametrize(
    ("count", "width", "columns"),
    [(2, 1100, 2), (2, 620, 2), (3, 1100, 3), (3, 760, 3), (4, 1100, 4), (4, 800, 2), (6, 1100, 3)],
)
def test_no_row_of_answers_is_half_empty(show, mixed, count, width, columns):
    lanes = [*mixed["lanes"], *mixed["lanes"]][:count]
    tops = (
        show(mixed | {"lanes": lanes}, width=width)
        .locator(".stv-cards")
        .evaluate("row => [...row.children].map((each) => each.offsetTop)")
    )
    assert all(tops.count(top) == columns for top in tops)


def test_tabs_are_one_stop_of_the_keyboard_and_arrows_go_around(show, mixed):
    page = show(mixed)
    tabs = page.get_by_role("tab")
    tabs.first.focus()
    page.keyboard.press("ArrowLeft")
    expect(tabs.last).to_be_focused()
    expect(tabs.last).to_have_attribute("aria-selected", "true")
    shown = page.get_by_role("tabpanel")
    assert shown.count() == 1 and shown.get_attribute("aria-labelledby") == tabs.last.get_attribute(
        "id"
    )
    assert tabs.evaluate_all("all => all.filter((each) => each.tabIndex === 0).length") == 1
    page.keyboard.press("ArrowRight")
    expect(tabs.first).to_be_focused()
    chosen = page.locator(".stv-on").first.get_attribute("data-token")
    page.keyboard.press("End")
    expect(tabs.last).to_be_focused()
    assert page.locator(".stv-on").first.get_attribute("data-token") == chosen


def test_on_paper_all_tabs_are_there(show, mixed):
    page = show(mixed)
    page.emulate_media(media="print")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    count = page.locator(".stv-tab").count()
    assert page.locator(".stv-section[role=tabpanel]:visible").count() == count
    assert page.locator(".stv-drift svg:visible").count() > 0
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.locator(".stv-section[role=tabpanel]:visible").count() == 1


def test_words_of_an_answer_are_one_stop_and_arrows_choose_among_them(show, mixed):
    page = show(mixed)
    words = page.locator("[data-lane=baseline] [role=option]")
    assert words.evaluate_all("all => all.filter((each) => each.tabIndex === 0).length") == 1
    words.first.click()
    words.first.focus()
    page.keyboard.press("ArrowRight")
    expect(words.nth(1)).to_be_focused()
    expect(words.nth(1)).to_have_attribute("aria-selected", "true")
    page.keyboard.press("End")
    last = page.locator("[data-lane=baseline] [role=option][aria-selected=true]")
    assert last.count() <= 1  # another lane may be longer
    page.keyboard.press("Home")
    expect(words.first).to_be_focused()
    assert words.evaluate_all("all => all.filter((each) => each.tabIndex === 0).length") == 1


@pytest.mark.parametrize("width", [390, 1000])
def test_what_is_said_of_the_chosen_token_stays_in_sight(show, mixed, width):
    page = show(mixed, width=width)
    bar = page.locator(".stv-now")
    page.locator("[data-lane=baseline] [data-token='1']").click()
    expect(bar).to_be_in_viewport(ratio=0.9)
    expect(bar.get_by_role("heading")).to_have_text("Token 2")
    page.mouse.wheel(0, 100_000)
    page.wait_for_timeout(200)
    expect(bar).to_be_in_viewport(ratio=0.9)
    bar.get_by_role("button", name="The next token").click()
    expect(bar.get_by_role("heading")).to_have_text("Token 3")


def test_headings_go_down_one_step_at_a_time(show, mixed):
    page = show(mixed)
    for title in page.get_by_role("tab").all_inner_texts():
        levels = tab(page, title).evaluate(
            "[...document.querySelectorAll('h1, h2, h3, h4')].filter((each) => each.offsetParent)"
            ".map((each) => Number(each.tagName[1]))"
        )
        assert levels[0] == 1
        assert all(b - a <= 1 for a, b in zip(levels, levels[1:], strict=False)), levels


@pytest.mark.parametrize("width", [320, 1000])
def test_what_is_pressed_is_large_enough(show, mixed, width):
    page = show(mixed, width=width)
    small = """all => all.filter((each) => each.offsetParent).map((each) => {
        const { width, height } = each.getBoundingClientRect();
        return [each.textContent || each.ariaLabel, Math.round(width), Math.round(height)];
    }).filter(([, width, height]) => width < 24 || height < 24)"""
    for title in page.get_by_role("tab").all_inner_texts():
        tab(page, title)
        pressed = page.locator(".stv :is(button, .stv-choice label, select, summary)")
        assert pressed.evaluate_all(small) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_choosing_a_head_pins_it_everywhere_and_the_mean_comes_back(show, mixed):
    page = tab(show(mixed), "Heads")
    before = page.locator(".stv-key").inner_text()
    name = page.locator(".stv-finder .stv-head-name").first
    layer, head = map(int, re.findall(r"\d+", name.inner_text()))
    name.click()
    expect(page.locator(".stv-pinned")).to_contain_text(f"Layer {layer}, head {head} is shown")
    expect(name).to_have_attribute("aria-pressed", "true")
    assert page.locator(".stv-key").inner_text() != before
    expect(page.locator(".stv-one .stv-note").first).to_contain_text(f"layer {layer}, mean over")
    tab(page, "Over the whole answer")
    expect(page.locator(".stv-attention > .stv-part > .stv-note")).to_contain_text(f"head {head}")
    tab(page, "Heads").get_by_role("button", name="Back to the mean").click()
    assert page.locator(".stv-key").inner_text() == before


def test_a_tick_is_seen_whatever_the_page_does_to_boxes(show, mixed):
    page = show(mixed | {"lanes": with_sink_patches(mixed["lanes"])})
    page.add_style_tag(content="input[type=checkbox] { appearance: none; background: white; }")
    box = page.get_by_label("Leave out sink patches")
    before = box.screenshot()
    box.check()
    assert box.evaluate("box => getComputedStyle(box).appearance") == "auto"
    assert box.screenshot() != before
    expect(page.locator(".stv-one .stv-chosen").first).to_contain_text("Sink patches: ")


def with_sink_patches(lanes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        each | {"maps": [one | {"sink_patches": [0, 3]} for one in each["maps"]]} for each in lanes
    ]


def test_a_picture_that_nothing_looks_at_any_more_is_said(show, mixed):
    lanes = [dict(each) for each in mixed["lanes"]]
    lanes[0]["left"] = {"image 1": 1}
    faint = [one | {"scale": [0.000001] * len(one["scale"])} for one in lanes[1]["maps"]]
    lanes[1]["maps"] = faint
    page = show(mixed | {"lanes": lanes})
    page.locator("[data-lane=baseline] [data-token='1']").click()
    said = page.locator(".stv-one [data-side=baseline] .stv-chosen").first
    expect(said).to_have_text("Nothing looks at picture 1 any more: the window has dropped it.")
    other = page.locator(".stv-one [data-side=sinktrack] .stv-chosen").first
    expect(other).to_contain_text("Next to nothing looks at picture 1 here")


def test_lines_leave_the_pictures_colours_and_show_more_and_less(show, mixed):
    page = show(mixed)
    canvas = page.locator(".stv-one [data-side=sinktrack] .stv-picture canvas").first
    clear = """canvas => {
        const { width, height } = canvas;
        const data = canvas.getContext("2d").getImageData(0, 0, width, height).data;
        return data.filter((value, i) => i % 4 === 3 && value === 0).length / (width * height);
    }"""
    expect(page.locator(".stv-one .stv-chosen").first).to_contain_text("of its attention")
    assert canvas.evaluate(clear) > 0.6
    first = page.locator(".stv-one [data-side=baseline] .stv-picture canvas").first
    page.locator(".stv-one").get_by_text("Minus Plain model").click()
    page.locator(".stv-one").get_by_text("Colours", exact=True).click()
    assert first.evaluate(clear) == 1  # a lane minus itself is nothing
    assert canvas.evaluate(clear) < 0.6
    legend = page.locator(".stv-one [data-side=sinktrack] .stv-legend").first.inner_text().split()
    assert float(legend[0]) == -float(legend[1]) < 0


def test_a_difference_is_faint_where_the_answers_have_parted(show):
    data = comparison() | {"parts_at": 1}
    page = show(data)
    page.locator(".stv-attention").get_by_text("Minus Plain").click()
    expect(page.locator(".stv-attention .stv-note").first).to_contain_text("Faint: the answers")
    alphas = page.locator("[data-plot=other] canvas").evaluate(
        """canvas => [10, 150, 250].map((x) => canvas.getContext("2d")
            .getImageData(x * devicePixelRatio, 12 * devicePixelRatio, 1, 1).data[3])"""
    )
    assert alphas[0] == alphas[1] == 255 and 60 < alphas[2] < 120


def test_a_card_says_how_far_its_method_moved_things(show, mixed):
    page = show(mixed)
    expect(page.locator("[data-lane=pai] .stv-moved")).to_contain_text("of a token’s attention.")
    assert page.locator("[data-lane=baseline] .stv-moved, .stv-card .stv-alert").count() == 1
    expect(page.locator("[data-lane=off] .stv-alert")).to_be_visible()
    expect(page.locator("[data-lane=off] .stv-alert")).to_contain_text("moved nothing")


def test_everything_fits_a_phone(show, mixed):
    page = show(mixed, width=390)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_what_was_stored_earlier_is_still_drawn(show):
    page = show(json.loads((DATA / "payload-before.json").read_text("utf-8")))
    assert page.locator(".stv-one .stv-picture").count() == 2
    tab(page, "Written into BOS")
    expect(page.locator(".stv-anchor .stv-chosen").first).to_contain_text("of what was written")
    assert tab(page, "Along the answer").locator(".stv-drift .stv-band").count() == 10
    assert page.locator(".stv-sinks").count() == 0
