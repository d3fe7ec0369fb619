"""A whole study in the browser, judged by one with a mouse and one with a keyboard."""

import csv
import io
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from annotators import CODE, Annotator
from playwright.sync_api import expect
from real_page import ROOT, Guest, Server, holding

ITEMS = 4
RESULTS = "coordinator's code"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The study that comes along, but short."""
    shipped = ROOT / "assets" / "studies" / "shapes"
    folder = tmp_path / "short"
    shutil.copytree(shipped, folder, ignore=shutil.ignore_patterns("*.safetensors", "votes*"))
    lines = (folder / "items.jsonl").read_text().splitlines()
    (folder / "items.jsonl").write_text("\n".join(lines[:: len(lines) // ITEMS][:ITEMS]))
    yaml = (folder / "study.yaml").read_text()
    model = str(ROOT / "assets" / "shapes-vl-anchored")
    (folder / "study.yaml").write_text(yaml.replace("../../shapes-vl-anchored", model))
    return folder


@pytest.fixture
def study_url(folder: Path, tmp_path: Path) -> Iterator[str]:
    (tmp_path / "page").mkdir()
    server = Server(
        tmp_path / "page" / "log",
        SINKTRACK_STUDY=str(folder),
        SINKTRACK_INVITE=CODE,
        SINKTRACK_COORDINATOR=RESULTS,
    )
    yield server.ready()
    assert "Traceback" not in server.stop()


def judge_by_mouse(ann: Annotator, n: int) -> None:
    words = ann.side("left").locator(".sj-word")
    words.first.click()
    expect(ann.side("left").get_by_label("Minor")).to_be_checked()  # marking says as much
    if n == 0:
        words.nth(1).click()
        words.nth(1).click()
        expect(ann.side("left").locator(".sj-marked")).to_have_count(1)
        words.nth(1).dblclick()  # which marks it, as a click does
        expect(ann.side("left").locator(".sj-marked")).to_have_count(2)
        words.nth(1).click()
        expect(ann.side("left").locator(".sj-marked")).to_have_count(1)
    ann.choose("Severe", ann.side("left"))
    ann.choose("No", ann.side("right"))
    ann.choose("2 · Right is better")
    ann.page.fill(".sj-verdict textarea", f"No {n}, <b>really</b>")
    ann.keep()
    expect(ann.said()).to_have_text("Kept.")
    expect(ann.count()).to_contain_text(f"{n + 1} judged")


def judge_by_keyboard(bob: Annotator, n: int) -> None:
    press = bob.page.keyboard.press
    bob.tab_to("Left answer: mark what is hallucinated", back=True)
    press("Shift+ArrowRight")
    expect(bob.side("left").locator(".sj-marked")).to_have_count(1)
    press("Space")  # not this one after all
    expect(bob.side("left").locator(".sj-marked")).to_have_count(0)
    bob.page.keyboard.press("Tab")
    assert bob.focus()["group"] == "Does it hallucinate?"
    press("ArrowUp")  # from "minor", which marking had said
    assert bob.focus()["value"] == "none"
    bob.tab_to("Right answer: mark what is hallucinated")
    press("Tab")
    press("Space")
    for _ in range(3):  # a browser enters a group where it was left
        if bob.focus()["value"] != "minor":
            press("ArrowDown")
    expect(bob.side("right").get_by_label("Minor")).to_be_checked()
    press("1")
    press("Enter")
    expect(bob.said()).to_have_text("Kept.")
    expect(bob.count()).to_contain_text(f"{n + 1} judged")


def test_two_annotators_judge_a_whole_study(
    visit: Callable[..., Any], study_url: str, folder: Path
) -> None:
    ann: Annotator = visit(study_url, Annotator)
    ann.sign_in("Ann & <b>Co</b>")
    for n in range(ITEMS):
        if n == 2:  # she comes back later and goes on
            ann.page.reload()
            expect(ann.count()).to_have_text(f"2 judged · {ITEMS - 2} to go")
        judge_by_mouse(ann, n)
    expect(ann.page.get_by_text("That was the last one. Thank you!")).to_be_visible()

    bob: Annotator = visit(study_url, Annotator)
    bob.page.keyboard.type("Bob")
    bob.page.keyboard.press("Tab")
    bob.page.keyboard.type("wrong")
    bob.page.keyboard.press("Enter")
    expect(bob.said()).to_contain_text("This is not the code of this study")
    bob.page.keyboard.press("Control+a")
    bob.page.keyboard.type(CODE)
    bob.page.keyboard.press("Enter")
    expect(bob.count()).to_have_text(f"0 judged · {ITEMS} to go")
    bob.page.keyboard.press("Enter")
    expect(bob.said()).to_contain_text("Choose first")
    for n in range(ITEMS):
        judge_by_keyboard(bob, n)
        if n == 1:
            bob.page.keyboard.press("u")
            expect(bob.said()).to_contain_text("Taken back")
            expect(bob.side("right").get_by_label("Minor")).to_be_checked()
            bob.page.keyboard.press("1")
            bob.page.keyboard.press("Enter")
            expect(bob.said()).to_have_text("Kept.")

    shown_before = bob.page.locator("canvas").count()
    bob.page.get_by_role("button", name="Which was which?").press("Enter")
    names = bob.page.locator(".sj-names")
    expect(names).to_contain_text("On the left stood")
    expect(names).to_contain_text("SinkTrack")
    expect(bob.page.locator(".stv-attention canvas")).to_have_count(2)
    assert shown_before == 0
    expect(bob.page.get_by_role("button", name="Undo")).to_have_count(0)

    carla: Annotator = visit(study_url, Annotator)  # every item has its two votes
    carla.sign_in("Carla")
    expect(carla.page.get_by_text("Nothing to judge now.")).to_be_visible()


class Coordinator(Guest):
    ready = "#code"


def test_the_coordinator_sees_what_was_voted_and_takes_it_away(
    visit: Callable[..., Any], study_url: str
) -> None:
    ann: Annotator = visit(study_url, Annotator)
    ann.sign_in("<b>Ann</b>")
    judge_by_mouse(ann, 0)

    page = visit(f"{study_url}/results", Coordinator).page
    page.fill("#code input", "guessed")
    page.click("#show")
    expect(page.locator(".toast-wrap")).to_contain_text("not the coordinator's code")
    expect(page.locator("#results")).to_have_count(0)
    page.fill("#code input", RESULTS)
    page.keyboard.press("Enter")
    expect(page.locator("#results")).to_contain_text("Which answer is better")
    expect(page.locator("#results")).to_contain_text("<b>Ann</b>")

    def taken(name: str) -> bytes:
        with page.expect_download() as download:
            page.click(f"#{name}")
        return Path(download.value.path()).read_bytes()

    (row,) = csv.DictReader(io.StringIO(taken("csv").decode()))
    assert row["annotator"] == "<b>Ann</b>" and row["comment"] == "No 0, <b>really</b>"
    (line,) = taken("jsonl").decode().splitlines()
    assert json.loads(line)["annotator"] == "<b>Ann</b>"
    assert "95 %" in taken("summary").decode()

    ann.page.get_by_role("button", name="Undo").click()
    expect(ann.said()).to_contain_text("Taken back")
    page.select_option("[name=which]", label="all, with those taken back")
    page.select_option("[name=whose]", label="<b>Ann</b>")
    (row,) = csv.DictReader(io.StringIO(taken("csv").decode()))
    assert row["undone"] > row["cast"] and row["sequence"] == "1"


def test_the_coordinator_deletes_somebodys_votes_with_a_second_press(
    visit: Callable[..., Any], study_url: str
) -> None:
    ann: Annotator = visit(study_url, Annotator)
    ann.sign_in("Ann")
    judge_by_mouse(ann, 0)
    page = visit(f"{study_url}/results", Coordinator).page
    page.fill("#code input", RESULTS)
    page.keyboard.press("Enter")
    expect(page.locator("#results")).to_contain_text("Which answer is better")
    name = page.get_by_label("Somebody wants their votes deleted: their name")
    said = page.locator(".sj-note")
    name.fill("Nemo")
    name.press("Enter")
    expect(said).to_have_text("Nobody has signed in by that name.")
    name.fill("ann")
    page.get_by_role("button", name="Find their votes").dblclick()  # which is one press
    expect(page.get_by_role("button", name="Delete 1 vote of Ann for good")).to_be_enabled()
    expect(said).to_contain_text("Nothing is deleted yet")
    name.fill("an")  # another name begins anew
    name.fill("ann")
    page.get_by_role("button", name="Find their votes").click()
    page.get_by_role("button", name="Delete 1 vote of Ann for good").click()
    expect(said).to_contain_text("Deleted")
    expect(page.get_by_role("button", name="Find their votes")).to_be_visible()
    page.click("#show")
    deleted = "1 vote of one person was deleted at their request."
    expect(page.locator("#results")).to_contain_text(deleted)
    ann.page.get_by_role("button", name="Undo").click()
    expect(ann.said()).to_contain_text("signed out")


def test_an_answer_that_comes_late_hides_nothing_that_was_said_since(
    visit: Callable[..., Any], study_url: str
) -> None:
    """The page asks for the study's state as it opens; here that answer comes last."""
    page = visit(f"{study_url}/results", Coordinator).page
    with holding(page, "state") as held:
        page.fill("#code input", RESULTS)
        page.keyboard.press("Enter")
        name = page.get_by_label("Somebody wants their votes deleted: their name")
        name.fill("Nemo")
        name.press("Enter")
        said = page.locator(".sj-note")
        expect(said).to_have_text("Nobody has signed in by that name.")
        assert len(held) == 1
    expect(page.locator(".sj-state")).to_contain_text("The study is open.")
    expect(said).to_have_text("Nobody has signed in by that name.")
    page.get_by_role("button", name="Pause").dblclick()  # where "Open" stands as soon as it is
    expect(page.get_by_role("button", name="Open")).to_be_visible()
    expect(page.locator(".sj-state")).to_contain_text("The study is paused")
    lost = page.get_by_label("Somebody lost their personal code: their name")
    lost.fill("Nemo")
    lost.press("Enter")
    expect(said).to_contain_text("Nobody has signed in by that name.")


def test_whoever_guesses_codes_is_told_how_long_to_wait(
    visit: Callable[..., Any], study_url: str
) -> None:
    ann: Annotator = visit(study_url, Annotator)
    ann.page.fill(".sj-sign [name=name]", "Ann")
    ann.page.fill(".sj-sign [name=code]", "guess")
    for _ in range(8):
        ann.page.click(".sj-sign button")
        expect(ann.page.locator(".sj-busy")).to_have_count(0)
    expect(ann.said()).to_contain_text("wait")
    page = visit(f"{study_url}/results", Coordinator).page
    page.fill("#code input", "guess")
    for _ in range(5):
        page.click("#show")
        expect(page.locator(".toast-body")).to_contain_text("not the coordinator's code")
        page.locator(".toast-close").click()
        expect(page.locator(".toast-body")).to_have_count(0)
    toast, said = page.locator(".toast-body"), ""
    while not re.search(r"wait ([4-9]|\d\d) seconds, then try again", said):  # longer each time
        page.click("#show")
        said = toast.inner_text()
        page.locator(".toast-close").click()
        expect(toast).to_have_count(0)
    page.fill("#code input", RESULTS)
    page.click("#show")  # nor is the right one looked at
    expect(toast).to_contain_text(re.compile(r"wait \d+ seconds?, then try again"))
    (seconds,) = re.findall(r"wait (\d+) second", toast.inner_text())
    page.wait_for_timeout(1000 * int(seconds) + 600)  # which were rounded
    page.click("#show")
    expect(page.locator("#results")).to_contain_text("Which answer is better")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_study_fits_a_phone(visit: Callable[..., Any], study_url: str, scheme: str) -> None:
    ann: Annotator = visit(study_url, Annotator, width=390, height=844, color_scheme=scheme)
    assert ann.overflow() <= 0
    ann.sign_in("Ann")
    assert ann.overflow() <= 0
    light = "(() => { const c = getComputedStyle(document.body).backgroundColor.match(/\\d+/g);"
    bright = ann.page.evaluate(f"{light} return (+c[0] + +c[1] + +c[2]) / 3; }})()")
    assert (bright > 128) == (scheme == "light")
