"""Who wants their votes deleted leaves nothing behind but how many these were."""

import json
import shutil
import uuid

import pytest
import sqlalchemy as sa
from hub import serve
from studies import make_study, open_store

import app.study.assignment
from app.study.judging import Judging
from app.study.results import as_votes, compute_results
from app.study.running import Running
from app.study.summary import summary
from app.study.uncounted import uncounted
from app.study.vote_store import counting
from sinktrack.core.errors import StoreError


def judge(store, name, most=100):
    """Let somebody judge what there is for them."""
    who = store.join(name)
    for _ in range(most):
        place = store.next(who)
        if place is None:
            break
        comment = f"{name} has said so"
        store.vote(uuid.uuid4().hex, place.id, who, better="tie", judged={}, comment=comment)
    return who


def rows_of(store):
    """Return everything that the database holds, as text."""
    with store._engine.begin() as connection:
        names = sa.inspect(connection).get_table_names()
        rows = [connection.execute(sa.text(f'SELECT * FROM "{name}"')).all() for name in names]
    return str(rows)


def test_nothing_of_a_person_stays_and_their_places_are_free(make):
    store = make()
    ann, _ = judge(store, "Ann"), judge(store, "Bob")
    assert store.bind(ann, "digest of a code") and store.next(store.join("Eve")) is None
    store.undo(ann)
    store.withdraw(ann)
    held = rows_of(store)
    assert "Ann" not in held and "digest of a code" not in held and "Bob has said so" in held
    assert {row["name"] for row in store.history()} == {"Bob"} and store.deleted() == [2]
    assert store.find("Ann") is None and store.personal(ann) not in (None, "digest of a code")
    judge(store, "Eve")
    assert len(store.standing()) == 6
    again = store.join("Ann")  # a name that was given up may be taken
    assert again != ann and store.progress(again).voted == 0
    store.withdraw(again)
    assert store.deleted() == [2, 0]


def test_a_place_where_somebody_else_took_a_vote_back_is_free_as_well(make, monkeypatch):
    store = make(items="a", votes_per_item=1)
    bob = judge(store, "Bob")
    store.undo(bob)
    monkeypatch.setattr(app.study.assignment, "HELD_SECONDS", 0)
    ann = judge(store, "Ann")
    monkeypatch.setattr(app.study.assignment, "HELD_SECONDS", 3600)
    store.withdraw(ann)
    assert [(row["name"], row["undone"] is None) for row in store.history()] == [("Bob", False)]
    judge(store, "Eve")
    assert [row["name"] for row in store.standing()] == ["Eve"]


def test_deleted_votes_leave_no_words_in_the_file(tmp_path):
    study = make_study(tmp_path / "study")
    store = open_store(study)
    ann = judge(store, "Ann")
    judge(store, "Bob")
    store.withdraw(ann)
    store.close()
    held = b"".join(file.read_bytes() for file in study.folder.glob("votes.sqlite*"))
    assert b"Bob has said so" in held and b"Ann has said so" not in held


def stop(store, backup, study):
    """End a page whose disk is then lost."""
    backup.close()
    store.close()
    for path in study.folder.glob("votes.sqlite*"):
        path.unlink()
    shutil.rmtree(study.folder / "ledger", ignore_errors=True)


def test_the_copy_on_the_hub_brings_nothing_back(tmp_path, hub):
    study = make_study(tmp_path / "study")
    store, backup = serve(study, hub)
    judge(store, "Ann", most=2)
    judge(store, "Bob")
    stop(store, backup, study)
    store, backup = serve(study, hub)
    ann = judge(store, "Ann")
    store.withdraw(ann)
    for file in [*(tmp_path / "hub").rglob("*.jsonl"), *study.folder.rglob("*.jsonl")]:
        assert "Ann" not in file.read_text(), file  # in the file of the start before as well
    stop(store, backup, study)
    for _ in range(2):  # what was deleted is told on and on
        store, backup = serve(study, hub)
        assert {row["name"] for row in store.history()} == {"Bob"} and store.deleted() == [3]
        newest = next((study.folder / "ledger").glob("*.jsonl")).name
        stop(store, backup, study)
        for file in (tmp_path / "hub").rglob("*.jsonl"):
            if file.name != newest:
                file.unlink()
    assert all("Ann" not in line for line in map(str, backup.votes))


def test_a_copy_that_another_server_wrote_brings_nothing_back_either(tmp_path, hub):
    study = make_study(tmp_path / "study")
    store, backup = serve(study, hub)
    ann = judge(store, "Ann")
    (file,) = (study.folder / "ledger").glob("*.jsonl")
    copy = file.read_text()
    store.withdraw(ann)
    stop(store, backup, study)
    (tmp_path / "hub" / "study" / "another.jsonl").write_text(copy)
    store, backup = serve(study, hub)
    assert store.history() == [] and store.deleted() == [3]
    stop(store, backup, study)
    assert "Ann" not in (tmp_path / "hub" / "study" / "another.jsonl").read_text()


def test_a_hub_that_cannot_be_told_is_a_sentence_and_the_votes_are_gone_here(tmp_path, hub):
    study = make_study(tmp_path / "study")
    store, backup = serve(study, hub)
    ann = judge(store, "Ann")

    def refused(*_, **__):
        raise OSError("no way there")

    hub.create_commit, works = refused, hub.create_commit
    with pytest.raises(StoreError, match=r"deleted here.*no way there.*Do not stop the page"):
        store.withdraw(ann)
    assert store.history() == [] and "Ann" not in str(rows_of(store))
    hub.create_commit = works
    stop(store, backup, study)
    store, backup = serve(study, hub)
    assert store.history() == [] and store.deleted() == [3]
    stop(store, backup, study)


def test_the_coordinator_deletes_on_the_second_press_and_the_results_name_nobody(tmp_path):
    study = make_study(tmp_path / "study")
    store = open_store(study)
    running = Running(study, store, "chief")
    judge(store, "Ann")
    judge(store, "Bob", most=1)
    asked = {"code": "chief", "what": "withdraw", "name": " ann "}
    assert "Nobody" in running.answer(asked | {"name": "Nemo"})["error"]
    assert "not the coordinator" in running.answer(asked | {"code": "x"})["error"]
    for confirmed in ({}, {"confirmed": "yes"}, {"confirmed": 1}):
        assert running.answer(asked | confirmed) == {"name": "Ann", "votes": 3}
    assert len(store.standing()) == 4
    assert running.answer(asked | {"confirmed": True}) == {"name": "Ann", "votes": 3}
    assert len(store.standing()) == 1 and "Nobody" in running.answer(asked)["error"]
    history = store.history()
    apart = uncounted(history, store.deleted())
    found = compute_results(study, as_votes(study, counting(history)), uncounted=apart)
    text = summary(study, found)
    assert text.count("3 votes of one person were deleted at their request.") == 2  # methods too
    assert "Ann" not in text.replace("Annotators", "") and "No vote was left out" not in text
    store.close()


def test_who_withdrew_is_signed_out(tmp_path):
    study = make_study(tmp_path / "study")
    store = open_store(study)
    for invite, known in (("code", None), (None, "Ann")):
        judging = Judging(study, store, invite)
        asked = {"what": "sign in", "name": "Ann", "code": invite}
        shown = judging.answer(asked, known)
        store.withdraw(store.find("Ann")[0])
        answer = judging.answer({"what": "next", "token": shown["token"]}, known)
        assert answer["signed_out"] and store.find("Ann") is None
    store.close()


def test_the_row_that_tells_the_copy_names_nobody(tmp_path):
    study = make_study(tmp_path / "study")
    store = open_store(study)
    ann = judge(store, "Ann")
    keys = [row["key"] for row in store.history()]
    told = []
    store.subscribe(told.append)
    store.withdraw(ann)
    said = json.dumps(told[-1])
    assert told[-1]["votes"] == 3 and "Ann" not in said and not any(key in said for key in keys)
    store.close()
