"""Passing an item over, and ruling where annotators differ, in the browser."""

import json
import re
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from annotators import CODE, Annotator
from playwright.sync_api import Locator, expect
from real_page import Guest, Server, holding
from studies import LANES, YAML, make_study, open_store

RESULTS = "coordinator's code"
REASON = "The <b>picture</b> is cut off."


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A study of four items, on two of which Ann and Bob differ; one waits for its votes."""
    study = make_study(tmp_path / "ruled", 4, YAML + "ask: [comment]\nvotes_per_item: 2\n")
    store = open_store(study)
    for name in ("Ann", "Bob"):
        who = store.join(name)
        for _ in range(4):
            place = store.next(who)
            assert place is not None
            better = "tie" if place.item == "item2" else LANES[name == "Bob"]
            spans = {lane: [[9, 10]] if name == "Bob" else [[9, 14]] for lane in LANES}
            judged = {lane: {"spans": own} for lane, own in spans.items()}
            key = uuid.uuid4().hex
            if place.item == "item3":
                store.beside.pass_over(place.id, who)
            else:
                store.vote(key, place.id, who, better=better, judged=judged, comment=f"by {name}")
    store.close()
    return study.folder


@pytest.fixture
def study_url(folder: Path, tmp_path: Path) -> Iterator[str]:
    (tmp_path / "page").mkdir()
    codes = {"SINKTRACK_INVITE": CODE, "SINKTRACK_COORDINATOR": RESULTS}
    server = Server(tmp_path / "page" / "log", SINKTRACK_STUDY=str(folder), **codes)
    yield server.ready()
    assert "Traceback" not in server.stop()


class Coordinator(Guest):
    ready = "#code"

    def show(self) -> None:
        self.page.fill("#code input", RESULTS)
        self.page.keyboard.press("Enter")
        expect(self.page.locator("#results")).to_contain_text("Which answer is better")

    def begin_to_rule(self) -> Locator:
        """Open the first item as Dan, ready for keys; return what rules."""
        self.show()
        self.page.get_by_text("Rule on what annotators see differently").click()
        judge = self.page.locator("#ruling")
        expect(judge.locator(".sj-count")).to_contain_text("1 of 2: item0, spread 1.00 · 2 without")
        self.page.get_by_label("Your name, which goes").fill("Dan")
        judge.locator(".sj-verdict input").first.focus()
        return judge


def test_an_item_is_skipped_or_reported_by_keys_and_brought_back(
    visit: Callable[..., Any], study_url: str
) -> None:
    eve: Annotator = visit(study_url, Annotator)
    eve.sign_in("Eve")
    press, count = eve.page.keyboard.press, eve.count()
    expect(count).to_have_text("0 judged · 1 to go")
    press("x")
    expect(eve.page.locator(".sj-passing")).to_contain_text("Only the people who run this study")
    press("Escape")
    assert eve.focus()["group"] == "Which answer is better?"
    press("w")
    press("Control+Enter")  # nothing is said yet, and the browser asks for it
    expect(count).to_have_text("0 judged · 1 to go")
    eve.page.keyboard.type(REASON)
    press("Control+Enter")
    expect(count).to_have_text("0 judged · 0 to go · 1 passed over")
    expect(eve.page.get_by_text("That was the last one.")).to_be_visible()

    coordinator = visit(f"{study_url}/results", Coordinator)
    coordinator.show()
    results = coordinator.page.locator("#results")
    expect(results).to_contain_text(REASON)
    expect(results).to_contain_text("without any vote: 1 item: item3.")
    passed = coordinator.page.locator("[name=passed]")
    passed.focus()  # which fills the list
    passed.select_option(label="item3, of Eve")
    coordinator.page.get_by_role("button", name="Bring it back").click()
    expect(coordinator.page.locator(".sj-note")).to_contain_text("Brought back")
    eve.page.reload()
    expect(count).to_have_text("0 judged · 1 to go")
    press("x")
    press("Enter")
    expect(count).to_have_text("0 judged · 0 to go · 1 passed over")


def test_a_judge_rules_by_keys_and_learns_the_names_afterwards(
    visit: Callable[..., Any], study_url: str
) -> None:
    coordinator = visit(f"{study_url}/results", Coordinator)
    judge = coordinator.begin_to_rule()
    page, press = coordinator.page, coordinator.page.keyboard.press
    expect(judge.locator(".sj-opinions")).to_contain_text("Annotator 2")
    told = judge.inner_text()
    assert not re.search("Plain model|SinkTrack|baseline|Annotator 3|Ann\n|Bob\n", told)
    marks = judge.locator("mark")
    assert {"🔵1 2", " a b1"} <= set(marks.all_text_contents())  # what each of them marked

    press("Enter")
    expect(judge.locator(".sj-said")).to_contain_text("Choose first")
    press("2")
    press("c")
    page.keyboard.type("seen twice n")
    press("Control+Enter")
    expect(judge.locator(".sj-said")).to_contain_text("Kept.")
    expect(judge.locator("h2").filter(has_text="SinkTrack")).to_have_count(1)
    expect(judge.locator(".sj-opinions")).to_contain_text("2 · Bob")
    expect(judge).to_contain_text("Dan ruled: B is better · “seen twice n”")
    press("n")
    expect(judge.locator(".sj-count")).to_contain_text("2 of 2: item1, spread 1.00 · 1 without")
    press("3")
    press("Enter")
    expect(judge.locator(".sj-count")).to_contain_text("ruled on · 0 without")
    press("p")
    expect(judge.locator(".sj-count")).to_contain_text("1 of 2: item0")

    page.click("#show")
    expect(page.locator("#results")).to_contain_text("says what most votes say")
    with page.expect_download() as download:
        page.click("#rulings")
    rows = [json.loads(line) for line in Path(download.value.path()).read_text().splitlines()]
    assert [(row["item"], row["judge"]) for row in rows] == [("item0", "Dan"), ("item1", "Dan")]
    assert rows[0]["better"] == rows[0]["B"] and rows[1]["better"] == "tie"
    page.reload()  # the name is kept in this browser
    coordinator.show()
    page.get_by_text("Rule on what annotators see differently").click()
    expect(page.get_by_label("Your name, which goes")).to_have_value("Dan")
    expect(judge.locator(".sj-count")).to_contain_text("ruled on · 0 without")


def test_what_is_ruled_on_is_what_is_shown_however_late_it_comes(
    visit: Callable[..., Any], study_url: str
) -> None:
    coordinator = visit(f"{study_url}/results", Coordinator)
    judge = coordinator.begin_to_rule()
    page, press = coordinator.page, coordinator.page.keyboard.press
    with holding(page, "dispute") as held:
        press("2")
        press("n")
        press("Enter")  # the first item still stands there
        press("n")
        expect(judge.locator(".sj-count")).to_contain_text("1 of 2: item0")
        assert len(held) == 1
    expect(judge.locator(".sj-count")).to_contain_text("2 of 2: item1, spread 1.00 · 2 without")
    press("3")
    press("Enter")
    expect(judge.locator(".sj-said")).to_contain_text("Kept.")
    with page.expect_download() as download:
        page.click("#rulings")
    (row,) = map(json.loads, Path(download.value.path()).read_text().splitlines())
    assert (row["item"], row["better"]) == ("item1", "tie")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_results_and_ruling_fit_a_phone(
    visit: Callable[..., Any], study_url: str, scheme: str
) -> None:
    guest = visit(f"{study_url}/results", Coordinator, width=390, height=844, color_scheme=scheme)
    guest.show()
    assert guest.overflow() <= 0
    guest.page.get_by_text("Rule on what annotators see differently").click()
    expect(guest.page.locator("#ruling .sj-verdict")).to_be_visible()
    assert guest.overflow() <= 0
