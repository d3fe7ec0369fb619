"""What a study asks of its own, pictures that get large, a phone, and people from a platform."""

import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from annotators import CODE, Annotator
from playwright.sync_api import expect
from real_page import Server
from states import violations
from studies import YAML, make_study

DONE = "https://app.prolific.com/submissions/complete?cc=ABC"
MORE = f"""
until: 2099-12-31
platform: {{id: PROLIFIC_PID, done: "{DONE}"}}
questions:
  - {{name: fluent, ask: "Which reads better?", kind: choice, options: [left, right, same]}}
  - {{name: useful, ask: "How useful?", kind: scale, of: answer, ends: [not at all, very]}}
  - {{name: why, ask: "Why?", kind: text, required: false}}
"""
DOT = "data:image/gif;base64,R0lGODlhAQABAIAAAAUEBAAAACwAAAAAAQABAAACAkQBADs="


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One item with two pictures and turns before its question."""
    folder = tmp_path_factory.mktemp("asked") / "study"
    study = make_study(folder, 1, yaml=YAML + MORE + "votes_per_item: 9\n")
    item = json.loads((folder / "items.jsonl").read_text())
    item |= {"passage": "Long ago.", "earlier": [["Is there a <b>cat</b>?", "Yes."]]}
    (folder / "items.jsonl").write_text(json.dumps(item))
    file = study.prepared(study.items[0])
    made = json.loads(file.read_text())
    turns = [{"role": "user", "text": "Is there a <b>cat</b>?", "visuals": []}]
    turns += [{"role": "assistant", "text": "Yes.", "visuals": []}]
    frames = [{"segment": "image", "title": "Picture", "frames": [DOT, DOT]}]
    made |= {"segments": [], "turns": turns, "visuals": frames, "passage": "Long ago."}
    file.write_text(json.dumps(made))
    return folder


@pytest.fixture(scope="module")
def url(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    log = tmp_path_factory.mktemp("asked-page") / "log"
    server = Server(log, SINKTRACK_STUDY=str(folder), SINKTRACK_INVITE=CODE)
    yield server.ready()
    assert "Traceback" not in server.stop()


def kept(folder: Path, name: str) -> dict[str, Any]:
    """Return what the database has of somebody's vote that stands, and its lanes."""
    rows = sqlite3.connect(folder / "votes.sqlite").execute(
        'select better, said, "left", "right" from votes join places on places.id = votes.place '
        "join annotators on annotators.id = votes.annotator "
        "where undone is null and name = ?",
        (name,),
    )
    ((better, said, left, right),) = rows.fetchall()
    return {"better": better, "said": json.loads(said), "left": left, "right": right}


def test_who_comes_from_a_platform_judges_and_is_told_the_way_back(
    visit: Callable[..., Any], url: str, folder: Path
) -> None:
    name = "<i>abc123</i>"
    ann = visit(f"{url}/?PROLIFIC_PID={name}&STUDY_ID=7&code={CODE}", Annotator)
    expect(ann.count()).to_have_text("0 judged · 1 to go")
    expect(ann.page.locator(".sj-who")).to_contain_text(name)
    assert ann.page.url == f"{url}/?STUDY_ID=7"
    assert ann.page.locator(".sj-until").inner_text() == (
        "The study ends at the end of 2099-12-31 (UTC)."
    )
    expect(ann.page.locator(".sj-turn")).to_have_text(
        ["QuestionIs there a <b>cat</b>?", "AnswerYes."]
    )
    ann.page.get_by_role("button", name="I have it").click()
    for key in ("a", "j", "1", "Enter"):
        ann.page.keyboard.press(key)
    expect(ann.said()).to_have_text("Answer “Which reads better?” first.")
    assert ann.focus()["group"] == "Which reads better?"
    ann.page.keyboard.press("ArrowRight")
    assert ann.focus()["value"] == "right"
    ann.page.keyboard.press("Enter")
    expect(ann.said()).to_have_text("Answer “How useful?” of the left answer first.")
    ann.choose("1 · not at all", ann.side("left"))
    ann.choose("4", ann.side("right"))
    ann.page.get_by_label("Why?").fill("<b>Because</b>")
    ann.page.reload()
    expect(ann.page.get_by_label("Why?")).to_have_value("<b>Because</b>")
    assert violations(ann.page) == []
    ann.keep()
    link = ann.page.locator(".sj-end a")
    expect(link).to_have_attribute("href", DONE)
    said = kept(folder, name)
    assert said["said"] == {
        "fluent": said["right"],
        "useful": {said["left"]: 1, said["right"]: 4},
        "why": "<b>Because</b>",
    }
    assert ann.page.url == f"{url}/?STUDY_ID=7"  # nobody is taken there
    ann.page.get_by_role("button", name="Undo").click()
    expect(ann.side("right").get_by_label("4", exact=True)).to_be_checked()
    expect(ann.page.get_by_label("Why?")).to_have_value("<b>Because</b>")
    expect(ann.page.locator(".sj-verdict").get_by_label("Right", exact=True)).to_be_checked()

    other = visit(f"{url}/?code={CODE}&PROLIFIC_PID={name}", Annotator)  # another browser
    expect(other.said()).to_contain_text("Somebody has signed in as")
    expect(other.page.locator(".sj-sign [name=personal]")).to_be_visible()
    assert "code" not in other.page.url and not other.page.locator("i").count()
    wrong = visit(f"{url}/?code=guess&PROLIFIC_PID=x", Annotator)
    expect(wrong.said()).to_contain_text("not the code of this study")
    assert wrong.page.url == f"{url}/"


def test_a_picture_gets_large_and_gives_the_keys_back(visit: Callable[..., Any], url: str) -> None:
    ann = visit(url, Annotator)
    ann.sign_in("Looking")
    dialog, large = ann.page.locator(".sj-large"), ann.page.locator(".sj-stage img")
    first = ann.page.get_by_role("button", name="Picture 1: enlarge")
    first.press("Enter")
    expect(dialog).to_be_visible()
    assert violations(ann.page) == []
    for key in ("ArrowRight", "1", "a", "u"):
        ann.page.keyboard.press(key)
    expect(dialog.get_by_text("Picture 2 of 2")).to_be_visible()
    assert ann.page.locator("input:checked").count() == 0
    ann.page.mouse.move(500, 400)
    ann.page.mouse.wheel(0, -600)
    expect(large).to_have_attribute("style", re.compile(r"scale\((?!1\))"))
    ann.page.keyboard.press("0")
    expect(large).to_have_attribute("style", re.compile(r"scale\(1\)"))
    ann.page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(first).to_be_focused()
    ann.page.keyboard.press("2")
    expect(ann.page.get_by_label("2 · Right is better")).to_be_checked()
    first.click()
    dialog.get_by_role("button", name="Close").click()
    expect(first).to_be_focused()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_the_picture_is_a_tap_away_and_answers_are_first_and_second(
    visit: Callable[..., Any], url: str, folder: Path, scheme: str
) -> None:
    ann = visit(
        url, Annotator, width=390, height=844, has_touch=True, is_mobile=True, color_scheme=scheme
    )
    ann.sign_in(f"Phone {scheme}")
    expect(ann.side("left").locator("h2")).to_have_text("First answer")
    assert ann.overflow() <= 0 and violations(ann.page) == []
    ann.page.keyboard.press("Enter")
    expect(ann.said()).to_have_text("Choose first: 1 first, 2 second, 3 tie, 4 both bad.")
    show = ann.page.get_by_role("button", name="Show the picture and passage")
    ann.side("right").locator("h2").scroll_into_view_if_needed()
    show.tap()
    again = ann.page.locator(".sj-peeked")
    for seen in (again.locator("img").first, ann.side("right").locator("h2")):
        expect(seen).to_be_in_viewport()
    assert violations(ann.page) == []
    ann.page.get_by_role("button", name="Hide the picture and passage").tap()
    expect(again).to_be_hidden()
    for side in ("left", "right"):
        ann.choose("No", ann.side(side))
        ann.choose("3", ann.side(side))
    ann.choose("2 · Second is better")
    ann.choose("First")
    ann.keep()
    expect(ann.count()).to_have_text("1 judged · 0 to go")
    said = kept(folder, f"Phone {scheme}")
    assert (said["better"], said["said"]["fluent"]) == (said["right"], said["left"])
    ann.page.get_by_role("button", name="Your votes").click()
    expect(ann.page.locator(".sj-earlier")).to_contain_text("second is better")
    ann.page.get_by_role("button", name="Which was which?").first.click()
    expect(ann.page.locator(".sj-names")).to_contain_text("The first answer was by")


def test_names_follow_a_phone_that_is_turned(visit: Callable[..., Any], url: str) -> None:
    ann = visit(url, Annotator, width=390, height=844)
    ann.sign_in("Turning")
    expect(ann.page.get_by_label("1 · First is better")).to_be_visible()
    ann.page.set_viewport_size({"width": 844, "height": 390})
    expect(ann.page.get_by_label("1 · Left is better")).to_be_visible()
    expect(ann.page.locator(".sj-verdict .sj-keys")).to_contain_text("the left answer")
    expect(ann.page.locator(".sj-peek")).to_be_hidden()
