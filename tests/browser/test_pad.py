"""A visitor draws a scene, asks about it, is told what is right, and whether it is chance."""

import json

import pytest
from PIL import Image
from playwright.sync_api import expect

pytestmark = pytest.mark.xdist_group("browser")


def opened(visit, page_url, **options):
    visitor = visit(page_url, **options)
    visitor.page.locator("#draw > button").click()
    expect(visitor.page.locator(".st-cell").first).to_be_visible()
    return visitor


def test_a_scene_is_drawn_by_keyboard_alone_and_its_answer_judged(visit, page_url):
    visitor = opened(visit, page_url)
    page = visitor.page
    page.locator(".st-brush input[value=star]").focus()
    page.keyboard.press("Space")
    page.locator(".st-cell[tabindex='0']").focus()
    for key in ("ArrowDown", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    cell = page.get_by_role("button", name="row two column two: large red star")
    expect(cell).to_be_focused()
    expect(page.locator("#picture img")).to_be_visible()
    page.get_by_role("button", name="Is there a blue circle").or_(
        page.get_by_role("button", name="Do you see a blue circle")
    ).first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#ask")).to_be_focused()
    assert "blue circle" in page.locator("#question textarea").input_value()
    page.keyboard.press("Enter")
    visitor.finish()
    expect(page.locator(".st-verdict")).to_contain_text("Right: No, there is no blue circle.")
    expect(page.locator(".st-judgements li")).to_have_count(2)


def test_what_is_drawn_last_is_what_is_shown_however_fast_somebody_clicks(visit, page_url):
    page = opened(visit, page_url).page
    for at in range(6):
        page.locator(".st-cell").nth(at * 4).click()
    page.locator(".st-cell").nth(3).click()
    expect(page.locator(".st-pad-said")).to_contain_text("6 things are the most")
    page.locator(".st-empty").click()
    expect(page.locator("#picture img")).to_have_count(0)
    expect(page.locator(".st-offer")).to_have_count(0)


@pytest.mark.parametrize("width", [320, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pad_fits_a_phone(visit, page_url, width, scheme):
    visitor = opened(visit, page_url, width=width, height=844, color_scheme=scheme)
    page = visitor.page
    page.locator(".st-random").click()
    expect(page.locator(".st-offer").first).to_be_visible()
    assert visitor.overflow() <= 0
    sides = page.locator("#pad :is(button, .st-sample, .st-usual)").evaluate_all(
        "all => all.map(e => e.getBoundingClientRect()).flatMap(b => [b.width, b.height])"
    )
    assert min(sides) >= 24


def test_an_example_says_which_answer_is_right_at_once(visit, page_url):
    page = visit(page_url).page
    page.locator(".st-example", has_text="invents a usual companion").click()
    expect(page.locator(".st-verdict")).to_contain_text("Right: No, there is no")
    expect(page.locator(".st-wrong-word").first).to_be_visible()


def test_fifty_questions_end_in_figures(visit, page_url):
    visitor = visit(page_url, width=390, height=844)
    page = visitor.page
    example = page.locator(".st-example", has_text="invents a usual companion")
    example.click()
    question = example.locator(".st-question").inner_text()
    expect(page.locator("#question textarea")).to_have_value(question)
    page.locator("#chance > button").click()
    page.locator("#ask-many").click()
    expect(page.locator(".st-results-title")).to_have_text("50 questions: existence, adversarial")
    expect(page.locator(".st-method")).to_have_count(2)
    expect(page.locator(".st-conclusions li")).to_have_count(1)
    expect(page.locator("#ask-many")).to_be_enabled()
    assert visitor.overflow() <= 0


def test_fifty_questions_can_be_stopped(visit, page_url):
    page = visit(page_url).page
    page.locator("#chance > button").click()
    page.locator("#chance-kind input").click()
    page.get_by_role("option", name="delayed phrase").click()
    page.locator("#ask-many").click()
    expect(page.locator(".st-chance-done")).to_be_visible()
    page.locator("#chance-stop").click()
    expect(page.locator("#ask-many")).to_be_enabled()
    expect(page.locator("#chance-stop")).to_be_disabled()


def test_a_visitors_own_questions_are_asked_and_wrong_lines_are_named(
    visit, page_url, tmp_path, picture
):
    visitor = visit(page_url)
    page = visitor.page
    lines = [
        {"question": "Is there a red circle?", "answer": "Yes", "image": picture.name},
        {"question": "Is there a blue star?", "answer": "No", "image": picture.name},
    ]
    (tmp_path / "own.jsonl").write_text("\n".join(map(json.dumps, lines)))
    (tmp_path / "bad.jsonl").write_text('{"question": "<b>?"}')
    page.locator("#chance > button").click()
    page.locator("#chance-own button").first.click()
    page.set_input_files("#question-files input[type=file]", tmp_path / "bad.jsonl")
    expect(page.locator("#question-files")).to_contain_text("bad")
    page.locator("#ask-own").click()
    expect(visitor.toast()).to_contain_text("Line 1 has no answer")
    page.locator("#question-files button[aria-label='Clear']").or_(
        page.locator("#question-files button[title='Clear']")
    ).first.click()
    page.set_input_files("#question-files input[type=file]", [tmp_path / "own.jsonl", picture])
    expect(page.locator("#question-files")).to_contain_text("own")
    page.locator("#ask-own").click()
    expect(page.locator(".st-results-title")).to_have_text("2 questions: your own")


def test_a_picture_that_the_model_does_not_know_gets_a_notice(visit, page_url, tmp_path):
    Image.linear_gradient("L").resize((300, 200)).save(tmp_path / "sky.png")
    visitor = visit(page_url)
    visitor.ask(tmp_path / "sky.png", "Is there a red star?")
    visitor.finish()
    expect(visitor.page.locator(".st-notices")).to_contain_text("unlike all that the bundled model")
