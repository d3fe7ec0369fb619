"""The page as a visitor meets it: ask, watch, look closer, stop, and get it wrong."""

import re

import pytest
from playwright.sync_api import expect

QUESTION = "Describe the picture."
HOSTILE = "<img src=x onerror=window.hacked=1> </script> ${window.hacked=2} {{value}} `"
# One worker starts the page and the browser, the others need not.
pytestmark = pytest.mark.xdist_group("browser")
LANES = ("baseline", "sinktrack")
HEADS = (1, 3)  # the canvases that show layers x heads


def test_an_example_is_asked_with_enter_and_answered(visit, page_url):
    visitor = visit(page_url)
    page = visitor.page
    page.locator(".st-example").first.click()
    expect(page.locator("#picture img")).to_be_visible()
    expect(page.locator("#question textarea")).not_to_have_value("")
    page.locator("#question textarea").press("Enter")
    visitor.finish()
    expect(visitor.status()).to_contain_text("Done after")
    assert all(visitor.answer(lane).inner_text().strip() for lane in LANES)
    assert all(visitor.drawn(index)[1] > 8 for index in range(4))


def test_tokens_are_chosen_by_mouse_and_by_keyboard(visit, page_url, picture):
    visitor = visit(page_url)
    page = visitor.page
    visitor.ask(picture, QUESTION)
    visitor.finish()
    slider = page.get_by_role("slider", name="Plain model")
    expect(slider).to_have_attribute("aria-valuenow", "1")
    seen = [[visitor.drawn(index) for index in HEADS]]

    visitor.answer("baseline").locator("[data-token]").nth(2).click()
    expect(slider).to_have_attribute("aria-valuenow", "3")
    seen.append([visitor.drawn(index) for index in HEADS])

    slider.focus()
    page.keyboard.press("ArrowRight")
    expect(slider).to_have_attribute("aria-valuenow", "4")
    expect(page.locator("[data-lane=sinktrack] .stv-on")).to_have_attribute("data-token", "3")
    seen.append([visitor.drawn(index) for index in HEADS])
    for lane in (0, 1):
        assert seen[0][lane] != seen[1][lane] != seen[2][lane]

    page.keyboard.press("ArrowLeft")
    assert [visitor.drawn(index) for index in HEADS] == seen[1]
    page.keyboard.press("Home")
    expect(slider).to_have_attribute("aria-valuenow", "1")

    page.locator("#stage canvas").first.hover(position={"x": 12, "y": 12})
    expect(page.locator(".stv-pointed").first).to_have_text(
        re.compile(r"^Token 1 “.+” · layer 0 · 0\.\d{3}$")
    )


def test_answers_grow_and_stop_keeps_what_was_written(visit, endless_url, picture):
    visitor = visit(endless_url)
    visitor.allow(4000)
    visitor.ask(picture, QUESTION)
    expect(visitor.page.locator("#ask")).to_be_disabled()
    expect(visitor.status()).to_contain_text("Writing token")
    for lane in LANES:
        expect(visitor.answer(lane)).not_to_be_empty()
    before = visitor.answer("baseline").inner_text()
    expect(visitor.answer("baseline")).not_to_have_text(before)
    assert visitor.answer("baseline").inner_text().startswith(before.rstrip())
    visitor.page.click("#stop")
    visitor.finish()
    expect(visitor.status()).to_contain_text("Stopped after")
    expect(visitor.page.locator(".stv-chip")).to_have_text(["stopped", "stopped"])
    expect(visitor.page.locator("#stop")).to_be_disabled()


def test_a_closed_tab_makes_room_and_a_full_queue_is_said(visit, endless_url, picture):
    first, second, third = (visit(endless_url) for _ in range(3))
    first.allow(4000)
    first.ask(picture, QUESTION)
    expect(first.status()).to_contain_text("Writing token")
    second.allow(4000)
    second.ask(picture, QUESTION)
    expect(second.status()).to_have_text("Waiting for a turn.")
    third.ask(picture, QUESTION)
    expect(third.toast()).to_be_visible()
    expect(third.page.locator("#ask")).to_be_enabled()
    assert [trouble for trouble in third.troubles if "503" not in trouble] == []
    third.troubles.clear()
    first.page.close()
    expect(second.status()).to_contain_text("Writing token")
    second.page.click("#stop")
    second.finish()


def test_hostile_text_is_shown_and_not_run(visit, page_url, picture, tmp_path):
    visitor = visit(page_url)
    page = visitor.page
    visitor.ask(picture, HOSTILE)
    visitor.finish()
    with page.expect_download() as download:
        page.click("#report")
    assert download.value.suggested_filename == "sinktrack-report.html"
    report = tmp_path / "report.html"
    download.value.save_as(report)
    assert page.evaluate("window.hacked") is None

    page.context.set_offline(True)
    page.goto(report.as_uri())
    expect(page.locator("h1")).to_have_text(HOSTILE)
    expect(page.locator("canvas")).to_have_count(4)
    assert page.evaluate("window.hacked") is None
    assert page.evaluate("document.querySelectorAll('img').length") == 1
    visitor.troubles = [t for t in visitor.troubles if t != f"request: {report.as_uri()}"]


def test_what_is_missing_or_unreadable_is_said_and_the_page_stays_usable(
    visit, page_url, picture, tmp_path
):
    visitor = visit(page_url)
    page = visitor.page
    page.click("#ask")
    expect(visitor.toast()).to_contain_text("There is no picture yet")

    garbage = tmp_path / "<b>garbage.png"
    garbage.write_bytes(b"<html>not a picture</html>")
    page.set_input_files("#picture input[type=file]", garbage)
    page.fill("#question textarea", QUESTION)
    page.click("#ask")
    expect(visitor.toast()).to_contain_text("is not a picture that can be read")
    expect(page.locator("#ask")).to_be_enabled()

    page.get_by_label("Remove").or_(page.locator("#picture button[aria-label='Clear']")).click()
    visitor.give(picture, "   ")
    page.click("#ask")
    expect(visitor.toast()).to_contain_text("The question is blank")
    page.fill("#question textarea", QUESTION)
    page.click("#ask")
    visitor.finish()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_nothing_scrolls_sideways(visit, page_url, picture, scheme):
    visitor = visit(page_url, width=390, height=844, color_scheme=scheme)
    page = visitor.page
    page.locator("#settings button").first.click()
    assert visitor.overflow() <= 0
    visitor.ask(picture, QUESTION)
    visitor.finish()
    assert visitor.overflow() <= 0
    card = page.locator(".stv-card").first
    brightness = card.evaluate(
        "card => getComputedStyle(card).backgroundColor.match(/\\d+/g).map(Number)[0]"
    )
    assert brightness < 60 if scheme == "dark" else brightness > 200
    # The answers begin below the fold, so the page went there by itself.
    assert page.locator("#stage").bounding_box()["y"] < 844 / 2
