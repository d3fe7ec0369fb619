"""Half an hour of everything at once: eight visitors of mixed behaviour, and four annotators.

    .venv/bin/python benchmarks/soak.py --out benchmarks/results/soak.md

Two real servers, one of the page that compares and one of a study, with the bundled checkpoint.
Programs ask for whole and for growing answers, stop them, close the connection and send broken
files; two browsers ask, stop, and close the tab; annotators vote, each vote twice. Every question
was asked alone before, and an answer counts as wrong that differs from that one, or as stopped
text does not begin it. Memory, threads and open files of both servers are read every few seconds.
"""

import argparse
import contextlib
import json
import os
import platform
import random
import re
import statistics
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import psutil
from playwright.sync_api import Page, expect, sync_playwright

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "browser")]

from real_page import CHECKPOINT, Server, Visitor, launch_chromium  # noqa: E402
from studies import CODE, make_study, open_store  # noqa: E402

EXAMPLES = ("describe-1", "relation-1", "rows-1", "existence-adversarial-1")
QUESTIONS = ("What do you see in the picture?", "How many circles are there?", "Is there a star?")
TOKENS = 32
PATIENCE = 600.0  # seconds
WATCHED = 5.0  # seconds between two readings
MOST_GROWTH = 0.05
"""Of memory, from after the warm-up to the end."""


@dataclass(frozen=True)
class Asked:
    """A question about one of the pictures that come along."""

    example: str
    question: str

    @property
    def picture(self) -> Path:
        """The picture's file."""
        return ROOT / "assets" / "examples" / f"{self.example}.png"


EVERYTHING = [Asked(example, question) for example in EXAMPLES for question in QUESTIONS]
Answers = dict[Asked, list[str]]


class Program:
    """A client of the documented endpoints, from an address of its own.

    Args:
        url: Of the server.
        address: As a proxy would tell it.
    """

    def __init__(self, url: str, address: str) -> None:
        self._url = f"{url}/gradio_api"
        self._client = httpx.Client(timeout=PATIENCE, headers={"X-Forwarded-For": address})

    def uploaded(self, name: str, content: bytes) -> str:
        """Upload a file and return its path on the server."""
        sent = self._client.post(f"{self._url}/upload", files={"files": (name, content)})
        path: str = sent.raise_for_status().json()[0]
        return path

    def events(self, endpoint: str, path: str, question: str) -> Iterator[tuple[str, Any]]:
        """Ask about an uploaded file, and yield each event's name and data."""
        picture = {"path": path, "meta": {"_type": "gradio.FileData"}}
        told = {"question": question, "pictures": [picture], "max_new_tokens": TOKENS}
        sent = self._client.post(f"{self._url}/call/v2/{endpoint}", json=told)
        number = sent.raise_for_status().json()["event_id"]
        with self._client.stream("GET", f"{self._url}/call/{endpoint}/{number}") as lines:
            name = ""
            for line in lines.iter_lines():
                if line.startswith("event: "):
                    name = line.removeprefix("event: ")
                elif line.startswith("data: ") and name != "heartbeat":
                    yield name, json.loads(line.removeprefix("data: "))

    def ask(self, asked: Asked, endpoint: str) -> Iterator[tuple[str, Any]]:
        """Ask about an example's picture."""
        path = self.uploaded(asked.picture.name, asked.picture.read_bytes())
        for name, data in self.events(endpoint, path, asked.question):
            yield name, data[0] if isinstance(data, list) and data else data


def texts(state: Any) -> list[str]:
    """Return the answers of a state that an endpoint told."""
    return [each["text"] for each in state["answers"]]


class Soak:
    """What all clients share: what is right, when to end, and what happened.

    Args:
        url: Of the page that compares.
        minutes: How long.
    """

    def __init__(self, url: str, minutes: float) -> None:
        self.url, self.until = url, time.monotonic() + 60 * minutes
        self.right: Answers = {}
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []

    @property
    def over(self) -> bool:
        """Whether clients are to end."""
        return time.monotonic() > self.until

    def ask_alone(self) -> None:
        """Ask every question while nobody else asks."""
        program = Program(self.url, "192.0.2.1")
        for asked in EVERYTHING:
            *_, (name, state) = program.ask(asked, "compare")
            assert name == "complete", state
            self.right[asked] = texts(state)

    def check(self, asked: Asked, said: list[str], *, whole: bool = True) -> None:
        """Count answers, and note those that are not the right ones."""
        for own, right in zip(said, self.right[asked], strict=True):
            same = own == right if whole else right.startswith(own)
            if not same:
                self.wrong.append(f"{asked}: {own!r} in place of {right!r}")
        self.counts["whole answers" if whole else "stopped answers"] += len(said)


def asks(soak: Soak, number: int, rng: random.Random) -> None:
    """Ask for whole answers."""
    asked = rng.choice(EVERYTHING)
    *_, (name, state) = Program(soak.url, f"198.51.100.{number}").ask(asked, "compare")
    assert name == "complete", state
    soak.check(asked, texts(state))


def listens(soak: Soak, number: int, rng: random.Random) -> None:
    """Ask for growing answers, and check each of their states."""
    asked = rng.choice(EVERYTHING)
    for name, state in Program(soak.url, f"198.51.100.{number}").ask(asked, "stream"):
        assert name in ("generating", "complete"), state
        if isinstance(state, dict) and state["answers"]:
            soak.check(asked, texts(state), whole=state["done"])


def hangs_up(soak: Soak, number: int, rng: random.Random) -> None:
    """Close the connection while the prompt is read, or after a few words."""
    asked, patience = rng.choice(EVERYTHING), rng.randrange(4)
    told = Program(soak.url, f"198.51.100.{number}").ask(asked, "stream")
    for at, _ in enumerate(told):
        if at == patience:
            break
    told.close()
    soak.counts["connections closed"] += 1


def sends_rubbish(soak: Soak, number: int, rng: random.Random) -> None:
    """Send what is no picture, or the beginning of one."""
    whole = rng.choice(EVERYTHING).picture.read_bytes()
    content = rng.choice(
        [b"", b"MZ" + rng.randbytes(400), whole[: rng.randrange(8, 400)], b"<svg onload=alert(1)>"]
    )
    program = Program(soak.url, f"198.51.100.{number}")
    path = program.uploaded(rng.choice(["a.png", "../../b.png", "c.svg", "d.exe"]), content)
    *_, (name, data) = program.events("compare", path, "What is there?")
    assert name == "error" and data, (name, data)
    soak.counts["files refused"] += 1
    time.sleep(2)


@contextlib.contextmanager
def tab(soak: Soak, number: int) -> Iterator[Visitor]:
    """Open the page in a browser of its own."""
    with sync_playwright() as playwright:
        browser = launch_chromium(playwright)
        context = browser.new_context(extra_http_headers={"X-Forwarded-For": f"203.0.113.{number}"})
        page: Page = context.new_page()
        try:
            yield Visitor(page, soak.url)
        finally:
            browser.close()


def answers(visitor: Visitor) -> list[str]:
    """Return the answers that stand on the page, without the sign of their end."""
    whole = [visitor.answer(lane).inner_text() for lane in ("baseline", "sinktrack")]
    return [text.removesuffix("end").removesuffix("stopped") for text in whole]


def asks_in_a_browser(soak: Soak, number: int, rng: random.Random) -> None:
    """Ask on the page until the answers stand there."""
    asked = rng.choice(EVERYTHING)
    with tab(soak, number) as visitor:
        visitor.allow(TOKENS)
        visitor.ask(asked.picture, asked.question)
        visitor.finish(int(1000 * PATIENCE))
        soak.check(asked, answers(visitor))
        soak.counts["answers read in a browser"] += 2


def stops_in_a_browser(soak: Soak, number: int, rng: random.Random) -> None:
    """Ask on the page; then stop the answers, or close the tab."""
    asked = rng.choice(EVERYTHING)
    with tab(soak, number) as visitor:
        visitor.ask(asked.picture, asked.question)
        begun = re.compile("Writing token|Done after")  # a short answer may be there at once
        expect(visitor.status()).to_have_text(begun, timeout=1000 * PATIENCE)
        if rng.random() < 0.5:
            soak.counts["tabs closed"] += 1
            return
        # of no effect where the answers have ended meanwhile, by which the button is disabled
        visitor.page.evaluate("document.querySelector('#stop').click()")
        visitor.finish(int(1000 * PATIENCE))
        soak.check(asked, answers(visitor), whole=False)


class Annotator:
    """One who judges over HTTP, every vote twice.

    Args:
        url: Of the study.
        number: Which.
    """

    def __init__(self, url: str, number: int) -> None:
        self._url, self._number, self.kept = f"{url}/gradio_api/component_server", number, 0
        config = httpx.get(f"{url}/config", timeout=PATIENCE).json()
        named = {one["props"].get("elem_id"): one["id"] for one in config["components"]}
        self._judge = named["judge"]
        self._shown = self._call(what="sign in", name=f"annotator {number}", code=CODE)
        self._token = self._shown["token"]

    def _call(self, **data: Any) -> dict[str, Any]:
        body = {"component_id": self._judge, "fn_name": "answer", "session_hash": "x", "data": data}
        # a connection each, because the server closes those that are idle, as a vote may meet it
        sent = httpx.post(self._url, json=body, timeout=PATIENCE)
        answer: dict[str, Any] = sent.raise_for_status().json()
        return answer

    def vote(self, soak: Soak, number: int, rng: random.Random) -> None:
        """Judge one pair."""
        pair = self._shown["pair"]
        if pair is None:
            time.sleep(1)
            return
        judged = {side: {"severity": "none", "spans": []} for side in ("left", "right")}
        vote = {name: pair[name] for name in ("place", "seal")} | judged
        vote |= {"token": self._token, "key": f"soak-{self._number}-{self.kept}"}
        vote["better"] = rng.choice(("left", "right", "tie", "both bad"))
        self._shown = self._call(what="vote", **vote)
        assert self._shown.get("kept"), self._shown
        self._call(what="vote", **vote)
        self.kept += 1
        soak.counts["votes"] += 1
        time.sleep(3)


def again(soak: Soak, act: Callable[[Soak, int, random.Random], None], number: int) -> None:
    """Do the same until it is over; what goes wrong is noted, and no reason to end."""
    rng = random.Random(number)
    while not soak.over:
        try:
            act(soak, number, rng)
        except Exception as error:
            soak.wrong.append(f"{act.__name__}: {type(error).__name__}: {error}"[:400])
            traceback.print_exc()
            time.sleep(5)


@dataclass(frozen=True)
class Reading:
    """What a server has at a time: megabytes, threads, open files."""

    at: float
    memory: float
    threads: int
    files: int


def read(pid: int, began: float) -> Reading:
    """Read what a server has now."""
    process = psutil.Process(pid)
    memory = process.memory_info().rss / 2**20
    return Reading(time.monotonic() - began, memory, process.num_threads(), process.num_fds())


def run(soak: Soak, study_url: str, pids: list[int]) -> tuple[list[list[Reading]], int]:
    """Let everybody come, and read what the servers have; return that, and the votes kept."""
    acts = [asks, asks, listens, hangs_up, hangs_up, sends_rubbish]
    acts += [asks_in_a_browser, stops_in_a_browser]
    annotators = [Annotator(study_url, number) for number in range(4)]
    clients = [
        threading.Thread(target=again, args=(soak, act, number))
        for number, act in enumerate([*acts, *(each.vote for each in annotators)], start=1)
    ]
    began = time.monotonic()
    for client in clients:
        client.start()
    readings: list[list[Reading]] = [[] for _ in pids]
    while any(client.is_alive() for client in clients):
        for found, pid in zip(readings, pids, strict=True):
            found.append(read(pid, began))
        time.sleep(WATCHED)
    return readings, sum(each.kept for each in annotators)


def growth(found: list[Reading], warm: float) -> str:
    """Return a row's cells: what there was after the warm-up, and what there is at the end."""
    span = (found[-1].at - warm) / 5
    early = [each for each in found if warm <= each.at <= warm + span]
    late = [each for each in found if each.at >= found[-1].at - span]
    cells = []
    for name in ("memory", "threads", "files"):
        before, after = (
            statistics.median(getattr(each, name) for each in part) for part in (early, late)
        )
        cells.append(f"{before:.0f} → {after:.0f} ({after / before - 1:+.1%})")
    return " | ".join(cells)


def ended(server: Server) -> float:
    """End a server; return the seconds that it took."""
    began = time.monotonic()
    said = server.stop()
    assert "Traceback" not in said, said
    return time.monotonic() - began


def main() -> None:
    """Soak, and print what happened; the exit status is 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument(
        "--warm", type=float, default=10, help="minutes, as long as comparisons stay in memory"
    )
    parser.add_argument("--out", type=Path, help="file for the page")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name in ("page", "votes"):
            (Path(folder) / name).mkdir()
        study = make_study(Path(folder) / "study", items=400)
        about = (study.folder / "study.yaml").read_text()
        (study.folder / "study.yaml").write_text(f"{about}votes_per_item: 6\n")
        off = {f"SINKTRACK_{name}": "0" for name in LIMITS}
        server = Server(
            Path(folder) / "page" / "log",
            SINKTRACK_MODEL=str(CHECKPOINT),
            FORWARDED_ALLOW_IPS="127.0.0.1",
            **off,
        )
        votes = Server(
            Path(folder) / "votes" / "log",
            SINKTRACK_STUDY=str(study.folder),
            SINKTRACK_INVITE=CODE,
        )
        soak = Soak(server.ready(), options.minutes)
        study_url = votes.ready()
        soak.ask_alone()
        soak.until = time.monotonic() + 60 * options.minutes
        readings, kept = run(soak, study_url, [server.pid, votes.pid])
        seconds = [ended(each) for each in (server, votes)]
        store = open_store(study)
        standing = len(store.standing())
        store.close()
    page = report(options, soak, readings, (kept, standing), seconds)
    print(page)
    if options.out is not None:
        options.out.write_text(page, "utf-8")
    sys.exit(bool(soak.wrong) or kept != standing)


LIMITS = ("QUESTIONS_A_MINUTE", "MODEL_SECONDS_AN_HOUR", "UPLOADS_A_MINUTE")


def report(
    options: argparse.Namespace,
    soak: Soak,
    readings: list[list[Reading]],
    votes: tuple[int, int],
    seconds: list[float],
) -> str:
    """Return what happened, as a page."""
    counts = "\n".join(f"| {name} | {count} |" for name, count in sorted(soak.counts.items()))
    rows = [
        f"| {name} | {growth(found, 60 * options.warm)} | {took:.1f} |"
        for name, found, took in zip(("compare", "study"), readings, seconds, strict=True)
    ]
    kept, standing = votes
    wrong = "\n".join(f"- {each}" for each in soak.wrong[:20])
    return f"""# Half an hour of everything at once

`python benchmarks/soak.py --minutes {options.minutes:g} --warm {options.warm:g}`, {date.today()}, \
{platform.system()} {platform.machine()}, {os.cpu_count()} CPU cores, Python \
{platform.python_version()}. Eight visitors of mixed behaviour on the bundled checkpoint: six \
programs, of which two ask, one listens to growing answers, two close the connection and one sends \
broken files; and two browsers that ask, stop, and close the tab. Four annotators send each vote \
twice. Every question had been asked alone before; a stopped answer must begin that one.

| what | how often |
|---|---|
{counts}

Wrong or mixed answers, and whatever else went wrong: **{len(soak.wrong)}**. Votes acknowledged: \
{kept}; in the database: {standing}.

| server | memory, MB | threads | open files | seconds to its end |
|---|---|---|---|---|
{chr(10).join(rows)}

Medians of the fifth after the warm-up and of the last fifth.
{wrong}
"""


if __name__ == "__main__":
    main()
