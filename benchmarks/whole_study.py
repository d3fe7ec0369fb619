"""Run one whole study of answers made elsewhere: import, people in browsers, rulings.

python benchmarks/whole_study.py answers_*.jsonl.xz --pattern "{method}_{seed}.jsonl.xz" \
    --items dev.json --limit 40

Three judge by keyboard, one by mouse and one on a phone, and a judge rules on what they see
differently. They prefer the answer that holds the reference, each with slips of their own. Writes
results/whole-study.md: how many presses and seconds a vote took, whether every vote is in the
export once, and whether its figures are those of the page when they are counted anew from it.
"""

import argparse
import json
import random
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import yaml
from playwright.sync_api import Browser, Page, expect, sync_playwright

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests" / "browser"))

from annotators import CODE, Annotator  # noqa: E402
from real_page import Server, launch_chromium  # noqa: E402

from sinktrack.study.folder import Study, read_study  # noqa: E402

COORDINATOR = "coordinator's code"
RESULT = ROOT / "benchmarks" / "results" / "whole-study.md"
SLIPS = {
    "Ann, keyboard": 0.05,
    "Bob, mouse": 0.15,
    "Eve, phone": 0.25,
    "Kim, keyboard": 0.15,
    "Lou, keyboard": 0.25,
}
"""Five, so that of three methods some pairs get two votes, on which people can differ."""
PRACTICE = {"use": "training", "why": "The passage says so."}


def told(text: str) -> str:
    """Return a text without case, marks and articles."""
    return " ".join(re.sub(r"[^\w\s]|\b(a|an|the)\b", " ", text.lower()).split())


class Person:
    """One who judges.

    Args:
        name: Who.
        study: What is judged, for the references.
    """

    def __init__(self, name: str, study: Study) -> None:
        self.name = name
        self._references = {item.question: told(item.reference) for item in study.items}
        self._rng = random.Random(name)
        self.presses: list[int] = []
        self.seconds: list[float] = []

    def opinion(self, ann: Annotator) -> str:
        """Return which answer is better: left, right or tie."""
        if self._rng.random() < SLIPS[self.name]:
            return self._rng.choice(("left", "right", "tie"))
        question = ann.page.locator(".sj-question").inner_text()
        reference = self._references.get(question.strip(), "")
        holds = [bool(reference) and reference in told(ann.text(s)) for s in ("left", "right")]
        if holds[0] != holds[1]:
            return "left" if holds[0] else "right"
        lengths = [len(ann.text(side)) for side in ("left", "right")]
        return "tie" if lengths[0] == lengths[1] else ("left", "right")[lengths[0] > lengths[1]]

    def judge(self, browser: Browser, url: str, votes: Callable[[Annotator, str], int]) -> None:
        """Judge all that there is."""
        ann = Annotator(self._page(browser), url)
        ann.sign_in(self.name)
        ann.page.get_by_role("button", name="I have it").click()
        while ann.page.locator(".sj-question").count():
            better, began = self.opinion(ann), time.monotonic()
            before = ann.count().inner_text()
            presses = votes(ann, better)
            expect(ann.count()).not_to_have_text(before)
            self.presses.append(presses)
            self.seconds.append(time.monotonic() - began)
            go_on = ann.page.get_by_role("button", name="Go on")
            if go_on.count():
                go_on.click()
        expect(ann.page.locator(".sj-end")).to_be_visible()
        ann.page.context.close()

    def _page(self, browser: Browser) -> Page:
        phone = "phone" in self.name
        size = {"width": 390, "height": 844} if phone else {"width": 1280, "height": 900}
        context = browser.new_context(viewport=size, has_touch=phone, is_mobile=phone)
        return context.new_page()


def by_keyboard(ann: Annotator, better: str) -> int:
    """Vote with keys alone; return how many."""
    keys = ({"left": "1", "right": "2", "tie": "3"}[better], *severities("asd", "jkl", better))
    for key in (*keys, "Enter"):
        ann.page.keyboard.press(key)
    return len(keys) + 1


def severities(left: str, right: str, better: str) -> tuple[str, str]:
    """Return which of three choices is made for each side: the worse answer hallucinates."""
    return left[2 * (better == "right")], right[2 * (better == "left")]


def by_pointer(ann: Annotator, better: str) -> int:
    """Vote with the mouse or a finger; return how many presses it took."""
    values = [better, *severities(("none", "minor", "severe"), ("none", "minor", "severe"), better)]
    scopes = (ann.page.locator(".sj-verdict"), ann.side("left"), ann.side("right"))
    for scope, value in zip(scopes, values, strict=True):
        option = scope.locator("label").filter(has=ann.page.locator(f"input[value='{value}']"))
        option.first.click()
    ann.keep()
    return len(values) + 1


WAYS = {name: by_keyboard if "keyboard" in name else by_pointer for name in SLIPS}


def imported(options: argparse.Namespace, folder: Path) -> Study:
    """Import the answers; make the first item training, the second a check, and repeat two."""
    words = ["study", "import", str(folder), *options.files, "--limit", str(options.limit + 2)]
    for name in ("pattern", "items"):
        words += [f"--{name}", getattr(options, name)] if getattr(options, name) else []
    subprocess.run([sys.executable, "-m", "sinktrack", *words], check=True, cwd=ROOT)
    lanes = list(read_study(folder).lanes)
    lines = [json.loads(line) for line in (folder / "items.jsonl").read_text().splitlines()]
    lines[0] |= PRACTICE | {"better": lanes[0]}
    lines[1] |= {"use": "check", "better": lanes[0]}
    (folder / "items.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    about = yaml.safe_load((folder / "study.yaml").read_text())
    about |= {"votes_per_item": len(SLIPS), "repeat": 2}
    (folder / "study.yaml").write_text(yaml.safe_dump(about, sort_keys=False))
    return read_study(folder)


def judged(study: Study, url: str) -> list[Person]:
    """Let all judge at once, each in a browser of their own."""
    people = [Person(name, study) for name in SLIPS]
    troubles: list[BaseException] = []

    def judge(person: Person) -> None:
        try:
            with sync_playwright() as playwright:
                browser = launch_chromium(playwright)
                person.judge(browser, url, WAYS[person.name])
                browser.close()
        except BaseException as error:
            troubles.append(error)

    threads = [threading.Thread(target=judge, args=(person,)) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if troubles:
        raise troubles[0]
    return people


def ruled(page: Page) -> int:
    """Rule by keys on all that annotators see differently; return how many items these were."""
    page.get_by_text("Rule on what annotators see differently").click()
    judge, count = page.locator("#ruling"), page.locator("#ruling .sj-count")
    page.get_by_label("Your name, which goes").fill("Dan")
    expect(count).to_contain_text(re.compile(r"of \d+"))
    number = int(re.findall(r"of (\d+)", count.inner_text())[0])
    for at in range(number):
        expect(count).to_contain_text(f"{at + 1} of {number}")
        judge.locator(".sj-verdict input").first.focus()
        for key in ("123"[at % 3], "Enter"):
            page.keyboard.press(key)
        expect(judge.locator(".sj-said")).to_contain_text("Kept.")
        page.keyboard.press("n")
    return number


def taken(url: str) -> dict[str, str]:
    """Rule, and return the coordinator's files: votes and rulings as JSONL, and the summary."""
    with sync_playwright() as playwright:
        browser = launch_chromium(playwright)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(f"{url}/results")
        page.fill("#code input", COORDINATOR)
        page.click("#show")
        number, found = ruled(page), {}
        for name in ("jsonl", "rulings", "summary"):
            with page.expect_download() as download:
                page.locator(f"#results #{name}").click()
            found[name] = Path(download.value.path()).read_text("utf-8")
        browser.close()
    rulings = found["rulings"].splitlines()
    assert len(rulings) == number > 0, f"{number} rulings were given, and {len(rulings)} are kept."
    return found


def counted(study: Study, votes: list[dict[str, Any]]) -> dict[tuple[str, str], tuple[int, int]]:
    """Return by pair of lanes how often the second won, and of how many decided votes."""
    own = [vote for vote in votes if vote["use"] == "judged" and not vote["again"]]
    found = {}
    for first, second in combinations(study.lanes, 2):
        said = Counter(v["better"] for v in own if {v["left"], v["right"]} == {first, second})
        found[first, second] = said[second], said[first] + said[second]
    return found


def report(study: Study, people: list[Person], files: dict[str, str]) -> str:
    """Return the page of figures; fail where the export does not bear the summary out.

    Raises:
        AssertionError: Where a vote is missing or doubled, or a figure is another one.
    """
    votes, rulings = (
        [json.loads(line) for line in files[name].splitlines()] for name in ("jsonl", "rulings")
    )
    given = sum(len(person.presses) for person in people)
    assert len(votes) == len({vote["key"] for vote in votes}) == given, (len(votes), given)
    rates = counted(study, votes)
    for (_, second), (won, decided) in rates.items():
        share = f"{won / decided:.3f}"
        assert share in files["summary"], f"{second} wins {share}, which the summary does not say."
    uses = Counter("again" if vote["again"] else vote["use"] for vote in votes)
    per_item = Counter(v["item"] for v in votes if v["use"] == "judged" and not v["again"])
    assert set(per_item.values()) == {len(SLIPS)}, Counter(per_item.values())
    lines = [
        "# One whole study, by people in browsers",
        "",
        f"`python benchmarks/whole_study.py` writes this page. {len(study.judged)} items with "
        f"answers of {len(study.lanes)} methods that were made elsewhere, {len(SLIPS)} votes an "
        f"item; {given} votes: {', '.join(f'{n} {use}' for use, n in sorted(uses.items()))}. All "
        "are in the export once, and the win rates counted from it are those of the summary. "
        f"A judge ruled by keyboard on what they saw differently, {len(rulings)} in number.",
        "",
        "The people are scripts that look for the reference in the answers and slip now and then: "
        "the figures show that a study holds, and tell nothing of the methods.",
        "",
        "| | votes | presses a vote, median | seconds a vote, median |",
        "|---|---|---|---|",
    ]
    for person in people:
        presses, seconds = map(statistics.median, (person.presses, person.seconds))
        lines.append(f"| {person.name} | {len(person.presses)} | {presses:g} | {seconds:.2f} |")
    lines += ["", "Seconds are those of the page and the server: scripted people do not think.", ""]
    return "\n".join(lines) + "\n" + files["summary"].replace("\n#", "\n##").replace("# ", "## ", 1)


def main() -> None:
    """Run the study and write what came out."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("files", nargs="+", help="answers, as `sinktrack study import` reads them")
    parser.add_argument("--pattern", help="as of `sinktrack study import`")
    parser.add_argument("--items", help="as of `sinktrack study import`")
    parser.add_argument("--limit", type=int, default=40, help="items that are judged")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        study = imported(options, Path(folder) / "study")
        server = Server(
            Path(folder) / "log",
            SINKTRACK_STUDY=str(study.folder),
            SINKTRACK_INVITE=CODE,
            SINKTRACK_COORDINATOR=COORDINATOR,
        )
        try:
            url = server.ready()
            people = judged(study, url)
            RESULT.write_text(report(study, people, taken(url)), "utf-8")
        finally:
            print(server.stop())


if __name__ == "__main__":
    main()
