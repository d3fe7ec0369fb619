"""The viewer on made-up numbers: what it shows is what it was given, and nothing more."""

import base64
import json
import re

import pytest
import torch
from asked import PASSAGE
from made_up import HEADS, HOSTILE, LAYERS, comparison, lane, tab
from paths import DATA
from playwright.sync_api import Page, expect

OVERVIEW = ".stv-attention canvas"

pytestmark = pytest.mark.xdist_group("browser")


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


def test_an_answer_without_a_token_is_said(show):
    data = comparison()
    data["lanes"][0] = lane("plain", [], torch.zeros(0, LAYERS, HEADS), finish="stopped")
    page = show(data)
    assert readouts(page)[::2] == ["No token was written."] * 2
    expect(page.locator("[data-lane=plain] .stv-chip")).to_have_text("stopped")


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


def test_what_was_stored_earlier_is_still_drawn(show):
    page = show(json.loads((DATA / "payload-before.json").read_text("utf-8")))
    assert page.locator(".stv-one .stv-picture").count() == 2
    tab(page, "Written into BOS")
    expect(page.locator(".stv-anchor .stv-chosen").first).to_contain_text("of what was written")
    assert tab(page, "Along the answer").locator(".stv-drift .stv-band").count() == 10
    assert page.locator(".stv-sinks").count() == 0
