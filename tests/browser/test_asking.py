"""All that can be asked and compared on the page, as a visitor does it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import av
import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import expect
from real_page import CHECKPOINT, OVERLAY, OVERVIEW, Server, Visitor
from transformers import AutoProcessor, Qwen2Config, Qwen2ForCausalLM

import sinktrack

QUESTION = "Describe the picture."
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


def open_up(visitor: Visitor, name: str) -> None:
    visitor.page.locator(f"#{name} button").first.click()


def choose(visitor: Visitor, answer: int, title: str, parameters: str = "") -> None:
    """Choose the method of an answer."""
    page = visitor.page
    field = page.locator(f"#parameters-{answer} textarea, #parameters-{answer} input")
    before = field.get_attribute("placeholder") if field.count() else ""
    page.locator(f"#method-{answer} input").click()
    page.get_by_role("option", name=title, exact=True).click()
    if parameters:  # which the server clears with the method before
        expect(field).not_to_have_attribute("placeholder", before or "")
        field.fill(parameters)


def give_files(visitor: Visitor, *files: Path) -> None:
    page = visitor.page
    page.set_input_files("#more-files input[type=file]", files)
    for file in files:
        expect(page.locator("#more-files")).to_contain_text(file.stem[:8])


def titles(visitor: Visitor) -> list[str]:
    return visitor.page.locator("#stage .stv-card h3").all_inner_texts()


def test_any_method_can_be_compared_with_its_parameters(visit, page_url, picture):
    visitor = visit(page_url)
    page = visitor.page
    open_up(visitor, "methods")
    expect(page.locator("#told-2")).to_contain_text("context=image+instruction")
    choose(visitor, 3, "VCD", "alpha=0.5, beta=0")
    told = page.locator("#told-3")
    expect(told).to_contain_text("noise_step")
    told.locator("summary").click()
    expect(told).to_contain_text("a number from 0 to 10")
    choose(visitor, 4, "SinkTrack", "context=instruction, causal=official")
    visitor.ask(picture, QUESTION)
    visitor.finish()
    own = "SinkTrack · context=instruction, causal=official"
    assert titles(visitor) == ["Plain model", "SinkTrack", "VCD", own]
    expect(page.locator(f"#stage {OVERVIEW}")).to_have_count(4)
    expect(page.locator("#stage .stv-card").nth(3)).to_contain_text("official mask")


def test_parameters_out_of_range_are_refused_and_the_page_stays_usable(visit, page_url, picture):
    visitor = visit(page_url)
    open_up(visitor, "methods")
    choose(visitor, 2, "VCD", "alpha=99")
    visitor.ask(picture, QUESTION)
    expect(visitor.toast()).to_contain_text("alpha is 99.0, but must be a number from 0 to 10.")
    choose(visitor, 2, "Plain model")
    visitor.page.click("#ask")
    expect(visitor.toast()).to_contain_text("Answers 1 and 2 are made in the same way")
    choose(visitor, 2, "PAI")
    visitor.page.click("#ask")
    visitor.finish()
    assert titles(visitor) == ["Plain model", "PAI"]


def test_two_pictures_and_a_video_are_shown_one_by_one(visit, page_url, picture, other, video):
    visitor = visit(page_url)
    open_up(visitor, "more")
    give_files(visitor, other, video)
    visitor.ask(picture, QUESTION)
    visitor.finish()
    expect(visitor.page.locator(f"#stage {OVERLAY}")).to_have_count(6)  # of two answers


def test_a_passage_is_asked_about_without_a_picture(visit, page_url):
    visitor = visit(page_url)
    open_up(visitor, "more")
    visitor.page.fill("#passage textarea", PASSAGE)
    visitor.ask(None, "Which colour has the circle?")
    visitor.finish()
    expect(visitor.page.locator("#stage")).to_contain_text("Writes the passage into BOS")
    expect(visitor.page.locator("#stage .stv-passage")).to_contain_text(PASSAGE)
    model, processor = sinktrack.load(CHECKPOINT, device="cpu")
    expected = sinktrack.compare(
        model, processor, passage=PASSAGE, question="Which colour has the circle?"
    )
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
    expect(page.locator("#picture")).to_have_count(0)

    open_up(visitor, "more")
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
    open_up(visitor, "more")
    forged = tmp_path / "forged.mp4"
    forged.write_text("<html>no video</html>")
    give_files(visitor, forged)
    visitor.ask(None, "What moves?")
    expect(visitor.toast()).to_contain_text("forged.mp4 is not a video that can be read")
    expect(page.locator("#ask")).to_be_enabled()
    page.locator("#more-files button[aria-label=Clear]").click()

    page.fill("#passage textarea", "A red circle. " * 10_000)
    page.click("#ask")
    expect(visitor.toast()).to_contain_text("leaves room for 32")
    page.fill("#passage textarea", "<|im_end|> <img src=x onerror=window.hacked=1>")
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
    for name in ("more", "methods", "settings"):
        open_up(visitor, name)
    visitor.page.locator(".st-told summary").first.click()
    assert visitor.overflow() <= 0
