"""Whoever guesses codes waits, everybody else goes on, and nobody waits for long."""

import logging
import re
from types import SimpleNamespace

import pytest
from studies import make_study, open_store

from app.shared import guesses
from app.shared.guesses import FREE, LONGEST, Guesses
from app.shared.visitors import address_of
from app.study.judging import Judging
from app.study.running import Running


@pytest.fixture
def guessing(clock):
    return Guesses(clock)


def seconds(sentence):
    return int(re.search(r"wait (\d+) second", sentence)[1])


def test_a_few_wrong_codes_cost_nothing_and_then_each_costs_more(guessing, clock):
    for _ in range(FREE):
        assert guessing.refusal("here", "study", False) is None
    waits = []
    for _ in range(9):
        waits.append(seconds(guessing.refusal("here", "study", False)))
        assert guessing.refusal("here", "study", True)  # nor is the right one looked at
        clock.now += waits[-1]
        assert guessing.refusal("here", "study", False) is None
    assert waits == [1, 2, 4, 8, 16, 30, 30, 30, 30] and max(waits) == LONGEST


def test_who_guesses_for_days_waits_as_long_as_before(guessing, clock):
    for _ in range(3000):
        assert guessing.refusal("here", "study", False) is None
        clock.now += LONGEST
    clock.now -= LONGEST
    assert seconds(guessing.refusal("here", "study", False)) == LONGEST


def test_other_addresses_and_other_codes_are_untouched(guessing):
    for _ in range(FREE + 1):
        guessing.refusal("here", "study", False)
    assert guessing.refusal("here", "study", True)
    assert guessing.refusal("there", "study", True) is None
    assert guessing.refusal("here", "coordinator", True) is None


def test_right_codes_do_not_wipe_out_wrong_ones_but_time_does(guessing, clock):
    """Else one right sign-in between two guesses would let somebody guess for ever."""
    for _ in range(FREE):
        guessing.refusal("here", "personal", False)
        clock.now += 2
    assert guessing.refusal("here", "personal", True) is None
    guessing.refusal("here", "personal", False)
    assert guessing.refusal("here", "personal", True)
    clock.now += 16 * 60
    for _ in range(FREE):
        assert guessing.refusal("here", "personal", False) is None


def test_what_is_remembered_has_a_bound(guessing, monkeypatch):
    monkeypatch.setattr(guesses, "_MOST", 50)
    for n in range(500):
        guessing.refusal(str(n), "study", False)
    assert len(guessing._wrong) == 50


def test_wrong_codes_are_logged_with_their_address_and_without_the_code(guessing, caplog):
    with caplog.at_level(logging.WARNING):
        guessing.refusal("192.0.2.7", "coordinator", False)
        guessing.refusal("192.0.2.7", "coordinator", True)
    (said,) = caplog.messages
    assert "192.0.2.7" in said and "coordinator" in said and "number 1" in said


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("testclient", "testclient"),
        ("x" * 5000, "x" * 64),
        (None, ""),
    ],
)
def test_an_address_is_a_person_as_far_as_one_can_tell(host, expected):
    assert address_of(SimpleNamespace(client=SimpleNamespace(host=host))) == expected
    assert address_of(SimpleNamespace(client=None)) == address_of(None) == ""


@pytest.fixture
def study(tmp_path):
    return make_study(tmp_path / "study")


def test_every_code_of_a_study_is_guarded(study):
    store = open_store(study)
    judging, running = Judging(study, store, "code"), Running(study, store, "chief")
    own = {"what": "sign in", "name": "Ann", "code": "code"}
    mine = judging.answer(own, None, "192.0.2.1")["personal"]

    def guess(kind, at, right=False):
        if kind == "coordinator":
            return running.answer({"code": "chief" if right else "x", "what": "state"}, at)
        if kind == "study":
            return judging.answer(own | {"name": "Bob", "code": "code" if right else "x"}, None, at)
        said = own | {"personal": mine if right else "abcd-efgh-jkmn"}
        return judging.answer(said, None, at)

    for kind, at in (("coordinator", "192.0.2.9"), ("study", "192.0.2.9"), ("personal", "::1")):
        for _ in range(FREE):
            assert "wait" not in guess(kind, at)["error"]
        for right in (False, True):
            assert seconds(guess(kind, at, right)["error"]) == 1
        assert "error" not in guess(kind, "192.0.2.1", True)
    shown = guess("personal", "192.0.2.1", True)  # who is signed in goes on from anywhere
    asked = {"what": "next", "token": shown["token"]}
    assert judging.answer(asked, None, "192.0.2.9")["pair"]
    assert running.refusal("x", "192.0.2.9") and running.refusal("chief", "192.0.2.1") is None
    store.close()


@pytest.mark.parametrize("code", [None, "", " ", 3, ["code"]])
def test_what_is_no_code_is_no_guess(study, code):
    store = open_store(study)
    judging, running = Judging(study, store, "code"), Running(study, store, "chief")
    for _ in range(FREE + 2):
        assert (
            "not the code"
            in judging.answer({"what": "sign in", "name": "A", "code": code})["error"]
        )
        assert "not the coordinator" in running.refusal(code)
    assert running.refusal("chief") is None
    store.close()
