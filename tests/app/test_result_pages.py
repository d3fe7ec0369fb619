"""What a page of runs answers: tables as files have them, kinds of change, hostile files."""

import json
import math
import os

import pytest
from paths import ROOT

from app.results import browsing
from app.results.browsing import PAGE, Browsing
from app.results.changes import KINDS, kinds_of, marked
from app.shared.settings import Settings
from sinktrack.core.errors import OutputError
from sinktrack.eval.results import Answered, results
from sinktrack.eval.run_files import Record, find_runs, read_records, read_results, read_settings
from sinktrack.eval.tasks.shapes import POPE

HOSTILE = "<img src=x onerror=window.hacked=1>"
TASK = "existence, random"
SETTINGS = {
    "model": "made up",
    "dtype": "float32",
    "tasks": [TASK],
    "methods": {"baseline": None, "vcd": {"kind": "vcd", "alpha": 1.0}},
    "split": "test",
    "limit": None,
    "cache": "full",
    "decoding": {"do_sample": False},
    "seeds": [None],
    "revision": None,
    "quantised": None,
    "max_new_tokens": {TASK: 16},
}


def record(item, name="baseline", answer="Yes.", right=True, **changes):
    return {
        "task": TASK,
        "name": name,
        "method": SETTINGS["methods"][name],
        "item": item,
        "seed": None,
        "question": f"Question {item}",
        "reference": "Yes.",
        "answer": answer,
        "moved": {},
        "scores": {"accuracy": [float(right), 1.0]},
    } | changes


def pair(item, first="Yes.", second="Yes.", before=True, after=True, **changes):
    return [
        record(item, answer=first, right=before, **changes),
        record(item, "vcd", second, after, **changes),
    ]


def write(folder, records, settings=SETTINGS, finished=True):
    """Write a run as `sinktrack eval` does."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run.json").write_text(json.dumps(settings))
    lines = [each if isinstance(each, str) else json.dumps(each) for each in records]
    (folder / "records.jsonl").write_text("".join(f"{line}\n" for line in lines))
    if finished:
        tasks = {}
        for each in (each for each in records if isinstance(each, dict)):
            scores = {name: tuple(two) for name, two in each["scores"].items()}
            moved = {"output": 2.0} if each["name"] == "vcd" else None
            own = tasks.setdefault(each["task"], {}).setdefault(each["name"], [])
            own.append([Answered(scores, moved)])
        found = results(settings, tasks) | {"chat format": dict.fromkeys(tasks, "<user>{question}")}
        (folder / "results.json").write_text(json.dumps(found))
    return folder


FOUR = [
    *pair("test/0", second="No.", after=False),
    *pair("test/10", first="No.", before=False),
    *pair("test/2", second="Not stated in the picture.", after=False),
    *pair("test/3", second="Yes, there is."),
    *pair("test/4"),
]


def ask(folder, what, **changes):
    asked = {"what": what, "run": folder.name, "task": TASK, "first": "baseline", "second": "vcd"}
    return Browsing(folder).answer({**asked, "by": "accuracy", "kind": "all", **changes})


def test_a_table_says_what_results_json_says(tmp_path):
    folder = write(tmp_path / "run", FOUR)
    found = json.loads((folder / "results.json").read_text())["tasks"][TASK]["vcd"]["accuracy"]
    run = Browsing(folder).answer({"what": "run", "run": None})
    (measure,) = run["tables"][0]["measures"]
    plain, other = measure["rows"]
    assert plain["value"].startswith("0.800 (") and "difference" not in plain
    assert other["value"].startswith("0.600 (") and other["difference"].startswith("-0.200 (")
    assert other["p"] == f"{found['p']:.4f}" and other["items"] == "5"
    assert other["drawn"]["value"] == found["difference"]["value"]
    assert "baseline on the same items" in run["remarks"][0]
    assert run["tables"][0]["moved"] == [["vcd", "output 2, 2"]]
    told = {title: dict(pairs) for title, pairs in run["conditions"]}
    assert told["Method baseline"] == {"kind": "the plain model"}
    assert told["Method vcd"] == {"kind": "vcd", "alpha": "1"}
    assert told["The run"]["weights"] == "float32" and "Chat format" in told


def test_each_kind_of_change_is_counted_and_listed(tmp_path):
    folder = write(tmp_path / "run", FOUR)
    found = ask(folder, "changes")
    assert found["items"] == 5
    assert found["counts"] == dict(zip(KINDS, (4, 2, 1, 1, 0, 1), strict=True))
    by_kind = {
        kind: [each["item"] for each in ask(folder, "changes", kind=kind)["listed"]]
        for kind in KINDS
    }
    assert by_kind["all"] == ["test/0", "test/2", "test/3", "test/10"]  # as people count
    assert by_kind["worse"] == ["test/0", "test/2"] and by_kind["better"] == ["test/10"]
    assert by_kind["abstains"] == ["test/2"] and by_kind["words"] == ["test/3"]
    turned = ask(folder, "changes", first="vcd", second="baseline", kind="answers")
    assert [each["item"] for each in turned["listed"]] == ["test/2"]


def as_record(answer, **scores):
    pairs = {name.replace("_", " "): value for name, value in scores.items()}
    return Record("t", "n", "i", None, "Q?", ("A",), answer, pairs)


@pytest.mark.parametrize(
    ("first", "second", "judge", "expected"),
    [
        # nothing invented is right, although the measure is 0
        (
            Record("t", "a", "i", None, "", (), "a", {"CHAIR_s": (1.0, 1.0)}),
            Record("t", "b", "i", None, "", (), "b", {"CHAIR_s": (0.0, 1.0)}),
            "CHAIR_s",
            ("better",),
        ),
        # a measure that leaves the item out says nothing
        (as_record("a", accuracy=(0.0, 0.0)), as_record("b", accuracy=(1.0, 1.0)), "accuracy", "w"),
        (as_record("a", accuracy=(1.0, 1.0)), as_record("b", accuracy=(0.5, 1.0)), None, "w"),
        # half right over seeds is not right
        (
            as_record("a", accuracy=(1.0, 1.0)),
            as_record("b", accuracy=(0.5, 1.0)),
            "accuracy",
            ("worse",),
        ),
        # the task's own measure of abstaining goes before phrases
        (
            as_record("unanswerable", abstains_answerable=(0.0, 1.0)),
            as_record("none", abstains_answerable=(1.0, 1.0)),
            None,
            ("abstains",),
        ),
        (as_record("same"), as_record("same", accuracy=(1.0, 1.0)), "accuracy", ()),
    ],
)
def test_a_change_is_of_the_kind_that_its_scores_say(first, second, judge, expected):
    assert kinds_of(first, second, judge) == (("words",) if expected == "w" else expected)


@pytest.mark.parametrize(
    ("first", "second", "left", "right"),
    [
        ("a red star", "a blue star", "a [red] star", "a [blue] star"),
        ("yes", "", "[yes]", ""),
        ("one\n\ntwo", "one\n\ntwo three", "one\n\ntwo", "one\n\ntwo [three]"),
        ("  same ", "  same ", "  same ", "  same "),
    ],
)
def test_the_words_that_differ_are_marked_and_no_letter_is_lost(first, second, left, right):
    def shown(pieces):
        return "".join(f"[{text}]" if differs else text for text, differs in pieces)

    ones, others = marked(first, second)
    assert (shown(ones), shown(others)) == (left, right)
    for text, pieces in ((first, ones), (second, others)):
        assert "".join(piece for piece, _ in pieces) == text


def test_very_long_answers_are_shown_without_marks():
    long = "word " * 5000
    assert marked(long, "word") == ([(long, False)], [("word", False)])


def test_the_list_has_pages_and_an_item_knows_its_page_and_its_neighbours(tmp_path):
    many = [each for n in range(2 * PAGE + 3) for each in pair(f"test/{n}", second="Yes!")]
    folder = write(tmp_path / "run", many, finished=False)
    last = ask(folder, "changes", page=2)
    assert (last["page"], last["pages"], len(last["listed"])) == (2, 3, 3)
    for page in (3, -1, "1", True, None, 1.5):
        assert "no such page" in ask(folder, "changes", page=page)["error"]
    item = ask(folder, "item", item=f"test/{PAGE}", seed=None)
    assert (item["at"], item["page"], item["total"]) == (PAGE, 1, 2 * PAGE + 3)
    assert item["before"]["item"] == f"test/{PAGE - 1}"
    assert item["after"]["item"] == f"test/{PAGE + 1}"
    first = ask(folder, "item", item="test/0", seed=None)
    assert first["before"] is None and first["after"]["item"] == "test/1"
    elsewhere = ask(folder, "item", item="test/0", seed=None, kind="worse")
    assert (elsewhere["at"], elsewhere["before"], elsewhere["after"]) == (None, None, None)


def test_seeds_are_items_of_their_own_and_a_link_without_one_means_the_first(tmp_path):
    seeds = [each for seed in (7, 8) for each in pair("test/0", second=f"No {seed}.", seed=seed)]
    folder = write(tmp_path / "run", seeds, finished=False)
    assert [each["seed"] for each in ask(folder, "changes")["listed"]] == [7, 8]
    assert ask(folder, "item", item="test/0", seed=8)["answers"][1]["pieces"][0][0] == "No 8."
    assert ask(folder, "item", item="test/0")["seed"] == 7
    assert "no item" in ask(folder, "item", item="test/0", seed=9)["error"]


def test_a_question_gets_its_picture_again_from_its_task(tmp_path):
    (item,) = POPE[0].items("test", 1)
    own = {"question": item.question, "reference": item.answer}
    folder = write(tmp_path / "run", pair("test/0", second="No.", **own), finished=False)
    told = ask(folder, "asked", item="test/0", seed=None)
    assert told["pictures"][0].startswith("data:image/png;base64,") and told["said"] == ""


@pytest.mark.parametrize(
    ("settings", "changes", "said"),
    [
        ({}, {}, "draws another question"),
        ({}, {"task": "no such task"}, "no such task"),
        ({"split": "../../etc"}, {}, "no such task"),
        ({}, {"item": "test/99999999"}, "no such item among its first"),
        (
            {"data": {TASK: {"data": "/etc", "items": 1, "tokens": 8, "prompt": "direct"}}},
            {},
            "lies in /etc, which is not read",
        ),
    ],
)
def test_a_question_without_its_task_says_why_nothing_is_shown(
    tmp_path, monkeypatch, settings, changes, said
):
    monkeypatch.setattr("app.results.asked.MOST_ITEMS", 20)
    changes = {"item": "test/0"} | changes
    records = pair(changes.pop("item"), second="No.", **changes)
    folder = write(tmp_path / "run", records, SETTINGS | settings, finished=False)
    told = ask(folder, "asked", task=records[0]["task"], item=records[0]["item"], seed=None)
    assert said in told["said"] and told["pictures"] == []


def test_texts_stay_texts_whatever_stands_in_them(tmp_path):
    """The page puts them in as text; here nothing is taken for markup, a path or a format."""
    task, item = f"{HOSTILE}/../..", "../../etc/passwd"
    settings = SETTINGS | {"tasks": [task], "model": HOSTILE}
    texts = {"task": task, "question": HOSTILE, "reference": [HOSTILE, "\ud800"]}
    records = pair(item, first=HOSTILE, second="\ud800 {x} %s", **texts)
    folder = write(tmp_path / "run", records, settings)
    run = Browsing(folder).answer({"what": "run", "run": None})
    assert run["model"] == HOSTILE and run["tables"][0]["task"] == task
    shown = ask(folder, "item", task=task, item=item, seed=None)
    assert shown["question"] == HOSTILE and shown["references"] == [HOSTILE, "\ufffd"]
    json.dumps([run, shown]).encode()
    assert "\ud800" not in json.dumps(shown, ensure_ascii=False)


BROKEN = [
    ("{", "Expecting property name"),
    ("[]", "must be an object"),
    ('{"task": "a"}', "it has no"),
    (json.dumps(record("test/1", scores={"accuracy": [1]})), "must be two numbers"),
    (json.dumps(record("test/1", scores={"accuracy": [math.nan, 1]})), "must be a number"),
    (json.dumps(record("test/1", answer=3)), "answer is 3, but must be a text"),
    (json.dumps(record("test/1", seed="1")), "seed is '1'"),
    (json.dumps(record(["x"])), "item is ['x']"),
    ("[" * 100_000, "too deep"),
    ('{"task": "a", "task": "b"}', "says 'task' twice"),
    ('{"seed": ' + "9" * 5000 + "}", "digits"),
]


@pytest.mark.parametrize(("line", "why"), BROKEN, ids=[why for _, why in BROKEN])
def test_a_broken_record_is_a_sentence_with_its_line_and_the_rest_is_shown(tmp_path, line, why):
    folder = write(tmp_path / "run", [*FOUR, line], finished=False)
    (notice, unfinished) = Browsing(folder).answer({"what": "run", "run": None})["notices"]
    assert notice.startswith("records.jsonl, line 11 is not a record") and why in notice
    assert "no figures yet" in unfinished
    assert ask(folder, "changes")["counts"]["all"] == 4


def test_an_answer_that_failed_says_why_and_is_a_change(tmp_path):
    failed = pair("test/9", after=False)
    failed[1] |= {"answer": "", "error": "The picture is broken."}
    folder = write(tmp_path / "run", [*FOUR, *failed])
    (listed,) = [each for each in ask(folder, "changes")["listed"] if each["item"] == "test/9"]
    assert listed["answers"][1] == "(Failed: The picture is broken.)"
    assert listed in ask(folder, "changes", kind="worse")["listed"]


def test_what_each_start_of_a_run_ran_with_is_told(tmp_path):
    starts = [
        {"versions": {"torch": "2.9"}, "commit": "abc", "prompts": {TASK: ["x" * 100_000]}},
        {"versions": {"torch": "2.10"}, "commit": None, "prompts": {}},
    ]
    folder = write(tmp_path / "run", FOUR)
    (folder / "run.json").write_text(json.dumps(SETTINGS | {"starts": starts}))
    told = dict(Browsing(folder).answer({"what": "run", "run": None})["conditions"])
    assert dict(told["Start 1 of 2"]) == {"versions": "torch 2.9", "commit": "abc"}
    assert dict(told["Start 2 of 2"])["commit"] == "not set"
    assert "starts" not in dict(told["The run"])


def test_many_broken_lines_do_not_fill_the_page(tmp_path):
    folder = write(tmp_path / "run", [*FOUR, *["{"] * 20], finished=False)
    notices = Browsing(folder).answer({"what": "run", "run": None})["notices"]
    assert len(notices) == 7 and notices[5] == "So are 15 more lines."


def test_a_line_that_is_still_written_is_left_alone(tmp_path):
    folder = write(tmp_path / "run", FOUR, finished=False)
    with (folder / "records.jsonl").open("a") as file:
        file.write('{"task": "exist')
    before = (folder / "records.jsonl").read_bytes()
    records, troubles = read_records(folder)
    assert (len(records), troubles) == (10, [])
    assert (folder / "records.jsonl").read_bytes() == before


def test_answers_that_come_while_the_page_is_open_are_seen(tmp_path):
    folder = write(tmp_path / "run", FOUR[:4], finished=False)
    assert ask(folder, "changes")["items"] == 2
    write(folder, FOUR)
    assert ask(folder, "changes")["items"] == 5


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda found: found["tasks"][TASK].pop("vcd"), "differ in {'vcd'}"),
        (lambda found: found["tasks"][TASK]["vcd"]["accuracy"].update(value="1"), "value is '1'"),
        (lambda found: found["tasks"][TASK]["vcd"]["accuracy"].pop("interval"), "no 'interval'"),
        (lambda found: found.pop("comparisons"), "no 'comparisons'"),
        (lambda found: found.update(notes=[{"a": 1}]), "notes 1 is"),
        (lambda found: found["settings"].update(methods={}), "names no method"),
    ],
)
def test_broken_results_are_one_sentence_and_other_runs_are_shown(tmp_path, change, why):
    write(tmp_path / "good", FOUR)
    folder = write(tmp_path / "bad", FOUR)
    found = json.loads((folder / "results.json").read_text())
    change(found)
    (folder / "results.json").write_text(json.dumps(found))
    page = Browsing(tmp_path)
    bad = page.answer({"what": "run", "run": "bad"})
    assert bad["broken"].startswith("bad/results.json is not what sinktrack eval writes")
    assert why in bad["broken"] and str(tmp_path) not in bad["broken"]
    assert bad["runs"] == ["bad", "good"]
    assert "tables" in page.answer({"what": "run", "run": "good"})


def test_broken_settings_are_one_sentence(tmp_path):
    folder = write(tmp_path / "run", FOUR)
    for text in ("", "[]", "{}", '{"model": 1}', '"' + "x" * 99):
        (folder / "run.json").write_text(text)
        with pytest.raises(OutputError, match=r"run/run\.json is not what"):
            read_settings(folder)


def test_a_file_that_is_too_large_is_refused_by_its_size(tmp_path, monkeypatch):
    folder = write(tmp_path / "run", FOUR)
    monkeypatch.setattr("sinktrack.eval.run_files.LARGEST", 100)
    with pytest.raises(OutputError, match="at most 100 are read"):
        read_results(folder)


@pytest.mark.parametrize(
    "forged",
    [
        None,
        [],
        "run",
        {"what": None},
        {"what": ["run"]},
        {"what": "run", "run": "../run"},
        {"what": "run", "run": 1},
        {"what": "run", "run": {"a": 1}},
        {"what": "changes"},
        {"what": "changes", "task": "x"},
        {"what": "changes", "first": "vcd"},
        {"what": "changes", "second": ["vcd"]},
        {"what": "changes", "by": "speed"},
        {"what": "changes", "kind": "none"},
        {"what": "item", "item": {"a": 1}},
        {"what": "item", "item": "test/0", "seed": [1]},
        {"what": "item", "item": "test/0", "seed": math.nan},
        {"what": "asked", "item": "/etc/passwd"},
    ],
)
def test_a_forged_request_gets_a_sentence(tmp_path, forged):
    folder = write(tmp_path / "run", FOUR)
    asked = {"run": "run", "task": TASK, "first": "baseline", "second": "vcd"}
    whole = asked | {"by": "accuracy", "kind": "all", "page": 0}
    request = whole | forged if isinstance(forged, dict) else forged
    if forged == {"what": "changes"}:
        request = forged
    assert set(Browsing(folder).answer(request)) == {"error"}


def test_nothing_outside_the_folder_is_read(tmp_path):
    elsewhere = write(tmp_path / "elsewhere", FOUR)
    top = tmp_path / "runs"
    write(top / "own", FOUR, finished=False)
    os.symlink(elsewhere, top / "linked")
    os.symlink(elsewhere / "results.json", top / "own" / "results.json")
    assert list(find_runs(top)) == ["own"]
    assert read_results(find_runs(top)["own"]) is None


def test_a_folder_of_several_runs_offers_each_by_its_name(tmp_path):
    for name in ("b", "a <i>", "ü/".rstrip("/")):
        write(tmp_path / "runs" / name, FOUR)
    (tmp_path / "runs" / "notes").mkdir()
    page = Browsing(tmp_path / "runs")
    assert page.answer({"what": "run", "run": None})["runs"] == ["a <i>", "b", "ü"]
    assert page.answer({"what": "run", "run": "ü"})["run"] == "ü"


@pytest.mark.parametrize("name", ["missing", "empty", "file", "a\0b", "x" * 5000])
def test_a_folder_without_a_run_is_refused_at_the_start(tmp_path, name, capsys):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit) as exit_:
        Settings.read(["--results", str(tmp_path / name)], {})
    assert exit_.value.code == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and ("There is no folder" in said or "holds no run" in said)


def test_results_and_what_they_have_no_use_for_are_refused_together(tmp_path, capsys):
    run = str(write(tmp_path / "run", FOUR))
    study = str(ROOT / "assets" / "studies" / "shapes")
    for other in (
        ["--study", study],
        ["--model", "some/model"],
        ["--gallery"],
        ["--keep", str(tmp_path)],
    ):
        with pytest.raises(SystemExit) as exit_:
            Settings.read(["--results", run, *other], {})
        assert exit_.value.code == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1 and "--results" in said
    chosen = {"SINKTRACK_MODEL": "some/model", "SINKTRACK_STUDY": study}
    settings = Settings.read(["--results", run], chosen)  # an argument wins over the environment
    assert (settings.results, settings.study) == (run, None)
    settings = Settings.read(["--study", study], {"SINKTRACK_RESULTS": run})
    assert (settings.results, settings.study) == (None, study)
    with pytest.raises(SystemExit):
        Settings.read([], {"SINKTRACK_RESULTS": run, "SINKTRACK_STUDY": study})


def test_texts_of_any_length_are_cut_for_the_page(tmp_path):
    long = "x" * (browsing._LONGEST + 1234)
    folder = write(tmp_path / "run", pair("test/0", second=long, question=long), finished=False)
    shown = ask(folder, "item", item="test/0", seed=None)
    assert len(shown["question"]) < browsing._LONGEST + 100 and "1,234 more" in shown["question"]
    assert len(ask(folder, "changes")["listed"][0]["question"]) == 160
