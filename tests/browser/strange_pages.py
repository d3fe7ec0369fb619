"""The three pages as fuzzing meets them: served for it, asked once as they should be."""

import json
import time
import urllib.request
from pathlib import Path
from typing import Any

from annotators import CODE
from gradio_client.utils import apply_diff
from real_page import CHECKPOINT, Server
from studies import make_study

import sinktrack
from sinktrack.eval.runner import Run, evaluate
from sinktrack.eval.tasks.shapes import DESCRIPTIONS
from sinktrack.machine import settle_threads
from sinktrack.methods import create

CHIEF = "chief code"
Said = dict[str, list[Any]]


def _called(url: str, path: str, body: Any) -> Any:
    """Send one call as a page does, and return what came of it."""
    request = urllib.request.Request(
        f"{url}/gradio_api/{path}",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def _config(url: str) -> Any:
    return json.load(urllib.request.urlopen(f"{url}/config", timeout=30))


def _id(url: str, name: str) -> int:
    found = [one["id"] for one in _config(url)["components"] if one["props"].get("elem_id") == name]
    return int(found[0])


def _function(url: str, element: str, name: str, data: Any) -> Any:
    body = {"component_id": _id(url, element), "fn_name": name, "session_hash": "an-ordinary-one"}
    return _called(url, "component_server", body | {"data": data})


def _ready(url: str) -> None:
    """Wait until the page can do its work."""
    for _ in range(600):
        try:
            urllib.request.urlopen(f"{url}/readyz", timeout=30).close()
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"{url} is not ready after a minute.")


class _Busy(Exception):
    """The queue is full."""


class Compare:
    """The page that compares."""

    name = "compare"

    def serve(self, folder: Path) -> Server:
        """Start it; answers are short, so that those that are asked for hold nothing up."""
        limits = {"SINKTRACK_MAX_NEW_TOKENS": "4", "SINKTRACK_QUEUE_SIZE": "4"}
        gallery = {"SINKTRACK_GALLERY": str(folder.parent / "gallery")}
        return Server(folder / "log", SINKTRACK_MODEL=str(CHECKPOINT), **limits, **gallery)

    def said(self, url: str) -> Said:
        """Return what the viewer asks about a real answer."""
        key = self.asked(url)["key"]
        asked = [{"what": what, "key": key, "at": 0} for what in ("explain", "looks", "maps")]
        covered = {"lane": "baseline", "positions": [1, 2], "heads": "0.0"}
        return {"stage": [*asked, {"what": "without", "key": key, "at": 0} | covered]}

    def asked(self, url: str) -> dict[str, Any]:
        """Ask an ordinary question, and return what the viewer shows in the end.

        Raises:
            RuntimeError: If no answer comes.
        """
        _ready(url)
        config = _config(url)
        values = {one["id"]: one["props"].get("value") for one in config["components"]}
        ids = {one["props"].get("elem_id"): one["id"] for one in config["components"]}
        values |= {
            ids["question"]: "Where is it?",
            ids["passage"]: "A red circle.",
            ids["picture"]: None,
        }
        *_, handler = (
            one
            for one in config["dependencies"]
            if ids["system"] in one["inputs"]
            and ids["stage"] in one["outputs"]
            and ids["picture"] not in one["outputs"]
        )
        session = f"ordinary-{time.monotonic_ns()}"
        inputs = [values[each] for each in handler["inputs"]]
        for _ in range(60):
            try:
                body = {"data": inputs, "fn_index": handler["id"], "session_hash": session}
                _called(url, "queue/join", body)
                return self._answer(url, session, handler["outputs"].index(ids["stage"]))
            except _Busy:  # with what was asked for before
                time.sleep(1)
        raise RuntimeError("The page stays busy.")

    def _answer(self, url: str, session: str, at: int) -> dict[str, Any]:
        values: list[Any] = []
        shown: Any = None
        data = f"{url}/gradio_api/queue/data?session_hash={session}"
        with urllib.request.urlopen(data, timeout=120) as events:
            for line in events:
                event = json.loads(line.decode().removeprefix("data: ")) if line.strip() else {}
                output = event.get("output") or {}
                if event.get("msg") == "process_generating":
                    sent = output["data"]  # after the first, how they differ from those before
                    values = list(map(apply_diff, values, sent)) if values else sent
                    shown = values[at] if isinstance(values[at], str) else shown  # or a skip
                elif event.get("msg") == "process_completed":
                    if not event["success"] and "many people" in str(output):
                        raise _Busy
                    return self._with_key(shown or event)
        raise RuntimeError("The answer never ended.")

    @staticmethod
    def _with_key(value: Any) -> dict[str, Any]:
        shown: dict[str, Any] = json.loads(value) if isinstance(value, str) else {}
        if shown.get("key") is None:
            raise RuntimeError(f"No answer: {value}")
        return shown

    def works(self, url: str) -> bool:
        """Whether an ordinary question is answered."""
        return bool(self.asked(url)["key"])


class Study:
    """The page of a study, and its results."""

    name = "study"

    def serve(self, folder: Path) -> Server:
        """Start it, with many items."""
        study = make_study(folder.parent / "study", 12)
        codes = {"SINKTRACK_INVITE": CODE, "SINKTRACK_COORDINATOR": CHIEF}
        return Server(folder / "log", SINKTRACK_STUDY=str(study.folder), **codes)

    def said(self, url: str) -> Said:
        """Return what an annotator and the coordinator ask."""
        signed = self._sign_in(url, "Ann")
        own = {
            "token": signed["token"],
            "place": signed["pair"]["place"],
            "seal": signed["pair"]["seal"],
        }
        signing = {"what": "sign in", "name": "Bob", "code": CODE, "personal": "abcd-efgh"}
        judge = [signing, own | self._vote("stranger-key"), own | {"what": "next"}]
        judge += [own | {"what": what} for what in ("hold", "votes", "undo", "reveal")]
        judge.append(own | {"what": "pass", "reason": "The picture is missing."})
        code = {"code": CHIEF}
        ruling = [code | {"what": "state", "turn": "open"}, code | {"what": "disputes"}]
        ruling += [
            code | {"what": "file", "file": file, "left_out": ["Ann"]}
            for file in ("summary", "csv")
        ]
        ruling += [code | {"what": what, "name": "Nobody"} for what in ("personal", "withdraw")]
        ruling.append(code | {"what": "dispute", "item": "0", "lanes": ["baseline", "sinktrack"]})
        ruling.append(
            code | {"what": "rule", "better": "tie", "comment": "x", "judge": "J", "id": 1}
        )
        return {"judge": judge, "ruling": ruling}

    def _sign_in(self, url: str, name: str) -> Any:
        _ready(url)
        return _function(url, "judge", "answer", {"what": "sign in", "name": name, "code": CODE})

    @staticmethod
    def _vote(key: str) -> dict[str, Any]:
        judged = {side: {"severity": "minor", "spans": [[0, 5]]} for side in ("left", "right")}
        return {"what": "vote", "key": key, "better": "tie", "comment": "", "seconds": 3.5} | judged

    def works(self, url: str) -> bool:
        """Whether an ordinary vote is kept."""
        for _ in range(40):
            signed = self._sign_in(url, f"Ordinary {time.monotonic_ns()}")
            if "wait" not in signed.get("error", ""):  # for codes that were guessed from here
                break
            time.sleep(1)
        self._open(url)
        signed = self._sign_in(url, f"Ordinary {time.monotonic_ns()}")
        own = {name: signed["pair"][name] for name in ("place", "seal")} | {
            "token": signed["token"]
        }
        kept = _function(url, "judge", "answer", own | self._vote("a-key-of-its-own"))
        return kept.get("kept") is True

    def _open(self, url: str) -> None:
        """Open the study, which whoever has the coordinator's code may have closed."""
        _function(url, "ruling", "run", {"code": CHIEF, "what": "state", "turn": "open"})


class Results:
    """The page of runs of `sinktrack eval`."""

    name = "results"

    def serve(self, folder: Path) -> Server:
        """Start it with a run of two questions."""
        model, processor = sinktrack.load(CHECKPOINT, device="cpu")
        settle_threads(model)
        methods = {"baseline": None, "pai": create("pai")}
        run = Run(tasks=DESCRIPTIONS[:1], methods=methods, limit=2)
        evaluate(model, processor, run, folder.parent / "runs" / "real")
        return Server(folder / "log", SINKTRACK_RESULTS=str(folder.parent / "runs"))

    def said(self, url: str) -> Said:
        """Return what the page asks."""
        run = self._run(url)
        about = {"run": run["run"], "task": run["tasks"][0]["task"], **run["begin"]}
        asked = [{"what": what, "page": 0} | about for what in ("run", "changes", "item", "asked")]
        changes = _function(url, "runs", "answer", asked[1])
        listed = changes.get("listed") or [{}]
        return {"runs": [each | listed[0] for each in asked]}

    def _run(self, url: str) -> Any:
        _ready(url)
        return _function(url, "runs", "answer", {"what": "run"})

    def works(self, url: str) -> bool:
        """Whether a run is shown."""
        return bool(self._run(url)["tables"])


PAGES = (Compare(), Study(), Results())
