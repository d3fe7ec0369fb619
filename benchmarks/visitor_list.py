"""Twelve tasks as a stranger is given them, each with what the visitor must see in the end.

A task is done by any of `visitor_hands`; it fails with an AssertionError.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from playwright.sync_api import Locator, Page, expect
from visitor_hands import Pointer

PASSAGE = "There is a red circle. There is a blue square."
SVG = "{http://www.w3.org/2000/svg}svg"
GRID = 5  # patches a side of the bundled model's pictures
SHAPE = (0, 4)  # row and column of the green triangle in the picture of the example below
EXAMPLE = "Do you see a black triangle?"
PARTS = ("Count from one to forty. Then tell: is there a red square?", "Token 60")
"""An example with the token at which its two answers part."""


class Visit:
    """A visitor who has just arrived.

    Args:
        page: As it is met.
        hands: What the visitor acts with.
        again: Opens an address for somebody else.
        patience: Milliseconds that an answer may take.
    """

    def __init__(
        self, page: Page, hands: Pointer, again: Callable[[str], Page], patience: int
    ) -> None:
        self.page, self.hands, self.again, self.patience = page, hands, again, patience

    def named(self, name: str) -> Locator:
        """Return a button by its name."""
        return self.page.get_by_role("button", name=name, exact=True)

    def tab(self, name: str) -> Locator:
        """Return a tab by its name."""
        return self.page.get_by_role("tab", name=name, exact=True)

    def see(self, what: Locator) -> Locator:
        """Bring something into sight and require that it is."""
        what.scroll_into_view_if_needed()
        expect(what).to_be_in_viewport()
        return what

    def ask(self) -> None:
        """Press Ask and wait for the answers."""
        self.hands.press(self.page.locator("#ask"))
        self.wait()

    def wait(self) -> None:
        """Wait for the answers and what can be taken away."""
        status = self.page.locator(".st-status-text")
        expect(status).to_have_text(re.compile("^Done after"), timeout=self.patience)
        expect(self.page.locator("#ask")).to_be_enabled(timeout=self.patience)

    def example(self, question: str = EXAMPLE, chosen: str = "Token 1") -> None:
        """Choose an example, with its picture in view."""
        self.hands.press(self.page.locator(".st-example", has_text=question))
        expect(self.page.locator("#question textarea")).to_have_value(question)
        expect(self.page.locator(".stv-now .stv-title")).to_have_text(chosen)

    def look(self) -> None:
        """Look inside the chosen word."""
        self.hands.press(self.named("Look inside"))
        expect(self.page.locator(".stv-lens")).to_have_count(2, timeout=self.patience)

    def answer(self, lane: str) -> str:
        """Return the words of an answer."""
        return self.page.locator(f"[data-lane={lane}] .stv-words").inner_text()


def where_they_differ(visit: Visit) -> None:
    """See that they differ, and both words at which they part."""
    page = visit.page
    visit.see(page.locator(".st-agreement", has_text="The two answers differ."))
    parting = page.locator(".stv-parts")
    expect(parting).to_have_count(2)
    words = parting.all_inner_texts()
    assert words[0] != words[1], f"Both answers are marked at {words[0]!r}."
    strip = page.locator(".stv-now")
    for word in words:
        expect(strip.locator(".stv-said")).to_contain_text(word.strip())
    expect(strip.get_by_text("here the answers part")).to_be_visible()
    visit.see(page.locator(".st-wrong-word").first)


def what_the_picture_decided(visit: Visit) -> None:
    """See which word loses most without the picture, and choose it."""
    visit.example()
    visit.ask()
    visit.hands.press(visit.tab("From the picture"))
    visit.hands.press(visit.named("Ask again without it"))
    first = visit.page.locator(".stv-reliance .stv-heads").first.locator("li")
    expect(first.first).to_be_visible(timeout=visit.patience)
    plain, covered = re.findall(r"([\d.]+) %", first.first.inner_text())
    assert float(plain) > float(covered) + 5, f"It falls from {plain} % to {covered} %."
    visit.see(first.first)


def at_layer_eight(visit: Visit) -> None:
    """See the likeliest word at layer 8, and whether it is the written one."""
    visit.ask()
    visit.look()
    row = visit.page.locator(".stv-lens").first.locator(
        "tr", has=visit.page.locator("th", has_text="8")
    )
    expect(row).to_have_count(1)
    visit.see(row)
    _, said, place = row.locator("th, td").all_inner_texts()
    written = visit.page.locator("[data-lane=baseline] .stv-on").inner_text().strip()
    same = said.split(" ")[0] == written
    assert same == (place == "first"), f"Layer 8 says {said!r}, written is {written!r}, {place}."


def which_head_looks(visit: Visit) -> None:
    """Point at a shape, and see the head that gives it most, alone, over the picture."""
    visit.example()
    visit.ask()
    visit.look()
    picture = visit.page.locator(".stv-why .stv-picture").first
    visit.hands.patch(picture, *SHAPE, GRID)
    visit.hands.press(visit.named("Which heads looked here"))
    heads = visit.page.locator(".stv-finder .stv-side").first.locator(".stv-heads li")
    expect(heads).to_have_count(5)
    shares = [float(text) for text in heads.locator(".stv-much").all_inner_texts()]
    assert shares == sorted(shares, reverse=True) and shares[0] > 2 / GRID**2, shares
    name = heads.first.locator("button")
    layer, head = re.findall(r"\d+", name.inner_text())
    visit.hands.press(name)
    expect(visit.page.locator(".stv-pinned")).to_contain_text(
        f"Layer {layer}, head {head} is shown everywhere"
    )
    expect(visit.page.locator(".stv-one")).to_contain_text(f"layer {layer}, head {head}.")
    visit.see(visit.page.locator(".stv-why .stv-picture").first)


def is_it_chance(visit: Visit) -> None:
    """Have fifty questions asked, and read the conclusion."""
    visit.example()
    visit.hands.press(visit.page.locator("#chance > button"))
    visit.hands.press(visit.page.locator("#ask-many"))
    title = visit.page.locator(".st-results-title")
    expect(title).to_have_text(re.compile("^50 questions: "), timeout=8 * visit.patience)
    conclusion = visit.page.locator(".st-conclusions li")
    expect(conclusion).to_have_text(re.compile(r"p [=<] [01]\.\d+|right in the same questions"))
    expect(visit.page.locator(".st-method")).to_have_count(2)
    visit.see(conclusion)


def to_a_colleague(visit: Visit) -> None:
    """Copy the address; somebody else sees the same answers there."""
    visit.example()
    visit.ask()
    visit.hands.press(visit.page.locator("#link"))
    expect(visit.page.locator(".st-copied")).to_contain_text("The link is copied.")
    visit.see(visit.page.locator(".st-copied"))
    address = visit.page.evaluate("navigator.clipboard.readText()")
    other = visit.again(address)
    status = other.locator(".st-status-text")
    expect(status).to_contain_text("Opened from a link")
    for lane in ("baseline", "sinktrack"):
        expect(other.locator(f"[data-lane={lane}] .stv-words")).to_have_text(visit.answer(lane))


def what_nearly_stood(visit: Visit) -> None:
    """See other words at the parting, with their probabilities."""
    nearly = visit.page.locator(".stv-nearly")
    title = visit.page.locator(".stv-now .stv-title").inner_text().lower()
    visit.see(nearly.get_by_role("heading", name=f"What nearly stood at {title}"))
    rows = nearly.locator("[data-side=baseline] .stv-candidate")
    visit.see(rows.first)
    words = rows.locator(".stv-what").all_inner_texts()
    chances = rows.locator(".stv-much").all_inner_texts()
    assert len(words) >= 3 and len(set(words)) == len(words), words
    assert all("%" in chance for chance in chances), chances
    expect(nearly.locator(".stv-candidate-own")).to_have_count(2)


def from_the_plain_models_words(visit: Visit) -> None:
    """Tell SinkTrack the plain model's words; it has them, marked, and goes on."""
    visit.example(*PARTS)
    visit.ask()
    word = visit.page.locator("[data-lane=baseline] .stv-on").inner_text().strip()
    side = visit.page.locator(".stv-nearly [data-side=baseline]")
    visit.hands.press(side.get_by_role("button", name="Let the others go on from here"))
    told = visit.page.locator("[data-lane=sinktrack] .stv-told")
    expect(told).to_have_count(int(PARTS[1].split()[1]), timeout=visit.patience)
    expect(told.last).to_have_text(re.compile(rf"^\s*{re.escape(word)}\s*$"))
    visit.wait()
    assert len(visit.answer("sinktrack").split()) > 1, visit.answer("sinktrack")
    visit.see(told.last)


def a_star_of_ones_own(visit: Visit) -> None:
    """Draw a green star, ask whether it is there, and be told what is right."""
    page = visit.page
    visit.hands.press(page.locator("#draw > button"))
    visit.hands.choose(page.locator(".st-brush input[value=green]"))
    visit.hands.choose(page.locator(".st-brush input[value=star]"))
    visit.hands.choose(page.locator(".st-cell").nth(2 * GRID + 2))
    expect(page.locator(".st-pad-said")).to_contain_text("green star is at")
    expect(page.locator(".st-offer").first).to_be_visible()
    visit.hands.write(page.locator("#question textarea"), "Is there a green star?")
    visit.ask()
    verdict = page.locator(".st-verdict")
    expect(verdict).to_contain_text("Right: Yes, there is a green star.")
    expect(verdict.locator(".st-judgements li")).to_have_count(2)
    visit.see(verdict)


def of_a_passage(visit: Visit) -> None:
    """Ask about a passage, which stands above the answers then."""
    page = visit.page
    visit.hands.choose(page.locator("#about").get_by_role("tab", name="Passage", exact=True))
    visit.hands.write(page.locator("#passage textarea"), PASSAGE)
    visit.hands.write(page.locator("#question textarea"), "Which colour has the circle?")
    visit.ask()
    visit.see(page.locator("#stage .stv-passage", has_text=PASSAGE))
    said = [visit.answer(lane) for lane in ("baseline", "sinktrack")]
    assert any("red" in each.lower() for each in said), said


def with_another_method(visit: Visit) -> None:
    """Tick VCD and see a third answer, with its words."""
    page = visit.page
    visit.example()
    visit.hands.press(page.locator("#methods .st-open"))
    visit.hands.press(page.locator(".st-dialog").get_by_role("checkbox", name="VCD", exact=True))
    visit.hands.press(visit.named("Done"))
    visit.ask()
    titles = page.locator("#stage .stv-card .stv-title")
    expect(titles).to_have_text(["Plain model", "SinkTrack", "VCD"])
    assert visit.answer("vcd").strip(), "VCD said nothing."
    visit.see(titles.last)


def a_figure_for_a_paper(visit: Visit) -> None:
    """Save a plot as SVG; it is one, with a title and words."""
    plot = visit.page.locator(".stv-nearly .stv-caption").first
    with visit.page.expect_download() as download:
        visit.hands.press(plot.get_by_role("button", name="as SVG"))
    figure = ElementTree.parse(download.value.path()).getroot()
    assert figure.tag == SVG, figure.tag
    texts = [each.text for each in figure.iter(SVG.replace("svg}svg", "svg}text"))]
    assert len(texts) > 4 and "what nearly stood" in str(texts[0]), texts
    visit.see(plot)


@dataclass(frozen=True)
class Task:
    """What a stranger is asked to do, and how it is done."""

    sentence: str
    do: Callable[[Visit], Any]


TASKS = (
    Task("Do the two answers differ, and where?", where_they_differ),
    Task("Which word was decided by the picture?", what_the_picture_decided),
    Task("Would the plain model have said another word at layer 8?", at_layer_eight),
    Task("Show me the head that looks at a shape of the picture.", which_head_looks),
    Task("Is this difference chance?", is_it_chance),
    Task("Send this to a colleague.", to_a_colleague),
    Task("What else nearly stood at the word where the answers part?", what_nearly_stood),
    Task("Let SinkTrack go on from the plain model's words.", from_the_plain_models_words),
    Task("Draw a green star of your own, and ask whether it is there.", a_star_of_ones_own),
    Task("Ask about a passage.", of_a_passage),
    Task("Compare with VCD as well.", with_another_method),
    Task("Save a figure for a paper.", a_figure_for_a_paper),
)
