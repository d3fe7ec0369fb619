"""What a visitor asks for and gets: a run's tables, the items that changed, and one of them.

Every request is one JSON object from a browser, and nothing in it is trusted: names are looked up
among those that the folder has, and none becomes a path. Knows nothing about pages.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from app.results.asked import asked_about
from app.results.changes import KINDS, Change, Pieces, counts, is_right, kinds_of, marked, of_kind
from app.results.opened_run import Key, OpenedRun, opened
from app.results.tables import conditions, table_of
from sinktrack.core.errors import SinkTrackError, shown
from sinktrack.eval.result_table import remarks
from sinktrack.eval.run_files import RESULTS, Record, find_runs, trace_files

PAGE = 25
"""Items on one page of the list."""
_SHOWN_TROUBLES = 5
_EXCERPT = 160  # characters of a text in the list
_LONGEST = 20_000  # characters of a text that is shown whole

_Value = TypeVar("_Value")


class Refused(Exception):
    """A request that is not answered, with a sentence for the visitor."""


class Browsing:
    """Serves what runs of `sinktrack eval` have found.

    Args:
        folder: A run's folder, or one that holds several.

    Raises:
        OutputError: If there is no run.
    """

    def __init__(self, folder: str | Path) -> None:
        self._folder = folder
        self._answers = {
            "run": self._run,
            "changes": self._changes,
            "item": self._item,
            "asked": self._asked,
            "attention": self._attention,
        }
        find_runs(folder)

    def answer(self, request: Any) -> dict[str, Any]:
        """Answer a browser's request.

        Args:
            request: An object with "what", one of "run", "changes", "item", "asked" and
                "attention", and what that needs.

        Returns:
            The answer, or {"error": a sentence}.
        """
        what = request.get("what") if isinstance(request, dict) else None
        answer = self._answers.get(what) if isinstance(what, str) else None
        if answer is None:
            return {"error": "This request means nothing: load the page again."}
        try:
            return answer(request)
        except (Refused, SinkTrackError) as error:
            return {"error": str(error)}

    def _run(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return a run's tables and conditions, and what can be looked through."""
        runs = find_runs(self._folder)
        name = request.get("run")
        name = next(iter(runs)) if name is None else name
        folder = _among(runs, name, "run")
        answer: dict[str, Any] = {"runs": list(runs), "run": name}
        try:
            run = opened(folder)
        except SinkTrackError as error:  # another run can be chosen still
            return answer | {"broken": str(error)}
        found = run.results
        return answer | {
            "model": run.settings["model"],
            "methods": list(run.settings["methods"]),
            "notices": _notices(run),
            "remarks": [] if found is None else remarks(found),
            "conditions": conditions(run.settings, {} if found is None else found["chat format"]),
            "tables": [] if found is None else [table_of(task, found) for task in found["tasks"]],
            "kinds": list(KINDS.items()),
            "tasks": [
                {"task": task, "judges": list(judges.items())}
                for task, judges in run.judges.items()
            ],
            "begin": _beginning(run),
        }

    def _changes(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return one page of the items that changed."""
        asked = _Asked(self._opened(request), request)
        pages = max(1, -(-len(asked.shown) // PAGE))
        page = request.get("page", 0)
        if not isinstance(page, int) or isinstance(page, bool) or not 0 <= page < pages:
            raise Refused("There is no such page of the list: load the page again.")
        return {
            "counts": counts(asked.found),
            "items": len(asked.items),
            "page": page,
            "pages": pages,
            "listed": [_listed(each) for each in asked.shown[page * PAGE : (page + 1) * PAGE]],
        }

    def _item(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return both answers to one item, and which items stand before and behind it."""
        run = self._opened(request)
        asked = _Asked(run, request)
        first, second = asked.pair(request)
        keys = [(each.first.item, each.first.seed) for each in asked.shown]
        key = first.item, first.seed
        at = keys.index(key) if key in keys else None
        pieces = marked(_cut(first.said), _cut(second.said))
        return _place(key) | {
            "at": at,
            "page": 0 if at is None else at // PAGE,
            "total": len(keys),
            "before": _place(keys[at - 1]) if at else None,
            "after": _place(keys[at + 1]) if at is not None and at + 1 < len(keys) else None,
            "kinds": [KINDS[each] for each in kinds_of(first, second, asked.judge)],
            "question": _cut(first.question),
            "references": [_cut(each) for each in first.references],
            "traced": bool(trace_files(run.folder, first.task, *key)),
            "answers": [
                _answer(record, own, asked.judge)
                for record, own in zip((first, second), pieces, strict=True)
            ],
        }

    def _asked(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return pictures and texts of one item; making its task's items again may take seconds."""
        run = self._opened(request)
        first, _ = _Asked(run, request).pair(request)
        told = asked_about(run.settings, first)
        return told | {"passage": _cut(told["passage"])}

    def _attention(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the viewer draws of both answers to one item."""
        from sinktrack.eval.traces import read  # torch, which takes a second

        run = self._opened(request)
        first, second = _Asked(run, request).pair(request)
        methods = [first.name, second.name]
        found = read(run.folder, first.task, first.item, first.seed, methods)
        if found is None:
            raise Refused("What attention did in both of these answers was not kept.")
        return found

    def _opened(self, request: Mapping[str, Any]) -> OpenedRun:
        return opened(_among(find_runs(self._folder), request.get("run"), "run"))


class _Asked:
    """A task, two methods and a kind of change, as a request names them.

    Raises:
        Refused: If there are no such ones.
    """

    def __init__(self, run: OpenedRun, request: Mapping[str, Any]) -> None:
        task = request.get("task")
        self.items = _among(run.tasks, task, "task")
        methods = dict.fromkeys(run.settings["methods"])
        self.methods = [request.get(side) for side in ("first", "second")]
        for each in self.methods:
            _among(methods, each, "method")
        if self.methods[0] == self.methods[1]:
            raise Refused("These are the answers of one method: choose two.")
        self.judge = request.get("by")
        judges = run.judges[str(task)]
        if self.judge is not None or judges:
            _among(judges, self.judge, "measure")
        kind = request.get("kind")
        _among(KINDS, kind, "kind of change")
        first, second = map(str, self.methods)
        self.found = run.changes(str(task), first, second, self.judge)
        self.shown = of_kind(self.found, str(kind))

    def pair(self, request: Mapping[str, Any]) -> tuple[Record, Record]:
        """Return both answers to the item that a request names."""
        id, seed = request.get("item"), request.get("seed")
        known = isinstance(id, str) and (seed is None or isinstance(seed, int))
        answers = self.items.get((str(id), seed)) if known else None
        if answers is None and known and seed is None:  # a link without a seed means the first
            answers = next((own for (each, _), own in self.items.items() if each == id), None)
        if answers is None:
            raise Refused(f"There is no item {shown(id)} in this task: choose one of the list.")
        if not set(self.methods) <= answers.keys():
            raise Refused("Both methods have not answered this item yet: choose another one.")
        return answers[str(self.methods[0])], answers[str(self.methods[1])]


def _among(there: Mapping[str, _Value], name: Any, what: str) -> _Value:
    """Return what has a name that a visitor sent."""
    if not isinstance(name, str) or name not in there:
        raise Refused(f"There is no {what} {shown(name)} here: choose one of the list.")
    return there[name]


def _beginning(run: OpenedRun) -> dict[str, str]:
    """Return where a visitor begins: a task and a method that differs there from the first one."""
    first, *others = run.settings["methods"]
    for second in others:
        for task, judges in run.judges.items():
            if run.changes(task, first, second, next(iter(judges), None)):
                return {"task": task, "second": second}
    return {}


def _notices(run: OpenedRun) -> list[str]:
    said = run.troubles[:_SHOWN_TROUBLES]
    if len(run.troubles) > _SHOWN_TROUBLES:
        said.append(f"So are {len(run.troubles) - _SHOWN_TROUBLES:,} more lines.")
    if run.results is None:
        said.append(
            f"There are no figures yet: sinktrack eval writes {RESULTS} when every item is "
            "answered. The same command goes on where it stopped."
        )
    return said


def _place(key: Key) -> dict[str, Any]:
    return {"item": key[0], "seed": key[1]}


def _listed(change: Change) -> dict[str, Any]:
    first = change.first
    return _place((first.item, first.seed)) | {
        "question": _excerpt(first.question),
        "kinds": [KINDS[each] for each in change.kinds],
        "answers": [_excerpt(first.said), _excerpt(change.second.said)],
    }


def _answer(record: Record, pieces: Pieces, judge: str | None) -> dict[str, Any]:
    return {
        "method": record.name,
        "pieces": pieces,
        "right": is_right(record, judge),
        "scores": [
            [measure, f"{above:g} of {below:g}"]
            for measure, (above, below) in record.scores.items()
            if below
        ],
    }


def _excerpt(text: str) -> str:
    line = " ".join(text[: 4 * _EXCERPT].split())
    return line if len(line) <= _EXCERPT else line[: _EXCERPT - 1] + "…"


def _cut(text: str) -> str:
    """Return a text, or as much of it as is shown."""
    if len(text) <= _LONGEST:
        return text
    return f"{text[:_LONGEST]}… ({len(text) - _LONGEST:,} more characters are in the run's files)"
