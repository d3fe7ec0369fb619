"""A study that ends by itself, and people who come from a platform and go back."""

import time

import pytest
from studies import YAML, make_study, open_store

from app.study.judging import Judging
from app.study.results import as_votes, compute_results
from app.study.running import Running
from app.study.summary import summary

CODE = "open sesame"
DONE = "https://app.prolific.com/submissions/complete?cc=ABC"


@pytest.fixture
def opened(tmp_path):
    stores = []

    def open_(lines, items=1):
        study = make_study(tmp_path / "study", items=items, yaml=f"{YAML}ask: []\n{lines}\n")
        stores.append(open_store(study))
        return Judging(study, stores[-1], CODE), stores[-1], study

    yield open_
    for store in stores:
        store.close()


def sign_in(judging, name="Ann"):
    return judging.answer({"what": "sign in", "name": name, "code": CODE})


def vote(judging, shown, key="0123456789abcdef"):
    pair = {name: shown["pair"][name] for name in ("place", "seal")}
    request = {"what": "vote", "token": shown["token"], "key": key, "better": "tie", **pair}
    return judging.answer(request)


def test_after_its_end_a_study_takes_no_votes_and_gives_no_pairs(opened, monkeypatch):
    judging, store, study = opened("until: 2100-01-01 12:00", items=2)
    ann = sign_in(judging)
    assert vote(judging, ann)["kept"] and store.state() == "open"
    running = Running(study, store, "chief")
    told = running.answer({"code": "chief", "what": "state"})
    assert told["until"] == "It ends by itself on 2100-01-01 at 12:00 (UTC)." and not told["over"]
    found = compute_results(study, as_votes(study, store.standing()))
    assert "The study ends on 2100-01-01 at 12:00 (UTC); until then" in summary(study, found)
    begun = judging.answer({"what": "next", "token": ann["token"]})

    later = study.until.timestamp()
    monkeypatch.setattr(time, "time", lambda: later)
    ended = "The study ended on 2100-01-01 at 12:00 (UTC): no more votes are kept. Thank you!"
    assert vote(judging, ann | begun, "another-key-1")["error"] == ended
    assert judging.answer({"what": "undo", "token": ann["token"]})["error"] == ended
    assert judging.answer({"what": "next", "token": ann["token"]})["state"] == ended
    assert sign_in(judging, "Bob")["pair"] is None and len(store.standing()) == 1
    told = running.answer({"code": "chief", "what": "state"})
    assert told["state"] == "closed" and "write a later date there" in told["until"]
    turned = running.answer({"code": "chief", "what": "state", "turn": "open"})
    assert "write a later date there" in turned["error"] and store.state() == "closed"


def test_a_study_that_has_ended_says_so(opened):
    judging, store, study = opened("until: 2020-02-29")
    assert sign_in(judging)["state"].startswith("The study ended at the end of 2020-02-29 (UTC)")
    found = compute_results(study, as_votes(study, store.standing()))
    assert "The study ended at the end of 2020-02-29 (UTC)." in summary(study, found)


def test_the_way_back_is_told_to_who_has_voted_and_has_no_more_to_judge(opened):
    judging, store, _ = opened(f'platform: {{id: PROLIFIC_PID, done: "{DONE}"}}', items=2)
    ann = sign_in(judging, " abc123\n<b> ")
    assert ann["name"] == "abc123 <b>" and "done" not in ann
    shown = vote(judging, ann) | {"token": ann["token"]}
    assert shown["pair"] and "done" not in shown
    store.turn("paused")
    assert "done" not in judging.answer({"what": "next", "token": ann["token"]})
    store.turn("open")
    assert vote(judging, shown, "another-key-1")["done"] == DONE
    assert judging.answer({"what": "next", "token": ann["token"]})["done"] == DONE
    vote(judging, sign_in(judging, "Bob"), "another-key-2")
    store.turn("closed")
    assert "done" not in sign_in(judging, "Carla")  # has done nothing
