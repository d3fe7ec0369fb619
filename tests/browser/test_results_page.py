"""What `sinktrack eval` wrote, looked through in the browser: real answers, and hostile ones."""

import gzip
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect
from real_page import Guest, Server

from sinktrack.eval.run_files import trace_files, trace_name
from sinktrack.eval.runner import Run, evaluate
from sinktrack.eval.tasks.shapes import DESCRIPTIONS
from sinktrack.methods import create

HOSTILE = "<img src=x onerror=window.hacked=1>"
ITEMS = 16
SHAPES = ("rect", "text", "line", "circle")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, checkpoint: tuple[Any, Any]) -> Path:
    """A real run of few items, and a copy of it in which everything is hostile."""
    folder = tmp_path_factory.mktemp("runs")
    methods = {"baseline": None, "pai": create("pai")}
    run = Run(tasks=DESCRIPTIONS[:1], methods=methods, limit=ITEMS, traces=True)
    evaluate(*checkpoint, run, folder / "real")
    (folder / "hostile" / "traces").mkdir(parents=True)
    for name in ("run.json", "records.jsonl", "results.json"):
        text = hostile((folder / "real" / name).read_text())
        (folder / "hostile" / name).write_text(text + ("{\n" if name == "records.jsonl" else ""))
    for item in changed(folder / "real"):
        (path,) = trace_files(folder / "real", "describe", item, None)
        name = trace_name(hostile("describe"), item, None)
        text = hostile(json.dumps(json.loads(gzip.decompress(path.read_bytes()))))
        kept = folder / "hostile" / "traces" / f"{name}-0.json.gz"
        kept.write_bytes(gzip.compress(text.encode()))
    return folder


def hostile(text: str) -> str:
    for word in ("There is", "What do you see", "Describe", "baseline", "describe", "CHAIR_s"):
        text = text.replace(word, f"{HOSTILE} {word}")
    return text


@pytest.fixture(scope="module")
def runs_url(runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = Server(tmp_path_factory.mktemp("page") / "log", SINKTRACK_RESULTS=str(runs))
    yield server.ready()
    assert "Traceback" not in server.stop()


class Reader(Guest):
    """Someone who looks a run through."""

    ready = ".sr-controls"


def changed(folder: Path) -> dict[str, list[str]]:
    """Return the answers of both methods by item, where they differ."""
    answers: dict[str, list[str]] = {}
    for line in (folder / "records.jsonl").read_text().splitlines():
        record = json.loads(line)
        answers.setdefault(record["item"], []).append(record["answer"])
    found = {item: own for item, own in answers.items() if own[0] != own[1]}
    return dict(sorted(found.items(), key=lambda each: int(each[0].split("/")[1])))


def title(page: Page) -> Locator:
    return page.locator(".sr-item-head h3")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_figure_is_saved_for_a_paper(
    visit: Callable[..., Any], runs_url: str, scheme: str
) -> None:
    page = visit(f"{runs_url}/?run=real&__theme={scheme}", Reader, color_scheme=scheme).page
    saved = {}
    for kind in ("SVG", "PNG"):
        with page.expect_download() as download:
            page.get_by_role("button", name=f"Save this plot as {kind}: Differences from").click()
        assert download.value.suggested_filename == f"sinktrack-describe-differences.{kind.lower()}"
        saved[kind] = download.value.path()
    figure = ElementTree.parse(saved["SVG"]).getroot()
    parts = {kind: [*figure.iter(f"{{http://www.w3.org/2000/svg}}{kind}")] for kind in SHAPES}
    assert parts["rect"][0].get("fill") == "#ffffff"
    assert {"describe", "pai"} <= {each.text for each in parts["text"]}
    dots, shown = parts["circle"], page.locator(".sr-plot circle")
    assert len(dots) == shown.count()
    assert {each.get("stroke") for each in dots} == {"rgb(11, 107, 99)"}, "the colour on white"
    assert not any("var(" in str(each.attrib) for kind in SHAPES for each in parts[kind])
    with Image.open(saved["PNG"]) as picture:
        assert picture.width == 3 * int(figure.get("width", "0"))


def test_a_run_is_looked_through_by_mouse_and_keyboard(
    visit: Callable[..., Any], runs: Path, runs_url: str
) -> None:
    differ = changed(runs / "real")
    assert len(differ) > 1, "the methods agree, so that there is nothing to look through"
    first, second, *_ = differ
    page = visit(f"{runs_url}/?run=real", Reader).page
    found = json.loads((runs / "real" / "results.json").read_text())["tasks"]["describe"]
    value = found["pai"]["CHAIR_i"]["value"]
    expect(page.locator(".sr-figures")).to_contain_text(f"{value:.3f} (")
    expect(page.locator(".sr-plot circle")).to_have_count(
        sum("difference" in each for each in found["pai"].values())
    )
    expect(page.locator(".sr-row")).to_have_count(len(differ))
    expect(title(page)).to_have_text(first)
    for at, text in enumerate(differ[first]):
        expect(page.locator(".sr-words").nth(at)).to_have_text(text)
    assert page.locator(".sr-words mark").count() > 0
    expect(page.locator(".sr-pictures img")).to_have_count(1)

    page.keyboard.press("ArrowRight")
    expect(title(page)).to_have_text(second)
    page.keyboard.press("ArrowLeft")
    expect(title(page)).to_have_text(first)
    page.locator(".sr-row").nth(1).click()
    expect(title(page)).to_have_text(second)
    expect(page.locator(".sr-row").nth(1)).to_have_attribute("aria-current", "true")
    assert "item=test%2F" in page.url

    reader = visit(page.url, Reader).page  # by the link alone
    expect(title(reader)).to_have_text(second)
    short = visit(f"{runs_url}/?run=real&task=describe&item={second}", Reader).page
    expect(title(short)).to_have_text(second)
    lost = visit(f"{runs_url}/?run=real&item=nothing", Reader).page
    expect(lost.locator(".sr-said")).to_contain_text("There is no item 'nothing'")


def test_attention_is_looked_at_where_it_was_kept(
    visit: Callable[..., Any], runs: Path, runs_url: str
) -> None:
    """It stays unfolded from item to item, and is said to be missing where it is."""
    differ = changed(runs / "real")
    first, second, *_ = differ
    page = visit(f"{runs_url}/?run=real", Reader).page
    page.locator(".sr-looked summary").click()
    cards = page.locator(".sr-looked .stv-card")
    expect(cards).to_have_count(2)
    for at, text in enumerate(differ[first]):
        expect(cards.nth(at)).to_contain_text(text.split(".")[0])
    expect(cards.nth(1)).to_contain_text("pai")
    expect(page.locator(".sr-looked")).to_contain_text("the answers part")
    page.get_by_role("button", name="Next →").click()
    expect(title(page)).to_have_text(second)
    expect(cards).to_have_count(2)
    expect(cards.nth(0)).to_contain_text(differ[second][0].split(".")[0])
    (path,) = trace_files(runs / "real", "describe", first, None)
    hidden = path.rename(path.with_name("hidden"))
    page.get_by_role("button", name="← Previous").click()
    expect(page.locator(".sr-attention")).to_have_text(re.compile("was not kept of this item"))
    hidden.rename(path)


def test_nothing_in_a_run_is_taken_for_markup(visit: Callable[..., Any], runs_url: str) -> None:
    """The visitor complains of every request that leaves the page, and of every error."""
    page = visit(f"{runs_url}/?run=hostile", Reader).page
    expect(page.locator(".sr-words").first).to_contain_text(HOSTILE)
    expect(page.locator(".sr-question")).to_contain_text(HOSTILE)
    expect(page.locator(".sr-notice")).to_contain_text(f"line {2 * ITEMS + 1} is not a record")
    page.locator(".sr-conditions summary").click()
    expect(page.locator(".sr-facts")).to_contain_text(HOSTILE)
    expect(page.locator(".sr-plot")).to_contain_text(HOSTILE[:8])
    page.locator(".sr-looked summary").click()
    expect(page.locator(".sr-looked .stv-card").first).to_contain_text(HOSTILE)
    assert page.evaluate("window.hacked") is None
    assert page.locator(".sr img[src=x]").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_run_fits_a_phone(visit: Callable[..., Any], runs_url: str, scheme: str) -> None:
    reader = visit(f"{runs_url}/?run=real", Reader, width=390, height=844, color_scheme=scheme)
    expect(title(reader.page)).to_be_visible()
    assert reader.overflow() <= 0
    reader.page.locator(".sr-looked summary").click()
    expect(reader.page.locator(".sr-looked .stv-card")).to_have_count(2)
    assert reader.overflow() <= 0
    reader.page.locator(".sr-conditions summary").click()
    assert reader.overflow() <= 0
