"""The page as a visitor meets it: ask, watch, look closer, stop, and get it wrong."""

import re
import zipfile

import pytest
from PIL import Image
from playwright.sync_api import expect
from real_page import CHECKPOINT, HEADS, OVERLAY, OVERVIEW, WAIT_MILLISECONDS

import sinktrack
from sinktrack import cli
from sinktrack.core.trace import AttentionTrace
from sinktrack.report.replay import read_replay

QUESTION = "Describe the picture."
HOSTILE = "<img src=x onerror=window.hacked=1> </script> ${window.hacked=2} {{value}} `"
# One worker starts the page and the browser, the others need not.
pytestmark = pytest.mark.xdist_group("browser")
LANES = ("baseline", "sinktrack")


def test_an_example_shows_its_stored_answer_at_once_and_is_asked_with_enter(visit, page_url):
    visitor = visit(page_url)
    page = visitor.page
    page.locator(".st-example").first.click()
    expect(visitor.status()).to_contain_text("Stored with this page")
    expect(page.locator(f"#stage {OVERVIEW}")).to_have_count(2)
    expect(page.locator("#stage .stv-axis-flags").first).to_contain_text("out of view")
    stored = [visitor.answer(lane).inner_text() for lane in LANES]
    expect(page.locator("#picture img")).to_be_visible()
    expect(page.locator("#question textarea")).not_to_have_value("")
    page.locator("#question textarea").press("Enter")
    expect(visitor.status()).to_contain_text("Done after")
    visitor.finish()
    assert [visitor.answer(lane).inner_text() for lane in LANES] == stored
    assert all(visitor.drawn(OVERVIEW, lane)[1] > 8 for lane in (0, 1))
    page.get_by_role("tab", name="Heads", exact=True).click()
    assert all(visitor.drawn(HEADS, lane)[1] > 8 for lane in (0, 1))


def test_a_visitor_meets_an_example_that_is_answered(visit, page_url):
    """Picture, question and answers belong together; asked again, the answers are the same."""
    visitor = visit(page_url)
    page = visitor.page
    expect(visitor.status()).to_contain_text("Stored with this page")
    expect(page.locator("#picture img")).to_be_visible()
    first = page.locator(".st-example .st-question").first.inner_text()
    expect(page.locator("#question textarea")).to_have_value(first)
    nearly = page.locator(".stv-nearly")
    expect(nearly.get_by_role("heading", name="What nearly stood at token 60")).to_be_visible()
    stored = [visitor.answer(lane).inner_text() for lane in LANES]
    assert all(stored)
    page.click("#ask")
    expect(visitor.status()).to_contain_text("Done after")
    assert [visitor.answer(lane).inner_text() for lane in LANES] == stored


def test_a_picture_of_ones_own_sets_the_example_aside(visit, page_url, picture):
    """Answers about another picture go, and so does the window that the example brought."""
    visitor = visit(page_url)
    page = visitor.page
    page.locator(".st-example", has_text="Count from one to forty").first.click()
    expect(page.locator("#unwindow")).to_have_text(re.compile("last 24 tokens"))
    page.set_input_files("#picture input[type=file]", picture)
    expect(visitor.status()).to_contain_text("Ask, and the answers appear here")
    expect(page.locator(f"#stage {OVERVIEW}")).to_have_count(0)
    expect(page.locator("#unwindow")).not_to_be_visible()
    visitor.ask(None, QUESTION)
    expect(visitor.status()).to_contain_text("Done after")
    expect(page.locator("#stage .stv-axis-flags").first).not_to_contain_text("out of view")


def test_a_window_is_seen_and_put_away(visit, page_url):
    """What an example sets stands beside Ask, and one click undoes it."""
    visitor = visit(page_url)
    page = visitor.page
    page.locator(".st-example", has_text="Then tell: is there").first.click()
    expect(page.locator("#question textarea")).to_have_value(re.compile("Then tell: is there"))
    page.click("#unwindow")
    expect(page.locator("#unwindow")).not_to_be_visible()
    page.locator("#settings button").first.click()
    expect(page.get_by_label("Window (tokens)")).to_have_value("0")


def test_a_refusal_leaves_what_was_there(visit, page_url, picture, tmp_path):
    """The comparison, its downloads, and going on from it."""
    visitor = visit(page_url)
    page = visitor.page
    visitor.ask(picture, QUESTION)
    expect(visitor.status()).to_contain_text("Done after")
    before = [visitor.answer(lane).inner_text() for lane in LANES]
    page.fill("#question textarea", "word " * 3000)
    page.click("#ask")
    expect(visitor.toast()).to_contain_text("2000")
    expect(visitor.status()).to_contain_text("No answer")
    assert [visitor.answer(lane).inner_text() for lane in LANES] == before
    expect(page.locator(f"#stage {OVERVIEW}")).to_have_count(2)
    expect(page.locator("#report")).to_be_enabled()
    expect(page.locator("#follow")).to_be_visible()


def test_an_example_is_refused_while_an_answer_is_written(visit, endless_url, picture):
    """In a sentence, and the answer goes on."""
    visitor = visit(endless_url)
    page = visitor.page
    visitor.allow(4000)
    visitor.ask(picture, QUESTION)
    expect(visitor.status()).to_contain_text("Writing token")
    page.locator(".st-example").nth(1).click()
    expect(visitor.toast()).to_contain_text("An answer is being written")
    page.click("#stop")
    expect(visitor.status()).to_contain_text("Stopped after")


def test_an_answer_stays_when_the_event_of_its_picture_comes_late(visit, page_url, picture):
    """On a busy server Ask may be answered before the upload's own event, which makes room."""
    visitor, late = visit(page_url), []
    page = visitor.page
    page.route("**/run/predict", lambda route: late.append(route))
    visitor.ask(picture, QUESTION)
    expect(visitor.status()).to_contain_text("Done after")
    page.route("**/run/predict", lambda route: route.continue_())  # goes before the other
    with page.expect_response("**/run/predict"):
        late[0].continue_()
    for other in late[1:]:
        other.continue_()
    visitor.finish()
    page.wait_for_timeout(500)  # for what may still be drawn
    expect(visitor.status()).to_contain_text("Done after")
    assert visitor.answer("baseline").inner_text()


def test_tokens_are_chosen_by_mouse_and_by_keyboard(visit, page_url, picture):
    visitor = visit(page_url)
    page = visitor.page
    visitor.ask(picture, QUESTION)
    visitor.finish()
    slider = page.get_by_role("slider", name="Plain model")

    def tab(title: str) -> None:
        page.get_by_role("tab", name=title, exact=True).click()

    slider.focus()
    page.keyboard.press("Home")
    expect(slider).to_have_attribute("aria-valuenow", "1")

    def seen() -> list[tuple[int, int]]:
        tab("Heads")
        found = [visitor.drawn(where, lane) for where in (HEADS, OVERLAY) for lane in (0, 1)]
        tab("Over the whole answer")
        slider.focus()
        return found

    shown = [seen()]
    visitor.answer("baseline").locator("[data-token]").nth(2).click()
    expect(slider).to_have_attribute("aria-valuenow", "3")
    shown.append(seen())
    slider.focus()
    page.keyboard.press("ArrowRight")
    expect(slider).to_have_attribute("aria-valuenow", "4")
    expect(page.locator("[data-lane=sinktrack] .stv-on")).to_have_attribute("data-token", "3")
    shown.append(seen())
    for plot in range(4):
        assert shown[0][plot] != shown[1][plot] != shown[2][plot]
    page.keyboard.press("ArrowLeft")
    assert seen() == shown[1]

    page.locator(f"#stage {OVERVIEW}").first.hover(position={"x": 12, "y": 12})
    expect(page.locator(".stv-attention .stv-pointed").first).to_have_text(
        re.compile(r"^Token 1 “.+” · layer 0 · 0\.\d{3}$")
    )


def test_the_difference_view_and_other_quantities_are_drawn_anew(visit, page_url, picture):
    visitor = visit(page_url)
    page = visitor.page
    visitor.ask(picture, QUESTION)
    visitor.finish()
    views = [visitor.drawn(OVERVIEW, 1)]
    over = page.locator(".stv-attention")
    over.get_by_text("Minus Plain model").click()
    expect(page.locator("[data-plot=baseline]")).to_be_hidden()
    expect(page.locator("[data-plot=sinktrack] .stv-heading")).to_have_text(
        "SinkTrack − Plain model"
    )
    low, high = page.locator("[data-plot=sinktrack] .stv-legend").inner_text().split()
    assert float(low) == -float(high) < 0
    views.append(visitor.drawn(OVERVIEW, 1))
    over.get_by_text("Values", exact=True).click()
    for name in ("Picture", "Question", "Own words", "Delivered by BOS", "Probability"):
        over.locator(".stv-choice").get_by_text(name, exact=True).click()
        views.append(visitor.drawn(OVERVIEW, 1))
    assert len(set(views)) == len(views)
    over.locator(".stv-choice").get_by_text("BOS", exact=True).click()
    assert visitor.drawn(OVERVIEW, 1) == views[0]


def test_the_overlay_follows_layers_and_opacity(visit, page_url, picture):
    visitor = visit(page_url)
    page = visitor.page
    visitor.ask(picture, QUESTION)
    visitor.finish()
    views = [visitor.drawn(OVERLAY)]
    page.get_by_role("combobox", name="Layer").select_option("5")
    views.append(visitor.drawn(OVERLAY))
    page.get_by_label("Opacity").fill("0.3")
    views.append(visitor.drawn(OVERLAY))
    assert len(set(views)) == 3
    page.get_by_role("tab", name="Written into BOS").click()
    page.locator(".stv-anchor .stv-source-bar").nth(1).click()
    expect(page.locator(".stv-anchor .stv-chosen")).to_contain_text("of what was written into BOS")
    page.get_by_role("tab", name="Numbers").click()
    tokens = max(page.locator(f"[data-lane={lane}] [data-token]").count() for lane in LANES)
    expect(page.locator(".stv-numbers tbody tr")).to_have_count(tokens)


def test_the_numbers_on_the_page_are_those_of_the_library(visit, page_url, picture):
    visitor = visit(page_url)
    visitor.ask(picture, QUESTION)
    visitor.finish()
    model, processor = sinktrack.load(CHECKPOINT, device="cpu")
    expected = sinktrack.compare(model, processor, image=picture, question=QUESTION)
    visitor.page.get_by_role("tab", name="Numbers").click()
    expect(visitor.page.locator(".stv-numbers tbody tr")).not_to_have_count(0)
    cells = visitor.page.locator(".stv-numbers tbody tr").evaluate_all(
        "rows => rows.map(row => [...row.cells].map(cell => cell.textContent))"
    )
    for column, name in ((2, "baseline"), (4, "sinktrack")):
        sink = expected[name].trace.sink.mean((1, 2)).tolist()
        shown = [float(row[column]) for row in cells if row[column]]
        assert shown == pytest.approx(sink, abs=0.003)
        assert visitor.answer(name).inner_text().startswith(expected[name].text)


def test_what_is_downloaded_holds_what_it_says(visit, page_url, picture, tmp_path):
    visitor = visit(page_url)
    page = visitor.page
    visitor.ask(picture, QUESTION)
    visitor.finish()
    saved = {}
    for button in ("#traces", "#replay"):
        expect(page.locator(button)).to_be_enabled()
        with page.expect_download() as download:
            page.click(button)
        saved[button] = tmp_path / download.value.suggested_filename
        download.value.save_as(saved[button])
    with zipfile.ZipFile(saved["#traces"]) as archive:
        assert archive.namelist() == ["1-baseline.safetensors", "2-sinktrack.safetensors"]
        archive.extractall(tmp_path)
    trace = AttentionTrace.load(tmp_path / "1-baseline.safetensors")
    assert cli.main(["ask", "--device", "cpu", "--replay", str(saved["#replay"])]) == 0
    replay = read_replay(saved["#replay"])
    assert replay.token_ids["baseline"] == tuple(token.id for token in trace.tokens)
    for kind, start in (("PNG", b"\x89PNG"), ("SVG", b"<svg")):
        with page.expect_download() as download:
            page.locator(".stv-attention").get_by_role("button", name=kind).first.click()
        path = tmp_path / download.value.suggested_filename
        download.value.save_as(path)
        assert path.suffix == f".{kind.lower()}" and path.read_bytes().startswith(start)


def test_long_answers_fetch_their_maps_token_by_token(visit, endless_url, picture):
    visitor = visit(endless_url)
    page = visitor.page
    visitor.allow(700)
    visitor.ask(picture, QUESTION)
    visitor.finish(8 * WAIT_MILLISECONDS)
    expect(visitor.status()).to_contain_text("Done after")
    with page.expect_response(lambda response: "maps.bin" in response.url) as fetched:
        visitor.answer("baseline").locator("[data-token]").nth(300).click()
    assert fetched.value.status == 206
    assert len(fetched.value.body()) == 12 * 25
    drawn = "document.querySelector('.stv-one .stv-picture canvas').toDataURL()"
    before = page.evaluate(drawn)
    with page.expect_response(lambda response: "maps.bin" in response.url):
        visitor.answer("baseline").locator("[data-token]").nth(2).click()
    page.wait_for_function(f"before => {drawn} !== before", arg=before)
    expect(page.locator(".stv-one .stv-chosen").first).to_contain_text("of its attention")


def test_two_visitors_at_once_see_their_own(visit, page_url, picture, tmp_path):
    other = tmp_path / "other.png"
    Image.new("RGB", (112, 112), "white").save(other)
    visitors = [visit(page_url), visit(page_url)]
    questions = ("Describe the picture.", "How many shapes are there?")
    for visitor, image, question in zip(visitors, (picture, other), questions, strict=True):
        visitor.ask(image, question)
    for visitor in visitors:
        visitor.finish()
    model, processor = sinktrack.load(CHECKPOINT, device="cpu")
    for visitor, image, question in zip(visitors, (picture, other), questions, strict=True):
        expected = sinktrack.compare(model, processor, image=image, question=question)
        for lane in LANES:
            assert visitor.answer(lane).inner_text().startswith(expected[lane].text)


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
    expect(second.status()).to_have_text("Waiting: 1 person is before you.")
    third.ask(picture, QUESTION)
    expect(third.toast()).to_contain_text("Too many people are waiting")
    expect(third.page.locator("#ask")).to_be_enabled()
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
    expect(page.locator(OVERVIEW)).to_have_count(2)
    assert page.evaluate("window.hacked") is None
    sources = page.evaluate("[...document.querySelectorAll('img')].map(image => image.src)")
    assert len(set(sources)) == 1 and sources[0].startswith("data:image/png")
    visitor.troubles = [t for t in visitor.troubles if t != f"request: {report.as_uri()}"]


def test_what_is_missing_or_unreadable_is_said_and_the_page_stays_usable(
    visit, page_url, picture, tmp_path
):
    visitor = visit(page_url)
    page = visitor.page
    visitor.take_away()
    page.click("#ask")
    expect(visitor.toast()).to_contain_text("There is no picture yet")

    garbage = tmp_path / "<b>garbage.png"
    garbage.write_bytes(b"<html>not a picture</html>")
    page.set_input_files("#picture input[type=file]", garbage)
    page.fill("#question textarea", QUESTION)
    page.click("#ask")
    expect(visitor.toast()).to_contain_text("is not a picture that can be read")
    expect(page.locator("#ask")).to_be_enabled()

    visitor.take_away()
    visitor.give(picture, "   ")
    page.click("#ask")
    expect(visitor.toast()).to_contain_text("The question is blank")
    page.fill("#question textarea", QUESTION)
    page.click("#ask")
    visitor.finish()


def test_while_the_model_loads_the_page_is_there_and_a_question_waits(slow, visit, picture):
    server, go_on = slow
    visitor = visit(server.ready())
    page = visitor.page
    head = page.locator(".st-model")
    expect(head).to_contain_text("loading weights, ")
    expect(head).to_contain_text("seconds so far")
    expect(page.locator(".st-banner")).to_contain_text("This machine has no CUDA GPU")
    page.locator(".st-example").first.click()
    expect(page.locator(f"#stage {OVERVIEW}")).to_have_count(2)
    visitor.ask(picture, QUESTION)
    expect(visitor.status()).to_contain_text("The model is still loading")
    go_on()
    visitor.finish()
    expect(visitor.status()).to_contain_text("Done after")
    expect(head).to_have_text(f"Model: {CHECKPOINT.name}")


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


@pytest.mark.parametrize("width", [390, 1280])
def test_the_chosen_token_stays_in_sight_on_the_page(visit, page_url, width):
    """Gradio's containers around the viewer take nothing of that away."""
    page = visit(page_url, width=width).page
    bar = page.locator(".stv-now")
    page.get_by_role("heading", name="What nearly stood at token 60").scroll_into_view_if_needed()
    page.evaluate("scrollBy(0, 500)")
    expect(bar).to_be_in_viewport(ratio=0.9)
    expect(bar).to_contain_text("here the answers part")


@pytest.mark.parametrize("width", [320, 1280])
def test_headings_of_the_page_go_down_one_step_at_a_time(visit, page_url, picture, width):
    visitor = visit(page_url, width=width)
    visitor.ask(picture, QUESTION)
    visitor.finish()
    levels = visitor.page.evaluate(
        "[...document.querySelectorAll('h1, h2, h3, h4')].filter((each) => each.offsetParent)"
        ".map((each) => Number(each.tagName[1]))"
    )
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in zip(levels, levels[1:], strict=False)), levels
    assert visitor.overflow() <= 0
