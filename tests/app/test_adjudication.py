"""A judge rules on what annotators see differently, blind until the ruling is kept."""

import base64
import json
import uuid

import pytest
from studies import LANES, YAML, make_study, open_store, texts_of

from app.study.results import as_votes, compute_results
from app.study.results_page import ResultsPage
from app.study.rulings import rulings_by_pair, rulings_table
from app.study.running import Running

CODE = "coordinator's code"
TITLES = dict(zip(LANES, ("Plain model", "SinkTrack"), strict=True))
SAID = (
    {"Ann": LANES[0], "Bob": LANES[1], "Eve": LANES[1]},  # the widest spread
    {"Ann": LANES[0], "Bob": "tie", "Eve": LANES[0]},
    {"Ann": "tie", "Bob": "tie", "Eve": "tie"},  # no dispute
)


@pytest.fixture
def study(tmp_path):
    own = f"name: {uuid.uuid4().hex}\nvotes_per_item: 3\n"  # a database may hold several studies
    return make_study(tmp_path / "study", yaml=YAML + own)


@pytest.fixture
def store(study, url):
    store = open_store(study, url)
    for name in ("Ann", "Bob", "Eve"):
        who = store.join(name)
        while (place := store.next(who)) is not None:
            better = SAID[int(place.item[-1])][name]
            spans = {LANES[0]: [], LANES[1]: [[9, 10]] if name == "Bob" else []}
            judged = {lane: {"severity": "none", "spans": spans[lane]} for lane in LANES}
            key = uuid.uuid4().hex
            store.vote(key, place.id, who, better=better, judged=judged, comment=f"{name}?")
    yield store
    store.close()


@pytest.fixture
def ask(study, store):
    running = Running(study, store, CODE)

    def asks(what, **more):
        return running.answer({"code": CODE, "what": what, **more})

    return asks


def test_the_judge_is_blind_until_the_ruling_is_kept(ask, study):
    listed = ask("disputes")["disputes"]
    assert [(each["item"], each["ruled"]) for each in listed] == [
        ("item0", False),
        ("item1", False),
    ]
    shown = ask("dispute", key=listed[0]["key"], judge="Dan")
    told = json.dumps([listed, shown])
    names = (*LANES, *TITLES.values(), "Ann", "Bob", "Eve")
    comments = told.replace("Ann?", "").replace("Bob?", "").replace("Eve?", "")
    assert shown["told"] is None and not any(name in comments for name in names)
    assert {shown["pair"]["left"], shown["pair"]["right"]} == set(texts_of(0))
    blue = "left" if "🔵" in shown["pair"]["left"] else "right"
    assert sorted(vote["better"] == blue for vote in shown["votes"]) == [False, True, True]
    assert [vote[blue]["spans"] for vote in shown["votes"]].count([[9, 10]]) == 1

    other = {"left": "right", "right": "left"}[blue]
    ruling = {"key": listed[0]["key"], "better": other, "comment": " so "}
    after = ask("rule", judge=" Dan ", **ruling)
    assert after["told"]["sides"] == {blue: "SinkTrack", other: "Plain model"}
    assert set(after["told"]["annotators"]) == {"Ann", "Bob", "Eve"}
    assert after["told"]["rulings"] == [{"judge": "Dan", "better": other, "comment": "so"}]
    assert ask("dispute", key=listed[0]["key"], judge="Dan")["told"]
    second = ask("dispute", key=listed[0]["key"], judge="Eva")  # another judge is blind still
    assert second["told"] is None and "Dan" not in json.dumps(second)
    assert [each["ruled"] for each in ask("disputes")["disputes"]] == [True, False]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"key": "0" * 16}, "do not differ here any more"),
        ({"key": None}, "do not differ here any more"),
        ({"judge": " "}, "1 to 80 characters"),
        ({"judge": "x" * 81}, "1 to 80 characters"),
        ({"judge": ["Dan"]}, "1 to 80 characters"),
        ({"better": LANES[0]}, "Choose first"),
        ({"better": None}, "Choose first"),
        ({"comment": "x" * 5001}, "at most 5000"),
        ({"comment": 3}, "at most 5000"),
        ({"left_out": ["Ann", "Bob"]}, "do not differ here any more"),
        ({"code": "guessed"}, "not the coordinator's code"),
    ],
)
def test_what_is_no_ruling_is_refused(ask, store, change, words):
    key = ask("disputes")["disputes"][0]["key"]
    ruling = {"key": key, "judge": "Dan", "better": "tie", "comment": ""}
    assert words in ask("rule", **ruling | change)["error"]
    assert store.beside.rulings() == []


def rule(store, item, better, judge="Dan"):
    store.beside.rule(item=item, first=LANES[1], second=LANES[0], judge=judge, better=better)


def test_the_latest_ruling_counts_and_no_figure_of_the_votes_changes(study, store, ask):
    def figures():
        kept = store.standing()
        return kept, compute_results(study, as_votes(study, kept))

    before = figures()
    rule(store, "item0", "tie")
    rule(store, "item0", LANES[1])  # as two of three votes
    rule(store, "item1", LANES[1], "Eva")  # two of three votes say the other
    rule(store, "item2", "both bad")
    rule(store, "gone", LANES[1])
    assert figures() == before

    (found,) = rulings_by_pair(study, store.beside.rulings(), before[0])
    assert (found.items, found.said["tie"], found.said["both bad"]) == (3, 0, 1)
    assert (found.wins.count, found.wins.total) == (2, 2) and found.sign_p == 0.5
    assert (found.majority.count, found.majority.total) == (1, 3)
    head, ((*row,),) = rulings_table([found])
    assert row[0] == "baseline : sinktrack" and len(row) == len(head)
    assert row[2].startswith("1.000 (0.342 to 1.000; 2 of 2)")
    (without,) = rulings_by_pair(study, store.beside.rulings(), before[0], {"Bob"})
    assert (without.majority.count, without.majority.total) == (0, 2)  # item0 is one against one

    summary = base64.b64decode(ask("file", file="summary")["content"]).decode()
    assert "## Rulings" in summary and "Rulings are no votes" in summary


def test_rulings_are_a_file_with_those_that_count_no_more(ask, store):
    rule(store, "item0", "tie")
    rule(store, "item0", LANES[1], "Eva")
    rule(store, "item0", LANES[0])
    file = ask("file", file="rulings")
    assert file["name"].endswith("-rulings.jsonl")
    rows = [json.loads(line) for line in base64.b64decode(file["content"]).decode().splitlines()]
    assert [(row["judge"], row["counts"], row["blind"]) for row in rows] == [
        ("Dan", False, True), ("Eva", False, True), ("Dan", True, False)
    ]  # fmt: skip
    assert rows[0]["A"] == LANES[1] and rows[0]["answer A"] == texts_of(0)[1]
    assert len(rows[0]["pair"]) == 16 and rows[0]["question"] == "What is 0?"


def test_a_ruling_on_answers_that_have_changed_counts_no_more(study, store, url):
    rule(store, "item0", LANES[1])
    own = YAML + f"name: {study.name}\n"
    changed = make_study(study.folder, yaml=own, texts=lambda n: (f"Other {n}.", texts_of(n)[1]))
    again = open_store(changed, url)
    assert rulings_by_pair(changed, again.beside.rulings(), again.standing()) == []
    again.close()


def test_results_tell_what_was_passed_over_and_bring_it_back(tmp_path):
    study = make_study(tmp_path / "study", yaml=YAML + "votes_per_item: 1\n")
    store = open_store(study)
    for name, reason in (("Ann", "<b>No</b> picture"), ("Bob", "")):
        who = store.join(name)
        while (place := store.next(who)) is not None:
            if place.item == "item1":
                store.beside.pass_over(place.id, who, reason)
            else:
                store.vote(uuid.uuid4().hex, place.id, who, better="tie", judged={})
    page, kept = ResultsPage(study, store, CODE), store.standing()
    votes = as_votes(study, kept)
    shown = page._tables(kept, votes, compute_results(study, votes))
    assert "without any vote: 1 item: item1." in shown
    assert "“&lt;b&gt;No&lt;/b&gt; picture”" in shown and "<b>No" not in shown
    running = Running(study, store, CODE)
    request = {"code": CODE, "what": "file", "file": "summary"}
    summary = base64.b64decode(running.answer(request)["content"]).decode()
    assert "## Items passed over" in summary and "| item1 | 1 | 1 | 0 |" in summary

    (first, _) = store.beside.passed()
    assert running.answer({"code": CODE, "what": "bring back", "pass": first["id"]}) == {}
    assert [row["name"] for row in store.beside.passed()] == ["Bob"]
    for number in (first["id"], "1", None, True, -1, 2**40):
        answer = running.answer({"code": CODE, "what": "bring back", "pass": number})
        assert "Nobody has passed over this item any more" in answer["error"]
    store.close()
