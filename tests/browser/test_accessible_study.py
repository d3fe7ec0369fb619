"""The pages of a study by the same rules: signing in, judging, results; light, dark, phone."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from annotators import CODE, Annotator
from playwright.sync_api import expect
from real_page import Guest, Server
from states import violations
from studies import make_study

CHIEF = "coordinator's code"


@pytest.fixture(scope="module")
def study_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    study = make_study(tmp_path_factory.mktemp("study") / "study", 12)
    server = Server(
        tmp_path_factory.mktemp("page") / "log",
        SINKTRACK_STUDY=str(study.folder),
        SINKTRACK_INVITE=CODE,
        SINKTRACK_COORDINATOR=CHIEF,
    )
    yield server.ready()
    assert "Traceback" not in server.stop()


@pytest.mark.parametrize(
    ("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 360)], ids=str
)
def test_judging_breaks_no_rule(
    visit: Callable[..., Any], study_url: str, scheme: str, width: int
) -> None:
    ann: Annotator = visit(study_url, Annotator, width=width, color_scheme=scheme)
    assert violations(ann.page) == []
    ann.sign_in(f"Ann {scheme} {width}")
    assert violations(ann.page) == []
    ann.page.keyboard.press("3")
    assert violations(ann.page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_results_break_no_rule(
    visit: Callable[..., Any], study_url: str, scheme: str, tmp_path: Path
) -> None:
    ann: Annotator = visit(study_url, Annotator)
    ann.sign_in(f"Bob {scheme}")
    ann.choose("No", ann.side("left"))
    ann.choose("No", ann.side("right"))
    ann.choose("3 · Tie")
    ann.keep()
    expect(ann.count()).to_contain_text("1 judged")
    chief = visit(f"{study_url}/results", Guest, color_scheme=scheme)
    expect(chief.page.locator("#code input")).to_be_visible()
    assert violations(chief.page) == []
    chief.page.fill("#code input", CHIEF)
    chief.page.click("#show")
    expect(chief.page.locator("#results table").first).to_be_visible()
    assert violations(chief.page) == []
