"""What stands behind one word: asked of the server, read on the page."""

import re

import pytest
from playwright.sync_api import expect
from real_page import CHECKPOINT

import sinktrack
from sinktrack.why.looks import looks

QUESTION = "Describe the picture."
pytestmark = pytest.mark.xdist_group("browser")


def test_why_a_token_stands_there_is_asked_of_the_server(visit, page_url, picture):
    """What is read on the page is what the library says, and a probe tells what a patch is for."""
    visitor = visit(page_url)
    page = visitor.page
    visitor.ask(picture, QUESTION)
    visitor.finish()
    visitor.answer("baseline").locator("[data-token]").nth(4).click()
    page.get_by_role("button", name="Look inside").click()
    table = page.locator(".stv-why [class*=stv-lens]").first
    expect(table).to_be_visible()
    model, processor = sinktrack.load(CHECKPOINT, device="cpu")
    compared = sinktrack.compare(model, processor, image=picture, question=QUESTION)
    said = sinktrack.explain(model, processor, compared, 4)["baseline"]
    rows = table.locator("tbody tr").evaluate_all(
        "rows => rows.map((row) => [...row.cells].map((cell) => cell.textContent))"
    )
    for layer, (number, words, rank) in zip(reversed(range(len(said.lens))), rows, strict=True):
        assert number == str(layer)
        assert words.startswith(said.lens[layer][0].text.strip() or "␣")
        own = int(said.ranks[layer])
        assert rank == ("first" if own == 1 else f"place {own:,}")
    # a word of the prompt: how strongly it was looked at, and which words looked there
    page.get_by_role("combobox", name="Layer").select_option("7")
    page.get_by_role("combobox", name="Head").select_option("2")
    word = page.locator(".stv-why .stv-side").first.get_by_role("option", name="picture").first
    place = int(word.get_attribute("data-place"))
    shown = float(word.get_attribute("title").split("·")[1])
    assert shown == pytest.approx(float(said.attention[7, 2, place]), abs=2e-4)
    word.click()
    looked = looks(model, processor, compared, 4, layer=7, head=2)["baseline"][:, place]
    own = page.locator(".stv-why .stv-own").first.locator(".stv-own-word")
    expect(own).to_have_count(5)
    values = [
        float(each.split("·")[1]) for each in own.evaluate_all("all => all.map((e) => e.title)")
    ]
    assert values == pytest.approx(looked.tolist(), abs=2e-4)
    page.get_by_role("button", name="Cover this").click()
    result = page.locator(".stv-result")
    expect(result).to_contain_text("the plain model gives")
    page.get_by_role("button", name="Silence head 7.2").click()
    expect(result).to_contain_text("with this head silenced")
    page.get_by_text("The word’s own logit (TAM)").click()
    expect(page.locator(".stv-one .stv-chosen").first).to_contain_text("Highest")
    [map_] = sinktrack.activation_maps(model, processor, compared, 4)["baseline"]
    highest = float(
        re.search(r"[\d.]+\d", page.locator(".stv-one .stv-chosen").first.inner_text())[0]
    )
    assert highest == pytest.approx(float(map_.max()), abs=0.005)


def test_the_others_go_on_from_the_words_of_one_method(visit, page_url):
    """At the parting, by one button; what was told is marked, in the report as well."""
    visitor = visit(page_url)
    page = visitor.page
    # with another window each answer forgets in its own way
    page.locator(".st-example").first.click()
    expect(visitor.status()).to_contain_text("Stored with this page")
    expect(page.locator(".stv-force")).to_have_count(0)  # nobody has asked yet
    page.locator("#ask").click()
    expect(visitor.status()).to_contain_text("Done after")
    visitor.finish()
    buttons = page.locator(".stv-force:visible")
    expect(buttons).not_to_have_count(0)  # the chosen token is where they part
    at = int(page.locator("[data-lane=sinktrack] .stv-on").get_attribute("data-token"))
    word = visitor.answer("sinktrack").locator("[data-token]").nth(at).inner_text()
    buttons.last.click()
    expect(page.locator("[data-lane=baseline] .stv-told")).to_have_count(at + 1)
    assert visitor.answer("baseline").locator("[data-token]").nth(at).inner_text() == word
    expect(visitor.status()).to_contain_text("Done after")


def test_the_heads_that_look_at_a_shape_are_found_and_a_whole_picture_is_covered(visit, page_url):
    """What the first head gives to the chosen patch is the most of all, in the list and alone."""
    visitor = visit(page_url)
    page = visitor.page
    page.locator(".st-example", has_text="black triangle").click()
    expect(page.locator(".stv-now .stv-title")).to_have_text("Token 1")
    expect(page.locator(".stv-why-hint")).to_contain_text("Press Ask")
    page.click("#ask")
    expect(visitor.status()).to_contain_text("Done after")
    page.get_by_role("button", name="Look inside").click()
    picture = page.locator(".stv-why .stv-picture").first
    box = picture.bounding_box()
    picture.click(position={"x": 0.9 * box["width"], "y": 0.1 * box["height"]})
    page.get_by_role("button", name="Which heads looked here").click()
    expect(page.get_by_role("tab", name="Heads")).to_be_focused()
    expect(page.get_by_role("radio", name="On what is chosen")).to_be_checked()
    first = page.locator(".stv-finder .stv-side").first.locator(".stv-heads li").first
    share = float(first.locator(".stv-much").inner_text())
    first.locator("button").click()
    own = page.locator(".stv-why .stv-own").first.locator(".stv-own-word").first
    title = re.compile(rf"token 1 · {share:.3f}")
    expect(own).to_have_attribute("title", title)
    page.get_by_role("button", name="Choose the picture").click()
    page.get_by_role("button", name="Cover these 25").click()
    expect(page.locator(".stv-result")).to_contain_text("with these 25 tokens covered")
