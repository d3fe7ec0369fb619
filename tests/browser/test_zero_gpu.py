"""The real page where a GPU is lent for one answer at a time, as on a ZeroGPU Space."""

import json
import os
import time
from pathlib import Path

import pytest
from playwright.sync_api import expect
from real_page import CHECKPOINT, Server, endless_model

from app.shared.gpu_time import GpuTime
from app.shared.request import Asked, Request

STAND_IN = Path(__file__).parent.parent / "zero_gpu"
QUESTION = "Is there a red circle?"
PLATFORM = {"X-IP-Token": "head.e30.tail"}  # who a visitor is, from the platform's proxy
LESS = ".st-less"


class Space:
    """The page with `spaces` in its place, and what the platform saw of it."""

    def __init__(self, folder: Path, model: Path = CHECKPOINT, **environment: str) -> None:
        self._log = folder / "lent.jsonl"
        (folder / "page").mkdir()
        path = os.pathsep.join(filter(None, [str(STAND_IN), os.environ.get("PYTHONPATH")]))
        self.server = Server(
            folder / "page" / "log",
            PYTHONPATH=path,
            SPACE_ID="someone/space",
            SPACES_ZERO_GPU="true",
            GRADIO_SERVER_NAME="127.0.0.1",
            SINKTRACK_MODEL=str(model),
            ZERO_GPU_LOG=str(self._log),
            **environment,
        )

    def lent(self) -> list[dict]:
        return [each for each in self._lines() if "asked" in each]

    def packed(self) -> int:
        return self._lines()[0]["packed"]

    def _lines(self) -> list[dict]:
        return [json.loads(line) for line in self._log.read_text().splitlines()]


@pytest.fixture
def space(tmp_path):
    started: list[Space] = []

    def start(**options) -> Space:
        started.append(Space(tmp_path, **options))
        return started[-1]

    yield start
    for each in started:
        said = each.server.stop()
        assert "Traceback" not in said, said


def test_an_answer_is_made_in_the_loan_and_the_page_holds_no_gpu(space, visit, picture):
    here = space()
    visitor = visit(here.server.ready(), extra_http_headers=PLATFORM)
    assert here.packed() > 0, "the model was not on CUDA when the page was launched"
    visitor.ask(picture, QUESTION)
    visitor.finish()
    assert visitor.answer("sinktrack").inner_text().strip()
    expect(visitor.page.locator("#traces")).to_be_enabled()
    (loan,) = here.lent()
    assert loan["outcome"] == "ended"
    assert loan["counted"] <= 20, "the question as it comes costs too much of a day's 120 s"
    assert set(loan["crossed"]) <= {"app.shared.events", "builtins"}
    late = {name.split(".")[0] for name in loan["imported"]} & {"transformers", "torch", "scipy"}
    assert not late, f"imported anew in every loan: {late}"
    assert visitor.page.locator(LESS).is_hidden()


def test_who_has_too_little_left_is_told_and_offered_less(space, visit, picture):
    here = space(ZERO_GPU_LEFT="12")
    visitor = visit(here.server.ready(), extra_http_headers=PLATFORM)
    visitor.ask(picture, QUESTION)
    expect(visitor.status()).to_contain_text("You have exceeded your ZeroGPU quota")
    (refused,) = here.lent()
    said = visitor.status().inner_text()
    assert f"{refused['asked']} s of a GPU were asked for" in said
    assert f"which count as {refused['counted']} s" in said
    less = visitor.page.locator(LESS)
    expect(less).to_contain_text("Ask for less: 2 methods, 64 tokens")
    expect(visitor.page.locator("#ask")).to_be_enabled()
    less.click()
    visitor.finish()
    expect(less).to_be_hidden()
    refused, lent = here.lent()
    assert refused["outcome"] == "refused" and lent["outcome"] == "ended"
    assert lent["counted"] <= 12


def test_what_the_platform_takes_back_is_said_and_the_page_goes_on(space, visit, picture, tmp_path):
    here = space(
        model=endless_model(tmp_path / "endless"),
        ZERO_GPU_TAKEN_BACK="8",
        ZERO_GPU_LEFT="9999",
        SINKTRACK_MAX_NEW_TOKENS="4000",
    )
    visitor = visit(here.server.ready(), extra_http_headers=PLATFORM)
    visitor.allow(4000)
    visitor.ask(picture, QUESTION)
    expect(visitor.status()).to_contain_text("GPU task aborted")
    expect(visitor.page.locator(LESS)).to_be_visible()
    length = visitor.page.locator("#settings input[type=number]").first
    length.fill("2")
    length.blur()
    visitor.page.click("#ask")
    visitor.finish()
    assert [each["outcome"] for each in here.lent()] == ["aborted", "ended"]


def test_stop_and_a_closed_tab_end_the_loan(space, visit, picture, tmp_path):
    here = space(model=endless_model(tmp_path / "endless"), ZERO_GPU_LEFT="9999")
    visitor = visit(here.server.ready(), extra_http_headers=PLATFORM)
    visitor.allow(512)
    visitor.ask(picture, QUESTION)
    expect(visitor.status()).to_contain_text("Writing token")
    visitor.page.locator("#stop").dispatch_event("click")  # at once, however slow the machine is
    visitor.finish()
    expect(visitor.status()).to_contain_text("Stopped after")
    (stopped,) = here.lent()
    assert stopped["outcome"] == "ended" and stopped["taken"] < stopped["counted"]
    visitor.page.click("#ask")
    expect(visitor.status()).to_contain_text("Writing token")
    visitor.page.close()
    deadline = time.monotonic() + 60
    while len(here.lent()) < 2 and time.monotonic() < deadline:
        time.sleep(0.2)
    gone = here.lent()[1]
    assert gone["outcome"] in ("gone", "ended") and gone["taken"] < gone["counted"]


def test_the_first_question_of_a_day_leaves_others():
    asked = Request(asked=Asked(question=QUESTION, pictures=("one.png",)))
    assert 120 // (1.5 * GpuTime().to_ask(asked)) >= 6
