"""Let twenty people judge at once, each through a server of their own: `python study_load.py`.

Nine hundred votes on SQLite and, where its programs are installed, on PostgreSQL. Everybody sends
every vote twice, as by a double click, and everybody takes some back. Prints a table: how long a
vote took, and whether every item has its votes and no vote was lost or doubled.
"""

import argparse
import random
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import nullcontext
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "app")]

from databases import programs, server  # noqa: E402
from studies import make_study, open_store  # noqa: E402

from app.study.judging import Judging  # noqa: E402
from sinktrack.study.folder import Study, read_study  # noqa: E402

CODE = "open sesame"
NO = {"severity": "none", "spans": []}


class Annotator(threading.Thread):
    """One who judges until there is nothing left.

    Args:
        number: Which.
        study: What is judged.
        url: Of the votes.
    """

    def __init__(self, number: int, study: Study, url: str) -> None:
        super().__init__()
        self._number, self._study, self._url = number, study, url
        self.kept: list[str] = []
        self.seconds: list[float] = []
        self.trouble: Exception | None = None

    def run(self) -> None:
        """Judge."""
        store = open_store(self._study, self._url)
        try:
            self._judge(Judging(self._study, store, CODE))
        except Exception as error:
            self.trouble = error
        finally:
            store.close()

    def _judge(self, judging: Judging) -> None:
        rng = random.Random(self._number)
        signed = {"what": "sign in", "name": f"annotator {self._number}", "code": CODE}
        shown = judging.answer(signed)
        token = shown["token"]
        while (pair := shown["pair"]) is not None:
            key = f"vote-{self._number}-{len(self.seconds)}"
            vote: dict[str, Any] = {"what": "vote", "token": token, "key": key, "left": NO}
            vote |= {"right": NO, "place": pair["place"], "seal": pair["seal"]}
            vote["better"] = rng.choice(("left", "right", "tie", "both bad"))
            began = time.monotonic()
            shown = judging.answer(vote)
            self.seconds.append(time.monotonic() - began)
            judging.answer(vote)  # the second click
            assert shown.get("kept"), shown
            if rng.random() < 0.05 and "pair" in judging.answer({"what": "undo", "token": token}):
                shown = judging.answer({"what": "next", "token": token})
            else:
                self.kept.append(key)


def measured(name: str, url: str, study: Study, people: int) -> str:
    """Let all judge at once; return a row of the table.

    Raises:
        AssertionError: If a vote was lost or doubled, or an item has too many or too few.
    """
    threads = [Annotator(number, study, url) for number in range(people)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.monotonic() - began
    assert not any(thread.trouble for thread in threads), [t.trouble for t in threads]
    store = open_store(study, url)
    votes = store.standing()
    store.close()
    kept = sorted(key for thread in threads for key in thread.kept)
    assert sorted(vote["key"] for vote in votes) == kept, "Votes were lost or doubled."
    assert set(Counter(vote["item"] for vote in votes).values()) == {study.votes_per_item}
    assert max(Counter((vote["item"], vote["name"]) for vote in votes).values()) == 1
    seconds = sorted(second for thread in threads for second in thread.seconds)
    p99 = seconds[int(0.99 * len(seconds))]
    figures = f"{statistics.median(seconds):.3f} | {p99:.3f} | {took:.0f}"
    return f"| {name} | {len(votes)} | 0 | 0 | {figures} |"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--items", type=int, default=100)
    parser.add_argument("--votes", type=int, default=9, help="an item")
    options = parser.parse_args()
    print("| votes in | kept | lost | doubled | seconds a vote, median | 99th in 100 | in all |")
    print("|---|---|---|---|---|---|---|")
    for name in ("SQLite", "PostgreSQL") if programs() else ("SQLite",):
        with tempfile.TemporaryDirectory() as folder:
            made = make_study(Path(folder) / "study", items=options.items)
            about = (made.folder / "study.yaml").read_text()
            (made.folder / "study.yaml").write_text(f"{about}votes_per_item: {options.votes}\n")
            study = read_study(made.folder)
            local = f"sqlite:///{made.folder / 'votes.sqlite'}"
            with server() if name == "PostgreSQL" else nullcontext(local) as url:
                print(measured(name, url, study, options.people), flush=True)


if __name__ == "__main__":
    main()
