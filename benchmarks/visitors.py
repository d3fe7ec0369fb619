"""Forty visitors at once, without and with one among them who asks without end.

    .venv/bin/python benchmarks/visitors.py --out benchmarks/results/visitors.md

A real server with the bundled model is asked over HTTP, as browsers do: Ask joins Gradio's queue,
its success asks for the answer, and a stream tells what happens. Each visitor comes from an address
of its own, which the server takes from the header that a proxy on the same machine sets. The greedy
one is a program at one address: several questions at a time, each from a new session, and the next
as soon as one has its answer or is refused. Limits for one address are off, so that the queue alone
is measured.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import threading
import time
import uuid
from datetime import date
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "tests" / "browser")]

from real_page import CHECKPOINT, Server  # noqa: E402

BEGUN = ("Reading what you asked", "Writing token", "Done after")
PATIENCE = 900.0  # seconds
QUESTION = "Describe the picture."


class Page:
    """What of the page a program needs to ask like a browser.

    Args:
        url: Of the server.
        tokens: The longest answer.
    """

    def __init__(self, url: str, tokens: int) -> None:
        config = httpx.get(f"{url}/config", timeout=60).json()
        self.url = f"{url}{config.get('api_prefix', '')}"
        parts = {each["id"]: each for each in config["components"]}
        named = {each["props"].get("elem_id"): number for number, each in parts.items()}
        begins = next(
            each
            for each in config["dependencies"]
            if [named["ask"], "click"] in [list(target) for target in each["targets"]]
        )
        answers = next(
            each
            for each in config["dependencies"]
            if each["trigger_after"] == begins["id"] and len(each["outputs"]) > 2
        )
        values = {number: each["props"].get("value") for number, each in parts.items()}
        values[named["question"]] = QUESTION
        for number, each in parts.items():
            if each["props"].get("label") == "Longest answer (tokens)":
                values[number] = tokens
        self.calls = [
            {"fn_index": each["id"], "data": [values[number] for number in each["inputs"]]}
            for each in (begins, answers)
        ]

    def ask(self, address: str) -> tuple[float, float] | None:
        """Ask once, from a new session; return the seconds to the turn and to the answer's end.

        Returns:
            None if it was refused.
        """
        session, began, turn = uuid.uuid4().hex[:11], time.monotonic(), None
        headers = {"X-Forwarded-For": address}
        with httpx.Client(headers=headers, timeout=PATIENCE) as client:
            for call in self.calls:
                joined = client.post(
                    f"{self.url}/queue/join",
                    json={**call, "session_hash": session, "event_data": None, "trigger_id": None},
                )
                joined.raise_for_status()
                stream = client.stream(
                    "GET", f"{self.url}/queue/data", params={"session_hash": session}
                )
                with stream as lines:
                    for line in lines.iter_lines():
                        if turn is None and any(words in line for words in BEGUN):
                            turn = time.monotonic() - began
                        if '"process_completed"' in line:
                            told = json.loads(line.removeprefix("data:"))
                            break
                    else:
                        return None
                if not told["success"]:
                    return None
        return None if turn is None else (turn, time.monotonic() - began)


class Visitor(threading.Thread):
    """Somebody who asks one question after another.

    Args:
        page: The page.
        number: Which; it makes the address.
        questions: How many.
    """

    def __init__(self, page: Page, number: int, questions: int) -> None:
        super().__init__()
        self._page, self._number, self._questions = page, number, questions
        self.had: list[tuple[float, float]] = []
        self.refused = 0

    def run(self) -> None:
        """Ask."""
        for _ in range(self._questions):
            found = self._page.ask(f"198.51.100.{self._number}")
            if found is None:
                self.refused += 1
            else:
                self.had.append(found)


class Greedy(threading.Thread):
    """A part of a program that asks without end, until `enough` is set."""

    def __init__(self, page: Page, enough: threading.Event) -> None:
        super().__init__(daemon=True)
        self._page, self._enough = page, enough
        self.answered = self.refused = 0

    def run(self) -> None:
        """Ask."""
        while not self._enough.is_set():
            try:
                found = self._page.ask("203.0.113.7")
            except httpx.HTTPError:
                found = None
            if self._enough.is_set():
                return
            self.answered += found is not None
            self.refused += found is None


def measured(options: argparse.Namespace, *, greedy: bool) -> dict[str, Any]:
    """Let everybody ask a server of their own; return what the others had, and the greedy one."""
    environment = {
        "SINKTRACK_MODEL": str(CHECKPOINT),
        "FORWARDED_ALLOW_IPS": "127.0.0.1",
        "SINKTRACK_QUEUE_SIZE": str(options.visitors + options.at_once),
        "SINKTRACK_QUESTIONS_A_MINUTE": "0",
        "SINKTRACK_MODEL_SECONDS_AN_HOUR": "0",
    }
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "page").mkdir()
        server = Server(Path(folder) / "page" / "log", **environment)
        try:
            return _asked(options, server.loaded(), greedy=greedy)
        finally:
            server.stop()


def _asked(options: argparse.Namespace, url: str, *, greedy: bool) -> dict[str, Any]:
    page, enough = Page(url, options.tokens), threading.Event()
    assert page.ask("192.0.2.1"), "The page does not answer."
    parts = [Greedy(page, enough) for _ in range(options.at_once if greedy else 0)]
    for part in parts:
        part.start()
    if greedy:
        time.sleep(2)  # the greedy one is there first
    early = sum(part.answered for part in parts)
    began = time.monotonic()
    others = [
        Visitor(page, number, options.questions)
        for number in range(1, options.visitors + (not greedy))
    ]
    for visitor in others:
        visitor.start()
    for visitor in others:
        visitor.join()
    took = time.monotonic() - began
    enough.set()
    had = [each for visitor in others for each in visitor.had]
    return {
        "visitors": len(others),
        "answers": len(had),
        "refused": sum(visitor.refused for visitor in others),
        "turn": statistics.median(turn for turn, _ in had),
        "end": statistics.median(end for _, end in had),
        "late": sorted(end for _, end in had)[int(0.95 * len(had))],
        "seconds": took,
        "early": early,
        "greedy": sum(part.answered for part in parts) - early if greedy else None,
        "greedy refused": sum(part.refused for part in parts),
    }


def report(options: argparse.Namespace, without: dict[str, Any], with_one: dict[str, Any]) -> str:
    """Return what was measured, as a page."""

    def row(name: str, found: dict[str, Any]) -> str:
        greedy = "none there" if found["greedy"] is None else f"{found['greedy']}"
        return (
            f"| {name} | {found['visitors']} | {found['answers']} | {found['refused']} "
            f"| {found['turn']:.1f} | {found['end']:.1f} | {found['late']:.1f} "
            f"| {found['seconds']:.0f} | {greedy} |"
        )

    factor = with_one["turn"] / without["turn"]
    share = with_one["answers"] / with_one["visitors"]
    return f"""# Forty visitors at once, and one who asks without end

`python benchmarks/visitors.py --visitors {options.visitors} --questions {options.questions} \
--tokens {options.tokens} --at-once {options.at_once}`, {date.today()}, on {os.cpu_count()} shared \
CPU cores beside other work.

The bundled model answers over HTTP, two methods of at most {options.tokens} tokens each. Every \
visitor has an address of its own and asks as often as --questions says, the next when one \
is answered. The greedy one is a program at one address with {options.at_once} questions at a \
time, each from a new session, and began before the others. Limits for one address are off. \
Times are in seconds, those of the others alone; waiting is from Ask to the turn.

| | others | answers | refused | waiting, median | to the end, median | to the end, 95 % | in all \
| answers to the greedy one meanwhile |
|---|---|---|---|---|---|---|---|---|
{row("without", without)}
{row("with", with_one)}

With the greedy one the others' median wait is {factor:.2f} times that without it. Answers \
to the greedy one: {with_one["greedy"]}, and {with_one["early"]} before the others came; to each \
of the others: {share:.1f}.
"""


def main() -> None:
    """Measure both, and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--visitors", type=int, default=40, help="with the greedy one")
    parser.add_argument("--questions", type=int, default=2, help="of each of the others")
    parser.add_argument("--tokens", type=int, default=4, help="longest answer")
    parser.add_argument("--at-once", type=int, default=8, help="questions of the greedy one")
    parser.add_argument("--out", type=Path, help="file for the page")
    options = parser.parse_args()
    found = [measured(options, greedy=greedy) for greedy in (False, True)]
    page = report(options, *found)
    print(page)
    if options.out is not None:
        options.out.write_text(page, "utf-8")


if __name__ == "__main__":
    main()
