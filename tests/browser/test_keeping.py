"""Comparisons that outlive their page: by their address, as a file, as a figure, in the gallery."""

import json
import re
import urllib.error
import urllib.request
from xml.etree import ElementTree

import pytest
from paths import ROOT
from playwright.sync_api import expect
from real_page import CHECKPOINT, OVERVIEW, Server

from sinktrack.report.html import render

EXAMPLE = ROOT / "assets" / "examples" / "delayed-phrase-1.json"
HOSTILE = "<img src=x onerror=window.hacked=1> </script>"
SVG = "{http://www.w3.org/2000/svg}"
# One worker starts the page and the browser, the others need not.
pytestmark = pytest.mark.xdist_group("browser")
LANES = ("baseline", "sinktrack")


@pytest.fixture
def restarted(tmp_path):
    """Return what starts a page that keeps its comparisons where the one before it did."""
    started = []

    def start() -> str:
        if started:
            assert "Traceback" not in started[-1].stop()
        (tmp_path / str(len(started))).mkdir()
        log = tmp_path / str(len(started)) / "log"
        folders = {"KEEP": str(tmp_path / "kept"), "GALLERY": str(tmp_path / "gallery")}
        environment = {f"SINKTRACK_{name}": folder for name, folder in folders.items()}
        started.append(Server(log, SINKTRACK_MODEL=str(CHECKPOINT), **environment))
        return started[-1].ready()

    yield start
    assert "Traceback" not in started[-1].stop()


def test_a_link_shows_the_same_comparison_to_others_even_after_a_restart(
    restarted, visit, picture, tmp_path
):
    url = restarted()
    visitor = visit(url)
    page = visitor.page
    page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    expect(page.locator("#link")).to_be_disabled()
    visitor.ask(picture, "Describe the picture.")
    visitor.finish()
    expect(page.locator("#share")).to_contain_text("for 2 hours")
    answers = [visitor.answer(lane).inner_text() for lane in LANES]
    drawn = [visitor.drawn(OVERVIEW, lane) for lane in (0, 1)]
    page.click("#link")
    address = page.locator(".st-address").input_value()
    assert re.fullmatch(re.escape(url) + r"/\?c=[\w-]{22}", address)

    [kept] = (tmp_path / "kept").iterdir()
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"{url}/gradio_api/file={kept}")

    page.fill("#gallery-title input, #gallery-title textarea", HOSTILE)
    page.click("#gallery-add")
    expect(page.locator("#gallery .st-example")).to_contain_text(HOSTILE)

    second = visit(url)
    expect(second.page.locator("#gallery .st-example")).to_contain_text(HOSTILE)
    for each in (page, second.page):
        each.close()  # they would complain that their server goes
    name = address.partition("?")[2]
    again = restarted()
    other = visit(f"{again}/?{name}")
    expect(other.status()).to_contain_text("Opened from a link, answered by shapes-vl-anchored")
    assert [other.answer(lane).inner_text() for lane in LANES] == answers
    assert [other.drawn(OVERVIEW, lane) for lane in (0, 1)] == drawn
    expect(other.page.locator("#report")).to_be_enabled()
    expect(other.page.locator("#traces")).to_be_disabled()
    expect(other.page.locator("#share")).to_contain_text("Traces are recorded while")

    third = visit(again)
    third.page.locator("#gallery .st-example").click()
    expect(third.status()).to_contain_text("From the gallery")
    assert [third.answer(lane).inner_text() for lane in LANES] == answers
    assert third.page.evaluate("window.hacked") is None


@pytest.mark.parametrize(
    "name", ["x" * 22, "..%2F..%2Fetc%2Fpasswd", "%00", "%F0%9F%98%80", "x" * 3000]
)
def test_an_address_without_a_comparison_says_so_and_the_page_works(visit, page_url, name):
    visitor = visit(f"{page_url}/?c={name}")
    expect(visitor.status()).to_contain_text("There is no comparison at this address any more")
    visitor.page.locator("#examples .st-example").first.click()
    expect(visitor.status()).to_contain_text("Stored with this page")


def test_on_a_phone_a_link_leads_to_the_answers(visit, page_url, picture):
    visitor = visit(page_url)
    visitor.ask(picture, "Describe the picture.")
    visitor.finish()
    name = visitor.page.locator(".st-share").get_attribute("data-name")
    other = visit(f"{page_url}/?c={name}", width=390, height=844)
    expect(other.status()).to_contain_text("Opened from a link")
    expect(other.status()).to_be_in_viewport()
    assert other.overflow() == 0


def test_a_file_opens_on_the_page_and_a_bad_one_is_a_sentence(visit, page_url, tmp_path):
    data = json.loads(EXAMPLE.read_text("utf-8"))
    data |= {"question": HOSTILE}
    data["lanes"][0] |= {"title": HOSTILE, "tokens": [HOSTILE, *data["lanes"][0]["tokens"][1:]]}
    report, bad = tmp_path / "report.html", tmp_path / "bad.json"
    report.write_text(render(data) + "<script>window.hacked = 2</script>")
    bad.write_text('{"lanes": [{"tokens": 3}]}')
    visitor = visit(page_url)
    page = visitor.page
    page.locator("#open button").first.click()
    page.set_input_files("#open-file input[type=file]", report)
    expect(visitor.status()).to_contain_text("From report.html, answered by shapes-vl-anchored")
    expect(page.locator("#stage .stv-title").first).to_have_text(HOSTILE)
    expect(page.locator("#question textarea")).to_have_value(HOSTILE)
    expect(page.locator("#picture img")).to_be_visible()
    page.set_input_files("#open-file input[type=file]", bad)
    expect(visitor.toast()).to_contain_text("tokens is 3, but must be a list")
    assert page.evaluate("window.hacked") is None


def test_nothing_lies_over_the_status_at_any_width(visit, page_url):
    visitor = visit(page_url)
    page = visitor.page
    page.locator("#examples .st-example").first.click()
    expect(visitor.status()).to_contain_text("Stored with this page")
    expect(page.locator("#report")).to_be_enabled()
    over = """() => {
        const text = document.createRange();
        text.selectNodeContents(document.querySelector(".st-status-text"));
        const { left, right, top, bottom } = text.getBoundingClientRect();
        return [...document.querySelectorAll("#take button, #share p")].filter((node) => {
            const box = node.getBoundingClientRect();
            return box.left < right && box.right > left && box.top < bottom && box.bottom > top;
        }).map((node) => node.textContent);
    }"""
    for width in (320, 481, 640, 768, 900, 1000, 1100, 1280):  # 640 is 1280 at 200 %
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate(over) == [], width
        assert visitor.overflow() == 0, width


def test_what_a_stored_example_cannot_offer_is_said(visit, page_url, tmp_path):
    visitor = visit(page_url)
    page = visitor.page
    page.locator("#examples .st-example").first.click()
    for name, enabled in (("report", True), ("traces", False), ("replay", True), ("link", False)):
        expect(page.locator(f"#{name}")).to_be_enabled(enabled=enabled)
    expect(page.locator("#share")).to_contain_text("ask anew to get them")
    with page.expect_download() as download:
        page.click("#report")
    assert "Count from one to forty" in download.value.path().read_text("utf-8")


def test_plots_of_a_dark_page_are_saved_as_figures_on_white(visit, page_url, tmp_path):
    visitor = visit(page_url, color_scheme="dark")
    page = visitor.page
    page.locator("#examples .st-example").first.click()
    expect(visitor.status()).to_contain_text("Stored with this page")
    saved = {}

    def save(buttons):
        for button in buttons.all():
            with page.expect_download() as download:
                button.click()
            saved[download.value.suggested_filename] = download.value.path()

    save(page.locator("#stage .stv-one").get_by_role("button", name="SVG"))
    for tab in page.locator("#stage [role=tab]").all():
        tab.click()
        save(page.locator("#stage [role=tabpanel]:visible").get_by_role("button", name="SVG"))
    assert len(saved) == 10
    for name, path in saved.items():
        figure = ElementTree.parse(path).getroot()
        paper = next(iter(figure.iter(f"{SVG}rect")))
        assert paper.attrib["fill"] == "#ffffff" and paper.attrib["width"] == figure.attrib["width"]
        texts = [text.text for text in figure.iter(f"{SVG}text")]
        assert len(texts[0]) > 8 and len(texts) > 2, name
        if "picture" not in name:
            assert {"token", "head", "share of what was written"} & set(texts), name
    box = """async (button) => {
        const drawn = new Promise((resolve) => {
            const toBlob = HTMLCanvasElement.prototype.toBlob;
            HTMLCanvasElement.prototype.toBlob = function spied(then) {
                resolve([this.width, [...this.getContext("2d").getImageData(2, 2, 1, 1).data]]);
                toBlob.call(this, then);
            };
        });
        button.click();
        return drawn;
    }"""
    width, corner = page.locator("#stage .stv-save", has_text="PNG").first.evaluate(box)
    assert width > 1000 and corner == [255, 255, 255, 255]
