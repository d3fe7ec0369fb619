"""How the viewer is laid out on wide pages, phones and paper, and how it is used by keyboard."""

import pytest
import torch
from made_up import HEADS, LAYERS, comparison, lane, tab, with_sink_patches
from playwright.sync_api import expect

pytestmark = pytest.mark.xdist_group("browser")


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
    page.locator(".stv").evaluate("viewer => viewer.scrollIntoView({ block: 'end' })")
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


def test_a_tick_is_seen_whatever_the_page_does_to_boxes(show, mixed):
    page = show(mixed | {"lanes": with_sink_patches(mixed["lanes"])})
    page.add_style_tag(content="input[type=checkbox] { appearance: none; background: white; }")
    box = page.get_by_label("Leave out sink patches")
    before = box.screenshot()
    box.check()
    assert box.evaluate("box => getComputedStyle(box).appearance") == "auto"
    assert box.screenshot() != before
    expect(page.locator(".stv-one .stv-chosen").first).to_contain_text("Sink patches: ")


def test_everything_fits_a_phone(show, mixed):
    page = show(mixed, width=390)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
