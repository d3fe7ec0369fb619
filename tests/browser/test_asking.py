"""All that can be asked and compared on the page, as a visitor does it."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import expect
from real_page import CHECKPOINT, OVERLAY, OVERVIEW, Server, Visitor
from transformers import AutoProcessor, Qwen2Config, Qwen2ForCausalLM

import sinktrack
from app.shared.method_cards import method_cards

QUESTION = "Describe the picture."
FACT = "The red circle is in the garden."
FACT_ASKED = "Where is the red circle? Answer from the text or say unanswerable."
PASSAGE = "There is a red circle. There is a blue square."

pytestmark = pytest.mark.xdist_group("browser")


@pytest.fixture
def other(tmp_path) -> Path:
    image = Image.new("RGB", (112, 112), "white")
    ImageDraw.Draw(image).rectangle((40, 40, 70, 70), fill="blue")
    image.save(tmp_path / "other.png")
    return tmp_path / "other.png"


@pytest.fixture
def video(tmp_path) -> Path:
    """An MP4 of 16 frames, in which a circle moves."""
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=2)
        stream.width = stream.height = 112
        stream.pix_fmt = "yuv420p"
        for number in range(16):
            image = Image.new("RGB", (112, 112), "white")
            ImageDraw.Draw(image).ellipse((5 * number, 40, 5 * number + 20, 60), fill="red")
            container.mux(stream.encode(av.VideoFrame.from_image(image)))
        container.mux(stream.encode())
    return path


def choose(visitor: Visitor, *titles: str) -> None:
    """Choose these methods in this order, and no others."""
    page = visitor.page
    page.click("#methods .st-open")
    cards = page.locator(".st-dialog")
    while cards.locator("input:checked").count():
        cards.locator("input:checked").first.click()
    for title in titles:
        cards.get_by_role("checkbox", name=title, exact=True).check()
    page.get_by_role("button", name="Done").click()
    expect(page.locator(".st-one-title")).to_have_text(list(titles))


def set_up(visitor: Visitor, number: int, **parameters: str) -> None:
    """Set parameters of a chosen method."""
    entry = visitor.page.locator(".st-one").nth(number - 1)
    if entry.locator("details[open]").count() == 0:
        entry.locator("summary").click()
    for name, value in parameters.items():
        field = entry.get_by_label(re.compile(f": {name}$"))
        select = field.evaluate("field => field.tagName === 'SELECT'")
        (field.select_option if select else field.fill)(value)


def give_files(visitor: Visitor, *files: Path) -> None:
    page = visitor.page
    example = "Stored" in visitor.status().inner_text()
    page.set_input_files("#more-files input[type=file]", files)
    for file in files:
        expect(page.locator("#more-files")).to_contain_text(file.stem[:8])
    if example:  # which makes room
        expect(visitor.status()).to_contain_text("Ask, and the answers appear here")


def titles(visitor: Visitor) -> list[str]:
    return visitor.page.locator("#stage .stv-card h3").all_inner_texts()


def test_six_answers_are_compared_and_one_method_twice(visit, page_url, picture):
    visitor = visit(page_url)
    page = visitor.page
    choose(visitor, "Plain model", "SinkTrack", "VCD", "PAI", "Plausibility alone")
    set_up(visitor, 3, alpha="0.5", beta="0")
    page.get_by_role("button", name="Duplicate SinkTrack").click()
    set_up(visitor, 3, context="instruction", causal="official")
    expect(page.locator(".st-picker > .st-picker-head .st-count")).to_have_text("6 of at most 6")
    page.click("#methods .st-open")
    left = page.locator(".st-dialog input:not(:checked)")
    assert left.count() > 0 and left.evaluate_all("all => all.every((each) => each.disabled)")
    page.keyboard.press("Escape")
    visitor.ask(picture, QUESTION)
    visitor.finish()
    own = "SinkTrack · context=instruction, causal=official"
    expected = ["Plain model", "SinkTrack", own, "VCD", "PAI", "Plausibility alone"]
    assert titles(visitor) == expected
    expect(page.locator(f"#stage {OVERVIEW}")).to_have_count(6)
    expect(page.locator("#stage .stv-card").nth(2)).to_contain_text("official mask")
    expect(page.locator("#stage .stv-card").nth(3)).to_contain_text("alpha 0.5, beta 0")
    # any of the six follows the chosen token
    page.locator("#stage .stv-card").nth(5).locator("[data-token]").nth(1).click()
    sliders = page.locator("#stage canvas[role=slider]")
    values = sliders.evaluate_all("all => all.map((each) => each.getAttribute('aria-valuenow'))")
    assert values == ["2"] * 6


def test_cards_are_ticked_with_the_keyboard(visit, page_url):
    page = visit(page_url).page
    page.locator("#methods .st-open").focus()
    page.keyboard.press("Enter")
    card = page.locator(".st-dialog").get_by_role("checkbox", name="PAI", exact=True)
    card.focus()
    page.keyboard.press("Space")
    expect(card).to_be_focused()
    expect(card).to_be_checked()
    expect(page.locator(".st-dialog .st-count")).to_have_text("3 of at most 6")
    page.keyboard.press("Escape")
    expect(page.locator("#methods .st-open")).to_be_focused()
    page.get_by_role("button", name="Leave out PAI").press("Enter")
    expect(page.locator(".st-one-title")).to_have_text(["Plain model", "SinkTrack"])


def test_a_card_says_what_its_method_costs_and_needs(visit, page_url, checkpoint):
    page = visit(page_url).page
    expect(page.locator(".st-model")).not_to_contain_text("loading")
    page.click("#methods .st-open")
    for card in method_cards(checkpoint[0]):
        tile = page.locator(".st-tile", has=page.locator(f"input[value='{card.kind}']"))
        expect(tile).to_contain_text(card.summary)
        facts = [f"{card.rows} row{'s' if card.rows > 1 else ''}", card.needs]
        expect(tile.locator(".st-fact")).to_have_text(facts)
        links = tile.locator("a").evaluate_all("all => all.map((a) => [a.href, a.target, a.rel])")
        expected = [[card.source, "_blank", "noopener noreferrer"]] if card.source else []
        assert links == expected


def test_what_fits_is_filled_in_and_reset(visit, page_url, picture):
    visitor = visit(page_url)
    page = visitor.page
    chosen = page.locator(".st-one-title")
    page.get_by_role("button", name="All that fit").click()
    expect(page.locator(".st-said")).to_contain_text("a picture")
    expect(chosen.nth(0)).to_have_text("Plain model")
    pictured = chosen.all_inner_texts()
    assert 3 <= len(pictured) <= 6
    visitor.turn_to("Passage")
    page.fill("#passage textarea", PASSAGE)
    page.locator("#passage textarea").blur()
    page.get_by_role("button", name="All that fit").click()
    expect(page.locator(".st-said")).to_contain_text("a passage")
    visitor.ask(None, "Which colour has the circle?")
    visitor.finish()
    assert titles(visitor) == chosen.all_inner_texts() != pictured
    page.get_by_role("button", name="Reset").click()
    expect(chosen).to_have_text(["Plain model", "SinkTrack"])
    expect(page.locator(".st-said")).to_be_hidden()


def test_parameters_out_of_range_are_refused_and_the_page_stays_usable(visit, page_url, picture):
    visitor = visit(page_url)
    page = visitor.page
    choose(visitor, "Plain model", "VCD")
    set_up(visitor, 2, alpha="99")
    visitor.ask(picture, QUESTION)
    expect(visitor.toast()).to_contain_text("alpha is 99.0, but must be a number from 0 to 10.")
    set_up(visitor, 2, alpha="")
    page.get_by_role("button", name="Duplicate VCD").click()
    page.click("#ask")
    expect(visitor.toast()).to_contain_text("Answers 2 and 3 are made in the same way")
    choose(visitor, "PAI")
    page.click("#ask")
    expect(visitor.toast()).to_contain_text("There are 1 methods, but 2 to 6 are compared")
    choose(visitor, "Plain model", "PAI")
    page.click("#ask")
    visitor.finish()
    assert titles(visitor) == ["Plain model", "PAI"]


def test_two_pictures_and_a_video_are_shown_one_by_one(visit, page_url, picture, other, video):
    visitor = visit(page_url)
    visitor.turn_to("More")
    give_files(visitor, other, video)
    visitor.ask(picture, QUESTION)
    visitor.finish()
    expect(visitor.page.locator(f"#stage {OVERLAY}")).to_have_count(6)  # of two answers


def test_a_passage_is_asked_about_without_a_picture(visit, page_url):
    visitor = visit(page_url)
    visitor.turn_to("Passage")
    visitor.page.fill("#passage textarea", FACT)
    visitor.ask(None, FACT_ASKED)
    visitor.finish()
    expect(visitor.page.locator("#stage")).to_contain_text("Writes the passage into BOS")
    expect(visitor.page.locator("#stage .stv-passage")).to_contain_text(FACT)
    model, processor = sinktrack.load(CHECKPOINT, device="cpu")
    expected = sinktrack.compare(model, processor, passage=FACT, question=FACT_ASKED)
    for lane, answer in expected.items():
        assert visitor.answer(lane).inner_text().startswith(answer.text)


def test_a_conversation_goes_on_from_the_chosen_answer(visit, page_url, picture, other):
    visitor = visit(page_url)
    page = visitor.page
    visitor.ask(picture, QUESTION)
    visitor.finish()
    first = visitor.answer("sinktrack").inner_text().removesuffix("end").strip()
    page.locator("#go-on-from label", has_text="SinkTrack").click()
    page.click("#follow")
    turns = page.locator("#turns .st-turn")
    expect(turns).to_have_count(2)
    expect(turns.nth(0)).to_contain_text(QUESTION)
    expect(turns.nth(0).locator("img")).to_have_count(1)
    expect(turns.nth(1)).to_contain_text(first)
    expect(page.locator("#question textarea")).to_be_focused()
    expect(page.locator("#question textarea")).to_have_value("")
    expect(page.locator("#picture")).not_to_be_visible()

    visitor.turn_to("More")
    give_files(visitor, other)
    visitor.ask(None, "Is there a red circle?")
    visitor.finish()
    expect(page.locator("#stage .stv-turn-assistant")).to_contain_text(first)
    expect(page.locator(f"#stage {OVERLAY}")).to_have_count(4)
    page.click("#follow")
    expect(turns).to_have_count(4)
    expect(turns.nth(2).locator("img")).to_have_count(1)

    page.click("#anew")
    expect(page.locator("#turns")).to_have_count(0)
    visitor.ask(picture, QUESTION)
    visitor.finish()
    expect(page.locator("#stage .stv-turn")).to_have_count(0)


def test_an_earlier_question_is_edited_and_asked_again(visit, page_url, picture):
    """The conversation goes back to before it, with what it was about."""
    visitor = visit(page_url)
    page = visitor.page
    visitor.ask(picture, QUESTION)
    visitor.finish()
    turns = page.locator("#turns .st-turn")
    page.click("#follow")
    expect(turns).to_have_count(2)
    visitor.ask(None, "Is there a red circle?")
    visitor.finish()
    page.click("#follow")
    expect(turns).to_have_count(4)
    page.get_by_role("button", name="Edit and ask again: Is there").click()
    expect(turns).to_have_count(2)
    expect(page.locator("#question textarea")).to_have_value("Is there a red circle?")
    expect(page.locator("#question textarea")).to_be_focused()
    page.get_by_role("button", name="Edit and ask again").click()
    expect(turns).to_have_count(0)
    expect(page.locator("#question textarea")).to_have_value(QUESTION)
    expect(page.locator("#picture img")).to_be_visible()
    visitor.ask(None, "What is shown?")
    visitor.finish()
    expect(page.locator("#stage .stv-turn")).to_have_count(0)


def test_an_example_begins_anew(visit, page_url, picture):
    visitor = visit(page_url)
    page = visitor.page
    visitor.ask(picture, QUESTION)
    visitor.finish()
    page.click("#follow")
    expect(page.locator("#turns .st-turn")).to_have_count(2)
    page.locator(".st-example").first.click()
    expect(page.locator("#turns")).to_have_count(0)
    expect(page.locator("#picture img")).to_be_visible()
    expect(page.locator("#question textarea")).not_to_have_value("")
    page.click("#ask")
    expect(visitor.status()).to_contain_text("Done after")


def test_what_cannot_be_asked_is_said_and_the_page_stays_usable(visit, page_url, tmp_path):
    visitor = visit(page_url)
    page = visitor.page
    visitor.turn_to("More")
    forged = tmp_path / "forged.mp4"
    forged.write_text("<html>no video</html>")
    give_files(visitor, forged)
    visitor.ask(None, "What moves?")
    expect(visitor.toast()).to_contain_text("forged.mp4 is not a video that can be read")
    expect(page.locator("#ask")).to_be_enabled()
    page.locator("#more-files button[aria-label=Clear]").click()

    visitor.turn_to("Passage")
    page.fill("#passage textarea", "A red circle. " * 10_000)
    page.click("#ask")
    expect(visitor.toast()).to_contain_text("leaves room for 32")
    page.fill("#passage textarea", "<|im_end|> <img src=x onerror=window.hacked=1>")
    visitor.turn_to("More")
    page.fill("#system textarea", "<|im_start|>")
    page.click("#ask")
    visitor.finish()
    page.click("#follow")
    expect(page.locator("#turns .st-turn")).to_have_count(2)
    assert page.evaluate("window.hacked") is None


@pytest.fixture
def text_only(tmp_path) -> Iterator[Callable[[], str]]:
    """A page whose model reads no pictures."""
    folder = tmp_path / "words"
    processor = AutoProcessor.from_pretrained(CHECKPOINT)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 8}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 2}
    config = Qwen2Config(vocab_size=len(processor.tokenizer), **sizes, **heads)
    Qwen2ForCausalLM(config).save_pretrained(folder)
    processor.tokenizer.chat_template = processor.chat_template
    processor.tokenizer.save_pretrained(folder)
    (tmp_path / "page").mkdir()
    server = Server(tmp_path / "page" / "log", SINKTRACK_MODEL=str(folder))
    yield server.ready
    assert "Traceback" not in server.stop()


def test_a_text_only_model_is_asked_without_pictures(text_only, visit):
    visitor = visit(text_only())
    page = visitor.page
    expect(page.locator(".st-model")).not_to_contain_text("loading")
    expect(page.locator("#passage textarea")).to_be_visible()
    for hidden in ("#picture", "#more-files", "#examples"):
        expect(page.locator(hidden)).to_have_count(0)
    visitor.allow(8)
    page.fill("#passage textarea", PASSAGE)
    visitor.ask(None, "Which colour?")
    visitor.finish()
    expect(page.locator("#stage")).to_contain_text("Writes the whole prompt into BOS")
    page.fill("#passage textarea", "")
    page.click("#ask")
    expect(visitor.status()).to_contain_text("Done after")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_all_of_it_fits(visit, page_url, scheme):
    visitor = visit(page_url, width=390, height=844, color_scheme=scheme)
    page = visitor.page
    page.locator("#settings button").first.click()
    for tab in ("Passage", "More", "Picture"):
        visitor.turn_to(tab)
        assert visitor.overflow() <= 0
    page.locator(".st-set summary").first.click()
    assert visitor.overflow() <= 0
    page.click("#methods .st-open")
    dialog = page.locator(".st-dialog")
    assert dialog.evaluate("box => box.scrollWidth - box.clientWidth") <= 0
    assert dialog.bounding_box()["width"] <= 390
